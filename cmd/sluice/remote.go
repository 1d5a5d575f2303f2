package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"

	"sluice/shared/contract/client"
	"sluice/shared/fault"
)

// remote is what a command that asks a server works with.
type remote struct {
	selection selection
	accounts  *accounts
	out       io.Writer
	json      bool
	owner     string // of the files; "": who asks
}

// remoteCommand makes a command ask a server: it has --server, --profile and
// --json, and the exit codes that `sluice get --help` lists.
func remoteCommand(cmd *cobra.Command, run func(context.Context, *remote, []string) error) *cobra.Command {
	return (&remote{}).command(cmd, run)
}

func (r *remote) command(cmd *cobra.Command, run func(context.Context, *remote, []string) error) *cobra.Command {
	r.selection.serverFlag(cmd)
	r.selection.profileFlag(cmd)
	cmd.Flags().BoolVar(&r.json, "json", false, "print JSON instead of words")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return withExitCode(cmd.Context(), mistake("%s. See %s --help.", err, cmd.CommandPath()))
	})
	wanted := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := wanted(cmd, args); err != nil {
			return withExitCode(cmd.Context(), mistake("%s. See %s --help.", err, cmd.CommandPath()))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// After the first signal a second one ends the process at once.
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop)
		err := r.open(cmd.OutOrStdout())
		if err == nil {
			err = run(ctx, r, args)
		}
		return withExitCode(ctx, err)
	}
	return cmd
}

func (r *remote) open(out io.Writer) (err error) {
	r.out = out
	if r.accounts, err = newAccounts(r.selection); err != nil {
		return err
	}
	u, err := url.Parse(r.accounts.server)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return mistake("The server is a URL such as %s.", defaultServer) // the one given may hold a password
	}
	return nil
}

// mistake is an error of whoever typed the command.
func mistake(format string, args ...any) error {
	return fault.Newf(fault.Invalid, "usage", format, args...)
}

// call calls the server as whoever is logged in.
func (r *remote) call(ctx context.Context, do func(*client.Client) error) error {
	token, err := r.accounts.token(ctx)
	if err != nil {
		return err
	}
	c, err := client.New(r.accounts.server, client.WithHTTPClient(r.accounts.http), client.WithRequestEditorFn(client.Bearer(token)))
	if err != nil {
		return err
	}
	return do(c)
}

// print writes one line: the value with --json, else the words.
func (r *remote) print(value any, format string, args ...any) error {
	if r.json {
		return json.NewEncoder(r.out).Encode(value)
	}
	_, err := fmt.Fprintf(r.out, format+"\n", args...)
	return err
}

// shownText is text of a server's as it is printed: a control character could
// command the terminal.
func shownText(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return strconv.Quote(s)
	}
	return s
}
