package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
)

// keyed begins an upload under a key; more are fields of the header.
func keyed(by *localtest.Client, key, body string, more ...string) localtest.Answer {
	fields := append([]string{"Content-Type", "application/json", "Idempotency-Key", key}, more...)
	return by.Do(http.MethodPost, "/api/files", strings.NewReader(body), fields...)
}

// TestARequestUnderOneKeyCountsOnce begins an upload, and asks for it again as
// who has lost the answer does.
func TestARequestUnderOneKeyCountsOnce(t *testing.T) {
	r := openRig(t)
	const key, body = `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, `{"path":"a","size":8,"part_size":8388608}`
	ada, eve := r.user("ada", auth.User), r.user("eve", auth.User)
	r.admin.Put("/file/admin/there", "content")
	id := keyed(ada, key, body).Want(t, http.StatusCreated).Field(t, "upload_id")
	for _, c := range []struct {
		name  string
		by    *localtest.Client
		key   string
		body  string
		field []string
		want  string
	}{
		{"the same again", ada, key, body, nil, "same"},
		{"the same, spaced otherwise", ada, key, strings.ReplaceAll(body, ",", " , "), nil, "same"},
		{"another path", ada, key, `{"path":"b","size":8,"part_size":8388608}`, nil, "idempotency_key_reused"},
		{"another size", ada, key, `{"path":"a","size":9,"part_size":8388608}`, nil, "idempotency_key_reused"},
		{"no size", ada, key, `{"path":"a","part_size":8388608}`, nil, "idempotency_key_reused"},
		{"under a condition", ada, key, body, []string{"If-None-Match", "*"}, "idempotency_key_reused"},
		{"another key", ada, `"another"`, body, nil, "another"},
		{"no quotes", ada, strings.Trim(key, `"`), body, nil, "another"},
		{"another user", eve, key, body, nil, "another"},
		{"an admin, for themself", r.admin, key, body, nil, "another"},
		{"an admin, for ada", r.admin, key, `{"path":"a","size":8,"part_size":8388608,"owner":"ada"}`, nil, "idempotency_key_reused"},
		{"a key of nothing", ada, "", body, nil, "invalid_field"},
		{"the longest key", ada, strings.Repeat("k", 255), body, nil, "another"},
		{"a longer one", ada, strings.Repeat("k", 256), body, nil, "invalid_field"},
		{"a body that is none", ada, key, `{"path":`, nil, "invalid_json"},
		{"nobody", r.Anonymous(), key, body, nil, "unauthenticated"},
	} {
		a := keyed(c.by, c.key, c.body, c.field...)
		got := a.Code()
		switch {
		case a.StatusCode == http.StatusCreated && a.Field(t, "upload_id") == id:
			got = "same"
		case a.StatusCode == http.StatusCreated:
			got = "another"
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, a, c.want)
		}
	}
	if a := keyed(r.admin, `"two"`, `{"path":"there"}`, "If-None-Match", "*"); a.Code() != "precondition_failed" {
		t.Errorf("a request that fails: %s, want precondition_failed", a)
	}
	keyed(r.admin, `"two"`, `{"path":"there"}`).Want(t, http.StatusCreated) // it has spent no key
}

// TestARepeatedRequestAnswersTheUploadAsItIs sends the request again at each
// step of the upload.
func TestARepeatedRequestAnswersTheUploadAsItIs(t *testing.T) {
	r := openRig(t)
	const key, body = `"key"`, `{"path":"a","size":8,"part_size":8388608}`
	again := func(when, state string, parts int) {
		t.Helper()
		a := keyed(r.admin, key, body, "If-None-Match", "*").Want(t, http.StatusCreated)
		var got uploadState
		if err := json.Unmarshal(a.Body, &got); err != nil || got.State != state || len(got.Parts) != parts {
			t.Errorf("%s: %s, want it %s with %d parts", when, a, state, parts)
		}
	}
	p := &parted{r, r.admin, keyed(r.admin, key, body, "If-None-Match", "*").Want(t, http.StatusCreated).Field(t, "upload_id")}
	again("when it has begun", "open", 0)
	r.wantUsed(r.admin, "after two requests", 8, 1)
	p.put(1, []byte("by parts")).Want(t, http.StatusOK)
	again("when its part has come", "open", 1)
	p.complete().Want(t, http.StatusOK)
	again("when the path is taken by it", "complete", 0)
	r.wantUsed(r.admin, "at the end", 8, 1)
}
