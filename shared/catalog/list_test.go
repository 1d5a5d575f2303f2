package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/shared/catalog"
)

// entries lists page by page, and returns the paths and folders in the order
// in which they came: a page's files and folders are merged by their names.
func entries(t testing.TB, c *catalog.Catalog, l catalog.Listing, between func()) []string {
	t.Helper()
	var all []string
	for {
		page, err := c.List(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(page.Files) + len(page.Folders); n > l.Limit {
			t.Fatalf("a page of at most %d has %d entries", l.Limit, n)
		}
		all = append(all, merged(page, l.Descending)...)
		if !page.More {
			return all
		}
		if between != nil {
			between()
		}
		l.After = page.Last
	}
}

func merged(page catalog.Listed, descending bool) []string {
	names := slices.Clone(page.Folders)
	for _, f := range page.Files {
		names = append(names, f.Path)
	}
	slices.Sort(names)
	if descending {
		slices.Reverse(names)
	}
	return names
}

// model is what a listing is: the sorted paths behind a prefix, folded.
func model(paths []string, l catalog.Listing) []string {
	var names []string
	for _, path := range paths {
		rest, ok := strings.CutPrefix(path, l.Prefix)
		if !ok {
			continue
		}
		if folder, _, deeper := strings.Cut(rest, "/"); deeper && l.Folders {
			path = l.Prefix + folder + "/"
		}
		names = append(names, path)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if l.Descending {
		slices.Reverse(names)
	}
	return names
}

// segments are names of which many begin alike, differ around the slash in the
// order of bytes, or end where After has to carry.
var segments = []string{"a", "a!", "a.b", "a0", "aa", "b", "A", "ä", "z", "日本", "\u00ff", "\ud7ff", "\uffff", "\U0010ffff", "\U0010ffff\U0010ffff", "a\u0301"}

func drawPath() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(segments), 1, 3).Draw(t, "segments"), "/")
	})
}

func drawListing(t *rapid.T, owner string, paths []string) catalog.Listing {
	prefix := rapid.SampledFrom(append([]string{"", "x"}, paths...)).Draw(t, "prefix of")
	return catalog.Listing{
		Owner:      owner,
		Prefix:     strings.ToValidUTF8(prefix[:rapid.IntRange(0, len(prefix)).Draw(t, "bytes")], ""),
		Folders:    rapid.Bool().Draw(t, "folders"),
		Descending: rapid.Bool().Draw(t, "descending"),
		Limit:      rapid.IntRange(1, 8).Draw(t, "limit"),
	}
}

func TestAListingIsItsModel(t *testing.T) {
	s := open(t)
	other := s.user("eve").ID
	user := 0
	rapid.Check(t, func(rt *rapid.T) {
		user++
		s.owner = s.user(fmt.Sprintf("user%d", user)).ID
		paths := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(drawPath(), 0, 12).Draw(rt, "paths"))))
		for _, path := range paths {
			s.publish(path)
		}
		for range 8 {
			l := drawListing(rt, s.owner, paths)
			if got, want := entries(t, s.Catalog, l, nil), model(paths, l); !slices.Equal(got, want) {
				rt.Fatalf("%+v of %q lists %q, want %q", l, paths, got, want)
			}
			l.Owner = other
			if got := entries(t, s.Catalog, l, nil); len(got) > 0 {
				rt.Fatalf("%+v of somebody without files lists %q", l, got)
			}
		}
	})
}

// An entry that is there throughout is listed once, whatever comes and goes
// between the pages.
func TestAListingBearsChanges(t *testing.T) {
	s := open(t)
	user := 0
	rapid.Check(t, func(rt *rapid.T) {
		user++
		s.owner = s.user(fmt.Sprintf("user%d", user)).ID
		steady := slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(drawPath(), 1, 8).Draw(rt, "steady"))))
		for _, path := range steady {
			s.publish(path)
		}
		fleeting := map[string]catalog.File{}
		l := drawListing(rt, s.owner, steady)
		l.Limit = rapid.IntRange(1, 3).Draw(rt, "small limit")
		got := entries(t, s.Catalog, l, func() {
			path := drawPath().Draw(rt, "fleeting")
			if f, there := fleeting[path]; there {
				s.delete(f)
				delete(fleeting, path)
			} else if !slices.Contains(steady, path) {
				fleeting[path] = s.publish(path)
			}
		})
		for _, want := range model(steady, l) {
			if n := len(slices.DeleteFunc(slices.Clone(got), func(name string) bool { return name != want })); n != 1 {
				rt.Fatalf("%+v lists %q %d times among %q, want once", l, want, n, got)
			}
		}
	})
}

func TestExpiredFilesAreNotListed(t *testing.T) {
	s := open(t)
	for i := range 5 {
		f := s.publish(fmt.Sprintf("f%d", i))
		if i%2 == 0 {
			s.expire(f, s.clock.Now().Add(keep))
		}
	}
	s.clock.Advance(keep)
	for _, limit := range []int{1, 2, 5} {
		got := entries(t, s.Catalog, catalog.Listing{Owner: s.owner, Limit: limit}, nil)
		if want := []string{"f1", "f3"}; !slices.Equal(got, want) {
			t.Errorf("by %d: %q, want %q", limit, got, want)
		}
	}
}
