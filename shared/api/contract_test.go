package api_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"sluice/shared/api"
	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
	"sluice/shared/catalog"
	"sluice/shared/config"
	"sluice/shared/contract/contracttest"
	"sluice/shared/table"
)

// ginPath is a path of the contract as Gin has it.
func ginPath(o contracttest.Operation) string {
	segments := strings.Split(o.Path, "/")
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			segments[i] = ":" + strings.TrimSuffix(name, "}")
			if o.CatchAll && i == len(segments)-1 {
				segments[i] = "*" + strings.TrimSuffix(name, "}")
			}
		}
	}
	return strings.Join(segments, "/")
}

func TestTheRoutesAreTheContracts(t *testing.T) {
	t.Parallel()
	deps := localtest.Start(t).App.Deps
	want := map[string]bool{}
	for _, o := range contracttest.New(t).Operations() {
		want[o.Method+" "+ginPath(o)] = true
	}
	for name, engines := range map[string][]*gin.Engine{
		"All": {api.All(deps)}, "Auth, Files and Download": {api.Auth(deps), api.Files(deps), api.Download(deps)},
	} {
		got := map[string]bool{}
		for _, engine := range engines {
			for _, route := range engine.Routes() {
				got[route.Method+" "+route.Path] = true
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s has the routes\n%q\nand the contract\n%q", name, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
	}
}

// TestOperationsHaveTheirNames finds the names of the routes in the log.
func TestOperationsHaveTheirNames(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	nobody := r.Anonymous()
	want := map[string]string{} // by request id
	for _, o := range r.checker.Operations() {
		path := strings.NewReplacer("{id}", "x", "{user}", "admin", "{path}", "x").Replace(o.Path)
		want[nobody.Do(o.Method, path, nil).Header.Get("X-Request-Id")] = o.ID
	}
	r.Stop() // every line is written
	for _, line := range r.Log.Lines(t) {
		id, _ := line["request_id"].(string)
		if operation, asked := want[id]; asked && line["operation"] != operation {
			t.Errorf("operation %s is %v in the log", operation, line["operation"])
		}
		delete(want, id)
	}
	for _, operation := range want {
		t.Errorf("operation %s is not in the log", operation)
	}
}

// unprovoked is every declared answer that no test can bring about, and why.
var unprovoked = map[string]string{
	"healthz 500":     "it does nothing that can fail",
	"describeTus 500": "it does nothing that can fail",
	"getOpenapi 500":  "it does nothing that can fail",
	"getJwks 500":     "it does nothing that can fail",
}

// TestEveryDeclaredAnswer brings every answer about that the contract declares,
// and holds each against it.
func TestEveryDeclaredAnswer(t *testing.T) {
	t.Parallel()
	a := newAnswers(t)
	a.provokeByEverybody()
	a.provokeByBodies()
	a.provokeByStores()
	a.provokeByConditions()
	a.provokeByConflicts()
	a.provokeByUploads()
	a.provokeByTus()
	a.provokeByVersions()
	a.provokeByLinks()
	a.provokeByManifests()
	a.provokeByRedirects()
	a.provokeByStalling()
	a.provokeByGuessing()
	a.provokeByStopping()
	a.provokeBySessions()
	a.provokeByImports()
	missing := map[string]bool{}
	for _, answer := range a.checker.Missing() {
		if missing[answer.String()] = true; unprovoked[answer.String()] == "" {
			t.Errorf("%s is declared, and was not seen", answer)
		}
	}
	for answer := range unprovoked {
		if !missing[answer] {
			t.Errorf("%s counts as one that cannot be provoked, and was seen or is not declared", answer)
		}
	}
}

// answers is a walker that looks for answers, not for permissions.
type answers struct {
	*walker
	mine person // an admin
}

func newAnswers(t *testing.T) *answers {
	t.Helper()
	a := &answers{walker: newWalker(t)}
	a.mine = a.people[len(a.people)-1]
	return a
}

// operation returns the contract's name of a row.
func (a *answers) operation(row row) contracttest.Operation {
	a.t.Helper()
	for _, o := range a.checker.Operations() {
		if o.Method+" "+ginPath(o) == row.route {
			return o
		}
	}
	a.t.Fatalf("%s is not in the contract", row.route)
	return contracttest.Operation{}
}

// each sends every row that declares the status, as an admin, and wants it.
func (a *answers) each(status int, skip ...string) {
	a.t.Helper()
	for _, row := range rows {
		o := a.operation(row)
		if !slices.Contains(o.Statuses, status) || slices.Contains(skip, o.ID) {
			continue
		}
		if got := a.ask(a.mine, row, a.targets(a.mine, row)[0]); got.StatusCode != status {
			a.t.Errorf("%s = %s, want %d", o.ID, got, status)
		}
	}
}

func (a *answers) provokeByEverybody() {
	for _, p := range a.people {
		if p.refused || p.client == a.ada {
			continue // as nobody, and as eve
		}
		for _, row := range rows {
			for _, target := range a.targets(p, row) {
				a.send(a.expendable(p, row), row, target)
				if row.changes() {
					delete(a.files, target.name)
				}
			}
		}
	}
	a.admin.Do(http.MethodGet, "/api/files?owner=nobody", nil).Want(a.t, http.StatusNotFound)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		a.admin.Do(method, "/s/not-ours/a", nil).Want(a.t, http.StatusForbidden)
		a.admin.Do(method, "/s/"+a.sourceOf("admin")+"/a?disposition=shown", nil).Want(a.t, http.StatusBadRequest)
	}
}

// expendable returns a client whose login may end.
func (a *answers) expendable(p person, row row) *localtest.Client {
	if row.action != auth.Logout || p.username() == "" || p.refused {
		return p.client
	}
	access, _ := a.tokens(p.username())
	return with(p.client, access)
}

// provokeByBodies sends what is no request: not JSON, not called JSON, too
// long, wrong parameters and paths.
func (a *answers) provokeByBodies() {
	for _, row := range rows {
		if row.body == "" || row.method() == http.MethodPut || row.on == aTus {
			continue
		}
		target := a.targets(a.mine, row)[0]
		_, route, _ := strings.Cut(row.route, "/")
		path := strings.Replace("/"+route, ":id", target.id, 1)
		for _, c := range []struct {
			body, contentType string
			want              int
		}{
			{"{", "application/json", http.StatusBadRequest},
			{"{}", "text/plain", http.StatusUnsupportedMediaType},
			{strings.Repeat(" ", 64<<10) + "{}", "application/json", http.StatusRequestEntityTooLarge},
		} {
			row.sender(a.admin).Do(row.method(), path, strings.NewReader(c.body), "Content-Type", c.contentType).Want(a.t, c.want)
		}
	}
	_, refresh := a.tokens("ada")
	body := fmt.Sprintf(`{"refresh_token":%q}`, refresh)
	for _, want := range []int{http.StatusOK, http.StatusConflict} {
		a.admin.Do(http.MethodPost, "/api/token/refresh", strings.NewReader(body), "Content-Type", "application/json").Want(a.t, want)
	}
	a.admin.JSON(http.MethodPost, "/api/token/refresh", map[string]string{"refresh_token": "bad"}).Want(a.t, http.StatusUnauthorized)
	a.admin.JSON(http.MethodPost, "/api/login", map[string]string{"username": "nobody", "password": "bad"}).Want(a.t, http.StatusUnauthorized)
	content := "/api/files/" + a.file("admin", "private").id + "/content?disposition=shown"
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, "/api/users?limit=0"}, {http.MethodGet, "/api/sessions?limit=1"}, {http.MethodGet, "/api/files?limit=0"},
		{http.MethodGet, content}, {http.MethodHead, content},
		{http.MethodGet, "/api/imports?limit=0"}, {http.MethodGet, "/api/audit?limit=0"}, {http.MethodGet, "/api/usage"},
		{http.MethodGet, "/api/files/" + a.file("admin", "private").id + "/manifest?format=xml"},
		{http.MethodGet, "/api/files/" + a.file("admin", "private").id + "/versions?limit=0"},
		{http.MethodGet, "/file/admin/a//b"}, {http.MethodHead, "/file/admin/a//b"},
		{http.MethodPut, "/file/admin/a//b"}, {http.MethodDelete, "/file/admin/a//b"},
	} {
		a.admin.Do(c.method, c.path, nil).Want(a.t, http.StatusBadRequest)
	}
}

