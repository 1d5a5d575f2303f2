package main

import (
	"context"
	"fmt"
	"io"
	"mime"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sluice/shared/digest"
	"sluice/shared/fault"
	"sluice/shared/fetch"
	"sluice/shared/send"
)

// defaultBodies is how many connections carry bytes of uploads at most.
const defaultBodies = 8

// putSettings are the flags of `sluice put`.
type putSettings struct {
	force       bool
	restart     bool
	follow      bool
	limitRate   string
	connections int
	retries     int
	partSize    string
	checksum    string
	contentType string
	quiet       bool
}

func putCommand() *cobra.Command {
	var s putSettings
	cmd := &cobra.Command{
		Use:   "put [flags] SOURCE… [PATH]",
		Short: "Upload files and folders: resumable, in parallel, verified",
		Long: `Upload files and folders. The last of several arguments is the path on the
server; one that ends in a slash is a folder there. With one argument a file
keeps its name. A folder goes with all that is in it, under its own name, or
without it if it ends in a slash. - is standard input.

A file of up to 8 MiB is sent at once, a larger one in parts, several at a time,
to the server or straight to its store. An upload that was interrupted, killed or
cut off goes on where it was when the same command is run again; but for standard
input, of which nothing is kept then. A file that has changed meanwhile is not
sent as a mixture: --restart sends it as it is now. What is sent is verified by
SHA-256, each part on its way and the whole at the end.

A file that is there already is replaced only with -f; the same content is no
error, so that a folder can be sent again until all of it is there. One file that
fails does not stop the others. Symbolic links in folders are skipped without -L,
and so are devices and pipes.

What is known of uploads that are not complete is kept in the folder sluice/uploads
of XDG_STATE_HOME (~/.local/state if it is not set): no token, and no content.

Parts of standard input have 16 MiB, so that 156 GiB is the most; --part-size
makes it more, for memory of five parts.

If something goes wrong the exit code says what; of several files, what went wrong
first:

  1  an error of another kind       6  the file changed while it was sent
  2  the command line is wrong      7  the bytes are not what their digest says
  3  the server cannot be reached   8  the server's answers cannot be trusted
  4  the server refuses             9  a file of that name is there or in use
  5  there is no such user         10  there is no room
                                  130  interrupted`,
		Example: `  sluice put disk.iso
  sluice put disk.iso images/debian-13.iso
  sluice put *.pdf reports/
  sluice put photos/ holidays/2025/
  pg_dump shop | sluice put --type application/sql - backups/shop.sql
  sluice put --limit-rate 2M --max-connections 2 disk.iso
  sluice put --checksum sha256:9f86d08… disk.iso
  sluice put -f --json --owner ada notes.txt`,
		Args: cobra.MinimumNArgs(1),
	}
	f := cmd.Flags()
	f.BoolVarP(&s.force, "force", "f", false, "replace files that are there: make a new version of them")
	f.BoolVar(&s.restart, "restart", false, "begin anew, whatever has been sent of the file")
	f.BoolVarP(&s.follow, "follow", "L", false, "follow symbolic links in folders")
	f.StringVar(&s.limitRate, "limit-rate", "", "bytes a second of all connections together, such as 500K or 10M")
	f.IntVar(&s.connections, "max-connections", defaultBodies, "the most connections of all files together that carry their bytes")
	f.IntVar(&s.retries, "retries", defaultRetries, "how often in a row a request may fail")
	f.StringVar(&s.partSize, "part-size", "", "bytes of a part: a multiple of 8M (default: 8M, or more for over 78 GiB)")
	f.StringVar(&s.checksum, "checksum", "", "what the file must be: sha256:HEX or sha512:HEX")
	f.StringVar(&s.contentType, "type", "", "content type (default: by the name on the server)")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "print errors only")
	return fileCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		return s.put(ctx, r, args, cmd.InOrStdin(), cmd.ErrOrStderr())
	})
}

