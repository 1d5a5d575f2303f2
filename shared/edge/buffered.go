package edge

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// buffer is a sink that keeps an answer until it is whole.
type buffer struct {
	head head
	body bytes.Buffer
	most int  // bytes of body
	over bool // more than most were written
}

func (b *buffer) begin(h head) {
	b.head = h
	if b.over = h.length > int64(b.most); !b.over && h.length > 0 {
		b.body.Grow(int(h.length))
	}
}

// Write refuses what cannot be sent anyway, so that the app need not make it.
func (b *buffer) Write(p []byte) (int, error) {
	if b.over = b.over || b.body.Len()+len(p) > b.most; b.over {
		return 0, errTooLarge
	}
	return b.body.Write(p)
}

func (b *buffer) setWriteDeadline(time.Time) error { return http.ErrNotSupported }

// buffer answers a call by one JSON value. What is not whole, or too large, is
// replaced by a problem: nothing has been sent yet.
func (f *Function) buffer(c *call) any {
	defer c.cancel()
	b := &buffer{most: f.Transport.mostJSON()}
	w := newWriter(b, c.Method)
	broken := f.serve(c.outer, w, c.Request)
	if b.over {
		broken = errTooLarge
	}
	if broken == nil {
		if response, fits := f.encode(c, b); fits {
			return response
		}
		broken = errTooLarge
	}
	instead := &buffer{most: f.Transport.mostJSON()}
	refuse(newWriter(instead, c.Method), w.header, broken)
	response, _ := f.encode(c, instead)
	return response
}

// encode makes an answer its transport's, and tells whether that fits.
func (f *Function) encode(c *call, b *buffer) (response any, fits bool) {
	if b.head.header.Get("Content-Length") == "" && c.Method != http.MethodHead && !bodiless(b.head.status) {
		b.head.header.Set("Content-Length", strconv.Itoa(b.body.Len()))
	}
	text, inBase64, size := encodeBody(b.body.Bytes(), isText(b.head))
	frame, err := json.Marshal(f.Transport.response(c, b.head, "x", inBase64)) // an empty body might be left out
	if err != nil || len(frame)-len("x")+size > f.Transport.mostJSON() {
		return nil, false
	}
	return f.Transport.response(c, b.head, text, inBase64), true
}

// response is an answer as the transport wants it.
func (t Transport) response(c *call, h head, body string, inBase64 bool) any {
	switch t {
	case HTTP:
		fields, cookies := joined(h.header)
		return events.APIGatewayV2HTTPResponse{StatusCode: h.status, Headers: fields, Cookies: cookies, Body: body, IsBase64Encoded: inBase64}
	case ALB:
		r := events.ALBTargetGroupResponse{
			StatusCode: h.status, StatusDescription: fmt.Sprintf("%d %s", h.status, http.StatusText(h.status)),
			MultiValueHeaders: h.header, Body: body, IsBase64Encoded: inBase64,
		}
		if c.single {
			r.MultiValueHeaders, r.Headers = nil, lastCookie(h.header)
		}
		return r
	default:
		return events.APIGatewayProxyResponse{StatusCode: h.status, MultiValueHeaders: h.header, Body: body, IsBase64Encoded: inBase64}
	}
}

// joined returns a header with one line for each name, and the lines of
// Set-Cookie, which cannot be joined (RFC 9110 §5.3).
func joined(h http.Header) (fields map[string]string, cookies []string) {
	fields, cookies = make(map[string]string, len(h)), []string{}
	for name, lines := range h {
		if name == "Set-Cookie" {
			cookies = lines
			continue
		}
		fields[name] = strings.Join(lines, ", ")
	}
	return fields, cookies
}

// lastCookie is joined where there is room for one cookie only.
func lastCookie(h http.Header) map[string]string {
	fields, cookies := joined(h)
	if len(cookies) > 0 {
		fields["Set-Cookie"] = cookies[len(cookies)-1]
	}
	return fields
}

// isText reports whether a body may go into JSON as it is: it is declared to be
// text, and is all of it. A part of a file is bytes, wherever it is cut.
func isText(h head) bool {
	if h.status == http.StatusPartialContent || h.header.Get("Content-Encoding") != "" {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(h.header.Get("Content-Type"))
	return err == nil && (strings.HasPrefix(mediaType, "text/") || mediaType == "application/json" ||
		strings.HasSuffix(mediaType, "+json") || strings.HasSuffix(mediaType, "+xml"))
}

// encodeBody makes a body a string for JSON, and tells how many bytes that is
// there at most. Base64 takes whatever is no text, and text that JSON would
// escape to more than that: a NUL is six bytes there.
func encodeBody(body []byte, mayBeText bool) (text string, inBase64 bool, size int) {
	size = base64.StdEncoding.EncodedLen(len(body))
	if mayBeText && utf8.Valid(body) {
		if n := escapedLen(body); n <= max(size, len(body)) {
			return string(body), false, n
		}
	}
	if len(body) == 0 {
		return "", false, 0
	}
	return base64.StdEncoding.EncodeToString(body), true, size
}

// escapedLen returns the bytes that valid UTF-8 takes in a JSON string of
// package encoding/json, or a few more.
func escapedLen(text []byte) int {
	n := len(text)
	for i, c := range text {
		switch {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			n++
		case c < ' ':
			n += 5
		case c == 0xE2 && i+2 < len(text) && text[i+1] == 0x80 && text[i+2]&^1 == 0xA8: // U+2028, U+2029
			n += 3
		}
	}
	return n
}
