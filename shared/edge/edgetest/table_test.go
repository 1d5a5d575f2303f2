package edgetest_test

import (
	"slices"
	"strings"
	"testing"

	"sluice/shared/contract/contracttest"
	"sluice/shared/edge/edgetest"
)

// TestTheTableIsWhole holds the table to what it promises: at least 120
// requests, no two of one name, every operation of the contract taken and at
// most twelve differences, each with its cause.
func TestTheTableIsWhole(t *testing.T) {
	t.Parallel()
	taken, names := map[string]bool{}, map[string]bool{}
	operations := contracttest.New(t).Operations()
	for _, r := range rows() {
		for _, o := range operations {
			if r.want < 400 && r.asks(o) {
				taken[o.ID] = true
			}
		}
		if id := r.name + r.request + r.fields; names[id] {
			t.Errorf("%s stands there twice", r.name)
		} else {
			names[id] = true
		}
	}
	const least, most = 120, 12
	if len(names) < least {
		t.Errorf("there are %d requests, want %d", len(names), least)
	}
	for _, o := range operations {
		if !taken[o.ID] {
			t.Errorf("no row takes %s", o)
		}
	}
	if len(differences) > most {
		t.Errorf("there are %d differences, want at most %d", len(differences), most)
	}
	for _, d := range differences {
		if d.name == "" || d.cause == "" || len(d.on) == 0 || !slices.ContainsFunc(edgetest.Transports(), func(t edgetest.Transport) bool { return slices.Contains(d.on, t) }) {
			t.Errorf("a difference lacks its name, cause or transports: %q", d.name)
		}
	}
	if wanted := []int{400, 401, 403, 404, 405, 409, 412, 413, 415, 416, 422, 429, 460, 507}; !covers(wanted) {
		t.Errorf("not every status of %v occurs", wanted)
	}
}

func covers(statuses []int) bool {
	for _, r := range rows() {
		statuses = slices.DeleteFunc(statuses, func(s int) bool { return s == r.want })
	}
	return len(statuses) == 0
}

// asks reports whether a row's request is of an operation. What stands for a
// whole path, such as {link}, is of the operation that made it.
func (r row) asks(o contracttest.Operation) bool {
	method, path, _ := strings.Cut(r.request, " ")
	path, _, _ = strings.Cut(path, "?")
	path = strings.NewReplacer("{link}", "/l/x/x", "{link2}", "/l/x/x", "{part}", "/api/uploads/x/parts/1", "{tus}", "/api/tus/x", "{tus2}", "/api/tus/x", "{source}", "/s/x/x").Replace(path)
	got, want := strings.Split(path, "/"), strings.Split(o.Path, "/")
	if o.CatchAll && len(got) > len(want) {
		got = got[:len(want)]
	}
	return method == o.Method && slices.EqualFunc(got, want, func(g, w string) bool { return g == w || strings.HasPrefix(w, "{") })
}
