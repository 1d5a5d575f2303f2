package dynamotable

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sluice/shared/table"
)

// errHeldBack tells that DynamoDB has read none of a batch, which is how it
// throttles one.
var errHeldBack = errors.New("the store read none of a batch")

func (d *driver) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if len(keys) == 1 {
		item, err := d.get(ctx, keys[0])
		if item == nil || err != nil {
			return nil, err
		}
		return decodeItems([]attributes{item})
	}
	var found []attributes
	for left := encodeKeys(keys); len(left) > 0; {
		out, err := read(ctx, d.client.BatchGetItem, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{d.name: {Keys: left, ConsistentRead: aws.Bool(true)}},
		})
		if err != nil {
			return nil, err
		}
		found = append(found, out.Responses[d.name]...)
		unread := out.UnprocessedKeys[d.name].Keys // an answer has at most 16 MB
		if len(unread) == len(left) {
			return nil, &storeError{code: table.Throttled, err: errHeldBack}
		}
		left = unread
	}
	return decodeItems(found)
}

func encodeKeys(keys []table.Key) []attributes {
	encoded := make([]attributes, len(keys))
	for i, key := range keys {
		encoded[i] = encodeKey(key)
	}
	return encoded
}

// get returns an item as DynamoDB has it, nil where there is none.
func (d *driver) get(ctx context.Context, key table.Key) (attributes, error) {
	out, err := read(ctx, d.client.GetItem, &dynamodb.GetItemInput{
		TableName: &d.name, Key: encodeKey(key), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// Query asks for the closed range that holds q's, whose ends it then leaves
// out: DynamoDB takes only one condition on the sort key.
func (d *driver) Query(ctx context.Context, q table.Query) (table.Page, error) {
	in := d.queryInput(q)
	for {
		out, err := read(ctx, d.client.Query, in)
		if err != nil {
			return table.Page{}, err
		}
		items, err := decodeItems(out.Items)
		if err != nil {
			return table.Page{}, err
		}
		page := within(q, items)
		page.More = page.More || len(out.LastEvaluatedKey) > 0
		if len(page.Items) > 0 || !page.More {
			return page, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

func (d *driver) queryInput(q table.Query) *dynamodb.QueryInput {
	e := &expression{}
	condition := e.name(pkName) + " = " + e.value(q.PK)
	from, to := longest(q.From), longest(q.To)
	switch {
	case from != "" && to != "":
		condition += " AND " + e.name(skName) + " BETWEEN " + e.value(from) + " AND " + e.value(to)
	case from != "":
		condition += " AND " + e.name(skName) + " >= " + e.value(from)
	case to != "":
		condition += " AND " + e.name(skName) + " <= " + e.value(to)
	}
	return &dynamodb.QueryInput{
		TableName:                 &d.name,
		KeyConditionExpression:    &condition,
		ExpressionAttributeNames:  e.names,
		ExpressionAttributeValues: e.values,
		ScanIndexForward:          aws.Bool(!q.Descending),
		ConsistentRead:            aws.Bool(true),
		Limit:                     aws.Int32(int32(q.Limit) + 1), // one end may have to be left out
	}
}

// within returns up to q.Limit of the items that lie in q's range.
func within(q table.Query, items []table.Item) table.Page {
	inside := items[:0]
	for _, item := range items {
		if item.Key.SK >= q.From && (q.To == "" || item.Key.SK < q.To) {
			inside = append(inside, item)
		}
	}
	if len(inside) > q.Limit {
		return table.Page{Items: inside[:q.Limit:q.Limit], More: true}
	}
	return table.Page{Items: inside}
}

// longest returns end, an end of a range, as the greatest text before it that
// fits a sort key, if it does not fit itself: DynamoDB refuses a longer one. No
// sort key lies between them.
func longest(end string) string {
	if len(end) <= table.MaxSortKey {
		return end
	}
	_, size := utf8.DecodeLastRuneInString(end) // what is left is size-1 bytes short
	greatest := [utf8.UTFMax]string{"", "\x7f", "\u07ff", "\uffff"}
	return end[:len(end)-size] + greatest[size-1]
}
