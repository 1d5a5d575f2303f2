package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"sluice/shared/fault"
	"sluice/shared/fetch/conformance"
)

// verifySettings are the flags of `sluice verify`.
type verifySettings struct {
	selection selection
	headers   []string
	json      bool
}

func verifyCommand() *cobra.Command {
	var s verifySettings
	cmd := &cobra.Command{
		Use:   "verify [flags] URL",
		Short: "See whether a server answers downloads as HTTP asks for",
		Long: `Ask any server for a file in the ways that HTTP has for downloads: ranges (the
first, from the middle, a suffix, several, past the end, malformed), If-Range,
HEAD, conditions and which of them counts first, codings, digests, and whether the
file is told of in the same way twice. Each line says what came of a check, and
the section of the RFC that it is by:

  ok              the answer is right
  warning         it is allowed, and a download suffers by it
  fails           it is not what the RFC asks for, or not true
  not applicable  the server lacks what the check is about

About 50 requests are sent, one after the other, and 8 MiB are read at the most,
however large the file is. Logins count as for "sluice get". The exit code is 0
where no check fails, 8 where one does, and else as of "sluice get".`,
		Example: `  sluice verify https://example.com/disk.iso
  sluice verify --json "$(sluice link big.iso)"
  sluice verify -H 'Cookie: a=b' https://example.com/disk.iso`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return withExitCode(cmd.Context(), mistake("%s. See %s --help.", err, cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			// After the first signal a second one ends the process at once.
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop)
			return withExitCode(ctx, s.verify(ctx, args[0], cmd.OutOrStdout()))
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return withExitCode(cmd.Context(), mistake("%s. See %s --help.", err, cmd.CommandPath()))
	})
	s.selection.profileFlag(cmd)
	cmd.Flags().StringArrayVarP(&s.headers, "header", "H", nil, "field to send to the URL's own host, such as 'Cookie: a=b'; may be given several times")
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON lines instead of a table")
	return cmd
}

func (s verifySettings) verify(ctx context.Context, url string, out io.Writer) error {
	header, err := parseHeaders(s.headers)
	if err != nil {
		return err
	}
	accounts, err := newAccounts(s.selection)
	if err != nil {
		return err
	}
	findings, err := conformance.Run(ctx, url, conformance.Options{
		Header: header, UserAgent: "sluice/" + version, Authorize: accounts.credentials,
	})
	if err != nil {
		return err
	}
	if err := printFindings(&remote{out: out, json: s.json}, findings); err != nil {
		return err
	}
	if n := count(findings, conformance.Fails); n > 0 {
		return fault.Newf(fault.Upstream, "not_conformant", "%d of %d checks fail.", n, len(findings))
	}
	return nil
}

func printFindings(r *remote, findings []conformance.Finding) error {
	l := r.listing("RESULT", "CHECK", "SECTION", "WHAT")
	for _, f := range findings {
		if err := l.add(f, string(f.Outcome), f.Check, f.Section, f.Detail); err != nil {
			return err
		}
	}
	if err := l.endPage(); err != nil || r.json {
		return err
	}
	var sums []string
	for _, o := range []conformance.Outcome{conformance.OK, conformance.Warning, conformance.Fails, conformance.NotApplicable} {
		if n := count(findings, o); n > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", n, o))
		}
	}
	_, err := fmt.Fprintf(r.out, "\n%d checks: %s\n", len(findings), strings.Join(sums, ", "))
	return err
}

func count(findings []conformance.Finding, o conformance.Outcome) int {
	n := 0
	for _, f := range findings {
		if f.Outcome == o {
			n++
		}
	}
	return n
}
