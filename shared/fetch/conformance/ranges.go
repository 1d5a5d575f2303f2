package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"sluice/shared/byterange"
)

// piece is how many bytes a range is asked for, at the most.
const piece = 1000

func rangeChecks() []check {
	return []check{
		{"range-advertised", "RFC 9110 §14.3", 0, checkAdvertised},
		{"range-first", "RFC 9110 §14.2", 0, checkFirst},
		{"range-middle", "RFC 9110 §14.1.2", ranges | twoBytes, checkMiddle},
		{"range-open", "RFC 9110 §14.1.2", ranges, checkOpen},
		{"range-suffix", "RFC 9110 §14.1.2", ranges, checkSuffix},
		{"range-past-end", "RFC 9110 §14.1.2", ranges, checkPastEnd},
		{"range-several", "RFC 9110 §15.3.7.2", ranges | twoBytes, checkSeveral},
		{"range-unsatisfiable", "RFC 9110 §15.5.17", ranges, checkUnsatisfiable},
		{"range-malformed", "RFC 9110 §14.2", ranges, checkMalformed},
		{"range-unit", "RFC 9110 §14.2", 0, checkUnit},
		{"range-of-head", "RFC 9110 §14.2", 0, checkHeadRange},
		{"range-validators", "RFC 9110 §15.3.7", ranges, checkPartValidators},
	}
}

func checkAdvertised(_ context.Context, p *prober) verdict {
	switch units := p.plain.header.Get("Accept-Ranges"); {
	case p.ranges && units == "":
		return warns("Ranges are honoured, and Accept-Ranges does not say so.")
	case p.ranges && !strings.EqualFold(units, "bytes"):
		return fails("Ranges are honoured, and Accept-Ranges is %q.", units)
	case !p.ranges && strings.EqualFold(units, "bytes") && p.size > 0:
		return fails("Accept-Ranges is bytes, and ranges are ignored.")
	default:
		return ok()
	}
}

func checkFirst(_ context.Context, p *prober) verdict {
	switch {
	case p.size == 0:
		return notApplicable("The file is empty.")
	case p.first.status == 0:
		return fails("A range is not answered.")
	case p.first.status == http.StatusOK:
		return warns("Ranges are ignored, as they may be: a broken download begins anew.")
	default:
		return p.isPart(p.first, 0, 0)
	}
}

// isPart wants a part of the file: bytes first to last, as far as they are
// known.
func (p *prober) isPart(a answer, first, last int64) verdict {
	if a.status != http.StatusPartialContent {
		return fails("The answer is %d, and not 206.", a.status)
	}
	got, size, err := byterange.ParseContentRange(a.header.Get("Content-Range"))
	switch {
	case err != nil:
		return fails("The Content-Range is %q.", a.header.Get("Content-Range"))
	case got.Start != first || got.Length != last-first+1 || size >= 0 && p.size >= 0 && size != p.size:
		return fails("The Content-Range is %q, and not of bytes %d-%d of %d.", a.header.Get("Content-Range"), first, last, p.size)
	case !a.whole || int64(len(a.body)) != last-first+1:
		return fails("The body is not of the %d bytes that Content-Range tells.", last-first+1)
	case last < int64(len(p.plain.body)) && !bytes.Equal(a.body, p.plain.body[first:last+1]):
		return fails("The bytes are not those that a plain GET has there.")
	default:
		return ok()
	}
}

// part asks for a range, and wants bytes first to last.
func (p *prober) part(ctx context.Context, value string, first, last int64) (answer, verdict) {
	a, err := p.get(ctx, "Range", value)
	if err != nil {
		return a, fails("There is no answer: %s.", err)
	}
	return a, p.isPart(a, first, last)
}

func checkMiddle(ctx context.Context, p *prober) verdict {
	middle := min(p.size, int64(len(p.plain.body))) / 2
	last := min(middle+piece, p.size) - 1
	_, v := p.part(ctx, fmt.Sprintf("bytes=%d-%d", middle, last), middle, last)
	return v
}

// tail returns where the last piece of the file begins.
func (p *prober) tail() int64 { return max(0, p.size-piece) }

