package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"sluice/shared/api"
	"sluice/shared/app/local"
	"sluice/shared/config"
	"sluice/shared/edge"
	"sluice/shared/observe"
)

func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server. Without settings it keeps files, records and keys on the local
disk, in .sluice, and needs nothing else.

Every flag can be given in the environment instead, under the name in brackets.
Logs are JSON lines on standard error, one for each request.`,
		Example: `  sluice serve
  sluice serve --addr :8080 --data /var/lib/sluice
  SLUICE_TLS_CERT=cert.pem SLUICE_TLS_KEY=key.pem sluice serve --addr :8443`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(givenFlags(cmd), os.Getenv)
			if err != nil {
				return err
			}
			// After the first signal a second one ends the process at once.
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop)
			paceCollections()
			return serve(ctx, c, cmd.OutOrStdout(), observe.NewLogger(cmd.ErrOrStderr(), c.LogLevel))
		},
	}
	settingsOf(cmd)
	return cmd
}

// givenFlags looks up the flags that the command line has.
func givenFlags(cmd *cobra.Command) func(string) (string, bool) {
	return func(name string) (string, bool) {
		f := cmd.Flags().Lookup(name)
		if f == nil { // a setting that the command has no flag for
			return "", false
		}
		return f.Value.String(), f.Changed
	}
}

// serve runs a server until ctx ends, and says on out how to use it.
func serve(ctx context.Context, c config.Config, out io.Writer, log *slog.Logger) (err error) {
	app, err := local.Open(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	ln, err := listen(ctx, "addr", c.Addr)
	if err != nil {
		return err
	}
	server, err := newServer(c, log)
	if err != nil {
		return err
	}
	app.Deps.Stopping, app.Deps.BaseURL = server.Stopping, c.BaseURL(ln.Addr())
	server.Handler = api.All(app.Deps)

	serveMetrics, err := newMetricsServer(ctx, c, log, app.Metrics)
	if err != nil {
		return err
	}
	// The admin comes last. A made-up password is shown only once, so nothing
	// that a setting can spoil may come between its making and its showing.
	password, err := app.Deps.Accounts.EnsureAdmin(ctx, c.AdminPassword.Reveal())
	if err != nil {
		return fmt.Errorf("%s: %w", config.Env("admin-password"), err)
	}
	if err := greet(out, c, ln.Addr(), password); err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	beside.Go(func() { app.Janitor.Run(ctx) })
	beside.Go(func() { serveMetrics(ctx) })
	log.InfoContext(ctx, "serving", "addr", ln.Addr().String(), "version", version)
	err = server.Serve(ctx, ln)
	log.InfoContext(ctx, "stopped")
	return err
}

// listen is edge.Listen on the address of a setting, which its error names.
func listen(ctx context.Context, setting, addr string) (net.Listener, error) {
	ln, err := edge.Listen(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.Env(setting), err)
	}
	return ln, nil
}

func newServer(c config.Config, log *slog.Logger) (*edge.Server, error) {
	s := &edge.Server{Log: log, Stall: c.Stall, StopTimeout: c.StopTimeout}
	if c.TLSCert == "" {
		return s, nil
	}
	cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	s.Certificate = &cert
	return s, err
}

// newMetricsServer listens on the metrics' own address, if one is configured,
// and returns what serves /metrics there.
func newMetricsServer(ctx context.Context, c config.Config, log *slog.Logger, metrics http.Handler) (serve func(context.Context), err error) {
	if c.MetricsAddr == "" {
		return func(context.Context) {}, nil
	}
	ln, err := listen(ctx, "metrics-addr", c.MetricsAddr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &edge.Server{Handler: mux, Log: log, Stall: c.Stall}
	return func(ctx context.Context) {
		log.InfoContext(ctx, "serving metrics", "addr", ln.Addr().String())
		if err := server.Serve(ctx, ln); err != nil {
			log.ErrorContext(ctx, "metrics", "error", err)
		}
	}, nil
}

// greet tells a person what to do next, in commands that work when pasted. The
// password is shown only where this start made it up.
func greet(out io.Writer, c config.Config, addr net.Addr, made string) error {
	base := c.BaseURL(addr)
	shown := "type the password of admin here"
	heading := ""
	switch {
	case made != "" && c.AdminPassword.Reveal() == "":
		shown = made
		heading = fmt.Sprintf("\nThe user admin was made. Its password, shown only this once:\n\n    %s\n", made)
	case made != "":
		heading = "\nThe user admin was made, with the password from " + config.Env("admin-password") + ".\n"
	}
	_, err := fmt.Fprintf(out, `Sluice is serving %[1]s
with %[2]s
%[3]s
Log in, upload, download, from another terminal:

    PASSWORD='%[4]s'
    TOKEN=$(curl -fsS %[1]s/api/login -H 'Content-Type: application/json' -d "{\"username\":\"admin\",\"password\":\"$PASSWORD\"}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
    echo 'Hello, Sluice' > hello.txt
    curl -fsS -T hello.txt -H "Authorization: Bearer $TOKEN" %[1]s/file/admin/hello.txt
    curl -fsS -o hello-again.txt -H "Authorization: Bearer $TOKEN" %[1]s/file/admin/hello.txt

The API is described at %[1]s/openapi.json. Stop with Ctrl-C.

`, base, whereabouts(c), heading, shown)
	return err
}

// whereabouts says where a server keeps its data.
func whereabouts(c config.Config) string {
	if c.Blob.Scheme == "file" && c.Table.Scheme == "bolt" {
		return "its data in " + c.Data
	}
	place := func(u *url.URL) string { return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String() }
	return "its files in " + place(c.Blob) + " and its records in " + place(c.Table)
}
