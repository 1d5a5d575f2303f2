package byterange_test

import (
	"mime"
	"reflect"
	"strings"
	"testing"

	"sluice/shared/byterange"
)

// TestMultipart reads bodies back by mime/multipart.
func TestMultipart(t *testing.T) {
	content := strings.Repeat("0123456789", 20)
	for n := 1; n <= 16; n++ {
		var ranges []byterange.Range
		var want []part
		for i := range int64(n) {
			r := byterange.Range{Start: i * 37 % 190, Length: 1 + i%10}
			ranges = append(ranges, r)
			want = append(want, part{r.ContentRange(200), contentType, content[r.Start:][:r.Length]})
		}
		m := byterange.NewMultipart(ranges, 200, contentType)
		body := write(m, ranges, content)
		if int64(len(body)) != m.Length() {
			t.Errorf("%d ranges: Length %d, body of %d bytes", n, m.Length(), len(body))
		}
		mediaType, params, err := mime.ParseMediaType(m.ContentType())
		if err != nil || mediaType != "multipart/byteranges" {
			t.Fatalf("ContentType %q: got %q, %v", m.ContentType(), mediaType, err)
		}
		if got := readParts(t, body, params["boundary"]); !reflect.DeepEqual(got, want) {
			t.Errorf("%d ranges:\n got %+v\nwant %+v", n, got, want)
		}
	}
}

func write(m byterange.Multipart, ranges []byterange.Range, content string) string {
	var body strings.Builder
	for i, r := range ranges {
		body.Write(m.Header(i))
		body.WriteString(content[r.Start:][:r.Length])
	}
	body.Write(m.Trailer())
	return body.String()
}

func TestMultipartContentType(t *testing.T) {
	for _, c := range []struct{ given, want string }{
		{"text/plain", "text/plain"},
		{"", ""},
		{"text/plain\r\nX-Injected: 1", "text/plain  X-Injected: 1"},
		{"text/plain\r\n\r\n<script>", "text/plain    <script>"},
		{"text/plain\x00\x7f;\tcharset=x", "text/plain  ; charset=x"},
	} {
		ranges := []byterange.Range{{Start: 0, Length: 1}}
		m := byterange.NewMultipart(ranges, 2, c.given)
		body := write(m, ranges, "ab")
		_, boundary, _ := strings.Cut(m.ContentType(), "boundary=")
		want := []part{{"bytes 0-0/2", c.want, "a"}}
		if got := readParts(t, body, boundary); !reflect.DeepEqual(got, want) {
			t.Errorf("content type %q: got %+v, want %+v", c.given, got, want)
		}
		if int64(len(body)) != m.Length() {
			t.Errorf("content type %q: Length %d, body of %d bytes", c.given, m.Length(), len(body))
		}
	}
}

func TestMultipartWithoutContentType(t *testing.T) {
	m := byterange.NewMultipart([]byterange.Range{{Start: 0, Length: 1}}, 2, "")
	if got := string(m.Header(0)); strings.Contains(got, "Content-Type") {
		t.Errorf("no content type: got header %q, want none of it", got)
	}
}

func TestMultipartBoundaryDiffers(t *testing.T) {
	a, b := byterange.NewMultipart(nil, 0, ""), byterange.NewMultipart(nil, 0, "")
	if a.ContentType() == b.ContentType() {
		t.Errorf("two bodies share a boundary: %q", a.ContentType())
	}
}
