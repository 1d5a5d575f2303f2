package blobtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/fault"
)

// needLister skips a case that a driver does not claim to pass, once the driver
// was seen to say so.
func needLister(t *testing.T, b *blob.Bucket) {
	t.Helper()
	if b.Lists() {
		return
	}
	_, _, err := b.List(t.Context(), "", "", 1)
	wantFault(t, "List", err, fault.Unprocessable, "list_unsupported")
	t.Skip("the driver declares that it lists nothing")
}

// keysOf lists all keys under prefix, limit at a time.
func keysOf(t *testing.T, b *blob.Bucket, prefix string, limit int) []string {
	t.Helper()
	keys, after := []string{}, ""
	for {
		objects, more, err := b.List(t.Context(), prefix, after, limit)
		if err != nil {
			t.Fatalf("List %q after %q: %v", prefix, after, err)
		}
		if len(objects) > limit || more && len(objects) == 0 {
			t.Fatalf("List %q after %q has %d blobs, more is %t; want 1 to %d", prefix, after, len(objects), more, limit)
		}
		for _, o := range objects {
			keys = append(keys, o.Key)
		}
		if !more {
			return keys
		}
		after = keys[len(keys)-1]
	}
}

func testList(t *testing.T, b *blob.Bucket) {
	needLister(t, b)
	keys := []string{"a/1", "a/10", "a/2", "a/b/1", "a/\u00e9", "a b+c%25/x", "ab"}
	for i, key := range keys {
		mustPut(t, b, key, content(uint64(i), i+1))
	}
	slices.Sort(keys)
	for _, prefix := range []string{"", "a", "a/", "a/1", "a/b/", "a b+c%", "ab/", "z"} {
		want := []string{}
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		if got := keysOf(t, b, prefix, blob.MaxList); !slices.Equal(got, want) {
			t.Errorf("the list of %q is %q, want %q", prefix, got, want)
		}
	}
	objects, _, err := b.List(t.Context(), "", "", blob.MaxList)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		attrs, err := b.Stat(t.Context(), o.Key)
		if err != nil || o.Size != attrs.Size || o.ETag != attrs.ETag || o.ModifiedAt.IsZero() {
			t.Errorf("%q is listed with %d bytes, ETag %s, changed %v; Stat says %+v, %v", o.Key, o.Size, o.ETag, o.ModifiedAt, attrs, err)
		}
	}
}

func testListPages(t *testing.T, b *blob.Bucket) {
	needLister(t, b)
	want := make([]string, 0, 12)
	for i := range 12 {
		want = append(want, fmt.Sprintf("p/%02d", i))
		mustPut(t, b, want[i], nil)
	}
	mustPut(t, b, "q", nil)
	for _, limit := range []int{1, 5, 6, 11, 12, 13} {
		if got := keysOf(t, b, "p/", limit); !slices.Equal(got, want) {
			t.Errorf("listed %d at a time there are %q, want %q", limit, got, want)
		}
	}
	objects, more, err := b.List(t.Context(), "p/", "p/055", 1)
	if err != nil || len(objects) != 1 || objects[0].Key != "p/06" || !more {
		t.Errorf("after a key that is not there come %v, more is %t, %v; want p/06, and more", objects, more, err)
	}
}

func testListRefusals(t *testing.T, b *blob.Bucket) {
	needLister(t, b)
	for _, c := range []struct {
		prefix, after string
		limit         int
	}{
		{"", "", 0}, {"", "", blob.MaxList + 1}, {"\x00", "", 1}, {"", "\xff", 1}, {strings.Repeat("a", blob.MaxKey+1), "", 1},
	} {
		_, _, err := b.List(t.Context(), c.prefix, c.after, c.limit)
		wantFault(t, fmt.Sprintf("List %.20q after %q, limit %d", c.prefix, c.after, c.limit), err, fault.Invalid, "invalid_field")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := b.List(ended, "", "", 1)
	wantFault(t, "List of an ended context", err, fault.Unavailable, "canceled")
}