// provokeByStores makes the stores fail. Caches are too old to help them.
func (a *answers) provokeByStores() {
	broken := tableError{table.Unknown}
	for _, row := range rows {
		if o := a.operation(row); !slices.Contains(o.Statuses, http.StatusInternalServerError) || row.action == "" && row.body == "" {
			continue
		}
		target := a.targets(a.mine, row)[0]
		row.body = a.fill(row.body)
		a.clock.Advance(catalog.MaxAge)
		a.table.fail(broken, broken)
		a.send(a.admin, row, target).Want(a.t, http.StatusInternalServerError)
		a.table.fail(nil, nil)
	}
	source := a.sourceOf("admin")
	a.clock.Advance(catalog.MaxAge)
	a.table.fail(broken, broken)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		a.admin.Do(method, "/s/"+source+"/a", nil).Want(a.t, http.StatusInternalServerError)
	}
	a.table.fail(nil, nil)
	a.table.fail(broken, nil)
	a.admin.Do(http.MethodGet, "/readyz", nil).Want(a.t, http.StatusServiceUnavailable)
	a.table.fail(nil, nil)

	for _, row := range rows {
		o := a.operation(row)
		if !slices.Contains(o.Statuses, http.StatusInsufficientStorage) || slices.Contains([]string{"restoreFile", "undeleteFile", "createImport", "receiveEvents"}, o.ID) {
			continue // these have nothing to write here
		}
		target := a.targets(a.mine, row)[0]
		row.body = a.fill(row.body)
		a.table.fail(nil, tableError{table.Full})
		a.blobs.Always(blobtest.PutPart, blobtest.Fault{Err: blobtest.Error{Code: blob.Full}})
		a.send(a.admin, row, target).Want(a.t, http.StatusInsufficientStorage)
		a.table.fail(nil, nil)
		a.blobs.Calm()
	}

	a.blobs.Always(blobtest.Open, blobtest.Fault{Err: blobtest.Error{Code: blob.Unknown}})
	a.blobs.Always(blobtest.Create, blobtest.Fault{Err: blobtest.Error{Code: blob.Unknown}})
	a.each(http.StatusBadGateway, append(partedOperations(), "getManifest", "receiveEvents")...)
	a.blobs.Calm()

	a.blobs.Always(blobtest.Open, blobtest.Fault{Err: blobtest.Error{Code: blob.Changed}})
	for _, row := range rows {
		if o := a.operation(row); slices.Contains(o.Statuses, http.StatusTemporaryRedirect) {
			a.ask(a.mine, row, a.targets(a.mine, row)[0]).Want(a.t, http.StatusConflict)
		}
	}
	a.blobs.Calm()

	panicking := a.App.Deps
	panicking.Checks = map[string]func(context.Context) error{"table": func(context.Context) error { panic("for a test") }}
	a.elsewhere(panicking).Do(http.MethodGet, "/readyz", nil).Want(a.t, http.StatusInternalServerError)
}

