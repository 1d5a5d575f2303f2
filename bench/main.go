// Command bench measures Sluice against named peers, in one run, alternating,
// and prints medians of the ratios. Load comes from this machine, over
// loopback, and stops by itself.
//
// It needs nginx (tools/install-bench-tools), MinIO (tools/install-test-tools)
// and bin/sluice (make build).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
)

// settings are the sizes of a run.
type settings struct {
	rounds  int
	large   int64 // bytes of the large file
	readers int   // slow downloads at once
	binary  string
	only    string
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 7, "rounds of each comparison")
	flag.Int64Var(&s.large, "large", 1<<30, "bytes of the large file")
	flag.IntVar(&s.readers, "readers", 1000, "slow downloads at once")
	flag.StringVar(&s.binary, "sluice", "bin/sluice", "the binary to measure")
	flag.StringVar(&s.only, "only", "", "large, small, redirect, slow, ranges, get, stream, proxied, slowstream or lambda: measure only that")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	measure := run
	switch flag.Arg(0) { // a peer ends by its signal
	case ginPeer:
		stop()
		measure = func(context.Context, settings) error { return serveGin() }
	case stubPeer:
		stop()
		measure = func(context.Context, settings) error { return serveStub() }
	}
	if err := measure(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// row is one line of the table that is printed.
type row struct {
	what   string
	value  float64
	unit   string
	target string
	ok     bool
}

func run(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var rows []row
	for _, part := range []struct {
		name string
		run  func(context.Context, settings, string) ([]row, error)
	}{{"large", benchLarge}, {"small", benchSmall}, {"redirect", benchRedirect}, {"slow", benchSlow}, {"ranges", benchRanges}, {"get", benchGet}, {"stream", benchStream}, {"proxied", benchProxied}, {"slowstream", benchSlowStream}, {"lambda", benchLambda}} {
		if s.only != "" && s.only != part.name {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", part.name)
		got, err := part.run(ctx, s, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		rows = append(rows, got...)
	}
	fmt.Println(machine(ctx))
	if s.only == "" || s.only == "get" {
		fmt.Println(versions(ctx, s))
	}
	return printRows(rows)
}

// machine tells what the figures depend on most.
func machine(ctx context.Context) string {
	nginx := "no nginx"
	if binary, err := findNginx(); err == nil {
		version, _ := exec.CommandContext(ctx, binary, "-v").CombinedOutput() // it may not say
		nginx = strings.TrimPrefix(strings.TrimSpace(string(version)), "nginx version: ")
	}
	return fmt.Sprintf("%d processors, %s/%s, %s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), nginx)
}

func printRows(rows []row) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmeasured\ttarget\t")
	for _, r := range rows {
		verdict := "met"
		switch {
		case r.target == "":
			verdict = ""
		case !r.ok:
			verdict = "MISSED"
		}
		fmt.Fprintf(w, "%s\t%.2f %s\t%s\t%s\n", r.what, r.value, r.unit, r.target, verdict)
	}
	return w.Flush()
}

func atLeast(what string, value, target float64) row {
	return row{what, value, "×", fmt.Sprintf(">= %.2f", target), value >= target}
}

func atMost(what string, value, target float64, unit string) row {
	return row{what, value, unit, fmt.Sprintf("<= %.2f", target), value <= target}
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}
