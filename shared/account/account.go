// Package account is who may come in: passwords become logins, logins become
// tokens, tokens become identities; and users are made, changed and removed.
package account

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/limit"
)

// RefreshLifetime is how long a login lasts without being refreshed.
const RefreshLifetime = 30 * 24 * time.Hour

// grace is how long after a rotation the refresh token just replaced may come
// again without harm: the answer was lost, or two tabs refreshed at once.
const grace = 10 * time.Second

// Service knows users and logins. It is safe for concurrent use.
type Service struct {
	Catalog  *catalog.Catalog
	Signer   *auth.Signer
	Verifier *auth.Verifier
	Verified *auth.Cache // of Verifier
	Hasher   *auth.Hasher
	Limits   limit.Limiter
	Clock    func() time.Time
}

// Tokens are what a login or a refresh brings.
type Tokens struct {
	Access    string
	Refresh   string
	ExpiresIn time.Duration // of the access token
}

// Identity is who a request comes from.
type Identity struct {
	User      catalog.User
	LoginID   string
	ExpiresAt time.Time // when the token ends that proved it; zero: none did
}

// Subject is the identity as May takes it. The zero Identity is nobody.
func (i Identity) Subject() auth.Subject {
	return auth.Subject{UserID: i.User.ID, Role: i.User.Role}
}

// The rates at which wrong passwords may be tried.
func userRate() limit.Rate    { return limit.Rate{Burst: 20, Per: 10 * time.Second} }
func addressRate() limit.Rate { return limit.Rate{Burst: 100, Per: time.Second} }

// Login checks a password and begins a login. It fails with Unauthenticated
// "wrong_credentials" for an unknown or disabled user as for a wrong
// password, after the same work, and with TooManyRequests "login_throttled"
// after too many of these for the user or from the address.
func (s *Service) Login(ctx context.Context, username, password string, from netip.Addr) (Tokens, error) {
	// The user's key is what was typed, known or not.
	tries := []try{{"login/address/" + limit.AddressKey(from), addressRate()}, userTry(username)}
	for _, t := range tries {
		if err := s.take(ctx, t); err != nil {
			return Tokens{}, err
		}
	}
	u, err := s.checkPassword(ctx, username, password)
	if fault.Is(err, fault.Unauthenticated, "") {
		return Tokens{}, err
	}
	if err := errors.Join(err, s.giveBack(ctx, tries...)); err != nil {
		return Tokens{}, err
	}
	return s.begin(ctx, u)
}

// try is one count of tries at a password. It is taken before the password is
// checked, so that guesses made at once all count, and returned if it is right
// or could not be checked.
type try struct {
	key  string
	rate limit.Rate
}

// userTry counts for a username; names that no user can have share one count.
func userTry(username string) try {
	if auth.CheckUsername(username) != nil {
		username = ""
	}
	return try{"login/user/" + username, userRate()}
}

func (s *Service) take(ctx context.Context, t try) error {
	wait, err := s.Limits.Take(ctx, t.key, t.rate, 1)
	if err == nil && wait > 0 {
		return fault.New(fault.TooManyRequests, "login_throttled", "Too many wrong passwords; wait before you try again.").WithRetryAfter(wait)
	}
	return err
}

func (s *Service) giveBack(ctx context.Context, tries ...try) error {
	ctx = context.WithoutCancel(ctx) // who hangs up is owed them too
	for _, t := range tries {
		if err := s.Limits.Return(ctx, t.key, t.rate, 1); err != nil {
			return err
		}
	}
	return nil
}

// checkPassword returns the user whose password it is.
func (s *Service) checkPassword(ctx context.Context, username, password string) (catalog.User, error) {
	wrong := fault.New(fault.Unauthenticated, "wrong_credentials", "The username or the password is wrong.")
	u, err := s.Catalog.UserByName(ctx, username)
	if fault.Is(err, fault.NotFound, "") {
		if err := s.Hasher.VerifyNobody(ctx, password); err != nil {
			return u, err
		}
		return u, wrong
	}
	if err != nil {
		return u, err
	}
	match, err := s.Hasher.Verify(ctx, password, u.Password)
	if err == nil && (!match || u.Disabled) {
		err = wrong
	}
	return u, err
}

func (s *Service) begin(ctx context.Context, u catalog.User) (Tokens, error) {
	now := s.Clock()
	l := catalog.Login{
		ID: auth.NewID(now), UserID: u.ID, Epoch: u.Epoch, Generation: 1,
		RotatedAt: now, CreatedAt: now, ExpiresAt: now.Add(RefreshLifetime),
	}
	if err := s.Catalog.CreateLogin(ctx, l); err != nil {
		return Tokens{}, err
	}
	return s.issue(l)
}

