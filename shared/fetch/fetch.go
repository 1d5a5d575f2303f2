// Package fetch downloads files over HTTP: resumable, in parallel, verified.
//
// A Client shares connections, a rate limit and what it knows of servers among
// all that it fetches. Start begins a Transfer, which goes through named
// states (State) and ends with a Result or a fault:
//
//	c := fetch.New(fetch.Options{})
//	defer c.Close()
//	result, err := c.Start(ctx, fetch.Request{Sources: []fetch.Source{{URL: url}}}).Wait()
//
// No byte is kept that was not checked first: the answer must be of the range
// asked for, of the content that the first answer was of (a strong ETag, or a
// Last-Modified that is as good), and not encoded. Where a server gives nothing
// to tell one content from another by, all of the file comes from one answer.
// A file appears under its name when all of it is there, verified where a
// digest is known, and on the disk; until then it is name.part, beside
// name.part.state (see record).
package fetch

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sluice/shared/fault"
	"sluice/shared/outbound"
)

// Options are settings of a Client. The zero value is usable.
type Options struct {
	MaxConnections int           // of all transfers together; 0: 16
	LimitRate      int64         // bytes a second of all transfers together; 0: no limit
	Stall          time.Duration // an answer without a byte for so long is given up; 0: 30 s
	Retries        int           // how often in a row a server may fail; 0: 10
	UserAgent      string        // "": sluice
	HTTP2          bool          // over HTTPS; it suits many small files, and not a large one
	TLS            *tls.Config   // nil: Go's defaults

	// Dial connects; nil: over TCP. Proxies are those of the environment.
	Dial outbound.Dial

	// Credentials returns the Authorization field for a URL, or "". It is
	// asked for the URLs of sources, never for where they redirect to. It may
	// be called concurrently.
	Credentials func(*url.URL) string
}

const defaultConnections = 16

// Client fetches. It is safe for concurrent use.
type Client struct {
	options Options
	plain   *http.Transport
	hosts   hosts
	slots   slots
	folders folders
	limiter *rate.Limiter // nil: no limit
	buffers buffers
	boot    func() string // bootID, which takes as long as opening a file does
}

// New returns a client. Close must follow.
func New(o Options) *Client {
	o.MaxConnections = outbound.Or(o.MaxConnections, defaultConnections)
	o.Stall = outbound.Or(o.Stall, outbound.Stall)
	o.Retries = outbound.Or(o.Retries, outbound.Retries)
	o.UserAgent = outbound.Or(o.UserAgent, outbound.UserAgent)
	c := &Client{options: o, plain: newTransport(o), hosts: hosts{by: map[string]*host{}}, slots: slots{free: o.MaxConnections}, folders: folders{by: map[string]*folder{}}, boot: sync.OnceValue(bootID)}
	c.buffers.size, c.buffers.room = bufferSize, make([]byte, pipeSize)
	if o.LimitRate > 0 {
		c.buffers.size, c.buffers.room = int(min(bufferSize, max(o.LimitRate/20, 1<<10))), nil
		c.limiter = rate.NewLimiter(rate.Limit(o.LimitRate), c.buffers.size)
	}
	return c
}

// newTransport returns a transport whose connections can be diverted.
func newTransport(o Options) *http.Transport {
	t := outbound.Transport(outbound.Settings{Dial: o.Dial, TLS: o.TLS, Connections: o.MaxConnections, Patience: o.Stall, HTTP2: o.HTTP2})
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return divertible(c), nil
	}
	t.ReadBufferSize = headerBuffer
	return t
}

func (c *Client) transport(*url.URL) http.RoundTripper { return c.plain }

// Close closes idle connections. Transfers must have ended.
func (c *Client) Close() {
	c.plain.CloseIdleConnections()
	c.buffers.close()
}

// Request says what to fetch, and where to.
type Request struct {
	Sources []Source // at least one
	Content Content  // what is known of it

	// Output takes the bytes in their order; nil: a file does.
	Output io.Writer

	Dir       string // the folder of the file; "": the current one
	Name      string // of the file in Dir, without a slash; "": as the server says
	Overwrite bool   // replace a file of that name
	Restart   bool   // begin anew, whatever there is of it
	Priority  int    // higher ones get connections first

	// Identity names the content across runs, where the first source's URL is
	// another one each time; "": that URL.
	Identity string
}

// State is what a Transfer is doing.
type State string

// The states, in their order.
const (
	Waiting    State = "waiting"    // for a connection
	Probing    State = "probing"    // asking what there is
	Allocating State = "allocating" // making room, and looking for what was fetched before
	Fetching   State = "fetching"
	Verifying  State = "verifying"  // the digest of the whole
	Publishing State = "publishing" // to disk, and under its name
	Done       State = "done"
	Failed     State = "failed"
)

// Result is what became of a Transfer.
type Result struct {
	Name     string // of the file, in Dir
	Size     int64  // in bytes
	Resumed  int64  // bytes that were there before
	Fetched  int64  // bytes that were kept of those that came
	Verified string // by what: "chunks", "sha-256", "sha-512", or "" for nothing
	Already  bool   // the file was whole: the last run ended just before it could say so
}

// Progress is how far a Transfer is.
type Progress struct {
	State       State
	Name        string
	Size        int64 // in bytes; -1: unknown
	Bytes       int64 // that are there
	Resumed     int64 // of these, bytes from an earlier run
	Connections int
	Sources     []SourceProgress
}

// SourceProgress is what one source gave.
type SourceProgress struct {
	Host        string
	Connections int
	Bytes       int64
	Rate        float64 // bytes a second of one connection; 0: not measured
}

// Start begins to fetch. It returns at once; the transfer ends when it is done,
// has failed, or ctx ends.
func (c *Client) Start(ctx context.Context, r Request) *Transfer {
	t := &Transfer{client: c, request: r, content: r.Content, ended: make(chan struct{}), size: unknownSize, state: Waiting}
	go func() {
		defer close(t.ended)
		t.err = t.run(ctx)
		t.enter(Done)
		if t.err != nil {
			t.enter(Failed)
		}
	}()
	return t
}

// parseURL reads the URL of a source.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fault.InvalidField("url", "A URL is such as https://example.com/file.iso.")
	}
	return u, nil
}