// elsewhere returns the admin as a client of a server made of other parts.
func (a *answers) elsewhere(deps api.Deps) *localtest.Client {
	server := httptest.NewServer(api.All(deps))
	a.t.Cleanup(server.Close)
	site := *a.Site
	site.URL = server.URL
	client := with(a.admin, a.admin.Token)
	client.Site = &site
	return client
}

func (a *answers) provokeByConditions() {
	f, source := a.file("admin", "private"), a.sourceOf("admin")
	for _, row := range rows {
		o := a.operation(row)
		path := strings.NewReplacer("{id}", f.id, "{user}", f.owner, "{path}", f.path, "{source}", source, "{link}", a.linkTo("admin"), "{name}", "a").Replace(o.Path)
		for status, field := range map[int][2]string{
			http.StatusPartialContent:               {"Range", "bytes=0-1"},
			http.StatusNotModified:                  {"If-None-Match", "*"},
			http.StatusPreconditionFailed:           {"If-Match", `"another"`},
			http.StatusRequestedRangeNotSatisfiable: {"Range", "bytes=100-"},
		} {
			if slices.Contains(o.Statuses, status) && o.ID != "completeUpload" { // whose condition came before
				a.admin.Do(row.method(), path, strings.NewReader(row.body), field[0], field[1], "Content-Type", "application/json").Want(a.t, status)
			}
		}
	}
	a.admin.Do(http.MethodPut, "/file/admin/a", strings.NewReader("x"), "Content-Encoding", "gzip").Want(a.t, http.StatusUnsupportedMediaType)
	a.admin.Do(http.MethodPut, "/file/admin/a", strings.NewReader("x"), "Repr-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:").Want(a.t, http.StatusUnprocessableEntity)
}

