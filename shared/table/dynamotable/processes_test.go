package dynamotable_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/table"
	"sluice/shared/table/dynamotable"
)

// scene is what several processes work on at once: a login that all of them
// rotate, files that they rename and publish, uploads that each tries to
// complete. It is handed to them as JSON.
type scene struct {
	Endpoint, Region, AccessKey, SecretKey string

	Owner   string
	Login   string
	Files   []string // ids
	Uploads []string // ids, begun and not yet published
}

// tally is what one process has been told was done.
type tally struct {
	Rotations int
	Changes   map[string]int // by file: renames and changes of visibility
	Published int
	Bytes     int64
	Completed map[string]int // by upload
}

const (
	sceneVariable = "DYNAMOTABLE_SCENE"
	processes     = 4
	rounds        = 10
	contested     = 6 // paths, for fewer files
)

// TestSeveralProcessesLoseNoUpdate has processes of their own, each a whole
// catalog on the same table, change the same records at once. What they were
// told must be what is in the table.
func TestSeveralProcessesLoseNoUpdate(t *testing.T) {
	for name, start := range emulators() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := start(t)
			records := table.New(newTable(t, open(t, d), "records"), time.Now)
			s := &scene{Endpoint: d.Endpoint, Region: d.Region, AccessKey: d.AccessKey, SecretKey: d.SecretKey}
			s.set(t, openCatalog(t, records))
			sum := tally{Changes: map[string]int{}, Completed: map[string]int{}}
			for _, one := range s.play(t) {
				sum.add(one)
			}
			t.Logf("%+v", sum)
			s.wantLogin(t, records, sum)
			s.wantFiles(t, records, sum)
		})
	}
}

