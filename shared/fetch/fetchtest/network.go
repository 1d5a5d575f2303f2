// Package fetchtest is a network of servers that misbehave as they are told,
// for tests of what downloads. It lies in memory, so that it runs under
// testing/synctest, where a wait of a minute takes no time.
package fetchtest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Network connects to servers by name. It is safe for concurrent use.
type Network struct {
	mu      sync.Mutex
	servers map[string]*listener // by host:port
	wrap    func(net.Conn) net.Conn
}

// NewNetwork returns a network without servers.
func NewNetwork() *Network { return &Network{servers: map[string]*listener{}} }

// Serve adds a server under host:port. It stops with the test.
func (n *Network) Serve(t testing.TB, address string, h http.Handler) {
	t.Helper()
	ln := &listener{address: address, connections: make(chan net.Conn), closed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	serving := &requests{}
	server := &http.Server{
		BaseContext: func(net.Listener) context.Context { return ctx },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !serving.begin() {
				panic(http.ErrAbortHandler)
			}
			defer serving.Done()
			h.ServeHTTP(w, r)
		}),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	n.mu.Lock()
	n.servers[address] = ln
	n.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln) // it ends by Close
	}()
	t.Cleanup(func() {
		cancel()
		_ = server.Close()
		<-done
		serving.end()
	})
}

// requests are those that a server answers. One may begin while the server
// closes: it is refused then, for a WaitGroup must not grow while it is awaited.
type requests struct {
	sync.WaitGroup

	mu    sync.Mutex
	ended bool
}

func (r *requests) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.Add(1)
	}
	return !r.ended
}

// end refuses what comes and waits for what runs.
func (r *requests) end() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.Wait()
}

// Wrap puts wrap around the client's side of every connection from now on.
func (n *Network) Wrap(wrap func(net.Conn) net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wrap = wrap
}

// Dial connects to a server; it suits http.Transport's DialContext.
func (n *Network) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	ln, wrap := n.servers[address], n.wrap
	n.mu.Unlock()
	if ln == nil {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	client, server := net.Pipe()
	select {
	case ln.connections <- server:
	case <-ln.closed:
		return nil, fmt.Errorf("dial %s: connection refused", address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if wrap != nil {
		return wrap(client), nil
	}
	return client, nil
}

type listener struct {
	address     string
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.connections:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return address(l.address) }

type address string

// Network implements net.Addr.
func (address) Network() string { return "memory" }

// String implements net.Addr.
func (a address) String() string { return string(a) }
