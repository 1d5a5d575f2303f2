package send

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/digest"
	"sluice/shared/fault"
)

// sendSmall sends a file by one PUT, under its digest. check tells whether it is
// still what it was.
func (t *Transfer) sendSmall(ctx context.Context, data io.ReaderAt, size int64, check func() error) error {
	for tries := 1; ; tries++ {
		sums := newSums(t.request.Digest)
		if err := hashInto(sums, data, 0, size); err != nil {
			return err
		}
		sum, err := sums.end()
		if err == nil {
			err = check()
		}
		if err != nil {
			return err
		}
		t.enter(Sending)
		file, err := t.put(ctx, data, size, sum)
		switch {
		case err == nil:
			return t.conclude(file, size, sum)
		case fault.Is(err, fault.PreconditionFailed, "") && !t.request.Overwrite:
			return t.standing(ctx, size, sum)
		case !damaged(err) || tries == strikes:
			return err
		}
		if err := check(); err != nil { // or else the line has changed it
			return err
		}
	}
}

// damaged reports that other bytes came than were announced.
func damaged(err error) bool {
	return fault.Is(err, fault.Unprocessable, "digest_mismatch") || fault.Is(err, fault.Invalid, "body_cut")
}

// put sends the whole.
func (t *Transfer) put(ctx context.Context, data io.ReaderAt, size int64, sum []byte) (contract.File, error) {
	done, err := t.client.slot(ctx)
	if err != nil {
		return contract.File{}, err
	}
	defer done()
	segments := strings.Split(t.request.Path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	at := t.client.base + "file/" + url.PathEscape(t.owner) + "/" + strings.Join(segments, "/")
	req, err := newPut(at, data, 0, size)
	if err != nil {
		return contract.File{}, err
	}
	req.Header.Set("Repr-Digest", digest.Format(sum))
	if t.request.ContentType != "" {
		req.Header.Set("Content-Type", t.request.ContentType)
	}
	if !t.request.Overwrite {
		req.Header.Set("If-None-Match", "*")
	}
	a, err := t.client.do(ctx, t.carry(call{request: req, login: true}))
	if err != nil {
		return contract.File{}, err
	}
	return decode[contract.File](a)
}

// newPut is a PUT of some bytes.
func newPut(at string, data io.ReaderAt, offset, size int64) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodPut, at, http.NoBody) //nolint:noctx // each attempt has its own
	if err != nil {
		return nil, fault.New(fault.Upstream, "bad_answer", "The server gave a URL that is none.") // which may be a secret
	}
	req.Body = nil
	if req.ContentLength = size; size > 0 {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(data, offset, size)), nil }
	}
	return req, nil
}

// standing is of a path at which there is a file. With the same content all is
// done: it may be our own, whose answer was lost.
func (t *Transfer) standing(ctx context.Context, size int64, sum []byte) error {
	params := &contract.ListFilesParams{Owner: &t.owner, Prefix: &t.request.Path, Limit: new(1)}
	req, err := client.NewListFilesRequest(t.client.base, params)
	list, err := ask[contract.FileList](ctx, t.client, req, err)
	if err != nil {
		return err
	}
	if len(list.Files) == 1 && list.Files[0].Path == t.request.Path && sameContent(list.Files[0], size, sum) {
		t.result.Already = true
		return t.conclude(list.Files[0], size, sum)
	}
	return fault.Newf(fault.Conflict, "file_exists", "%s exists already; -f replaces it.", t.request.Path)
}

func sameContent(f contract.File, size int64, sum []byte) bool {
	return f.Size == size && f.SHA256 == hex.EncodeToString(sum)
}

// conclude checks what the server says it has.
func (t *Transfer) conclude(f contract.File, size int64, sum []byte) error {
	if f.Size != size || f.DigestState != contract.DigestStateNone && f.SHA256 != hex.EncodeToString(sum) {
		return fault.New(fault.Upstream, "bad_answer", "The server says that it has other bytes than were sent.")
	}
	t.result.Size, t.result.SHA256, t.result.Verified = size, sum, "parts"
	if f.DigestState == contract.DigestStateVerified {
		t.result.Verified = "sha-256"
	}
	if t.result.Resumed = t.resumed.Load(); !t.result.Already {
		t.result.Sent = size - t.result.Resumed
	}
	t.bytes.Store(size)
	return nil
}
