package edgetest_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/shared/account"
	"sluice/shared/app/local/localtest"
	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/config"
)

// Who asks.
const (
	nobody = ""
	admin  = "admin"
	ada    = "ada"   // a user with files
	eve    = "eve"   // a user without any, who downloads nothing
	quinn  = "quinn" // a user with room for four bytes
	gus    = "gus"   // a guest
	spare  = "spare" // ada, by a login that is to end
	bad    = "bad"   // a token that is none
	store  = "store" // the store, by its own token
)

const webhookToken = "the-token-of-the-store"

// world is one deployment, always with the same files and users, and a client
// that speaks to it in one way. What its answers say of it is by names: vars has
// the values of the names that requests are written with.
type world struct {
	t       testing.TB
	site    *localtest.Site
	client  *http.Client // by the transport
	streams bool         // which sends no lengths
	tokens  map[string]string
	vars    map[string]string

	replacer *strings.Replacer // of the values by their names; nil: to be made
}

// settle is what every world is configured to.
func settle(c *config.Config) {
	c.Delivery, c.UploadParts, c.MaxSessions = "stream", "server", 2
	c.CORSOrigins, c.WebhookToken = []string{"https://app.example"}, config.NewSecret(webhookToken)
}

// newWorld starts a plain server and puts users and files there, by itself and
// not by the transport, so that all worlds begin alike.
func newWorld(t testing.TB, edits ...func(*config.Config)) *world {
	t.Helper()
	w := &world{t: t, site: localtest.Start(t, append([]func(*config.Config){settle}, edits...)...), tokens: map[string]string{}, vars: map[string]string{}}
	records := w.site.App.Deps.Catalog
	first, err := records.UserByName(t.Context(), account.AdminName)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []catalog.User{
		{Username: ada, Role: auth.User}, {Username: eve, Role: auth.User}, {Username: gus, Role: auth.Guest}, {Username: "vic", Role: auth.Guest},
		{Username: quinn, Role: auth.User, Quota: catalog.Quota{Bytes: new(int64(4))}},
	} {
		u.ID, u.Password = auth.NewID(time.Now()), first.Password
		if _, err := records.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{admin, ada, eve, gus, quinn} {
		w.tokens[name], w.vars[name+".refresh"] = w.login(name)
	}
	w.tokens[spare], _ = w.login(ada)
	w.tokens[bad], w.tokens[store] = "bad", webhookToken
	u, err := records.UserByName(t.Context(), "vic")
	if err != nil {
		t.Fatal(err)
	}
	w.vars["vic"], w.vars["none"], w.vars["base"] = u.ID, auth.NewID(time.Now()), w.site.URL
	w.vars["root"] = url.QueryEscape(strings.TrimPrefix(w.site.Config.Blob.Path, "/"))
	w.client = w.plain()
	for _, f := range fixtures() {
		w.upload(f)
	}
	return w
}

// plain is a client of the plain server.
func (w *world) plain() *http.Client { return w.site.Anonymous().HTTP }

// login begins a login without a password, so it costs no hash.
func (w *world) login(username string) (access, refresh string) {
	w.t.Helper()
	accounts, now := w.site.App.Deps.Accounts, time.Now()
	u, err := accounts.Catalog.UserByName(w.t.Context(), username)
	if err != nil {
		w.t.Fatal(err)
	}
	l := catalog.Login{
		ID: auth.NewID(now), UserID: u.ID, Epoch: u.Epoch, Generation: 1, RotatedAt: now, CreatedAt: now, ExpiresAt: now.Add(account.RefreshLifetime),
	}
	if err := accounts.Catalog.CreateLogin(w.t.Context(), l); err != nil {
		w.t.Fatal(err)
	}
	if access, _, err = accounts.Signer.SignAccess(u.ID, l.ID); err != nil {
		w.t.Fatal(err)
	}
	if refresh, _, err = accounts.Signer.SignRefresh(u.ID, l.ID, l.Generation, account.RefreshLifetime); err != nil {
		w.t.Fatal(err)
	}
	w.vars[username] = u.ID
	return access, refresh
}

// fixture is a file of ada's that is there from the start.
type fixture struct {
	name        string // by which requests name its id
	path        string
	content     string
	contentType string
	public      bool
}

// upload puts a fixture, and keeps what requests may say of it.
func (w *world) upload(f fixture) {
	w.t.Helper()
	c := &localtest.Client{Site: w.site, Token: w.tokens[ada], HTTP: w.client}
	put := c.Put("/file/ada/"+escapePath(f.path), f.content, "Content-Type", f.contentType)
	id := put.Field(w.t, "id")
	w.vars[f.name], w.vars[f.name+".etag"], w.vars[f.name+".version"] = id, put.Header.Get("ETag"), put.Field(w.t, "version_id")
	if f.public {
		c.Do(http.MethodPatch, "/api/files/"+id, strings.NewReader(`{"visibility":"public"}`), "Content-Type", "application/json").Want(w.t, http.StatusOK)
	}
	head := c.Do(http.MethodHead, "/api/files/"+id+"/content", nil).Want(w.t, http.StatusOK)
	at, err := http.ParseTime(head.Header.Get("Last-Modified"))
	if err != nil {
		w.t.Fatalf("%s has no Last-Modified: %v", f.path, err)
	}
	for name, off := range map[string]time.Duration{"date": 0, "before": -time.Second, "after": time.Second} {
		w.vars[f.name+"."+name] = at.Add(off).UTC().Format(http.TimeFormat)
	}
	w.vars[f.name+".rfc850"] = at.UTC().Format("Monday, 02-Jan-06 15:04:05 GMT")
	w.vars[f.name+".asctime"] = at.UTC().Format(time.ANSIC)
}

func escapePath(path string) string {
	segments := strings.Split(path, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	return strings.Join(segments, "/")
}

// fill puts the world's values for the names in braces.
func (w *world) fill(text string) string {
	for name, value := range w.vars {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// mostTries is how often a password is tried that is to be throttled.
const mostTries = 100

// ask sends a row's request by the transport, and keeps what later rows name. A
// password that is to be throttled is tried until it is.
func (w *world) ask(r row) answer {
	w.t.Helper()
	a := read(w.t, w.client, w.request(r))
	for range mostTries {
		if r.want != http.StatusTooManyRequests || a.status != http.StatusUnauthorized {
			break
		}
		a = read(w.t, w.client, w.request(r))
	}
	w.keep(r, a)
	return a
}

// plainly asks the plain server of the same world.
func (w *world) plainly(r row) answer {
	w.t.Helper()
	return w.masked(read(w.t, w.plain(), w.request(r)))
}

func (w *world) request(r row) *http.Request {
	w.t.Helper()
	method, path, _ := strings.Cut(w.fill(r.request), " ")
	body, isJSON := bodyOf(w.fill(r.body))
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.site.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatalf("%s: %v", r.name, err)
	}
	if token := w.tokens[r.as]; token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for field := range strings.SplitSeq(w.fill(r.fields), " | ") {
		if name, value, ok := strings.Cut(field, ":"); ok {
			request.Header.Add(name, strings.TrimPrefix(value, " "))
		}
	}
	if isJSON && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	return request
}

// metadata is an Upload-Metadata that names a path.
func metadata(path string) string {
	return fmt.Sprintf("filename %s", base64.StdEncoding.EncodeToString([]byte(path)))
}
