package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
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
	path  string // of the login file; "": there is no place for one, or no need
	login *login // nil: nobody is logged in
}

// newAccounts reads SLUICE_SERVER and SLUICE_TOKEN, or else the login file, and
// .netrc. A server that is given takes the place of SLUICE_SERVER.
func newAccounts(server string) (*accounts, error) {
	if server == "" {
		server = os.Getenv("SLUICE_SERVER")
	}
	a := &accounts{server: strings.TrimRight(server, "/"), http: &http.Client{Timeout: time.Minute, CheckRedirect: noRedirect}}
	var err error
	if token := os.Getenv("SLUICE_TOKEN"); token != "" {
		a.login = &login{AccessToken: token}
	} else if err = a.findLogin(); err != nil {
		return nil, err
	}
	if a.server == "" {
		a.server = defaultServer
	}
	a.netrc, err = readNetrc()
	return a, err
}

// noRedirect keeps a token from going where a server points.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// findLogin takes the login of the login file, if it is at the server that is
// asked for, or none is.
func (a *accounts) findLogin() error {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil //nolint:nilerr // without a home there is no login
	}
	a.path = filepath.Join(dir, "sluice", "login.json")
	l, err := readLogin(a.path)
	if err != nil || l == nil || a.server != "" && l.Server != a.server {
		return err
	}
	a.server, a.login = l.Server, l
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
	if runtime.GOOS != "windows" && info.Mode().Perm()&others != 0 { // which has no such bits
		return nil, fault.Newf(fault.Invalid, "usage", "%s holds secrets and can be read by others: chmod 600 %[1]s.", path)
	}
	return os.ReadFile(path)
}

// token returns an access token that is good for a minute at least, where there
// is a way to one. It is an Unauthenticated fault where nobody is logged in.
func (a *accounts) token(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.login == nil {
		return "", a.loggedOut("Nobody is logged in")
	}
	if a.login.good() {
		return a.login.AccessToken, nil
	}
	if err := a.refresh(ctx); err != nil {
		return "", err
	}
	return a.login.AccessToken, nil
}

// refresh exchanges the refresh token. Each is good for one exchange, and the
// server ends a login whose token comes again: so one program at a time does it,
// and the next one finds in the file what came of it.
func (a *accounts) refresh(ctx context.Context) error {
	unlock, err := lockLogin(a.path)
	if err != nil {
		return err
	}
	defer unlock()
	current, err := readLogin(a.path)
	if err != nil {
		return err
	}
	if current == nil || current.Server != a.server {
		return a.loggedOut("Nobody is logged in any more")
	}
	if current.good() {
		a.login = current
		return nil
	}
	c, err := client.New(a.server, client.WithHTTPClient(a.http))
	if err != nil {
		return err
	}
	fresh, err := client.Decode[contract.Tokens](c.RefreshToken(ctx, contract.RefreshRequest{RefreshToken: current.RefreshToken}))
	switch kind := fault.KindOf(err); {
	case err != nil && (kind == fault.Unauthenticated || kind == fault.Conflict):
		return a.loggedOut("The login has ended")
	case err != nil:
		return err
	}
	a.login = newLogin(a.server, fresh)
	return a.login.save(a.path)
}

// loggedOut is the error of who has to log in.
func (a *accounts) loggedOut(why string) error {
	return fault.Newf(fault.Unauthenticated, "logged_out", "%s at %s: run sluice login.", why, a.server)
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
