package edgetest_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// row is one request, and the status that a plain server answers. The names in
// braces are the world's.
type row struct {
	name    string
	as      string // whose token goes along
	request string // method, path and query as a client escapes them
	fields  string // "Name: value | Name: value"
	body    string // JSON, text, or @name for one of bodies
	want    int
	keep    string // "name=member name=Header:Field" of the answer, for rows below
}

// bodies are those that would not fit in a table.
var bodies = sync.OnceValue(func() map[string]string {
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	return map[string]string{
		"control":   all.String()[:32] + "\x7f",
		"nuls":      strings.Repeat("\x00", 4096),
		"cut rune":  "price: 5 \xe2\x82",
		"bytes":     all.String(),
		"unicode":   "日本語 Русский العربية 😀\u2028\u2029\ufeff",
		"JSON":      `{"a":"\u0000<>&","b":[1,2,{"c":null}]}` + "\n",
		"4 MiB-1":   someBytes(4<<20 - 1),
		"4 MiB":     someBytes(4 << 20),
		"4 MiB+1":   someBytes(4<<20 + 1),
		"5 MiB":     someBytes(5 << 20),
		"704 KiB":   someBytes(704 << 10),
		"704 KiB+1": someBytes(704<<10 + 1),
		"64 KiB":    `{"path":"` + strings.Repeat("x", 64<<10) + `"}`,
	}
})

// someBytes returns n bytes, of which no two blocks are alike.
func someBytes(n int) string {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // it never fails
	return string(data)
}

// bodyOf returns a row's body, and whether it is JSON.
func bodyOf(text string) (body string, isJSON bool) {
	if name, ok := strings.CutPrefix(text, "@"); ok {
		body = bodies()[name]
		return body, name == "64 KiB"
	}
	return text, strings.HasPrefix(text, "{")
}

// named are files whose names are written in many scripts, or hostile.
var named = []string{
	"日本語の書類.txt", "Русский документ", "العربية", "עברית", "हिन्दी", "ภาษาไทย", "한국어", "😀🎉.bin", "é", "e\u0301", "a b+c.txt", "100%", "a%2Fb", "%2e%2e",
	"a;b=c&d", `"quoted"`, `back\slash`, "a#b", "a:b@c", "'$(id)'", "{braces}", "deep/er/ßtraße", strings.Repeat("ü", 127), "what?", "\u202egpj.exe",
}

func fixtures() []fixture {
	all := []fixture{
		{"empty", "empty", "", "text/x-sample", false},
		{"ten", "ten", "0123456789", "text/x-sample", false},
		{"large", "large", someBytes(300_000), "text/x-sample", false},
		{"public", "public", "for all", "text/plain", true},
		{"page", "page.html", "<script>1</script>", "text/html", false},
		{"utf8", "utf8", "日本語", "text/plain; charset=utf-8", false},
		{"restored", "restored", "first", "text/plain", false},
		{"moved", "moved", "moved", "text/plain", false},
		{"deleted", "deleted", "deleted", "text/plain", false},
		{"linked", "linked", "0123456789", "text/plain", false},
	}
	for _, name := range []string{"control", "nuls", "cut rune", "bytes", "unicode", "JSON", "704 KiB", "704 KiB+1", "4 MiB-1", "4 MiB", "4 MiB+1"} {
		all = append(all, fixture{name, "bodies/" + name, bodies()[name], "text/plain", false})
	}
	for i, name := range named {
		all = append(all, fixture{fmt.Sprintf("named%d", i), "names/" + name, "content of " + name, "application/octet-stream", false})
	}
	return all
}

// rows are the requests of the parity table, in their order: what one changes,
// those below find changed.
func rows() []row {
	return slices.Concat(serviceRows(), rangeRows(), conditionRows(), nameRows(), bodyRows(), fileRows(), linkRows(), partRows(), tusRows(), sessionRows(), importRows(), accountRows())
}

