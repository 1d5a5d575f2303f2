package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"

	"sluice/shared/api"
	"sluice/shared/app/local"
	"sluice/shared/config"
	"sluice/shared/edge"
)

// mainEnv names what the test binary is to be the main of, instead of the tests.
const mainEnv = "SLUICE_TEST_MAIN"

func TestMain(m *testing.M) {
	switch os.Getenv(mainEnv) {
	case "auth":
		edge.Main(openLocal, api.Auth)
	case "broken":
		edge.Main(openLocal, func(api.Deps) *gin.Engine {
			engine := gin.New()
			engine.GET("/", func(c *gin.Context) {
				fmt.Fprint(c.Writer, "half")
				panic(http.ErrAbortHandler)
			})
			return engine
		})
	case "events":
		edge.Events(openLocal, func(d api.Deps) edge.Handle {
			return func(_ context.Context, event json.RawMessage) (any, error) {
				var in struct{ Fail bool }
				if err := json.Unmarshal(event, &in); err != nil || in.Fail {
					return nil, errors.Join(err, errors.New("it failed"))
				}
				return map[string]any{"event": event, "base": d.BaseURL, "stopping": d.Stopping()}, nil
			}
		})
	default:
		goleak.VerifyTestMain(m)
	}
}

func openLocal(ctx context.Context, c config.Config, log *slog.Logger) (api.Deps, func() error, error) {
	app, err := local.Open(ctx, c, log)
	if err != nil {
		return api.Deps{}, nil, err
	}
	return app.Deps, app.Close, nil
}

// program is the test binary as the main of something.
func program(t *testing.T, main string, env ...string) *exec.Cmd {
	t.Helper()
	p := exec.CommandContext(t.Context(), os.Args[0])
	p.Env = append([]string{mainEnv + "=" + main, "SLUICE_DATA=" + t.TempDir(), "SLUICE_ADDR=127.0.0.1:0", "TMPDIR=" + t.TempDir()}, env...)
	return p
}

// Outside Lambda a function is a plain server, whatever transport is named.
func TestMainServesPlainHTTP(t *testing.T) {
	p := program(t, "auth", "SLUICE_TRANSPORT=rest")
	log, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	var line struct{ Msg, Addr string }
	lines := bufio.NewScanner(log)
	for line.Msg != "serving" && lines.Scan() {
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
	}
	if status, _, body, err := get(t, client(t, nil), "http://"+line.Addr+"/healthz"); err != nil || status != http.StatusOK {
		t.Errorf("/healthz = %d %s, %v, want 200", status, body, err)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(log)
	if err := errors.Join(err, p.Wait()); err != nil || !bytes.Contains(rest, []byte(`"stopped"`)) {
		t.Errorf("after SIGTERM: %v, and the log %s; want a clean end", err, rest)
	}
}

// On Lambda the transport is checked at the start.
func TestMainWantsATransport(t *testing.T) {
	for _, c := range []struct{ transport, want string }{
		{"", "SLUICE_TRANSPORT: name the events that come: rest, http, alb, url-stream, rest-stream"},
		{"url", `SLUICE_TRANSPORT: "url" is not one of: rest, http, alb, url-stream, rest-stream`},
		{"alb", "SLUICE_PUBLIC_URL: it is needed behind a load balancer"},
	} {
		out, err := program(t, "auth", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1", "SLUICE_TRANSPORT="+c.transport).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.HasPrefix(string(out), "error: "+c.want) {
			t.Errorf("SLUICE_TRANSPORT=%s: %v, %s; want exit status 1 and %s", c.transport, err, out, c.want)
		}
	}
}

func TestMainTellsWhatAServerLacks(t *testing.T) {
	for setting, want := range map[string]string{
		"SLUICE_METRICS_ADDR=127.0.0.1:0": "error: SLUICE_METRICS_ADDR: a function has no metrics to serve",
		"SLUICE_ADDR=192.0.2.1:1":         "error: SLUICE_ADDR: ",
	} {
		out, err := program(t, "auth", setting).CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s: %v, %s; want %s", setting, err, out, want)
		}
	}
}

// posted is what a function posts to the Runtime API.
type posted struct {
	path, contentType, body string
	trailer                 http.Header
}

