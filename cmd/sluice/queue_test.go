package main

import (
	"path"
	"slices"
	"strings"
	"testing"

	"sluice/shared/fetch"
)

func TestTheOrderOfFiles(t *testing.T) {
	for _, c := range []struct{ name, patterns, urls, want string }{
		{"as asked for", "", "http://x/b http://x/a http://x/c", "b a c"},
		{"by a pattern", "a*", "http://x/b http://x/a1?x=b http://x/a2", "a1 a2 b"},
		{"by two patterns", "c* a*", "http://x/b http://x/a http://x/in/c", "c a b"},
		{"by a pattern that none fits", "d", "http://x/b http://x/a", "b a"},
		{"by what only a folder is named", "in", "http://x/b http://x/in/a", "b a"},
		{"with what is no URL", "a", "http://[ http://x/a", "a ["},
	} {
		var requests []download
		for url := range strings.FieldsSeq(c.urls) {
			requests = append(requests, download{Request: fetch.Request{Sources: []fetch.Source{{URL: url}}}})
		}
		getSettings{priority: strings.Fields(c.patterns)}.prioritize(requests)
		var got []string
		for _, i := range byPriority(requests) {
			name, _, _ := strings.Cut(path.Base(requests[i].Sources[0].URL), "?")
			got = append(got, name)
		}
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s: the files come as %q, want %s", c.name, got, c.want)
		}
	}
}
