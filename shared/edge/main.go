package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/gin-gonic/gin"

	"sluice/shared/api"
	"sluice/shared/config"
	"sluice/shared/observe"
)

// Open opens what the apps are made from, and returns what closes it.
type Open func(context.Context, config.Config, *slog.Logger) (api.Deps, func() error, error)

// Main is the whole main of a function that answers requests by an app. On
// Lambda it answers the events of the transport that SLUICE_TRANSPORT names; it
// is a plain HTTP server anywhere else. It sets Stopping, BaseURL
// and Most of what open returns.
//
// The process ends with it: with 1 after an error, which is on standard error.
func Main(open Open, app func(api.Deps) *gin.Engine) {
	exit(func(ctx context.Context, c config.Config, log *slog.Logger) error {
		if onLambda(c) {
			return answerRequests(ctx, c, log, open, app)
		}
		return servePlain(ctx, c, log, open, app)
	})
}

// Events is the whole main of a function that handles events. Anywhere but on
// Lambda it handles the one on standard input, and writes what it returns to
// standard output.
func Events(open Open, handler func(api.Deps) Handle) {
	exit(func(ctx context.Context, c config.Config, log *slog.Logger) error {
		deps, closeStores, err := open(ctx, c, log)
		if err != nil {
			return err
		}
		deps.Stopping, deps.BaseURL = never, publicURL(c)
		if onLambda(c) {
			lambda.Start(handler(deps)) // it does not return
		}
		return errors.Join(handleOne(ctx, handler(deps), os.Stdin, os.Stdout), closeStores())
	})
}

// onLambda reports whether the process is a function of Lambda's.
func onLambda(c config.Config) bool { return c.RuntimeAPI != "" }

// exit runs what a process is for, with its settings from the environment, and
// ends the process. A signal ends the context, a second one the process. On
// Lambda, which waits for nothing, the first does: to watch for it would only
// make each start longer.
func exit(run func(context.Context, config.Config, *slog.Logger) error) {
	c, err := config.Load(nil, os.Getenv)
	if err == nil {
		ctx := context.Background()
		if !onLambda(c) {
			ctx = untilSignal(ctx)
		}
		err = run(ctx, c, observe.NewLogger(os.Stderr, c.LogLevel))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1) //nolint:revive // it stands for main
	}
}

// untilSignal returns a context that the first signal ends. The second one ends
// the process.
func untilSignal(ctx context.Context) context.Context {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
}

// answerRequests answers events until the platform ends the process. Nothing is
// closed therefore.
func answerRequests(ctx context.Context, c config.Config, log *slog.Logger, open Open, app func(api.Deps) *gin.Engine) error {
	transport, err := transportOf(c)
	if err != nil {
		return err
	}
	deps, _, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	lambda.Start(NewFunction(transport, publicURL(c), deps, app).Invoke)
	return nil
}

// NewFunction returns what answers the events of a transport by the app of d. An
// empty base is for what the events tell of their own.
func NewFunction(t Transport, base string, d api.Deps, app func(api.Deps) *gin.Engine) *Function {
	d.Stopping, d.BaseURL, d.Most = never, base, t.Most()
	f := &Function{Transport: t, Log: d.Log}
	if d.Recorder != nil {
		f.After = d.Recorder.Flush
	}
	f.App = app(d)
	return f
}

// servePlain serves over plain HTTP until a signal.
func servePlain(ctx context.Context, c config.Config, log *slog.Logger, open Open, app func(api.Deps) *gin.Engine) error {
	deps, closeStores, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	p, err := NewPlain(ctx, c, log, deps, app, nil)
	if err != nil {
		return errors.Join(err, closeStores())
	}
	log.InfoContext(ctx, "serving", "addr", p.Addr().String())
	var beside []func(context.Context)
	if deps.Recorder != nil {
		beside = append(beside, deps.Recorder.Run) // as a server does; on Lambda, counts are written before an answer ends
	}
	return errors.Join(p.Serve(ctx, beside...), closeStores())
}

// handleOne handles the event that r holds.
func handleOne(ctx context.Context, handle Handle, r io.Reader, w io.Writer) error {
	event, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	answer, err := handle(ctx, event)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(answer)
}

// publicURL returns what absolute URLs begin with, if the operator says so.
func publicURL(c config.Config) string {
	if c.PublicURL == nil {
		return ""
	}
	return strings.TrimSuffix(c.PublicURL.String(), "/")
}

func never() bool { return false }
