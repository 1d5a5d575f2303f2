package tabletest

import (
	"bytes"
	"math"
	"strings"

	"sluice/shared/table"
)

func valueTests() []subtest {
	return []subtest{
		{"every kind of value comes back as it was", testValues},
		{"a value keeps its type", testTypes},
		{"any name will do for an attribute", testNames},
		{"an item needs no attributes", testNoAttributes},
		{"an item may have 400 KB", testLargestItem},
		{"an update cannot make an item larger than that", testTooLarge},
		{"what was read can be changed without changing the store", testReadNotShared},
		{"what was written can be changed without changing the store", testWrittenNotShared},
	}
}

func testValues(f *fixture) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	values := []any{
		"", "a", "with space", "nul\x00inside", "\x00", "line\nbreak", "Grüße, 世界 😀", "e\u0301 is not é",
		strings.Repeat("long ", 1000), "\ufffd", "\U0010ffff",
		int64(0), int64(1), int64(-1), int64(1<<53 + 1), int64(math.MaxInt64), int64(math.MinInt64),
		true, false,
		[]byte{}, []byte{0}, []byte{0, 0}, []byte{0xff, 0xfe}, []byte("text"), every, make([]byte, 5000),
	}
	for _, v := range values {
		f.put("put", table.Attrs{"v": v})
		f.want("put", table.Attrs{"v": v})
		f.apply(table.Op{Action: table.Update, Key: f.key("update"), Set: table.Attrs{"v": v}})
		f.want("update", table.Attrs{"v": v})
	}
	f.put("nil", table.Attrs{"v": []byte(nil)})
	f.want("nil", table.Attrs{"v": []byte{}})
}

func testTypes(f *fixture) {
	attrs := table.Attrs{"n": int64(1), "s": "1", "b": []byte("1"), "t": true, "st": "true"}
	f.put("a", attrs)
	f.want("a", attrs)
	f.wantItem(f.query(table.Query{PK: f.pk, Limit: 1}).Items[0], table.Item{Key: f.key("a"), Attrs: attrs})
}

func testNames(f *fixture) {
	attrs := table.Attrs{}
	for _, name := range []string{
		"a", "A", "a.b", "a[0]", "#a", ":a", "$a", "a-b", "a b", "1", "size", "Set", "NAME", "ttl2", "PK",
		"ä", "世", "\x00", "\"", "\\", strings.Repeat("n", 300),
	} {
		attrs[name] = name
	}
	f.put("put", attrs)
	f.want("put", attrs)
	f.apply(table.Op{Action: table.Update, Key: f.key("update"), Set: attrs})
	f.want("update", attrs)
	var tests []table.Test
	for name := range attrs {
		tests = append(tests, table.IfEqual(name, name))
	}
	f.apply(table.Op{Action: table.Delete, Key: f.key("put"), If: tests})
}

func testNoAttributes(f *fixture) {
	f.put("a", nil)
	f.put("b", table.Attrs{})
	f.want("a", nil)
	f.want("b", nil)
}

// filler returns a value that brings the item under sk to size bytes.
func (f *fixture) filler(sk string, size int) table.Attrs {
	empty := table.Item{Key: f.key(sk), Attrs: table.Attrs{"v": []byte{}}}
	return table.Attrs{"v": bytes.Repeat([]byte{0xa5}, size-empty.Size())}
}

func testLargestItem(f *fixture) {
	attrs := f.filler("a", table.MaxItem)
	f.put("a", attrs)
	f.want("a", attrs)
	f.apply(table.Op{Action: table.Update, Key: f.key("a"), Set: table.Attrs{"v": []byte{1}}})
	f.apply(table.Op{Action: table.Update, Key: f.key("a"), Set: attrs})
	f.want("a", attrs)
}

func testTooLarge(f *fixture) {
	attrs := f.filler("a", table.MaxItem-10)
	f.put("a", attrs)
	grow := table.Op{Action: table.Update, Key: f.key("a"), Set: table.Attrs{"more": make([]byte, 1000)}}
	if _, err := f.Apply(f.Context(), grow); err == nil {
		f.Error("Apply: an update made an item too large")
	}
	other := table.Op{Action: table.Put, Key: f.key("b")}
	if err := f.Transact(f.Context(), other, grow); err == nil {
		f.Error("Transact: an update made an item too large")
	}
	f.want("a", attrs)
	f.wantAbsent("b")
}

func testReadNotShared(f *fixture) {
	kept := table.Attrs{"v": []byte("kept"), "n": int64(1)}
	spoil := func(i table.Item) {
		i.Attrs["v"].([]byte)[0] = 'X'
		i.Attrs["n"] = int64(2)
	}
	spoil(f.apply(table.Op{Action: table.Put, Key: f.key("a"), Set: table.Attrs{"v": []byte("kept"), "n": int64(1)}}))
	f.want("a", kept)
	spoil(f.apply(table.Op{Action: table.Update, Key: f.key("a"), Add: map[string]int64{"n": 0}}))
	f.want("a", kept)
	read, _ := f.get("a")
	spoil(read)
	f.want("a", kept)
	spoil(f.query(table.Query{PK: f.pk, Limit: 1}).Items[0])
	f.want("a", kept)
}

func testWrittenNotShared(f *fixture) {
	kept := table.Attrs{"v": []byte("kept")}
	value := []byte("kept")
	set := table.Attrs{"v": value}
	put := f.apply(table.Op{Action: table.Put, Key: f.key("put"), Set: set})
	updated := f.apply(table.Op{Action: table.Update, Key: f.key("update"), Set: set})
	f.transact(table.Op{Action: table.Put, Key: f.key("transact"), Set: set})
	value[0] = 'X'
	set["more"] = true
	for _, sk := range []string{"put", "update", "transact"} {
		f.want(sk, kept)
	}
	f.wantItem(put, table.Item{Key: f.key("put"), Attrs: kept})
	f.wantItem(updated, table.Item{Key: f.key("update"), Attrs: kept})
}
