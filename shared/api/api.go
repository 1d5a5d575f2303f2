// Package api is the HTTP face: the Gin apps, one file for each, and what they
// share: routing, decoding, identity, errors. All joins the apps for a server
// that runs everything.
//
// Handlers decide nothing but HTTP: they decode, ask a use case, encode, and
// return errors, which one place writes and logs.
package api

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"sluice/shared/account"
	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/config"
	"sluice/shared/delivery"
	"sluice/shared/fault"
	"sluice/shared/janitor"
	"sluice/shared/link"
	"sluice/shared/observe"
	"sluice/shared/upload"
)

// Deps is what the apps are made from.
type Deps struct {
	Accounts *account.Service
	Catalog  *catalog.Catalog
	Uploads  *upload.Service
	Delivery *delivery.Service
	Recorder *delivery.Recorder // counts downloads
	Links    *link.Service
	Ring     *auth.Ring // seals cursors
	Log      *slog.Logger
	Metrics  observe.Metrics
	Clock    func() time.Time
	Janitor  *janitor.Janitor // of no app: for an edge that runs it

	// Ready is asked before a request is answered; nil: all is there. Its error
	// is the answer.
	Ready func(context.Context) error

	Checks         map[string]func(context.Context) error // what /readyz asks, by name
	Stopping       func() bool                            // tells that new requests are to be refused
	BaseURL        string                                 // what absolute URLs begin with, no slash at its end; empty: what WithBaseURL says
	DownloadURLs   []string                               // what URLs of links and sessions begin with instead, the best first
	TrustedProxies []netip.Prefix
	CORSOrigins    []string
	Most           int64         // bytes of a body that the edge carries; 0: any number
	MaxSessions    int           // that one user may have open
	Stall          time.Duration // a client that sends nothing for so long is dropped
	WebhookToken   config.Secret // by which a store notifies us; empty: it does not
}

// Auth returns the app for logins, profiles, users and keys.
func Auth(d Deps) *gin.Engine { return newEngine(d, append(authRoutes(), systemRoutes()...)) }

// Files returns the app for uploads, listings and what is known of a file.
func Files(d Deps) *gin.Engine {
	return newEngine(d, slices.Concat(fileRoutes(), versionRoutes(), linkRoutes(), uploadRoutes(), tusRoutes(), manifestRoutes(), sessionRoutes(), auditRoutes(), importRoutes(), systemRoutes()))
}

// Download returns the app that delivers.
func Download(d Deps) *gin.Engine {
	return newEngine(d, slices.Concat(downloadRoutes(), linkedRoutes(), sourceRoutes(), systemRoutes()))
}

// All returns every app in one.
func All(d Deps) *gin.Engine {
	return newEngine(d, slices.Concat(
		authRoutes(),
		fileRoutes(), versionRoutes(), linkRoutes(), uploadRoutes(), tusRoutes(), manifestRoutes(), sessionRoutes(), auditRoutes(), importRoutes(),
		downloadRoutes(), linkedRoutes(), sourceRoutes(),
		systemRoutes()))
}

// access says what credentials a route asks for.
type access uint8

const (
	open     access = iota // none are looked at
	optional               // bad ones are refused, none are nobody
	required               // a good access token
)

// route is one line of an app's table. Operation is the operationId in
// openapi.yaml.
type route struct {
	method    string
	path      string
	operation string
	access    access
	handle    func(*server, *request) error
}

// server is an app at work.
type server struct {
	Deps

	cors *cors.Cors // nil: no page of another origin may see anything
}

func newEngine(d Deps, routes []route) *gin.Engine {
	s := &server{d, newCORS(d.CORSOrigins)}
	gin.SetMode(gin.ReleaseMode) // else it prints to standard output
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false
	s.trustProxies(engine)
	for _, r := range routes {
		engine.Handle(r.method, r.path, s.run(r))
	}
	engine.NoRoute(s.run(route{operation: "no_route", handle: noRoute}))
	engine.NoMethod(s.run(route{operation: "no_method", handle: noMethod}))
	return engine
}

// forwardedFor is the field by which a proxy tells who asked it.
const forwardedFor = "X-Forwarded-For"

// trustProxies makes Gin take the client's address from X-Forwarded-For where
// the peer is one of the configured proxies, and only there.
func (s *server) trustProxies(engine *gin.Engine) {
	trusted := make([]string, 0, len(s.TrustedProxies))
	for _, p := range s.TrustedProxies {
		trusted = append(trusted, p.String())
	}
	engine.RemoteIPHeaders = []string{forwardedFor}
	if err := engine.SetTrustedProxies(trusted); err != nil {
		panic(err) // a netip.Prefix always prints as a network
	}
}

// run makes a route a Gin handler, the only one of its chain.
func (s *server) run(r route) gin.HandlerFunc {
	return func(c *gin.Context) {
		req := s.begin(c, r.operation)
		defer s.end(req)
		if s.preflight(req) {
			return
		}
		if err := s.answer(req, r); err != nil {
			s.fail(req, err)
		}
	}
}

func (s *server) answer(req *request, r route) error {
	if err := s.admit(req); err != nil {
		return err
	}
	if err := s.identify(req, r.access); err != nil {
		return err
	}
	return r.handle(s, req)
}

// admit refuses new work while the server stops, or before it is ready. It still says that it lives,
// so that nobody ends it before what it is doing is done.
func (s *server) admit(r *request) error {
	if r.operation == "healthz" {
		return nil
	}
	if !s.Stopping() {
		return s.ready(r)
	}
	r.Header("Connection", "close")
	return fault.New(fault.Unavailable, "stopping", "The server is stopping; try again.").WithRetryAfter(time.Second)
}

// ready sees to what must be there before a request is answered.
func (s *server) ready(r *request) error {
	if s.Ready == nil {
		return nil
	}
	return s.Ready(r.Request.Context())
}
