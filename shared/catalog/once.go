package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// Once makes a request count once, however often it is sent: the answer to it
// may be lost, and who sent it then sends it again under the same key (IETF
// draft-ietf-httpapi-idempotency-key-header). The zero Once makes each request
// one of its own.
type Once struct {
	By    string // the id of the user who asks; their keys are theirs alone
	Key   string // chosen by the client
	Print []byte // a digest of all that is asked
}

// begunKey is that of the note which upload a request began. It goes when the
// upload's record does.
func (o Once) begunKey() table.Key {
	sum := sha256.Sum256([]byte(o.Key)) // a key may hold anything
	return table.Key{PK: "BEGUN#" + o.By, SK: hex.EncodeToString(sum[:])}
}

// note returns what keeps the upload that a request began, if it has a key.
func (o Once) note(m Multipart) []table.Op {
	if o.Key == "" {
		return nil
	}
	op := put(o.begunKey(), table.Attrs{"upload": m.ID, "print": o.Print}, table.IfAbsent())
	op.ExpiresAt = m.ExpiresAt
	return []table.Op{op}
}

// AwaitTurn waits until no other request of this process has that key. done
// must follow.
func (c *Catalog) AwaitTurn(ctx context.Context, o Once) (done func(), err error) {
	key := o.begunKey()
	return c.turns.take(ctx, key.PK+" "+key.SK)
}

// Begun returns the upload in parts that a request under the same key began, as
// it is now; found is false where there was none. A request that asked for
// something else is Unprocessable "idempotency_key_reused".
func (c *Catalog) Begun(ctx context.Context, o Once) (m Multipart, found bool, err error) {
	item, found, err := c.table.Get(ctx, o.begunKey())
	if err != nil || !found {
		return Multipart{}, false, err
	}
	r, err := read(item)
	if err != nil {
		return Multipart{}, false, err
	}
	if kept, _ := r.attrs["print"].([]byte); !bytes.Equal(kept, o.Print) {
		return Multipart{}, false, fault.New(fault.Unprocessable, "idempotency_key_reused", "The Idempotency-Key was used for another request; each needs one of its own.")
	}
	m, err = c.Multipart(ctx, r.str("upload"))
	return m, err == nil, err
}
