package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sluice/shared/byterange"
	"sluice/shared/fault"
)

// prober asks, and knows what a plain GET was answered.
type prober struct {
	url     *url.URL
	options Options
	client  *http.Client

	plain    answer
	size     int64     // -1: unknown
	tag      string    // the ETag as it was sent; "": none that is one
	coding   string    // of the plain answer, where identity was asked for; "": none
	modified time.Time // zero: unknown
	ranges   bool      // they are honoured
	first    answer    // to the range of the first byte
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte // as much of it as is read
	whole  bool   // that is all of it
	length int64  // Content-Length; -1: none
}

// verdict is what a check says.
type verdict struct {
	outcome Outcome
	detail  string
}

func ok() verdict { return verdict{outcome: OK} }

func fails(format string, args ...any) verdict {
	return verdict{Fails, fmt.Sprintf(format, args...)}
}

func warns(format string, args ...any) verdict {
	return verdict{Warning, fmt.Sprintf(format, args...)}
}

func notApplicable(why string) verdict { return verdict{NotApplicable, why} }

// maxRedirects is how many redirects are followed to one answer.
const maxRedirects = 10

// redirect keeps credentials and the caller's own fields from another host or
// port, where net/http would let them go to a port of the same host.
func (p *prober) redirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("it redirects in a circle")
	}
	if r.URL.Scheme != p.url.Scheme || r.URL.Host != p.url.Host {
		for name := range p.options.Header {
			r.Header.Del(name)
		}
	}
	r.Header.Del("Authorization")
	p.authorize(r)
	return nil
}

func (p *prober) authorize(r *http.Request) {
	if p.options.Authorize == nil || r.Header.Get("Authorization") != "" {
		return
	}
	if value := p.options.Authorize(r.URL); value != "" {
		r.Header.Set("Authorization", value)
	}
}

// ask sends a request with header fields in pairs, and reads at most so many
// bytes of the answer.
func (p *prober) ask(ctx context.Context, method string, most int64, fields ...string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.url.String(), http.NoBody)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Set("User-Agent", p.options.UserAgent)
	for name, values := range p.options.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	p.authorize(r)
	resp, err := p.client.Do(r)
	if err != nil {
		return answer{}, bare(err)
	}
	defer resp.Body.Close() // which hangs up where more would come
	a := answer{status: resp.StatusCode, header: resp.Header, length: resp.ContentLength}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return a, bare(err)
	}
	if a.whole = int64(len(a.body)) <= most; !a.whole {
		a.body = a.body[:most]
	}
	return a, nil
}

// bare takes the URL out of an error, since it may be a secret.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// get is ask by GET, for an answer that need not be read whole.
func (p *prober) get(ctx context.Context, fields ...string) (answer, error) {
	return p.ask(ctx, http.MethodGet, maxBody, fields...)
}

// look asks for the file by a plain GET, and for its first byte.
func (p *prober) look(ctx context.Context) error {
	var err error
	p.plain, err = p.ask(ctx, http.MethodGet, maxWhole)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && p.plain.status == http.StatusOK:
		return fault.Wrap(err, fault.Upstream, "broken_off", "The server does not send what it announced.")
	case err != nil:
		return fault.Wrap(err, fault.Unavailable, "unreachable", "The server cannot be reached.")
	case p.plain.status != http.StatusOK:
		return refused(p.plain.status)
	}
	p.size = p.plain.length
	if tag := p.plain.header.Get("ETag"); wellFormed(tag) {
		p.tag = tag
	}
	if p.coding = p.plain.coding(); p.coding != "" { // no byte of the file has been seen
		p.size, p.plain.body, p.plain.whole = -1, nil, false
	} else if p.size < 0 && p.plain.whole {
		p.size = int64(len(p.plain.body))
	}
	if modified, err := http.ParseTime(p.plain.header.Get("Last-Modified")); err == nil {
		p.modified = modified
	}
	if p.first, err = p.get(ctx, "Range", "bytes=0-0"); err != nil {
		return ctx.Err() // what is wrong with it a check tells
	}
	p.ranges = p.first.status == http.StatusPartialContent
	if _, size, err := byterange.ParseContentRange(p.first.header.Get("Content-Range")); p.ranges && p.size < 0 && err == nil {
		p.size = size
	}
	return nil
}

// refused is the error of a plain GET that is not answered by the file.
func refused(status int) error {
	kind, known := map[int]fault.Kind{
		http.StatusUnauthorized: fault.Unauthenticated, http.StatusForbidden: fault.Forbidden,
		http.StatusNotFound: fault.NotFound, http.StatusGone: fault.NotFound,
		http.StatusTooManyRequests: fault.TooManyRequests, http.StatusServiceUnavailable: fault.Unavailable,
	}[status]
	if !known {
		kind = fault.Upstream
	}
	return fault.Newf(kind, "not_the_file", "The server answers a plain GET with %d %s.", status, http.StatusText(status))
}

// coding is the content coding of an answer; "" is identity.
func (a answer) coding() string {
	coding := a.header.Get("Content-Encoding")
	if strings.EqualFold(coding, "identity") {
		return ""
	}
	return coding
}

func isWeak(tag string) bool { return strings.HasPrefix(tag, "W/") }

// otherTag is an ETag that no file has.
const otherTag = `"sluice-verify-another-version"`