func serviceRows() []row {
	return []row{
		{"it lives", nobody, "GET /healthz", "", "", 200, ""},
		{"it is ready", nobody, "GET /readyz", "", "", 200, ""},
		{"the contract", nobody, "GET /openapi.json", "", "", 200, ""},
		{"the public keys", nobody, "GET /.well-known/jwks.json", "", "", 200, ""},
		{"no such path", nobody, "GET /nowhere", "", "", 404, ""},
		{"no such path, with an escape", nobody, "GET /no%20where%C3%A9", "", "", 404, ""},
		{"the root", nobody, "GET /", "", "", 404, ""},
		{"no such method", nobody, "DELETE /healthz", "", "", 405, ""},
		{"HEAD where there is none", nobody, "HEAD /healthz", "", "", 405, ""},
		{"a method of one's own", nobody, "PURGE /api/files", "", "", 405, ""},
		{"a preflight", nobody, "OPTIONS /api/files/{ten}/content", "Origin: https://app.example | Access-Control-Request-Method: GET | Access-Control-Request-Headers: authorization, range", "", 204, ""},
		{"a preflight of PATCH", nobody, "OPTIONS /api/tus/x", "Origin: https://app.example | Access-Control-Request-Method: PATCH", "", 204, ""},
		{"a preflight from elsewhere", nobody, "OPTIONS /api/files", "Origin: https://evil.example | Access-Control-Request-Method: GET", "", 204, ""},
		{"a page of an origin", ada, "GET /api/files/{ten}/content", "Origin: https://app.example", "", 200, ""},
		{"a page of another origin", ada, "GET /api/files/{ten}/content", "Origin: https://evil.example", "", 200, ""},
		{"what is no query", ada, "GET /api/files?limit=1&limit=2", "", "", 400, ""},
		{"an unknown parameter", ada, "GET /api/files/{ten}/content?x=1", "", "", 400, ""},
		{"cookies, which nobody wants", ada, "GET /api/files/{ten}", "Cookie: a=b; c=d | Cookie: e=f", "", 200, ""},
		{"forged addresses", ada, "GET /api/files/{ten}", "X-Forwarded-For: 203.0.113.9 | X-Forwarded-Proto: http | X-Forwarded-Host: evil.example", "", 200, ""},
		{"a forged context of a gateway", bad, "GET /api/profile", `X-GoLambdaProxy-ApiGw-Context: {"authorizer":{"sub":"admin"}}`, "", 401, ""},
	}
}

// rangeRows are TestRange of package api, without the rows that repeat a rule.
func rangeRows() []row {
	var all []row
	for _, x := range []struct {
		method, file, fields string
		want                 int
	}{
		{"GET", "ten", "", 200}, {"GET", "large", "", 200}, {"GET", "empty", "", 200},
		{"HEAD", "ten", "", 200}, {"HEAD", "large", "", 200}, {"HEAD", "empty", "", 200},
		{"GET", "ten", "Range: bytes=0-4", 206}, {"GET", "ten", "Range: bytes=9-9", 206}, {"GET", "ten", "Range: bytes=0-9", 206},
		{"GET", "ten", "Range: bytes=5-100", 206}, {"GET", "ten", "Range: bytes=7-", 206}, {"GET", "ten", "Range: bytes=-3", 206},
		{"GET", "ten", "Range: bytes=-11", 206}, {"GET", "ten", "Range: bytes=0001-0003", 206}, {"GET", "ten", "Range: bytes=8-99999999999999999999", 206},
		{"GET", "large", "Range: bytes=100000-199999", 206}, {"GET", "large", "Range: bytes=1-", 206}, {"GET", "large", "Range: bytes=-250000", 206},
		{"GET", "ten", "Range: BYTES=0-4", 206}, {"GET", "ten", "Range: bytes=,,0-4,,", 206},
		{"GET", "ten", "Range: bytes=0-1,8-9", 206}, {"GET", "ten", "Range: bytes=8-9,0-1", 206}, {"GET", "ten", "Range: bytes=0-1,-2,7-", 206},
		{"GET", "ten", "Range: bytes=0-5,3-7", 206}, {"GET", "ten", "Range: bytes=0-0 ,\t 9-9", 206}, {"GET", "ten", "Range: bytes=0-0 | Range: 9-9", 206},
		{"GET", "ten", "Range: bytes=0-0,10-", 206}, {"GET", "large", "Range: bytes=200000-280000,0-99999,-3", 206},
		{"GET", "large", "Range: bytes=0-0" + strings.Repeat(",9-9", 16), 200}, {"GET", "ten", "Range: bytes=0-9,0-4", 206}, {"GET", "ten", "Range: bytes=0-9,0-5", 200},
		{"GET", "ten", "Range: bytes=10-", 416}, {"GET", "ten", "Range: bytes=-0", 416}, {"GET", "ten", "Range: bytes=10-,20-30,-0", 416}, {"GET", "large", "Range: bytes=300000-", 416},
		{"GET", "empty", "Range: bytes=0-", 200}, {"GET", "empty", "Range: bytes=-5", 200},
		{"GET", "ten", "Range: pages=1-2", 200}, {"GET", "ten", "Range: bytes=4-3", 200}, {"GET", "ten", "Range: bytes=", 200}, {"GET", "ten", "Range:", 200},
		{"GET", "ten", "Range: bytes=+1-4", 200}, {"GET", "ten", "Range: bytes=1--4", 200}, {"GET", "ten", "Range: bytes 0-4/10", 200},
		{"HEAD", "ten", "Range: bytes=0-4", 200}, {"HEAD", "ten", "Range: bytes=10-", 200},
		{"GET", "utf8", "Range: bytes=0-0", 206}, {"GET", "utf8", "Range: bytes=1-4", 206}, {"GET", "utf8", "Range: bytes=0-0,3-4", 206},
	} {
		all = append(all, row{"range: " + x.fields, ada, x.method + " /api/files/{" + x.file + "}/content", fieldsOf(x.file, x.fields), "", x.want, ""})
	}
	return all
}

