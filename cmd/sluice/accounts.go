package main

import (
	"cmp"
	"context"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice/shared/fetch"
)

// defaultServer is where a server listens that was started without settings.
const defaultServer = "http://127.0.0.1:8080"

// selection says which server a command works with, and by which login.
type selection struct {
	server, profile string // of the command line; "": not given
	login           bool   // the command logs in
	logout          bool   // the command logs out
}

// profileFlag adds --profile to a command.
func (s *selection) profileFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.profile, "profile", "", "the `NAME` of the login to use (default: SLUICE_PROFILE, else default)")
	_ = cmd.RegisterFlagCompletionFunc("profile", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		profiles, _ := readProfiles() // what cannot be read is not offered
		var names []string
		for _, p := range profiles {
			names = append(names, p.profile)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}) // the flag is there
}

// serverFlag adds --server to a command.
func (s *selection) serverFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.server, "server", "", "the server's `URL` (default: SLUICE_SERVER, else where you are logged in, else "+defaultServer+")")
}

// accounts are the credentials of whoever runs the program: the account that a
// command works by, and others, for URLs of their servers. They are safe for
// concurrent use.
type accounts struct {
	*account
	others []*account
	netrc  map[string]string // by host: the Authorization field
}

// newAccounts reads SLUICE_TOKEN, or else the logins, and .netrc.
func newAccounts(s selection) (a *accounts, err error) {
	a = &accounts{}
	if token := os.Getenv("SLUICE_TOKEN"); token != "" {
		a.account, err = s.byToken(token)
	} else {
		a.others, err = readProfiles()
		if err == nil {
			a.account, err = s.choose(a.others)
		}
	}
	if err == nil {
		a.netrc, err = readNetrc()
	}
	return a, err
}

// byToken returns the account of a token of the environment.
func (s selection) byToken(token string) (*account, error) {
	if s.profile != "" || s.login || s.logout {
		return nil, mistake("SLUICE_TOKEN is set, and counts before any login: unset it.")
	}
	a := newAccount("", cmp.Or(s.server, os.Getenv("SLUICE_SERVER")), &login{AccessToken: token})
	a.path = ""
	return a, nil
}

// choose returns the account that a command works by, which may be one that
// nobody is logged in at. What the command line says counts before the
// environment: a profile there before SLUICE_SERVER, a server there before
// SLUICE_PROFILE.
func (s selection) choose(profiles []*account) (*account, error) {
	server, profile := s.server, s.profile
	if profile == "" && (server == "" || s.login) {
		profile = os.Getenv("SLUICE_PROFILE")
	}
	if server == "" && s.profile == "" {
		server = os.Getenv("SLUICE_SERVER")
	}
	if profile != "" && !validProfile(profile) {
		return nil, mistake("A profile is named by letters, digits, dots, dashes and underscores.")
	}
	if s.login {
		return chooseForLogin(profiles, cmp.Or(profile, defaultProfile), server), nil
	}
	server = strings.TrimRight(server, "/")
	if profile == "" && server == "" {
		profile = defaultProfile
	}
	for _, p := range profiles {
		switch {
		case (profile == "" || p.profile == profile) && (server == "" || p.server == server):
			return p, nil
		case p.profile == profile:
			return nil, mistake("The profile %s is of %s, and not of %s.", profile, p.server, shownText(server))
		}
	}
	return newAccount(profile, server, nil), nil
}

// chooseForLogin returns the account of a profile at a server; "" is the server
// it has been of so far.
func chooseForLogin(profiles []*account, profile, server string) *account {
	for _, p := range profiles {
		if p.profile == profile && server == "" {
			return p
		}
	}
	return newAccount(profile, server, nil)
}

// credentials returns the Authorization field for a URL, or "".
func (a *accounts) credentials(u *url.URL) string {
	for _, p := range a.all() {
		if p.login != nil && under(p.server, u) && !sealed(u) {
			if token, err := p.token(context.Background()); err == nil {
				return "Bearer " + token
			}
		}
	}
	return a.netrc[strings.ToLower(u.Hostname())]
}

// all returns all accounts, the one that the command works by first.
func (a *accounts) all() []*account {
	isCurrent := func(p *account) bool { return p == a.account }
	return append([]*account{a.account}, slices.DeleteFunc(slices.Clone(a.others), isCurrent)...)
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

// describe asks the server of a file about it, where somebody is logged in
// there.
func (a *accounts) describe(ctx context.Context, r *fetch.Request) error {
	if r.Identity != "" {
		return nil // it was
	}
	for _, p := range a.all() {
		if p.login == nil {
			continue
		}
		server := fetch.Server{URL: p.server, HTTP: p.http, Token: p.token}
		if done, err := server.Describe(ctx, r); done || err != nil {
			return err
		}
	}
	return nil
}
