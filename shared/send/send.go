// Package send uploads files to a Sluice server: resumable, in parallel,
// verified.
//
// A Client shares connections, a rate limit and what it knows of servers among
// all that it sends. Start begins a Transfer, which goes through named states
// (State) and ends with a Result or a fault:
//
//	c, err := send.New(send.Options{Server: "http://127.0.0.1:8080", Token: token})
//	defer c.Close()
//	result, err := c.Start(ctx, send.Request{File: "disk.iso", Path: "images/disk.iso"}).Wait()
//
// A small file goes by one PUT. A larger one goes in parts, several at a time,
// to where the server says: to itself, or straight to its store. Each part is
// hashed before it is sent, and whoever takes it is held to its SHA-256; what
// the server says of the whole at the end is held to ours. The server knows
// which parts have arrived, so that a later run sends what is lacking; what it
// needs for that beside is in a small file (see record).
//
// A file that changes while it is sent, or between two runs, is never published
// in part as it was and in part as it is.
package send

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"sluice/shared/digest"
	"sluice/shared/fault"
	"sluice/shared/outbound"
)

// Options are settings of a Client. All but Server and Token may be left out.
type Options struct {
	Server string // the base URL

	// Token returns an access token that is valid now. It goes to the server's
	// scheme, host and port alone. It may be called concurrently.
	Token func(context.Context) (string, error)

	MaxConnections int           // that carry bytes of files, of all transfers together; 0: 8
	LimitRate      int64         // bytes a second of all transfers together; 0: no limit
	Stall          time.Duration // a request without progress for so long is given up; 0: 30 s
	Retries        int           // how often in a row a request may fail; 0: 10
	UserAgent      string        // "": sluice
	HTTP2          bool          // over HTTPS; it suits many small files, and not a large one
	TLS            *tls.Config   // nil: Go's defaults

	// Records is the folder that remembers uploads in parts until they are
	// complete; "": nothing does, and each begins anew.
	Records string

	// Dial connects; nil: over TCP. Proxies are those of the environment.
	Dial outbound.Dial
}

const defaultConnections = 8

// Client sends. It is safe for concurrent use.
type Client struct {
	options   Options
	base      string // of the server, with a slash at its end
	home      string // its origin
	transport *http.Transport
	hosts     hosts
	slots     chan struct{} // one for each connection that carries bytes of files
	limiter   *rate.Limiter // nil: no limit

	mu   sync.Mutex
	name string // of whoever the token is of; "" until it was asked for
}

// New returns a client. Close must follow. A server that is no URL of HTTP is
// an Invalid fault.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fault.InvalidField("server", "The server's URL is such as https://sluice.example.com.")
	}
	o.MaxConnections = outbound.Or(o.MaxConnections, defaultConnections)
	o.Stall = outbound.Or(o.Stall, outbound.Stall)
	o.Retries = outbound.Or(o.Retries, outbound.Retries)
	o.UserAgent = outbound.Or(o.UserAgent, outbound.UserAgent)
	c := &Client{
		options: o, base: strings.TrimRight(o.Server, "/") + "/", home: outbound.Origin(u),
		transport: outbound.Transport(outbound.Settings{Dial: o.Dial, TLS: o.TLS, Connections: o.MaxConnections, Patience: o.Stall, HTTP2: o.HTTP2}),
		hosts:     hosts{by: map[string]*host{}, most: o.MaxConnections}, slots: make(chan struct{}, o.MaxConnections),
	}
	if o.LimitRate > 0 {
		c.limiter = rate.NewLimiter(rate.Limit(o.LimitRate), int(min(32<<10, max(o.LimitRate/20, 1<<10))))
	}
	return c, nil
}

// Close closes idle connections. Transfers must have ended.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Request says what to send, and where to.
type Request struct {
	// File is the name of the file to send. It must be a regular one, or with
	// Follow a symbolic link to one.
	File   string
	Follow bool

	// Reader is sent where File is "". It is read to its end. An upload of it
	// cannot be resumed.
	Reader io.Reader

	Path        string // on the server
	Owner       string // whose file it becomes, by username; "": that of whoever the token is of
	ContentType string // "": the server's default

	Digest    digest.Set // what the content must be, as far as that is known
	PartSize  int64      // in bytes, a multiple of 8 MiB; 0: 8 MiB, 16 MiB of a Reader, or more where parts would be too many
	Overwrite bool       // make a new version of a file that is there
	Restart   bool       // begin anew, whatever an earlier run has sent
}

// State is what a Transfer is doing.
type State string

// The states, in their order.
const (
	Waiting   State = "waiting"   // for a connection
	Checking  State = "checking"  // what is there already
	Sending   State = "sending"   // the whole, or what is lacking of it
	Verifying State = "verifying" // the server reads the whole
	Done      State = "done"
	Failed    State = "failed"
)

// Result is what became of a Transfer.
type Result struct {
	Path     string // on the server
	Size     int64  // in bytes
	Resumed  int64  // bytes that an earlier run had sent
	Sent     int64  // bytes that this one sent and that were kept
	SHA256   []byte // of the whole; nil where nothing was sent
	Verified string // by what: "sha-256" of the whole, or "parts" by that of each part
	Already  bool   // the same content was there, and nothing was sent
}

// Progress is how far a Transfer is.
type Progress struct {
	State       State
	Path        string
	Size        int64 // in bytes; -1: unknown
	Bytes       int64 // that have arrived, or are on their way
	Resumed     int64 // of these, bytes from an earlier run
	Connections int   // that carry bytes now
}

// Start begins to send. It returns at once; the transfer ends when it is done,
// has failed, or ctx ends.
//
// Of the faults with which it may end these are its own: Conflict "file_exists"
// where another content is at the path and Overwrite is not set, Conflict
// "in_use" where another run sends the same file there, PreconditionFailed
// "source_changed" where the file is not what it was when the upload began,
// Unprocessable "digest_mismatch" where it is not what Digest says, and Upstream
// "bad_answer" where what the server says cannot be true. Others are the
// server's, or say that it could not be reached.
func (c *Client) Start(ctx context.Context, r Request) *Transfer {
	t := &Transfer{client: c, request: r, ended: make(chan struct{}), state: Waiting, size: unknownSize}
	t.result.Path = r.Path
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
