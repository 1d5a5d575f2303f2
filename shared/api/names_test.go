package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"sluice/shared/app/local/localtest"
)

// words are names that people give their files.
var words = []string{
	"report", "Überweisung", "façade", "naïve résumé", "Straße", "ÆØÅ", "Ægir", "Łódź", "žluťoučký kůň", "árvíztűrő", "İstanbul ığdır",
	"Ελληνικά", "Русский документ", "Български", "Українська", "Ўзбек", "Монгол", "Հայերեն", "ქართული", "עברית", "العربية", "فارسی", "اردو",
	"हिन्दी", "বাংলা", "ਪੰਜਾਬੀ", "ગુજરાતી", "தமிழ்", "తెలుగు", "ಕನ್ನಡ", "മലയാളം", "සිංහල", "ไทย", "ລາວ", "မြန်မာ", "ភាសាខ្មែរ", "བོད་ཡིག", "አማርኛ",
	"中文文件", "繁體中文", "日本語の書類", "ﾊﾝｶｸ", "한국어", "ᏣᎳᎩ", "ᐃᓄᒃᑎᑐᑦ", "ⵜⴰⵎⴰⵣⵉⵖⵜ", "𐍆𐌿𐌸𐌰𐍂𐌺", "𓀀𓁐", "𝒮𝓁𝓊𝒾𝒸ℯ", "Tiếng Việt", "ʻŌlelo Hawaiʻi", "😀🎉", "👩‍👩‍👧‍👦", "🇩🇪🏳️‍🌈", "☃",
}

// hostile are names that break what handles them without care. No two are the
// same sequence of bytes, though some look alike.
var hostile = []string{
	// Quotation, escapes and separators of headers, URLs, shells, SQL, HTML and CSV.
	`"`, `""`, `a"b`, `a";filename="evil.exe`, `a\b`, `\`, `\\`, `a\"b`, `'`, "`", "$(id)", "${HOME}", "a;b", "a; b=c", "a,b", "a=b", "a&b", "a|b", "a<b>c",
	"<script>alert(1)<", "' OR 1=1 --", "=1+1", "@SUM(A1)", "+1", "-rf", "--help", "~", "~root", "!", "!!", "^", "(a)", "[a]", "{a}", "{{.}}", "%", "%%", "#", "a#b", "?", "a?b",
	"a?b=c#d", ":", "a:b", "::", "::$DATA", "*", "*.*", "a*b", "+", "a+b", "a++b", "@", "a@b", "$", "&amp;", "&#47;", "a b", "a  b", "%s%n%d", "null", "undefined", "NaN", "0", "-1", "true",
	// Literal escapes, which must not be undone a second time.
	"%2e%2e", "%2E%2E", "%2e", "%2f", "a%2fb", "%252e%252e", "%00", "a%00b", "%0d%0aSet-Cookie: a=b", "%c0%af", "%u002e", "%zz", "%2", "a%", "a%20b", `\u002e`, `\x2e`, `..%5c`, "&period;",
	// Dots and spaces, where they are not the whole segment.
	"...", "....", " ", "  ", " a", "a ", "  a  ", ".a", "a.", "a..", ".. ", " ..", ". ", " .", "..a", "a..b", ".hidden", "..hidden", "a . b", "a.tar.gz", ".", "..",
	// What Windows and others keep for themselves.
	"CON", "con", "PRN", "AUX", "NUL", "nul.txt", "COM1", "com1.log", "LPT9", "COM¹", "CONIN$", "CLOCK$", "C:", "c:a", "desktop.ini", "Thumbs.db", ".DS_Store", ".htaccess", ".git", "web.config", "lost+found",
	// Routes and parts of our own.
	"content", "api", "file", "files", "users", "login", "healthz", "openapi.json", "admin", ".well-known", "index.html", "favicon.ico", "robots.txt", "tmp", "objects", "lock", "sluice.db",
	// Twins: case, composition, width, look-alikes, dotless and dotted, final sigma.
	"Twin", "twin", "TWIN", "tWIN", "é", "e\u0301", "Å", "A\u030a", "\u212b", "ﬁ", "fi", "ｆｉ", "K", "\u212a", "ß", "ss", "ẞ", "paypal", "p\u0430ypal", "ı", "i\u0307", "σ", "ς", "각", "\u1100\u1161\u11a8", "\u0958", "\u0915\u093c",
	// Invisible and reordering characters, and the edges of Unicode.
	"\u200b", "a\u200bb", "\u200d", "\u200e", "\u202egpj.exe", "a\u202dcba", "\u2066a\u2069", "\ufeff", "\ufeffa", "\u2028", "a\u2029b", "\u00a0", "\u3000", "\u00ad", "\u034f", "\u2060", "\u180e", "\u3164",
	"\ufffd", "\ufffe", "\uffff", "\U0010ffff", "\U000e0001", "\ue000", "Z\u0300\u0301\u0302\u0303\u0304\u0305\u0306a\u0307\u0308\u0309", "\u0300", "\ufe0f", "\U0001f3fd", "\u061c",
	// Lengths: of a file system's name, of a path, and one less than each.
	strings.Repeat("a", 254), strings.Repeat("a", 255), strings.Repeat("a", 256), strings.Repeat("b", 860), strings.Repeat("ü", 430), strings.Repeat("語", 286), strings.Repeat("😀", 215),
	strings.Repeat("c", 300) + ".txt", "d." + strings.Repeat("e", 300), strings.Repeat("a/", 400) + "z", strings.Repeat("%", 300), strings.Repeat(`"`, 300),
}

