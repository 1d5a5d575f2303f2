package disposition_test

import (
	"strings"
	"testing"

	"sluice/shared/disposition"
)

func TestSafe(t *testing.T) {
	for _, c := range []struct {
		contentType string
		want        bool
	}{
		{"image/png", true},
		{"image/jpeg", true},
		{"image/gif", true},
		{"image/webp", true},
		{"image/avif", true},
		{"image/x-icon", true},
		{"audio/mpeg", true},
		{"audio/ogg; codecs=opus", true},
		{"video/mp4", true},
		{`video/mp4; codecs="avc1.42E01E, mp4a.40.2"`, true},
		{"video/webm", true},
		{"text/plain", true},
		{"text/plain; charset=utf-8", true},
		{"text/plain;charset=iso-8859-1;format=flowed", true},
		{"text/plain;", true},
		{"IMAGE/PNG", true},
		{"Text/Plain; Charset=UTF-8", true},
		{" image/png ", true},

		{"text/html", false},
		{"TEXT/HTML", false},
		{"text/html; charset=utf-8", false},
		{"application/xhtml+xml", false},
		{"image/svg+xml", false},
		{"Image/SVG+XML; charset=utf-8", false},
		{"image/svg", false},
		{"image/anything+xml", false},
		{"video/anything+xml", false},
		{"text/xml", false},
		{"application/xml", false},
		{"application/rss+xml", false},
		{"application/mathml+xml", false},
		{"text/xsl", false},
		{"text/javascript", false},
		{"application/javascript", false},
		{"application/ecmascript", false},
		{"text/css", false},
		{"application/json", false},
		{"application/wasm", false},
		{"application/pdf", false},
		{"application/x-shockwave-flash", false},
		{"application/octet-stream", false},
		{"application/zip", false},
		{"text/markdown", false},
		{"text/csv", false},
		{"text/vtt", false},
		{"text/cache-manifest", false},
		{"multipart/x-mixed-replace; boundary=x", false},
		{"message/rfc822", false},
		{"audio/x-mpegurl", false},
		{"image/unheard-of", false},

		{"", false},
		{" ", false},
		{"image", false},
		{"image/", false},
		{"/png", false},
		{"image/*", false},
		{"*/*", false},
		{"png", false},
		{"image/png/x", false},
		{"image /png", false},
		{"image/png text/html", false},
		{"text/plain, text/html", false},
		{"text/plain; charset=utf-8, text/html", false},
		{"text/plain; charset", false},
		{"text/plain; =utf-8", false},
		{`text/plain; charset="utf-8`, false},
		{"text/plain; a=1; a=2", false},
		{"image/png\r\nX-Injected: 1", false},
		{"image/png\x00", false},
		{"image/pn\u0261", false},
		{"text/plain" + strings.Repeat(" ", 100) + "html", false},
	} {
		if got := disposition.Safe(c.contentType); got != c.want {
			t.Errorf("Safe(%q): got %t, want %t", c.contentType, got, c.want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	for _, seed := range []string{"image/png", "text/plain; charset=utf-8", "image/svg+xml", "TEXT/HTML", "a/b;c=\"d", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, contentType string) {
		essence, _, _ := strings.Cut(strings.ToLower(contentType), ";")
		if !disposition.Safe(contentType) {
			return
		}
		for _, bad := range []string{"html", "svg", "xml", "script", "css", "pdf", ",", "\n\t"} {
			if strings.Contains(strings.TrimSpace(essence), bad) {
				t.Errorf("Safe(%q): got true", contentType)
			}
		}
	})
}
