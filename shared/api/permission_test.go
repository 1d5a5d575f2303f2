package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/shared/api"
	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/tus"
)

// row is a route of the engine and a request to it that is good but for who
// sends it. In the body, {user} is a user's name, {new} one that is free, and
// {refresh} a refresh token.
type row struct {
	route  string      // method and path, as Gin has them
	action auth.Action // what May is asked; "" where nobody is asked who they are
	on     object      // about what
	body   string      // JSON; of a PUT, the file
	want   int         // where it is allowed
}

// object is what a route is about.
type object string

const (
	nothing  object = "nothing"
	oneself  object = "oneself"
	aFile    object = "a file"
	anUpload object = "an upload"
	aPart    object = "a part of an upload"
	aTus     object = "an upload by tus"
	aSpace   object = "an owner's files"
	aUser    object = "a user"
	aSession object = "a download session"
	aSource  object = "a URL of a download session"
	aLink    object = "a link"
	allUsers object = "all users"
	imports  object = "imports"
	anImport object = "an import"
	anEvent  object = "what a store tells of"
)

var rows = []row{
	{"POST /api/login", "", nothing, `{"username":"{user}","password":"` + localtest.Password + `"}`, 200},
	{"POST /api/token/refresh", "", nothing, `{"refresh_token":"{refresh}"}`, 200},
	{"POST /api/logout", auth.Logout, oneself, "", 204},
	{"GET /api/profile", auth.ReadProfile, oneself, "", 200},
	{"PATCH /api/profile", auth.ChangeProfile, oneself, `{"display_name":"Ada"}`, 200},
	{"GET /api/users", auth.ManageUsers, allUsers, "", 200},
	{"POST /api/users", auth.ManageUsers, allUsers, `{"username":"{new}","password":"` + localtest.Password + `","role":"guest"}`, 201},
	{"GET /api/users/:id", auth.ManageUsers, aUser, "", 200},
	{"PATCH /api/users/:id", auth.ManageUsers, aUser, `{"display_name":"Ada"}`, 200},
	{"DELETE /api/users/:id", auth.ManageUsers, aUser, "", 204},
	{"GET /api/files", auth.ListFiles, aSpace, "", 200},
	{"GET /api/files/:id", auth.ReadFile, aFile, "", 200},
	{"PATCH /api/files/:id", auth.ChangeFile, aFile, `{"content_type":"text/x-changed"}`, 200},
	{"DELETE /api/files/:id", auth.DeleteFile, aFile, "", 204},
	{"GET /api/files/:id/manifest", auth.ReadFile, aFile, "", 200},
	{"POST /api/files/:id/sessions", auth.StartSession, aFile, `{}`, 201},
	{"GET /api/sessions", auth.ManageSession, oneself, "", 200},
	{"GET /api/sessions/:id", auth.ManageSession, aSession, "", 200},
	{"POST /api/sessions/:id/renew", auth.ManageSession, aSession, "", 200},
	{"DELETE /api/sessions/:id", auth.ManageSession, aSession, "", 204},
	{"GET /api/audit", auth.ReadAudit, oneself, "", 200},
	{"GET /api/usage", auth.ReadAudit, oneself, "", 200},
	{"GET /api/imports", auth.ManageImports, imports, "", 200},
	{"POST /api/imports", auth.ManageImports, imports, `{"source":"s3://b/","owner":"{user}"}`, 422}, // the disk lists nothing
	{"GET /api/imports/:id", auth.ManageImports, anImport, "", 200},
	{"DELETE /api/imports/:id", auth.ManageImports, anImport, "", 204},
	{"POST /api/events/s3", "", anEvent, `{root}`, 204},
	{"GET /s/:source/:name", "", aSource, "", 200},
	{"HEAD /s/:source/:name", "", aSource, "", 200},
	{"GET /api/files/:id/versions", auth.ReadVersions, aFile, "", 200},
	{"POST /api/files/:id/restore", auth.RestoreFile, aFile, `{"version_id":"{version}"}`, 200},
	{"POST /api/files/:id/undelete", auth.RestoreFile, aFile, `{}`, 409}, // it is there
	{"POST /api/files/:id/link", auth.LinkFile, aFile, `{}`, 201},
	{"DELETE /api/files/:id/links/:link_id", auth.LinkFile, aFile, "", 204},
	{"GET /l/:link/:name", "", aLink, "", 200},
	{"HEAD /l/:link/:name", "", aLink, "", 200},
	{"GET /api/files/:id/content", auth.ReadFile, aFile, "", 200},
	{"HEAD /api/files/:id/content", auth.ReadFile, aFile, "", 200},
	{"GET /file/:user/*path", auth.ReadFile, aFile, "", 200},
	{"HEAD /file/:user/*path", auth.ReadFile, aFile, "", 200},
	{"PUT /file/:user/*path", auth.WriteFile, aSpace, "content", 201},
	{"DELETE /file/:user/*path", auth.DeleteFile, aFile, "", 204},
	{"POST /api/files", auth.WriteFile, oneself, `{"path":"{new}"}`, 201},
	{"GET /api/uploads/:id", auth.WriteFile, anUpload, "", 200},
	{"DELETE /api/uploads/:id", auth.WriteFile, anUpload, "", 204},
	{"POST /api/uploads/:id/parts", auth.WriteFile, anUpload, `{"parts":[{"number":2}]}`, 200},
	{"PUT /api/uploads/:id/parts/:number", "", aPart, "content", 200},
	{"POST /api/uploads/:id/complete", auth.WriteFile, anUpload, "", 200},
	{"OPTIONS /api/tus", "", nothing, "", 204},
	{"POST /api/tus", auth.WriteFile, oneself, "", 201},
	{"HEAD /api/tus/:id", auth.WriteFile, aTus, "", 200},
	{"PATCH /api/tus/:id", auth.WriteFile, aTus, "content", 204},
	{"DELETE /api/tus/:id", auth.WriteFile, aTus, "", 204},
	{"POST /api/tus/:id", auth.WriteFile, aTus, "content", 204},
	{"GET /healthz", "", nothing, "", 200},
	{"GET /readyz", "", nothing, "", 200},
	{"GET /openapi.json", "", nothing, "", 200},
	{"GET /.well-known/jwks.json", "", nothing, "", 200},
}