func checkOpen(ctx context.Context, p *prober) verdict {
	_, v := p.part(ctx, fmt.Sprintf("bytes=%d-", p.tail()), p.tail(), p.size-1)
	return v
}

func checkSuffix(ctx context.Context, p *prober) verdict {
	n := p.size - p.tail()
	suffix, v := p.part(ctx, fmt.Sprintf("bytes=-%d", n), p.tail(), p.size-1)
	if v.outcome != OK || p.plain.whole {
		return v
	}
	same, err := p.get(ctx, "Range", fmt.Sprintf("bytes=%d-%d", p.tail(), p.size-1))
	if err == nil && same.status == http.StatusPartialContent && !bytes.Equal(same.body, suffix.body) {
		return fails("The last %d bytes are others than bytes %d-%d.", n, p.tail(), p.size-1)
	}
	return v
}

func checkPastEnd(ctx context.Context, p *prober) verdict {
	_, v := p.part(ctx, fmt.Sprintf("bytes=%d-%d", p.tail(), p.size+piece), p.tail(), p.size-1)
	return v
}

func checkSeveral(ctx context.Context, p *prober) verdict {
	last := p.size - 1
	a, err := p.get(ctx, "Range", fmt.Sprintf("bytes=0-0,%d-%d", last, last))
	switch {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a.status == http.StatusOK:
		return warns("Several ranges are ignored, as they may be.")
	case a.status == http.StatusRequestedRangeNotSatisfiable:
		return warns("Several ranges are refused.")
	case a.status != http.StatusPartialContent:
		return fails("The answer is %d, and not 206.", a.status)
	}
	if p.size <= piece && a.header.Get("Content-Range") != "" { // so small a gap may be sent along
		return p.isPart(a, 0, last)
	}
	kind, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	switch {
	case err != nil || kind != "multipart/byteranges":
		return fails("The type is %q, and not multipart/byteranges.", a.header.Get("Content-Type"))
	case a.header.Get("Content-Range") != "":
		return fails("There is a Content-Range beside those of the parts.")
	}
	return p.areParts(multipart.NewReader(bytes.NewReader(a.body), params["boundary"]), 0, last)
}

// areParts wants one part for each byte at those offsets, in any order.
func (p *prober) areParts(parts *multipart.Reader, offsets ...int64) verdict {
	left := map[int64]bool{}
	for _, offset := range offsets {
		left[offset] = true
	}
	for len(left) > 0 {
		part, err := parts.NextRawPart()
		if err != nil {
			return fails("%d of the parts asked for are not there.", len(left))
		}
		body, err := io.ReadAll(part)
		r, _, malformed := byterange.ParseContentRange(part.Header.Get("Content-Range"))
		if err != nil || malformed != nil || !left[r.Start] {
			return fails("A part is of %q, which nobody asked for.", part.Header.Get("Content-Range"))
		}
		delete(left, r.Start)
		a := answer{status: http.StatusPartialContent, header: http.Header(part.Header), body: body, whole: true}
		if v := p.isPart(a, r.Start, r.Start); v.outcome != OK {
			return v
		}
	}
	return ok()
}

func checkUnsatisfiable(ctx context.Context, p *prober) verdict {
	a, err := p.get(ctx, "Range", fmt.Sprintf("bytes=%d-", p.size))
	switch want := fmt.Sprintf("bytes */%d", p.size); {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a.status == http.StatusOK:
		return warns("A range past the end is answered by the whole, and not by 416.")
	case a.status != http.StatusRequestedRangeNotSatisfiable:
		return fails("A range past the end is answered by %d, and not by 416.", a.status)
	case a.header.Get("Content-Range") == "":
		return warns("The 416 does not tell the size in Content-Range.")
	case a.header.Get("Content-Range") != want:
		return fails("The Content-Range of the 416 is %q, and not %q.", a.header.Get("Content-Range"), want)
	default:
		return ok()
	}
}

func checkMalformed(ctx context.Context, p *prober) verdict {
	a, err := p.get(ctx, "Range", "bytes=first-last")
	switch {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a.status == http.StatusOK || a.status == http.StatusBadRequest || a.status == http.StatusRequestedRangeNotSatisfiable:
		return ok()
	default:
		return fails("A range that is none is answered by %d.", a.status)
	}
}

