package dynamotable

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// Settings are what Create gives a table beyond what every table has. What is
// false is left as it is, never switched off.
type Settings struct {
	Recovery  bool // point-in-time recovery: it can be restored to any second of the last 35 days
	Protected bool // deletion protection
}

// pollEvery is how often Create looks whether a table is ready, and
// visiblePolls how often one that was just made may still not be there:
// DynamoDB tells of it a moment later.
const (
	pollEvery    = 250 * time.Millisecond
	visiblePolls = 40
)

// Create makes the table called name where it is not there: on demand, with
// the keys "pk" and "sk", TTL on "ttl" and a mark of the format. A table that
// is there gets what it lacks. It returns a phrase for each change it made, such
// as "made", and so none where nothing was to do; with an error, those made
// before it. It fails with fault.Conflict "table_foreign" where a table of that
// name has other keys, and "table_newer" where its format is a newer program's.
func (s *Store) Create(ctx context.Context, name string, want Settings) (changes []string, err error) {
	for _, step := range []func(context.Context, string, Settings) (string, error){
		s.make, s.protect, s.expire, s.recover, s.mark,
	} {
		change, err := step(ctx, name, want)
		if change != "" {
			changes = append(changes, change)
		}
		if _, known := errors.AsType[*fault.Error](err); known {
			return changes, err
		}
		if err != nil {
			return changes, fault.Wrap(err, fault.Internal, "table_unmade", "The DynamoDB table "+name+" cannot be made or changed.")
		}
	}
	return changes, nil
}

// make makes the table and waits until it is ready.
func (s *Store) make(ctx context.Context, name string, want Settings) (change string, err error) {
	description, err := s.ready(ctx, name)
	if isMissing(err) {
		change, err = s.makeNew(ctx, name, want)
		for polls := 0; err == nil && description == nil; polls++ {
			description, err = s.ready(ctx, name)
			if isMissing(err) && polls < visiblePolls {
				err = table.Wait(ctx, pollEvery)
			}
		}
	}
	if err != nil {
		return change, err
	}
	if !slices.EqualFunc(description.KeySchema, keySchema(), sameKey) ||
		!slices.ContainsFunc(description.AttributeDefinitions, isString(pkName)) ||
		!slices.ContainsFunc(description.AttributeDefinitions, isString(skName)) {
		return change, fault.Newf(fault.Conflict, "table_foreign",
			"There is a DynamoDB table %s with other keys than the strings %s and %s: choose another name.", name, pkName, skName)
	}
	return change, nil
}

func (s *Store) makeNew(ctx context.Context, name string, want Settings) (string, error) {
	_, err := s.client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		KeySchema:   keySchema(),
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(pkName), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(skName), AttributeType: types.ScalarAttributeTypeS},
		},
		DeletionProtectionEnabled: &want.Protected,
	})
	if _, raced := errors.AsType[*types.ResourceInUseException](err); raced {
		return "", nil // another process makes it
	}
	if err != nil {
		return "", err
	}
	return "made", nil
}

func keySchema() []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: aws.String(pkName), KeyType: types.KeyTypeHash},
		{AttributeName: aws.String(skName), KeyType: types.KeyTypeRange},
	}
}

func sameKey(a, b types.KeySchemaElement) bool {
	return a.KeyType == b.KeyType && aws.ToString(a.AttributeName) == aws.ToString(b.AttributeName)
}

func isString(name string) func(types.AttributeDefinition) bool {
	return func(d types.AttributeDefinition) bool {
		return aws.ToString(d.AttributeName) == name && d.AttributeType == types.ScalarAttributeTypeS
	}
}

// ready waits until the table is neither being made nor changed.
func (s *Store) ready(ctx context.Context, name string) (*types.TableDescription, error) {
	for {
		out, err := s.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			return nil, err
		}
		if status := out.Table.TableStatus; status != types.TableStatusCreating && status != types.TableStatusUpdating {
			return out.Table, nil
		}
		if err := table.Wait(ctx, pollEvery); err != nil {
			return nil, err
		}
	}
}

func isMissing(err error) bool {
	_, missing := errors.AsType[*types.ResourceNotFoundException](err)
	return missing
}

// protect switches deletion protection on.
func (s *Store) protect(ctx context.Context, name string, want Settings) (string, error) {
	if !want.Protected {
		return "", nil
	}
	description, err := s.ready(ctx, name)
	if err != nil || aws.ToBool(description.DeletionProtectionEnabled) {
		return "", err
	}
	_, err = s.client.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &name, DeletionProtectionEnabled: aws.Bool(true)})
	if err != nil {
		return "", err
	}
	_, err = s.ready(ctx, name)
	return "protected from deletion", err
}

// expire has DynamoDB remove what has expired.
func (s *Store) expire(ctx context.Context, name string, _ Settings) (string, error) {
	on, err := s.expires(ctx, name)
	if on || err != nil {
		return "", err
	}
	_, err = s.client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName:               &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String(ttlName), Enabled: aws.Bool(true)},
	})
	if err == nil {
		return "expiry by " + ttlName + " switched on", nil
	}
	if on, again := s.expires(ctx, name); on && again == nil {
		return "", nil // another process was faster
	}
	return "", err
}

// expires reports whether the table's TTL is on, by our attribute.
func (s *Store) expires(ctx context.Context, name string) (bool, error) {
	out, err := s.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return false, err
	}
	ttl := out.TimeToLiveDescription
	on := ttl.TimeToLiveStatus == types.TimeToLiveStatusEnabled || ttl.TimeToLiveStatus == types.TimeToLiveStatusEnabling
	if on && aws.ToString(ttl.AttributeName) != ttlName {
		return false, fault.Newf(fault.Conflict, "table_foreign",
			"The DynamoDB table %s takes another attribute than %s for the expiry: choose another name.", name, ttlName)
	}
	return on, nil
}

// recover switches point-in-time recovery on. For a moment after a table was
// made DynamoDB refuses that.
func (s *Store) recover(ctx context.Context, name string, want Settings) (string, error) {
	if !want.Recovery {
		return "", nil
	}
	out, err := s.client.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &name})
	if err != nil {
		return "", err
	}
	if d := out.ContinuousBackupsDescription.PointInTimeRecoveryDescription; d != nil &&
		d.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
		return "", nil
	}
	for {
		_, err = s.client.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
			TableName:                        &name,
			PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
		})
		if _, early := errors.AsType[*types.ContinuousBackupsUnavailableException](err); !early {
			break
		}
		if err := table.Wait(ctx, pollEvery); err != nil {
			return "", err
		}
	}
	if err != nil {
		return "", err
	}
	return "point-in-time recovery switched on", nil
}

// mark writes the format into the table, and refuses a newer one.
func (s *Store) mark(ctx context.Context, name string, _ Settings) (string, error) {
	found, err := s.format(ctx, name)
	switch {
	case err != nil:
		return "", err
	case found > format:
		return "", newer(name, found)
	case found > 0:
		return "", nil
	}
	item := encodeKey(formatKey())
	item[formatName] = &types.AttributeValueMemberN{Value: strconv.Itoa(format)}
	_, err = s.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &name, Item: item, ConditionExpression: aws.String("attribute_not_exists(" + pkName + ")"),
	})
	if _, raced := errors.AsType[*types.ConditionalCheckFailedException](err); raced {
		return "", nil // another process has marked it
	}
	if err != nil {
		return "", err
	}
	return "marked as format " + strconv.Itoa(format), nil
}