// header returns what a request has beside the type of its body.
func (r row) header() []string {
	if _, path, _ := strings.Cut(r.route, " "); !strings.HasPrefix(path, "/api/tus") {
		return nil
	}
	header := []string{
		"Tus-Resumable", tus.Version, "Upload-Length", "7", "Upload-Offset", "0", "Upload-Metadata", "filename bmV3", "Content-Type", tus.ContentType,
	}
	if r.on == aTus && r.method() == http.MethodPost {
		header = append(header, "X-HTTP-Method-Override", http.MethodPatch)
	}
	return header
}

func (r row) method() string { m, _, _ := strings.Cut(r.route, " "); return m }

// sender returns who sends the row's requests: a store has a token of its own.
func (r row) sender(c *localtest.Client) *localtest.Client {
	if r.on == anEvent {
		return with(c, webhookToken)
	}
	return c
}

// changes reports whether a request that is allowed may change its object.
func (r row) changes() bool {
	return r.method() == http.MethodPatch || r.method() == http.MethodDelete || r.method() == http.MethodPut
}

func TestEveryRouteIsWalked(t *testing.T) {
	t.Parallel()
	walked := map[string]int{}
	for _, row := range rows {
		walked[row.route]++
	}
	for _, route := range api.All(localtest.Start(t).App.Deps).Routes() {
		if name := route.Method + " " + route.Path; walked[name] != 1 {
			t.Errorf("%s stands in %d rows of the permission walk, want 1", name, walked[name])
		}
		delete(walked, route.Method+" "+route.Path)
	}
	for name := range walked {
		t.Errorf("%s is walked, but is no route", name)
	}
}

// person is who asks.
type person struct {
	name    string
	client  *localtest.Client
	role    auth.Role
	refused bool // the credentials are bad
}

func (p person) subject() auth.Subject { return auth.Subject{UserID: p.client.ID, Role: p.role} }

// target is what is asked about.
type target struct {
	name    string
	owner   string // a username
	path    string
	id      string
	query   string // what a signed URL has
	version string
	source  string       // of a URL
	link    string       // what a link seals
	may     *auth.Object // nil: there is none
}

// walker walks the rows.
type walker struct {
	*rig
	ada    *localtest.Client
	people []person
	owners map[string]*localtest.Client
	files  map[string]target // by owner and visibility
	made   int               // how many names were used
}

