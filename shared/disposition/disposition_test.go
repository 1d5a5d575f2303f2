package disposition_test

import (
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"sluice/shared/disposition"
)

// TestFormat fixes whole field values.
func TestFormat(t *testing.T) {
	for _, c := range []struct {
		kind disposition.Type
		name string
		want string
	}{
		{disposition.Attachment, "report.pdf", `attachment; filename="report.pdf"`},
		{disposition.Inline, "photo.jpeg", `inline; filename="photo.jpeg"`},
		{"", "report.pdf", `attachment; filename="report.pdf"`},
		{"form-data\r\nX: 1", "report.pdf", `attachment; filename="report.pdf"`},
		{disposition.Attachment, "with space; and semicolon, comma = more.txt", `attachment; filename="with space; and semicolon, comma = more.txt"`},
		{disposition.Attachment, "€ rates.txt", `attachment; filename="_ rates.txt"; filename*=UTF-8''%E2%82%AC%20rates.txt`},
		{disposition.Inline, "naïve.png", `inline; filename="na_ve.png"; filename*=UTF-8''na%C3%AFve.png`},
		{disposition.Attachment, `say "hi".txt`, `attachment; filename="say _hi_.txt"; filename*=UTF-8''say%20%22hi%22.txt`},
		{disposition.Attachment, "100%.txt", `attachment; filename="100_.txt"; filename*=UTF-8''100%25.txt`},
		{disposition.Attachment, "a%0d%0aSet-Cookie: x", `attachment; filename="a_0d_0aSet-Cookie: x"; filename*=UTF-8''a%250d%250aSet-Cookie%3A%20x`},
		{disposition.Attachment, "é'()*!#$&+-.^_`|~", "attachment; filename=\"_'()*!#$&+-.^_`|~\"; filename*=UTF-8''%C3%A9%27%28%29%2A!#$&+-.^_`|~"},
	} {
		if got := disposition.Format(c.kind, c.name); got != c.want {
			t.Errorf("Format(%q, %q):\n got %s\nwant %s", c.kind, c.name, got, c.want)
		}
	}
}

