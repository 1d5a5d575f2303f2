package contract_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/oapi-codegen/nullable"

	"sluice/shared/contract"
)

// A PATCH tells absent, null and a value apart, both ways.
func TestAPatchTellsAbsentFromNull(t *testing.T) {
	noon := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	empty := ""
	for _, c := range []struct {
		json string
		want contract.UpdateFileRequest
	}{
		{`{}`, contract.UpdateFileRequest{}},
		{`{"expires_at":null}`, contract.UpdateFileRequest{ExpiresAt: nullable.NewNullNullable[time.Time]()}},
		{`{"expires_at":"2025-06-01T12:00:00Z"}`, contract.UpdateFileRequest{ExpiresAt: nullable.NewNullableWithValue(noon)}},
		{`{"path":""}`, contract.UpdateFileRequest{Path: &empty}},
	} {
		out, err := json.Marshal(c.want)
		if err != nil || string(out) != c.json {
			t.Errorf("marshal gives %s, %v; want %s", out, err, c.json)
		}
		var got contract.UpdateFileRequest
		if err := json.Unmarshal([]byte(c.json), &got); err != nil {
			t.Errorf("%s: %v", c.json, err)
		}
		if again, err := json.Marshal(got); err != nil || string(again) != c.json {
			t.Errorf("%s comes back as %s, %v", c.json, again, err)
		}
		if got.ExpiresAt.IsSpecified() != c.want.ExpiresAt.IsSpecified() || got.ExpiresAt.IsNull() != c.want.ExpiresAt.IsNull() {
			t.Errorf("%s: expires_at is %v, want %v", c.json, got.ExpiresAt, c.want.ExpiresAt)
		}
	}
}

// What an answer may leave out is left out when it is zero.
func TestAnAnswerLeavesOutWhatIsZero(t *testing.T) {
	for _, c := range []struct {
		value  any
		absent []string
	}{
		{contract.File{}, []string{"sha256", "expires_at"}},
		{contract.FileList{}, []string{"next_cursor"}},
		{contract.UserList{}, []string{"next_cursor"}},
		{contract.User{}, []string{"display_name"}},
		{contract.Profile{}, []string{"display_name"}},
		{contract.Problem{}, []string{"field", "request_id"}},
	} {
		out, err := json.Marshal(c.value)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(out, &members); err != nil {
			t.Fatal(err)
		}
		for _, name := range c.absent {
			if _, there := members[name]; there {
				t.Errorf("%T: %s is in %s", c.value, name, out)
			}
		}
	}
}
