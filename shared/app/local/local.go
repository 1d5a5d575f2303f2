// Package local composes a server from its configuration: it opens each store
// by its URL and wires the apps to them. It may link every driver.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"sluice/shared/account"
	"sluice/shared/api"
	"sluice/shared/app/cloud"
	"sluice/shared/app/compose"
	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/fileblob"
	"sluice/shared/config"
	"sluice/shared/janitor"
	"sluice/shared/keys"
	"sluice/shared/observe/metrics"
	"sluice/shared/table"
	"sluice/shared/table/bolttable"
)

// expiredBatch is how many expired records a sweep removes at most.
const expiredBatch = 10_000

// App is an opened server: what the apps need, and what runs beside them.
type App struct {
	Deps    api.Deps
	Janitor *janitor.Janitor
	Metrics http.Handler // what Deps.Metrics counts, in Prometheus's text format

	options Options
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
	parts, alone, err := a.open(ctx, c, log)
	if err != nil {
		return nil, err
	}
	counters := metrics.New()
	parts.Metrics = counters
	if a.Deps, err = compose.Deps(ctx, c, parts); err != nil {
		return nil, err
	}
	a.Metrics, a.Janitor = counters.Handler(), a.Deps.Janitor
	if alone {
		if err := a.Deps.Catalog.BreakLeases(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", config.Env("table"), err)
		}
	}
	a.closers = append(a.closers, a.Deps.Uploads.Close)
	if err := a.Deps.Uploads.Resume(ctx); err != nil {
		return nil, err
	}
	a.record()
	return a, nil
}

// open opens what c names.
func (a *App) open(ctx context.Context, c config.Config, log *slog.Logger) (p compose.Parts, alone bool, err error) {
	p = compose.Parts{Log: log, Clock: a.options.Clock}
	if p.Records, alone, err = a.openRecords(ctx, c); err != nil {
		return p, alone, err
	}
	if p.Keys, err = a.openKeys(ctx, c, log); err != nil {
		return p, alone, err
	}
	if p.Blobs, err = a.openBlobs(ctx, c.Blob); err != nil {
		return p, alone, fmt.Errorf("%s: %w", config.Env("blob"), err)
	}
	p.Blobs.Beside, err = compose.OpenBeside(c, func(u *url.URL) (blob.Driver, error) {
		driver, _, err := openS3(ctx, u)
		return driver, err
	})
	if err != nil {
		return p, alone, err
	}
	a.closers = append(a.closers, p.Blobs.Beside.Close)
	if p.Queue, err = cloud.OpenQueue(ctx, c); err != nil {
		return p, alone, fmt.Errorf("%s: %w", config.Env("queue"), err)
	}
	return p, alone, nil
}

// EnsureAdmin makes the first admin of the server that c describes, where there
// are no users, and returns the admin's password if it has. It needs no keys,
// and does not touch blobs.
func EnsureAdmin(ctx context.Context, c config.Config) (password string, err error) {
	a := &App{options: Options{Clock: time.Now}}
	defer func() { err = errors.Join(err, a.Close()) }()
	records, _, err := a.openRecords(ctx, c)
	if err != nil {
		return "", err
	}
	cat, err := compose.Catalog(ctx, c, records, time.Now)
	if err != nil {
		return "", err
	}
	admins := &account.Service{Catalog: cat, Hasher: auth.NewHasher(1, 1), Clock: time.Now}
	password, err = admins.EnsureAdmin(ctx, c.AdminPassword.Reveal())
	if err != nil {
		return "", fmt.Errorf("%s: %w", config.Env("admin-password"), err)
	}
	return password, nil
}

// EnsureKeys makes the keys that c names where they are not there, and returns
// the names of what it made.
func EnsureKeys(ctx context.Context, c config.Config) (made []string, err error) {
	if c.Keys.Scheme == "file" {
		_, missing := os.Stat(c.Keys.Path)
		if err = makeData(c); err == nil {
			_, err = keys.LoadOrCreate(c.Keys.Path)
		}
		if err == nil && errors.Is(missing, fs.ErrNotExist) {
			made = []string{c.Keys.Path}
		}
	} else {
		var store keys.Store
		var name string
		if store, name, err = cloud.OpenKeys(ctx, c); err == nil {
			made, err = keys.Ensure(ctx, store, name, time.Now())
		}
	}
	if err != nil {
		return made, fmt.Errorf("%s: %w", config.Env("keys"), err)
	}
	return made, nil
}

