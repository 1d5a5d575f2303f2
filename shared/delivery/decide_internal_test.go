package delivery

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/shared/byterange"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

const date = "Sun, 01 Jun 2025 12:00:00 GMT" // the Last-Modified of what is asked for

// answer asks what becomes of a request with fields written as
// "Name: value | Name: value" for a version of 10 MiB. change makes the question
// another one.
func answer(t *testing.T, p Policy, fields string, change func(*question)) string {
	t.Helper()
	at, err := http.ParseTime(date)
	if err != nil {
		t.Fatal(err)
	}
	v := &catalog.Version{ETag: `"aa"`, StoreETag: `"aa"`, Size: 10 << 20, ModifiedAt: at}
	q := question{method: http.MethodGet, header: http.Header{}, version: v, presigns: true, life: time.Minute}
	for field := range strings.SplitSeq(fields, " | ") {
		if name, value, ok := strings.Cut(field, ": "); ok {
			q.header.Add(name, value)
		}
	}
	if change != nil {
		change(&q)
	}
	rep := byterange.Representation{ETag: v.ETag, LastModified: v.ModifiedAt, Size: v.Size}
	q.verdict = byterange.Evaluate(q.method, q.header, rep)
	if q.verdict.Status >= http.StatusMultipleChoices {
		return http.StatusText(q.verdict.Status)
	}
	q.length = plan(q.verdict, &catalog.File{Version: *v}).length
	d, err := p.decide(q)
	switch {
	case err != nil && !fault.Is(err, fault.Conflict, "needs_stream"):
		t.Fatal(err)
	case err != nil:
		return "needs_stream"
	}
	return d.String()
}

