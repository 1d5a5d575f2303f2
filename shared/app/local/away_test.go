package local_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"go.uber.org/goleak"

	"sluice/localstack/stores"
	"sluice/shared/app/local"
	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/config"
	"sluice/shared/table/dynamotable"
)

// onDynamoDB starts a server whose records are in an emulator.
func onDynamoDB(t *testing.T, d *stores.DynamoDB) *localtest.Site {
	t.Helper()
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", d.Endpoint)
	t.Setenv("AWS_REGION", d.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", d.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", d.SecretKey)
	store := dynamotable.Open(aws.Config{
		Region: d.Region, BaseEndpoint: aws.String(d.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(d.AccessKey, d.SecretKey, ""),
	})
	defer store.Close()
	for _, name := range []string{"records", "records-hot"} {
		if _, err := store.Create(t.Context(), name, dynamotable.Settings{}); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	still := local.Options{Clock: func() time.Time { return now }} // so that no cache grows old, however slow the machine
	return localtest.StartWith(t, still, func(c *config.Config) { c.Table = &url.URL{Scheme: "dynamodb", Host: "records"} })
}

// TestDynamoDBAway kills the record store under a server: what is cached goes
// on, the rest is told to try again, and once the store is back all goes on as
// if nothing had been, the counting of downloads too.
func TestDynamoDBAway(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	d := stores.Dynoxide(t)
	s := onDynamoDB(t, d)
	ada := s.User("ada", auth.User)
	ada.Put("/file/ada/kept", "content")
	get(t, ada, "/file/ada/kept", "content")
	ada.Do(http.MethodGet, "/readyz", nil).Want(t, http.StatusOK)

	d.Kill()
	get(t, ada, "/file/ada/kept", "content")
	for _, request := range []struct{ method, path string }{
		{http.MethodGet, "/file/ada/another"},
		{http.MethodPut, "/file/ada/new"},
		{http.MethodDelete, "/file/ada/kept"},
		{http.MethodGet, "/api/files"},
	} {
		a := ada.Do(request.method, request.path, nil).Want(t, http.StatusServiceUnavailable)
		if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || seconds < 1 {
			t.Errorf("%s %s while the store is away: Retry-After %q, want seconds", request.method, request.path, a.Header.Get("Retry-After"))
		}
	}
	ada.Do(http.MethodGet, "/readyz", nil).Want(t, http.StatusServiceUnavailable)

	d.Start()
	ada.Do(http.MethodGet, "/readyz", nil).Want(t, http.StatusOK)
	ada.Put("/file/ada/new", "more")
	get(t, ada, "/file/ada/new", "more")
	get(t, ada, "/file/ada/kept", "content")
	wantCounted(t, ada, 4, 3*len("content")+len("more"))
}

// wantCounted waits until the audit has counted so much. What could not be
// written is written within seconds, by the server itself.
func wantCounted(t *testing.T, c *localtest.Client, wantRequests, wantBytes int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		var audit struct {
			Downloads []struct {
				Requests int
				Bytes    int `json:"bytes_delivered"`
			}
		}
		a := c.Do(http.MethodGet, "/api/audit", nil).Want(t, http.StatusOK)
		if err := json.Unmarshal(a.Body, &audit); err != nil {
			t.Fatal(err)
		}
		requests, bytes := 0, 0
		for _, line := range audit.Downloads {
			requests, bytes = requests+line.Requests, bytes+line.Bytes
		}
		if requests == wantRequests && bytes == wantBytes {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the audit counts %d requests and %d bytes, want %d and %d: %s", requests, bytes, wantRequests, wantBytes, a.Body)
		}
	}
}

// get downloads a file and waits until the server is through with it.
func get(t *testing.T, c *localtest.Client, path, want string) {
	t.Helper()
	a := c.Do(http.MethodGet, path, nil).Want(t, http.StatusOK)
	if string(a.Body) != want {
		t.Errorf("%s is %q, want %q", path, a.Body, want)
	}
	c.Site.Log.RequestLine(t, a.Header.Get("X-Request-Id"))
}