func (s putSettings) put(ctx context.Context, r *remote, args []string, in io.Reader, errOut io.Writer) error {
	options, sum, err := s.options(r.accounts)
	if err != nil {
		return err
	}
	partSize, err := parseSize("--part-size", s.partSize)
	if err != nil {
		return err
	}
	files, err := plan(args, s.follow)
	if err != nil {
		return err
	}
	if len(files) > 1 && s.checksum != "" {
		return mistake("--checksum is of one file, and there are %d.", len(files))
	}
	options.HTTP2 = len(files) > 1
	client, err := send.New(options)
	if err != nil {
		return err
	}
	defer client.Close()
	report := newReport(r.json, s.quiet, r.out, errOut)
	report.several = len(files) > 1
	defer report.start()()
	var g errgroup.Group // which keeps what went wrong first, and goes on
	g.SetLimit(min(maxAtOnce, s.connections))
	for i, f := range files {
		request := send.Request{
			File: f.local, Follow: f.follow, Path: f.path, Owner: r.owner, ContentType: s.typeOf(f.path), Digest: sum,
			PartSize: partSize, Overwrite: s.force, Restart: s.restart,
		}
		if f.local == "" {
			request.Reader = in
		}
		g.Go(func() error { return sendOne(ctx, client, i, f, request, report) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// sendOne sends a file, or tells why not.
func sendOne(ctx context.Context, client *send.Client, index int, f outgoing, request send.Request, report *report) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f.skipped != "" {
		report.skipped(index, f.path, f.skipped)
		return nil
	}
	if f.err != nil {
		report.add(index, func() fetch.Progress { return fetch.Progress{Name: f.path, State: fetch.Failed} })
		report.ended(index, fetch.Result{Name: f.path}, f.err)
		return f.err
	}
	t := client.Start(ctx, request)
	report.add(index, func() fetch.Progress { return asProgress(t.Progress()) })
	result, err := t.Wait()
	report.ended(index, asResult(result), err)
	return err
}

// asProgress words how an upload gets on as a download, so that both look alike.
func asProgress(p send.Progress) fetch.Progress {
	return fetch.Progress{State: fetch.State(p.State), Name: p.Path, Size: p.Size, Bytes: p.Bytes, Resumed: p.Resumed, Connections: p.Connections}
}

func asResult(r send.Result) fetch.Result {
	return fetch.Result{Name: r.Path, Size: r.Size, Resumed: r.Resumed, Fetched: r.Sent, Verified: r.Verified, Already: r.Already}
}

func (s putSettings) options(a *accounts) (send.Options, digest.Set, error) {
	limit, err := parseSize("--limit-rate", s.limitRate)
	if err != nil {
		return send.Options{}, digest.Set{}, err
	}
	sum, err := parseChecksum(s.checksum)
	if err != nil {
		return send.Options{}, sum, err
	}
	if s.connections < 1 || s.retries < 1 {
		return send.Options{}, sum, mistake("--max-connections and --retries are 1 or more.")
	}
	return send.Options{
		Server: a.server, Token: a.token, MaxConnections: s.connections, LimitRate: limit, Retries: s.retries,
		UserAgent: "sluice/" + version, Records: recordsFolder(),
	}, sum, nil
}

// parseSize reads bytes as parseRate does.
func parseSize(flag, text string) (int64, error) {
	n, err := parseRate(text)
	if err != nil {
		return 0, mistake("%s is such as 500K or 10M, and not %q. See sluice put --help.", flag, text)
	}
	return n, nil
}

// typeOf is the content type of a file: of the names of texts nobody can tell in
// which character set they are.
func (s putSettings) typeOf(name string) string {
	if s.contentType != "" {
		return s.contentType
	}
	kind, _, err := mime.ParseMediaType(mime.TypeByExtension(path.Ext(name)))
	if err != nil {
		return ""
	}
	return kind
}

// recordsFolder is where the records of uploads are, "" where there is no place
// for them.
func recordsFolder() string {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" && runtime.GOOS == "windows" {
		state, _ = os.UserCacheDir() // %LocalAppData%; "" where there is none
	}
	if home, err := os.UserHomeDir(); state == "" && err == nil {
		state = filepath.Join(home, ".local", "state")
	}
	if !filepath.IsAbs(state) { // as the XDG specification wants it
		return ""
	}
	return filepath.Join(state, "sluice", "uploads")
}

// skipped tells of a file that is not sent.
func (r *report) skipped(index int, name, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.json:
		r.print(event{Event: "skipped", File: index, Name: name, Message: why})
	case !r.quiet:
		r.draw(nil)
		fmt.Fprintf(r.errOut, "%s: %s\n", shownText(name), why)
	}
}

// nothing is the error of a command that has nothing to send.
func nothing(args []string) error {
	return fault.Newf(fault.Invalid, "usage", "There is no file in %q.", args)
}