// TestNames fixes the names that a client reads back.
func TestNames(t *testing.T) {
	for _, c := range []struct{ why, name, want string }{
		{"plain", "report.pdf", "report.pdf"},
		{"spaces within", "my  report.pdf", "my  report.pdf"},
		{"dots within", "a..b.tar.gz", "a..b.tar.gz"},
		{"a dot in front", ".bashrc", ".bashrc"},
		{"no extension", "Makefile", "Makefile"},
		{"punctuation", "a!#$&'()+,-;=@[]^_`{}~.txt", "a!#$&'()+,-;=@[]^_`{}~.txt"},
		{"quotes", `"quoted".txt`, `"quoted".txt`},
		{"apostrophe", "it's.txt", "it's.txt"},
		{"a parameter of its own", `x"; filename="y.exe`, `x"; filename="y.exe`},
		{"an extended parameter of its own", "x; filename*=UTF-8''y.exe", "x; filename*=UTF-8''y.exe"},
		{"an encoded word", "=?utf-8?B?eA==?=", "=?utf-8?B?eA==?="},
		{"percent", "50%.txt", "50%.txt"},
		{"percent-encoded slash", "..%2f..%2fetc%2fpasswd", "..%2f..%2fetc%2fpasswd"},
		{"percent-encoded line end", "a%0d%0ab", "a%0d%0ab"},

		{"Latin", "Übergröße.txt", "Übergröße.txt"},
		{"combining marks", "e\u0301te\u0301.txt", "e\u0301te\u0301.txt"},
		{"many combining marks", "Z\u0335\u0321\u0353a\u0334\u0322lgo", "Z\u0335\u0321\u0353a\u0334\u0322lgo"},
		{"Greek", "αρχείο.txt", "αρχείο.txt"},
		{"Cyrillic", "файл.doc", "файл.doc"},
		{"Hebrew", "קובץ.txt", "קובץ.txt"},
		{"Arabic", "ملف.pdf", "ملف.pdf"},
		{"Arabic number sign", "\u0600١٢.txt", "\u0600١٢.txt"},
		{"Persian, which needs its non-joiner", "می\u200cخواهم.pdf", "می\u200cخواهم.pdf"},
		{"Hindi, with a joiner", "क्\u200dष.txt", "क्\u200dष.txt"},
		{"Thai", "ไฟล์เอกสาร.docx", "ไฟล์เอกสาร.docx"},
		{"Tamil", "கோப்பு.txt", "கோப்பு.txt"},
		{"Georgian", "ფაილი.txt", "ფაილი.txt"},
		{"Amharic", "ፋይል.txt", "ፋይል.txt"},
		{"Chinese", "文件.zip", "文件.zip"},
		{"Japanese", "ファイル　名.txt", "ファイル　名.txt"},
		{"Korean", "파일.hwp", "파일.hwp"},
		{"beyond the basic plane", "𠜎𝒳.txt", "𠜎𝒳.txt"},
		{"emoji", "🎉📦.zip", "🎉📦.zip"},
		{"emoji of several, joined", "👩🏽\u200d💻❤\ufe0f\u200d🔥.png", "👩🏽\u200d💻❤\ufe0f\u200d🔥.png"},
		{"a flag", "🇳🇱.svg", "🇳🇱.svg"},

		{"a path", "/etc/passwd", "passwd"},
		{"a path upwards", "../../etc/passwd", "passwd"},
		{"a Windows path", `C:\Windows\win.ini`, "win.ini"},
		{"a network path", `\\host\share\x.txt`, "x.txt"},
		{"both slashes", `a/b\c/d.txt`, "d.txt"},
		{"a slash at the end", "dir/", "dir"},
		{"backslash before a quote", `a\"b.txt`, `"b.txt`},
		{"a drive", "C:evil.exe", "C_evil.exe"},
		{"a time", "12:30.txt", "12:30.txt"},
		{"a digit before a colon", "1:30.txt", "1:30.txt"},

		{"line ends", "a\r\nX-Injected: 1", "a__X-Injected: 1"},
		{"NUL", "a.exe\x00.txt", "a.exe_.txt"},
		{"tab, escape, DEL", "a\tb\x1b[31mc\x7f", "a_b_[31mc_"},
		{"a control of Latin-1", "a\u0085b\u009bc", "a_b_c"},
		{"line and paragraph separator", "a\u2028b\u2029c", "abc"},
		{"right-to-left override", "exe\u202egpj.txt", "exegpj.txt"},
		{"isolates", "\u2066a\u2067b\u2068c\u2069.txt", "abc.txt"},
		{"marks of direction", "\u200ea\u200fb\u061cc", "abc"},
		{"zero-width space", "a\u200bb.txt", "ab.txt"},
		{"zero-width joiners in ASCII", "a\u200cb\u200dc.txt", "abc.txt"},
		{"zero-width joiners between ASCII and not", "a\u200cé\u200d.txt", "aé.txt"},
		{"zero-width joiners in a row", "é\u200d\u200dé", "é\u200dé"},
		{"a zero-width joiner before a filler", "é\u200d\u3164a", "éa"},
		{"byte order mark", "\ufeffa.txt", "a.txt"},
		{"word joiner and soft hyphen", "a\u2060b\u00adc", "abc"},
		{"tags", "a\U000e0065\U000e0078b", "ab"},
		{"Hangul filler", "\u3164", "download"},
		{"a path hidden by what is dropped", ".\u200b./.\u200b.", "download"},
		{"a device hidden by what is dropped", "C\u200bON", "_CON"},

		{"invalid UTF-8", "a\xffb\xc3.txt", "a\ufffdb\ufffd.txt"},
		{"Latin-1 bytes", "na\xefve.txt", "na\ufffdve.txt"},
		{"an overlong slash", "a\xc0\xafb", "a\ufffdb"},
		{"half a surrogate pair", "a\xed\xa0\x80b", "a\ufffdb"},
		{"U+FFFD itself", "a\ufffdb", "a\ufffdb"},

		{"empty", "", "download"},
		{"a dot", ".", "download"},
		{"two dots", "..", "download"},
		{"three dots", "...", "download"},
		{"spaces", "   ", "download"},
		{"a slash", "/", "download"},
		{"dots under a path", "a/..", "download"},
		{"dots and spaces", " . . ", "download"},
		{"invisible", "\u200b\u202e\ufeff", "download"},
		{"spaces in front of a name", strings.Repeat(" ", 300) + "a.txt", "a.txt"},
		{"dots at the end", "a.txt...", "a.txt"},
		{"spaces at both ends", " \u00a0a.txt\u3000 ", "a.txt"},
		{"dots and spaces at the end", "a.txt . .", "a.txt"},

		{"a device", "CON", "_CON"},
		{"a device in small letters", "nul", "_nul"},
		{"a device with an extension", "aux.txt", "_aux.txt"},
		{"a device with two extensions", "prn.tar.gz", "_prn.tar.gz"},
		{"a device before a space", "con .txt", "_con .txt"},
		{"a device before a colon", "CON:stream", "_CON:stream"},
		{"a port", "Com1.log", "_Com1.log"},
		{"a port of Latin-1", "LPT¹", "_LPT¹"},
		{"the console's input", "conin$", "_conin$"},
		{"a device under a path", "a/CON", "_CON"},
		{"no device", "console.log", "console.log"},
		{"no port", "COM10.txt", "COM10.txt"},
		{"a device as extension", "a.con", "a.con"},

		{"255 bytes", strings.Repeat("a", 251) + ".txt", strings.Repeat("a", 251) + ".txt"},
		{"256 bytes", strings.Repeat("a", 252) + ".txt", strings.Repeat("a", 251) + ".txt"},
		{"900 bytes", strings.Repeat("a", 896) + ".txt", strings.Repeat("a", 251) + ".txt"},
		{"900 bytes without an extension", strings.Repeat("a", 900), strings.Repeat("a", 255)},
		{"900 bytes of extension", "a." + strings.Repeat("b", 898), "a." + strings.Repeat("b", 253)},
		{"900 bytes of three each", strings.Repeat("文", 299) + ".zip", strings.Repeat("文", 83) + ".zip"},
		{"900 bytes of four each", strings.Repeat("🎉", 225), strings.Repeat("🎉", 63)},
		{"cut at a dot", strings.Repeat("a", 250) + "...b.txt", strings.Repeat("a", 250) + ".txt"},
		{"cut at a joiner", strings.Repeat("é", 125) + "\u200d" + strings.Repeat("é", 9) + ".c", strings.Repeat("é", 125) + ".c"},
		{"cut to nothing", "." + strings.Repeat(" ", 300) + "x", "download"},
		{"cut to a device", "con" + strings.Repeat(" ", 300) + ".txt", "_con.txt"},
		{"a device of 255 bytes", "con." + strings.Repeat("x", 251), "_con." + strings.Repeat("x", 250)},
		{"a long path", strings.Repeat("dir/", 225) + "a.txt", "a.txt"},
	} {
		value := disposition.Format(disposition.Attachment, c.name)
		if got := checkValue(t, c.name, value); got != c.want {
			t.Errorf("%s: %q: got %q, want %q", c.why, c.name, got, c.want)
		}
	}
}