func (a *answers) provokeByConflicts() {
	f, other := a.file("admin", "private"), a.file("admin", "public")
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPost, "/api/users", map[string]string{"username": "ada", "password": localtest.Password, "role": "user"}},
		{http.MethodPatch, "/api/users/" + a.admin.ID, map[string]bool{"disabled": true}},
		{http.MethodDelete, "/api/users/" + a.admin.ID, map[string]string{}},
		{http.MethodPatch, "/api/files/" + f.id, map[string]string{"path": other.path}},
	} {
		a.admin.JSON(c.method, c.path, c.body).Want(a.t, http.StatusConflict)
	}
	a.changeThePasswordElsewhere()
	a.deleteAFileElsewhere()
	a.sweepAnUploadUnderWay()
}

// changeThePasswordElsewhere makes another server change the password that
// this one still has in its cache.
func (a *answers) changeThePasswordElsewhere() {
	a.ada.Do(http.MethodGet, "/api/profile", nil).Want(a.t, http.StatusOK)
	elsewhere, err := catalog.Open(a.t.Context(), table.New(a.table, a.clock.Now), catalog.Options{Clock: a.clock.Now})
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := elsewhere.UpdateUser(a.t.Context(), a.ada.ID, func(u *catalog.User) error { u.Password += "x"; return nil }); err != nil {
		a.t.Fatal(err)
	}
	change := map[string]string{"password": "another password", "old_password": localtest.Password}
	a.ada.JSON(http.MethodPatch, "/api/profile", change).Want(a.t, http.StatusConflict)
	restore := func(u *catalog.User) error { u.Password = strings.TrimSuffix(u.Password, "x"); return nil }
	if _, err := a.App.Deps.Catalog.UpdateUser(a.t.Context(), a.ada.ID, restore); err != nil {
		a.t.Fatal(err)
	}
}

