package catalog_test

import (
	"testing"
	"time"

	"sluice/shared/catalog"
)

func (s *store) downloads(q catalog.DownloadQuery) []catalog.Download {
	s.t.Helper()
	q.From, q.To = s.clock.Now().AddDate(0, 0, -5), s.clock.Now()
	var all []catalog.Download
	if err := s.Downloads(s.t.Context(), q, func(d catalog.Download) bool { all = append(all, d); return true }); err != nil {
		s.t.Fatal(err)
	}
	return all
}

func TestDownloadsAreWrittenAgainAndJoined(t *testing.T) {
	now := noon().Now()
	run := func(name string, first, last time.Duration, state catalog.DownloadState) catalog.Download {
		return catalog.Download{
			Session: "session", Day: now.Format(time.DateOnly), Run: name, Owner: "owner", File: "file", Version: "version",
			Client: name, Requests: 1, Bytes: 10, FirstAt: now.Add(first), LastAt: now.Add(last), State: state,
		}
	}
	const completed, aborted, running = catalog.DownloadCompleted, catalog.DownloadAborted, catalog.DownloadRunning
	for _, c := range []struct {
		name  string
		runs  []catalog.Download
		state catalog.DownloadState
		bytes int64
	}{
		{"one", []catalog.Download{run("1", 0, 1, completed)}, completed, 10},
		{"written twice", []catalog.Download{run("1", 0, 1, completed), run("1", 0, 1, completed)}, completed, 10},
		{"written later", []catalog.Download{run("1", 0, 1, running), run("1", 0, 9, aborted)}, aborted, 10},
		{"two, the later completed", []catalog.Download{run("1", 0, 1e9, aborted), run("2", 2e9, 3e9, completed)}, completed, 20},
		{"two, the later aborted", []catalog.Download{run("2", 0, 1e9, completed), run("1", 2e9, 3e9, aborted)}, aborted, 20},
		{"one still running", []catalog.Download{run("1", 0, 1e9, running), run("2", 2e9, 3e9, completed)}, running, 20},
		{"crashed", []catalog.Download{run("1", -1, -2*time.Minute, running)}, aborted, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			for _, d := range c.runs {
				if err := s.PutDownloads(t.Context(), []catalog.Download{d}); err != nil {
					t.Fatal(err)
				}
			}
			got := s.downloads(catalog.DownloadQuery{})
			if len(got) != 1 || got[0].State != c.state || got[0].Bytes != c.bytes || got[0].Requests != c.bytes/10 {
				t.Errorf("got %+v, want one line, %s, of %d bytes", got, c.state, c.bytes)
			}
		})
	}
}

func TestDownloadsByOwnerUserAndFile(t *testing.T) {
	s := open(t)
	var all []catalog.Download
	for _, day := range []int{0, -1} {
		for _, owner := range []string{"o", "o2"} {
			for _, user := range []string{"u", "u2"} {
				at := s.clock.Now().AddDate(0, 0, day)
				all = append(all, catalog.Download{
					Session: owner + user, Day: at.Format(time.DateOnly), Run: "1", Owner: owner, File: owner + "'s", User: user, FirstAt: at, LastAt: at,
				})
			}
		}
	}
	for range 2 {
		if err := s.PutDownloads(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		query catalog.DownloadQuery
		want  int
	}{
		{catalog.DownloadQuery{}, 8},
		{catalog.DownloadQuery{Owner: "o"}, 4},
		{catalog.DownloadQuery{User: "u"}, 4},
		{catalog.DownloadQuery{File: "o2's"}, 4},
		{catalog.DownloadQuery{Owner: "o", User: "u2"}, 2},
		{catalog.DownloadQuery{Owner: "o", File: "o2's"}, 0},
		{catalog.DownloadQuery{Owner: "nobody"}, 0},
	} {
		if got := s.downloads(c.query); len(got) != c.want {
			t.Errorf("%+v has %d lines, want %d", c.query, len(got), c.want)
		}
	}
	whole := s.downloads(catalog.DownloadQuery{})
	for i, line := range whole {
		if rest := s.downloads(catalog.DownloadQuery{After: line.Position()}); len(rest) != len(whole)-i-1 {
			t.Errorf("behind line %d of %d are %d", i+1, len(whole), len(rest))
		}
	}
	s.clock.Advance(401 * 24 * time.Hour)
	if got := s.downloads(catalog.DownloadQuery{}); len(got) != 0 {
		t.Errorf("after 401 days there are %d lines, want none", len(got))
	}
}
