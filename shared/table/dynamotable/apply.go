package dynamotable

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sluice/shared/table"
)

// rounds bounds how often a write starts over because items expire or come to
// be while it looks at them.
const rounds = 5

// errChanging tells that items came and went faster than a write could follow.
var errChanging = errors.New("an item came and went while it was written")

func (d *driver) Apply(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	switch {
	case op.Action == table.Put:
		return d.put(ctx, now, op)
	case op.Action == table.Update:
		return d.update(ctx, now, op)
	case len(op.If) > 0: // what a delete leaves cannot bear its wid
		return table.Item{}, d.Transact(ctx, now, []table.Op{op})
	}
	_, _, err := settle(ctx, func(bool) (*dynamodb.DeleteItemOutput, error) {
		return ask(ctx, d.client.DeleteItem, &dynamodb.DeleteItemInput{TableName: &d.name, Key: encodeKey(op.Key)})
	})
	return table.Item{}, err
}

// put does a Put. One without a test asks for no protection from what others
// write; it may be done twice and needs no wid.
func (d *driver) put(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	after := table.Item{Key: op.Key, Attrs: op.Set, ExpiresAt: op.ExpiresAt}
	in := &dynamodb.PutItemInput{TableName: &d.name, Item: encodeItem(after)}
	var wid string
	if len(op.If) > 0 {
		wid = rand.Text()
		in.Item[widName] = encodeValue(wid)
		e := newExpression(now)
		in.ConditionExpression = condition(append(e.tests(op.If), e.unless(wid)))
		in.ExpressionAttributeNames, in.ExpressionAttributeValues = e.names, e.values
		in.ReturnValuesOnConditionCheckFailure = oldItem
	}
	_, unsure, err := settle(ctx, func(bool) (*dynamodb.PutItemOutput, error) {
		return ask(ctx, d.client.PutItem, in)
	})
	if _, err := outcome(err, wid, unsure); err != nil {
		return table.Item{}, err
	}
	return decodeItem(in.Item)
}

// update does an Update. An item that has expired has to go, with the
// attributes that the op does not name: then the op is done as a Put.
func (d *driver) update(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	for range rounds {
		after, err := d.updateLive(ctx, now, op)
		if !errors.Is(err, errExpired) {
			return after, err
		}
		afresh, holds := onAbsent(op)
		if !holds {
			return table.Item{}, refused(0)
		}
		after, err = d.put(ctx, now, afresh)
		if codeOf(err) != table.ConditionFailed {
			return after, err
		}
	}
	return table.Item{}, &storeError{code: table.Contended, err: errChanging}
}

// errExpired tells that an Update has met an expired item and was not done.
var errExpired = errors.New("the item has expired")

// updateLive does an Update on an item that is absent or has not expired.
func (d *driver) updateLive(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	wid := rand.Text()
	in := d.updateInput(now, op, wid)
	out, unsure, err := settle(ctx, func(unsure bool) (*dynamodb.UpdateItemOutput, error) {
		if unsure && len(op.Add) > 0 { // must not be done twice, and another's write may hide ours
			return d.prove(ctx, op.Key, wid)
		}
		return ask(ctx, d.client.UpdateItem, in)
	})
	if err == nil {
		return decodeItem(out.Attributes)
	}
	if found := conditionItem(err); found != nil && widOf(found) != wid && expired(found, now) && !unsure {
		return table.Item{}, errExpired
	}
	found, err := outcome(err, wid, unsure)
	if err != nil {
		return table.Item{}, err
	}
	return decodeItem(found)
}

func (d *driver) updateInput(now time.Time, op table.Op, wid string) *dynamodb.UpdateItemInput {
	e := newExpression(now)
	parts := append(updateTests(e, op), e.unless(wid))
	set := updateSet(op)
	set[widName] = wid
	return &dynamodb.UpdateItemInput{
		TableName:                           &d.name,
		Key:                                 encodeKey(op.Key),
		UpdateExpression:                    e.change(op, set),
		ConditionExpression:                 condition(parts),
		ExpressionAttributeNames:            e.names,
		ExpressionAttributeValues:           e.values,
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: oldItem,
	}
}

// updateTests returns the tests of an Update: its own, that the item has not
// expired, and that numbers can be added to.
func updateTests(e *expression, op table.Op) []string {
	parts := append(e.tests(op.If), e.current())
	for name, delta := range op.Add {
		parts = append(parts, e.addable(name, delta))
	}
	return parts
}

// updateSet returns what an Update sets, the expiry included.
func updateSet(op table.Op) table.Attrs {
	set := make(table.Attrs, len(op.Set)+2)
	maps.Copy(set, op.Set)
	if !op.ExpiresAt.IsZero() {
		set[ttlName] = op.ExpiresAt.Unix()
	}
	return set
}

// onAbsent returns what an Update comes to where the item is absent or has
// expired, and whether its tests hold there.
func onAbsent(op table.Op) (afresh table.Op, holds bool) {
	if slices.ContainsFunc(op.If, needsItem) {
		return table.Op{}, false
	}
	afresh = table.Op{Action: table.Put, Key: op.Key, Set: table.Attrs{}, ExpiresAt: op.ExpiresAt, If: []table.Test{table.IfAbsent()}}
	maps.Copy(afresh.Set, op.Set)
	for name, delta := range op.Add {
		afresh.Set[name] = delta
	}
	return afresh, true
}

// expired reports whether an item as DynamoDB has it is as if absent at now.
func expired(found attributes, now time.Time) bool {
	item, err := decodeItem(found)
	return err == nil && item.Expired(now)
}