// deleteAFileElsewhere makes another server delete a file that this one still
// has in its cache.
func (a *answers) deleteAFileElsewhere() {
	id := a.admin.Put("/file/admin/elsewhere", "x").Field(a.t, "id")
	a.admin.Do(http.MethodGet, "/api/files/"+id, nil).Want(a.t, http.StatusOK)
	elsewhere, err := catalog.Open(a.t.Context(), table.New(a.table, a.clock.Now), catalog.Options{Clock: a.clock.Now})
	if err == nil {
		err = elsewhere.DeleteFile(a.t.Context(), id, nil)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	a.admin.Do(http.MethodPost, "/api/files/"+id+"/sessions", nil).Want(a.t, http.StatusNotFound)
}

// sweepAnUploadUnderWay lets an upload last longer than it may.
func (a *answers) sweepAnUploadUnderWay() {
	hold := blobtest.NewHold()
	a.blobs.Script(blobtest.Commit, blobtest.Fault{Hold: hold})
	done := make(chan localtest.Answer)
	go func() { done <- a.admin.Do(http.MethodPut, "/file/admin/late", strings.NewReader("x")) }()
	<-hold.Reached()
	a.clock.Advance(8 * 24 * time.Hour)
	a.App.Janitor.Sweep(a.t.Context())
	hold.Release()
	(<-done).Want(a.t, http.StatusConflict)
	a.admin, a.ada = a.as("admin"), a.as("ada") // the tokens have expired meanwhile
	a.owners["ada"], a.owners["eve"] = a.ada, a.as("eve")
	a.mine.client = a.admin
}

// provokeByStalling sends headers alone, and then waits.
func (a *answers) provokeByStalling() {
	impatient := openRig(a.t, func(c *config.Config) { c.Stall = 50 * time.Millisecond })
	impatient.checker = a.checker
	f := impatient.admin.Put("/file/admin/a", "x").Field(a.t, "id")
	upload := impatient.begin(impatient.admin, "b", nil)
	for _, row := range rows {
		o := a.operation(row)
		if !slices.Contains(o.Statuses, http.StatusRequestTimeout) {
			continue
		}
		id := f
		switch row.on {
		case aUser:
			id = impatient.admin.ID
		case anUpload:
			id = upload.id
		case aTus:
			id = impatient.create(impatient.admin, "c", 10).id()
		}
		path := strings.NewReplacer("{id}", id, "{user}", "admin", "{path}", "a").Replace(o.Path)
		if row.on == aPart {
			path = upload.url(1, "")
		}
		header := row.header()
		if header == nil {
			header = []string{"Content-Type", "application/json"}
		}
		var lines strings.Builder
		for i := 0; i < len(header); i += 2 {
			fmt.Fprintf(&lines, "%s: %s\r\n", header[i], header[i+1])
		}
		answer, body := impatient.raw(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%sContent-Length: 10\r\n\r\n{",
			o.Method, path, row.sender(impatient.admin).Token, lines.String()), false)
		if answer.StatusCode != http.StatusRequestTimeout {
			a.t.Errorf("%s of which the body stalls = %s %s, want 408", o.ID, answer.Status, body)
		}
	}
}

// provokeByGuessing tries wrong passwords until it is throttled.
func (a *answers) provokeByGuessing() {
	wrong := map[string]string{"username": "gus", "password": "a wrong password"}
	guest := a.as("gus")
	for range 20 {
		a.admin.JSON(http.MethodPost, "/api/login", wrong).Want(a.t, http.StatusUnauthorized)
	}
	a.admin.JSON(http.MethodPost, "/api/login", wrong).Want(a.t, http.StatusTooManyRequests)
	change := map[string]string{"password": "another password", "old_password": "a wrong password"}
	guest.JSON(http.MethodPatch, "/api/profile", change).Want(a.t, http.StatusTooManyRequests)
	a.ada.JSON(http.MethodPatch, "/api/profile", change).Want(a.t, http.StatusForbidden)
}

// provokeBySessions begins more sessions than a user may have open.
func (a *answers) provokeBySessions() {
	path := "/api/files/" + a.file("admin", "private").id + "/sessions"
	begin := func() int { return a.admin.Do(http.MethodPost, path, nil).StatusCode }
	for status := begin(); status == http.StatusCreated; {
		status = begin()
	}
	a.admin.Do(http.MethodPost, path, nil).Want(a.t, http.StatusTooManyRequests)
}

// provokeByStopping asks a server that is about to stop.
func (a *answers) provokeByStopping() {
	deps := a.App.Deps
	deps.Stopping = func() bool { return true }
	stopping := a.elsewhere(deps)
	for _, row := range rows {
		if !slices.Contains(a.operation(row).Statuses, http.StatusServiceUnavailable) {
			continue
		}
		a.send(stopping, row, a.targets(a.mine, row)[0]).Want(a.t, http.StatusServiceUnavailable)
	}
}
