package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"path"
	"syscall"

	"github.com/spf13/cobra"

	"sluice/shared/fault"
	"sluice/shared/fetch"
)

// What holds where nothing else is said.
const (
	defaultConnections = 16
	defaultRetries     = 10
)

// getSettings are the flags of `sluice get`.
type getSettings struct {
	selection   selection
	owner       string
	output      string
	inputFile   string
	force       bool
	restart     bool
	limitRate   string
	connections int
	retries     int
	checksum    string
	headers     []string
	priority    []string
	metalink    bool
	json        bool
	quiet       bool
}

const getHelp = `Download files. A download that was interrupted, killed or cut off goes on where
it was when the same command is run again. A file appears under its name when
all of it is there and verified; until then it is NAME.part, beside
NAME.part.state. A file that is there already is replaced only with -f.

A PATH is one on the server where you are logged in, as "sluice ls" shows it. Of a
folder all files are fetched: reports/2026 makes 2026 here, with all that is in
it, and reports/2026/ puts what is in it right here.

A URL is one of a file, of a link or of a session of a Sluice server, or any
other of HTTP; it begins with http:// or https://. Files of a server where "sluice login" logged you in are asked for
by that login, and verified chunk by chunk; --profile says which login counts where
there are two at a server. SLUICE_TOKEN is a token for the server in SLUICE_SERVER
(http://127.0.0.1:8080 if it is not set), and counts before any login. Passwords of
other servers are taken from ~/.netrc. Nothing of that is ever sent to another host
or port.

A Metalink document (a name or URL that ends in .meta4 or .metalink, or any with
--metalink) says where files are and what their digests are; several sources are
used at once.

If something goes wrong the exit code says what:

  1  an error of another kind       6  the file changed on the server
  2  the command line is wrong      7  what came is not what its digest says
  3  the server cannot be reached   8  the server's answers cannot be trusted
  4  the server refuses             9  a file of that name is there or in use
  5  there is no such file         10  there is no room
                                  130  interrupted`

func getCommand() *cobra.Command {
	var s getSettings
	cmd := &cobra.Command{
		Use:   "get [flags] URL|PATH…",
		Short: "Download files: resumable, in parallel, verified",
		Long:  getHelp,
		Example: `  sluice get https://example.com/disk.iso
  sluice get reports/2026/a.bin reports/2026/b.bin
  sluice get -o backup/ --profile work reports/2026
  sluice get -o movies/ --limit-rate 5M https://example.com/a.mkv https://example.com/b.mkv
  sluice get --checksum sha256:9f86d08… https://example.com/disk.iso
  sluice get -o - https://example.com/backup.tar | tar x
  SLUICE_TOKEN=… sluice get http://127.0.0.1:8080/file/admin/big.bin
  sluice get https://example.com/disk.iso.meta4
  sluice get -i urls.txt --priority '*.sha256' --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			// After the first signal a second one ends the process at once.
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop)
			err := get(ctx, s, args, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			return withExitCode(ctx, err)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return withExitCode(context.Background(), usage("%s.", err))
	})
	s.selection.serverFlag(cmd)
	s.selection.profileFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&s.owner, "owner", "", "whose files the paths are of, by `username` (default: your own)")
	f.StringVarP(&s.output, "output", "o", "", "name of the file, or folder if it is one or ends in a slash; - is standard output")
	f.StringVarP(&s.inputFile, "input-file", "i", "", "read URLs and paths from a file, one a line; - is standard input")
	f.BoolVarP(&s.force, "force", "f", false, "replace files that are there")
	f.BoolVar(&s.restart, "restart", false, "begin anew, whatever there is of the file")
	f.StringVar(&s.limitRate, "limit-rate", "", "bytes a second of all connections together, such as 500K or 10M")
	f.IntVar(&s.connections, "max-connections", defaultConnections, "the most connections of all files together")
	f.IntVar(&s.retries, "retries", defaultRetries, "how often in a row a server may fail")
	f.StringVar(&s.checksum, "checksum", "", "what the file must be: sha256:HEX or sha512:HEX")
	f.StringArrayVarP(&s.headers, "header", "H", nil, "field to send to the URL's own host, such as 'Cookie: a=b'; may be given several times")
	f.StringArrayVar(&s.priority, "priority", nil, "`PATTERN` of names to get first, such as '*.sha256'; given several times, the first counts most")
	f.BoolVar(&s.metalink, "metalink", false, "take what the URLs lead to for Metalink documents")
	f.BoolVar(&s.json, "json", false, "print JSON lines instead of words")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "print errors only")
	return cmd
}

// usage is an error of whoever typed the command.
func usage(format string, args ...any) error {
	return fault.Newf(fault.Invalid, "usage", format+" See sluice get --help.", args...)
}

func get(ctx context.Context, s getSettings, args []string, in io.Reader, out, errOut io.Writer) error {
	urls, err := allURLs(s, args, in)
	if err != nil {
		return err
	}
	accounts, err := newAccounts(s.selection)
	if err != nil {
		return err
	}
	return s.get(ctx, accounts, urls, out, errOut)
}

// get downloads what URLs lead to.
func (s getSettings) get(ctx context.Context, accounts *accounts, urls []string, out, errOut io.Writer) error {
	options, err := s.options(accounts, len(urls) > 1)
	if err != nil {
		return err
	}
	client := fetch.New(options)
	defer client.Close()
	requests, err := s.requests(ctx, client, accounts, urls, out)
	if err != nil {
		return err
	}
	reportTo := out
	if s.output == "-" {
		reportTo = errOut
	}
	report := newReport(s.json, s.quiet, reportTo, errOut)
	report.several = len(requests) > 1
	return run(ctx, client, requests, report)
}

func (s getSettings) options(a *accounts, several bool) (fetch.Options, error) {
	limit, err := parseRate(s.limitRate)
	if err != nil {
		return fetch.Options{}, err
	}
	for _, pattern := range s.priority {
		if _, err := path.Match(pattern, ""); err != nil {
			return fetch.Options{}, usage("--priority is a pattern such as '*.sha256', and not %q.", pattern)
		}
	}
	if s.connections < 1 || s.retries < 1 {
		return fetch.Options{}, usage("--max-connections and --retries are 1 or more.")
	}
	return fetch.Options{
		MaxConnections: s.connections, Retries: s.retries, LimitRate: limit, UserAgent: "sluice/" + version, HTTP2: several, Credentials: a.credentials,
	}, nil
}

// parseRate reads bytes a second; "": no limit.
func parseRate(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := parseBytes(text)
	if err != nil || n < 1 {
		return 0, usage("--limit-rate is such as 500K or 10M, and not %q.", text)
	}
	return n, nil
}
