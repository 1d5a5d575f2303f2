package edgetest_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/shared/edge/edgetest"
)

// answer is what came of a request.
type answer struct {
	status int
	header http.Header
	body   string
	broken string // why the body is not whole
	method string
	sent   int // bytes of the request's body

	location string // as it came
	cause    string // why it is AWS's own, if it is
}

// read sends a request and reads the answer.
func read(t testing.TB, c *http.Client, request *http.Request) answer {
	t.Helper()
	sent := request.ContentLength
	response, err := c.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", request.Method, request.URL, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	a := answer{
		status: response.StatusCode, header: response.Header, body: string(body), method: request.Method, sent: int(sent), location: response.Header.Get("Location"), cause: response.Header.Get(edgetest.CauseHeader),
	}
	if err != nil {
		a.broken = err.Error()
	}
	return a
}

// keep keeps what later rows name, written as "name=member" of a JSON body, with
// dots and numbers for what is within, or "name=Header:Field". A URL of the
// world's own loses its origin.
func (w *world) keep(r row, a answer) {
	w.t.Helper()
	for pair := range strings.FieldsSeq(r.keep) {
		name, member, _ := strings.Cut(pair, "=")
		value, inHeader := strings.CutPrefix(member, "Header:")
		if inHeader {
			value = a.header.Get(value)
		} else {
			value = memberOf(a.body, member)
		}
		if value == "" {
			w.t.Fatalf("%s: the answer has no %s: %d %.300s", r.name, member, a.status, a.body)
		}
		w.replacer = nil
		w.vars[name] = strings.TrimPrefix(value, w.site.URL)
	}
}

func memberOf(body, path string) string {
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return ""
	}
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(at) {
				return ""
			}
			v = at[i]
		}
	}
	text, _ := v.(string)
	return text
}

// ulidLength is the least length of a value that is known by its name.
const ulidLength = 26

// What differs between two deployments that do the same.
var (
	validator = regexp.MustCompile(`\.(etag|date|before|after|rfc850|asctime)$`) // which need no masking, or have another
	ulids     = regexp.MustCompile(`\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b`)
	tokens    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`)
	times     = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	dates     = regexp.MustCompile(`(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT`)
	keys      = regexp.MustCompile(`"(x|kid)":"[^"]*"`)
	cursors   = regexp.MustCompile(`"next_cursor":"[^"]*"`)
	urls      = regexp.MustCompile(`/(s|l)/[^/"]{30,}/`)
	running   = regexp.MustCompile(`"state":"(running|done)"`)
)

// mask replaces what differs by names.
func (w *world) mask(text string) string {
	text = w.names().Replace(text)
	for _, m := range []struct {
		what *regexp.Regexp
		by   string
	}{
		{tokens, "{token}"}, {times, "{time}"}, {dates, "{date}"}, {keys, `"$1":"{key}"`}, {cursors, `"next_cursor":"{cursor}"`},
		{urls, "/$1/{sealed}/"}, {running, `"state":"{running}"`},
	} {
		text = m.what.ReplaceAllString(text, m.by)
	}
	seen := map[string]string{}
	return ulids.ReplaceAllStringFunc(text, func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("{id %d}", len(seen)+1)
		}
		return seen[id]
	})
}

// names puts the names of the world's long values for them, the longest first.
func (w *world) names() *strings.Replacer {
	if w.replacer != nil {
		return w.replacer
	}
	names := slices.Collect(maps.Keys(w.vars))
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(len(w.vars[b])-len(w.vars[a]), strings.Compare(a, b))
	})
	pairs := []string{w.site.URL, "{base}", "s3://sluice" + w.site.Config.Blob.Path, "{store}"}
	for _, name := range names {
		if len(w.vars[name]) >= ulidLength && !validator.MatchString(name) && !urls.MatchString(w.vars[name]) {
			pairs = append(pairs, w.vars[name], "{"+name+"}")
		}
	}
	w.replacer = strings.NewReplacer(pairs...)
	return w.replacer
}

// ignored are the fields that say nothing of the answer: the connection's, the
// time of day's, and AWS's own notes.
var ignored = []string{"Date", "Connection", edgetest.CauseHeader, "X-Amzn-Remapped-Content-Length", "X-Amzn-Remapped-Date", "X-Amzn-Remapped-Connection"}

// masked returns the answer in the terms of every world. The length is that of
// the body, where net/http told none.
func (w *world) masked(a answer) answer {
	h := http.Header{}
	for name, values := range a.header {
		if !slices.Contains(ignored, name) {
			h.Set(name, strings.Join(values, ", "))
		}
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	switch {
	case err != nil:
	case strings.HasPrefix(kind, "multipart/"):
		h.Set("Content-Type", kind+"; boundary={boundary}")
		a.body = strings.ReplaceAll(a.body, params["boundary"], "{boundary}")
	case strings.Contains(kind, "json"):
		a.body = sorted(a.body)
	}
	names := slices.Sorted(maps.Keys(h))
	texts := make([]string, 0, len(names)+1)
	for _, name := range names {
		texts = append(texts, h.Get(name))
	}
	isOurs := strings.Contains(kind, "json") || strings.Contains(kind, "metalink")
	if isOurs {
		texts = append(texts, a.body)
	}
	texts = strings.Split(w.mask(strings.Join(texts, "\x00")), "\x00")
	for i, name := range names {
		h.Set(name, texts[i])
	}
	if isOurs {
		a.body = strings.Join(texts[len(names):], "\x00")
	}
	w.settleHeader(h, a)
	a.header = h
	return a
}

// settleHeader has the fields be alike that need not be equal.
func (w *world) settleHeader(h http.Header, a answer) {
	for name, values := range h {
		h[name] = []string{strings.ReplaceAll(strings.ReplaceAll(values[0], ", ", ","), ",", ", ")}
	}
	bodiless := a.method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified
	if !bodiless && (!w.streams || h.Get("Content-Length") != "") {
		h.Set("Content-Length", "{length}")
	}
	if allowed := strings.Split(h.Get("Allow"), ", "); len(allowed) > 1 {
		slices.Sort(allowed) // it is a set
		h.Set("Allow", strings.Join(allowed, ", "))
	}
	if h.Get("Retry-After") != "" {
		h.Set("Retry-After", "{seconds}")
	}
	if strings.HasSuffix(h.Get("Vary"), "Accept") {
		h.Set("Etag", "{etag of a manifest}") // which names the file's id
	}
}

// sorted has the members of JSON in one order: in which they are sent is nobody's
// promise. What is no JSON stays.
func sorted(body string) string {
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return body
	}
	out, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return string(out)
}

// String shows the answer, a long body by its digest.
func (a answer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", a.status)
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(a.header[name], " and "))
	}
	const enough = 600
	if len(a.body) > enough {
		fmt.Fprintf(&b, "\n%d bytes %x\n%.200q", len(a.body), sha256.Sum256([]byte(a.body)), a.body)
	} else {
		fmt.Fprintf(&b, "\n%q", a.body)
	}
	if a.broken != "" {
		b.WriteString("\nbroken: " + a.broken)
	}
	return b.String()
}