// fileNames returns at least 500 paths, no two the same bytes.
func fileNames(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, word := range words {
		for _, form := range []string{"%s.txt", "in a folder/%s/%[1]s (1).tar.gz"} {
			paths = append(paths, fmt.Sprintf(form, word))
		}
	}
	for _, name := range hostile {
		if name != "." && name != ".." { // which no segment may be, though part of one
			paths = append(paths, "h/"+name)
		}
		if len(name) < 100 {
			paths = append(paths, name+name+"/x"+name+"x")
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	paths = slices.DeleteFunc(paths, func(path string) bool { return strings.HasPrefix(path, "../") || strings.Contains(path, "/../") })
	if len(paths) < 500 {
		t.Fatalf("there are %d names, want at least 500", len(paths))
	}
	return paths
}

// The ways in which clients escape a path. All of them mean the same.
var escapings = map[string]func(path string) string{
	"each segment as it must be": func(path string) string {
		segments := strings.Split(path, "/")
		for i := range segments {
			segments[i] = url.PathEscape(segments[i])
		}
		return strings.Join(segments, "/")
	},
	"every byte":                   func(path string) string { return escapeBytes(path, "%%%02X") },
	"every byte, in small letters": func(path string) string { return escapeBytes(path, "%%%02x") },
}

func escapeBytes(path, format string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c == '/' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, format, c)
		}
	}
	return b.String()
}

// named is what the API says of a file.
type named struct{ ID, Path, Name string }

func TestEveryNameMakesTheRoundTrip(t *testing.T) {
	c := localtest.Start(t).Admin()
	paths := fileNames(t)
	ids := make([]string, len(paths))
	inParallel(t, paths, func(i int, path string) error {
		a, err := c.Try(http.MethodPut, "/file/admin/"+escapings["each segment as it must be"](path), strings.NewReader("content of "+path))
		f, err := describesFile(a, err, http.StatusCreated, path)
		ids[i] = f.ID
		return err
	})
	if t.Failed() {
		return
	}
	if listed := listPaths(t, c); !slices.Equal(listed, paths) {
		t.Errorf("the listing has %d paths, want the %d uploaded in the order of their bytes; the first that differs: %q", len(listed), len(paths), firstDifference(listed, paths))
	}
	inParallel(t, paths, func(i int, path string) error {
		var errs []error
		for how, escape := range escapings {
			a, err := c.Try(http.MethodGet, "/file/admin/"+escape(path), nil)
			if err := delivers(a, err, path); err != nil {
				errs = append(errs, fmt.Errorf("GET with %s escaped: %w", how, err))
			}
		}
		a, err := c.Try(http.MethodGet, "/api/files/"+ids[i]+"/content?disposition=attachment", nil)
		errs = append(errs, delivers(a, err, path))
		a, err = c.Try(http.MethodHead, "/file/admin/"+escapings["every byte"](path), nil)
		return errors.Join(append(errs, is(a, err, http.StatusOK))...)
	})
	inParallel(t, paths, func(i int, path string) error { return movesAwayAndBack(c, ids[i], path) })
	inParallel(t, paths, func(_ int, path string) error {
		a, err := c.Try(http.MethodDelete, "/file/admin/"+escapings["every byte"](path), nil)
		if err := is(a, err, http.StatusNoContent); err != nil {
			return err
		}
		a, err = c.Try(http.MethodGet, "/file/admin/"+escapings["every byte"](path), nil)
		return is(a, err, http.StatusNotFound)
	})
	if left := listPaths(t, c); len(left) > 0 {
		t.Errorf("%d files are left after each was deleted: %.200q", len(left), left)
	}
}