func openCatalog(t *testing.T, records *table.Table) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Open(t.Context(), records, catalog.Options{Keep: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// set makes what the processes need.
func (s *scene) set(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	owner, err := c.CreateUser(t.Context(), catalog.User{ID: newID(), Username: "ada", Role: auth.User})
	if err != nil {
		t.Fatal(err)
	}
	s.Owner, s.Login = owner.ID, newID()
	login := catalog.Login{ID: s.Login, UserID: s.Owner, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	if err := c.CreateLogin(t.Context(), login); err != nil {
		t.Fatal(err)
	}
	for i := range contested - 2 {
		u := s.begin(t, c, newID(), contestedPath(i))
		f, _, err := c.Publish(t.Context(), u, catalog.Content{Size: 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Files = append(s.Files, f.ID)
	}
	for i := range 8 {
		s.Uploads = append(s.Uploads, s.begin(t, c, newID(), completedPath(i)).ID)
	}
}

func newID() string { return auth.NewID(time.Now()) }

func contestedPath(i int) string { return fmt.Sprintf("contested/%d", i) }
func completedPath(i int) string { return fmt.Sprintf("completed/%d", i%4) }

// upload returns the upload that begin has recorded.
func (s *scene) upload(id, path string) catalog.Upload {
	return catalog.Upload{ID: id, Owner: s.Owner, Path: path, ExpiresAt: time.Unix(4e9, 0)}
}

func (s *scene) begin(t *testing.T, c *catalog.Catalog, id, path string) catalog.Upload {
	t.Helper()
	u := s.upload(id, path)
	if err := c.BeginUpload(t.Context(), u); err != nil {
		t.Error(err)
	}
	return u
}

// play runs the processes and returns what each was told.
func (s *scene) play(t *testing.T) []tally {
	t.Helper()
	written, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	tallies := make([]tally, processes)
	gate := make(chan struct{})
	var all sync.WaitGroup
	for i := range tallies {
		child := exec.Command(os.Args[0], "-test.run=^TestOneOfSeveralProcesses$", "-test.v")
		child.Env = append(os.Environ(), sceneVariable+"="+string(written))
		all.Go(func() {
			<-gate
			out, err := child.CombinedOutput()
			_, after, _ := strings.Cut(string(out), "TALLY ")
			line, _, _ := strings.Cut(after, "\n")
			if err := errors.Join(err, json.Unmarshal([]byte(line), &tallies[i])); err != nil {
				t.Errorf("process %d: %v; output:\n%s", i, err, out)
			}
		})
	}
	close(gate)
	all.Wait()
	return tallies
}

func (s *tally) add(one tally) {
	s.Rotations += one.Rotations
	s.Published += one.Published
	s.Bytes += one.Bytes
	for id, n := range one.Changes {
		s.Changes[id] += n
	}
	for id, n := range one.Completed {
		s.Completed[id] += n
	}
}

// TestOneOfSeveralProcesses is the child.
func TestOneOfSeveralProcesses(t *testing.T) {
	s := new(scene)
	if err := json.Unmarshal([]byte(os.Getenv(sceneVariable)), s); err != nil {
		t.Skip("this is the child process of TestSeveralProcessesLoseNoUpdate")
	}
	store := dynamotable.Open(aws.Config{
		Region: s.Region, BaseEndpoint: aws.String(s.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
	defer store.Close()
	driver, err := store.Table(t.Context(), "records")
	if err != nil {
		t.Fatal(err)
	}
	c := openCatalog(t, table.New(driver, time.Now))
	told := tally{Changes: map[string]int{}, Completed: map[string]int{}}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, work := range []func(i int, done func(func(*tally))){
		func(_ int, done func(func(*tally))) { s.rotate(t, c, done) },
		func(i int, done func(func(*tally))) { s.rename(t, c, i, done) },
		func(i int, done func(func(*tally))) { s.show(t, c, i, done) },
		func(i int, done func(func(*tally))) { s.publish(t, c, i, done) },
		func(i int, done func(func(*tally))) { s.complete(t, c, i, done) },
	} {
		all.Go(func() {
			for i := range rounds {
				work(i, func(count func(*tally)) {
					mu.Lock()
					defer mu.Unlock()
					count(&told)
				})
			}
		})
	}
	all.Wait()
	written, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(os.Stdout, "TALLY "+string(written)+"\n")
}

// ended reports whether a write was done, and fails the test over an error
// that a race does not explain.
func ended(t *testing.T, what string, err error) bool {
	t.Helper()
	explained := fault.Is(err, fault.Unavailable, "contended") || fault.Is(err, fault.Unavailable, "table_busy") ||
		fault.Is(err, fault.Conflict, "path_taken") || fault.Is(err, fault.Conflict, "upload_expired")
	if err != nil && !explained {
		t.Errorf("%s: %v", what, err)
	}
	return err == nil
}

func (s *scene) rotate(t *testing.T, c *catalog.Catalog, done func(func(*tally))) {
	l, err := c.FreshLogin(t.Context(), s.Login)
	if err != nil {
		t.Errorf("read the login: %v", err)
		return
	}
	next := l
	next.Generation++
	rotated, err := c.RotateLogin(t.Context(), l, next)
	if ended(t, "rotate", err) && rotated {
		done(func(told *tally) { told.Rotations++ })
	}
}

func (s *scene) rename(t *testing.T, c *catalog.Catalog, i int, done func(func(*tally))) {
	id := s.Files[i%len(s.Files)]
	_, err := c.UpdateFile(t.Context(), id, func(f *catalog.File) error {
		f.Path = contestedPath((i*5 + os.Getpid()) % contested)
		return nil
	})
	if ended(t, "rename", err) {
		done(func(told *tally) { told.Changes[id]++ })
	}
}

func (s *scene) show(t *testing.T, c *catalog.Catalog, i int, done func(func(*tally))) {
	id := s.Files[i%len(s.Files)]
	_, err := c.UpdateFile(t.Context(), id, func(f *catalog.File) error {
		f.Visibility = map[catalog.Visibility]catalog.Visibility{catalog.Private: catalog.Public, catalog.Public: catalog.Private}[f.Visibility]
		return nil
	})
	if ended(t, "show", err) {
		done(func(told *tally) { told.Changes[id]++ })
	}
}

func (s *scene) publish(t *testing.T, c *catalog.Catalog, i int, done func(func(*tally))) {
	u := s.begin(t, c, newID(), fmt.Sprintf("published/%d", i%3))
	size := int64(i + 1)
	if _, _, err := c.Publish(t.Context(), u, catalog.Content{Size: size}, nil); ended(t, "publish", err) {
		done(func(told *tally) { told.Published++; told.Bytes += size })
	}
}

// complete publishes an upload that all processes try to publish.
func (s *scene) complete(t *testing.T, c *catalog.Catalog, i int, done func(func(*tally))) {
	i %= len(s.Uploads)
	u := s.upload(s.Uploads[i], completedPath(i))
	if _, _, err := c.Publish(t.Context(), u, catalog.Content{Size: 100}, nil); ended(t, "complete", err) {
		done(func(told *tally) { told.Completed[u.ID]++; told.Bytes += 100 })
	}
}

func (s *scene) wantLogin(t *testing.T, records *table.Table, sum tally) {
	t.Helper()
	l, err := openCatalog(t, records).FreshLogin(t.Context(), s.Login)
	if err != nil || l.Generation != int64(sum.Rotations) || sum.Rotations == 0 {
		t.Errorf("the login is of generation %d, %v; %d rotations were told to be done", l.Generation, err, sum.Rotations)
	}
}

// wantFiles checks that each file counts the changes that were told, that
// paths and files lead to one another, that each upload became one version, and
// that the owner's usage is that of all versions.
func (s *scene) wantFiles(t *testing.T, records *table.Table, sum tally) {
	t.Helper()
	for _, id := range s.Uploads {
		if sum.Completed[id] != 1 {
			t.Errorf("upload %s was completed %d times, want once", id, sum.Completed[id])
		}
	}
	paths := partition(t, records, "FILES#"+s.Owner)
	files, versions, bytes := map[string]bool{}, 0, int64(0)
	for _, path := range paths {
		id := path.Attrs["id"].(string)
		if files[id] {
			t.Errorf("file %s has two paths", id)
		}
		files[id] = true
		for _, item := range partition(t, records, "FILE#"+id) {
			if item.Key.SK != "FILE" {
				versions, bytes = versions+1, bytes+item.Attrs["size"].(int64)
				continue
			}
			if item.Attrs["path"] != path.Key.SK {
				t.Errorf("the path %s leads to a file that is at %v", path.Key.SK, item.Attrs["path"])
			}
			if changes, old := sum.Changes[id]; old && item.Attrs["rev"] != int64(1+changes) {
				t.Errorf("file %s is of revision %v after %d changes", id, item.Attrs["rev"], changes)
			}
		}
	}
	for _, id := range s.Files {
		if !files[id] || sum.Changes[id] == 0 {
			t.Errorf("file %s: has a path %v, was changed %d times", id, files[id], sum.Changes[id])
		}
	}
	if want := len(s.Files) + sum.Published + len(s.Uploads); versions != want || sum.Published == 0 {
		t.Errorf("there are %d versions, want %d", versions, want)
	}
	if want := int64(len(s.Files)) + sum.Bytes; bytes != want {
		t.Errorf("the versions have %d bytes, want %d", bytes, want)
	}
	usage, err := openCatalog(t, records).Usage(t.Context(), s.Owner)
	if err != nil || usage != (catalog.Usage{Bytes: bytes, Files: int64(len(paths))}) {
		t.Errorf("the owner's usage is %+v, %v; want %d bytes and %d files", usage, err, bytes, len(paths))
	}
}

func partition(t *testing.T, records *table.Table, pk string) []table.Item {
	t.Helper()
	page, err := records.Query(t.Context(), table.Query{PK: pk, Limit: table.MaxQuery})
	if err != nil || page.More {
		t.Fatalf("%s: %v, More %v", pk, err, page.More)
	}
	return page.Items
}
