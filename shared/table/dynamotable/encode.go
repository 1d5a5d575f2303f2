package dynamotable

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sluice/shared/table"
)

// attributes is an item, or a part of one, as DynamoDB has it.
type attributes = map[string]types.AttributeValue

func encodeKey(key table.Key) attributes {
	return attributes{pkName: encodeValue(key.PK), skName: encodeValue(key.SK)}
}

// encodeItem returns the whole item. It shares no memory with item.
func encodeItem(item table.Item) attributes {
	encoded := encodeKey(item.Key)
	for name, value := range item.Attrs {
		encoded[name] = encodeValue(value)
	}
	if !item.ExpiresAt.IsZero() {
		encoded[ttlName] = encodeValue(item.ExpiresAt.Unix())
	}
	return encoded
}

func encodeValue(value any) types.AttributeValue {
	switch v := value.(type) {
	case string:
		return &types.AttributeValueMemberS{Value: v}
	case int64:
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(v, 10)}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case []byte:
		return &types.AttributeValueMemberB{Value: append([]byte{}, v...)}
	}
	panic(fmt.Sprintf("dynamotable: a value is a %T", value)) // Table lets nothing else pass
}

// decodeItem is the inverse of encodeItem. It leaves the wid out.
func decodeItem(encoded attributes) (item table.Item, err error) {
	item.Attrs = make(table.Attrs, len(encoded))
	for name, attribute := range encoded {
		if item.Attrs[name], err = decodeValue(attribute); err != nil {
			return table.Item{}, fmt.Errorf("attribute %q: %w", name, err)
		}
	}
	var hasPK, hasSK bool
	item.Key.PK, hasPK = item.Attrs[pkName].(string)
	item.Key.SK, hasSK = item.Attrs[skName].(string)
	if !hasPK || !hasSK {
		return table.Item{}, fmt.Errorf("an item has no %s or no %s", pkName, skName)
	}
	if seconds, ok := item.Attrs[ttlName].(int64); ok {
		item.ExpiresAt = time.Unix(seconds, 0).UTC()
	}
	for _, name := range []string{pkName, skName, ttlName, widName} {
		delete(item.Attrs, name)
	}
	return item, nil
}

func decodeItems(encoded []attributes) ([]table.Item, error) {
	items := make([]table.Item, len(encoded))
	for i, e := range encoded {
		item, err := decodeItem(e)
		if err != nil {
			return nil, err
		}
		items[i] = item
	}
	return items, nil
}

func decodeValue(attribute types.AttributeValue) (any, error) {
	switch a := attribute.(type) {
	case *types.AttributeValueMemberS:
		return a.Value, nil
	case *types.AttributeValueMemberN:
		return strconv.ParseInt(a.Value, 10, 64)
	case *types.AttributeValueMemberBOOL:
		return a.Value, nil
	case *types.AttributeValueMemberB:
		return append([]byte{}, a.Value...), nil
	}
	return nil, fmt.Errorf("a %T is none of ours", attribute)
}