// movesAwayAndBack renames a file to a plain name and to its own again.
func movesAwayAndBack(c *localtest.Client, id, path string) error {
	for _, to := range []string{"moved/" + id, path} {
		body, err := json.Marshal(map[string]string{"path": to})
		if err != nil {
			return err
		}
		a, err := c.Try(http.MethodPatch, "/api/files/"+id, strings.NewReader(string(body)), "Content-Type", "application/json")
		if _, err := describesFile(a, err, http.StatusOK, to); err != nil {
			return fmt.Errorf("rename: %w", err)
		}
		escape := escapings["each segment as it must be"]
		here, there := to, "moved/"+id
		if to == there {
			there = path
		}
		a, err = c.Try(http.MethodGet, "/file/admin/"+escape(here), nil)
		if err := errors.Join(is(a, err, http.StatusOK), sameBody(a, path)); err != nil {
			return fmt.Errorf("under its new name: %w", err)
		}
		a, err = c.Try(http.MethodGet, "/file/admin/"+escape(there), nil)
		if err := is(a, err, http.StatusNotFound); err != nil {
			return fmt.Errorf("under its old name: %w", err)
		}
	}
	return nil
}

func is(a localtest.Answer, err error, status int) error {
	switch {
	case err != nil:
		return err
	case a.StatusCode != status:
		return fmt.Errorf("%s %s = %s, want %d", a.Request.Method, a.Request.URL, a, status)
	}
	return a.Err
}

func sameBody(a localtest.Answer, path string) error {
	if want := "content of " + path; string(a.Body) != want {
		return fmt.Errorf("%s %s: the body is %.100q, want %.100q", a.Request.Method, a.Request.URL, a.Body, want)
	}
	return nil
}

// describesFile wants the JSON of a file with that path.
func describesFile(a localtest.Answer, err error, status int, path string) (f named, _ error) {
	if err := is(a, err, status); err != nil {
		return f, err
	}
	if err := json.Unmarshal(a.Body, &f); err != nil {
		return f, fmt.Errorf("%s: %w", a, err)
	}
	if name := path[strings.LastIndexByte(path, '/')+1:]; f.Path != path || f.Name != name {
		return f, fmt.Errorf("the file is %q, named %q, want %q, named %q", f.Path, f.Name, path, name)
	}
	return f, nil
}

// delivers wants the content and a Content-Disposition that nothing can come
// to harm from.
func delivers(a localtest.Answer, err error, path string) error {
	if err := is(a, err, http.StatusOK); err != nil {
		return err
	}
	lines := a.Header.Values("Content-Disposition")
	if len(lines) != 1 {
		return fmt.Errorf("%d lines of Content-Disposition, want one", len(lines))
	}
	if strings.ContainsFunc(lines[0], func(c rune) bool { return c < ' ' || c > '~' }) {
		return fmt.Errorf("Content-Disposition %q is not printable ASCII", lines[0])
	}
	kind, params, err := mime.ParseMediaType(lines[0])
	if err != nil || kind != "attachment" || len(params) != 1 {
		return fmt.Errorf("Content-Disposition %q is %q with %q, %v, want an attachment with a file name alone", lines[0], kind, params, err)
	}
	if err := safeToSave(params["filename"], path); err != nil {
		return err
	}
	return sameBody(a, path)
}

// safeToSave wants a name that a client can take for a file's as it is, and
// that is the path's last segment where that is one itself.
func safeToSave(saved, path string) error {
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case saved == "", len(saved) > 255, !utf8.ValidString(saved), strings.ContainsAny(saved, `/\`),
		strings.Trim(saved, ".") == "", strings.TrimSpace(saved) != saved:
		return fmt.Errorf("%q is saved as %q, which is no safe name", path, saved)
	case slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(name, word) }) && len(name) < 255 && saved != name:
		return fmt.Errorf("%q is saved as %q, want the last segment as it is", path, saved)
	}
	return nil
}

func listPaths(t *testing.T, c *localtest.Client) (paths []string) {
	t.Helper()
	query := "?limit=300"
	for {
		a := c.Do(http.MethodGet, "/api/files"+query, nil).Want(t, http.StatusOK)
		var page struct {
			Files      []named
			NextCursor string `json:"next_cursor"`
		}
		if err := json.Unmarshal(a.Body, &page); err != nil {
			t.Fatal(err)
		}
		for _, f := range page.Files {
			paths = append(paths, f.Path)
		}
		if page.NextCursor == "" {
			return paths
		}
		query = "?limit=300&cursor=" + url.QueryEscape(page.NextCursor)
	}
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return got[i] + " for " + want[i]
		}
	}
	return ""
}

// inParallel does something with every path, a few at a time, since each
// change waits for the disk.
func inParallel(t *testing.T, paths []string, do func(i int, path string) error) {
	t.Helper()
	next := make(chan int)
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for i := range next {
				if err := do(i, paths[i]); err != nil {
					t.Errorf("%.100q: %v", paths[i], err)
				}
			}
		})
	}
	for i := range paths {
		next <- i
	}
	close(next)
	workers.Wait()
}
