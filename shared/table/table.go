// Package table is the record port. Its shape is DynamoDB's: items under a
// partition key and a sort key, conditional writes, atomic adds, queries by
// sort-key range, transactions, expiry.
//
// Table is concrete and holds what every driver shares: DynamoDB's limits,
// the filtering of expired items, error wrapping. A Driver is small and
// returns raw errors plus a Code. Every driver passes package tabletest.
package table

import (
	"time"
	"unicode/utf8"
)

// DynamoDB's limits, which Table enforces on every driver. MaxItem leaves 256 of
// its 409,600 bytes to what a driver has to note in an item.
const (
	MaxPartitionKey    = 2048          // bytes
	MaxSortKey         = 1024          // bytes
	MaxItem            = 400<<10 - 256 // bytes: names and values, keys included
	MaxTransaction     = 100           // actions
	MaxTransactionSize = 4 << 20       // bytes of all its items
	MaxGet             = 100           // keys in one Driver.GetMany
)

// MaxQuery is the most items that one Query may ask for. It is ours.
const MaxQuery = 1000

// Key names an item. Both halves are non-empty valid UTF-8; sort keys are
// ordered by their bytes.
type Key struct {
	PK string
	SK string
}

// Attrs are an item's attributes. A value is a string, an int64, a bool or a
// []byte; nothing else passes Table. Names are non-empty and do not hold the
// reserved "pk", "sk", "ttl" and "wid", which drivers need.
type Attrs map[string]any

// Item is one record. A zero ExpiresAt means that it never expires. Expiry has
// whole seconds: Table rounds up, so that nothing expires early. An item is
// expired from ExpiresAt on, and is then as if absent for every read, every
// write and every condition, whether or not the driver has already removed it.
type Item struct {
	Key       Key
	Attrs     Attrs
	ExpiresAt time.Time
}

// Query asks for the items of one partition with From <= SK < To, in the
// order of their sort keys' bytes. From and To may be a byte longer than a sort
// key, so that Next always fits.
type Query struct {
	PK         string
	From       string // inclusive; empty: from the first
	To         string // exclusive; empty: to the last
	Descending bool   // from the last to the first
	Limit      int    // how many items at most; 1 to 1000
}

// Page is the answer to a Query. More tells that items may follow: ask again
// with From = Next(last SK), or To = last SK where Descending. Table answers
// with fewer items than Limit only at the end of the range.
type Page struct {
	Items []Item
	More  bool
}

// Next returns the smallest sort key greater than sk.
func Next(sk string) string { return sk + "\x00" }

// After returns the smallest sort key greater than every key that starts with
// prefix; empty, which a Query takes for no bound, where there is none.
func After(prefix string) string {
	for prefix != "" {
		r, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch r {
		case utf8.MaxRune:
			continue // nothing is greater: what precedes it decides
		case 0xD7FF:
			return prefix + "\uE000" // the surrogates are no characters
		}
		return prefix + string(r+1)
	}
	return ""
}

// Action is what an Op does.
type Action uint8

// The actions.
const (
	Put    Action = iota // replace the whole item
	Update               // change the named attributes, keep all others; makes the item if absent
	Delete               // remove the item; removing an absent one is no error
	Check                // only test the conditions; in transactions only
)

// Op is one write. Every test in If must hold, else nothing is written. No
// attribute stands in more than one of Set, Add and Remove.
//
// Adding to an attribute that is not a number, or past the ends of int64, is
// like a test that does not hold.
type Op struct {
	Action    Action
	Key       Key
	Set       Attrs            // Put: all attributes. Update: those to set
	Add       map[string]int64 // Update: numbers to add to; absent counts as 0
	Remove    []string         // Update: attributes to remove
	ExpiresAt time.Time        // Put, Update: the new expiry. Zero: Put makes it eternal, Update leaves it
	If        []Test
}

// Test is one condition on the item at an Op's key, as it stands before.
// An expired item counts as absent.
type Test struct {
	Comparison Comparison
	Attr       string // unused by Exists and Absent
	Value      any    // string, int64, bool or []byte; AtMost, Less and AtLeast: int64
}

// Comparison is how a Test compares.
type Comparison uint8

// The comparisons. Those that compare a value fail where the item or the
// attribute is absent, NotEqual excepted, which then holds.
const (
	Exists   Comparison = iota // the item is there
	Absent                     // the item is not there
	Equal                      // the attribute is the value, of the same type
	NotEqual                   // the attribute is absent or another value
	Less                       // the number is less
	AtMost                     // the number is less or equal
	AtLeast                    // the number is greater or equal
)

// IfExists is the condition that the item is there.
func IfExists() Test { return Test{Comparison: Exists} }

// IfAbsent is the condition that the item is not there.
func IfAbsent() Test { return Test{Comparison: Absent} }

// IfEqual is the condition that the attribute is value.
func IfEqual(attr string, value any) Test {
	return Test{Comparison: Equal, Attr: attr, Value: value}
}
