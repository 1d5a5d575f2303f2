package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
	"sluice/shared/fetch"
)

// defaultServer is where a server listens that was started without settings.
const defaultServer = "http://127.0.0.1:8080"

// accounts are the credentials of whoever runs the program, each for one
// server. They are safe for concurrent use.
type accounts struct {
	server string // of Sluice
	http   *http.Client
	netrc  map[string]string // by host: the Authorization field

	mu    sync.Mutex
	path  string // of the login file; "": the token is from the environment
	login *login // nil: nobody is logged in
}

// login is what the login file holds, in JSON. It is readable by its owner
// only.
type login struct {
	Server       string    `json:"server"`
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"` // of the access token
}

// newAccounts reads SLUICE_SERVER and SLUICE_TOKEN, or else the login file, and
// .netrc.
func newAccounts() (*accounts, error) {
	a := &accounts{server: os.Getenv("SLUICE_SERVER"), http: &http.Client{Timeout: time.Minute, CheckRedirect: noRedirect}}
	if a.server == "" {
		a.server = defaultServer
	}
	if token := os.Getenv("SLUICE_TOKEN"); token != "" {
		a.login = &login{Server: a.server, AccessToken: token}
	} else if err := a.readLogin(); err != nil {
		return nil, err
	}
	var err error
	a.netrc, err = readNetrc()
	return a, err
}

// noRedirect keeps a token from going where a server points.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (a *accounts) readLogin() error {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil //nolint:nilerr // without a home there is no login
	}
	path := filepath.Join(dir, "sluice", "login.json")
	text, err := readPrivate(path)
	if text == nil || err != nil {
		return err
	}
	var l login
	if err := json.Unmarshal(text, &l); err != nil || l.Server == "" {
		return fault.Newf(fault.Invalid, "usage", "%s is not a login file.", path)
	}
	if os.Getenv("SLUICE_SERVER") != "" && l.Server != a.server {
		return nil
	}
	a.server, a.path, a.login = l.Server, path, &l
	return nil
}

// readPrivate reads a file that holds secrets, and refuses one that others can
// read. It returns nil where there is none.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	const others = 0o077
	if info.Mode().Perm()&others != 0 {
		return nil, fault.Newf(fault.Invalid, "usage", "%s holds secrets and can be read by others: chmod 600 %[1]s.", path)
	}
	return os.ReadFile(path)
}

// token returns an access token that is good for a minute at least, where there
// is a way to one.
func (a *accounts) token(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.login.RefreshToken == "" || time.Until(a.login.ExpiresAt) > time.Minute {
		return a.login.AccessToken, nil
	}
	c, err := client.New(a.server, client.WithHTTPClient(a.http))
	if err != nil {
		return "", err
	}
	fresh, err := client.Decode[contract.Tokens](c.RefreshToken(ctx, contract.RefreshRequest{RefreshToken: a.login.RefreshToken}))
	if err != nil {
		return "", err
	}
	a.login.AccessToken, a.login.RefreshToken = fresh.AccessToken, fresh.RefreshToken
	a.login.ExpiresAt = time.Now().Add(time.Duration(fresh.ExpiresIn) * time.Second)
	return fresh.AccessToken, a.login.save(a.path)
}

// save replaces the login file.
func (l *login) save(path string) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "login-*") // 0600
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), path)
}

// credentials returns the Authorization field for a URL, or "".
func (a *accounts) credentials(u *url.URL) string {
	if a.login != nil && under(a.server, u) && !sealed(u) {
		if token, err := a.token(context.Background()); err == nil {
			return "Bearer " + token
		}
	}
	return a.netrc[strings.ToLower(u.Hostname())]
}

// under reports whether a URL belongs to the server at base.
func under(base string, u *url.URL) bool {
	b, err := url.Parse(base)
	return err == nil && b.Scheme == u.Scheme && strings.EqualFold(b.Host, u.Host) && strings.HasPrefix(u.Path, b.Path)
}

// sealed reports the URL of a link or a session, which is a secret of its own
// and needs no token.
func sealed(u *url.URL) bool {
	return strings.HasPrefix(u.Path, "/l/") || strings.HasPrefix(u.Path, "/s/")
}

// describe asks the server about a file of its own.
func (a *accounts) describe(ctx context.Context, r *fetch.Request) error {
	if a.login == nil {
		return nil
	}
	server := fetch.Server{URL: a.server, HTTP: a.http, Token: a.token}
	_, err := server.Describe(ctx, r)
	return err
}

// readNetrc reads the passwords of ~/.netrc, or of the file that NETRC names,
// by host. It may not be readable by others.
func readNetrc() (map[string]string, error) {
	path := os.Getenv("NETRC")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, nil //nolint:nilerr // without a home there is no .netrc
		}
		path = filepath.Join(home, ".netrc")
	}
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	return parseNetrc(string(text)), nil
}

// parseNetrc reads machine, login and password. "default" is left out: it would
// send a password to any host.
func parseNetrc(text string) map[string]string {
	fields := map[string]string{}
	var machine, user string
	words := bufio.NewScanner(strings.NewReader(text))
	words.Split(bufio.ScanWords)
	next := func() string {
		words.Scan()
		return words.Text()
	}
	for words.Scan() {
		switch words.Text() {
		case "machine":
			machine, user = strings.ToLower(next()), ""
		case "default":
			machine, user = "", ""
		case "login":
			user = next()
		case "password":
			if password := next(); machine != "" {
				fields[machine] = "Basic " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%s", user, password))
			}
		}
	}
	return fields
}
