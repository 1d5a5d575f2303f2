package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
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
		Short: "Make files of the objects that a bucket has already",
		Long: `Make files of the objects under a folder of the server's bucket, or of one that its
SLUICE_IMPORT_BUCKETS names, without copying a byte. It is a job of the server: this
command asks for it and shows how far it is. Ctrl-C ends the command, and not the job.

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
		return runImport(ctx, r, ask, cmd.ErrOrStderr())
	})
}

// runImport begins an import and shows how far it is until it has ended.
func runImport(ctx context.Context, r *remote, ask contract.CreateImportRequest, errOut io.Writer) error {
	var i contract.Import
	err := r.call(ctx, func(c *client.Client) (err error) {
		i, err = client.Decode[contract.Import](c.CreateImport(ctx, ask))
		return err
	})
	if err != nil {
		return err
	}
	report := newReport(r.json, false, r.out, errOut)
	show := &importProgress{out: report.out, onTerminal: report.width > 0, now: i}
	if r.json {
		show.out = io.Discard // JSON is of the end
	}
	show.begun()
	i, err = waitForImport(ctx, r, report, show)
	if err != nil {
		return err
	}
	if r.json {
		return errors.Join(r.print(i, ""), importResult(i))
	}
	show.ended()
	return importResult(i)
}

// waitForImport asks how far an import is until it has ended.
func waitForImport(ctx context.Context, r *remote, report *report, show *importProgress) (contract.Import, error) {
	defer report.start()()
	report.follow(show.words)
	defer report.follow(nil)
	for i := show.latest(); ; i = show.latest() {
		if i.State != contract.ImportStateRunning {
			return i, nil
		}
		select {
		case <-ctx.Done():
			report.follow(nil)
			show.left()
			return i, ctx.Err()
		case <-time.After(report.every()):
		}
		err := r.call(ctx, func(c *client.Client) error {
			next, err := client.Decode[contract.Import](c.GetImport(ctx, i.ID))
			if err == nil {
				show.set(next)
			}
			return err
		})
		if err != nil && ctx.Err() == nil && !fault.Is(err, fault.Unavailable, "") { // then the server starts again, and the job goes on
			return i, err
		}
	}
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

// importProgress words how far an import is. How much there is to do nobody
// knows before it is done. It is safe for concurrent use.
type importProgress struct {
	out        io.Writer
	onTerminal bool

	mu   sync.Mutex
	now  contract.Import
	rate speed // in objects
}

func (p *importProgress) set(i contract.Import) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = i
}

func (p *importProgress) latest() contract.Import {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// words are what a report tells; a rate would make each line a new one.
func (p *importProgress) words(now time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := counts(p.now)
	if p.onTerminal {
		text += fmt.Sprintf(", %.0f a second", p.rate.at(now, p.now.Seen))
	}
	return text
}

func (p *importProgress) begun() {
	i, what := p.latest(), "Importing"
	if i.DryRun {
		what = "Looking at"
	}
	fmt.Fprintf(p.out, "%s %s for %s: import %s\n", what, i.Source, i.Owner, i.ID)
}

// left tells of an import that goes on by itself.
func (p *importProgress) left() {
	fmt.Fprintf(p.out, "\nThe import %s goes on in the server: GET /api/imports/%[1]s shows it, DELETE stops it.\n", p.latest().ID)
}

func (p *importProgress) ended() {
	i := p.latest()
	for _, problem := range i.Problems {
		fmt.Fprintf(p.out, "%s: %s\n", problem.Key, problem.Detail)
	}
	fmt.Fprintln(p.out, counts(i))
}

func counts(i contract.Import) string {
	return fmt.Sprintf("%d objects: %d registered (%d bytes), %d unchanged, %d skipped, %d failed",
		i.Seen, i.Registered, i.Bytes, i.Unchanged, i.Skipped, i.Failed)
}
