package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"net/http"
	"slices"
	"strings"

	"sluice/shared/digest"
)

// representationChecks are about the file as it is told of.
func representationChecks() []check {
	return []check{
		{"head", "RFC 9110 §9.3.2", 0, checkHead},
		{"content-length", "RFC 9110 §8.6", 0, checkLength},
		{"validator", "RFC 9110 §8.8", 0, checkValidator},
		{"validator-stays", "RFC 9110 §8.8.3", 0, checkSame},
	}
}

// contentChecks are about codings and digests.
func contentChecks() []check {
	return []check{
		{"identity", "RFC 9110 §12.5.3", 0, checkIdentity},
		{"coding-vary", "RFC 9110 §12.5.5", 0, checkVary},
		{"coding-validator", "RFC 9110 §8.8.3.3", strongTag, checkCodedTag},
		{"repr-digest", "RFC 9530 §3", 0, checkReprDigest},
		{"repr-digest-of-part", "RFC 9530 §3", ranges, checkPartReprDigest},
		{"content-digest", "RFC 9530 §2", ranges, checkContentDigest},
	}
}

// headFields are those of GET that HEAD should have too.
func headFields() []string {
	return []string{"Content-Type", "Content-Encoding", "ETag", "Last-Modified", "Accept-Ranges", "Repr-Digest"}
}

func checkHead(ctx context.Context, p *prober) verdict {
	a, err := p.ask(ctx, http.MethodHead, maxBody)
	switch {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a.status != http.StatusOK:
		return fails("HEAD is answered by %d, and GET by 200.", a.status)
	case a.length >= 0 && p.plain.length >= 0 && a.length != p.plain.length:
		return fails("The Content-Length of HEAD is %d, and that of GET %d.", a.length, p.plain.length)
	}
	for _, name := range headFields() {
		head, get := a.header.Values(name), p.plain.header.Values(name)
		switch {
		case slices.Equal(head, get), len(get) == 0: // a redirected GET is answered by a store, that knows less
		case len(head) == 0:
			return warns("HEAD does not tell %s, as GET does.", name)
		default:
			return fails("The %s of HEAD is %q, and that of GET %q.", name, head, get)
		}
	}
	if a.header.Get("Content-Length") == "" && p.plain.length >= 0 {
		return warns("HEAD does not tell Content-Length, as GET does.")
	}
	return ok()
}

// checkLength wants the size to be told. That it is true has been seen, or there
// would be no plain answer.
func checkLength(_ context.Context, p *prober) verdict {
	if p.plain.length < 0 {
		return warns("The size is not told: no progress can be shown, and no parts fetched at once.")
	}
	return ok()
}

func checkValidator(_ context.Context, p *prober) verdict {
	tag := p.plain.header.Get("ETag")
	switch {
	case tag == "" && p.modified.IsZero():
		return warns("There is neither ETag nor Last-Modified: a download cannot be resumed safely.")
	case tag == "":
		return warns("There is no ETag: two versions of one second cannot be told apart.")
	case !wellFormed(tag):
		return fails("The ETag is %s, which lacks its quotes.", tag)
	case isWeak(tag):
		return warns("The ETag is weak: a download cannot be resumed by it.")
	default:
		return ok()
	}
}

// wellFormed reports whether an ETag is one (RFC 9110 §8.8.3).
func wellFormed(tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	return len(tag) >= 2 && tag[0] == '"' && strings.IndexByte(tag[1:], '"') == len(tag)-2
}

// checkSame asks again: a validator that changes by itself makes a download
// begin anew.
func checkSame(ctx context.Context, p *prober) verdict {
	a, err := p.get(ctx)
	switch {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a.header.Get("ETag") != p.plain.header.Get("ETag"):
		return fails("The ETag was %q, and is %q now.", p.plain.header.Get("ETag"), a.header.Get("ETag"))
	case a.header.Get("Last-Modified") != p.plain.header.Get("Last-Modified"):
		return fails("The Last-Modified was %q, and is %q now.", p.plain.header.Get("Last-Modified"), a.header.Get("Last-Modified"))
	case a.length != p.plain.length:
		return fails("The Content-Length was %d, and is %d now.", p.plain.length, a.length)
	case p.coding == "" && !bytes.HasPrefix(p.plain.body, a.body):
		return fails("The bytes are others than before, under the same validators.")
	default:
		return ok()
	}
}

func checkIdentity(_ context.Context, p *prober) verdict {
	if p.coding != "" {
		return fails("Identity was asked for, and %s is sent.", p.coding)
	}
	return ok()
}

// coded asks for a file compressed; nil where it is not.
func (p *prober) coded(ctx context.Context) (*answer, error) {
	a, err := p.get(ctx, "Accept-Encoding", "gzip, br, zstd")
	if err != nil || a.coding() == "" {
		return nil, err
	}
	return &a, nil
}

func checkVary(ctx context.Context, p *prober) verdict {
	a, err := p.coded(ctx)
	switch {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a == nil:
		return ok()
	case !strings.Contains(strings.ToLower(strings.Join(a.header.Values("Vary"), ",")), "accept-encoding"):
		return fails("The coding depends on Accept-Encoding, and Vary does not say so.")
	default:
		return ok()
	}
}

func checkCodedTag(ctx context.Context, p *prober) verdict {
	a, err := p.coded(ctx)
	switch {
	case err != nil:
		return fails("There is no answer: %s.", err)
	case a == nil:
		return notApplicable("The file is not compressed.")
	case a.header.Get("ETag") == p.tag:
		return fails("The compressed file has the strong ETag of the one that is not.")
	default:
		return ok()
	}
}

// wrong says what of a digest field is not true of content, or "".
func wrong(field []string, content []byte) string {
	set, err := digest.Parse(field)
	if err != nil {
		return "it is " + err.Error()
	}
	sum256, sum512 := sha256.Sum256(content), sha512.Sum512(content)
	switch {
	case set.SHA256 != nil && !bytes.Equal(set.SHA256, sum256[:]):
		return "its sha-256 is another"
	case set.SHA512 != nil && !bytes.Equal(set.SHA512, sum512[:]):
		return "its sha-512 is another"
	default:
		return ""
	}
}

func checkReprDigest(_ context.Context, p *prober) verdict {
	field := p.plain.header.Values("Repr-Digest")
	switch {
	case len(field) == 0:
		return notApplicable("There is no Repr-Digest.")
	case !p.plain.whole:
		if _, err := digest.Parse(field); err != nil {
			return fails("The Repr-Digest is %s.", err)
		}
		return notApplicable("The file is too large to be read whole.")
	}
	if why := wrong(field, p.plain.body); why != "" {
		return fails("The Repr-Digest is not true of the file: %s.", why)
	}
	return ok()
}

// checkPartReprDigest wants the digest of the whole, whatever part is sent.
func checkPartReprDigest(_ context.Context, p *prober) verdict {
	part, whole := p.first.header.Values("Repr-Digest"), p.plain.header.Values("Repr-Digest")
	switch {
	case len(part) == 0:
		return notApplicable("A part has no Repr-Digest.")
	case len(whole) > 0 && !slices.Equal(part, whole):
		return fails("The Repr-Digest of a part is not that of the whole.")
	default:
		return ok()
	}
}

func checkContentDigest(_ context.Context, p *prober) verdict {
	field := p.first.header.Values("Content-Digest")
	if len(field) == 0 {
		return notApplicable("A part has no Content-Digest.")
	}
	if why := wrong(field, p.first.body); why != "" {
		return fails("The Content-Digest of a part is not true of it: %s.", why)
	}
	return ok()
}