// checkValue holds what is promised of every field value, and returns the name
// that a client reads from it.
func checkValue(t *testing.T, name, value string) string {
	t.Helper()
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' {
			t.Fatalf("%q: value %q holds more than printable ASCII", name, value)
		}
	}
	kind, params, err := mime.ParseMediaType(value)
	if err != nil || kind != "attachment" || len(params) != 1 {
		t.Fatalf("%q: value %s: read as %q %q, error %v", name, value, kind, params, err)
	}
	checkName(t, name, params["filename"])

	plain := value
	if end := strings.LastIndex(value, `"; filename*=`); end >= 0 {
		plain = value[:end+1]
	}
	_, old, err := mime.ParseMediaType(plain)
	if err != nil || strings.ContainsAny(old["filename"], `"%`) {
		t.Fatalf("%q: fallback %s: read as %q, error %v", name, plain, old, err)
	}
	checkName(t, name, old["filename"])
	return params["filename"]
}

// checkName holds what is promised of every name.
func checkName(t *testing.T, given, name string) {
	t.Helper()
	switch {
	case name == "" || name == "." || name == "..":
		t.Errorf("%q: %q is no name", given, name)
	case len(name) > 255:
		t.Errorf("%q: %q has %d bytes, more than 255", given, name, len(name))
	case !utf8.ValidString(name):
		t.Errorf("%q: %q is not UTF-8", given, name)
	case strings.ContainsAny(name, `/\`):
		t.Errorf("%q: %q has a separator", given, name)
	case strings.ContainsFunc(name, unicode.IsControl):
		t.Errorf("%q: %q has a control", given, name)
	case strings.ContainsFunc(name, func(c rune) bool { return unicode.Is(unicode.Bidi_Control, c) }):
		t.Errorf("%q: %q has a bidirectional control", given, name)
	case strings.ContainsAny(name, "\u200b\u2060\ufeff\u00ad"):
		t.Errorf("%q: %q has an invisible character", given, name)
	case strings.HasSuffix(name, ".") || strings.TrimSpace(name) != name:
		t.Errorf("%q: %q has a dot or space at an end", given, name)
	}
	stem, _, _ := strings.Cut(name, ".")
	for _, device := range []string{"CON", "PRN", "AUX", "NUL", "COM1", "COM9", "COM²", "LPT1", "LPT9", "CONIN$", "CONOUT$"} {
		if strings.EqualFold(strings.TrimRight(stem, " "), device) {
			t.Errorf("%q: %q is a device", given, name)
		}
	}
}

func FuzzFormat(f *testing.F) {
	for _, seed := range []string{
		"", "report.pdf", "../a", `C:\x`, "aux .txt", "a\r\nb", `"%0d`, "👩\u200d💻.png", "می\u200cخواهم",
		"\u202e\u200b", "a\xff", "...", "é" + strings.Repeat("x", 300) + ".tar.gz", "COM¹", "\u0600",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		value := disposition.Format(disposition.Attachment, name)
		safe := checkValue(t, name, value)
		if again := disposition.Format(disposition.Attachment, safe); again != value {
			t.Errorf("%q: a safe name changed:\n from %s\n to   %s", name, value, again)
		}
	})
}

func BenchmarkFormat(b *testing.B) {
	for _, name := range []string{"report.pdf", "Übergröße.txt"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				disposition.Format(disposition.Attachment, name)
			}
		})
	}
}
