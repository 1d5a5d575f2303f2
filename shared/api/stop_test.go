package api_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"sluice/shared/app/local/localtest"
	"sluice/shared/config"
)

// refused waits until a server takes no connection more.
func refused(t *testing.T, site *localtest.Site) {
	t.Helper()
	_, addr, _ := strings.Cut(site.URL, "://")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
	t.Fatal("a minute after the stop the server still takes connections")
}

func TestAStopLetsDownloadsEnd(t *testing.T) {
	t.Parallel()
	sideBySide(t, wires, func(t *testing.T, w wire) {
		site := w.site(t)
		c := site.Admin()
		content := large()[:enough]
		upload(t, c, content)
		a := begin(t, w.client(t, c, nil))
		stopped := make(chan struct{})
		go func() {
			site.Stop()
			close(stopped)
		}()
		refused(t, site)
		if other, err := c.Try(http.MethodGet, "/file/admin/x", nil); err == nil && other.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a request after the stop = %s, want none or 503", other.Status)
		}
		select {
		case <-stopped:
			t.Error("the server has stopped while a download was running")
		default:
		}
		if got, err := io.ReadAll(a.Body); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d of %d bytes came, %v, want all", len(got), len(content), err)
		}
		<-stopped
	})
}

func TestAStopEndsWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	sideBySide(t, wires, func(t *testing.T, w wire) {
		site := w.site(t, func(c *config.Config) { c.Stall, c.StopTimeout = time.Hour, stall/5 })
		c := site.Admin()
		content := large()[:enough]
		upload(t, c, content)
		a := begin(t, w.client(t, c, nil))
		began := time.Now()
		site.Stop()
		if took := time.Since(began); took > soon {
			t.Errorf("the stop took %v, want %v at most", took, soon)
		}
		if got, err := io.ReadAll(a.Body); err == nil || !bytes.HasPrefix(content, got) {
			t.Errorf("%d of %d bytes came, %v, want the first ones and an error", len(got), len(content), err)
		}
		if line := site.Log.RequestLine(t, a.Header.Get("X-Request-Id")); line["event"] != "download.aborted" {
			t.Errorf("the log says %v, want download.aborted", line)
		}
	})
}

// TestNothingIsLeftRunning is not parallel, so that what runs is its own.
func TestNothingIsLeftRunning(t *testing.T) {
	for name, w := range wires {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			site := w.site(t)
			admin := site.Admin()
			content := large()[:enough]
			upload(t, admin, content)
			c := w.client(t, admin, nil)
			for range 2 {
				if got := c.Do(http.MethodGet, "/file/admin/x", nil).Want(t, http.StatusOK); len(got.Body) != len(content) {
					t.Errorf("%d bytes came, want %d", len(got.Body), len(content))
				}
				a := begin(t, c)
				_ = a.Body.Close() // hung up on
				if line := site.Log.RequestLine(t, a.Header.Get("X-Request-Id")); line["event"] != "download.aborted" {
					t.Errorf("the log says %v, want download.aborted", line)
				}
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, site.URL+"/file/admin/y", iotest.ErrReader(errors.New("the client broke off")))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+c.Token)
			if a, err := c.HTTP.Do(r); err == nil {
				t.Errorf("PUT of a broken body = %s, want an error", a.Status)
				_ = a.Body.Close()
			}
			site.Stop()
			admin.HTTP.CloseIdleConnections()
			c.HTTP.CloseIdleConnections()
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
		})
	}
}
