// Package dynamotable keeps records in DynamoDB: the table driver for many
// servers on the same records, and for functions.
//
// A table has a partition key "pk" and a sort key "sk", both strings. "ttl" is
// the expiry in seconds since 1970, which is also DynamoDB's TTL attribute;
// "wid" names the last conditional or partial write, so that one whose answer
// was lost can be told from another's. All other attributes are the item's own,
// under their own names: string S, int64 N, bool BOOL, []byte B. The partition
// "DYNAMOTABLE" is the driver's own and tells the layout's format.
//
// # Answers that are lost
//
// The network may break after a write was sent. What was certainly not done is
// left to table.Table to ask again. What may have been done is settled here,
// under the token it was first sent with: transactions and conditional deletes
// by DynamoDB's own idempotency tokens, updates and conditional puts by their
// wid. Only where that shows nothing, because somebody else has written since
// or the store stays away, is the answer table.Unanswered. A put or a delete
// without a test is simply sent again.
package dynamotable

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// The names of the attributes that are not an item's own.
const (
	pkName     = "pk"
	skName     = "sk"
	ttlName    = "ttl"
	widName    = "wid"
	formatName = "format"
)

// format is the version of the layout above. It rises when a program that
// knows only the old layout would misread the new one.
const format = 1

// formatKey is the key of the item that tells a table's format.
func formatKey() table.Key { return table.Key{PK: "DYNAMOTABLE", SK: "FORMAT"} }

// The bounds of a Store's connections. The SDK keeps ten idle ones, so that
// more requests at once than that would make a new one each. DynamoDB closes an
// idle connection after a minute or so; ours go before.
const (
	dialTimeout = 3 * time.Second
	keepAlive   = 30 * time.Second
	idleTimeout = 45 * time.Second
	idlePerHost = 256
)

// Store is an account's DynamoDB in one region. It is safe for concurrent use.
type Store struct {
	client *dynamodb.Client
	idle   func() // closes idle connections
}

// Open returns the DynamoDB that config names by its Region, Credentials and,
// where it is not Amazon's, BaseEndpoint. Nothing is asked of it. Where config
// has no HTTPClient, or the SDK's, the Store makes its own, with the proxy and
// certificates of the SDK's. The config's Retryer is not used: table.Table asks
// again, and what may have been done is settled here.
func Open(config aws.Config) *Store {
	s := &Store{idle: func() {}}
	if config.HTTPClient == nil {
		config.HTTPClient = awshttp.NewBuildableClient()
	}
	if sdk, ok := config.HTTPClient.(*awshttp.BuildableClient); ok {
		transport := tuned(sdk.GetTransport())
		config.HTTPClient, s.idle = &http.Client{Transport: transport}, transport.CloseIdleConnections
	}
	s.client = dynamodb.NewFromConfig(config, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
	return s
}

// tuned returns t with our bounds. t is the Store's own.
func tuned(t *http.Transport) *http.Transport {
	t.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext
	t.TLSHandshakeTimeout = dialTimeout
	t.MaxIdleConns, t.MaxIdleConnsPerHost, t.IdleConnTimeout = 0, idlePerHost, idleTimeout
	return t
}

// Table returns the driver of the table called name, which Create has made. It
// refuses one that a newer version of this program made with fault.Conflict
// "table_newer", and one that is not there with fault.Internal
// "table_unopened". Closing a table does nothing; close the store.
func (s *Store) Table(ctx context.Context, name string) (table.Driver, error) {
	found, err := s.format(ctx, name)
	switch {
	case err != nil:
		return nil, unopened(name, err)
	case found > format:
		return nil, newer(name, found)
	}
	return &driver{client: s.client, name: name}, nil
}

// Close closes idle connections. No call of the store or its tables follows it.
func (s *Store) Close() error {
	s.idle()
	return nil
}

// format returns the format that the table tells, 0 where it tells none.
func (s *Store) format(ctx context.Context, name string) (int, error) {
	out, err := read(ctx, s.client.GetItem, &dynamodb.GetItemInput{
		TableName: &name, Key: encodeKey(formatKey()), ConsistentRead: aws.Bool(true),
	})
	if err != nil || out.Item == nil {
		return 0, err
	}
	n, ok := out.Item[formatName].(*types.AttributeValueMemberN)
	if !ok {
		return 0, errors.New("its mark of the format is no number")
	}
	return strconv.Atoi(n.Value)
}

func newer(name string, found int) error {
	return fault.Newf(fault.Conflict, "table_newer",
		"The DynamoDB table %s has format %d; this program knows up to %d: use a newer one.", name, found, format)
}

func unopened(name string, err error) error {
	message := "The DynamoDB table " + name + " cannot be opened."
	if isMissing(err) {
		message = "The DynamoDB table " + name + " is not there; `sluice admin init` makes it."
	}
	return fault.Wrap(err, fault.Internal, "table_unopened", message)
}
