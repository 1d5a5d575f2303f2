package catalog_test

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"sluice/localstack/stores"
	"sluice/shared/table"
	"sluice/shared/table/bolttable"
	"sluice/shared/table/dynamotable"
)

// emulatorVariable tells a child process which DynamoDB its tests are for: the
// endpoint, the region, the access key and the secret key.
const emulatorVariable = "CATALOG_DYNAMODB"

// TestAllTestsOnDynamoDB runs the tests of this package again, in a process
// whose records are in DynamoDB.
func TestAllTestsOnDynamoDB(t *testing.T) {
	if os.Getenv(emulatorVariable) != "" {
		t.Skip("this is the child process")
	}
	d := stores.Dynoxide(t)
	child := exec.Command(os.Args[0], "-test.timeout=8m")
	child.Env = append(os.Environ(), emulatorVariable+"="+strings.Join([]string{d.Endpoint, d.Region, d.AccessKey, d.SecretKey}, " "))
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v; output:\n%s", err, out)
	}
}

// openDriver opens a record store of the test's own.
func openDriver(t *testing.T) table.Driver {
	t.Helper()
	if emulator := strings.Fields(os.Getenv(emulatorVariable)); len(emulator) == 4 {
		return openDynamo(t, emulator)
	}
	file, err := bolttable.Open(filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return file.Table("domain")
}

func openDynamo(t *testing.T, emulator []string) table.Driver {
	t.Helper()
	store := dynamotable.Open(aws.Config{
		BaseEndpoint: aws.String(emulator[0]), Region: emulator[1],
		Credentials: credentials.NewStaticCredentialsProvider(emulator[2], emulator[3], ""),
	})
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	name := "catalog-" + rand.Text()
	if _, err := store.Create(t.Context(), name, dynamotable.Settings{}); err != nil {
		t.Fatal(err)
	}
	driver, err := store.Table(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return driver
}
