package fetch_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/fetch"
	ft "sluice/shared/fetch/fetchtest"
)

func TestLimitRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, file)
		const seconds = 90
		r.options.LimitRate = ft.Size / seconds
		began := time.Now()
		_, err := r.get(t)
		check(t, r.dir, err, file, "")
		if took := time.Since(began).Seconds(); took < seconds*0.95 || took > seconds*1.1 {
			t.Errorf("it took %.1f s, want %d", took, seconds)
		}
	})
}

func TestFilesComeInTheOrderOfTheirPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []string
		r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			heard = append(heard, req.URL.Path)
			small.Slow(100, time.Second)(w, req)
		}))
		r.options.MaxConnections = 1
		c := fetch.New(r.options)
		defer c.Close()
		var all []*fetch.Transfer
		for i, priority := range []int{9, 1, 5, 3} { // the first has begun when the others come
			r.request.Sources[0].URL = fmt.Sprintf("http://a.test/%d", priority)
			r.request.Name, r.request.Priority = fmt.Sprint(i), priority
			one := r.request
			one.Sources = []fetch.Source{r.request.Sources[0]}
			all = append(all, c.Start(t.Context(), one))
			synctest.Wait()
		}
		for _, transfer := range all {
			if _, err := transfer.Wait(); err != nil {
				t.Error(err)
			}
		}
		if got := strings.Join(heard, " "); got != "/9 /5 /3 /1" {
			t.Errorf("they came as %s, want /9 /5 /3 /1", got)
		}
	})
}
