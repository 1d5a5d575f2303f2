// Package upload brings bytes in: it streams a body into a blob while it
// hashes it, and publishes it as a version only when all of it arrived and is
// what was announced. Whatever goes wrong, nothing half is kept.
package upload

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"hash"
	"io"
	"log/slog"
	"net/url"
	"time"

	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/digest"
	"sluice/shared/fault"
	"sluice/shared/manifest"
)

// lifetime is how long an upload may take before its bytes count as left over.
const lifetime = 7 * 24 * time.Hour

// bufferSize is how much is hashed and written at a time.
const bufferSize = 256 << 10

// Service takes uploads. It is safe for concurrent use.
type Service struct {
	Catalog *catalog.Catalog
	Blobs   *blob.Bucket
	Policy  Policy
	Root    *url.URL // where the blobs are: s3://bucket/prefix/; its query is not looked at
	Beside  blob.Beside
	Sources []*url.URL // folders of the buckets beside, of which imports may be: s3://bucket/folder/
	Queue   Queue      // takes the jobs; nil: they run beside requests
	Log     *slog.Logger
	Clock   func() time.Time

	jobs         jobs // of uploads that are being verified
	descriptions jobs // of versions that get a manifest
	running      running
	imports      jobs // of objects that are there already
}

// Policy is what a deployment has settled about uploads.
type Policy struct {
	// Direct sends the parts of an upload straight to the store, by its own
	// URLs, where it has such.
	Direct bool
	// Claim takes the word of whoever completes an upload in parts for its
	// SHA-256, and saves the reading of it: it has no manifest then.
	Claim bool
}

// Put is one whole file on its way in.
type Put struct {
	Owner       string // a user id
	Path        string // checked by CheckPath
	By          string // the id of the user who sends
	ContentType string
	Size        int64                     // announced; -1 where unknown
	Digests     digest.Set                // announced; all must hold
	Test        func(*catalog.File) error // asked at publication with the file there now, or nil
}

// Put reads body to its end and publishes it. created tells that the file is
// new. Errors of body that are faults are returned as they are; any other
// means that the client was cut off (Invalid "body_cut").
func (s *Service) Put(ctx context.Context, p Put, body io.Reader) (f catalog.File, created bool, err error) {
	now := s.Clock()
	u := catalog.Upload{ID: auth.NewID(now), Owner: p.Owner, Path: p.Path, ExpiresAt: now.Add(lifetime)}
	if u.Taken, err = s.toTake(ctx, p.Owner, p.Path, p.Size); err != nil {
		return catalog.File{}, false, err
	}
	if err := s.Catalog.BeginUpload(ctx, u); err != nil {
		return catalog.File{}, false, err
	}
	content, err := s.receive(ctx, u, p, body)
	if err == nil {
		f, created, err = s.publish(ctx, u, content, p.Test)
	}
	if err != nil {
		s.discard(context.WithoutCancel(ctx), u)
	}
	return f, created, err
}

// toTake returns what an upload is to take of its owner's quota before it
// begins: what is not known then is settled when it is published.
func (s *Service) toTake(ctx context.Context, owner, path string, size int64) (catalog.Usage, error) {
	u := catalog.Usage{Bytes: max(size, 0)}
	_, err := s.Catalog.FileAt(ctx, owner, path)
	if fault.Is(err, fault.NotFound, "") {
		u.Files, err = 1, nil
	}
	return u, err
}

// receive writes body under the upload's key, checks it against what was
// announced and keeps its manifest.
func (s *Service) receive(ctx context.Context, u catalog.Upload, p Put, body io.Reader) (catalog.Content, error) {
	w, err := s.Blobs.Create(ctx, u.Key(), p.Size)
	if err != nil {
		return catalog.Content{}, err
	}
	defer w.Abort() // after a Commit it does nothing; what it fails to drop the janitor finds
	sums := newSums(p)
	size, err := copyBody(io.MultiWriter(append(sums.writers(), w)...), body)
	if err != nil {
		return catalog.Content{}, err
	}
	if p.Size >= 0 && size != p.Size {
		return catalog.Content{}, cut(io.ErrUnexpectedEOF)
	}
	if err := sums.check(p.Digests); err != nil {
		return catalog.Content{}, err
	}
	attrs, err := w.Commit(ctx)
	if err != nil {
		return catalog.Content{}, err
	}
	m, complete := sums.sha256.Manifest()
	if complete {
		err = s.Catalog.PutManifest(ctx, u, m)
	}
	return catalog.Content{Size: size, ETag: attrs.ETag, SHA256: m.SHA256, ContentType: p.ContentType, By: p.By}, err
}

// copyBody is io.Copy in large pieces that tells an error of the body from
// one of the store.
func copyBody(dst io.Writer, body io.Reader) (size int64, err error) {
	buf := make([]byte, bufferSize)
	for {
		n, bodyErr := fill(body, buf)
		ended := errors.Is(bodyErr, io.EOF)
		if bodyErr != nil && !ended {
			// Before the store sees it: net/http ends the request's context
			// too, and the store would fail with that.
			return size, cut(bodyErr)
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return size, err
		}
		size += int64(n)
		if ended {
			return size, nil
		}
	}
}

// fill reads until buf is full or the body ends, and unlike io.ReadFull
// returns the body's own error: an EOF that comes too soon is another one.
func fill(body io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = body.Read(buf[n:])
		n += m
	}
	return n, err
}

// cut keeps a fault as it is; anything else is a body that broke off.
func cut(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return fault.Wrap(err, fault.Invalid, "body_cut", "The body ended early; nothing was kept.")
}

// discard removes what an upload left, unless it was published after all: an
// error of the table may hide that. Should that fail, the janitor finds the
// record when it expires.
func (s *Service) discard(ctx context.Context, u catalog.Upload) {
	abandoned, err := s.Catalog.AbandonUpload(ctx, u)
	if err != nil {
		s.leave(ctx, u, err)
	}
	if abandoned {
		s.drop(ctx, u)
	}
}

// drop removes what there is of an upload that can no longer be published.
func (s *Service) drop(ctx context.Context, u catalog.Upload) {
	err := s.Blobs.Discard(ctx, u.Key())
	if err == nil {
		err = s.Catalog.EndUpload(ctx, u)
	}
	if err != nil {
		s.leave(ctx, u, err)
	}
}

func (s *Service) leave(ctx context.Context, u catalog.Upload, err error) {
	s.Log.WarnContext(ctx, "left for the janitor", "upload_id", u.ID, "error", err)
}

// sums are the digests computed as the bytes pass: SHA-256 always, of the
// whole and of each chunk.
type sums struct {
	sha256 *manifest.Hasher
	sha512 hash.Hash
}

func newSums(p Put) sums {
	s := sums{sha256: manifest.NewHasher(p.Size)}
	if p.Digests.SHA512 != nil {
		s.sha512 = sha512.New()
	}
	return s
}

func (s sums) writers() []io.Writer {
	if s.sha512 == nil {
		return []io.Writer{s.sha256}
	}
	return []io.Writer{s.sha256, s.sha512}
}

func (s sums) check(announced digest.Set) error {
	if announced.SHA256 != nil && !bytes.Equal(announced.SHA256, s.sha256.SHA256()) ||
		announced.SHA512 != nil && !bytes.Equal(announced.SHA512, s.sha512.Sum(nil)) {
		return fault.New(fault.Unprocessable, "digest_mismatch", "The body is not what its digest announced; nothing was kept.")
	}
	return nil
}
