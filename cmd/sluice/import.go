package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
)

func importCommand() *cobra.Command {
	var ask contract.CreateImportRequest
	var to account
	cmd := &cobra.Command{
		Use:   "import SOURCE",
		Short: "Make files of the objects that the bucket has already",
		Long: `Make files of the objects under a folder of the server's bucket, without copying a
byte. It is a job of the server: this command asks for it and shows how far it is.
Ctrl-C ends the command, and not the job.

It may be run again: what has not changed stays as it is, and of what has there is
a new version. A file that did not come of that object is never touched. The
objects stay in the bucket, whatever becomes of the files.

The access token of an admin is taken from SLUICE_TOKEN; without it --user logs
in, with the password in SLUICE_PASSWORD. The command ends with 0 where every
object is a file, or is skipped since none can be made of it, else with 1.`,
		Example: `  SLUICE_TOKEN=… sluice admin import s3://media/videos/ --owner ada
  SLUICE_PASSWORD=… sluice admin import s3://media/videos/ --owner ada --path archive --dry-run`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%s takes one source, such as s3://bucket/folder/; see %[1]s --help", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ask.Source = args[0]
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runImport(ctx, to, ask, newProgress(cmd.OutOrStdout()))
		},
	}
	cmd.Flags().StringVar(&to.server, "server", cmp.Or(os.Getenv("SLUICE_URL"), "http://127.0.0.1:8080"), "`URL` of the server [SLUICE_URL]")
	cmd.Flags().StringVar(&to.user, "user", "admin", "`name` to log in with, where there is no SLUICE_TOKEN")
	cmd.Flags().StringVar(&ask.Owner, "owner", "", "`name` of the user whose files they become")
	cmd.Flags().StringVar(&ask.Path, "path", "", "`folder` that the files are put into (default: as they are under the source)")
	cmd.Flags().BoolVar(&ask.DryRun, "dry-run", false, "only tell what would be done")
	_ = cmd.MarkFlagRequired("owner") // it is there
	return cmd
}

// account is whom the command asks as.
type account struct {
	server string
	user   string
}

// token returns an access token: a long import outlives the one of a login.
func (a account) token(ctx context.Context, c *client.Client) (string, error) {
	if token := os.Getenv("SLUICE_TOKEN"); token != "" {
		return token, nil
	}
	password := os.Getenv("SLUICE_PASSWORD")
	if password == "" {
		return "", errors.New("set SLUICE_TOKEN to an access token, or SLUICE_PASSWORD to the password of " + a.user)
	}
	tokens, err := client.Decode[contract.Tokens](c.Login(ctx, contract.LoginRequest{Username: a.user, Password: password}))
	return tokens.AccessToken, err
}

// runImport begins an import and shows how far it is until it has ended.
func runImport(ctx context.Context, to account, ask contract.CreateImportRequest, show *progress) error {
	c, err := client.New(to.server)
	if err != nil {
		return err
	}
	token, err := to.token(ctx, c)
	if err != nil {
		return err
	}
	i, err := client.Decode[contract.Import](c.CreateImport(ctx, ask, client.Bearer(token)))
	if err != nil {
		return err
	}
	show.begun(i)
	for i.State == contract.ImportStateRunning {
		show.now(i)
		select {
		case <-ctx.Done():
		case <-time.After(show.every):
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the import %s goes on in the server; GET /api/imports/%[1]s shows it, DELETE stops it", i.ID)
		}
		next, err := client.Decode[contract.Import](c.GetImport(ctx, i.ID, client.Bearer(token)))
		switch {
		case err == nil:
			i = next
		case fault.Is(err, fault.Unauthenticated, "") && os.Getenv("SLUICE_TOKEN") == "":
			if token, err = to.token(ctx, c); err != nil {
				return err
			}
		case fault.Is(err, fault.Unavailable, ""): // the server starts again, and the job goes on
		default:
			return err
		}
	}
	show.ended(i)
	return importResult(i)
}

// importResult is the error of an import that did not do all it was asked.
func importResult(i contract.Import) error {
	switch {
	case i.State != contract.ImportStateDone:
		return fmt.Errorf("the import %s is %s", i.ID, i.State)
	case i.Failed > 0:
		return fmt.Errorf("%d objects were not registered", i.Failed)
	default:
		return nil
	}
}

// progress shows how far an import is: on a terminal by a line that changes,
// else by a line now and then. How much there is to do nobody knows before it
// is done.
type progress struct {
	out      io.Writer
	terminal bool
	every    time.Duration
	began    time.Time
	last     int64
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, every: time.Second, began: time.Now(), last: -1}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if p.terminal {
		p.every /= 5
	}
	return p
}

func (p *progress) begun(i contract.Import) {
	what := "Importing"
	if i.DryRun {
		what = "Looking at"
	}
	fmt.Fprintf(p.out, "%s %s for %s: import %s\n", what, i.Source, i.Owner, i.ID)
}

func (p *progress) now(i contract.Import) {
	switch {
	case p.terminal:
		rate := float64(i.Seen) / max(time.Since(p.began).Seconds(), 1)
		frames := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
		frame := frames[int(time.Since(p.began)/p.every)%len(frames)]
		fmt.Fprintf(p.out, "\r\x1b[K%c %s, %.0f a second", frame, counts(i), rate)
	case i.Seen != p.last:
		fmt.Fprintln(p.out, counts(i))
	}
	p.last = i.Seen
}

func (p *progress) ended(i contract.Import) {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	for _, problem := range i.Problems {
		fmt.Fprintf(p.out, "%s: %s\n", problem.Key, problem.Detail)
	}
	fmt.Fprintln(p.out, counts(i))
}

func counts(i contract.Import) string {
	return fmt.Sprintf("%d objects: %d registered (%d bytes), %d unchanged, %d skipped, %d failed",
		i.Seen, i.Registered, i.Bytes, i.Unchanged, i.Skipped, i.Failed)
}
