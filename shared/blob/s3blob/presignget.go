package s3blob

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sluice/shared/blob"
)

// querySigner signs requests without a body by their query, with AWS's signature
// version 4. Nothing but the host is signed beside it. What it makes is what the
// SDK's signer makes, to the byte, at a fraction of its cost: a redirect is
// little else. It is safe for concurrent use.
type querySigner struct {
	mu  sync.Mutex
	key *derivedKey
}

// derivedKey is a secret key made one of a day, a region and a service, which
// is all that it can sign for.
type derivedKey struct {
	secret, day, region string

	scope string
	bench sync.Pool // of *signature
}

// signature is what a signature is made with. It is used again.
type signature struct {
	text []byte    // everything that is written, one behind the other
	mac  hash.Hash // of the key
}

const algorithm = "AWS4-HMAC-SHA256"

// sign returns the URL of p at base, a bucket's.
func (s *querySigner) sign(base *url.URL, name, region string, c aws.Credentials, p blob.Presign, lifetime time.Duration, now time.Time) string {
	date := now.UTC().Format("20060102T150405Z")
	key := s.derive(c.SecretAccessKey, date[:8], region)
	made, ok := key.bench.Get().(*signature)
	if !ok { // the last one's day is over
		made = &signature{mac: hmac.New(sha256.New, secretOf(key))}
	}
	defer key.bench.Put(made)

	text := append(made.text[:0], p.Method+"\n"...)
	path := len(text)
	text = appendEscaped(append(text, base.EscapedPath()+"/"...), name, "/")
	query := len(text) + 1
	text = appendQuery(append(text, '\n'), key.scope, date, c, p, lifetime)
	end := len(text)
	text = append(text, "\nhost:"+sentHost(base)+"\n\nhost\n"+unsigned...)
	hashed := sha256.Sum256(text)

	signed := len(text)
	text = append(text, algorithm+"\n"+date+"\n"+key.scope+"\n"...)
	text = hex.AppendEncode(text, hashed[:])
	made.mac.Reset()
	_, _ = made.mac.Write(text[signed:]) // never fails
	sum := len(text)
	text = made.mac.Sum(text)

	location := len(text)
	text = append(text, base.Scheme+"://"+base.Host...)
	text = append(append(text, text[path:query-1]...), '?')
	text = append(append(text, text[query:end]...), "&X-Amz-Signature="...)
	text = hex.AppendEncode(text, text[sum:location])
	made.text = text
	return string(text[location:])
}

// appendQuery adds the query in the order of the names, as it is signed.
func appendQuery(text []byte, scope, date string, c aws.Credentials, p blob.Presign, lifetime time.Duration) []byte {
	text = appendEscaped(append(text, "X-Amz-Algorithm="+algorithm+"&X-Amz-Credential="...), c.AccessKeyID, "")
	text = appendEscaped(append(text, "%2F"...), scope, "")
	text = append(text, "&X-Amz-Date="+date+"&X-Amz-Expires="...)
	text = strconv.AppendInt(text, int64(lifetime/time.Second), 10)
	if c.SessionToken != "" {
		text = appendEscaped(append(text, "&X-Amz-Security-Token="...), c.SessionToken, "")
	}
	text = append(text, "&X-Amz-SignedHeaders=host"...)
	if p.ContentDisposition != "" {
		text = appendEscaped(append(text, "&response-content-disposition="...), p.ContentDisposition, "")
	}
	if p.ContentType != "" {
		text = appendEscaped(append(text, "&response-content-type="...), p.ContentType, "")
	}
	return text
}

// derive returns the key of a day, which mostly is the one before.
func (s *querySigner) derive(secret, day, region string) *derivedKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.key; k == nil || k.secret != secret || k.day != day || k.region != region {
		s.key = &derivedKey{secret: secret, day: strings.Clone(day), region: region, scope: day + "/" + region + "/s3/aws4_request"}
	}
	return s.key
}

// secretOf derives what k signs with.
func secretOf(k *derivedKey) []byte {
	key := []byte("AWS4" + k.secret)
	for part := range strings.SplitSeq(k.scope, "/") {
		h := hmac.New(sha256.New, key)
		_, _ = h.Write([]byte(part)) // never fails
		key = h.Sum(nil)
	}
	return key
}

// sentHost is the Host that a client sends: without the scheme's own port.
func sentHost(u *url.URL) string {
	switch u.Scheme {
	case "http":
		return strings.TrimSuffix(u.Host, ":80")
	case "https":
		return strings.TrimSuffix(u.Host, ":443")
	}
	return u.Host
}
