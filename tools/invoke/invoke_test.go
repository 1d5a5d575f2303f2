package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/shared/edge/edgetest"
)

// A function is asked what it can answer without a store: whether it lives.
func TestAnEventGoesThroughTheBootstrap(t *testing.T) {
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", bootstrap, "sluice/functions/auth").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, said)
	}
	for name, value := range map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "SLUICE_TABLE": "dynamodb://none", "SLUICE_KEYS": "ssm:/none",
	} {
		t.Setenv(name, value)
	}
	for _, transport := range edgetest.Transports() {
		var out, log bytes.Buffer
		event := filepath.Join("..", "..", "events", string(transport), "healthz.json")
		if err := run(t.Context(), []string{bootstrap, event}, &out, &log); err != nil {
			t.Fatalf("%s: %v\n%s", transport, err, log.String())
		}
		head, body, streams := bytes.Cut(out.Bytes(), make([]byte, 8))
		var answer struct {
			StatusCode int    `json:"statusCode"` //nolint:tagliatelle // the name is AWS's
			Body       string `json:"body"`
		}
		if err := json.Unmarshal(head, &answer); err != nil || streams != transport.Streams() {
			t.Errorf("%s: the answer is %q, %v; want it to stream: %v", transport, out.String(), err, transport.Streams())
		}
		if streams {
			answer.Body = strings.TrimSuffix(string(body), "\n") // of the command
		}
		if answer.StatusCode != http.StatusOK || answer.Body != "{\"status\":\"ok\"}\n" {
			t.Errorf("%s: the answer is %q; want 200 and that it lives", transport, out.String())
		}
	}
	var out, log bytes.Buffer
	if err := run(t.Context(), []string{bootstrap, filepath.Join(t.TempDir(), "none.json")}, &out, &log); !os.IsNotExist(err) {
		t.Errorf("an event that is not there: %v, want that it is not", err)
	}
}
