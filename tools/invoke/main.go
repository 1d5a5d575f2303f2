// Command invoke runs one event through the bootstrap of a function, as Lambda
// would: the process speaks to a Runtime API. What the function answers goes to
// standard output, what it logs to standard error. An event in a folder named
// after a transport is of that transport.
//
//	go run ./tools/invoke .build/native/download/bootstrap events/http/getFile.json
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/shared/edge/edgetest"
)

// patience is how long the function may take.
const patience = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "invoke:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) != 2 {
		return errors.New("want a bootstrap and a file with an event")
	}
	event, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	var settings []string
	for _, setting := range os.Environ() {
		if strings.HasPrefix(setting, "SLUICE_") || strings.HasPrefix(setting, "AWS_") {
			settings = append(settings, setting)
		}
	}
	transport := edgetest.Transport(filepath.Base(filepath.Dir(args[1])))
	if slices.Contains(edgetest.Transports(), transport) {
		settings = append(settings, "SLUICE_TRANSPORT="+string(transport))
	}
	if transport == edgetest.ALB && os.Getenv("SLUICE_PUBLIC_URL") == "" {
		settings = append(settings, "SLUICE_PUBLIC_URL=https://example.com") // which its events do not tell
	}
	sandbox, err := edgetest.Start(ctx, edgetest.Process{Path: args[0], Env: settings, Timeout: patience, Log: log})
	if err != nil {
		return err
	}
	defer sandbox.Close()
	answer, err := sandbox.Invoke(ctx, event, transport == edgetest.URLStream || transport == edgetest.RESTStream)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, answer.Body)
	fmt.Fprintln(out)
	return errors.Join(err, answer.Body.Close())
}
