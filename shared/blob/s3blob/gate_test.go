package s3blob_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"sluice/localstack/stores"
)

// way is what a gate does to one connection. The zero way lets all pass.
type way struct {
	refuse  bool          // reset at once
	latency time.Duration // before each piece of an answer
	after   int64         // bytes of answers that pass; 0: all
	then    end
}

// end is what happens to a connection of which enough has passed.
type end uint8

const (
	reset   end = iota // as of a crash
	closing            // cleanly, in the midst of a body
	stall              // nothing more comes, and it stays open
)

// gate stands before a store and disturbs connections to it.
type gate struct {
	listener net.Listener
	store    string
	choose   func(n int) way // for the n-th connection, from 0 on
	group    sync.WaitGroup

	mu     sync.Mutex
	opened int
	open   map[net.Conn]bool
	closed chan struct{} // one for each connection that the driver closed
}

// newGate puts a gate before the store. The S3 returned is the store behind it.
func newGate(t testing.TB, store *stores.S3, choose func(n int) way) (*gate, *stores.S3) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(store.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: listener, store: at.Host, choose: choose, open: map[net.Conn]bool{}, closed: make(chan struct{}, 1000)}
	g.group.Go(g.serve)
	t.Cleanup(g.stop)
	server := *store.Server
	server.Endpoint = "http://" + listener.Addr().String()
	behind := *store
	behind.Server = &server
	return g, &behind
}

func (g *gate) serve() {
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.mu.Lock()
		n := g.opened
		g.opened++
		g.open[conn] = true
		g.mu.Unlock()
		g.group.Go(func() {
			g.pass(conn.(*net.TCPConn), g.choose(n))
			g.mu.Lock()
			delete(g.open, conn)
			g.mu.Unlock()
			g.closed <- struct{}{}
		})
	}
}

// pass passes bytes on until one of the ends has had enough.
func (g *gate) pass(conn *net.TCPConn, w way) {
	defer conn.Close()
	upstream, err := net.Dial("tcp", g.store)
	if w.refuse || err != nil {
		_ = conn.SetLinger(0)
		if err == nil {
			_ = upstream.Close()
		}
		return
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_, _ = io.Copy(upstream, conn)
		_ = upstream.Close()
	}()
	defer func() { <-asked }()
	var answer io.Reader = upstream
	if w.after > 0 {
		answer = io.LimitReader(upstream, w.after)
	}
	buffer := make([]byte, 32<<10)
	for {
		n, err := answer.Read(buffer)
		if w.latency > 0 && n > 0 {
			<-time.After(w.latency)
		}
		if _, failed := conn.Write(buffer[:n]); err == nil {
			err = failed
		}
		if err != nil {
			break
		}
	}
	if limited, ok := answer.(*io.LimitedReader); ok && limited.N == 0 {
		switch w.then {
		case stall:
			<-asked
		case reset:
			_ = conn.SetLinger(0)
		case closing:
		}
	}
	_ = conn.Close()
	_ = upstream.Close()
}

// connections returns how many there were.
func (g *gate) connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

func (g *gate) stop() {
	_ = g.listener.Close()
	g.mu.Lock()
	for conn := range g.open {
		_ = conn.Close()
	}
	g.mu.Unlock()
	g.group.Wait()
}

// always returns the way of every connection.
func always(w way) func(int) way { return func(int) way { return w } }

// first returns the way of the first connection; all others pass.
func first(w way) func(int) way {
	return func(n int) way {
		if n == 0 {
			return w
		}
		return way{}
	}
}
