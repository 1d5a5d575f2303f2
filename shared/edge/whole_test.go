package edge_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"sluice/shared/edge"
)

// A body that has not the length that was announced is broken, as it is of a client
// that hangs up: what was changed on the way is not kept.
func TestABodyOfAnotherLengthBreaksOff(t *testing.T) {
	for _, c := range []struct {
		announced string
		length    int64
		body      string
		broken    bool
	}{
		{"5", 5, "hello", false},
		{"", 5, "hello", false}, // a REST API passes none on
		{"6", 6, "hello", true},
		{"1000000000000", 1000000000000, "hello", true},
		{"4", 4, "", true}, // longer than announced: which bytes are whose is not known
		{"0", 0, "", true},
		{"-1", 5, "hello", false}, // what is no length says nothing
		{"5, 5", 5, "hello", false},
		{"x", 5, "hello", false},
	} {
		for _, transport := range transports() {
			var got int64
			var body []byte
			var err error
			header := map[string][]string{}
			if c.announced != "" {
				header["content-length"] = []string{c.announced}
			}
			invoke(t, function(transport, func(_ http.ResponseWriter, r *http.Request) {
				got = r.ContentLength
				body, err = io.ReadAll(r.Body)
			}), question{method: http.MethodPut, path: "/", header: header, body: []byte("hello")}.event(t, transport))
			if got != c.length || string(body) != c.body || errors.Is(err, io.ErrUnexpectedEOF) != c.broken {
				t.Errorf("%s: hello under Content-Length: %s is %q of %d bytes, %v; want %q of %d, broken: %v",
					transport, c.announced, body, got, err, c.body, c.length, c.broken)
			}
		}
	}
}

// A body that was announced and is not in the event at all is broken, too.
func TestABodyThatIsMissingBreaksOff(t *testing.T) {
	for transport, event := range map[edge.Transport]string{
		edge.HTTP: `{"rawPath":"/","headers":{"content-length":"5"},"requestContext":{"http":{"method":"PUT"}}}`,
		edge.ALB:  `{"httpMethod":"PUT","path":"/","headers":{"content-length":"5"}}`,
	} {
		var err error
		invoke(t, function(transport, func(_ http.ResponseWriter, r *http.Request) { _, err = io.ReadAll(r.Body) }), json.RawMessage(event))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: a body that is missing is read with %v, want it broken", transport, err)
		}
	}
}
