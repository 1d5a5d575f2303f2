package edge

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"

	"sluice/shared/api"
	"sluice/shared/config"
)

// Plain is a server of an app as a configuration wants it, with its addresses
// bound and nothing served yet.
type Plain struct {
	server   *Server
	listener net.Listener
	metrics  func(context.Context) // serves them until its context ends
	log      *slog.Logger
}

// NewPlain binds the addresses of c and makes the app of d, whose Stopping and
// BaseURL it sets. metrics may have an address of its own; nil: there are none.
// Errors name the setting at fault.
func NewPlain(ctx context.Context, c config.Config, log *slog.Logger, d api.Deps, app func(api.Deps) *gin.Engine, metrics http.Handler) (*Plain, error) {
	ln, err := listen(ctx, "addr", c.Addr)
	if err != nil {
		return nil, err
	}
	server := &Server{Log: log, Stall: c.Stall, StopTimeout: c.StopTimeout}
	if c.TLSCert != "" {
		certificate, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, err
		}
		server.Certificate = &certificate
	}
	d.Stopping, d.BaseURL = server.Stopping, c.BaseURL(ln.Addr())
	server.Handler = app(d)
	p := &Plain{server: server, listener: ln, log: log}
	p.metrics, err = serveMetrics(ctx, c, log, metrics)
	return p, err
}

// listen is Listen on the address of a setting, which its error names.
func listen(ctx context.Context, setting, addr string) (net.Listener, error) {
	ln, err := Listen(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.Env(setting), err)
	}
	return ln, nil
}

// serveMetrics listens on the metrics' own address, if one is configured, and
// returns what serves /metrics there.
func serveMetrics(ctx context.Context, c config.Config, log *slog.Logger, metrics http.Handler) (serve func(context.Context), err error) {
	if c.MetricsAddr == "" {
		return func(context.Context) {}, nil
	}
	if metrics == nil {
		return nil, fmt.Errorf("%s: a function has no metrics to serve", config.Env("metrics-addr"))
	}
	ln, err := listen(ctx, "metrics-addr", c.MetricsAddr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &Server{Handler: mux, Log: log, Stall: c.Stall}
	return func(ctx context.Context) {
		log.InfoContext(ctx, "serving metrics", "addr", ln.Addr().String())
		if err := server.Serve(ctx, ln); err != nil {
			log.ErrorContext(ctx, "metrics", "error", err)
		}
	}, nil
}

// Addr returns the address that the app is served on.
func (p *Plain) Addr() net.Addr { return p.listener.Addr() }

// Serve serves until ctx ends, and then as Server.Serve does; what beside
// holds runs as long, each in a goroutine. It returns when all of them have.
func (p *Plain) Serve(ctx context.Context, beside ...func(context.Context)) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, run := range append(beside, p.metrics) {
		running.Go(func() { run(ctx) })
	}
	err := p.server.Serve(ctx, p.listener)
	p.log.InfoContext(ctx, "stopped")
	return err
}
