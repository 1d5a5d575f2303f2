package edgetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/shared/edge/edgetest"
)

// function builds the function of testdata.
func function(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc", "-o", path, "./testdata/function")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// start runs the function and returns a client of it.
func start(t *testing.T, path string, transport edgetest.Transport, timeout time.Duration) *http.Client {
	t.Helper()
	sandbox, err := edgetest.Start(t.Context(), edgetest.Process{
		Path: path, Env: []string{"SLUICE_TRANSPORT=" + string(transport)}, Timeout: timeout, Log: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sandbox.Close(); err != nil {
			t.Error(err)
		}
	})
	return &http.Client{Transport: &edgetest.Gateway{Transport: transport, Function: sandbox}}
}

func get(t *testing.T, c *http.Client, path string) (*http.Response, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

func TestABufferedFunction(t *testing.T) {
	t.Parallel()
	c := start(t, function(t), edgetest.REST, 0)
	for _, x := range []struct {
		path   string
		status int
		cause  string
	}{
		{"/", 200, ""},
		{"/error", 502, "as asked"},
		{"/", 200, ""}, // an error is no end
		{"/panic", 502, "as asked"},
		{"/", 200, ""}, // in another process
		{"/large", 502, "ResponseSizeTooLarge"},
		{"/", 200, ""},
	} {
		response, body, err := get(t, c, x.path)
		if cause := response.Header.Get(edgetest.CauseHeader); err != nil || response.StatusCode != x.status || !strings.Contains(cause, x.cause) {
			t.Errorf("GET %s = %s, cause %q, %v, want %d, cause %q", x.path, response.Status, cause, err, x.status, x.cause)
		}
		if x.status == 200 && body != "\x00\xff\x80" {
			t.Errorf("GET %s: the body is %q", x.path, body)
		}
	}
}

// overdue is a deadline that a busy machine keeps too.
const overdue = 3 * time.Second

func TestAFunctionThatIsLate(t *testing.T) {
	t.Parallel()
	c := start(t, function(t), edgetest.REST, overdue)
	for _, x := range []struct {
		path   string
		status int
	}{{"/wait", http.StatusBadGateway}, {"/", http.StatusOK}} { // in another process
		response, _, err := get(t, c, x.path)
		if cause := response.Header.Get(edgetest.CauseHeader); err != nil || response.StatusCode != x.status || strings.Contains(cause, "timed out") != (x.path == "/wait") {
			t.Errorf("GET %s = %s, cause %q, %v, want %d", x.path, response.Status, cause, err, x.status)
		}
	}
}

func TestAStreamedFunction(t *testing.T) {
	t.Parallel()
	c := start(t, function(t), edgetest.URLStream, 0)
	response, body, err := get(t, c, "/a%2Fb?c=%20")
	if err != nil || response.StatusCode != http.StatusPartialContent || body != "/a%2Fb?c=%20" {
		t.Errorf("%s %q, %v", response.Status, body, err)
	}
	if got := response.Header; len(got["Set-Cookie"]) != 2 || got.Get("X-Amzn-Remapped-Www-Authenticate") != "Bearer" || got.Get("Www-Authenticate") != "" || got.Get("Content-Length") != "" {
		t.Errorf("the header is %v", got)
	}
	if _, body, err := get(t, c, "/cut"); body != "/cut?" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that breaks off is %q, %v, want it broken", body, err)
	}
}

func TestAFunctionThatDoesNotStart(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	_, err := edgetest.Start(t.Context(), edgetest.Process{Path: function(t), Env: []string{"FAIL=1"}, Log: &log})
	if failure, ok := errors.AsType[*edgetest.FunctionError](err); !ok || failure.Type != "Runtime.ExitError" || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("it starts: %v", err)
	}
}

// Lambda does not stop a function whose client hangs up.
func TestAClientThatHangsUp(t *testing.T) {
	t.Parallel()
	c := start(t, function(t), edgetest.REST, overdue)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://example.com/wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ends with %v", err)
	}
	if response, _, _ := get(t, c, "/"); response.StatusCode != http.StatusOK {
		t.Errorf("the next one gets %s", response.Status)
	}
}
