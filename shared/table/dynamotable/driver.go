package dynamotable

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"sluice/shared/table"
)

// driver is one table of a store. It never reports Full.
type driver struct {
	client *dynamodb.Client
	name   string
}

// Ping reads the mark of the format, which needs no other permission than
// reading does.
func (d *driver) Ping(ctx context.Context) error {
	_, err := read(ctx, d.client.GetItem, &dynamodb.GetItemInput{TableName: &d.name, Key: encodeKey(formatKey())})
	return err
}

func (d *driver) ErrorCode(err error) table.Code { return codeOf(err) }

func (d *driver) Failed(err error) int {
	if codeOf(err) != table.ConditionFailed {
		return -1
	}
	return failedOf(err)
}

// Close does nothing: the store, which other tables may use, is closed by
// whoever opened it.
func (d *driver) Close() error { return nil }
