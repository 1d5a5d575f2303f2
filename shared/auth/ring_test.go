package auth_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/shared/auth"
)

var (
	oldLink   = auth.LinkKey{ID: "old", Secret: auth.NewSecret(seed(4))}
	newLink   = auth.LinkKey{ID: "new", Secret: auth.NewSecret(seed(5))}
	alienLink = auth.LinkKey{ID: "new", Secret: auth.NewSecret(seed(6))}
)

func TestWhatIsSealedOpens(t *testing.T) {
	ring := newRing(t, newLink)
	form := regexp.MustCompile(`\Anew\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{43}\z`)
	rapid.Check(t, func(t *rapid.T) {
		purpose := rapid.String().Draw(t, "purpose")
		payload := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload")
		text := ring.Seal(purpose, payload)
		if !form.MatchString(text) {
			t.Errorf("Seal = %q; want the form %v", text, form)
		}
		if got, err := ring.Open(purpose, text); err != nil || !bytes.Equal(got, payload) {
			t.Errorf("Open = %x, %v; want %x", got, err, payload)
		}
	})
}

func TestLongestPayload(t *testing.T) {
	ring := newRing(t, auth.LinkKey{ID: strings.Repeat("k", 64), Secret: auth.NewSecret(seed(4))})
	payload := bytes.Repeat([]byte{0xff}, auth.MaxPayload)
	if got, err := ring.Open("cursor", ring.Seal("cursor", payload)); err != nil || !bytes.Equal(got, payload) {
		t.Errorf("Open of the longest payload under the longest key id: %d bytes, %v", len(got), err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Seal took a payload that Open would refuse")
		}
	}()
	ring.Seal("cursor", append(payload, 0))
}

func TestSealedForOnePurposeOnly(t *testing.T) {
	ring := newRing(t, newLink)
	cases := []struct{ name, sealedFor, openedFor, payload, openedAs string }{
		{"another purpose", "cursor", "link", "abc", "abc"},
		{"no purpose", "cursor", "", "abc", "abc"},
		{"the purpose in capitals", "cursor", "Cursor", "abc", "abc"},
		{"a byte moved from the payload to the purpose", "cursor", "cursora", "abc", "bc"},
		{"a byte moved from the purpose to the payload", "cursor", "curso", "abc", "rabc"},
		{"a NUL moved", "cursor", "cursor\x00", "\x00abc", "abc"},
	}
	for _, c := range cases {
		sealed := ring.Seal(c.sealedFor, []byte(c.payload))
		other := ring.Seal(c.openedFor, []byte(c.openedAs))
		forged := other[:strings.LastIndexByte(other, '.')] + sealed[strings.LastIndexByte(sealed, '.'):]
		if got, err := ring.Open(c.openedFor, forged); !errors.Is(err, auth.ErrNotSealed) {
			t.Errorf("%s: Open = %q, %v; want ErrNotSealed", c.name, got, err)
		}
	}
}

func TestLinkKeysRotate(t *testing.T) {
	before := newRing(t, oldLink).Seal("cursor", []byte("abc"))
	after := newRing(t, newLink, oldLink).Seal("cursor", []byte("abc"))
	cases := []struct {
		name          string
		ring          []auth.LinkKey
		before, after bool
	}{
		{"the old key alone", []auth.LinkKey{oldLink}, true, false},
		{"the new key is known", []auth.LinkKey{oldLink, newLink}, true, true},
		{"the new key seals", []auth.LinkKey{newLink, oldLink}, true, true},
		{"the new key alone", []auth.LinkKey{newLink}, false, true},
		{"another key under its id", []auth.LinkKey{alienLink}, false, false},
	}
	for _, c := range cases {
		ring := newRing(t, c.ring...)
		_, errBefore := ring.Open("cursor", before)
		_, errAfter := ring.Open("cursor", after)
		if (errBefore == nil) != c.before || (errAfter == nil) != c.after {
			t.Errorf("%s: sealed before: %v, after: %v; want them open: %v, %v", c.name, errBefore, errAfter, c.before, c.after)
		}
	}
}