// TestPermissionWalk sends every route as everybody about everything. What is
// wanted follows from May alone, which has a table of its own in package auth.
func TestPermissionWalk(t *testing.T) {
	t.Parallel()
	w := newWalker(t)
	for _, p := range w.people {
		t.Run(p.name, func(t *testing.T) {
			for _, row := range rows {
				w.walk(t, p, row)
			}
		})
	}
}

func newWalker(t *testing.T) *walker {
	t.Helper()
	w := &walker{rig: openRig(t), files: map[string]target{}}
	w.ada = w.user("ada", auth.User)
	eve, guest := w.user("eve", auth.User), w.user("gus", auth.Guest)
	w.owners = map[string]*localtest.Client{"ada": w.ada, "eve": eve}
	disabled := w.user("off", auth.User)
	w.admin.JSON(http.MethodPatch, "/api/users/"+disabled.ID, map[string]bool{"disabled": true}).Want(t, http.StatusOK)
	bad := w.Anonymous()
	bad.Token = "bad"
	w.people = []person{
		{name: "nobody", client: w.Anonymous()},
		{name: "a bad token", client: bad, refused: true},
		{name: "a disabled user", client: disabled, role: auth.User, refused: true},
		{name: "a guest", client: guest, role: auth.Guest},
		{name: "ada, a user", client: w.ada, role: auth.User},
		{name: "eve, another user", client: eve, role: auth.User},
		{name: "an admin", client: w.admin, role: auth.Admin},
	}
	return w
}

// username is the name under which the person's own files are.
func (p person) username() string {
	return map[string]string{
		"a disabled user": "off", "a guest": "gus", "ada, a user": "ada", "eve, another user": "eve", "an admin": "admin",
	}[p.name]
}

// walk asks about every target of a row, and compares what must look alike.
func (w *walker) walk(t *testing.T, p person, row row) {
	t.Helper()
	refusals := map[int]localtest.Answer{}
	for _, target := range w.targets(p, row) {
		want := wanted(p, row, target)
		a := w.ask(p, row, target)
		if a.StatusCode != want {
			t.Errorf("%s by %s about %s = %s, want %d", row.route, p.name, target.name, a, want)
			continue
		}
		if want < http.StatusBadRequest {
			if row.changes() {
				delete(w.files, target.name) // it is another one now
			}
			continue
		}
		w.wantUntouched(t, row, target)
		if first, ok := refusals[want]; ok && appearance(first) != appearance(a) {
			t.Errorf("%s by %s about %s can be told from another refusal:\n%s\n\n%s", row.route, p.name, target.name, appearance(a), appearance(first))
		}
		refusals[want] = a
	}
}

// wanted is the status that the rules ask for: bad credentials are refused
// everywhere, and the rest is May's.
func wanted(p person, row row, target target) int {
	if row.action == "" {
		return row.want
	}
	if p.refused {
		return http.StatusUnauthorized
	}
	err := auth.Absent(p.subject(), row.action)
	if target.may != nil {
		err = auth.May(p.subject(), row.action, *target.may)
	}
	if err != nil {
		return map[fault.Kind]int{
			fault.Unauthenticated: http.StatusUnauthorized, fault.Forbidden: http.StatusForbidden, fault.NotFound: http.StatusNotFound,
		}[fault.KindOf(err)]
	}
	if row.on == aSpace && target.id != "" && row.method() == http.MethodPut {
		return http.StatusOK // the file is there
	}
	return row.want
}

// targets returns everything that a row can be about, for a person.
func (w *walker) targets(p person, row row) []target {
	w.t.Helper()
	switch row.on {
	case oneself:
		return []target{{name: "oneself", may: &auth.Object{Owner: p.client.ID}}}
	case allUsers:
		return []target{{name: "all users", may: &auth.Object{}}}
	case imports:
		return []target{{name: "imports", may: &auth.Object{}}}
	case anImport:
		return []target{
			{name: "an import", id: w.importOf("ada"), may: &auth.Object{}},
			{name: "an import that is not there", id: auth.NewID(w.clock.Now())},
			{name: "no id", id: "no-id"},
		}
	case aUser:
		id := w.ada.ID
		if row.method() == http.MethodDelete {
			id = w.victim()
		}
		return []target{
			{name: "a user", id: id, may: &auth.Object{}},
			{name: "a user who is not there", id: auth.NewID(w.clock.Now())},
			{name: "no id", id: "no-id"},
		}
	case aFile, aSpace:
		return w.filesOf(p, row)
	case anUpload:
		return w.uploadsOf(w.uploadOf)
	case aTus:
		return w.uploadsOf(w.tusUploadOf)
	case aPart:
		return []target{w.part(w.uploadOf("ada"))}
	case aSession:
		return w.sessions(p)
	case aSource:
		return []target{{name: "a source", source: w.sourceOf("admin")}}
	case aLink:
		return []target{{name: "a link", link: w.linkTo("admin")}}
	default:
		return []target{{name: "nothing"}}
	}
}

