package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// A line of the log and a trace can be joined by the trace's id, and a client that
// names none, or what is none, leaves nothing in the log.
func TestTheLogNamesTheTrace(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	const root, w3c = "1-5e6722a7-cc56aaee46db7ae02d4da47e", "4bf92f3577b34da6a3ce929d0e0e4736"
	cases := []struct {
		name, amazon, parent string
		want                 any
	}{
		{"none", "", "", nil},
		{"X-Ray", "Root=" + root + ";Parent=53995c3f42cd8ad8;Sampled=1", "", root},
		{"X-Ray, by a load balancer", "Self=1-67891234-12456789abcdef012345678a;Root=" + root, "", root},
		{"W3C", "", "00-" + w3c + "-00f067aa0ba902b7-01", w3c},
		{"both", "Root=" + root, "00-" + w3c + "-00f067aa0ba902b7-01", root},
		{"X-Ray without a root", "Self=" + root, "", nil},
		{"no id of X-Ray", "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e", "", nil},
		{"a secret", "Root=Bearer eyJhbGciOiJFZERTQSJ9", "Bearer eyJhbGciOiJFZERTQSJ9", nil},
		{"capital letters", "Root=" + strings.ToUpper(root), "00-" + strings.ToUpper(w3c) + "-00f067aa0ba902b7-01", nil},
		{"too long", "Root=" + root + "0", "00-" + w3c + "0-00f067aa0ba902b7-01", nil},
		{"another version", "", "ff-" + w3c + "-00f067aa0ba902b7-01", nil},
		{"zeros", "", "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", nil},
	}
	for _, c := range cases {
		a := r.Anonymous().Do(http.MethodGet, "/healthz", nil, "X-Amzn-Trace-Id", c.amazon, "Traceparent", c.parent).Want(t, http.StatusOK)
		if got := r.Log.RequestLine(t, a.Header.Get("X-Request-Id"))["trace_id"]; got != c.want {
			t.Errorf("%s: the line names the trace %v, want %v", c.name, got, c.want)
		}
	}
}
