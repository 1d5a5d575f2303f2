package tabletest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/shared/table"
)

func queryTests() []subtest {
	return []subtest{
		{"a query answers its range and no more", testRanges},
		{"paging meets every item once", testPaging},
		{"a page may have 1000 items", testLargestPage},
		{"a page fills up past expired items", testExpiredInPage},
		{"large items fill a page too", testLargeItemsInPage},
		{"an empty partition is an empty page", testEmptyPartition},
		{"many items are got in the order asked", testGetMany},
	}
}

func testRanges(f *fixture) {
	f.putAll("a", "b", "c", "d", "e")
	const up, down = false, true
	for _, c := range []struct {
		from, to   string
		descending bool
		limit      int
		want       string
		more       bool // items are left
	}{
		{"", "", up, 10, "abcde", false},
		{"", "", up, 2, "ab", true},
		{"", "", up, 1, "a", true},
		{"", "", down, 10, "edcba", false},
		{"", "", down, 2, "ed", true},
		{"b", "", up, 10, "bcde", false},
		{"b", "", up, 3, "bcd", true},
		{"b", "", down, 10, "edcb", false},
		{"b", "", down, 3, "edc", true},
		{"bb", "", up, 10, "cde", false},
		{"bb", "", down, 10, "edc", false},
		{"", "c", up, 10, "ab", false},
		{"", "c", up, 1, "a", true},
		{"", "c", down, 10, "ba", false},
		{"", "c", down, 1, "b", true},
		{"", "cc", up, 10, "abc", false},
		{"", "cc", down, 10, "cba", false},
		{"b", "d", up, 10, "bc", false},
		{"b", "d", up, 1, "b", true},
		{"b", "d", down, 10, "cb", false},
		{"b", "d", down, 1, "c", true},
		{"a", "z", up, 10, "abcde", false},
		{"a", "z", down, 10, "edcba", false},
		{"A", "a", up, 10, "", false},
		{"A", "a", down, 10, "", false},
		{"ee", "", up, 10, "", false},
		{"ee", "", down, 10, "", false},
		{"c", "c", up, 10, "", false},
		{"c", "c", down, 10, "", false},
		{"d", "b", up, 10, "", false},
		{"d", "b", down, 10, "", false},
		{"c", "c\x00", up, 10, "c", false},
		{"c\x00", "d", up, 10, "", false},
		{"c\x00", "d\x00", down, 10, "d", false},
	} {
		q := table.Query{PK: f.pk, From: c.from, To: c.to, Descending: c.descending, Limit: c.limit}
		page := f.query(q)
		got := strings.Join(sortKeys(page.Items), "")
		if got != c.want {
			f.Errorf("%+v: got %q, want %q", q, got, c.want)
		}
		if c.more && !page.More {
			f.Errorf("%+v: More is not set, though items are left", q)
		}
		if len(page.Items) < c.limit && page.More {
			f.Errorf("%+v: More is set on a short page", q)
		}
	}
}

func testPaging(f *fixture) {
	want := numbered(25)
	f.putAll(want...)
	downwards := slices.Clone(want)
	slices.Reverse(downwards)
	for _, limit := range []int{1, 2, 5, 7, 24, 25, 26, 1000} {
		if got := f.pages(table.Query{PK: f.pk, Limit: limit}); !slices.Equal(got, want) {
			f.Errorf("upwards by %d: got %q", limit, got)
		}
		if got := f.pages(table.Query{PK: f.pk, Limit: limit, Descending: true}); !slices.Equal(got, downwards) {
			f.Errorf("downwards by %d: got %q", limit, got)
		}
	}
}

// pages asks for pages until there are no more, and returns all sort keys.
func (f *fixture) pages(q table.Query) (sks []string) {
	f.Helper()
	for {
		page := f.query(q)
		sks = append(sks, sortKeys(page.Items)...)
		if !page.More {
			return sks
		}
		last := page.Items[len(page.Items)-1].Key.SK
		if q.Descending {
			q.To = last
		} else {
			q.From = table.Next(last)
		}
	}
}

