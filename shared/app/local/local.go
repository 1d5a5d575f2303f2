// Package local composes a server from its configuration: it opens each store
// by its URL and wires the apps to them. It may link every driver.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"runtime"
	"slices"
	"time"

	"sluice/shared/account"
	"sluice/shared/api"
	"sluice/shared/app/cloud"
	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/fileblob"
	"sluice/shared/catalog"
	"sluice/shared/config"
	"sluice/shared/delivery"
	"sluice/shared/janitor"
	"sluice/shared/keys"
	"sluice/shared/limit/memorylimit"
	"sluice/shared/link"
	"sluice/shared/observe"
	"sluice/shared/table"
	"sluice/shared/table/bolttable"
	"sluice/shared/upload"
)

// The sizes of what is kept in memory.
const (
	verifiedTokens = 10_000
	limitedKeys    = 100_000
	waitingHashes  = 64
)

// sweepEvery is how often the janitor looks for what is due, and expiredBatch
// how many expired records it removes each time.
const (
	sweepEvery   = time.Minute
	expiredBatch = 10_000
)

// App is an opened server: what the apps need, and what runs beside them.
type App struct {
	Deps    api.Deps
	Janitor *janitor.Janitor

	options Options
	public  bool // clients reach the blob store
	closers []func() error
}

// Options change what an App is made of, for tests. The zero value is what a
// server runs.
type Options struct {
	Clock func() time.Time                // nil: time.Now
	Blobs func(blob.Driver) blob.Driver   // decorates the blob store
	Table func(table.Driver) table.Driver // decorates the record store
}

// Open opens the stores that c names, and makes what is missing. The caller
// sets Deps.Stopping and Deps.BaseURL, and closes the App.
func Open(ctx context.Context, c config.Config, log *slog.Logger) (*App, error) {
	return OpenWith(ctx, c, log, Options{})
}

// OpenWith is Open with Options.
func OpenWith(ctx context.Context, c config.Config, log *slog.Logger, o Options) (app *App, err error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	a := &App{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	r, err := a.openRecords(ctx, c)
	if err != nil {
		return nil, err
	}
	cat := r.catalog
	blobs, err := a.openBlobs(ctx, c.Blob)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.Env("blob"), err)
	}
	a.Deps = api.Deps{
		Accounts: r.accounts, Catalog: cat, Ring: r.ring, Log: log, Metrics: observe.NewMetrics(), Clock: o.Clock,
		Uploads:      &upload.Service{Catalog: cat, Blobs: blobs, Policy: a.uploadPolicy(c), Root: c.Blob, Log: log, Clock: o.Clock},
		Links:        &link.Service{Catalog: cat, Ring: r.ring, Clock: o.Clock},
		Delivery:     &delivery.Service{Blobs: blobs, Policy: a.deliveryPolicy(c), Clock: o.Clock, Stall: c.Stall},
		Checks:       map[string]func(context.Context) error{"blob": blobs.Ping, "table": cat.Ping},
		Recorder:     delivery.NewRecorder(cat, log, o.Clock),
		Stopping:     func() bool { return false },
		DownloadURLs: c.DownloadURLs, TrustedProxies: c.TrustedProxies, CORSOrigins: c.CORSOrigins,
		MaxSessions: c.MaxSessions, Stall: c.Stall, WebhookToken: c.WebhookToken,
	}
	a.closers = append(a.closers, a.Deps.Uploads.Close)
	if err := a.Deps.Uploads.Resume(ctx); err != nil {
		return nil, err
	}
	a.record()
	a.Janitor = &janitor.Janitor{Catalog: cat, Blobs: blobs, Records: r.tables.sweep, Log: log, Every: sweepEvery}
	return a, nil
}

// EnsureAdmin makes the keys and the first admin of the server that c describes,
// where they are not there, and returns the admin's password if it has. Blobs
// are not touched.
func EnsureAdmin(ctx context.Context, c config.Config) (password string, err error) {
	a := &App{options: Options{Clock: time.Now}}
	defer func() { err = errors.Join(err, a.Close()) }()
	r, err := a.openRecords(ctx, c)
	if err != nil {
		return "", err
	}
	password, err = r.accounts.EnsureAdmin(ctx, c.AdminPassword.Reveal())
	if err != nil {
		return "", fmt.Errorf("%s: %w", config.Env("admin-password"), err)
	}
	return password, nil
}

// records is what stands on the record store.
type records struct {
	tables   tables
	catalog  *catalog.Catalog
	accounts *account.Service
	ring     *auth.Ring
}

