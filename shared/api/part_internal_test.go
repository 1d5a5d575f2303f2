package api

import (
	"bytes"
	"testing"
)

// FuzzPartGrant holds that a grant has one payload, and a payload one grant.
func FuzzPartGrant(f *testing.F) {
	whole := partGrant{upload: "u", issuer: "i", number: 7, expires: 1_700_000_000, sum: bytes.Repeat([]byte{1}, 32)}
	f.Add(whole.payload())
	f.Add(partGrant{upload: "u", issuer: "i", number: 1, expires: 1}.payload())
	f.Add([]byte("u i 01 1 "))
	f.Add([]byte("u i +1 1 "))
	f.Add([]byte("u i 1 1 AB"))
	f.Add([]byte("    "))
	f.Fuzz(func(t *testing.T, payload []byte) {
		g, ok := parsePartGrant(payload)
		if !ok {
			return
		}
		if got := g.payload(); !bytes.Equal(got, payload) {
			t.Errorf("%q is read as %+v, of which the payload is %q", payload, g, got)
		}
		if len(g.sum) != 0 && len(g.sum) != 32 {
			t.Errorf("%q has a digest of %d bytes", payload, len(g.sum))
		}
	})
}