func checkUnit(ctx context.Context, p *prober) verdict {
	return p.wantStatus(ctx, http.StatusOK, http.MethodGet, "Range", "pages=0-0")
}

func checkHeadRange(ctx context.Context, p *prober) verdict {
	if p.size <= 0 {
		return notApplicable("The size is not known, or 0.")
	}
	return p.wantStatus(ctx, http.StatusOK, http.MethodHead, "Range", "bytes=0-0")
}

// wantStatus sends a request and wants that status.
func (p *prober) wantStatus(ctx context.Context, want int, method string, fields ...string) verdict {
	a, err := p.ask(ctx, method, maxBody, fields...)
	if err != nil {
		return fails("There is no answer: %s.", err)
	}
	if a.status != want {
		return fails("The answer is %d, and not %d.", a.status, want)
	}
	return ok()
}

// checkPartValidators wants of a part what a client needs to join it to others.
func checkPartValidators(_ context.Context, p *prober) verdict {
	for _, name := range []string{"ETag", "Last-Modified"} {
		whole, part := p.plain.header.Get(name), p.first.header.Get(name)
		switch {
		case part == whole:
		case part == "" && name == "ETag":
			return fails("A part does not tell the ETag of the whole.")
		case part == "":
			return warns("A part does not tell the Last-Modified of the whole.")
		default:
			return fails("The %s of a part is %q, and that of the whole %q.", name, part, whole)
		}
	}
	return ok()
}

func ifRangeChecks() []check {
	const section = "RFC 9110 §13.1.5"
	partIf := func(value func(*prober) string) func(context.Context, *prober) verdict {
		return func(ctx context.Context, p *prober) verdict {
			return p.wantStatus(ctx, http.StatusPartialContent, http.MethodGet, "Range", "bytes=0-0", "If-Range", value(p))
		}
	}
	wholeIf := func(value func(*prober) string) func(context.Context, *prober) verdict {
		return func(ctx context.Context, p *prober) verdict {
			return p.wantStatus(ctx, http.StatusOK, http.MethodGet, "Range", "bytes=0-0", "If-Range", value(p))
		}
	}
	return []check{
		{"if-range", section, ranges | strongTag, partIf(func(p *prober) string { return p.tag })},
		{"if-range-stale", section, ranges, wholeIf(func(*prober) string { return otherTag })},
		{"if-range-weak", section, ranges | entityTag, wholeIf(func(p *prober) string { return "W/" + strings.TrimPrefix(p.tag, "W/") })},
		{"if-range-date", section, ranges | modified, checkIfRangeDate},
		{"if-range-date-stale", section, ranges | modified, wholeIf(func(p *prober) string { return p.date(-time.Hour) })},
		{"if-range-date-later", section, ranges | modified, wholeIf(func(p *prober) string { return p.date(time.Hour) })},
		{"if-range-malformed", section, ranges, checkIfRangeMalformed},
	}
}

// date is the date of the last modification, moved.
func (p *prober) date(by time.Duration) string {
	return p.modified.Add(by).UTC().Format(http.TimeFormat)
}

// checkIfRangeDate allows a server to doubt its date, where a second change may
// come within its second (§8.8.2.2).
func checkIfRangeDate(ctx context.Context, p *prober) verdict {
	a, err := p.get(ctx, "Range", "bytes=0-0", "If-Range", p.date(0))
	switch {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a.status == http.StatusPartialContent:
		return ok()
	case a.status == http.StatusOK && p.tag != "":
		return notApplicable("The server takes the ETag alone.")
	case a.status == http.StatusOK:
		return warns("The date is not taken, and there is no ETag: a broken download begins anew.")
	default:
		return fails("The answer is %d, and not 206.", a.status)
	}
}

func checkIfRangeMalformed(ctx context.Context, p *prober) verdict {
	a, err := p.get(ctx, "Range", "bytes=0-0", "If-Range", "neither-tag-nor-date")
	switch {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a.status == http.StatusOK || a.status == http.StatusBadRequest:
		return ok()
	default:
		return fails("The answer is %d, and not the whole.", a.status)
	}
}
