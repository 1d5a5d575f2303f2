package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"sluice/shared/digest"
	"sluice/shared/fault"
	"sluice/shared/fetch"
)

// maxAtOnce is how many files are under way at the same time. Connections go to
// the first of them first.
const maxAtOnce = 32

// What holds where nothing else is said.
const (
	defaultConnections = 16
	defaultRetries     = 10
)

// getSettings are the flags of `sluice get`.
type getSettings struct {
	output      string
	inputFile   string
	force       bool
	restart     bool
	limitRate   string
	connections int
	retries     int
	checksum    string
	headers     []string
	metalink    bool
	json        bool
	quiet       bool
}

func getCommand() *cobra.Command {
	var s getSettings
	cmd := &cobra.Command{
		Use:   "get [flags] URL…",
		Short: "Download files: resumable, in parallel, verified",
		Long: `Download files. A download that was interrupted, killed or cut off goes on where
it was when the same command is run again. A file appears under its name when
all of it is there and verified; until then it is NAME.part, beside
NAME.part.state. A file that is there already is replaced only with -f.

A URL is one of a file, of a link or of a session of a Sluice server, or any
other of HTTP. Files of the server in SLUICE_SERVER (http://127.0.0.1:8080 if it
is not set) are asked for with the token in SLUICE_TOKEN, and verified chunk by
chunk. Without SLUICE_TOKEN the file that "sluice login" writes is read, in the
folder of your settings: sluice/login.json. Passwords of other servers are taken
from ~/.netrc. Nothing of that is ever sent to another host or port.

A Metalink document (a name or URL that ends in .meta4 or .metalink, or any with
--metalink) says where files are and what their digests are; several sources are
used at once.

If something goes wrong the exit code says what:

  1  an error of another kind       6  the file changed on the server
  2  the command line is wrong      7  what came is not what its digest says
  3  the server cannot be reached   8  the server's answers cannot be trusted
  4  the server refuses             9  a file of that name is there or in use
  5  there is no such file         10  there is no room
                                  130  interrupted`,
		Example: `  sluice get https://example.com/disk.iso
  sluice get -o movies/ --limit-rate 5M https://example.com/a.mkv https://example.com/b.mkv
  sluice get --checksum sha256:9f86d08… https://example.com/disk.iso
  sluice get -o - https://example.com/backup.tar | tar x
  SLUICE_TOKEN=… sluice get http://127.0.0.1:8080/file/admin/big.bin
  sluice get https://example.com/disk.iso.meta4
  sluice get -i urls.txt --json`,
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
	f := cmd.Flags()
	f.StringVarP(&s.output, "output", "o", "", "name of the file, or folder if it is one or ends in a slash; - is standard output")
	f.StringVarP(&s.inputFile, "input-file", "i", "", "read URLs from a file, one a line; - is standard input")
	f.BoolVarP(&s.force, "force", "f", false, "replace files that are there")
	f.BoolVar(&s.restart, "restart", false, "begin anew, whatever there is of the file")
	f.StringVar(&s.limitRate, "limit-rate", "", "bytes a second of all connections together, such as 500K or 10M")
	f.IntVar(&s.connections, "max-connections", defaultConnections, "the most connections of all files together")
	f.IntVar(&s.retries, "retries", defaultRetries, "how often in a row a server may fail")
	f.StringVar(&s.checksum, "checksum", "", "what the file must be: sha256:HEX or sha512:HEX")
	f.StringArrayVarP(&s.headers, "header", "H", nil, "field to send to the URL's own host, such as 'Cookie: a=b'; may be given several times")
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
	accounts, err := newAccounts("")
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

// allURLs returns those of the command line and of the input file.
func allURLs(s getSettings, args []string, in io.Reader) ([]string, error) {
	urls := args
	if s.inputFile != "" {
		if s.inputFile != "-" {
			file, err := os.Open(s.inputFile)
			if err != nil {
				return nil, fault.Wrap(err, fault.Invalid, "usage", "The list of URLs cannot be read.")
			}
			defer file.Close()
			in = file
		}
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
				urls = append(urls, line)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "usage", "The list of URLs cannot be read.")
		}
	}
	switch {
	case len(urls) == 0:
		return nil, usage("Nothing says what to get.")
	case len(urls) > 1 && s.checksum != "":
		return nil, usage("--checksum is of one file.")
	}
	return urls, nil
}

func (s getSettings) options(a *accounts, several bool) (fetch.Options, error) {
	limit, err := parseRate(s.limitRate)
	if err != nil {
		return fetch.Options{}, err
	}
	if s.connections < 1 || s.retries < 1 {
		return fetch.Options{}, usage("--max-connections and --retries are 1 or more.")
	}
	return fetch.Options{
		MaxConnections: s.connections, Retries: s.retries, LimitRate: limit, UserAgent: "sluice/" + version, HTTP2: several, Credentials: a.credentials,
	}, nil
}

// parseRate reads bytes a second, with K, M or G for powers of 1024.
func parseRate(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	digits, unit := text, int64(1)
	if i := strings.IndexByte("KMG", text[len(text)-1]&^0x20); i >= 0 {
		digits, unit = text[:len(text)-1], 1<<(10*(i+1))
	}
	var n int64
	if _, err := fmt.Sscanf(digits, "%d", &n); err != nil || n < 1 || fmt.Sprint(n) != digits || n > 1<<40 {
		return 0, usage("--limit-rate is such as 500K or 10M, and not %q.", text)
	}
	return n * unit, nil
}

