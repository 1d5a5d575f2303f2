// Package edge turns outside calls into calls of a Gin app. Here is the plain
// HTTP server.
package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"sluice/shared/socket"
)

// The limits of a connection that are the same everywhere.
const (
	idleTime       = 2 * time.Minute
	answerTime     = time.Minute // for what does not renew its own deadline
	maxHeaderBytes = 64 << 10
)

// Server is a plain HTTP server that stops gently.
type Server struct {
	Handler     http.Handler
	Log         *slog.Logger
	Certificate *tls.Certificate // nil: plain HTTP/1.1; else HTTPS with HTTP/2
	Stall       time.Duration    // how long a client may take over a header, or over HTTP/2 take nothing
	StopTimeout time.Duration    // how long running requests may go on after a stop

	stopping atomic.Bool
}

// Stopping reports whether the server no longer takes new work.
func (s *Server) Stopping() bool { return s.stopping.Load() }

// Listen listens on a TCP address with the socket options that a server of
// large files wants.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	lc := net.ListenConfig{Control: tune}
	lc.SetMultipathTCP(false)          // its sockets pass no option on to the connections
	return lc.Listen(ctx, "tcp", addr) // its error names the address
}

// Serve answers on ln until ctx ends. Then it takes nothing new, lets running
// requests go on for StopTimeout, ends those that are left, and returns when
// the last handler has.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	var running sync.WaitGroup
	server := s.newServer(&running)
	failed := make(chan error, 1)
	go func() { failed <- s.listen(server, ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.StopTimeout)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		s.Log.WarnContext(ctx, "ending what still runs", "stop_timeout", s.StopTimeout.String())
		err = server.Close()
	}
	running.Wait()
	return err
}

func (s *Server) newServer(running *sync.WaitGroup) *http.Server {
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			running.Add(1)
			defer running.Done()
			s.Handler.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: s.Stall,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		// A stream's deadline cannot end it while its connection is blocked.
		HTTP2:       &http.HTTP2Config{WriteByteTimeout: s.Stall},
		ConnContext: socket.With,
		ErrorLog:    slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	if s.Certificate != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*s.Certificate}, MinVersion: tls.VersionTLS12}
	}
	return server
}

func (s *Server) listen(server *http.Server, ln net.Listener) error {
	ln = &socket.Listener{Listener: ln}
	if s.Certificate != nil {
		return server.ServeTLS(ln, "", "")
	}
	return server.Serve(ln)
}
