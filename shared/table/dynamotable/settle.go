package dynamotable

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sluice/shared/table"
)

// attempts is how often a write that may have been done is asked about.
const attempts = 6

// settle sends a write until its outcome is known, or attempts are spent. What
// was certainly not done is the caller's to try again. send is told whether an
// earlier one may have been done, and then must be harmless if it was.
func settle[Out any](ctx context.Context, send func(unsure bool) (*Out, error)) (out *Out, unsure bool, err error) {
	for attempt := 1; ; attempt++ {
		out, err = send(unsure)
		switch code := codeOf(err); {
		case code == table.Unanswered:
			unsure = true
		case unsure && (code == table.Throttled || code == table.Contended):
			err = unanswered(err)
		default:
			return out, unsure, err
		}
		if attempt == attempts {
			return nil, unsure, err
		}
		if ended := table.Pause(ctx, attempt); ended != nil {
			return nil, unsure, &storeError{code: table.Canceled, err: errors.Join(ended, err)}
		}
	}
}

func unanswered(err error) error { return &storeError{code: table.Unanswered, err: err} }

var (
	errNotProven = errors.New("the item does not tell whether the write was done")
	errOverrun   = errors.New("the store's first answer was lost, and its second one may be due to the first")
)

// outcome returns how a write under wid has ended, given settle's error. Where
// the condition failed because the write was done before, under the same wid,
// it was no failure, and the item is as the write left it.
func outcome(err error, wid string, unsure bool) (attributes, error) {
	found := conditionItem(err)
	switch {
	case codeOf(err) != table.ConditionFailed:
		return nil, err
	case widOf(found) == wid:
		return found, nil
	case unsure: // somebody has written since, and may have found ours
		return nil, unanswered(errOverrun)
	}
	return nil, refused(0)
}

// conditionItem returns the item whose condition failed, nil where there was
// none, or err tells of something else.
func conditionItem(err error) attributes {
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return failed.Item
	}
	return nil
}

func widOf(item attributes) string {
	if wid, ok := item[widName].(*types.AttributeValueMemberS); ok {
		return wid.Value
	}
	return ""
}

// prove returns the item under key if it still bears the wid, as if the write
// had been answered.
func (d *driver) prove(ctx context.Context, key table.Key, wid string) (*dynamodb.UpdateItemOutput, error) {
	item, err := d.get(ctx, key)
	if err != nil {
		return nil, err
	}
	if widOf(item) != wid {
		return nil, unanswered(errNotProven)
	}
	return &dynamodb.UpdateItemOutput{Attributes: item}, nil
}