// runOnLambda runs a program on a Runtime API that has one event, and returns
// what it answers.
func runOnLambda(t *testing.T, main string, transport edge.Transport, event json.RawMessage) posted {
	t.Helper()
	answer, asked := make(chan posted, 1), false
	runtime := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("the answer breaks off: %v", err)
			}
			w.WriteHeader(http.StatusAccepted)
			answer <- posted{r.URL.Path, r.Header.Get("Content-Type"), string(body), r.Trailer}
		case asked:
			<-r.Context().Done() // there is no other event
		default:
			asked = true
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10))
			_, _ = w.Write(event)
		}
	}))
	defer runtime.Close()
	p := program(t, main, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(runtime.URL, "http://"), "SLUICE_TRANSPORT="+string(transport), "SLUICE_PUBLIC_URL=https://files.example")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Wait() // its error is that it was killed
	defer p.Process.Kill()
	select {
	case a := <-answer:
		return a
	case <-time.After(time.Minute):
		t.Fatal("no answer within a minute")
		return posted{}
	}
}

func TestMainAnswersEvents(t *testing.T) {
	for _, transport := range transports() {
		got := runOnLambda(t, "auth", transport, question{path: "/healthz"}.event(t, transport))
		wantType := "application/json"
		if transport.Streams() {
			wantType = "application/vnd.awslambda.http-integration-response"
		}
		if !strings.HasSuffix(got.path, "/invocation/1/response") || got.contentType != wantType || !strings.HasPrefix(got.body, `{"statusCode":200,`) || !strings.Contains(got.body, "ok") {
			t.Errorf("%s: %s to %s: %s; want %s with status 200", transport, got.contentType, got.path, got.body, wantType)
		}
		if got.trailer.Get("Lambda-Runtime-Function-Error-Type") != "" {
			t.Errorf("%s: a whole answer has the trailers %v", transport, got.trailer)
		}
	}
}

// A body that breaks off ends with trailers that say so.
func TestABrokenStreamHasErrorTrailers(t *testing.T) {
	for _, transport := range streamedTransports() {
		got := runOnLambda(t, "broken", transport, question{path: "/"}.event(t, transport))
		if kind := got.trailer.Get("Lambda-Runtime-Function-Error-Type"); !strings.HasSuffix(got.body, "\x00half") || kind != "BrokenError" || got.trailer.Get("Lambda-Runtime-Function-Error-Body") == "" {
			t.Errorf("%s: %q with the trailers %v; want half a body and a BrokenError", transport, got.body, got.trailer)
		}
	}
}

func TestAnEventOfAnotherKindIsReported(t *testing.T) {
	got := runOnLambda(t, "auth", edge.REST, json.RawMessage(`{"rawPath":"/"}`))
	if !strings.HasSuffix(got.path, "/invocation/1/error") || !strings.Contains(got.body, "the event is not of transport rest") {
		t.Errorf("%s to %s; want an error that names the transport", got.body, got.path)
	}
}

// Outside Lambda a function of events handles the one on standard input.
func TestEventsHandlesStandardInput(t *testing.T) {
	for _, c := range []struct{ in, out, err string }{
		{`{"a":1}`, `{"base":"https://files.example","event":{"a":1},"stopping":false}` + "\n", ""},
		{`{"fail":true}`, "", "error: it failed\n"},
	} {
		p := program(t, "events", "SLUICE_PUBLIC_URL=https://files.example")
		var out, failed bytes.Buffer
		p.Stdin, p.Stdout, p.Stderr = strings.NewReader(c.in), &out, &failed
		if err := p.Run(); (err != nil) != (c.err != "") || out.String() != c.out || failed.String() != c.err {
			t.Errorf("%s: %v, %q and %q; want %q and %q", c.in, err, &out, &failed, c.out, c.err)
		}
	}
}

func TestEventsAnswersLambda(t *testing.T) {
	got := runOnLambda(t, "events", "", json.RawMessage(`{"a":1}`))
	if want := `{"base":"https://files.example","event":{"a":1},"stopping":false}`; !strings.HasSuffix(got.path, "/response") || got.body != want {
		t.Errorf("%s to %s, want %s", got.body, got.path, want)
	}
	got = runOnLambda(t, "events", "", json.RawMessage(`{"fail":true}`))
	if !strings.HasSuffix(got.path, "/error") || !strings.Contains(got.body, "it failed") {
		t.Errorf("%s to %s, want the error", got.body, got.path)
	}
}

// A function links no more than its own imports: the edge brings no store.
func TestTheEdgeLinksNoStore(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "sluice/shared/edge").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		for _, store := range []string{"github.com/aws/aws-sdk-go-v2", "go.etcd.io/bbolt", "sluice/shared/app"} {
			if strings.HasPrefix(dep, store) {
				t.Errorf("the edge links %s", strings.TrimSpace(dep))
			}
		}
	}
}
