package bolttable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"sluice/shared/table"
)

// An item's key in its bucket is the length of the partition key, then the
// partition key, then the sort key. Its value is the expiry in Unix seconds
// (0: never), then the attributes as a CBOR map (RFC 8949), whose types keep
// string, int64, bool and []byte apart. The expiry stands in front, so that a
// sweep need not decode the rest.
const (
	lengthSize = 2
	expirySize = 8
)

var errCorrupt = errors.New("an item in the record file is corrupt")

// codec turns items into bytes and back. It is safe for concurrent use.
type codec struct {
	encode cbor.UserBufferEncMode
	decode cbor.DecMode
}

func newCodec() codec {
	encode, err := cbor.EncOptions{
		Sort:          cbor.SortBytewiseLexical,
		NilContainers: cbor.NilContainerAsEmpty,
	}.UserBufferEncMode()
	if err != nil {
		panic(err) // the options contradict each other: no input leads here
	}
	decode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF,
		IntDec:    cbor.IntDecConvertSignedOrFail,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return codec{encode: encode, decode: decode}
}

// partition returns the prefix that the keys of a partition share, with room
// for a sort key behind it.
func partition(pk string, room int) []byte {
	prefix := make([]byte, 0, lengthSize+len(pk)+room)
	prefix = binary.BigEndian.AppendUint16(prefix, uint16(len(pk)))
	return append(prefix, pk...)
}

// encodeKey returns the key of an item in its bucket.
func encodeKey(key table.Key) []byte {
	return append(partition(key.PK, len(key.SK)), key.SK...)
}

// encodeValue returns the value of an item in its bucket.
func (c codec) encodeValue(item table.Item) ([]byte, error) {
	var value bytes.Buffer
	value.Write(make([]byte, expirySize))
	if err := c.encode.MarshalToBuffer(item.Attrs, &value); err != nil {
		return nil, err
	}
	if !item.ExpiresAt.IsZero() {
		binary.BigEndian.PutUint64(value.Bytes(), uint64(item.ExpiresAt.Unix()))
	}
	return value.Bytes(), nil
}

// decodeItem returns the item under key. It shares no memory with value.
func (c codec) decodeItem(key table.Key, value []byte) (table.Item, error) {
	if len(value) < expirySize {
		return table.Item{}, errCorrupt
	}
	item := table.Item{Key: key, Attrs: table.Attrs{}, ExpiresAt: expiryOf(value)}
	if err := c.decode.Unmarshal(value[expirySize:], &item.Attrs); err != nil {
		return table.Item{}, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	return item, nil
}

func (c codec) decodeItems(pairs []pair) ([]table.Item, error) {
	items := make([]table.Item, len(pairs))
	for i, p := range pairs {
		item, err := c.decodeItem(p.key, p.value)
		if err != nil {
			return nil, err
		}
		items[i] = item
	}
	return items, nil
}

// expiryOf returns the expiry of an item's value, which is not too short.
func expiryOf(value []byte) time.Time {
	seconds := binary.BigEndian.Uint64(value)
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}