// The answer at the store is the one that we would give, or it is ours to give.
func TestOnlyWhatMeansTheSameAtTheStoreIsRedirected(t *testing.T) {
	always := Policy{Mode: catalog.DeliverRedirect}
	other := func(q *question) { q.version.StoreETag = `"bb"` }
	empty := func(q *question) { q.version.Size = 0 }
	for _, x := range []struct {
		fields string
		change func(*question)
		want   string
	}{
		{"", nil, "redirect; reason=policy"},
		{"", other, "redirect; reason=policy"},
		{"", empty, "redirect; reason=policy"},
		{"", func(q *question) { q.method = http.MethodHead }, "stream; reason=head"},
		{"", func(q *question) { q.presigns = false }, "stream; reason=local"},
		{"", func(q *question) { q.presigns, q.method = false, http.MethodHead }, "stream; reason=local"},
		{"", func(q *question) { q.sandboxed = true }, "stream; reason=sandbox"},
		{"", func(q *question) { q.version.Key = "videos/a" }, "stream; reason=imported"},
		{"", func(q *question) { q.life = minLife - 1 }, "stream; reason=expiry"},
		{"", func(q *question) { q.life = minLife }, "redirect; reason=policy"},
		{"Authorization: Bearer x", nil, "redirect; reason=policy"},
		{"User-Agent: aria2/1.37.0", nil, "redirect; reason=policy"},
		{"Authorization: Bearer x | User-Agent: curl/8.14.1", nil, "redirect; reason=policy"},
		{"Authorization: Bearer x | User-Agent: aria2/1.37.0", nil, "stream; reason=client"},
		{"Authorization: Bearer x | User-Agent: Wget/1.25.0", nil, "stream; reason=client"},

		{"Range: bytes=0-99", nil, "redirect; reason=policy"},
		{"Range: bytes=100-", nil, "redirect; reason=policy"},
		{"Range: bytes=-100", nil, "redirect; reason=policy"},
		{"Range: bytes=0-99999999", nil, "redirect; reason=policy"},               // S3 cuts it as we do
		{"Range: bytes=0-99", other, "redirect; reason=policy"},                   // the key is pinned: its bytes are the version's
		{"Range: bytes=10485760-", nil, "Requested Range Not Satisfiable"},        // ours
		{"Range: bytes=0-99,200-299", nil, "stream; reason=range"},                // S3 knows one
		{"Range: bytes=0-99 | Range: bytes=200-299", nil, "stream; reason=range"}, // which are malformed together
		{"Range: bytes=0-99,", nil, "stream; reason=range"},                       // an empty element
		{"Range: bytes=0-99,10485760-", nil, "stream; reason=range"},              // one of two is satisfiable
		{"Range: bytes= 0-99", nil, "stream; reason=range"},                       // a blank
		{"Range: Bytes=0-99", nil, "stream; reason=range"},                        // the unit in other letters
		{"Range: bytes=0-99999999999999999999", nil, "stream; reason=range"},      // over 64 bits
		{"Range: bytes=9-0", nil, "stream; reason=range"},                         // malformed, so ignored
		{"Range: lines=0-9", nil, "stream; reason=range"},                         // unknown, so ignored
		{"Range: bytes=0-,0-", nil, "stream; reason=range"},                       // too much, so ignored
		{"Range: bytes=0-99", empty, "stream; reason=range"},                      // of nothing, so ignored; S3 says 416
		{"Range: bytes=0-99", func(q *question) { q.sandboxed = true }, "stream; reason=sandbox"},

		{`If-Match: "aa"`, nil, "redirect; reason=policy"},
		{`If-Match: "aa" | Range: bytes=0-99`, nil, "redirect; reason=policy"},
		{`If-Match: "aa"`, other, "stream; reason=condition"},
		{`If-Match: "cc", "aa"`, nil, "stream; reason=condition"},
		{`If-Match: "aa" | If-Match: "cc"`, nil, "stream; reason=condition"},
		{`If-Match: *`, nil, "stream; reason=condition"},
		{`If-Match: "cc"`, nil, "Precondition Failed"}, // ours
		{`If-Match: "bb"`, other, "Precondition Failed"},

		{`If-Range: "aa" | Range: bytes=0-99`, nil, "redirect; reason=policy"},
		{`If-Range: "aa" | Range: bytes=0-99`, other, "stream; reason=condition"},
		{`If-Range: "cc" | Range: bytes=0-99`, nil, "stream; reason=range"}, // the whole is wanted
		{`If-Range: "bb" | Range: bytes=0-99`, other, "stream; reason=range"},
		{`If-Range: W/"aa" | Range: bytes=0-99`, nil, "stream; reason=range"},
		{"If-Range: " + date + " | Range: bytes=0-99", nil, "stream; reason=condition"}, // the store has another date
		{`If-Range: "cc"`, nil, "redirect; reason=policy"},                              // means nothing without a Range

		{`If-None-Match: "cc"`, nil, "redirect; reason=policy"},
		{`If-None-Match: "cc", W/"dd"`, nil, "redirect; reason=policy"},
		{`If-None-Match: "cc"`, other, "redirect; reason=policy"},
		{`If-None-Match: "bb"`, other, "stream; reason=condition"}, // it would match there
		{`If-None-Match: aa`, nil, "stream; reason=condition"},     // malformed, but not for MinIO
		{`If-None-Match: "aa"`, nil, "Not Modified"},               // ours
		{`If-None-Match: *`, nil, "Not Modified"},

		{"If-Modified-Since: " + date, nil, "Not Modified"}, // ours
		{"If-Modified-Since: Sun, 01 Jun 2025 11:00:00 GMT", nil, "stream; reason=condition"},
		{`If-Modified-Since: ` + date + ` | If-None-Match: "cc"`, nil, "stream; reason=condition"}, // which comes first here, and not there
		{"If-Modified-Since: yesterday", nil, "stream; reason=condition"},
		{"If-Unmodified-Since: " + date, nil, "stream; reason=condition"},
		{"If-Unmodified-Since: Sun, 01 Jun 2025 11:00:00 GMT", nil, "Precondition Failed"}, // ours
	} {
		if got := answer(t, always, x.fields, x.change); got != x.want {
			t.Errorf("%q: %s, want %s", x.fields, got, x.want)
		}
	}
}

