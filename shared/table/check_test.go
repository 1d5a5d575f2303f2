package table_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"sluice/shared/fault"
	"sluice/shared/table"
	"sluice/shared/table/tabletest"
)

const (
	secret  = "secret"
	invalid = "secret\xff"
)

var key = table.Key{PK: secret, SK: secret}

// long returns a text of n bytes.
func long(n int) string { return strings.Repeat("k", n) }

func put(set table.Attrs) table.Op    { return table.Op{Action: table.Put, Key: key, Set: set} }
func update(set table.Attrs) table.Op { return table.Op{Action: table.Update, Key: key, Set: set} }

func iff(tests ...table.Test) table.Op {
	return table.Op{Action: table.Delete, Key: key, If: tests}
}

func compare(c table.Comparison, attr string, value any) table.Op {
	return iff(table.Test{Comparison: c, Attr: attr, Value: value})
}

func TestMisusedOps(t *testing.T) {
	number := map[string]int64{"n": 1}
	for name, op := range map[string]table.Op{
		"no partition key":        {Action: table.Put, Key: table.Key{SK: secret}},
		"no sort key":             {Action: table.Put, Key: table.Key{PK: secret}},
		"long partition key":      {Action: table.Put, Key: table.Key{PK: long(2049), SK: secret}},
		"long sort key":           {Action: table.Put, Key: table.Key{PK: secret, SK: long(1025)}},
		"partition key not UTF-8": {Action: table.Put, Key: table.Key{PK: invalid, SK: secret}},
		"sort key not UTF-8":      {Action: table.Put, Key: table.Key{PK: secret, SK: invalid}},
		"unknown action":          {Action: 9, Key: key},
		"check alone":             {Action: table.Check, Key: key, If: []table.Test{table.IfExists()}},
		"int":                     put(table.Attrs{"a": 1}),
		"uint64":                  put(table.Attrs{"a": uint64(1)}),
		"float":                   put(table.Attrs{"a": 1.5}),
		"nil":                     put(table.Attrs{"a": nil}),
		"time":                    put(table.Attrs{"a": time.Now()}),
		"list":                    put(table.Attrs{"a": []string{"x"}}),
		"map":                     put(table.Attrs{"a": map[string]any{}}),
		"text not UTF-8":          put(table.Attrs{"a": invalid}),
		"no name":                 put(table.Attrs{"": "x"}),
		"name not UTF-8":          put(table.Attrs{invalid: "x"}),
		"name pk":                 put(table.Attrs{"pk": "x"}),
		"name sk":                 update(table.Attrs{"sk": "x"}),
		"name ttl":                put(table.Attrs{"ttl": int64(1)}),
		"name wid":                put(table.Attrs{"wid": "x"}),
		"name ttl to add to":      {Action: table.Update, Key: key, Add: map[string]int64{"ttl": 1}},
		"name ttl to remove":      {Action: table.Update, Key: key, Remove: []string{"ttl"}},
		"put with Add":            {Action: table.Put, Key: key, Add: number},
		"put with Remove":         {Action: table.Put, Key: key, Remove: []string{"a"}},
		"delete with Set":         {Action: table.Delete, Key: key, Set: table.Attrs{"a": "x"}},
		"delete with Add":         {Action: table.Delete, Key: key, Add: number},
		"delete with Remove":      {Action: table.Delete, Key: key, Remove: []string{"a"}},
		"delete with an expiry":   {Action: table.Delete, Key: key, ExpiresAt: time.Now()},
		"set and add":             {Action: table.Update, Key: key, Set: table.Attrs{"n": int64(1)}, Add: number},
		"set and remove":          {Action: table.Update, Key: key, Set: table.Attrs{"n": int64(1)}, Remove: []string{"n"}},
		"add and remove":          {Action: table.Update, Key: key, Add: number, Remove: []string{"n"}},
		"remove twice":            {Action: table.Update, Key: key, Remove: []string{"n", "n"}},
		"expiry before 1970":      {Action: table.Put, Key: key, ExpiresAt: time.Unix(-1, 0)},
		"expiry at 1970":          {Action: table.Put, Key: key, ExpiresAt: time.Unix(0, 0)},
		"expiry after 9999":       {Action: table.Put, Key: key, ExpiresAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"put too large":           put(table.Attrs{"a": long(table.MaxItem)}),
		"update too large":        update(table.Attrs{"a": make([]byte, table.MaxItem)}),
		"names too large":         put(table.Attrs{long(table.MaxItem): true}),
		"unknown comparison":      compare(99, "a", "x"),
		"Exists with a name":      compare(table.Exists, "a", nil),
		"Absent with a value":     compare(table.Absent, "", "x"),
		"Equal without a name":    compare(table.Equal, "", "x"),
		"Equal with a key":        compare(table.Equal, "pk", "x"),
		"Equal with an int":       compare(table.Equal, "a", 1),
		"Equal with nil":          compare(table.Equal, "a", nil),
		"NotEqual with not UTF-8": compare(table.NotEqual, "a", invalid),
		"Less than a text":        compare(table.Less, "a", "x"),
		"AtMost an int":           compare(table.AtMost, "a", 1),
		"AtLeast bytes":           compare(table.AtLeast, "a", []byte{1}),
		"second test bad":         iff(table.IfExists(), table.IfEqual("a", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			store := table.New(nil, time.Now) // a call of the driver would panic
			_, err := store.Apply(t.Context(), op)
			wantMisuse(t, err)
			if name != "check alone" {
				wantMisuse(t, store.Transact(t.Context(), table.Op{Action: table.Put, Key: table.Key{PK: "a", SK: "b"}}, op))
			}
		})
	}
}

// wantMisuse checks that err is the fault of a programmer, and keeps the
// values to itself.
func wantMisuse(t *testing.T, err error) {
	t.Helper()
	if !fault.Is(err, fault.Internal, "table_misuse") {
		t.Fatalf("got %v, want a fault table_misuse", err)
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the error %q tells a value", err)
	}
}

func TestMisusedCalls(t *testing.T) {
	many := make([]table.Op, 0, 101)
	for i := range 101 {
		many = append(many, table.Op{Action: table.Put, Key: table.Key{PK: "a", SK: long(i + 1)}})
	}
	bulky := make([]table.Op, 0, 11)
	for i := range 11 {
		key := table.Key{PK: "a", SK: long(i + 1)}
		bulky = append(bulky, table.Op{Action: table.Put, Key: key, Set: table.Attrs{"v": long(390 << 10)}})
	}
	store := table.New(nil, time.Now)
	get := func(key table.Key) error { _, _, err := store.Get(t.Context(), key); return err }
	query := func(q table.Query) error { _, err := store.Query(t.Context(), q); return err }
	for name, err := range map[string]error{
		"Get without a partition key":    get(table.Key{SK: secret}),
		"Get without a sort key":         get(table.Key{PK: secret}),
		"Get not UTF-8":                  get(table.Key{PK: secret, SK: invalid}),
		"Query without a partition":      query(table.Query{Limit: 1}),
		"Query of a long partition":      query(table.Query{PK: long(2049), Limit: 1}),
		"Query without a limit":          query(table.Query{PK: secret}),
		"Query below no limit":           query(table.Query{PK: secret, Limit: -1}),
		"Query over the limit":           query(table.Query{PK: secret, Limit: 1001}),
		"Query from not UTF-8":           query(table.Query{PK: secret, From: invalid, Limit: 1}),
		"Query to not UTF-8":             query(table.Query{PK: secret, To: invalid, Limit: 1}),
		"Query from too long":            query(table.Query{PK: secret, From: long(1026), Limit: 1}),
		"Query to too long":              query(table.Query{PK: secret, To: long(1026), Limit: 1}),
		"Transact of nothing":            store.Transact(t.Context()),
		"Transact of 101":                store.Transact(t.Context(), many...),
		"Transact of more than 4 MiB":    store.Transact(t.Context(), bulky...),
		"Transact of one key twice":      store.Transact(t.Context(), put(nil), iff()),
		"Transact of a check of nothing": store.Transact(t.Context(), table.Op{Action: table.Check, Key: key}),
		"Transact of a check that sets":  store.Transact(t.Context(), table.Op{Action: table.Check, Key: key, Set: table.Attrs{"a": "x"}, If: []table.Test{table.IfExists()}}),
	} {
		t.Run(name, func(t *testing.T) { wantMisuse(t, err) })
	}
	t.Run("one bad key of many", func(t *testing.T) {
		_, err := store.GetMany(t.Context(), []table.Key{key, {}})
		wantMisuse(t, err)
	})
}

func TestLimitsAreAllowed(t *testing.T) {
	store := table.New(tabletest.NewMemory(), time.Now)
	largest := table.Item{Key: key, Attrs: table.Attrs{"v": ""}, ExpiresAt: time.Now()}
	largest.Attrs["v"] = long(table.MaxItem - largest.Size())
	for name, op := range map[string]table.Op{
		"longest keys":       {Action: table.Put, Key: table.Key{PK: long(2048), SK: long(1024)}},
		"largest item":       {Action: table.Put, Key: key, Set: largest.Attrs, ExpiresAt: largest.ExpiresAt},
		"names like the key": {Action: table.Put, Key: key, Set: table.Attrs{"PK": "x", "Ttl": "x"}},
		"empty values":       {Action: table.Put, Key: key, Set: table.Attrs{"s": "", "b": []byte(nil)}},
		"an empty Update":    {Action: table.Update, Key: key},
		"expiry 9999":        {Action: table.Put, Key: key, ExpiresAt: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
	} {
		if _, err := store.Apply(t.Context(), op); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ends := table.Query{PK: secret, From: table.Next(long(1024)), To: "z" + long(1024), Limit: 1000}
	if _, err := store.Query(context.Background(), ends); err != nil {
		t.Errorf("longest ends of a range: %v", err)
	}
}

func TestPrefixes(t *testing.T) {
	if got := table.Next("a"); got != "a\x00" {
		t.Errorf("Next: got %q", got)
	}
	for prefix, want := range map[string]string{"a/": "a0", "#": "$", "a~": "a\x7f"} {
		if got := table.After(prefix); got != want {
			t.Errorf("After(%q): got %q, want %q", prefix, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	const keys = len("pk") + len("sk") + len("ab") + len("cde")
	for _, c := range []struct {
		item table.Item
		want int
	}{
		{table.Item{}, keys},
		{table.Item{Attrs: table.Attrs{"name": "é"}}, keys + 6},
		{table.Item{Attrs: table.Attrs{"b": []byte{1, 2, 3}}}, keys + 4},
		{table.Item{Attrs: table.Attrs{"t": true}}, keys + 2},
		{table.Item{Attrs: table.Attrs{"n": int64(1)}}, keys + 13},
		{table.Item{ExpiresAt: time.Now()}, keys + 15},
	} {
		c.item.Key = table.Key{PK: "ab", SK: "cde"}
		if got := c.item.Size(); got != c.want {
			t.Errorf("%v: got %d, want %d", c.item, got, c.want)
		}
	}
}
