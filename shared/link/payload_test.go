package link

import (
	"bytes"
	"testing"
	"time"

	"sluice/shared/auth"
	"sluice/shared/disposition"
)

func TestAPayloadIsReadAsItWasWritten(t *testing.T) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, d := range []disposition.Type{"", disposition.Inline, disposition.Attachment} {
		want := Link{
			ID: auth.NewID(now), File: auth.NewID(now), Version: auth.NewID(now), Issuer: auth.NewID(now),
			Epoch: 7, ExpiresAt: now, Disposition: d,
		}
		if got, ok := decode(want.encode()); !ok || got != want {
			t.Errorf("%+v came back as %+v, %v", want, got, ok)
		}
	}
}

func TestWhatIsNoPayload(t *testing.T) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	good := Link{ID: auth.NewID(now), File: auth.NewID(now), Version: auth.NewID(now), Issuer: auth.NewID(now), ExpiresAt: now}.encode()
	edited := func(at int, b byte) []byte {
		c := bytes.Clone(good)
		c[at] = b
		return c
	}
	for name, b := range map[string][]byte{
		"nothing":                  nil,
		"one byte short":           good[:len(good)-1],
		"one byte long":            append(bytes.Clone(good), 0),
		"format 0":                 edited(0, 0),
		"a format to come":         edited(0, 2),
		"a disposition to come":    edited(dispositionAt, 3),
		"no disposition in a byte": edited(dispositionAt, 255),
	} {
		if l, ok := decode(b); ok {
			t.Errorf("%s is read as %+v", name, l)
		}
	}
}

// Whatever is read is written as it was: no two payloads mean the same link.
func FuzzDecode(f *testing.F) {
	now := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	f.Add(Link{ID: auth.NewID(now), File: auth.NewID(now), Version: auth.NewID(now), Issuer: auth.NewID(now), ExpiresAt: now}.encode())
	f.Add(bytes.Repeat([]byte{1}, payloadSize))
	f.Add(append([]byte{1}, bytes.Repeat([]byte{255}, payloadSize-1)...))
	f.Add([]byte{1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, ok := decode(b)
		if !ok {
			return
		}
		if again := l.encode(); !bytes.Equal(again, b) {
			t.Errorf("%x is read as %+v, which is written %x", b, l, again)
		}
	})
}
