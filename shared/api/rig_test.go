package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/shared/account"
	"sluice/shared/app/local"
	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/catalog"
	"sluice/shared/config"
	"sluice/shared/contract/contracttest"
	"sluice/shared/table"
)

// rig is a site whose clock can be moved and whose stores can be made to fail.
// Every answer to one of its clients is held against the contract.
type rig struct {
	*localtest.Site
	t       *testing.T
	checker *contracttest.Checker
	clock   *movableClock
	blobs   *blobtest.Chaos
	table   *faultyTable
	admin   *localtest.Client
}

// webhookToken is that by which a store tells the site of a rig of its objects.
const webhookToken = "the store's token"

func openRig(t *testing.T, edits ...func(*config.Config)) *rig {
	t.Helper()
	r := &rig{t: t, checker: contracttest.New(t), clock: &movableClock{start: time.Now()}, table: &faultyTable{}}
	r.Site = localtest.StartWith(t, local.Options{
		Clock: r.clock.Now,
		Blobs: func(d blob.Driver) blob.Driver { r.blobs = blobtest.NewChaos(d); return r.blobs },
		Table: func(d table.Driver) table.Driver { r.table.Driver = d; return r.table },
	}, append([]func(*config.Config){func(c *config.Config) { c.WebhookToken = config.NewSecret(webhookToken) }}, edits...)...)
	r.Transport = r.checker.Transport
	r.admin = r.as(account.AdminName)
	return r
}

// user makes a user with the password of all users here, and returns them as a
// client. Nothing is hashed for it.
func (r *rig) user(name string, role auth.Role) *localtest.Client {
	r.t.Helper()
	records := r.App.Deps.Catalog
	admin, err := records.UserByName(r.t.Context(), account.AdminName)
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = records.CreateUser(r.t.Context(), catalog.User{ID: auth.NewID(r.clock.Now()), Username: name, Role: role, Password: admin.Password})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.as(name)
}

// as begins a login of a user.
func (r *rig) as(username string) *localtest.Client {
	r.t.Helper()
	access, _ := r.tokens(username)
	u, err := r.App.Deps.Catalog.UserByName(r.t.Context(), username)
	if err != nil {
		r.t.Fatal(err)
	}
	c := r.Anonymous()
	c.Token, c.ID = access, u.ID
	return c
}

// tokens begins a login of a user and returns both its tokens. It takes no
// password, so it costs no hash.
func (r *rig) tokens(username string) (access, refresh string) {
	r.t.Helper()
	accounts, now := r.App.Deps.Accounts, r.clock.Now()
	u, err := accounts.Catalog.UserByName(r.t.Context(), username)
	if err != nil {
		r.t.Fatal(err)
	}
	l := catalog.Login{
		ID: auth.NewID(now), UserID: u.ID, Epoch: u.Epoch, Generation: 1, RotatedAt: now, CreatedAt: now, ExpiresAt: now.Add(account.RefreshLifetime),
	}
	if err := accounts.Catalog.CreateLogin(r.t.Context(), l); err != nil {
		r.t.Fatal(err)
	}
	access, _, err = accounts.Signer.SignAccess(u.ID, l.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	refresh, _, err = accounts.Signer.SignRefresh(u.ID, l.ID, l.Generation, account.RefreshLifetime)
	if err != nil {
		r.t.Fatal(err)
	}
	return access, refresh
}

// with returns the client with another access token.
func with(c *localtest.Client, token string) *localtest.Client {
	other := *c
	other.Token = token
	return &other
}

// raw sends text over a connection of its own, half-closes it where cut is set,
// and returns the answer, which is held against the contract.
func (r *rig) raw(text string, cut bool) (*http.Response, []byte) {
	r.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		r.t.Fatal(err)
	}
	if cut {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			r.t.Fatal(err)
		}
	}
	head, _, _ := strings.Cut(text, "\r\n\r\n")
	asked, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), asked)
	if err != nil {
		r.t.Fatalf("%.60q got no answer: %v", text, err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatalf("%.60q got half an answer: %v", text, err)
	}
	if err := r.checker.Check(asked, nil, answer, body); err != nil {
		r.t.Errorf("the answer breaks the contract: %v", err)
	}
	return answer, body
}

