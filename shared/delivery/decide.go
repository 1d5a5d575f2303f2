package delivery

import (
	"net/http"
	"strings"
	"time"

	"sluice/shared/byterange"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// Policy is what a deployment has settled about deliveries. The zero value
// streams everything.
type Policy struct {
	Mode      catalog.Delivery // of a file that settles nothing itself
	Above     int64            // auto redirects bodies of more bytes than this
	ByRequest bool             // a request may choose
	Public    bool             // clients reach the store: auto may redirect
}

// decision is how the bytes leave, and why.
type decision struct {
	mode   catalog.Delivery // stream or redirect
	reason string
}

// String is the value of Sluice-Delivery: a token with a parameter (RFC 9651).
func (d decision) String() string { return string(d.mode) + "; reason=" + d.reason }

// minLife is the least time for which a URL is issued: one that ends before
// the client has followed it is of no use.
const minLife = 10 * time.Second

// question is all that a decision depends on.
type question struct {
	method    string
	header    http.Header
	version   *catalog.Version
	verdict   byterange.Verdict // 200 or 206: every other answer is ours
	length    int64             // of the body, in bytes
	presigns  bool              // the store can be reached by presigned URLs
	sandboxed bool              // the body may be shown in a sandbox only
	life      time.Duration     // for which a URL may be good
	file      catalog.Delivery  // what the file settles
	asked     catalog.Delivery  // what the request asks for, where it may
	most      int64             // bytes of a body that the transport carries; 0: any number
}

// decide tells how a body leaves. What cannot be redirected is streamed; where
// the transport cannot carry it either, that is Conflict "needs_stream". Else
// the request's wish comes before the file's, and that before the deployment's.
func (p Policy) decide(q question) (decision, error) {
	if q.method == http.MethodHead && q.presigns {
		return decision{catalog.DeliverStream, "head"}, nil
	}
	heavy := q.most > 0 && q.length > q.most && q.method != http.MethodHead
	if reason := q.obstacle(); reason != "" && heavy {
		return decision{}, fault.New(fault.Conflict, "needs_stream", "This cannot be answered from the store, and is too large to pass through here; ask for less, or ask a server that streams.")
	} else if reason != "" {
		return decision{catalog.DeliverStream, reason}, nil
	}
	if heavy {
		return decision{catalog.DeliverRedirect, "transport"}, nil
	}
	for _, w := range [...]decision{{q.asked, "request"}, {q.file, "file"}, {p.Mode, "policy"}} {
		if w.mode == catalog.DeliverStream || w.mode == catalog.DeliverRedirect {
			return w, nil
		}
	}
	switch {
	case !p.Public:
		return decision{catalog.DeliverStream, "endpoint"}, nil
	case q.length > p.Above:
		return decision{catalog.DeliverRedirect, "size"}, nil
	default:
		return decision{catalog.DeliverStream, "size"}, nil
	}
}

// obstacle tells why the store cannot give the answer that we would, or "".
// The client repeats its fields there, and the store evaluates them anew, with
// an ETag and a date of its own.
func (q question) obstacle() string {
	switch {
	case !q.presigns:
		return "local"
	case q.version.Imported():
		return "imported" // another object may take its place, and no signature holds the one we mean
	case !q.sameRange():
		return "range"
	case !q.sameConditions():
		return "condition"
	case q.sandboxed:
		return "sandbox"
	case q.life < minLife:
		return "expiry"
	case q.clingsToToken():
		return "client"
	default:
		return ""
	}
}

// clingsToToken reports whether the client would show its token to the store
// too, which refuses a request with two credentials. Wget (to 1.25) and aria2
// (to 1.37) send what they were given by --header to whoever they are led to.
func (q question) clingsToToken() bool {
	agent := q.header.Get("User-Agent")
	return q.header.Get("Authorization") != "" && (strings.HasPrefix(agent, "Wget/") || strings.HasPrefix(agent, "aria2/"))
}

// sameRange reports whether the store would send the bytes that we would. It
// knows one range, no multipart, and no If-Range: where we ignore the Range it
// would follow it.
func (q question) sameRange() bool {
	lines := q.header.Values("Range")
	if len(lines) == 0 {
		return true
	}
	return q.verdict.Status == http.StatusPartialContent && len(q.verdict.Ranges) == 1 && len(lines) == 1 && plainRange(lines[0])
}

// plainRange reports whether a range that we have understood is in the one form
// that every store understands as we do: without blanks or empty elements, the
// unit in small letters, and numbers that fit.
func plainRange(value string) bool {
	spec, ok := strings.CutPrefix(value, "bytes=")
	first, last, found := strings.Cut(spec, "-")
	return ok && found && fits(first) && fits(last)
}

// fits reports whether s holds digits, if any, of a number below 2^63.
func fits(s string) bool {
	const digits = 18
	return len(s) <= digits && !strings.ContainsFunc(s, func(c rune) bool { return c < '0' || c > '9' })
}

// sameConditions reports whether the conditions, which hold here, hold at the
// store, and mean there what they mean here. Dates never do.
func (q question) sameConditions() bool {
	h, v := q.header, q.version
	if len(h["If-Modified-Since"]) > 0 || len(h["If-Unmodified-Since"]) > 0 {
		return false
	}
	if lines := h["If-Match"]; len(lines) > 0 && !onlyTag(lines, v) {
		return false // a list or * is not every store's to read
	}
	if lines := h["If-Range"]; len(lines) > 0 && len(h["Range"]) > 0 && !onlyTag(lines, v) {
		return false
	}
	for _, line := range h["If-None-Match"] {
		if strings.Contains(line, strings.Trim(v.StoreETag, `"`)) {
			return false // however the store reads it, it might match
		}
	}
	return true
}

// onlyTag reports whether a field is the version's ETag alone, and the store
// has the same one.
func onlyTag(lines []string, v *catalog.Version) bool {
	return len(lines) == 1 && lines[0] == v.ETag && v.ETag == v.StoreETag
}
