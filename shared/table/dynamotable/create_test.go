package dynamotable_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sluice/localstack/stores"
	"sluice/shared/fault"
	"sluice/shared/table/dynamotable"
)

// client returns the bare client of an emulator.
func client(t *testing.T, d *stores.DynamoDB) *dynamodb.Client {
	t.Helper()
	return dynamodb.NewFromConfig(config(d), func(o *dynamodb.Options) { o.HTTPClient = newHTTP(t) })
}

func TestCreateSaysWhatItChangedAndChangesNothingTwice(t *testing.T) {
	for name, start := range emulators() {
		t.Run(name, func(t *testing.T) {
			store := open(t, start(t))
			for _, c := range []struct {
				want    dynamotable.Settings
				changes []string
			}{
				{dynamotable.Settings{}, []string{"made", "expiry by ttl switched on", "marked as format 1"}},
				{dynamotable.Settings{}, nil},
				{dynamotable.Settings{Protected: true}, []string{"protected from deletion"}},
				{dynamotable.Settings{Protected: true}, nil},
				{dynamotable.Settings{}, nil},
			} {
				changes, err := store.Create(t.Context(), "records", c.want)
				if err != nil || !slices.Equal(changes, c.changes) {
					t.Errorf("Create %+v: got %q, %v, want %q", c.want, changes, err, c.changes)
				}
			}
		})
	}
}

// TestCreateSwitchesRecoveryOn plays DynamoDB's answers, for no emulator has
// backups. For a moment after a table was made they are refused.
func TestCreateSwitchesRecoveryOn(t *testing.T) {
	w, store := layStore(t, stores.Dynoxide(t))
	newTable(t, store, "records")
	status := func(s string) mishap {
		return answer(http.StatusOK, `{"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED",`+
			`"PointInTimeRecoveryDescription":{"PointInTimeRecoveryStatus":"`+s+`"}}}`)
	}
	early := answered(http.StatusBadRequest, "ContinuousBackupsUnavailableException")
	for _, c := range []struct {
		answers  []mishap // the first two requests ask for the keys and the TTL, the last for the format
		change   string
		requests int
	}{
		{[]mishap{nil, nil, status("DISABLED"), early, status("ENABLED")}, "point-in-time recovery switched on", 6},
		{[]mishap{nil, nil, status("ENABLED")}, "", 4},
	} {
		w.next(c.answers...)
		changes, err := store.Create(t.Context(), "records", dynamotable.Settings{Recovery: true})
		if got := strings.Join(changes, ", "); err != nil || got != c.change || w.count() != c.requests {
			t.Errorf("got %q, %v after %d requests, want %q after %d", got, err, w.count(), c.change, c.requests)
		}
	}
}

// TestCreateWaitsUntilTheTableIsThere plays what DynamoDB may answer for a
// moment after a table was made.
func TestCreateWaitsUntilTheTableIsThere(t *testing.T) {
	w, store := layStore(t, stores.Dynoxide(t))
	creating := answer(http.StatusOK, `{"Table":{"TableStatus":"CREATING"}}`)
	w.next(nil, nil, answered(http.StatusBadRequest, "ResourceNotFoundException"), creating)
	changes, err := store.Create(t.Context(), "records", dynamotable.Settings{})
	if err != nil || len(changes) == 0 || changes[0] != "made" {
		t.Errorf("got %q, %v, want it made", changes, err)
	}
}

func TestSeveralMayCreateATableAtOnce(t *testing.T) {
	store := open(t, stores.DynamoDBLocal(t))
	errs := make(chan error)
	for range 4 {
		go func() {
			_, err := store.Create(t.Context(), "records", dynamotable.Settings{})
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestATableOfOthersIsLeftAlone(t *testing.T) {
	emulator := stores.Dynoxide(t)
	bare, store := client(t, emulator), open(t, emulator)
	number, text := types.ScalarAttributeTypeN, types.ScalarAttributeTypeS
	for name, keys := range map[string]map[string]types.ScalarAttributeType{
		"other-names": {"id": text, "sk": text},
		"other-types": {"pk": text, "sk": number},
		"no-sort-key": {"pk": text},
	} {
		makeTable(t, bare, name, keys)
		changes, err := store.Create(t.Context(), name, dynamotable.Settings{})
		if !fault.Is(err, fault.Conflict, "table_foreign") || len(changes) > 0 {
			t.Errorf("Create %s: got %q, %v, want table_foreign", name, changes, err)
		}
	}
	makeTable(t, bare, "other-ttl", map[string]types.ScalarAttributeType{"pk": text, "sk": text})
	_, err := bare.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName:               aws.String("other-ttl"),
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("expires"), Enabled: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Create(t.Context(), "other-ttl", dynamotable.Settings{}); !fault.Is(err, fault.Conflict, "table_foreign") {
		t.Errorf("Create other-ttl: got %v, want table_foreign", err)
	}
}

// makeTable makes a table whose keys are given; "sk" is its sort key.
func makeTable(t *testing.T, c *dynamodb.Client, name string, keys map[string]types.ScalarAttributeType) {
	t.Helper()
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
	for key, kind := range keys {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: &key, AttributeType: kind})
		if key == "sk" {
			in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: &key, KeyType: types.KeyTypeRange})
			continue
		}
		in.KeySchema = slices.Insert(in.KeySchema, 0, types.KeySchemaElement{AttributeName: &key, KeyType: types.KeyTypeHash})
	}
	if _, err := c.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

func TestATableOfANewerProgramIsRefused(t *testing.T) {
	emulator := stores.Dynoxide(t)
	store := open(t, emulator)
	newTable(t, store, "records")
	_, err := client(t, emulator).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String("records"),
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: "DYNAMOTABLE"}, "sk": &types.AttributeValueMemberS{Value: "FORMAT"},
		},
		UpdateExpression:          aws.String("SET #f = :f"),
		ExpressionAttributeNames:  map[string]string{"#f": "format"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":f": &types.AttributeValueMemberN{Value: "2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "table_newer: The DynamoDB table records has format 2; this program knows up to 1: use a newer one."
	if _, err := store.Table(t.Context(), "records"); err == nil || err.Error() != want {
		t.Errorf("Table: got %v, want %s", err, want)
	}
	if _, err := store.Create(t.Context(), "records", dynamotable.Settings{}); err == nil || err.Error() != want {
		t.Errorf("Create: got %v, want %s", err, want)
	}
}

func TestATableThatIsNotThereIsNamed(t *testing.T) {
	store := open(t, stores.Dynoxide(t))
	_, err := store.Table(t.Context(), "records")
	if !fault.Is(err, fault.Internal, "table_unopened") || !strings.Contains(err.Error(), "records is not there; `sluice admin init`") {
		t.Errorf("got %v, want table_unopened that names the table and what makes it", err)
	}
}

func TestAStoreThatDoesNotAnswerIsNotOpened(t *testing.T) {
	emulator := stores.Dynoxide(t)
	store := open(t, emulator)
	emulator.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := store.Table(ctx, "records"); !fault.Is(err, fault.Internal, "table_unopened") {
		t.Errorf("Table: got %v, want table_unopened", err)
	}
	if _, err := store.Create(ctx, "records", dynamotable.Settings{}); !fault.Is(err, fault.Internal, "table_unmade") {
		t.Errorf("Create: got %v, want table_unmade", err)
	}
}
