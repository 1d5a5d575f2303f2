package dynamotable_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/goleak"

	"sluice/localstack/stores"
	"sluice/shared/table"
	"sluice/shared/table/dynamotable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// config returns how an emulator is reached.
func config(d *stores.DynamoDB) aws.Config {
	return aws.Config{
		Region:       d.Region,
		BaseEndpoint: aws.String(d.Endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider(d.AccessKey, d.SecretKey, ""),
	}
}

// newHTTP returns an HTTP client whose connections end with the test.
func newHTTP(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// open opens an emulator, which is closed when the test ends.
func open(t *testing.T, d *stores.DynamoDB) *dynamotable.Store {
	t.Helper()
	store := dynamotable.Open(config(d))
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return store
}

// newTable returns the driver of a table, which is made if it is not there.
func newTable(t *testing.T, store *dynamotable.Store, name string) table.Driver {
	t.Helper()
	if _, err := store.Create(t.Context(), name, dynamotable.Settings{}); err != nil {
		t.Fatal(err)
	}
	driver, err := store.Table(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return driver
}