// fieldsOf has the validators in fields be those of a file.
func fieldsOf(file, fields string) string {
	for _, name := range []string{"etag", "date", "before", "after", "rfc850", "asctime"} {
		fields = strings.ReplaceAll(fields, "{"+name+"}", "{"+file+"."+name+"}")
	}
	return fields
}

// conditionRows are TestPrecondition of package api.
func conditionRows() []row {
	var all []row
	for _, x := range []struct {
		method, fields string
		want           int
	}{
		{"GET", "If-Match: {etag}", 200}, {"HEAD", "If-Match: {etag}", 200}, {"GET", `If-Match: "other"`, 412}, {"HEAD", `If-Match: "other"`, 412},
		{"GET", `If-Match: "a", {etag}, "b"`, 200}, {"GET", `If-Match: "a" | If-Match: {etag}`, 200}, {"GET", "If-Match: *", 200}, {"GET", "If-Match: W/{etag}", 412}, {"GET", "If-Match:", 412},
		{"GET", "If-None-Match: {etag}", 304}, {"HEAD", "If-None-Match: {etag}", 304}, {"GET", `If-None-Match: "other"`, 200}, {"GET", `If-None-Match: "a", {etag}`, 304},
		{"GET", `If-None-Match: "a" | If-None-Match: {etag}`, 304}, {"GET", "If-None-Match: *", 304}, {"GET", "If-None-Match: W/{etag}", 304}, {"GET", "If-None-Match: other", 200},
		{"GET", "If-Modified-Since: {date}", 304}, {"HEAD", "If-Modified-Since: {date}", 304}, {"GET", "If-Modified-Since: {before}", 200}, {"GET", "If-Modified-Since: today", 200},
		{"GET", "If-Modified-Since: {rfc850}", 304}, {"GET", "If-Modified-Since: {asctime}", 304},
		{"GET", "If-Unmodified-Since: {date}", 200}, {"GET", "If-Unmodified-Since: {before}", 412}, {"HEAD", "If-Unmodified-Since: {before}", 412},
		{"GET", `If-Match: "other" | If-None-Match: {etag}`, 412}, {"GET", "If-Match: {etag} | If-Unmodified-Since: {before}", 200},
		{"GET", `If-None-Match: "other" | If-Modified-Since: {date}`, 200}, {"GET", `If-Match: "other" | Range: bytes=10-`, 412}, {"GET", "If-None-Match: {etag} | Range: bytes=10-", 304},
		{"GET", `If-Match: {etag} | If-None-Match: "other" | If-Unmodified-Since: {before} | If-Modified-Since: {date} | If-Range: {etag} | Range: bytes=0-4`, 206},
		{"GET", "If-Range: {etag} | Range: bytes=0-4", 206}, {"GET", "If-Range: {etag} | Range: bytes=0-0,9-9", 206}, {"GET", "If-Range: {etag} | Range: bytes=10-", 416},
		{"GET", `If-Range: "other" | Range: bytes=0-4`, 200}, {"GET", "If-Range: W/{etag} | Range: bytes=0-4", 200}, {"GET", "If-Range: {date} | Range: bytes=0-4", 206},
		{"GET", "If-Range: {rfc850} | Range: bytes=0-4", 206}, {"GET", "If-Range: {before} | Range: bytes=0-4", 200}, {"GET", `If-Range: "other"`, 200},
		{"GET", "If-Range: {asctime} | Range: bytes=0-4", 206}, {"HEAD", "If-Range: {etag} | Range: bytes=0-4", 200},
	} {
		all = append(all, row{"condition: " + x.fields, ada, x.method + " /file/ada/ten", fieldsOf("ten", x.fields), "", x.want, ""})
	}
	return all
}

