package blobtest

import (
	"fmt"
	"strings"
	"testing"

	"sluice/shared/blob"
	"sluice/shared/fault"
)

// HostileKeys returns keys that are valid, all different, and each a trap for
// a store that takes keys for paths, patterns, URLs or text.
func HostileKeys() []string {
	keys := []string{
		// Paths.
		".", "..", "...", "/", "//", "///", "./", "../", "/.", "/..", "./.", "../..", "../../etc/passwd",
		"/a", "a/", "a//", "a//b", "a/b", "a/b/c", "a", "a/.", "a/..", "a/./b", "a/../b", "a/b/../c", "a///b", "//a",
		"~", "~root", "/etc/passwd", "/dev/null", "/proc/self/mem", "C:", `C:\`, `C:\Windows\system32`, "C:/Windows",
		`\`, `\\`, `..\..\a`, `a\b`, `a\`, `\\host\share`, `\\?\C:\a`, "file:///a", "https://example.com/a?b#c",

		// Names with a meaning to an operating system or to a store.
		"con", "CON", "nul", "nul.txt", "aux", "com1", "lpt1.txt", "prn", "$MFT", "Thumbs.db", ".DS_Store", "._a",
		"lost+found", ".git", ".git/config", ".htaccess", "tmp", "tmp/", "tmp/a", "objects", "objects/a", "objects/00",
		"objects/00/a", "lock", "probe", "00", "ff", ".minio.sys", ".minio.sys/format.json", "a.partial", "a.tmp", "a.part",

		// Ends that some file systems drop or forbid.
		"a.", "a..", "a ", "a  ", " a", " ", "  ", ". ", ".. ", " .", "a /b", "a./b", "a/ b", "a.txt", "a.txt.", "a:b", "a::$DATA",
		"a*", "a?", `"a"`, "<a>", "a|b", "a;b", "a&b", "$(a)", "`a`", "-a", "--", "-rf", "!a", "#a", "a#b", "a?b=c", "[a]", "{a}",

		// Escapes, once and twice over.
		"%", "%%", "%2F", "%2f", "%2e%2e", "a%2Fb", "a%252Fb", "%00", "%20", "+", "a+b", "a b", `\x00`, `\u0000`, "&amp;", "&", "a=b",

		// Control characters.
		"\x01", "\t", "\n", "\r", "\r\n", "a\nb", "a\rb", "a\tb", "\x1b[31m", "\x7f", "a\x1fb", "\u0080", "\u009f",

		// Letters that differ only by case, normalisation or look.
		"A", "A/B", "aB", "Ab", "AB", "ab", "ß", "ẞ", "ss", "SS", "\u00e9", "e\u0301", "\u00c9", "E\u0301", "\u00c5", "\u212b", "A\u030a",
		"\u03ac", "\u1f71", "α\u0301", "\ud55c", "\u1112\u1161\u11ab", "\ufb01", "fi", "i", "I", "\u0131", "\u0130", "i\u0307", "²", "2", "Ⅷ",
		"ｆｕｌｌ", "full", "\u0430", "\u03bf", "o",

		// Text from elsewhere, and text that is none.
		"文件.txt", "ファイル", "файл", "αρχείο", "ملف", "קובץ", "ไฟล์", "फ़ाइल", "🙂", "👨‍👩‍👧‍👦", "🇦🇹", "a\u202eb", "a\u200bb", "a\u200db", "\u200b",
		"\ufeff", "\ufeffa", "\u00a0", "\u2028", "\u2029", "\u3000", "\ufffd", "\uffff", "\U0010ffff", "\ue000", "＊", "／", "＼", "․․",
	}
	return append(keys, longKeys()...)
}

// longKeys returns keys and segments at every length that matters to a store.
func longKeys() []string {
	keys := []string{
		strings.Repeat("/", blob.MaxKey),
		strings.Repeat("a/", blob.MaxKey/2),
		strings.Repeat("../", blob.MaxKey/3),
		strings.Repeat("%", blob.MaxKey),
		strings.Repeat(" ", blob.MaxKey),
		strings.Repeat(".", blob.MaxKey),
		strings.Repeat("\x01", blob.MaxKey),
		strings.Repeat("é", blob.MaxKey/2),
		strings.Repeat("🙂", blob.MaxKey/4),
		strings.Repeat("x", 200) + "/" + strings.Repeat("y", 200),
		strings.Repeat("x", 1000) + "/y",
		"y/" + strings.Repeat("x", 1000),
	}
	for _, n := range []int{63, 64, 65, 127, 128, 199, 200, 201, 247, 248, 254, 255, 256, 257, 511, 512, 1000, 1023, 1024} {
		keys = append(keys, strings.Repeat("n", n), strings.Repeat("N", n))
	}
	return keys
}

// ofKey returns bytes that belong to no other key.
func ofKey(key string) []byte { return fmt.Appendf(nil, "the blob of %q", key) }

func testHostileKeys(t *testing.T, b *blob.Bucket) {
	keys := HostileKeys()
	for _, key := range keys {
		wantAbsent(t, b, key)
		mustPut(t, b, key, ofKey(key))
	}
	testKeysApart(t, b, keys)
}

// testPathKeys puts what a store takes that keeps blobs under paths. It takes
// ordinary keys, and there is nothing under those that it refuses.
func testPathKeys(t *testing.T, b *blob.Bucket) {
	var taken, refused []string
	for _, key := range HostileKeys() {
		wantAbsent(t, b, key)
		_, err := put(t.Context(), b, key, ofKey(key))
		if fault.Is(err, fault.Unprocessable, "key_unsupported") {
			refused = append(refused, key)
			continue
		}
		if err != nil {
			t.Fatalf("put %.60q: %v, want it taken or refused", key, err)
		}
		taken = append(taken, key)
	}
	if len(refused) == 0 {
		t.Error("every key was taken: there is no such gap")
	}
	for _, key := range refused {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete of a refused key %.60q: %v", key, err)
		}
		wantAbsent(t, b, key)
	}
	testKeysApart(t, b, taken)
	for _, key := range []string{"v/01JQ8Z3V7W4N1R5T6Y9XK2M0AB", "a folder/ä + b & c.tar.gz", "a/b-c_d.e~f"} {
		mustPut(t, b, key, ofKey(key))
		wantBlob(t, b, key, ofKey(key))
	}
}

// testKeysApart checks that each of the keys has a blob of its own.
func testKeysApart(t *testing.T, b *blob.Bucket, keys []string) {
	t.Helper()
	for _, key := range keys {
		wantBlob(t, b, key, ofKey(key))
		_, err := put(t.Context(), b, key, nil)
		wantFault(t, "second put of "+key, err, fault.Conflict, "blob_exists")
	}
	for i, key := range keys {
		if i%2 == 0 {
			if err := b.Delete(t.Context(), key); err != nil {
				t.Fatalf("Delete %.60q: %v", key, err)
			}
		}
	}
	for i, key := range keys {
		if i%2 == 0 {
			wantAbsent(t, b, key)
			continue
		}
		wantBlob(t, b, key, ofKey(key))
	}
}

func testRefusedKeys(t *testing.T, b *blob.Bucket) {
	for _, key := range []string{
		"",
		"\x00",
		"a\x00b",
		"\xff",
		"a\xc3",
		"\xed\xa0\x80", // a lone surrogate
		"\xc0\xaf",     // an overlong "/"
		strings.Repeat("a", blob.MaxKey+1),
	} {
		_, err := put(t.Context(), b, key, nil)
		wantFault(t, fmt.Sprintf("put %q", key), err, fault.Invalid, "invalid_field")
		_, err = get(t.Context(), b, key, 0, 0, "")
		wantFault(t, fmt.Sprintf("get %q", key), err, fault.Invalid, "invalid_field")
		_, err = b.Stat(t.Context(), key)
		wantFault(t, fmt.Sprintf("Stat %q", key), err, fault.Invalid, "invalid_field")
		err = b.Delete(t.Context(), key)
		wantFault(t, fmt.Sprintf("Delete %q", key), err, fault.Invalid, "invalid_field")
	}
}
