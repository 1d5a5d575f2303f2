package fetch_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

// TestURLsAreRenewed is of what a URL redirects to, and of URLs that end.
func TestURLsAreRenewed(t *testing.T) {
	t.Run("that were redirected to", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			signed := 0
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				signed++
				ft.Status(307, "Location", fmt.Sprintf("http://store.test/%d", signed))(w, req)
			}))
			asked := map[string]int{}
			var mu sync.Mutex
			r.network.Serve(t, "store.test:80", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				mu.Lock()
				asked[req.URL.Path]++
				over := asked[req.URL.Path] > 2
				mu.Unlock()
				if over {
					ft.Status(403)(w, req)
					return
				}
				file.ServeHTTP(w, req)
			}))
			_, err := r.get(t)
			check(t, r.dir, err, file, "")
			if len(asked) < 2 {
				t.Errorf("asked %v, want more than one URL", asked)
			}
		})
	})
	for _, c := range []struct {
		name  string
		known bool // when they end
	}{{"that are known to end", true}, {"that a server refuses", false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				refused := 0
				var mu sync.Mutex
				r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					until, err := time.ParseDuration(strings.TrimPrefix(req.URL.Path, "/"))
					if err != nil || time.Since(began) > until {
						mu.Lock()
						refused++
						mu.Unlock()
						ft.Status(403)(w, req)
						return
					}
					file.Clamped(64<<10)(&slowly{w}, req)
				}))
				const life = 3 * time.Minute
				renewals := 0
				var fresh func() fetch.Source
				fresh = func() fetch.Source {
					end := time.Since(began) + life
					s := fetch.Source{URL: "http://a.test/" + end.String()}
					if c.known {
						s.Expires = began.Add(end)
					}
					s.Renew = func(context.Context) (fetch.Source, error) { renewals++; return fresh(), nil }
					return s
				}
				r.request.Sources[0] = fresh()
				r.options.MaxConnections = 1
				_, err := r.get(t)
				check(t, r.dir, err, file, "")
				if renewals == 0 || c.known && refused > 0 {
					t.Errorf("%d renewals, %d refusals", renewals, refused)
				}
			})
		})
	}
}

// slowly takes five seconds to answer.
type slowly struct{ http.ResponseWriter }

func (s *slowly) WriteHeader(status int) {
	timer := time.NewTimer(5 * time.Second)
	<-timer.C
	s.ResponseWriter.WriteHeader(status)
}