func (s *Service) issue(l catalog.Login) (Tokens, error) {
	access, _, err := s.Signer.SignAccess(l.UserID, l.ID)
	if err != nil {
		return Tokens{}, err
	}
	refresh, _, err := s.Signer.SignRefresh(l.UserID, l.ID, l.Generation, RefreshLifetime)
	return Tokens{Access: access, Refresh: refresh, ExpiresIn: auth.AccessLifetime}, err
}

// Refresh exchanges a refresh token for new tokens. The token just replaced
// gets Conflict "refresh_superseded" for a short while and changes nothing;
// any older use of a token means that it was copied, and revokes the login
// (Unauthenticated "refresh_reused").
func (s *Service) Refresh(ctx context.Context, token string) (Tokens, error) {
	claims, err := s.Verifier.VerifyRefresh(token)
	if err != nil {
		return Tokens{}, err
	}
	for {
		l, err := s.standing(ctx, claims)
		if err != nil {
			return Tokens{}, err
		}
		if claims.Generation != l.Generation {
			return Tokens{}, s.refuse(ctx, l, claims.Generation)
		}
		now := s.Clock()
		next := l
		next.Generation, next.RotatedAt, next.ExpiresAt = l.Generation+1, now, now.Add(RefreshLifetime)
		won, err := s.Catalog.RotateLogin(ctx, l, next)
		if err != nil {
			return Tokens{}, err
		}
		if won {
			return s.issue(next)
		}
		// Another refresh, a logout or a new password came first: the record
		// tells which.
	}
}

// standing returns the login that the claims name, if it still stands.
func (s *Service) standing(ctx context.Context, claims auth.Claims) (catalog.Login, error) {
	l, err := s.Catalog.FreshLogin(ctx, claims.LoginID)
	if err != nil {
		return l, ended(err)
	}
	u, err := s.Catalog.User(ctx, l.UserID)
	if err != nil {
		return l, ended(err)
	}
	if l.UserID != claims.UserID || u.Disabled || u.Epoch != l.Epoch {
		return l, loginEnded()
	}
	return l, nil
}

// refuse answers a refresh token that is not the newest.
func (s *Service) refuse(ctx context.Context, l catalog.Login, generation int64) error {
	if generation == l.Generation-1 && s.Clock().Sub(l.RotatedAt) <= grace {
		return fault.New(fault.Conflict, "refresh_superseded", "This refresh token was just exchanged; use the newer one.")
	}
	if err := s.Catalog.RevokeLogin(ctx, l.ID); err != nil {
		return err
	}
	return fault.New(fault.Unauthenticated, "refresh_reused", "This refresh token was used before, so the login was ended; log in again.")
}

// ended turns "no such record" into the end of a login.
func ended(err error) error {
	if fault.Is(err, fault.NotFound, "") {
		return loginEnded()
	}
	return err
}

func loginEnded() error {
	return fault.New(fault.Unauthenticated, "login_ended", "The login has ended; log in again.")
}

// Authenticate returns who sent an access token. A revoked login and a
// disabled user are noticed within catalog.MaxAge.
func (s *Service) Authenticate(ctx context.Context, token string) (Identity, error) {
	claims, err := s.Verified.VerifyAccess(token)
	if err != nil {
		return Identity{}, err
	}
	i, err := s.identify(ctx, claims.UserID, claims.LoginID)
	i.ExpiresAt = claims.ExpiresAt
	return i, err
}

// Still returns nil while the identity may go on: its login stands and its
// user is not disabled.
func (s *Service) Still(ctx context.Context, i Identity) error {
	_, err := s.identify(ctx, i.User.ID, i.LoginID)
	return err
}

func (s *Service) identify(ctx context.Context, userID, loginID string) (Identity, error) {
	l, err := s.Catalog.Login(ctx, loginID)
	if err != nil {
		return Identity{}, ended(err)
	}
	u, err := s.Catalog.User(ctx, userID)
	if err != nil {
		return Identity{}, ended(err)
	}
	if l.UserID != u.ID || u.Disabled || u.Epoch != l.Epoch {
		return Identity{}, loginEnded()
	}
	return Identity{User: u, LoginID: l.ID}, nil
}

// Logout ends the identity's login.
func (s *Service) Logout(ctx context.Context, i Identity) error {
	return s.Catalog.RevokeLogin(ctx, i.LoginID)
}
