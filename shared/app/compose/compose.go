// Package compose makes what the apps need of stores that are open. It opens
// none, and links no driver of one: so a server, which may have any, and a
// function, which links no more than it uses, are made of the same parts in the
// same way.
package compose

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"time"

	"sluice/shared/account"
	"sluice/shared/api"
	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/config"
	"sluice/shared/delivery"
	"sluice/shared/janitor"
	"sluice/shared/keys"
	"sluice/shared/limit/memorylimit"
	"sluice/shared/link"
	"sluice/shared/observe"
	"sluice/shared/table"
	"sluice/shared/upload"
)

// The sizes of what is kept in memory.
const (
	verifiedTokens = 10_000
	limitedKeys    = 100_000
	waitingHashes  = 64
)

// sweepEvery is how often the janitor of a server looks for what is due.
const sweepEvery = time.Minute

// Authority is who issues our tokens, and for whom.
func Authority() auth.Authority { return auth.Authority{Issuer: "sluice", Audience: "sluice"} }

// Records are the tables of a deployment, open.
type Records struct {
	Domain table.Driver
	Hot    table.Driver
	Sweep  func(context.Context) (int, error) // removes expired records; nil where the store does it
	Made   bool                               // `sluice admin init` has made them: nothing is asked now
}

// Blobs are where the bytes are, open.
type Blobs struct {
	Bucket *blob.Bucket
	Public bool        // clients reach it too
	Beside blob.Beside // the import buckets
}

// Parts are what Deps are made of.
type Parts struct {
	Records Records
	Keys    keys.Rings
	Blobs   *Blobs       // nil: the app moves no bytes, and has no Uploads, Delivery, Recorder and Janitor
	Queue   upload.Queue // nil: jobs run beside requests
	Metrics observe.Metrics
	Log     *slog.Logger
	Clock   func() time.Time
}

// Deps makes the apps' Deps of open stores. The caller sets Stopping and BaseURL.
// What it wraps in its errors names the setting at fault.
func Deps(ctx context.Context, c config.Config, p Parts) (api.Deps, error) {
	cat, err := Catalog(ctx, c, p.Records, p.Clock)
	if err != nil {
		return api.Deps{}, err
	}
	accounts, err := Accounts(cat, p.Keys, p.Clock)
	if err != nil {
		return api.Deps{}, err
	}
	d := api.Deps{
		Accounts: accounts, Catalog: cat, Ring: p.Keys.Links, Ready: p.Keys.Ready, Log: p.Log, Metrics: p.Metrics, Clock: p.Clock,
		Links:        &link.Service{Catalog: cat, Ring: p.Keys.Links, Clock: p.Clock},
		Checks:       map[string]func(context.Context) error{"table": cat.Ping},
		Stopping:     func() bool { return false },
		DownloadURLs: c.DownloadURLs, TrustedProxies: c.TrustedProxies, CORSOrigins: c.CORSOrigins,
		MaxSessions: c.MaxSessions, Stall: c.Stall, WebhookToken: c.WebhookToken,
	}
	if p.Blobs != nil {
		addBlobs(&d, c, p)
	}
	return d, nil
}

// addBlobs adds what moves bytes.
func addBlobs(d *api.Deps, c config.Config, p Parts) {
	blobs := p.Blobs.Bucket
	d.Uploads = &upload.Service{
		Catalog: d.Catalog, Blobs: blobs, Policy: uploadPolicy(c, p.Blobs.Public), Root: c.Blob, Queue: p.Queue, Log: p.Log, Clock: p.Clock,
		Beside: p.Blobs.Beside, Sources: c.ImportBuckets,
	}
	d.Delivery = &delivery.Service{Blobs: blobs, Beside: p.Blobs.Beside, Policy: deliveryPolicy(c, p.Blobs.Public), Clock: p.Clock, Stall: c.Stall}
	d.Recorder = delivery.NewRecorder(d.Catalog, p.Log, p.Clock)
	d.Janitor = &janitor.Janitor{Catalog: d.Catalog, Blobs: blobs, Records: p.Records.Sweep, Log: p.Log, Every: sweepEvery}
	if p.Queue != nil {
		d.Janitor.Resume = d.Uploads.Resume
	}
	d.Checks["blob"] = blobs.Ping
}

// OpenBeside opens the import buckets, each once, by its URL without a folder.
func OpenBeside(c config.Config, open func(*url.URL) (blob.Driver, error)) (blob.Beside, error) {
	beside := blob.Beside{}
	for _, u := range c.ImportBuckets {
		name := u.Scheme + "://" + u.Host
		if beside[name] != nil {
			continue
		}
		driver, err := open(&url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: u.RawQuery})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", config.Env("import-buckets"), err), beside.Close())
		}
		beside[name] = blob.NewBucket(driver)
	}
	return beside, nil
}

// Catalog opens the catalog in the tables.
func Catalog(ctx context.Context, c config.Config, r Records, clock func() time.Time) (*catalog.Catalog, error) {
	cat, err := catalog.Open(ctx, table.New(r.Domain, clock), catalog.Options{
		Keep: c.Keep, Clock: clock, Hot: table.New(r.Hot, clock), Made: r.Made,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.Env("table"), err)
	}
	return cat, nil
}

// Accounts makes what signs and checks with the keys.
func Accounts(cat *catalog.Catalog, k keys.Rings, clock func() time.Time) (*account.Service, error) {
	verified, err := auth.NewCache(k.Verifier, verifiedTokens)
	if err != nil {
		return nil, err
	}
	limits, err := memorylimit.New(limitedKeys, clock)
	if err != nil {
		return nil, err
	}
	return &account.Service{
		Catalog: cat, Signer: k.Signer, Verifier: k.Verifier, Verified: verified,
		Hasher: auth.NewHasher(runtime.GOMAXPROCS(0), waitingHashes), Limits: limits, Clock: clock,
	}, nil
}

// deliveryPolicy is what the settings say of deliveries.
func deliveryPolicy(c config.Config, public bool) delivery.Policy {
	return delivery.Policy{Mode: catalog.Delivery(c.Delivery), Above: c.RedirectAbove, ByRequest: c.DeliveryChoice, Public: public}
}

// uploadPolicy is what the settings say of uploads.
func uploadPolicy(c config.Config, public bool) upload.Policy {
	direct := c.UploadParts == "store" || c.UploadParts == "auto" && public
	return upload.Policy{Direct: direct, Claim: c.UploadDigest == "claim"}
}
