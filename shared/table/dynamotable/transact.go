package dynamotable

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sluice/shared/table"
)

// Transact does all ops or none. DynamoDB knows a transaction that is sent
// again by its token, for ten minutes.
func (d *driver) Transact(ctx context.Context, now time.Time, ops []table.Op) error {
	forms := slices.Clone(ops)
	for range rounds {
		in := d.transaction(now, forms)
		_, _, err := settle(ctx, func(bool) (*dynamodb.TransactWriteItemsOutput, error) {
			return ask(ctx, d.client.TransactWriteItems, in)
		})
		if codeOf(err) != table.ConditionFailed {
			return err
		}
		if err := reshape(forms, ops, err, now); err != nil {
			return err
		}
	}
	return &storeError{code: table.Contended, err: errChanging}
}

// reshape looks at a transaction whose conditions failed. An Update that met
// an expired item becomes a Put, and one that became a Put and met an item
// becomes an Update again; then the transaction may pass. It returns the error
// of the first op, if any, whose own test failed.
func reshape(forms, ops []table.Op, err error, now time.Time) error {
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok || len(canceled.CancellationReasons) != len(forms) {
		return refused(-1)
	}
	for i, reason := range canceled.CancellationReasons {
		if reasonOf(reason) != "ConditionalCheckFailed" {
			continue
		}
		afresh, holds := onAbsent(ops[i])
		switch {
		case ops[i].Action != table.Update, !holds:
			return refused(i)
		case forms[i].Action == table.Put:
			forms[i] = ops[i]
		case expired(reason.Item, now):
			forms[i] = afresh
		default:
			return refused(i)
		}
	}
	return nil
}

func (d *driver) transaction(now time.Time, ops []table.Op) *dynamodb.TransactWriteItemsInput {
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String(rand.Text())}
	for _, op := range ops {
		in.TransactItems = append(in.TransactItems, d.transactItem(now, op))
	}
	return in
}

func (d *driver) transactItem(now time.Time, op table.Op) types.TransactWriteItem {
	e := newExpression(now)
	switch op.Action {
	case table.Put:
		tests := condition(e.tests(op.If))
		return types.TransactWriteItem{Put: &types.Put{
			TableName: &d.name, Item: encodeItem(table.Item{Key: op.Key, Attrs: op.Set, ExpiresAt: op.ExpiresAt}),
			ConditionExpression: tests, ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: oldItem,
		}}
	case table.Update:
		tests, set := condition(updateTests(e, op)), updateSet(op)
		if len(set)+len(op.Add)+len(op.Remove) == 0 {
			set[widName] = rand.Text() // something has to be changed
		}
		return types.TransactWriteItem{Update: &types.Update{
			TableName: &d.name, Key: encodeKey(op.Key), UpdateExpression: e.change(op, set),
			ConditionExpression: tests, ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: oldItem,
		}}
	case table.Delete:
		tests := condition(e.tests(op.If))
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &d.name, Key: encodeKey(op.Key),
			ConditionExpression: tests, ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		}}
	}
	tests := condition(e.tests(op.If))
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &d.name, Key: encodeKey(op.Key),
		ConditionExpression: tests, ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
	}}
}
