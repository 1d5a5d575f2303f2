package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
)

func importCommand() *cobra.Command {
	var ask contract.CreateImportRequest
	cmd := &cobra.Command{
		Use:   "import SOURCE",
		Short: "Make files of the objects that the bucket has already",
		Long: `Make files of the objects under a folder of the server's bucket, without copying a
byte. It is a job of the server: this command asks for it and shows how far it is.
Ctrl-C ends the command, and not the job.

It may be run again: what has not changed stays as it is, and of what has there is
a new version. A file that did not come of that object is never touched. The
objects stay in the bucket, whatever becomes of the files.

It asks as whoever is logged in, or by SLUICE_TOKEN, who must be an admin. It ends
with 0 where every object is a file, or is skipped since none can be made of it;
sluice get --help lists the other exit codes.`,
		Example: `  sluice admin import s3://media/videos/ --owner ada
  sluice admin import s3://media/videos/ --owner ada --path archive --dry-run`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("%s takes one source, such as s3://bucket/folder/", cmd.CommandPath())
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&ask.Owner, "owner", "", "`name` of the user whose files they become")
	cmd.Flags().StringVar(&ask.Path, "path", "", "`folder` that the files are put into (default: as they are under the source)")
	cmd.Flags().BoolVar(&ask.DryRun, "dry-run", false, "only tell what would be done")
	return remoteCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		if ask.Owner == "" {
			return mistake("--owner names the user whose files they become.")
		}
		ask.Source = args[0]
		return runImport(ctx, r, ask)
	})
}

// runImport begins an import and shows how far it is until it has ended.
func runImport(ctx context.Context, r *remote, ask contract.CreateImportRequest) error {
	var i contract.Import
	err := r.call(ctx, func(c *client.Client) (err error) {
		i, err = client.Decode[contract.Import](c.CreateImport(ctx, ask))
		return err
	})
	if err != nil {
		return err
	}
	show := newProgress(r)
	show.begun(i)
	for i.State == contract.ImportStateRunning {
		show.now(i)
		select {
		case <-ctx.Done():
		case <-time.After(show.every):
		}
		if ctx.Err() != nil {
			show.left(i)
			return ctx.Err()
		}
		err := r.call(ctx, func(c *client.Client) error {
			next, err := client.Decode[contract.Import](c.GetImport(ctx, i.ID))
			if err == nil {
				i = next
			}
			return err
		})
		if err != nil && !fault.Is(err, fault.Unavailable, "") { // then the server starts again, and the job goes on
			return err
		}
	}
	if r.json {
		return errors.Join(r.print(i, ""), importResult(i))
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

func newProgress(r *remote) *progress {
	p := &progress{out: r.out, every: time.Second, began: time.Now(), last: -1}
	if r.json {
		p.out = io.Discard // JSON is of the end
	} else if file, ok := r.out.(*os.File); ok {
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

// left tells of an import that goes on by itself.
func (p *progress) left(i contract.Import) {
	fmt.Fprintf(p.out, "\nThe import %s goes on in the server: GET /api/imports/%[1]s shows it, DELETE stops it.\n", i.ID)
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
