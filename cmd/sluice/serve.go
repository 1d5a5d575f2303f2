package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
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
			log, flush := observe.NewGatheringLogger(cmd.ErrOrStderr(), c.LogLevel)
			defer flush()
			return serve(ctx, c, cmd.OutOrStdout(), log)
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
	server, err := edge.NewPlain(ctx, c, log, app.Deps, api.All, app.Metrics)
	if err != nil {
		return err
	}
	// The admin comes last. A made-up password is shown only once, so nothing
	// that a setting can spoil may come between its making and its showing.
	password, err := app.Deps.Accounts.EnsureAdmin(ctx, c.AdminPassword.Reveal())
	if err != nil {
		return fmt.Errorf("%s: %w", config.Env("admin-password"), err)
	}
	if err := greet(out, c, server.Addr(), password); err != nil {
		return err
	}
	log.InfoContext(ctx, "serving", "addr", server.Addr().String(), "version", version)
	return server.Serve(ctx, app.Janitor.Run)
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
