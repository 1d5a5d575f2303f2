package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
)

func loginCommand() *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "login [flags] USERNAME",
		Short: "Log in at a server",
		Long: `Log in at a server. The password is asked for, or is the first line of standard
input with --password-stdin. The tokens are kept in the folder of your settings
(sluice/login.json, for nobody but you to read) until "sluice logout"; they are
renewed when a command needs it. A login that is there already is replaced.

Several logins are kept apart by names: --profile NAME (sluice/login-NAME.json).
A command takes the login that --profile or SLUICE_PROFILE names; else the one at
the server that --server or SLUICE_SERVER names; else the one without a name.`,
		Example: `  sluice login admin
  sluice login --server https://files.example.com ada
  sluice login --profile work --server https://files.example.org ada
  sluice ls --profile work
  pass show sluice | sluice login --password-stdin ada`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return (&remote{selection: selection{login: true}}).command(cmd, func(ctx context.Context, r *remote, args []string) error {
		password, err := readPassword(ctx, cmd, fromStdin, "Password: ")
		if err != nil {
			return err
		}
		if err := r.logIn(ctx, args[0], password); err != nil {
			return err
		}
		return r.print(struct {
			Server   string `json:"server"`
			Username string `json:"username"`
		}{r.accounts.server, args[0]}, "logged in as %s at %s", args[0], r.accounts.server)
	})
}

// readNewPassword reads a password that nobody knows yet: on a terminal twice.
func readNewPassword(ctx context.Context, cmd *cobra.Command, fromStdin bool) (string, error) {
	password, err := readPassword(ctx, cmd, fromStdin, "New password: ")
	if err != nil || fromStdin {
		return password, err
	}
	again, err := readPassword(ctx, cmd, false, "Again: ")
	if err == nil && again != password {
		err = mistake("These are two different passwords.")
	}
	return password, err
}

// readPassword reads a line that does not show on the terminal.
func readPassword(ctx context.Context, cmd *cobra.Command, fromStdin bool, prompt string) (string, error) {
	if fromStdin {
		const longest = 4 << 10
		text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), longest))
		line, _, _ := strings.Cut(string(text), "\n")
		return strings.TrimSuffix(line, "\r"), err
	}
	fd := int(os.Stdin.Fd())
	before, err := term.MakeRaw(fd) // ahead of the prompt: nothing typed after that shows
	if err != nil {
		return "", mistake("There is no terminal to ask for the password: use --password-stdin.")
	}
	terminal := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{os.Stdin, cmd.ErrOrStderr()}, "")
	type answer struct {
		password string
		err      error
	}
	answered := make(chan answer, 1)
	go func() {
		password, err := terminal.ReadPassword(prompt)
		answered <- answer{password, err}
	}()
	var a answer
	select {
	case a = <-answered:
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	if errors.Is(a.err, io.EOF) { // Ctrl-C and Ctrl-D
		a.err = mistake("No password was given.")
	}
	return a.password, errors.Join(a.err, term.Restore(fd, before))
}

// logIn gets tokens and keeps them.
func (r *remote) logIn(ctx context.Context, username, password string) error {
	unlock, err := lockLogin(r.accounts.path)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := r.accounts.anonymous()
	if err != nil {
		return err
	}
	tokens, err := client.Decode[contract.Tokens](c.Login(ctx, contract.LoginRequest{Username: username, Password: password}))
	if err != nil {
		return err
	}
	return newLogin(r.accounts.server, username, tokens).save(r.accounts.path)
}

func logoutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logout",
		Short: "End the login",
		Long: `End the login: the server takes no token of it any more, and the login file is
removed. If the server cannot be reached the file stays, so that it can be done
later.`,
		Example: `  sluice logout`,
		Args:    takesNothing,
	}
	return (&remote{selection: selection{logout: true}}).command(cmd, func(ctx context.Context, r *remote, _ []string) error {
		server := r.accounts.server
		err := r.call(ctx, func(c *client.Client) error { return client.Done(c.Logout(ctx)) })
		if err != nil && fault.KindOf(err) != fault.Unauthenticated { // else it has ended already
			return err
		}
		if err := r.accounts.forget(); err != nil {
			return err
		}
		return r.print(struct {
			Server string `json:"server"`
		}{server}, "logged out at %s", server)
	})
}

// forget removes the login file if it is of this server.
func (a *account) forget() error {
	unlock, err := lockLogin(a.path)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := readLogin(a.path)
	if err != nil || l == nil || l.Server != a.server {
		return err
	}
	if err := os.Remove(a.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func whoamiCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "whoami",
		Short:   "Say who is logged in, and where",
		Example: "  sluice whoami\n  sluice whoami --json",
		Args:    takesNothing,
	}
	return remoteCommand(cmd, func(ctx context.Context, r *remote, _ []string) error {
		return r.call(ctx, func(c *client.Client) error {
			me, err := client.Decode[contract.Profile](c.GetProfile(ctx))
			if err != nil {
				return err
			}
			return r.print(me, "%s (%s) at %s", shownText(me.Username), me.Role, r.accounts.server)
		})
	})
}