// filesOf returns the person's own files and another's, private and public, and
// what is not there.
func (w *walker) filesOf(p person, row row) []target {
	w.t.Helper()
	var all []target
	owners := []string{"ada"}
	if own := p.username(); own != "" && own != "ada" {
		owners = append(owners, own)
	}
	if p.username() == "ada" {
		owners = append(owners, "eve")
	}
	for _, owner := range owners {
		all = append(all, w.file(owner, "private"), w.file(owner, "public"))
		absent := target{name: "nothing among " + owner + "'s", owner: owner, path: w.newName(), id: auth.NewID(w.clock.Now())}
		if row.on == aSpace { // the owner's files are there, though no file is
			absent.id, absent.may = "", all[len(all)-1].may
		}
		all = append(all, absent)
	}
	return append(all, target{name: "what is nobody's", owner: "nobody", path: "a", id: "no-id"})
}

// uploadsOf returns uploads of two users, each with its part, and what is not
// there.
func (w *walker) uploadsOf(begin func(owner string) target) []target {
	w.t.Helper()
	return []target{
		begin("ada"), begin("eve"),
		{name: "an upload that is not there", id: auth.NewID(w.clock.Now())},
		{name: "no id", id: "no-id"},
	}
}

// uploadOf begins an upload and sends its part.
func (w *walker) uploadOf(owner string) target {
	w.t.Helper()
	p := w.begin(w.owners[owner], w.newName(), nil)
	p.put(1, []byte("content")).Want(w.t, http.StatusOK)
	return target{name: "an upload of " + owner, owner: owner, id: p.id, may: &auth.Object{Owner: p.by.ID}}
}

// tusUploadOf begins an upload by tus.
func (w *walker) tusUploadOf(owner string) target {
	w.t.Helper()
	p := w.create(w.owners[owner], w.newName(), len("content"))
	return target{name: "an upload by tus of " + owner, owner: owner, id: p.id(), may: &auth.Object{Owner: p.by.ID}}
}

// part makes an upload that target's URL for its part.
func (w *walker) part(upload target) target {
	w.t.Helper()
	p := parted{w.rig, w.owners[upload.owner], upload.id}
	_, upload.query, _ = strings.Cut(p.url(1, ""), "?")
	return upload
}

// file returns a file of the owner, and makes it where there is none.
func (w *walker) file(owner, visibility string) target {
	w.t.Helper()
	name := owner + "'s " + visibility + " file"
	if f, ok := w.files[name]; ok {
		return f
	}
	f := target{name: name, owner: owner, path: w.newName()}
	put := w.admin.Put("/file/"+owner+"/"+f.path, "content")
	f.id, f.version = put.Field(w.t, "id"), put.Field(w.t, "version_id")
	w.admin.JSON(http.MethodPatch, "/api/files/"+f.id, map[string]string{"visibility": visibility}).Want(w.t, http.StatusOK)
	u, err := w.App.Deps.Catalog.UserByName(w.t.Context(), owner)
	if err != nil {
		w.t.Fatal(err)
	}
	f.may = &auth.Object{Owner: u.ID, Public: visibility == "public"}
	w.files[name] = f
	return f
}

// sessions returns a session of the person's own, another's, and what is none.
func (w *walker) sessions(p person) []target {
	w.t.Helper()
	other := "ada"
	if p.username() == other {
		other = "eve"
	}
	all := []target{
		w.session(other),
		{name: "a session that is not there", id: auth.NewID(w.clock.Now())},
		{name: "no id", id: "no-id"},
	}
	if own := p.username(); own != "" {
		all = append(all, w.session(own))
	}
	return all
}

