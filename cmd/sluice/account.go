package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
)

// account is an account at one server. It is safe for concurrent use.
type account struct {
	profile string
	server  string
	http    *http.Client
	path    string // of the login file; "": there is no place for one, or no need

	mu    sync.Mutex
	login *login // nil: nobody is logged in
}

// newAccount returns the account of a profile; "" is the default one, or the
// default server.
func newAccount(profile, server string, l *login) *account {
	if profile == "" {
		profile = defaultProfile
	}
	if server == "" {
		server = defaultServer
	}
	return &account{
		profile: profile, server: strings.TrimRight(server, "/"), path: loginPath(profile), login: l,
		http: &http.Client{Timeout: time.Minute, CheckRedirect: noRedirect},
	}
}

// noRedirect keeps a token from going where a server points.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// token returns an access token that is good for a minute at least, where there
// is a way to one. It is an Unauthenticated fault where nobody is logged in.
func (a *account) token(ctx context.Context) (string, error) {
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
func (a *account) refresh(ctx context.Context) error {
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
	c, err := a.anonymous()
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
	a.login = newLogin(a.server, current.Username, fresh)
	return a.login.save(a.path)
}

// loggedOut is the error of who has to log in.
func (a *account) loggedOut(why string) error {
	command := "sluice login"
	if a.profile != defaultProfile {
		command += " --profile " + a.profile
	}
	return fault.Newf(fault.Unauthenticated, "logged_out", "%s at %s: run %s.", why, a.server, command)
}

// anonymous returns a client of the server without a token.
func (a *account) anonymous() (*client.Client, error) {
	return client.New(a.server, client.WithHTTPClient(a.http))
}
