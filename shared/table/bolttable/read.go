package bolttable

import (
	"bytes"

	bolt "go.etcd.io/bbolt"

	"sluice/shared/table"
)

// pageBytes is how many bytes of values a page holds before it ends, even if
// the query asks for more items. It is DynamoDB's number too.
const pageBytes = 1 << 20

// pair is a stored item that has been copied out of the file.
type pair struct {
	key   table.Key
	value []byte
}

// get returns the stored value under key, nil if there is none. It is valid
// until the transaction ends.
func get(b *bolt.Bucket, key table.Key) []byte {
	if b == nil {
		return nil
	}
	return b.Get(encodeKey(key))
}

// scan copies the items of q's range that fit a page, and tells whether others
// follow.
func scan(c *bolt.Cursor, q table.Query) (found []pair, more bool) {
	from, to := bounds(q)
	k, v := c.Seek(from)
	step := c.Next
	if q.Descending {
		k, v = seekBefore(c, to)
		step = c.Prev
	}
	for size := 0; inside(k, from, to); k, v = step() {
		if len(found) == q.Limit || size >= pageBytes {
			return found, true
		}
		key := table.Key{PK: q.PK, SK: string(k[lengthSize+len(q.PK):])}
		found = append(found, pair{key: key, value: bytes.Clone(v)})
		size += len(v)
	}
	return found, false
}

// bounds returns the first key of q's range and the first one after it.
func bounds(q table.Query) (from, to []byte) {
	from = append(partition(q.PK, len(q.From)), q.From...)
	to = append(partition(q.PK, len(q.To)), q.To...)
	if q.To == "" {
		to[len(to)-1]++ // cannot overflow: no UTF-8 ends in 0xff
	}
	return from, to
}

func inside(k, from, to []byte) bool {
	return k != nil && bytes.Compare(k, from) >= 0 && bytes.Compare(k, to) < 0
}

// seekBefore moves to the last key smaller than bound.
func seekBefore(c *bolt.Cursor, bound []byte) (k, v []byte) {
	if k, _ := c.Seek(bound); k == nil {
		return c.Last()
	}
	return c.Prev()
}
