package send

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"time"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
)

// part is one piece of what is sent, and its SHA-256.
type part struct {
	number       int // from 1 on
	data         io.ReaderAt
	offset, size int64 // in data
	sum          string
	check        func() error // tells whether data is what it was; nil: it cannot change
}

// sendPart sends a part until it has arrived. Its URL is asked for when it is
// needed, and again when its time is over.
func (t *Transfer) sendPart(ctx context.Context, upload string, p part) error {
	done, err := t.client.slot(ctx) // before its URL begins to grow old
	if err != nil {
		return err
	}
	defer done()
	for denied, wrong := 0, 0; ; {
		to, err := t.issue(ctx, upload, p)
		if err != nil {
			return err
		}
		fresh := time.Now().Before(to.ExpiresAt)
		err = t.putPart(ctx, to, p)
		if err == nil {
			return nil
		}
		if p.check != nil { // whatever else it is: that comes first
			if err := p.check(); err != nil {
				return err
			}
		}
		switch fault.KindOf(err) {
		case fault.Unauthenticated, fault.Forbidden: // the URL is over
			if !fresh || time.Now().Before(to.ExpiresAt) {
				denied++ // before its time
			}
		case fault.Invalid, fault.Unprocessable, fault.Upstream: // the line has changed it, or the answer
			wrong++
		case fault.NotFound, fault.Conflict: // the upload is over, or seems to be
			wrong++
			if err := t.stillOpen(ctx, upload); err != nil {
				return err
			}
		default:
			return err
		}
		if denied > strikes || wrong >= strikes {
			return err
		}
	}
}

// stillOpen returns nil if an upload takes parts.
func (t *Transfer) stillOpen(ctx context.Context, id string) error {
	u, err := t.upload(ctx, id)
	if err == nil && u.State != contract.UploadStateOpen || fault.Is(err, fault.NotFound, "") {
		err = fault.New(fault.Conflict, "upload_not_open", "The upload was ended by another. Run the same command again to begin anew.")
	}
	return err
}

// issue asks for where a part is to go.
func (t *Transfer) issue(ctx context.Context, upload string, p part) (contract.PartURL, error) {
	req, err := client.NewIssuePartsRequest(t.client.base, upload, contract.IssuePartsRequest{Parts: []contract.PartToIssue{{Number: p.number, SHA256: p.sum}}})
	issued, err := ask[contract.PartURLs](ctx, t.client, req, err)
	if err != nil {
		return contract.PartURL{}, err
	}
	if len(issued.Parts) != 1 || issued.Parts[0].Number != p.number {
		return contract.PartURL{}, fault.New(fault.Upstream, "bad_answer", "The server gave no URL for the part that was asked for.")
	}
	return issued.Parts[0], nil
}

// putPart sends a part to its URL, as nobody. A Sluice server says what it kept;
// a store does not, and is held to it when the upload is completed.
func (t *Transfer) putPart(ctx context.Context, to contract.PartURL, p part) error {
	req, err := newPut(to.URL, p.data, p.offset, p.size)
	if err != nil {
		return err
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" || req.URL.Host == "" {
		return fault.New(fault.Upstream, "bad_answer", "The server gave a URL for a part that is not of HTTP.")
	}
	for name, value := range to.Headers {
		req.Header.Set(name, value)
	}
	a, err := t.client.do(ctx, t.carry(call{request: req}))
	if err == nil {
		err = a.refused()
	}
	if err != nil {
		return err
	}
	return p.kept(a)
}

// kept checks what a server says that it has kept.
func (p part) kept(a answer) error {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if a.status < http.StatusMultipleChoices && kind != "application/json" {
		return nil // a store
	}
	var got contract.Part
	if err := json.Unmarshal(a.text, &got); err != nil || got.Number != p.number || got.Size != p.size || got.SHA256 != "" && got.SHA256 != p.sum {
		return fault.New(fault.Upstream, "bad_answer", "The server says that it keeps another part than was sent.")
	}
	return nil
}
