package edgetest_test

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/shared/app/local/localtest"
	"sluice/shared/config"
	"sluice/shared/edge/edgetest"
)

// TestParityOfBootstraps is TestParity with the compiled functions, each run by
// a Runtime API as Lambda would, on MinIO and a DynamoDB emulator.
func TestParityOfBootstraps(t *testing.T) {
	_, blobs := localtest.MinIO(t)
	tables := localtest.Dynoxide(t)
	built := build(t, "auth", "files", "download")
	on := func(name string) []func(*config.Config) {
		return []func(*config.Config){in(name, blobs), tables, func(c *config.Config) { c.Table = &url.URL{Scheme: "dynamodb", Host: "sluice-" + name} }}
	}
	plain := plainAnswers(t, on("plain")...)
	for _, transport := range edgetest.Transports() {
		t.Run(string(transport), func(t *testing.T) {
			w := newWorld(t, on(string(transport))...)
			w.through(transport, nil)
			w.client.Transport = deployed(t, w, transport, built)
			compare(t, w, transport, plain)
		})
	}
}

// build compiles functions for this machine, with the flags of a deployment.
func build(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "lambda.norpc,nomsgpack,nethttpomithttp2", "-ldflags", "-s -w",
			"-o", filepath.Join(dir, name, "bootstrap"), "sluice/functions/"+name)
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	return dir
}

// functions are those of a deployment, by name, each behind a gateway.
type functions map[string]*edgetest.Gateway

// deployed starts the functions of a world for a transport.
func deployed(t *testing.T, w *world, transport edgetest.Transport, built string) functions {
	t.Helper()
	c, env := w.site.Config, []string{"SLUICE_TRANSPORT=" + string(transport)}
	for name, value := range map[string]string{
		"BLOB": c.Blob.String(), "TABLE": c.Table.String(), "KEYS": c.Keys.String(), "PUBLIC_URL": w.site.URL, "DELIVERY": c.Delivery,
		"UPLOAD_PARTS": c.UploadParts, "MAX_SESSIONS": "2", "CORS_ORIGINS": strings.Join(c.CORSOrigins, ","), "WEBHOOK_TOKEN": webhookToken,
	} {
		env = append(env, "SLUICE_"+name+"="+value)
	}
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB"} {
		env = append(env, name+"="+os.Getenv(name))
	}
	all := functions{}
	for _, name := range []string{"auth", "files", "download"} {
		sandbox, err := edgetest.Start(t.Context(), edgetest.Process{Path: filepath.Join(built, name, "bootstrap"), Env: env, Log: logged{t}})
		if err != nil {
			t.Fatalf("start %s: %v", name, err)
		}
		t.Cleanup(func() {
			if err := sandbox.Close(); err != nil {
				t.Errorf("close %s: %v", name, err)
			}
		})
		all[name] = &edgetest.Gateway{Transport: transport, Function: sandbox}
	}
	return all
}

// logged has a function's errors in the test's log, and not its requests.
type logged struct{ t *testing.T }

func (l logged) Write(p []byte) (int, error) {
	if !strings.Contains(string(p), `"msg":"request"`) {
		l.t.Logf("%s", p)
	}
	return len(p), nil
}

// RoundTrip sends a request to the function that it is for, as the routes of a
// gateway do.
func (f functions) RoundTrip(r *http.Request) (*http.Response, error) {
	return f[functionOf(r.Method, r.URL.Path)].RoundTrip(r)
}

func functionOf(method, path string) string {
	for _, prefix := range []string{"/api/login", "/api/token/", "/api/logout", "/api/profile", "/api/users", "/.well-known/"} {
		if strings.HasPrefix(path, prefix) {
			return "auth"
		}
	}
	reads := method == http.MethodGet || method == http.MethodHead
	switch {
	case strings.HasPrefix(path, "/l/"), strings.HasPrefix(path, "/s/"), strings.HasSuffix(path, "/content"), reads && strings.HasPrefix(path, "/file/"):
		return "download"
	default:
		return "files"
	}
}