// numbered returns n sort keys in order.
func numbered(n int) []string {
	sks := make([]string, n)
	for i := range sks {
		sks[i] = fmt.Sprintf("%04d", i)
	}
	return sks
}

func testLargestPage(f *fixture) {
	want := numbered(table.MaxQuery + 1)
	f.putAll(want...)
	page := f.query(table.Query{PK: f.pk, Limit: table.MaxQuery})
	if got := sortKeys(page.Items); !slices.Equal(got, want[:table.MaxQuery]) || !page.More {
		f.Errorf("got %d items and More %v, want %d and true", len(got), page.More, table.MaxQuery)
	}
}

func testExpiredInPage(f *fixture) {
	var ops []table.Op
	var want []string
	for i, sk := range numbered(400) {
		op := table.Op{Action: table.Put, Key: f.key(sk), ExpiresAt: f.clock.in(time.Hour)}
		if i%40 == 39 {
			op.ExpiresAt = time.Time{}
			want = append(want, sk)
		}
		ops = append(ops, op)
	}
	for chunk := range slices.Chunk(ops, table.MaxTransaction) {
		f.transact(chunk...)
	}
	f.clock.advance(time.Hour)
	for _, limit := range []int{1, 3, 9, 10, 11, 1000} {
		page := f.query(table.Query{PK: f.pk, Limit: limit})
		if got := sortKeys(page.Items); !slices.Equal(got, want[:min(limit, len(want))]) {
			f.Errorf("limit %d: got %q", limit, got)
		}
		if got := f.pages(table.Query{PK: f.pk, Limit: limit}); !slices.Equal(got, want) {
			f.Errorf("all pages by %d: got %q, want %q", limit, got, want)
		}
	}
	if page := f.query(table.Query{PK: f.pk, To: want[0], Limit: 5}); len(page.Items) != 0 || page.More {
		f.Errorf("expired items only: got %d items and More %v, want an empty page", len(page.Items), page.More)
	}
}

func testLargeItemsInPage(f *fixture) {
	want := numbered(8)
	for _, sk := range want {
		f.put(sk, f.filler(sk, 300<<10))
	}
	page := f.query(table.Query{PK: f.pk, Limit: len(want)})
	if got := sortKeys(page.Items); !slices.Equal(got, want) {
		f.Errorf("got %q, want %q", got, want)
	}
	for _, item := range page.Items {
		f.wantItem(item, table.Item{Key: item.Key, Attrs: f.filler(item.Key.SK, 300<<10)})
	}
	var keys []table.Key
	for _, sk := range want {
		keys = append(keys, f.key(sk))
	}
	items, err := f.GetMany(f.Context(), keys)
	if err != nil || !slices.Equal(sortKeys(items), want) {
		f.Errorf("GetMany: got %q, %v", sortKeys(items), err)
	}
}

func testEmptyPartition(f *fixture) {
	for _, descending := range []bool{false, true} {
		page := f.query(table.Query{PK: f.pk, Descending: descending, Limit: 10})
		if len(page.Items) != 0 || page.More {
			f.Errorf("got %d items and More %v, want none", len(page.Items), page.More)
		}
	}
}

func testGetMany(f *fixture) {
	sks := numbered(250)
	f.putAll(sks...)
	slices.Reverse(sks)
	keys := []table.Key{f.key("absent")}
	for _, sk := range sks {
		keys = append(keys, f.key(sk), f.key(sk+" absent"))
	}
	keys = append(keys, f.key(sks[0]))
	items, err := f.GetMany(f.Context(), keys)
	if err != nil {
		f.Fatal(err)
	}
	if got := sortKeys(items); !slices.Equal(got, sks) {
		f.Errorf("got %d items %q, want %d", len(got), got, len(sks))
	}
	if items, err := f.GetMany(f.Context(), nil); err != nil || len(items) != 0 {
		f.Errorf("no keys: got %v, %v", items, err)
	}
}
