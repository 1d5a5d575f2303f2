package s3blob_test

import (
	"net/http"
	"sync"
	"testing"
)

// recorder is a transport that keeps what was sent, and may spoil answers.
type recorder struct {
	next  http.RoundTripper
	spoil func(*http.Request, *http.Response) (*http.Response, error) // nil: no

	mu   sync.Mutex
	sent []*http.Request
}

// over sets r over a transport that ends with the test.
func (r *recorder) over(t testing.TB) *recorder {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r.next = transport
	return r
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.sent = append(r.sent, req)
	r.mu.Unlock()
	resp, err := r.next.RoundTrip(req)
	if err == nil && r.spoil != nil {
		return r.spoil(req, resp)
	}
	return resp, err
}

// requests returns what was sent so far by a method.
func (r *recorder) requests(method string) []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*http.Request
	for _, req := range r.sent {
		if req.Method == method {
			found = append(found, req)
		}
	}
	return found
}

// ranges returns the ranges that were asked for.
func (r *recorder) ranges() []string {
	var all []string
	for _, req := range r.requests(http.MethodGet) {
		all = append(all, req.Header.Get("Range"))
	}
	return all
}
