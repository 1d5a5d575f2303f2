package table

import "time"

// numberSize is the most that DynamoDB counts for an int64: two of its 19
// digits to a byte, one byte for the exponent and one for the sign.
const numberSize = 12

// Expired reports whether the item is as if absent at now.
func (i Item) Expired(now time.Time) bool {
	return !i.ExpiresAt.IsZero() && !now.Before(i.ExpiresAt)
}

// Size returns how many bytes of MaxItem the item takes, by DynamoDB's rules:
// the names and the values of its attributes, key and expiry included. Numbers
// count as the longest one, so that what fits here fits there.
func (i Item) Size() int {
	size := len("pk") + len(i.Key.PK) + len("sk") + len(i.Key.SK) + i.Attrs.size()
	if !i.ExpiresAt.IsZero() {
		size += len("ttl") + numberSize
	}
	return size
}

func (a Attrs) size() int {
	size := 0
	for name, value := range a {
		size += len(name) + valueSize(value)
	}
	return size
}

func valueSize(value any) int {
	switch v := value.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	case bool:
		return 1
	default:
		return numberSize
	}
}
