package keys

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/shared/fault"
)

// Store keeps documents by name, and has rights for each of them: SSM's Parameter
// Store and Secrets Manager are two.
type Store interface {
	// Get returns a document, or NotFound.
	Get(ctx context.Context, name string) ([]byte, error)

	// Create keeps a new document; it fails with Conflict where there is one.
	Create(ctx context.Context, name string, document []byte) error

	// Replace keeps a document in place of the one that is there.
	Replace(ctx context.Context, name string, document []byte) error
}

// SigningName and VerifyingName are the names of the two documents of a
// deployment whose keys go by name: the private half of the token ring, which
// only what issues tokens may read, and all the rest.
func SigningName(name string) string   { return name + "/signing" }
func VerifyingName(name string) string { return name + "/verifying" } //nolint:revive // the comment is that of both

// Ensure makes the documents that are missing and returns their names. Several
// processes may do so at once: all end with the same keys. It fails as Rings
// does for documents that cannot be used.
func Ensure(ctx context.Context, store Store, name string, now time.Time) (made []string, err error) {
	private, created, err := ensureSigning(ctx, store, SigningName(name), now)
	if created {
		made = append(made, SigningName(name))
	}
	if err != nil {
		return made, unusable(SigningName(name), err)
	}
	created, err = ensureVerifying(ctx, store, VerifyingName(name), private, now)
	if created {
		made = append(made, VerifyingName(name))
	}
	if err != nil {
		return made, unusable(VerifyingName(name), err)
	}
	return made, nil
}

// ensureSigning returns the private half as it is kept.
func ensureSigning(ctx context.Context, store Store, name string, now time.Time) (ring, bool, error) {
	d, err := getSigning(ctx, store, name)
	if !fault.Is(err, fault.NotFound, "") {
		return d.Token, false, err
	}
	d = newSigning(now)
	document, err := marshal(d)
	if err != nil {
		return ring{}, false, err
	}
	err = store.Create(ctx, name, document)
	if fault.Is(err, fault.Conflict, "") { // another process was first
		d, err = getSigning(ctx, store, name)
		return d.Token, false, err
	}
	return d.Token, err == nil, err
}

func getSigning(ctx context.Context, store Store, name string) (d signing, err error) {
	document, err := store.Get(ctx, name)
	if err != nil {
		return d, err
	}
	if _, err := parseSigning(document); err != nil {
		return d, err
	}
	return d, decode(document, &d)
}

// ensureVerifying sees to it that what verifies knows the private half's keys.
func ensureVerifying(ctx context.Context, store Store, name string, private ring, now time.Time) (made bool, err error) {
	public, err := private.public()
	if err != nil {
		return false, err
	}
	document, err := store.Get(ctx, name)
	if fault.Is(err, fault.NotFound, "") {
		document, err = marshal(verifying{Version: documentVersion, Token: public, Link: newRing(now)})
		if err == nil {
			err = store.Create(ctx, name, document)
		}
		if !fault.Is(err, fault.Conflict, "") {
			return err == nil, err
		}
		document, err = store.Get(ctx, name) // another process was first
	}
	if err != nil {
		return false, err
	}
	if _, _, err := parseVerifying(document); err != nil {
		return false, err
	}
	var d verifying
	if err := decode(document, &d); err != nil {
		return false, err
	}
	all := d.Token.with(public)
	if len(all.Keys) == len(d.Token.Keys) {
		return false, nil
	}
	d.Token = all
	if document, err = marshal(d); err != nil {
		return false, err
	}
	return true, store.Replace(ctx, name, document)
}

// Rotate makes a new key in each ring, which signs from now on; the old ones go on
// verifying. Who does not know the new keys yet looks for them when it meets one.
func Rotate(ctx context.Context, store Store, name string, now time.Time) error {
	private, err := getSigning(ctx, store, SigningName(name))
	if err != nil {
		return unusable(SigningName(name), err)
	}
	private.Token = private.Token.with(newRing(now))
	public, err := private.Token.public()
	if err != nil {
		return unusable(SigningName(name), err)
	}
	document, err := store.Get(ctx, VerifyingName(name))
	var d verifying
	if err == nil {
		if _, _, err = parseVerifying(document); err == nil {
			err = decode(document, &d)
		}
	}
	if err != nil {
		return unusable(VerifyingName(name), err)
	}
	d.Token, d.Link = d.Token.with(public), d.Link.with(newRing(now))
	for _, each := range []struct {
		name     string
		document any
	}{{VerifyingName(name), d}, {SigningName(name), private}} { // what verifies must know of it first
		if document, err = marshal(each.document); err == nil {
			err = store.Replace(ctx, each.name, document)
		}
		if err != nil {
			return unusable(each.name, err)
		}
	}
	return nil
}

// with returns a ring that has the key of another one too, and signs with that.
func (r ring) with(other ring) ring {
	return ring{Signing: other.Signing, Keys: append(slices.Clone(r.Keys), other.Keys...)}
}

// with returns a ring that has the keys of another one too.
func (r publicRing) with(other publicRing) publicRing {
	known := func(k publicKey) bool {
		return slices.ContainsFunc(r.Keys, func(own publicKey) bool { return own.ID == k.ID })
	}
	return publicRing{append(slices.Clone(r.Keys), slices.DeleteFunc(slices.Clone(other.Keys), known)...)}
}

// unusable says which document is at fault.
func unusable(name string, err error) error {
	return fault.Wrap(err, fault.Invalid, "bad_keys", fmt.Sprintf("the keys %s cannot be used", name))
}
