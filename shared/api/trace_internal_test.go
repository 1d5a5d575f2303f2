package api

import (
	"net/http"
	"regexp"
	"testing"
)

// FuzzTraceID holds that nothing but an id comes of what a stranger sends.
func FuzzTraceID(f *testing.F) {
	f.Add("Root=1-5e6722a7-cc56aaee46db7ae02d4da47e;Sampled=0", "")
	f.Add("Self=;Root=", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	form := regexp.MustCompile(`^(|1-[0-9a-f]{8}-[0-9a-f]{24}|[0-9a-f]{32})$`)
	f.Fuzz(func(t *testing.T, amazon, parent string) {
		h := http.Header{"X-Amzn-Trace-Id": {amazon}, "Traceparent": {parent}}
		if got := traceID(h); !form.MatchString(got) {
			t.Errorf("%q and %q name the trace %q, want an id or nothing", amazon, parent, got)
		}
	})
}