// session makes a user's session on a file of theirs.
func (w *walker) session(owner string) target {
	w.t.Helper()
	f := w.file(owner, "private")
	now := w.clock.Now()
	s := catalog.Session{
		ID: auth.NewID(now), User: f.may.Owner, Owner: f.may.Owner, File: f.id, Version: f.version,
		CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	if _, err := w.App.Deps.Catalog.CreateSession(w.t.Context(), s, w.Config.MaxSessions); err != nil {
		w.t.Fatal(err)
	}
	return target{name: owner + "'s session", id: s.ID, may: &auth.Object{Owner: f.may.Owner}}
}

// importOf makes an import for a user, which has ended.
func (w *walker) importOf(owner string) string {
	w.t.Helper()
	records, now := w.App.Deps.Catalog, w.clock.Now()
	i, err := records.CreateImport(w.t.Context(), catalog.Import{ID: auth.NewID(now), Owner: w.owners[owner].ID, By: w.admin.ID})
	if err == nil {
		i.State = catalog.ImportDone
		_, err = records.SaveImport(w.t.Context(), i)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return i.ID
}

// sourceOf returns what is sealed in the URL of a session on a user's file.
func (w *walker) sourceOf(owner string) string {
	w.t.Helper()
	s := beginSession(w.t, w.admin, w.file(owner, "private").id)
	return strings.Split(w.rig.source(s), "/")[2]
}

// linkTo returns what is sealed in a link to a user's file.
func (w *walker) linkTo(owner string) string {
	w.t.Helper()
	return strings.Split(linkPath(w.t, w.admin, w.file(owner, "private").id, `{}`), "/")[2]
}

func (w *walker) newName() string {
	w.made++
	return fmt.Sprintf("n%d", w.made)
}

// victim returns the id of a user who may be removed.
func (w *walker) victim() string {
	w.t.Helper()
	return w.user(w.newName(), auth.Guest).ID
}

// ask sends the row's request about the target.
func (w *walker) ask(p person, row row, target target) localtest.Answer {
	w.t.Helper()
	client := p.client
	if row.action == auth.Logout && p.username() != "" && !p.refused {
		access, _ := w.tokens(p.username())
		client = with(client, access) // to be lost
	}
	return w.send(client, row, target)
}

func (w *walker) send(c *localtest.Client, row row, target target) localtest.Answer {
	w.t.Helper()
	c = row.sender(c)
	method, path, _ := strings.Cut(row.route, " ")
	path = strings.NewReplacer(":id", target.id, ":number", "1", ":user", target.owner, ":source", target.source, ":link_id", auth.NewID(w.clock.Now()), ":link", target.link, ":name", "a", "*path", target.path).Replace(path)
	if strings.HasSuffix(path, "/usage") {
		path += "?by=day"
	}
	if row.action == auth.ListFiles {
		path += "?owner=" + target.owner
	}
	if target.query != "" {
		path += "?" + target.query
	}
	body := strings.ReplaceAll(w.fill(row.body), "{version}", target.version)
	if header := row.header(); header != nil {
		return c.Do(method, path, strings.NewReader(body), header...)
	}
	if method == http.MethodPut || body == "" {
		return c.Do(method, path, strings.NewReader(body))
	}
	return c.Do(method, path, strings.NewReader(body), "Content-Type", "application/json")
}

// fill fills a row's body in.
func (w *walker) fill(body string) string {
	w.t.Helper()
	if strings.Contains(body, "{refresh}") {
		_, refresh := w.tokens("ada")
		return strings.ReplaceAll(body, "{refresh}", refresh)
	}
	if strings.Contains(body, "{root}") {
		return created(strings.TrimPrefix(w.Config.Blob.Path, "/") + "/x")
	}
	return strings.NewReplacer("{user}", "ada", "{new}", w.newName()).Replace(body)
}

// wantUntouched checks that a refusal changed nothing.
func (w *walker) wantUntouched(t *testing.T, row row, target target) {
	t.Helper()
	if !row.changes() || target.may == nil || target.version == "" {
		return
	}
	a := w.admin.Do(http.MethodGet, "/api/files/"+target.id, nil).Want(t, http.StatusOK)
	if a.Field(t, "path") != target.path || a.Field(t, "version_id") != target.version || a.Field(t, "content_type") != "application/octet-stream" {
		t.Errorf("%s was refused, and the file is now %s", row.route, a)
	}
}
