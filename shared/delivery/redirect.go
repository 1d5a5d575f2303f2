package delivery

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"sluice/shared/blob"
	"sluice/shared/byterange"
	"sluice/shared/catalog"
	"sluice/shared/disposition"
)

// decide asks the policy about b, which would answer r.
func (s *Service) decide(r *http.Request, f *catalog.File, verdict byterange.Verdict, b *body, o Options) (decision, error) {
	return s.Policy.decide(question{
		method: r.Method, header: r.Header, version: &f.Version, verdict: verdict, length: b.length,
		presigns:  s.Blobs.Presigns(),
		sandboxed: o.Disposition == disposition.Inline && !disposition.Safe(f.ContentType),
		life:      s.life(f, o), file: f.Delivery, asked: o.Delivery, most: o.Most,
	})
}

// life returns how long a URL of f may be good: no longer than what it is
// issued for.
func (s *Service) life(f *catalog.File, o Options) time.Duration {
	life, now := blob.MaxPresign, s.Clock()
	for _, end := range [...]time.Time{o.Until, f.ExpiresAt} {
		if !end.IsZero() {
			life = min(life, end.Sub(now))
		}
	}
	return life
}

// followText is the body of a redirect, for those who read it. A transport that
// streams may hang on an empty one.
const followText = "The bytes are at the address that Location has.\n"

// redirect sends the client to the store for the bytes of b. The URL is a
// secret: no cache keeps it, and no page that it leads to is told of us.
func (s *Service) redirect(w http.ResponseWriter, r *http.Request, f *catalog.File, b *body, o Options) (Outcome, error) {
	signed, err := s.Blobs.Presign(r.Context(), blob.Presign{
		Method: http.MethodGet, Key: f.Version.Key, Lifetime: s.life(f, o),
		ContentType: f.ContentType, ContentDisposition: dispositionOf(f, o.Disposition),
	})
	if err != nil {
		return Outcome{}, err
	}
	h := w.Header()
	h.Set("Location", signed.URL.Reveal())
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(followText)))
	h.Set("X-File-Size", strconv.FormatInt(f.Version.Size, 10))
	h.Set("Sluice-Delivery", b.decision.String())
	w.WriteHeader(http.StatusTemporaryRedirect)
	_, err = io.WriteString(w, followText)
	return Outcome{Status: http.StatusTemporaryRedirect, Issued: b.length, Complete: err == nil}, err
}