// blobFiles returns the names of the files in the blob store, leftovers too.
func (r *rig) blobFiles() []string {
	r.t.Helper()
	var names []string
	root := filepath.Join(r.Dir, "blobs")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "lock" {
			names = append(names, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return names
}

// dueItems returns how many removals are to come.
func (r *rig) dueItems() int {
	r.t.Helper()
	return r.table.count("DUE#")
}

// movableClock stands still unless it is moved.
type movableClock struct {
	start time.Time
	moved atomic.Int64
}

func (c *movableClock) Now() time.Time { return c.start.Add(time.Duration(c.moved.Load())) }

// Advance moves the clock on.
func (c *movableClock) Advance(d time.Duration) { c.moved.Add(int64(d)) }

// faultyTable is a record store that can be made to fail.
type faultyTable struct {
	table.Driver

	mu     sync.Mutex
	reads  error
	writes error
	lost   bool            // transactions are done, but the answer says they were given up
	keys   map[string]bool // every key written, by partition and sort key
}

// tableError is an injected error.
type tableError struct{ code table.Code }

func (e tableError) Error() string { return fmt.Sprintf("injected: code %d", e.code) }

// fail makes reads and writes fail, or nil: not fail.
func (f *faultyTable) fail(reads, writes error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads, f.writes = reads, writes
}

// loseAnswers makes what transactions answer wrong.
func (f *faultyTable) loseAnswers(lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = lost
}

func (f *faultyTable) faults() (lost bool, reads, writes error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost, f.reads, f.writes
}

// count returns how many partitions and sort keys whose partition begins so
// hold an item now.
func (f *faultyTable) count(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for partition := range f.keys {
		if !strings.HasPrefix(partition, prefix) {
			continue
		}
		page, err := f.Driver.Query(context.Background(), table.Query{PK: partition, Limit: table.MaxQuery})
		if err != nil {
			panic(err)
		}
		n += len(page.Items)
	}
	return n
}

// partitions returns those that begin so and were written to.
func (f *faultyTable) partitions(prefix string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for partition := range f.keys {
		if strings.HasPrefix(partition, prefix) {
			names = append(names, partition)
		}
	}
	return names
}

func (f *faultyTable) note(ops ...table.Op) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys == nil {
		f.keys = map[string]bool{}
	}
	for _, op := range ops {
		f.keys[op.Key.PK] = true
	}
}

func (f *faultyTable) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if _, err, _ := f.faults(); err != nil {
		return nil, err
	}
	return f.Driver.GetMany(ctx, keys)
}

func (f *faultyTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if _, err, _ := f.faults(); err != nil {
		return table.Page{}, err
	}
	return f.Driver.Query(ctx, q)
}

func (f *faultyTable) Ping(ctx context.Context) error {
	if _, err, _ := f.faults(); err != nil {
		return err
	}
	return f.Driver.Ping(ctx)
}

func (f *faultyTable) Apply(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	if _, _, err := f.faults(); err != nil {
		return table.Item{}, err
	}
	f.note(op)
	return f.Driver.Apply(ctx, now, op)
}

func (f *faultyTable) Transact(ctx context.Context, now time.Time, ops []table.Op) error {
	lost, _, err := f.faults()
	if err != nil {
		return err
	}
	f.note(ops...)
	err = f.Driver.Transact(ctx, now, ops)
	if lost && err == nil {
		return tableError{table.Canceled}
	}
	return err
}

func (f *faultyTable) ErrorCode(err error) table.Code {
	if injected, ok := errors.AsType[tableError](err); ok {
		return injected.code
	}
	return f.Driver.ErrorCode(err)
}

// appearance is everything of an answer that its client can tell it by: not the
// request's id and the time of day.
func appearance(a localtest.Answer) string {
	var lines []string
	for name, values := range a.Header {
		if name != "X-Request-Id" && name != "Date" {
			lines = append(lines, fmt.Sprintf("%s: %q", name, values))
		}
	}
	slices.Sort(lines)
	body := bytes.ReplaceAll(a.Body, []byte(a.Header.Get("X-Request-Id")), []byte("the request's id"))
	return a.Status + "\n" + strings.Join(lines, "\n") + "\n\n" + string(body)
}

// problemField returns the field that a problem names.
func problemField(a localtest.Answer) string {
	var p struct{ Field string }
	_ = json.Unmarshal(a.Body, &p) // no JSON, no field
	return p.Field
}
