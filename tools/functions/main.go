// Command functions builds the functions: .build/<function>/bootstrap, which
// Lambda runs, and .build/<function>.zip, which is deployed. The same source makes
// the same bytes. It fails where one is larger than it may be: what a bootstrap
// weighs every cold start pays for.
//
//	go run ./tools/functions                      all, for arm64
//	go run ./tools/functions -arch amd64 download
package main

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// tags leave out what no function needs: Lambda's old protocol, gin's msgpack, and
// net/http's HTTP/2, which neither S3 nor DynamoDB speaks.
const tags = "lambda.norpc,nomsgpack,nethttpomithttp2"

// The largest that a stripped arm64 bootstrap may be, in bytes: with S3's and
// DynamoDB's client, and with DynamoDB's alone.
const (
	mostWithBoth = 12_500_000
	mostWithOne  = 10 << 20
)

// functions are all there are, with their limits.
func functions() map[string]int64 {
	return map[string]int64{
		"auth": mostWithOne, "files": mostWithBoth, "download": mostWithBoth, "ingest": mostWithBoth, "janitor": mostWithBoth,
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "functions:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("functions", flag.ContinueOnError)
	arch := flags.String("arch", "arm64", "`GOARCH` to build for; native: this machine's")
	dir := flags.String("dir", ".build", "`folder` to build in")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *arch == "native" {
		*arch = runtime.GOARCH
	}
	names := flags.Args()
	if len(names) == 0 {
		for name := range functions() {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	var errs []error
	for _, name := range names {
		limit, ok := functions()[name]
		if !ok {
			return fmt.Errorf("there is no function %q", name)
		}
		if err := build(ctx, out, name, *arch, *dir, limit); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// build builds one function, and says what it weighs.
func build(ctx context.Context, out io.Writer, name, arch, dir string, limit int64) error {
	bootstrap := filepath.Join(dir, name, "bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w -buildid=", "-tags", tags, "-o", bootstrap, "./functions/"+name)
	cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(said)))
	}
	info, err := os.Stat(bootstrap)
	if err != nil {
		return err
	}
	packed, err := pack(bootstrap, filepath.Join(dir, name+".zip"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-10s %s  %5.2f MiB, zipped %.2f\n", name, arch, mebibytes(info.Size()), mebibytes(packed))
	if arch == "arm64" && info.Size() > limit { // the one that is deployed
		return fmt.Errorf("%s has %d bytes, and may have %d", bootstrap, info.Size(), limit)
	}
	return nil
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// pack writes a zip that holds a bootstrap, and no time.
func pack(bootstrap, to string) (size int64, err error) {
	content, err := os.Open(bootstrap)
	if err != nil {
		return 0, err
	}
	defer content.Close()
	file, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	archive := zip.NewWriter(file)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	const executable = 0o755
	header.SetMode(executable)
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(entry, content); err != nil {
		return 0, err
	}
	if err := archive.Close(); err != nil {
		return 0, err
	}
	return file.Seek(0, io.SeekCurrent)
}
