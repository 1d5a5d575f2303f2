package fetch_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"sluice/shared/fault"
	ft "sluice/shared/fetch/fetchtest"
)

// heard collects what requests to a server held.
type heard struct {
	mu     sync.Mutex
	fields []http.Header
}

func (h *heard) by(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.fields = append(h.fields, r.Header.Clone())
		h.mu.Unlock()
		next.ServeHTTP(w, r)
	}
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	for _, c := range []struct {
		name, location string
		kept           bool
	}{
		{"another host", "http://b.test/file.bin", false},
		{"another port", "http://a.test:8080/file.bin", false},
		{"a host under it", "http://sub.a.test/file.bin", false},
		{"its own, by the port that is meant", "http://a.test:80/real", true},
		{"its own", "/real", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var home, away heard
				r := newRig(t, home.by(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					if req.URL.Path == "/real" {
						file.ServeHTTP(w, req)
						return
					}
					ft.Status(307, "Location", c.location)(w, req)
				})))
				for _, address := range []string{"b.test:80", "a.test:8080", "sub.a.test:80"} {
					r.network.Serve(t, address, away.by(file))
				}
				r.request.Sources[0].Header = http.Header{"Cookie": {"id=secret"}, "X-Api-Key": {"secret"}}
				r.options.Credentials = func(u *url.URL) string { return "Bearer secret for " + u.Host }
				_, err := r.get(t)
				check(t, r.dir, err, file, "")
				if got := home.fields[0]; got.Get("Authorization") != "Bearer secret for a.test" || got.Get("Cookie") != "id=secret" {
					t.Errorf("its own host was sent %v", got)
				}
				if c.kept != (len(away.fields) == 0) {
					t.Errorf("%d requests went elsewhere", len(away.fields))
				}
				for _, fields := range away.fields {
					if text := fmt.Sprint(fields); strings.Contains(text, "secret") || fields.Get("Referer") != "" {
						t.Errorf("another host was sent %s", text)
					}
				}
			})
		})
	}
}

func TestErrorsHoldNoSecrets(t *testing.T) {
	const secret = "hunter2"
	for _, serve := range []http.Handler{ft.Always(ft.Hangup), ft.Always(ft.Status(403)), ft.Always(ft.Status(302, "Location", "http://none.test/"+secret)), ft.Always(file.Multipart)} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, serve)
			r.request.Sources[0].URL = "http://user:" + secret + "@a.test/" + secret + "?signature=" + secret
			r.options.Retries = 1
			_, err := r.get(t)
			if f, ok := errors.AsType[*fault.Error](err); !ok || strings.Contains(f.Error(), secret) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
