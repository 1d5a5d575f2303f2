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

// pace is how often keys are read: those that are so old are read again before the
// next request, which is how a rotation comes everywhere; and a key that is not
// known, which anybody can name, makes them be read no more often than that.
type pace struct {
	age   time.Duration
	again time.Duration
}

// What a store answers costs a call, and money; a file nothing.
func ofStore() pace { return pace{age: 5 * time.Minute, again: 10 * time.Second} }
func ofFile() pace  { return pace{age: 10 * time.Second, again: time.Second} }

// readTime is how long a reading may take.
const readTime = 5 * time.Second

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

// Follow returns Rings of the keys that a store has under a name, as Ensure made
// them. Nothing is read yet: the first request does that. From then on they
// follow what the store has. A reading that fails, of documents that cannot be
// used or that do not belong together too, is logged, and changes nothing.
func Follow(store Store, name string, o Options) (Rings, error) {
	f, err := newFollower(documents{store, name}.read, ofStore(), o)
	return f.rings, err
}

// FollowFile returns Rings of the keys in the file at path, as LoadOrCreate made it.
// It is read now, and fails as Load does; from then on the Rings follow the file as
// those of Follow do a store.
func FollowFile(path string, o Options) (Rings, error) {
	f, err := newFollower(func(context.Context, bool) (current, error) { return readCurrent(path) }, ofFile(), o)
	if err == nil {
		err = f.load(context.Background(), o.Clock())
	}
	return f.rings, err
}

// current are the keys as they are now.
type current struct {
	public []auth.PublicKey
	links  []auth.LinkKey
	signs  auth.TokenKey // if it was asked for
}

// follower reads keys now and then.
type follower struct {
	from    func(ctx context.Context, issues bool) (current, error)
	pace    pace
	options Options
	rings   Rings

	mu     sync.Mutex // held while they are read
	read   time.Time  // when they last were; zero: never
	looked time.Time  // when that was last tried
}

func newFollower(from func(context.Context, bool) (current, error), p pace, o Options) (*follower, error) {
	f := &follower{from: from, pace: p, options: o}
	var err error
	if f.rings.Verifier, err = auth.NewLateVerifier(o.Authority, o.Clock); err != nil {
		return f, err
	}
	if o.Issues {
		if f.rings.Signer, err = auth.NewLateSigner(o.Authority, o.Clock); err != nil {
			return f, err
		}
	}
	f.rings.Links = new(auth.Ring)
	f.rings.Verifier.RenewBy(f.renew)
	f.rings.Links.RenewBy(f.renew)
	f.rings.Ready = f.ready
	return f, nil
}

// ready reads keys that were never read, or are old.
func (f *follower) ready(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.options.Clock()
	switch {
	case f.read.IsZero():
		if err := f.load(ctx, now); err != nil {
			return fault.Wrap(err, fault.Unavailable, "keys_unavailable", "The keys cannot be read now; try again.").WithRetryAfter(time.Second)
		}
	case now.Sub(f.read) >= f.pace.age && now.Sub(f.looked) >= f.pace.again:
		f.loadLogged(ctx, now)
	}
	return nil
}

// renew is an auth.Renewal.
func (f *follower) renew() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.options.Clock()
	if now.Sub(f.looked) < f.pace.again {
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

// load reads the keys and puts them in place, all or none: those that verify before
// the one that signs.
func (f *follower) load(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	f.looked = now
	c, err := f.from(ctx, f.rings.Signer != nil)
	if err != nil {
		return err
	}
	err = errors.Join(f.rings.Verifier.Replace(c.public...), f.rings.Links.Replace(c.links...))
	if f.rings.Signer != nil {
		err = errors.Join(err, f.rings.Signer.Replace(c.signs))
	}
	if err == nil {
		f.read = now
	}
	return err
}

// readCurrent reads the keys in a file.
func readCurrent(path string) (current, error) {
	set, err := Load(path)
	if err != nil {
		return current{}, err
	}
	public, err := set.TokenPublic()
	return current{public, set.Link, set.Token[0]}, err
}

// documents are those of a deployment in a store.
type documents struct {
	store Store
	name  string
}

// read reads what verifies, and, where tokens are issued, what signs.
func (d documents) read(ctx context.Context, issues bool) (c current, err error) {
	if c.public, c.links, err = d.verifying(ctx); err != nil {
		return c, unusable(VerifyingName(d.name), err)
	}
	if issues {
		if c.signs, err = d.signing(ctx, c.public); err != nil {
			return c, unusable(SigningName(d.name), err)
		}
	}
	return c, nil
}

func (d documents) verifying(ctx context.Context) ([]auth.PublicKey, []auth.LinkKey, error) {
	document, err := d.store.Get(ctx, VerifyingName(d.name))
	if err != nil {
		return nil, nil, err
	}
	return parseVerifying(document)
}

// signing returns the key that signs. Everybody must know its public half before.
func (d documents) signing(ctx context.Context, public []auth.PublicKey) (auth.TokenKey, error) {
	document, err := d.store.Get(ctx, SigningName(d.name))
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
