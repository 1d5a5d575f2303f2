package api

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/contract"
	"sluice/shared/fault"
)

// partPurpose is what part URLs are sealed for, and partTime how long they may
// be begun to be used.
const (
	partPurpose = "part"
	partTime    = time.Hour
)

// partGrant is what a part URL allows whoever holds it: to send one part.
type partGrant struct {
	upload  string
	issuer  string // a user id; the grant dies with what that user may do
	number  int
	expires int64  // seconds since 1970
	sum     []byte // the SHA-256 that the part must have, or nil
}

// payload is the grant as it is sealed.
func (g partGrant) payload() []byte {
	return []byte(strings.Join([]string{
		g.upload, g.issuer, strconv.Itoa(g.number), strconv.FormatInt(g.expires, 10), hex.EncodeToString(g.sum),
	}, " "))
}

// parsePartGrant is the inverse of payload. ok tells that it could be one.
func parsePartGrant(payload []byte) (g partGrant, ok bool) {
	fields := strings.Split(string(payload), " ")
	const count, sumSize = 5, 32
	if len(fields) != count {
		return partGrant{}, false
	}
	number, numberErr := strconv.Atoi(fields[2])
	expires, expiresErr := strconv.ParseInt(fields[3], 10, 64)
	sum, sumErr := hex.DecodeString(fields[4])
	if numberErr != nil || expiresErr != nil || sumErr != nil || len(sum) != 0 && len(sum) != sumSize {
		return partGrant{}, false
	}
	g = partGrant{upload: fields[0], issuer: fields[1], number: number, expires: expires}
	if len(sum) == sumSize {
		g.sum = sum
	}
	return g, string(g.payload()) == string(payload)
}

// partURL returns the absolute URL that the grant is.
func (s *server) partURL(r *request, g partGrant) string {
	return s.external(r, "api", "uploads", g.upload, "parts", strconv.Itoa(g.number)) + "?signature=" + s.Ring.Seal(partPurpose, g.payload())
}

// issueParts answers with URLs for parts.
func issueParts(s *server, r *request) error {
	m, err := s.uploadByID(r)
	if err != nil {
		return err
	}
	in, err := decode[contract.IssuePartsRequest](s, r)
	if err != nil {
		return err
	}
	if m.State != catalog.UploadOpen {
		return m.NotOpen()
	}
	expires := s.Clock().Add(partTime)
	if expires.After(m.ExpiresAt) {
		expires = m.ExpiresAt
	}
	var grants []partGrant
	for _, p := range in.Parts {
		g := partGrant{upload: m.ID, issuer: r.identity.User.ID, number: p.Number, expires: expires.Unix()}
		if g.sum, err = readSum("parts", p.SHA256); err != nil {
			return err
		}
		grants = append(grants, g)
	}
	if err := s.Uploads.Expect(r.Request.Context(), m, numbers(grants)); err != nil {
		return err
	}
	out := contract.PartURLs{Parts: make([]contract.PartURL, 0, len(grants))}
	for _, g := range grants {
		issued, err := s.issuePart(r, m, g)
		if err != nil {
			return err
		}
		out.Parts = append(out.Parts, issued)
	}
	return reply(r, http.StatusOK, out)
}

// issuePart returns a URL of the store for a part, or else one of ours.
func (s *server) issuePart(r *request, m catalog.Multipart, g partGrant) (contract.PartURL, error) {
	end := time.Unix(g.expires, 0)
	if r.until.Before(end) { // it cannot be revoked: it lives no longer than the token
		end = r.until
	}
	signed, direct, err := s.Uploads.PartURL(r.Request.Context(), m, g.number, g.sum, end)
	if err != nil {
		return contract.PartURL{}, err
	}
	if !direct {
		return contract.PartURL{Number: g.number, URL: s.partURL(r, g), ExpiresAt: time.Unix(g.expires, 0).UTC()}, nil
	}
	out := contract.PartURL{Number: g.number, URL: signed.URL.Reveal(), ExpiresAt: signed.Expires.UTC()}
	for name, values := range signed.Header {
		if out.Headers == nil {
			out.Headers = map[string]string{}
		}
		out.Headers[name] = strings.Join(values, ", ")
	}
	return out, nil
}

func numbers(grants []partGrant) []int {
	var out []int
	for _, g := range grants {
		out = append(out, g.number)
	}
	return out
}

// readSum reads a SHA-256 that the contract has found well-formed; "" is none.
func readSum(field, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	sum, err := hex.DecodeString(text)
	if err != nil {
		return nil, fault.InvalidField(field, "A SHA-256 is 64 hexadecimal digits.")
	}
	return sum, nil
}

// putPart takes a part from whoever holds its URL.
func putPart(s *server, r *request) error {
	m, g, err := s.granted(r)
	if err != nil {
		return err
	}
	if err := refuseCodings(r); err != nil {
		return err
	}
	if r.Request.ContentLength < 0 {
		return fault.InvalidField("Content-Length", "Say how many bytes the part has.")
	}
	part, err := s.Uploads.PutPart(r.Request.Context(), m, g.number, s.body(r), r.Request.ContentLength, g.sum)
	if err != nil {
		return err
	}
	r.bytes = part.Size
	s.Metrics.Upload(part.Size)
	return reply(r, http.StatusOK, showPart(part))
}

func showPart(p blob.Part) contract.Part {
	return contract.Part{Number: p.Number, Size: p.Size, SHA256: hex.EncodeToString(p.SHA256)}
}

// granted returns what the request's signature allows, and the upload.
func (s *server) granted(r *request) (catalog.Multipart, partGrant, error) {
	payload, err := s.Ring.Open(partPurpose, r.Query("signature"))
	g, ok := parsePartGrant(payload)
	if err != nil || !ok || g.upload != r.Param("id") || strconv.Itoa(g.number) != r.Param("number") {
		return catalog.Multipart{}, g, fault.New(fault.Forbidden, "link_invalid", "This is not a URL that we signed.")
	}
	if s.Clock().Unix() >= g.expires {
		return catalog.Multipart{}, g, fault.New(fault.Forbidden, "link_expired", "The URL has expired; ask for another one.")
	}
	ctx := r.Request.Context()
	m, err := s.Catalog.Multipart(ctx, g.upload)
	if fault.Is(err, fault.NotFound, "") {
		err = fault.New(fault.Forbidden, "link_expired", "The upload has expired.")
	}
	if err != nil {
		return m, g, err
	}
	issuer, err := s.Catalog.User(ctx, g.issuer)
	if err != nil && !fault.Is(err, fault.NotFound, "") {
		return m, g, err
	}
	may := auth.May(auth.Subject{UserID: issuer.ID, Role: issuer.Role}, auth.WriteFile, auth.Object{Owner: m.Owner})
	if err != nil || issuer.Disabled || may != nil {
		return m, g, fault.New(fault.Forbidden, "link_invalid", "Who issued the URL may no longer.")
	}
	return m, g, nil
}
