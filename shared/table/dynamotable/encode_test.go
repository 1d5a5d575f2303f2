package dynamotable

import (
	"bytes"
	"maps"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sluice/shared/table"
)

// FuzzItem has every item come back as it was, and shares no memory with it.
func FuzzItem(f *testing.F) {
	f.Add("p", "s", "a", "", int64(0), false, []byte{}, int64(0))
	f.Add("\x00", "\x00\x00", "#a", "nul\x00inside", int64(math.MaxInt64), true, []byte{0, 255}, int64(1))
	f.Add("USER#1", "USER", "b", "😀", int64(math.MinInt64), true, []byte(nil), int64(253402300799))
	f.Fuzz(func(t *testing.T, pk, sk, name, text string, n int64, flag bool, raw []byte, expires int64) {
		switch name {
		case pkName, skName, ttlName, widName:
			t.Skip("Table refuses the name")
		}
		item := table.Item{Key: table.Key{PK: pk, SK: sk}, Attrs: table.Attrs{name: text, "n": n, "flag": flag, "raw": append([]byte{}, raw...)}}
		if expires > 0 {
			item.ExpiresAt = time.Unix(expires%253402300800, 0).UTC()
		}
		encoded := encodeItem(item)
		encoded[widName] = encodeValue("wid")
		got, err := decodeItem(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if got.Key != item.Key || !got.ExpiresAt.Equal(item.ExpiresAt) || !reflect.DeepEqual(got.Attrs, item.Attrs) {
			t.Errorf("got %#v, want %#v", got, item)
		}
		if raw, ok := item.Attrs["raw"].([]byte); ok && len(raw) > 0 {
			kept := bytes.Clone(raw)
			raw[0]++
			if again, _ := decodeItem(encoded); !bytes.Equal(again.Attrs["raw"].([]byte), kept) {
				t.Error("a change of the item changed what was encoded")
			}
		}
	})
}

// FuzzNumber has what DynamoDB calls a number come back as that number or as
// an error, never as another one.
func FuzzNumber(f *testing.F) {
	for _, n := range []string{"0", "-0", "9223372036854775807", "9223372036854775808", "1E3", "1.0", "1.5", "", "0x10", "1_000"} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, number string) {
		got, err := decodeValue(&types.AttributeValueMemberN{Value: number})
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(number)
		if !ok || want.Cmp(new(big.Rat).SetInt64(got.(int64))) != 0 {
			t.Errorf("%q came back as %d", number, got)
		}
	})
}

func TestAnItemOfOthersIsAnError(t *testing.T) {
	key := encodeKey(table.Key{PK: "p", SK: "s"})
	for what, value := range map[string]types.AttributeValue{
		"a list":           &types.AttributeValueMemberL{Value: []types.AttributeValue{encodeValue("nested")}},
		"a map":            &types.AttributeValueMemberM{Value: attributes{"nested": encodeValue(int64(1))}},
		"a set":            &types.AttributeValueMemberSS{Value: []string{"a"}},
		"nothing":          &types.AttributeValueMemberNULL{Value: true},
		"half a number":    &types.AttributeValueMemberN{Value: "0.5"},
		"too large a one":  &types.AttributeValueMemberN{Value: "9223372036854775808"},
		"an absent member": nil,
	} {
		item := maps.Clone(key)
		item["a"] = value
		if got, err := decodeItem(item); err == nil {
			t.Errorf("an item with %s: got %v, want an error", what, got)
		}
	}
	for _, half := range []string{pkName, skName} {
		item := maps.Clone(key)
		delete(item, half)
		if got, err := decodeItem(item); err == nil {
			t.Errorf("an item without %s: got %v, want an error", half, got)
		}
	}
}

// FuzzLongest has an end that is too long for a sort key keep every sort key
// on its side.
func FuzzLongest(f *testing.F) {
	full := strings.Repeat("s", table.MaxSortKey)
	for _, last := range []string{"", "\x00", "z", "\x7f", "é", "世", "😀"} {
		for size := table.MaxSortKey - 4; size <= table.MaxSortKey+1-len(last); size++ {
			f.Add((full + "s")[:size]+last, (full + "s")[:size])
		}
	}
	for _, last := range []string{"a", "\x7f", "\u0080", "\u07ff", "\uffff", "\U00010000"} {
		f.Add(full[:table.MaxSortKey-2]+"世", full[:table.MaxSortKey-len(last)]+last)
		f.Add(full[:table.MaxSortKey-3]+"😀", full[:table.MaxSortKey-len(last)]+last)
	}
	f.Fuzz(func(t *testing.T, end, sk string) {
		if !utf8.ValidString(end) || !utf8.ValidString(sk) || len(end) > table.MaxSortKey+1 || len(sk) > table.MaxSortKey {
			t.Skip("Table refuses it")
		}
		got := longest(end)
		if len(got) > table.MaxSortKey || !utf8.ValidString(got) {
			t.Fatalf("got %d bytes, valid %v", len(got), utf8.ValidString(got))
		}
		if (sk >= end && sk < got) || (sk < end && sk > got) {
			t.Errorf("%s: %s has changed sides", strconv.Quote(end[max(0, len(end)-8):]), strconv.Quote(sk[max(0, len(sk)-8):]))
		}
	})
}
