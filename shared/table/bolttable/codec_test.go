package bolttable

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"sluice/shared/table"
)

// TestFormatOne holds the bytes of format 1. If it fails, files that exist can
// no longer be read: raise the format, and read both.
func TestFormatOne(t *testing.T) {
	item := table.Item{
		Key: table.Key{PK: "u#1", SK: "f#é"},
		Attrs: table.Attrs{
			"s": "é", "n": int64(-2), "big": int64(1 << 40), "t": true, "f": false, "b": []byte{0, 255}, "e": "", "z": []byte{},
		},
		ExpiresAt: time.Unix(1_800_000_000, 0).UTC(),
	}
	const key = "0003" + "752331" + "6623c3a9"
	const value = "000000006b49d200" + "a8" + "6162" + "4200ff" + "6165" + "60" + "6166" + "f4" +
		"616e" + "21" + "6173" + "62c3a9" + "6174" + "f5" + "617a" + "40" + "63626967" + "1b0000010000000000"
	if got := hex.EncodeToString(encodeKey(item.Key)); got != key {
		t.Errorf("key:\n got %s\nwant %s", got, key)
	}
	encoded, err := newCodec().encodeValue(item)
	if got := hex.EncodeToString(encoded); got != value || err != nil {
		t.Errorf("value:\n got %s, %v\nwant %s", got, err, value)
	}
}

func TestCorruptItemIsAnError(t *testing.T) {
	s := openStore(t)
	key := table.Key{PK: "p", SK: "s"}
	d := s.Table("test")
	for name, value := range map[string]string{
		"no expiry":        "00",
		"no attributes":    "0000000000000000",
		"not a map":        "000000000000000001",
		"cut":              "0000000000000000a16173",
		"number too large": "0000000000000000a1616e1bffffffffffffffff",
		"a name twice":     "0000000000000000a2616e01616e02",
		"more behind":      "0000000000000000a000",
	} {
		bytes, err := hex.DecodeString(value)
		if err != nil {
			t.Fatal(err)
		}
		err = s.submit(t.Context(), bucket, func(*bolt.Bucket) ([]write, error) {
			return []write{{key: encodeKey(key), value: bytes}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_, got := d.GetMany(t.Context(), []table.Key{key})
		_, queried := d.Query(t.Context(), table.Query{PK: "p", Limit: 1})
		_, updated := d.Apply(t.Context(), time.Now(), table.Op{Action: table.Update, Key: key})
		for _, err := range []error{got, queried, updated} {
			if !errors.Is(err, errCorrupt) || d.ErrorCode(err) != table.Unknown {
				t.Errorf("%s: got %v, want %v", name, err, errCorrupt)
			}
		}
	}
	if n, err := s.Sweep(t.Context(), time.Now(), 10); n != 0 || err != nil {
		t.Errorf("Sweep: got %d, %v", n, err)
	}
}

func TestPagesAreBounded(t *testing.T) {
	s := openStore(t)
	d := s.Table("test")
	for _, sk := range []string{"a", "b", "c", "d", "e"} {
		op := table.Op{Action: table.Put, Key: table.Key{PK: "p", SK: sk}, Set: table.Attrs{"v": make([]byte, 390<<10)}}
		if _, err := d.Apply(t.Context(), time.Now(), op); err != nil {
			t.Fatal(err)
		}
	}
	page, err := d.Query(t.Context(), table.Query{PK: "p", Limit: 5})
	if err != nil || len(page.Items) != 3 || !page.More {
		t.Errorf("got %d items of 390 KB, More %v, %v, want the 3 that fill 1 MiB", len(page.Items), page.More, err)
	}
}
