package tabletest

import (
	"math/rand/v2"
	"slices"
	"strings"

	"sluice/shared/table"
)

func keyTests() []subtest {
	return []subtest{
		{"sort keys are ordered by their bytes", testByteOrder},
		{"keys may be of the greatest length", testLongestKeys},
		{"any text is a key of its own", testKeysDiffer},
		{"partitions have nothing in common", testPartitions},
		{"Next leaves out one key only", testNext},
		{"After covers a prefix", testAfter},
	}
}

// trickyKeys returns sort keys whose order other collations would change:
// UTF-16 puts U+10000 before U+FFFF, a locale puts é beside e.
func trickyKeys() []string {
	return []string{
		"\x00", "\x00\x00", "\x00\x01", "\x01", "\n", " ", "-1", "0", "00", "1", "10", "2", "A", "B", "Z", "_",
		"a", "a\x00", "a\x00\x00", "a\x00b", "a\x01", "a/", "a/b", "aB", "aa", "ab", "b", "e\u0301", "z", "\x7f",
		"\u0080", "ß", "é", "ÿ", "Ā", "ä" + "\u4e16", "日", "日本", "\uffff", "\U00010000", "😀", "\U0010ffff",
	}
}

func testByteOrder(f *fixture) {
	want := trickyKeys()
	slices.Sort(want) // Go compares strings by their bytes
	shuffled := slices.Clone(want)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	f.putAll(shuffled...)
	if got := sortKeys(f.query(table.Query{PK: f.pk, Limit: 1000}).Items); !slices.Equal(got, want) {
		f.Errorf("upwards:\n got %q\nwant %q", got, want)
	}
	slices.Reverse(want)
	if got := sortKeys(f.query(table.Query{PK: f.pk, Limit: 1000, Descending: true}).Items); !slices.Equal(got, want) {
		f.Errorf("downwards:\n got %q\nwant %q", got, want)
	}
}

func testLongestKeys(f *fixture) {
	f.pk += strings.Repeat("p", table.MaxPartitionKey-len(f.pk))
	longest := strings.Repeat("s", table.MaxSortKey)
	f.put(longest, table.Attrs{"n": int64(1)})
	f.put(longest[1:], table.Attrs{"n": int64(2)})
	f.want(longest, table.Attrs{"n": int64(1)})
	for _, descending := range []bool{false, true} {
		page := f.query(table.Query{PK: f.pk, From: longest, To: table.Next(longest), Descending: descending, Limit: 10})
		if got := sortKeys(page.Items); !slices.Equal(got, []string{longest}) {
			f.Errorf("around the longest key: got %d items, want that one", len(got))
		}
		page = f.query(table.Query{PK: f.pk, From: table.Next(longest), Descending: descending, Limit: 10})
		if len(page.Items) != 0 {
			f.Errorf("after the longest key: got %d items, want none", len(page.Items))
		}
	}
}

func testKeysDiffer(f *fixture) {
	sks := trickyKeys()
	for i, sk := range sks {
		f.put(sk, table.Attrs{"n": int64(i)})
	}
	for i, sk := range sks {
		f.want(sk, table.Attrs{"n": int64(i)})
	}
}

func testPartitions(f *fixture) {
	keys := []table.Key{
		{PK: f.pk, SK: "b"},
		{PK: f.pk, SK: "ab"},
		{PK: f.pk + "a", SK: "b"},
		{PK: f.pk + "a", SK: "\x00b"},
		{PK: f.pk + "a\x00", SK: "b"},
		{PK: f.pk + "ab", SK: "b"},
		{PK: f.pk + "\x00", SK: "b"},
		{PK: f.pk + "\U0010ffff", SK: "b"},
	}
	perPartition := map[string]int{}
	for i, key := range keys {
		perPartition[key.PK]++
		f.apply(table.Op{Action: table.Put, Key: key, Set: table.Attrs{"n": int64(i)}, If: []table.Test{table.IfAbsent()}})
	}
	for i, key := range keys {
		item, found, err := f.Get(f.Context(), key)
		if err != nil || !found || item.Attrs["n"] != int64(i) {
			f.Errorf("item %d: got %v, %v, %v", i, item.Attrs, found, err)
		}
	}
	for pk, want := range perPartition {
		for _, descending := range []bool{false, true} {
			if got := f.query(table.Query{PK: pk, Descending: descending, Limit: 100}).Items; len(got) != want {
				f.Errorf("partition %q: got %q, want %d items", pk, sortKeys(got), want)
			}
		}
	}
}

func testNext(f *fixture) {
	f.putAll("a", "a\x00", "a\x00\x00", "a\x01", "aa")
	page := f.query(table.Query{PK: f.pk, From: table.Next("a"), Limit: 10})
	if got, want := sortKeys(page.Items), []string{"a\x00", "a\x00\x00", "a\x01", "aa"}; !slices.Equal(got, want) {
		f.Errorf("from Next: got %q, want %q", got, want)
	}
	page = f.query(table.Query{PK: f.pk, To: table.Next("a"), Limit: 10})
	if got, want := sortKeys(page.Items), []string{"a"}; !slices.Equal(got, want) {
		f.Errorf("to Next: got %q, want %q", got, want)
	}
}

func testAfter(f *fixture) {
	inside := []string{"f/", "f/\x00", "f/a", "f/a/b", "f/\x7f", "f/ä", "f/\U0010ffff"}
	f.putAll(slices.Concat(inside, []string{"f", "f.", "f0", "f00", "g", "e"})...)
	page := f.query(table.Query{PK: f.pk, From: "f/", To: table.After("f/"), Limit: 100})
	if got := sortKeys(page.Items); !slices.Equal(got, inside) {
		f.Errorf("under the prefix: got %q, want %q", got, inside)
	}
}
