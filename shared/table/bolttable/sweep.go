package bolttable

import (
	"bytes"
	"context"
	"time"

	bolt "go.etcd.io/bbolt"

	"sluice/shared/table"
)

// sweepKeys is how many items a sweep looks at in one transaction.
const sweepKeys = 1000

// position is the next item for a sweep to look at, by its bucket and its key
// there. Zero is the start of the file.
type position struct {
	bucket []byte
	key    []byte
}

// harvest is what a sweep has found in a stretch of one bucket.
type harvest struct {
	bucket  []byte
	expired [][]byte // keys
	next    position
}

// Sweep removes up to limit items that are expired at now, so that bbolt can
// use their room again, and returns how many. It goes on where the last sweep
// of this store stopped. Fewer than limit, without an error, means that it has
// come to the end of the file; the next sweep begins at the start. Other calls
// run in between its steps; two sweeps run one after the other.
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (removed int, err error) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	for removed < limit {
		found, err := s.look(ctx, now, limit-removed)
		if err != nil {
			return removed, err
		}
		n, err := s.remove(ctx, now, found)
		if err != nil {
			return removed, err
		}
		removed += n
		s.swept = found.next
		if s.swept.bucket == nil {
			break
		}
	}
	return removed, nil
}

// look finds up to limit expired items from s.swept on.
func (s *Store) look(ctx context.Context, now time.Time, limit int) (found harvest, err error) {
	if err := ctx.Err(); err != nil {
		return harvest{}, err
	}
	err = s.db.View(func(tx *bolt.Tx) error {
		from := s.swept
		if from.bucket == nil {
			from.bucket = tableFrom(tx, []byte(tablePrefix))
		}
		if from.bucket == nil {
			return nil // nothing was ever written
		}
		found.bucket = from.bucket
		c := tx.Bucket(from.bucket).Cursor()
		k, v := c.Seek(from.key)
		for seen := 0; k != nil; seen++ {
			if seen == sweepKeys || len(found.expired) == limit {
				found.next = position{bucket: from.bucket, key: bytes.Clone(k)}
				return nil
			}
			if expired(v, now) {
				found.expired = append(found.expired, bytes.Clone(k))
			}
			k, v = c.Next()
		}
		found.next.bucket = tableFrom(tx, append(bytes.Clone(from.bucket), 0))
		return nil
	})
	return found, err
}

// remove removes what was found, unless somebody has renewed it meanwhile.
func (s *Store) remove(ctx context.Context, now time.Time, found harvest) (removed int, err error) {
	if len(found.expired) == 0 {
		return 0, nil
	}
	err = s.submit(ctx, found.bucket, func(b *bolt.Bucket) ([]write, error) {
		var writes []write
		for _, key := range found.expired {
			if expired(b.Get(key), now) {
				writes = append(writes, write{key: key})
			}
		}
		removed = len(writes)
		return writes, nil
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}

// tableFrom returns the name of the first table's bucket from name on, nil if
// there is none.
func tableFrom(tx *bolt.Tx, name []byte) []byte {
	k, _ := tx.Cursor().Seek(name)
	if !bytes.HasPrefix(k, []byte(tablePrefix)) {
		return nil
	}
	return bytes.Clone(k)
}

// expired reports whether a stored value is that of an expired item.
func expired(value []byte, now time.Time) bool {
	return len(value) >= expirySize && (table.Item{ExpiresAt: expiryOf(value)}).Expired(now)
}
