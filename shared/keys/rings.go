package keys

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sluice/shared/auth"
	"sluice/shared/fault"
)

// How often the documents are read: those that are so old are read again before
// the next request, which is how a rotation comes everywhere; and a key that is
// not known, which anybody can name, makes them be read no more often than that.
// readTime is how long it may take.
const (
	maxAge      = 5 * time.Minute
	lookedAgain = 10 * time.Second
	readTime    = 5 * time.Second
)

// Rings are what signs and verifies with the keys of a deployment.
type Rings struct {
	Signer   *auth.Signer // nil in a server that issues no tokens
	Verifier *auth.Verifier
	Links    *auth.Ring

	// Ready is called before a request is answered. It fails with Unavailable
	// "keys_unavailable" while there are no keys yet; nil: there are.
	Ready func(context.Context) error
}

// Options are what Rings are made with.
type Options struct {
	Authority auth.Authority
	Clock     func() time.Time
	Log       *slog.Logger
	Issues    bool // tokens: the private half is read too
}

// Rings returns what signs and verifies with the keys of a Set.
func (s Set) Rings(o Options) (Rings, error) {
	public, err := s.TokenPublic()
	if err != nil {
		return Rings{}, err
	}
	var r Rings
	if r.Signer, err = auth.NewSigner(o.Authority, s.Token[0], o.Clock); err != nil {
		return r, err
	}
	if r.Verifier, err = auth.NewVerifier(o.Authority, o.Clock, public...); err != nil {
		return r, err
	}
	r.Links, err = auth.NewRing(s.Link...)
	return r, err
}

// Follow returns Rings of the keys that a store has under a name, as Ensure made
// them. Nothing is read yet: the first request does that. From then on they
// follow what the store has. A reading that fails, of documents that cannot be
// used or that do not belong together too, is logged, and changes nothing.
func Follow(store Store, name string, o Options) (Rings, error) {
	f := &follower{store: store, name: name, options: o}
	var err error
	if f.rings.Verifier, err = auth.NewLateVerifier(o.Authority, o.Clock); err != nil {
		return Rings{}, err
	}
	if o.Issues {
		if f.rings.Signer, err = auth.NewLateSigner(o.Authority, o.Clock); err != nil {
			return Rings{}, err
		}
	}
	f.rings.Links = new(auth.Ring)
	f.rings.Verifier.RenewBy(f.renew)
	f.rings.Links.RenewBy(f.renew)
	f.rings.Ready = f.ready
	return f.rings, nil
}

// follower reads the documents now and then.
type follower struct {
	store   Store
	name    string
	options Options
	rings   Rings

	mu     sync.Mutex // held while they are read
	read   time.Time  // when they last were; zero: never
	looked time.Time  // when that was last tried
}

// ready reads documents that were never read, or are old.
func (f *follower) ready(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.options.Clock()
	switch {
	case f.read.IsZero():
		if err := f.load(ctx, now); err != nil {
			return fault.Wrap(err, fault.Unavailable, "keys_unavailable", "The keys cannot be read now; try again.").WithRetryAfter(time.Second)
		}
	case now.Sub(f.read) >= maxAge && now.Sub(f.looked) >= lookedAgain:
		f.loadLogged(ctx, now)
	}
	return nil
}

// renew is an auth.Renewal.
func (f *follower) renew() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.options.Clock()
	if now.Sub(f.looked) < lookedAgain {
		return true // who held the lock may have found it
	}
	f.loadLogged(context.Background(), now)
	return true
}

func (f *follower) loadLogged(ctx context.Context, now time.Time) {
	if err := f.load(ctx, now); err != nil {
		f.options.Log.ErrorContext(ctx, "keys", "error", err)
	}
}

// load reads the documents and puts their keys in place, all or none: those that
// verify before the one that signs.
func (f *follower) load(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	f.looked = now
	public, links, err := f.verifying(ctx)
	if err != nil {
		return unusable(VerifyingName(f.name), err)
	}
	private, err := f.signing(ctx, public)
	if err != nil {
		return unusable(SigningName(f.name), err)
	}
	err = errors.Join(f.rings.Verifier.Replace(public...), f.rings.Links.Replace(links...))
	if f.rings.Signer != nil {
		err = errors.Join(err, f.rings.Signer.Replace(private))
	}
	if err == nil {
		f.read = now
	}
	return err
}

func (f *follower) verifying(ctx context.Context) ([]auth.PublicKey, []auth.LinkKey, error) {
	document, err := f.store.Get(ctx, VerifyingName(f.name))
	if err != nil {
		return nil, nil, err
	}
	return parseVerifying(document)
}

// signing returns the key that signs, if anything here does. Everybody must know
// its public half before.
func (f *follower) signing(ctx context.Context, public []auth.PublicKey) (auth.TokenKey, error) {
	if f.rings.Signer == nil {
		return auth.TokenKey{}, nil
	}
	document, err := f.store.Get(ctx, SigningName(f.name))
	if err != nil {
		return auth.TokenKey{}, err
	}
	private, err := parseSigning(document)
	if err != nil {
		return auth.TokenKey{}, err
	}
	half, err := private[0].Public()
	if err != nil {
		return auth.TokenKey{}, err
	}
	if !slices.ContainsFunc(public, func(k auth.PublicKey) bool { return k.ID == half.ID && ed25519.PublicKey.Equal(k.Key, half.Key) }) {
		return auth.TokenKey{}, errors.New("token.signing: this key is not among those that verify")
	}
	return private[0], nil
}