func (a *App) openRecords(ctx context.Context, c config.Config) (r records, err error) {
	clock := a.options.Clock
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return records{}, fmt.Errorf("%s: %w", config.Env("data"), err)
	}
	if r.tables, err = a.openTable(ctx, c.Table); err != nil {
		return records{}, fmt.Errorf("%s: %w", config.Env("table"), err)
	}
	r.catalog, err = catalog.Open(ctx, table.New(r.tables.domain, clock),
		catalog.Options{Keep: c.Keep, Clock: clock, Hot: table.New(r.tables.hot, clock)})
	if err != nil {
		return records{}, fmt.Errorf("%s: %w", config.Env("table"), err)
	}
	if r.tables.alone {
		if err := r.catalog.BreakLeases(ctx); err != nil {
			return records{}, fmt.Errorf("%s: %w", config.Env("table"), err)
		}
	}
	if r.accounts, r.ring, err = openAccounts(c.Keys, r.catalog, clock); err != nil {
		return records{}, fmt.Errorf("%s: %w", config.Env("keys"), err)
	}
	return r, nil
}

// record runs the recorder until the App is closed.
func (a *App) record() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.Deps.Recorder.Run(ctx)
	}()
	a.closers = append(a.closers, func() error {
		stop()
		<-done
		return nil
	})
}

// Close closes the stores, the last opened first.
func (a *App) Close() error {
	var errs []error
	for _, closer := range slices.Backward(a.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

// tables are the two tables of a deployment in one record store.
type tables struct {
	domain table.Driver
	hot    table.Driver
	sweep  func(context.Context) (int, error) // removes expired records; nil where the store does it
	alone  bool                               // no other process can have the store open
}

// openTable opens a record store. The map is the list of those there are.
func (a *App) openTable(ctx context.Context, u *url.URL) (tables, error) {
	open := map[string]func(context.Context, *url.URL) (tables, error){
		"bolt":     a.openBolt,
		"dynamodb": a.openDynamoDB,
	}[u.Scheme]
	if open == nil {
		return tables{}, fmt.Errorf("there is no record store %q", u.Scheme)
	}
	opened, err := open(ctx, u)
	if err == nil && a.options.Table != nil {
		opened.domain = a.options.Table(opened.domain)
	}
	return opened, err
}

func (a *App) openBolt(_ context.Context, u *url.URL) (tables, error) {
	store, err := bolttable.Open(u.Path)
	if err != nil {
		return tables{}, err
	}
	a.closers = append(a.closers, store.Close)
	return tables{
		domain: store.Table("domain"), hot: store.Table("hot"), alone: true,
		sweep: func(ctx context.Context) (int, error) { return store.Sweep(ctx, a.options.Clock(), expiredBatch) },
	}, nil
}

func (a *App) openDynamoDB(ctx context.Context, u *url.URL) (tables, error) {
	t, err := cloud.OpenTables(ctx, u)
	if err != nil {
		return tables{}, err
	}
	a.closers = append(a.closers, t.Store.Close)
	domain, hot, err := t.Open(ctx)
	return tables{domain: domain, hot: hot}, err
}

// openBlobs opens a blob store. The map is the list of those there are.
func (a *App) openBlobs(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	open := map[string]func(context.Context, *url.URL) (blob.Driver, error){
		"file": openFiles,
		"s3":   a.openS3,
	}[u.Scheme]
	if open == nil {
		return nil, fmt.Errorf("there is no blob store %q", u.Scheme)
	}
	driver, err := open(ctx, u)
	if err != nil {
		return nil, err
	}
	if a.options.Blobs != nil {
		driver = a.options.Blobs(driver)
	}
	bucket := blob.NewBucket(driver)
	a.closers = append(a.closers, bucket.Close)
	return bucket, nil
}

func openFiles(_ context.Context, u *url.URL) (blob.Driver, error) {
	return fileblob.Open(u.Path, fileblob.Options{})
}

func (a *App) openS3(ctx context.Context, u *url.URL) (blob.Driver, error) {
	bucket, err := cloud.NewBucket(ctx, u)
	if err != nil {
		return nil, err
	}
	a.public = bucket.Public()
	return bucket.Open()
}

// openAccounts loads the keys and makes what signs and checks with them.
func openAccounts(u *url.URL, cat *catalog.Catalog, clock func() time.Time) (*account.Service, *auth.Ring, error) {
	set, err := keys.LoadOrCreate(u.Path)
	if err != nil {
		return nil, nil, err
	}
	public, err := set.TokenPublic()
	if err != nil {
		return nil, nil, err
	}
	authority := auth.Authority{Issuer: "sluice", Audience: "sluice"}
	signer, err := auth.NewSigner(authority, set.Token[0], clock)
	if err != nil {
		return nil, nil, err
	}
	verifier, err := auth.NewVerifier(authority, clock, public...)
	if err != nil {
		return nil, nil, err
	}
	verified, err := auth.NewCache(verifier, verifiedTokens)
	if err != nil {
		return nil, nil, err
	}
	ring, err := auth.NewRing(set.Link...)
	if err != nil {
		return nil, nil, err
	}
	limits, err := memorylimit.New(limitedKeys, clock)
	if err != nil {
		return nil, nil, err
	}
	return &account.Service{
		Catalog: cat, Signer: signer, Verifier: verifier, Verified: verified,
		Hasher: auth.NewHasher(runtime.GOMAXPROCS(0), waitingHashes), Limits: limits, Clock: clock,
	}, ring, nil
}
