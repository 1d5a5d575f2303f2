package edgetest_test

import (
	"slices"
	"testing"

	"sluice/shared/app/local/localtest"
	"sluice/shared/config"
	"sluice/shared/edge/edgetest"
)

// in returns an edit that puts a world's blobs in a folder of the store.
func in(folder string, blobs func(*config.Config)) func(*config.Config) {
	return func(c *config.Config) {
		blobs(c)
		u := *c.Blob
		u.Path = "/" + folder + "/"
		c.Blob = &u
	}
}

// plainAnswers asks a plain server, and holds it to the statuses of the table.
func plainAnswers(t *testing.T, edits ...func(*config.Config)) []answer {
	t.Helper()
	w := newWorld(t, edits...)
	var answers []answer
	for _, r := range rows() {
		a := w.ask(r)
		if a.status != r.want || a.broken != "" {
			t.Errorf("%s: %s with %q = %s\nwant %d", r.name, w.fill(r.request), r.fields, a, r.want)
		}
		answers = append(answers, w.masked(a))
	}
	return answers
}

// compare asks every row of a world by its transport, and wants net/http's
// answers, but for the differences that are named; each of these must show.
func compare(t *testing.T, w *world, transport edgetest.Transport, plain []answer) {
	t.Helper()
	shown := map[string]int{}
	for i, r := range rows() {
		got := w.masked(w.ask(r))
		want, names := wanted(w, transport, r, plain[i], got)
		for _, name := range names {
			shown[name]++
		}
		if got.String() != want.String() {
			t.Errorf("%s: %s with %q by %s, but for %q:\n got %s\nwant %s\n%s", r.name, r.request, r.fields, transport, names, got, want, got.cause)
		}
	}
	for _, d := range differences {
		if slices.Contains(d.on, transport) && shown[d.name] == 0 {
			t.Errorf("no row shows the difference %q of %s", d.name, transport)
		}
	}
}

// TestParity sends the same requests to a plain server and, in turn, by every
// transport to a deployment of its own.
func TestParity(t *testing.T) {
	_, blobs := localtest.MinIO(t)
	plain := plainAnswers(t, in("plain", blobs))
	for _, transport := range edgetest.Transports() {
		t.Run(string(transport), func(t *testing.T) {
			w := newWorld(t, in(string(transport), blobs))
			w.through(transport, inProcess(w, transport))
			compare(t, w, transport, plain)
		})
	}
}
