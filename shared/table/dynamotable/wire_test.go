package dynamotable_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sluice/localstack/stores"
	"sluice/shared/table"
	"sluice/shared/table/dynamotable"
)

// wire is the way to an emulator, on which the next requests meet mishaps.
type wire struct {
	proxy *httputil.ReverseProxy

	mu      sync.Mutex
	mishaps []mishap
	met     int // requests since the mishaps were set
}

// mishap is what a request meets. forward lets it through.
type mishap func(w http.ResponseWriter, r *http.Request, forward func(http.ResponseWriter))

// lost does the request and breaks the connection instead of answering.
func lost(_ http.ResponseWriter, _ *http.Request, forward func(http.ResponseWriter)) {
	forward(httptest.NewRecorder())
	panic(http.ErrAbortHandler)
}

// lostThen is lost, and does something before the connection breaks.
func lostThen(then func()) mishap {
	return func(_ http.ResponseWriter, _ *http.Request, forward func(http.ResponseWriter)) {
		forward(httptest.NewRecorder())
		then()
		panic(http.ErrAbortHandler)
	}
}

// stalled does the request and never answers.
func stalled(_ http.ResponseWriter, r *http.Request, forward func(http.ResponseWriter)) {
	forward(httptest.NewRecorder())
	<-r.Context().Done()
}

// broken breaks the connection before the request is done.
func broken(http.ResponseWriter, *http.Request, func(http.ResponseWriter)) {
	panic(http.ErrAbortHandler)
}

// answered answers with an error of DynamoDB's, and does nothing.
func answered(status int, code string) mishap {
	return answer(status, fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"told to"}`, code))
}

// answer answers in DynamoDB's place.
func answer(status int, body string) mishap {
	return func(w http.ResponseWriter, _ *http.Request, _ func(http.ResponseWriter)) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// canceled answers a transaction of one op with a reason for not doing it.
func canceled(reason string) mishap {
	return answer(http.StatusBadRequest, fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",`+
		`"Message":"told to","CancellationReasons":[{"Code":%q}]}`, reason))
}

// heldBack answers a BatchGetItem with none of its items.
func heldBack(w http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) {
	var asked struct{ RequestItems json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	fmt.Fprintf(w, `{"Responses":{},"UnprocessedKeys":%s}`, asked.RequestItems)
}

// times repeats a mishap.
func times(n int, m mishap) []mishap {
	mishaps := make([]mishap, n)
	for i := range mishaps {
		mishaps[i] = m
	}
	return mishaps
}

// lay lays a wire to an emulator and opens a table through it.
func lay(t *testing.T, d *stores.DynamoDB, name string) (*wire, table.Driver) {
	t.Helper()
	w, store := layStore(t, d)
	return w, newTable(t, store, name)
}

// layStore lays a wire to an emulator and opens it through that.
func layStore(t *testing.T, d *stores.DynamoDB) (*wire, *dynamotable.Store) {
	t.Helper()
	upstream, err := url.Parse(d.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	w := &wire{proxy: &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
	}}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	c := config(d)
	c.BaseEndpoint = aws.String(server.URL)
	store := dynamotable.Open(c)
	t.Cleanup(func() { _ = store.Close() })
	return w, store
}

// next sets what the next requests meet.
func (w *wire) next(mishaps ...mishap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mishaps, w.met = mishaps, 0
}

// count returns how many requests came since next.
func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.met
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	var m mishap
	if w.met++; len(w.mishaps) > 0 {
		m, w.mishaps = w.mishaps[0], w.mishaps[1:]
	}
	w.mu.Unlock()
	if m == nil {
		w.proxy.ServeHTTP(rw, r)
		return
	}
	m(rw, r, func(rw http.ResponseWriter) { w.proxy.ServeHTTP(rw, r) })
}