func TestWhatWasNotSealedDoesNotOpen(t *testing.T) {
	ring := newRing(t, newLink, oldLink)
	good := ring.Seal("cursor", []byte("abcd"))
	parts := strings.Split(good, ".")
	id, payload, tag := parts[0], parts[1], parts[2]
	cases := []struct{ name, text string }{
		{"nothing", ""},
		{"dots", ".."},
		{"the key id alone", id},
		{"no mac", id + "." + payload},
		{"an empty mac", id + "." + payload + "."},
		{"a short mac", good[:len(good)-4]},
		{"a long mac", good + "AAAA"},
		{"another's mac", newRing(t, alienLink).Seal("cursor", []byte("abcd"))},
		{"the mac of another payload", id + "." + payload + "." + strings.Split(ring.Seal("cursor", []byte("abce")), ".")[2]},
		{"an empty payload", id + ".." + tag},
		{"a changed payload", id + ".AAAA." + tag},
		{"the id of another key of ours", "old." + payload + "." + tag},
		{"an unknown key id", "next." + payload + "." + tag},
		{"no key id", "." + payload + "." + tag},
		{"a fourth segment", good + "." + tag},
		{"a space after", good + " "},
		{"a line break after", good + "\n"},
		{"a line break in the payload", id + "." + payload[:2] + "\n" + payload[2:] + "." + tag},
		{"a carriage return in the mac", id + "." + payload + "." + tag[:2] + "\r" + tag[2:]},
		{"padding of the payload", id + "." + payload + "==." + tag},
		{"padding of the mac", good + "="},
		{"unused bits set in the payload", id + "." + nextLetter(payload) + "." + tag},
		{"unused bits set in the mac", nextLetter(good)},
		{"escapes", strings.ReplaceAll(good, ".", "%2E")},
		{"a NUL after", good + "\x00"},
		{"a megabyte", id + "." + strings.Repeat("A", 1<<20) + "." + tag},
	}
	for _, c := range cases {
		if got, err := ring.Open("cursor", c.text); err != auth.ErrNotSealed || got != nil {
			t.Errorf("%s: Open = %q, %v; want ErrNotSealed", c.name, got, err)
		}
	}
}

// The form of a sealed text is fixed: links outlive a restart, and an upgrade.
func TestSealedForm(t *testing.T) {
	const want = "new.YWJjZA.hJeSXlYoPlGHZ9L_mtPcDw_rg6g_A3otYZUY4RZN1mA"
	if got := newRing(t, newLink).Seal("cursor", []byte("abcd")); got != want {
		t.Errorf("Seal = %q; want %q", got, want)
	}
	if got := sealWith(newLink.Secret.Reveal(), "new", "cursor", "abcd"); got != want {
		t.Errorf("by hand it is %q; want %q", got, want)
	}
}

func TestAnUnknownKeyIsNotAnEmptyKey(t *testing.T) {
	forged := sealWith(nil, "next", "cursor", "abcd")
	if got, err := newRing(t, newLink).Open("cursor", forged); err != auth.ErrNotSealed {
		t.Errorf("Open of a text sealed with an empty key under an unknown id = %q, %v; want ErrNotSealed", got, err)
	}
}

// sealWith seals by hand.
func sealWith(key []byte, id, purpose, payload string) string {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "sluice sealed value 1\x00\x00\x00\x00\x00\x00\x00\x00%c%s%s", len(purpose), purpose, payload)
	text := base64.RawURLEncoding.EncodeToString
	return id + "." + text([]byte(payload)) + "." + text(h.Sum(nil))
}

func TestLinkKeysAreChecked(t *testing.T) {
	rings := map[string][]auth.LinkKey{
		"no keys":            nil,
		"two keys of one id": {newLink, alienLink},
		"a short key":        {{ID: "k", Secret: auth.NewSecret(seed(1)[:31])}},
		"a long key":         {{ID: "k", Secret: auth.NewSecret(append(seed(1), 0))}},
		"an empty key":       {{ID: "k"}},
		"a malformed id":     {{ID: "a.b", Secret: newLink.Secret}},
		"an empty id":        {{Secret: newLink.Secret}},
	}
	for name, keys := range rings {
		if _, err := auth.NewRing(keys...); err == nil {
			t.Errorf("NewRing took %s", name)
		}
	}
}

// A text opens only if it is, byte for byte, one that a key of the ring sealed.
func FuzzOpen(f *testing.F) {
	links := []auth.LinkKey{newLink, oldLink}
	ring := newRing(f, links...)
	good := ring.Seal("cursor", []byte("abcd"))
	for _, text := range []string{"", ".", "..", good, newRing(f, oldLink).Seal("cursor", nil), ring.Seal("link", nil), good + "=", good + "\n", nextLetter(good)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		payload, err := ring.Open("cursor", text)
		if err != nil {
			return
		}
		sealed := func(key auth.LinkKey) bool { return newRing(t, key).Seal("cursor", payload) == text }
		if !slices.ContainsFunc(links, sealed) {
			t.Errorf("Open took %q, which was never sealed", text)
		}
	})
}

func newRing(t testing.TB, keys ...auth.LinkKey) *auth.Ring {
	t.Helper()
	ring, err := auth.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