// What may be redirected is decided by the request, the file, the deployment
// and at last the size of the body, in this order.
func TestWhoDecides(t *testing.T) {
	const auto, stream, redirect, unsaid = catalog.DeliverAuto, catalog.DeliverStream, catalog.DeliverRedirect, catalog.Delivery("")
	const whole, half, small = "", "Range: bytes=0-5242879", "Range: bytes=0-4194303"
	for _, x := range []struct {
		asked, file, deployment catalog.Delivery
		public                  bool
		fields                  string
		want                    string
	}{
		{unsaid, unsaid, auto, true, whole, "redirect; reason=size"},
		{unsaid, unsaid, auto, true, half, "redirect; reason=size"},
		{unsaid, unsaid, auto, true, small, "stream; reason=size"}, // the body counts, not the file
		{unsaid, unsaid, auto, false, whole, "stream; reason=endpoint"},
		{unsaid, unsaid, stream, true, whole, "stream; reason=policy"},
		{unsaid, unsaid, redirect, true, small, "redirect; reason=policy"},
		{unsaid, unsaid, redirect, false, small, "redirect; reason=policy"},
		{unsaid, auto, auto, true, whole, "redirect; reason=size"},
		{unsaid, auto, stream, true, whole, "stream; reason=policy"},
		{unsaid, stream, redirect, true, whole, "stream; reason=file"},
		{unsaid, redirect, stream, false, small, "redirect; reason=file"},
		{auto, redirect, stream, true, small, "redirect; reason=file"},
		{stream, redirect, redirect, true, whole, "stream; reason=request"},
		{redirect, stream, stream, false, small, "redirect; reason=request"},
	} {
		p := Policy{Mode: x.deployment, Above: 4 << 20, Public: x.public}
		got := answer(t, p, x.fields, func(q *question) { q.asked, q.file = x.asked, x.file })
		if got != x.want {
			t.Errorf("%+v: %s", x, got)
		}
	}
}

// A transport that carries 4 MiB at most leaves the rest to the store, and what
// the store cannot answer to another transport.
func TestWhatATransportCannotCarry(t *testing.T) {
	for _, x := range []struct {
		mode   catalog.Delivery
		fields string
		change func(*question)
		want   string
	}{
		{catalog.DeliverAuto, "", nil, "redirect; reason=transport"},
		{catalog.DeliverStream, "", nil, "redirect; reason=transport"},
		{catalog.DeliverStream, "Range: bytes=0-4194303", nil, "stream; reason=policy"},
		{catalog.DeliverStream, "Range: bytes=0-4194304", nil, "redirect; reason=transport"},
		{catalog.DeliverAuto, `If-Range: "cc" | Range: bytes=0-0`, nil, "needs_stream"},
		{catalog.DeliverAuto, `If-Match: "aa"`, func(q *question) { q.version.StoreETag = `"bb"` }, "needs_stream"},
		{catalog.DeliverAuto, "Range: bytes=0-4194303,5000000-5000009", nil, "needs_stream"},
		{catalog.DeliverAuto, "Range: bytes=0-9,20-29", nil, "stream; reason=range"},
		{catalog.DeliverAuto, "", func(q *question) { q.presigns = false }, "needs_stream"},
		{catalog.DeliverAuto, "", func(q *question) { q.presigns, q.method = false, http.MethodHead }, "stream; reason=local"},
		{catalog.DeliverAuto, "", func(q *question) { q.method = http.MethodHead }, "stream; reason=head"},
	} {
		buffered := func(q *question) {
			q.most = 4 << 20
			if x.change != nil {
				x.change(q)
			}
		}
		if got := answer(t, Policy{Mode: x.mode, Above: 4 << 20}, x.fields, buffered); got != x.want {
			t.Errorf("%s with %q: %s, want %s", x.mode, x.fields, got, x.want)
		}
	}
}