// RotateKeys makes new keys where c has them, which sign from now on.
func RotateKeys(ctx context.Context, c config.Config) (err error) {
	if c.Keys.Scheme == "file" {
		err = keys.RotateFile(c.Keys.Path, time.Now())
	} else {
		var store keys.Store
		var name string
		if store, name, err = cloud.OpenKeys(ctx, c); err == nil {
			err = keys.Rotate(ctx, store, name, time.Now())
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", config.Env("keys"), err)
	}
	return nil
}

// makeData makes the folder of the embedded stores and the keys.
func makeData(c config.Config) error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("%s: %w", config.Env("data"), err)
	}
	return nil
}

// openKeys opens the keys, and follows them. Those that are not in a file are read
// with the first request.
func (a *App) openKeys(ctx context.Context, c config.Config, log *slog.Logger) (r keys.Rings, err error) {
	o := keys.Options{Authority: compose.Authority(), Clock: a.options.Clock, Log: log, Issues: true}
	if c.Keys.Scheme == "file" {
		if _, err = keys.LoadOrCreate(c.Keys.Path); err == nil {
			r, err = keys.FollowFile(c.Keys.Path, o)
		}
	} else {
		var store keys.Store
		var name string
		if store, name, err = cloud.OpenKeys(ctx, c); err == nil {
			r, err = keys.Follow(store, name, o)
		}
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", config.Env("keys"), err)
	}
	return r, nil
}

func (a *App) openRecords(ctx context.Context, c config.Config) (r compose.Records, alone bool, err error) {
	if err := makeData(c); err != nil {
		return r, false, err
	}
	if r, err = a.openTable(ctx, c.Table); err != nil {
		return r, false, fmt.Errorf("%s: %w", config.Env("table"), err)
	}
	return r, c.Table.Scheme == "bolt", nil // which one process can have open
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

// openTable opens a record store. The map is the list of those there are.
func (a *App) openTable(ctx context.Context, u *url.URL) (compose.Records, error) {
	open := map[string]func(context.Context, *url.URL) (compose.Records, error){
		"bolt":     a.openBolt,
		"dynamodb": a.openDynamoDB,
	}[u.Scheme]
	if open == nil {
		return compose.Records{}, fmt.Errorf("there is no record store %q", u.Scheme)
	}
	opened, err := open(ctx, u)
	if err == nil && a.options.Table != nil {
		opened.Domain = a.options.Table(opened.Domain)
	}
	return opened, err
}

func (a *App) openBolt(_ context.Context, u *url.URL) (compose.Records, error) {
	store, err := bolttable.Open(u.Path)
	if err != nil {
		return compose.Records{}, err
	}
	a.closers = append(a.closers, store.Close)
	return compose.Records{
		Domain: store.Table("domain"), Hot: store.Table("hot"),
		Sweep: func(ctx context.Context) (int, error) { return store.Sweep(ctx, a.options.Clock(), expiredBatch) },
	}, nil
}

func (a *App) openDynamoDB(ctx context.Context, u *url.URL) (compose.Records, error) {
	t, err := cloud.OpenTables(ctx, u)
	if err != nil {
		return compose.Records{}, err
	}
	a.closers = append(a.closers, t.Store.Close)
	domain, hot, err := t.Open(ctx)
	return compose.Records{Domain: domain, Hot: hot}, err
}

// openBlobs opens a blob store. The map is the list of those there are.
func (a *App) openBlobs(ctx context.Context, u *url.URL) (*compose.Blobs, error) {
	open := map[string]func(context.Context, *url.URL) (driver blob.Driver, public bool, err error){
		"file": openFiles,
		"s3":   openS3,
	}[u.Scheme]
	if open == nil {
		return nil, fmt.Errorf("there is no blob store %q", u.Scheme)
	}
	driver, public, err := open(ctx, u)
	if err != nil {
		return nil, err
	}
	if a.options.Blobs != nil {
		driver = a.options.Blobs(driver)
	}
	bucket := blob.NewBucket(driver)
	a.closers = append(a.closers, bucket.Close)
	return &compose.Blobs{Bucket: bucket, Public: public}, nil
}

func openFiles(_ context.Context, u *url.URL) (blob.Driver, bool, error) {
	driver, err := fileblob.Open(u.Path, fileblob.Options{})
	return driver, false, err
}

func openS3(ctx context.Context, u *url.URL) (blob.Driver, bool, error) {
	bucket, err := cloud.NewBucket(ctx, u)
	if err != nil {
		return nil, false, err
	}
	driver, err := bucket.Open()
	return driver, bucket.Public(), err
}