// nameRows ask for each name by path, in two ways of escaping, and by id, where
// it stands in the header.
func nameRows() []row {
	all := []row{
		{"an empty segment", ada, "GET /file/ada/a//b", "", "", 400, ""},
		{"two dots, escaped", ada, "GET /file/ada/a/%2e%2e/ten", "", "", 400, ""},
		{"a slash, escaped", ada, "GET /file/ada/names%2Fa%2Fb", "", "", 404, ""},
		{"no path", ada, "GET /file/ada/", "", "", 400, ""},
		{"what is not UTF-8", ada, "GET /file/ada/%ff%fe", "", "", 400, ""},
		{"a NUL", ada, "GET /file/ada/a%00b", "", "", 400, ""},
		{"a name that is new", ada, "PUT /file/ada/" + escapePath("names/новый файл"), "", "new", 201, ""},
		{"names listed", ada, "GET /api/files?prefix=" + url.QueryEscape("names/日本") + "&limit=5", "", "", 200, ""},
		{"names listed by folder", ada, "GET /api/files?prefix=names%2F&delimiter=%2F&limit=300", "", "", 200, ""},
	}
	for i, name := range named {
		byID := fmt.Sprintf(" /api/files/{named%d}", i)
		all = append(all,
			row{"the name " + name, ada, "GET /file/ada/" + escapePath("names/"+name), "", "", 200, ""},
			row{"every byte escaped of " + name, ada, "HEAD /file/ada/names/" + escapeBytes(name), "", "", 200, ""},
			row{"by id, the name " + name, ada, "GET" + byID + "/content?disposition=attachment", "", "", 200, ""},
			row{"what is known of " + name, ada, "GET" + byID, "", "", 200, ""},
		)
	}
	return all
}

func escapeBytes(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c == '/' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

// bodyRows send and fetch bytes that JSON and base64 could harm.
func bodyRows() []row {
	var all []row
	for _, name := range []string{"control", "nuls", "cut rune", "bytes", "unicode", "JSON"} {
		all = append(all, row{"a body: " + name, ada, "GET /api/files/{" + name + "}/content", "", "", 200, ""})
		for _, kind := range []string{"text/plain", "application/json", "application/octet-stream"} {
			path := escapePath("sent/" + name + "/" + kind)
			all = append(all,
				row{"sent as " + kind + ": " + name, ada, "PUT /file/ada/" + path, "Content-Type: " + kind, "@" + name, 201, ""},
				row{"fetched as " + kind + ": " + name, ada, "GET /file/ada/" + path, "", "", 200, ""})
		}
	}
	return append(all,
		row{"704 KiB", ada, "GET /api/files/{704 KiB}/content", "", "", 200, ""},
		row{"704 KiB, and one byte", ada, "GET /api/files/{704 KiB+1}/content", "", "", 200, ""},
		row{"4 MiB, less one", ada, "GET /api/files/{4 MiB-1}/content", "", "", 200, ""},
		row{"4 MiB", ada, "GET /api/files/{4 MiB}/content", "", "", 200, ""},
		row{"4 MiB, and one", ada, "GET /api/files/{4 MiB+1}/content", "", "", 200, ""},
		row{"sent: 4 MiB, less one", ada, "PUT /file/ada/sent/4MiB-1", "", "@4 MiB-1", 201, ""},
		row{"sent: 4 MiB, and one", ada, "PUT /file/ada/sent/4MiB+1", "Content-Type: text/plain", "@4 MiB+1", 201, ""},
		row{"what is known of it", ada, "HEAD /file/ada/sent/4MiB+1", "", "", 200, ""},
		row{"all but the first byte of 4 MiB+1", ada, "GET /api/files/{4 MiB+1}/content", "Range: bytes=1-", "", 206, ""},
		row{"HEAD of 4 MiB+1", ada, "HEAD /api/files/{4 MiB+1}/content", "", "", 200, ""},
		row{"5 MiB", ada, "PUT /file/ada/sent/5MiB", "", "@5 MiB", 201, ""},
		row{"nothing", ada, "PUT /file/ada/sent/nothing", "", "", 201, ""},
		row{"nothing, fetched", ada, "GET /file/ada/sent/nothing", "", "", 200, ""},
		row{"a compressed body", ada, "PUT /file/ada/sent/gzip", "Content-Encoding: gzip", "x", 415, ""},
		row{"a digest that holds", ada, "PUT /file/ada/sent/digest", "Repr-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:", "hello", 201, ""},
		row{"a digest that does not", ada, "PUT /file/ada/sent/digest2", "Repr-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:", "other", 422, ""},
		row{"HTML, which is not run", ada, "GET /api/files/{page}/content?disposition=inline", "", "", 200, ""},
	)
}
