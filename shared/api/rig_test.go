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

func openRig(t *testing.T, edits ...func(*config.Config)) *rig {
	t.Helper()
	r := &rig{t: t, checker: contracttest.New(t), clock: &movableClock{}, table: &faultyTable{}}
	r.Site = localtest.StartWith(t, local.Options{
		Clock: r.clock.Now,
		Blobs: func(d blob.Driver) blob.Driver { r.blobs = blobtest.NewChaos(d); return r.blobs },
		Table: func(d table.Driver) table.Driver { r.table.Driver = d; return r.table },
	}, edits...)
	r.Transport = r.checker.Transport
	r.admin = r.Admin()
	return r
}

// user makes a user and logs in as that user.
func (r *rig) user(name string, role auth.Role) *localtest.Client {
	r.t.Helper()
	_, err := r.App.Deps.Accounts.CreateUser(r.t.Context(), account.NewUser{Username: name, Password: localtest.Password, Role: role})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.Login(name, localtest.Password)
}

// tokens logs in and returns both tokens.
func (r *rig) tokens(username string) (access, refresh string) {
	r.t.Helper()
	a := r.Anonymous().JSON(http.MethodPost, "/api/login", map[string]string{"username": username, "password": localtest.Password})
	a.Want(r.t, http.StatusOK)
	return a.Field(r.t, "access_token"), a.Field(r.t, "refresh_token")
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

// movableClock tells the true time, moved ahead.
type movableClock struct{ ahead atomic.Int64 }

func (c *movableClock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Advance moves the clock on.
func (c *movableClock) Advance(d time.Duration) { c.ahead.Add(int64(d)) }

// faultyTable is a record store that can be made to fail.
type faultyTable struct {
	table.Driver

	mu     sync.Mutex
	reads  error
	writes error
	lost   bool            // transactions are done, but the answer says they were given up
	keys   map[string]bool // every key written, by partition and sort key
}

// tableFault is an injected error.
type tableFault struct{ code table.Code }

func (e tableFault) Error() string { return fmt.Sprintf("injected: code %d", e.code) }

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

func (f *faultyTable) faults() (reads, writes error, lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads, f.writes, f.lost
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
	if err, _, _ := f.faults(); err != nil {
		return nil, err
	}
	return f.Driver.GetMany(ctx, keys)
}

func (f *faultyTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err, _, _ := f.faults(); err != nil {
		return table.Page{}, err
	}
	return f.Driver.Query(ctx, q)
}

func (f *faultyTable) Ping(ctx context.Context) error {
	if err, _, _ := f.faults(); err != nil {
		return err
	}
	return f.Driver.Ping(ctx)
}

func (f *faultyTable) Apply(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	if _, err, _ := f.faults(); err != nil {
		return table.Item{}, err
	}
	f.note(op)
	return f.Driver.Apply(ctx, now, op)
}

func (f *faultyTable) Transact(ctx context.Context, now time.Time, ops []table.Op) error {
	_, err, lost := f.faults()
	if err != nil {
		return err
	}
	f.note(ops...)
	err = f.Driver.Transact(ctx, now, ops)
	if lost && err == nil {
		return tableFault{table.Canceled}
	}
	return err
}

func (f *faultyTable) ErrorCode(err error) table.Code {
	var injected tableFault
	if errors.As(err, &injected) {
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