// target returns the folder and the name that -o means; no name: the server's.
func (s getSettings) target(several bool) (dir, name string, err error) {
	if s.output == "" {
		return ".", "", nil
	}
	info, err := os.Stat(s.output)
	if strings.HasSuffix(s.output, "/") || err == nil && info.IsDir() {
		if err != nil {
			err = fault.Wrap(err, fault.Invalid, "usage", "The folder of -o cannot be used.")
		}
		return s.output, "", err
	}
	if several {
		return "", "", usage("-o names one file, and there are several: give a folder.")
	}
	return filepath.Dir(s.output), filepath.Base(s.output), nil
}

func (s getSettings) requests(ctx context.Context, client *fetch.Client, a *accounts, urls []string, out io.Writer) ([]fetch.Request, error) {
	header, err := parseHeaders(s.headers)
	if err != nil {
		return nil, err
	}
	sum, err := parseChecksum(s.checksum)
	if err != nil {
		return nil, err
	}
	var requests []fetch.Request
	for _, url := range urls {
		if isMetalink(url) || s.metalink {
			files, err := readMetalink(ctx, client, url, header)
			if err != nil {
				return nil, err
			}
			requests = append(requests, files...)
			continue
		}
		requests = append(requests, fetch.Request{Sources: []fetch.Source{{URL: url, Header: header}}, Content: fetch.Content{Digest: sum}})
	}
	if s.output == "-" && len(requests) > 1 {
		return nil, usage("-o - is for one file, and there are %d.", len(requests))
	}
	dir, name := "", ""
	if s.output != "-" {
		if dir, name, err = s.target(len(requests) > 1); err != nil {
			return nil, err
		}
	}
	for i := range requests {
		r := &requests[i]
		if r.Dir = dir; name != "" {
			r.Name = name
		}
		if s.output == "-" {
			r.Output = out
		}
		r.Overwrite, r.Restart, r.Priority = s.force, s.restart, -i
		if err := a.describe(ctx, r); err != nil {
			return nil, err
		}
	}
	return requests, nil
}

func parseHeaders(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if !found || strings.TrimSpace(name) == "" || strings.ContainsAny(line, "\r\n") {
			return nil, usage("--header is such as 'Cookie: a=b'.") // it may hold a secret
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h, nil
}

func parseChecksum(text string) (digest.Set, error) {
	var d digest.Set
	if text == "" {
		return d, nil
	}
	algorithm, value, _ := strings.Cut(text, ":")
	sum, err := hex.DecodeString(value)
	switch {
	case err == nil && algorithm == "sha256" && len(sum) == 32:
		d.SHA256 = sum
	case err == nil && algorithm == "sha512" && len(sum) == 64:
		d.SHA512 = sum
	default:
		return d, usage("--checksum is sha256:HEX or sha512:HEX.")
	}
	return d, nil
}

func isMetalink(name string) bool {
	name, _, _ = strings.Cut(name, "?")
	return strings.HasSuffix(name, ".meta4") || strings.HasSuffix(name, ".metalink")
}

// maxMetalink is the largest Metalink document that is read, in bytes.
const maxMetalink = 16 << 20

// readMetalink reads a document from a file or a URL.
func readMetalink(ctx context.Context, client *fetch.Client, name string, header http.Header) ([]fetch.Request, error) {
	var document limitedBuffer
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		t := client.Start(ctx, fetch.Request{Sources: []fetch.Source{{URL: name, Header: header}}, Output: &document})
		if _, err := t.Wait(); err != nil {
			return nil, err
		}
	} else if err := document.readFile(name); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "usage", "The Metalink document cannot be read.")
	}
	files, err := fetch.ParseMetalink(document.text)
	if err != nil {
		return nil, err
	}
	var requests []fetch.Request
	for _, f := range files {
		for i := range f.Sources {
			f.Sources[i].Header = header
		}
		requests = append(requests, fetch.Request{Sources: f.Sources, Content: f.Content, Name: f.Name})
	}
	return requests, nil
}

// limitedBuffer keeps at most maxMetalink bytes.
type limitedBuffer struct{ text []byte }

var errTooLarge = errors.New("it is too large")

// Write implements io.Writer.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > maxMetalink {
		return 0, errTooLarge
	}
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *limitedBuffer) readFile(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(b, file)
	return err
}

// run fetches all, and returns what went wrong first.
func run(ctx context.Context, client *fetch.Client, requests []fetch.Request, report *report) error {
	stop := report.start()
	defer stop()
	var (
		mu     sync.Mutex
		failed error
		active sync.WaitGroup
	)
	places := make(chan struct{}, maxAtOnce)
	for i, r := range requests {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		t := client.Start(ctx, r)
		report.add(i, t.Progress)
		active.Go(func() {
			defer func() { <-places }()
			result, err := t.Wait()
			report.ended(i, result, err)
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
			}
		})
	}
	active.Wait()
	mu.Lock()
	defer mu.Unlock()
	if failed == nil {
		failed = ctx.Err()
	}
	return failed
}
