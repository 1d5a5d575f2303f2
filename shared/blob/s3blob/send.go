package s3blob

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/shared/blob"
	"sluice/shared/socket"
)

// unsigned stands for the digest of a body that is not known beforehand,
// trailing for one that comes behind the body, and empty is that of none.
const (
	unsigned = "UNSIGNED-PAYLOAD"
	trailing = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	empty    = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// transport returns what carries the driver's requests, and what closes its
// idle connections. It has no limits on connections, since the number of
// readers is limited elsewhere, and none in time: those are kept by progress.
func transport(o Options) (http.RoundTripper, func()) {
	if o.Transport != nil {
		return o.Transport, func() {}
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		DialContext:           socket.Dial(dialer),
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       60 * time.Second,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   512,
		DisableCompression:    true, // a range of a coded body is no range of the object
	}
	return t, t.CloseIdleConnections
}

// client returns the SDK's client for the control calls. It does not try
// again: the driver does.
func (d *Driver) client(cfg aws.Config) *s3.Client {
	sums, validation := cfg.RequestChecksumCalculation, cfg.ResponseChecksumValidation
	if cfg.BaseEndpoint != nil || sums == aws.RequestChecksumCalculationUnset {
		sums = aws.RequestChecksumCalculationWhenRequired
	}
	if cfg.BaseEndpoint != nil || validation == aws.ResponseChecksumValidationUnset {
		validation = aws.ResponseChecksumValidationWhenRequired
	}
	return s3.New(s3.Options{
		Region: d.region, Credentials: d.credentials, BaseEndpoint: cfg.BaseEndpoint, UsePathStyle: d.options.PathStyle,
		HTTPClient: &http.Client{Transport: d.transport}, Retryer: aws.NopRetryer{},
		RequestChecksumCalculation: sums, ResponseChecksumValidation: validation,
	})
}

// request is one that is signed and sent by hand.
type request struct {
	method string
	url    *url.URL
	header http.Header
	body   io.ReadCloser
	size   int64
	digest string // hex SHA-256 of the body, or unsigned
}

// send sends a request and returns its answer, if that is a success.
func (d *Driver) send(ctx context.Context, r request) (*http.Response, error) {
	req, err := d.sign(ctx, r)
	if err != nil {
		if r.body != nil {
			_ = r.body.Close() // as the transport would
		}
		return nil, err
	}
	resp, err := d.transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("s3blob: %s: %w", r.method, err)
	}
	if resp.StatusCode >= 300 {
		return nil, refusal(resp)
	}
	return resp, nil
}

// sign makes the request as it is sent.
func (d *Driver) sign(ctx context.Context, r request) (*http.Request, error) {
	credentials, err := d.credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("s3blob: no credentials: %w", err)
	}
	req := (&http.Request{
		Method: r.method, URL: r.url, Host: r.url.Host, Header: r.header, Body: r.body, ContentLength: r.size,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	req.Header.Set("User-Agent", "sluice")
	req.Header.Set("X-Amz-Content-Sha256", r.digest)
	err = d.signer.SignHTTP(ctx, credentials, req, r.digest, "s3", d.region, d.options.Clock())
	if err != nil {
		return nil, fmt.Errorf("s3blob: a request cannot be signed: %w", err)
	}
	return req, nil
}

// head asks for an object's attributes. pin, where not empty, is the entity tag
// that it must have.
func (d *Driver) head(ctx context.Context, key, pin string) (blob.Attrs, http.Header, error) {
	if d.refuses(key) {
		return blob.Attrs{}, nil, errNotFound
	}
	var attrs blob.Attrs
	var header http.Header
	err := d.again(ctx, d.options.Retry, func(ctx context.Context) error {
		r := request{method: http.MethodHead, url: d.at(d.base, key, nil), header: http.Header{}, digest: empty}
		if pin != "" {
			r.header.Set("If-Match", pin)
		}
		resp, err := d.send(ctx, r)
		if err != nil {
			return err
		}
		_ = resp.Body.Close() // it has none
		header = resp.Header
		attrs = blob.Attrs{Size: resp.ContentLength, ETag: header.Get("ETag"), ContentType: saidType(header)}
		if pin != "" && attrs.ETag != pin {
			return errChanged
		}
		return nil
	})
	return attrs, header, err
}

// saidType returns the content type of an object, unless it says no more than
// that it is bytes, as stores do of what came without one.
func saidType(header http.Header) string {
	switch t := header.Get("Content-Type"); t {
	case "binary/octet-stream", "application/octet-stream":
		return ""
	default:
		return t
	}
}

// The pauses between attempts: the first is at most firstPause, each further
// one at most twice that of the one before, up to maxPause.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
)

// again calls f until it succeeds, fails for good, or has failed for as long as
// patience lasts. Each call has Options.Stall of time.
func (d *Driver) again(ctx context.Context, patience time.Duration, f func(context.Context) error) error {
	return persist(ctx, patience, func() error { return within(ctx, d.options.Stall, f) })
}

// persist is again without a limit to a single call. Before each further call
// is a pause of a random length (full jitter), so that those who failed
// together do not come back together.
func persist(ctx context.Context, patience time.Duration, f func() error) error {
	err := f()
	if err == nil || !passing(err) {
		return err
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for most := firstPause; ; most = min(2*most, maxPause) {
		pause := time.NewTimer(rand.N(most))
		select {
		case <-pause.C:
		case <-limit.C:
			pause.Stop()
			return err
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("s3blob: %w, before an attempt after this one: %v", ctx.Err(), err) //nolint:errorlint // the context's end is what happened
		}
		if err = f(); err == nil || !passing(err) {
			return err
		}
	}
}

// folderAttempts is how often a store is asked again that says that a folder is
// in the way.
const folderAttempts = 5

// folder makes f's error one that may pass, a few times over, where the store
// keeps keys as paths and says that one is in the way. It says the same while
// it removes the folder of another key that was just deleted: MinIO by
// AccessDenied, versitygw by ExistingObjectIsDirectory.
func (d *Driver) folder(f func() error) func() error {
	attempts := 0
	return func() error {
		err := f()
		_, name := said(err)
		if !d.options.Gaps.PathKeys || attempts == folderAttempts || name != "AccessDenied" && name != "ExistingObjectIsDirectory" {
			return err
		}
		attempts++
		return fmt.Errorf("%w: %v", errFolder, err) //nolint:errorlint // not what it says, for now
	}
}

// within calls f with a limit of time. That it passed is no end of ctx.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := f(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return fmt.Errorf("%w: %v", errStalled, err) //nolint:errorlint // a deadline of our own is not the caller's
	}
	return err
}

// digits writes a number for a header or a query.
func digits(n int64) string { return strconv.FormatInt(n, 10) }
