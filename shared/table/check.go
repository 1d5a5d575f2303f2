package table

import (
	"time"
	"unicode/utf8"
)

func checkKey(key Key) error {
	if err := checkHalf("partition", key.PK, MaxPartitionKey); err != nil {
		return err
	}
	return checkHalf("sort", key.SK, MaxSortKey)
}

func checkHalf(half, value string, longest int) error {
	switch {
	case value == "":
		return misuse("a %s key is empty", half)
	case len(value) > longest:
		return misuse("a %s key has %d bytes; %d is the most", half, len(value), longest)
	case !utf8.ValidString(value):
		return misuse("a %s key is not UTF-8", half)
	}
	return nil
}

func checkQuery(q Query) error {
	if err := checkHalf("partition", q.PK, MaxPartitionKey); err != nil {
		return err
	}
	for _, end := range []string{q.From, q.To} {
		if end == "" {
			continue
		}
		if err := checkHalf("sort", end, MaxSortKey+len(Next(""))); err != nil {
			return err
		}
	}
	if q.Limit < 1 || q.Limit > MaxQuery {
		return misuse("a query's limit is %d; it must be 1 to %d", q.Limit, MaxQuery)
	}
	return nil
}

func checkTransaction(ops []Op) error {
	if len(ops) == 0 || len(ops) > MaxTransaction {
		return misuse("a transaction has %d ops; it must have 1 to %d", len(ops), MaxTransaction)
	}
	seen := make(map[Key]bool, len(ops))
	size := 0
	for i, op := range ops {
		if err := checkOp(op); err != nil {
			return err
		}
		if seen[op.Key] {
			return misuse("op %d of a transaction has the key of an earlier one", i)
		}
		seen[op.Key] = true
		size += op.size()
	}
	if size > MaxTransactionSize {
		return misuse("a transaction has %d bytes; %d is the most", size, MaxTransactionSize)
	}
	return nil
}

func checkApply(op Op) error {
	if op.Action == Check {
		return misuse("a check stands alone; it belongs in a transaction")
	}
	return checkOp(op)
}

func checkOp(op Op) error {
	if err := checkKey(op.Key); err != nil {
		return err
	}
	if err := checkShape(op); err != nil {
		return err
	}
	if err := checkNames(op); err != nil {
		return err
	}
	for name, value := range op.Set {
		if err := checkValue(name, value); err != nil {
			return err
		}
	}
	for _, test := range op.If {
		if err := checkTest(test); err != nil {
			return err
		}
	}
	if size := op.size(); size > MaxItem {
		return misuse("an item has %d bytes; %d is the most", size, MaxItem)
	}
	return checkExpiry(op.ExpiresAt)
}

// checkShape refuses fields that the op's action has no use for.
func checkShape(op Op) error {
	changes := len(op.Add) > 0 || len(op.Remove) > 0
	writes := changes || len(op.Set) > 0 || !op.ExpiresAt.IsZero()
	switch op.Action {
	case Put:
		if changes {
			return misuse("a put has Add or Remove")
		}
	case Update:
	case Delete:
		if writes {
			return misuse("a delete has Set, Add, Remove or ExpiresAt")
		}
	case Check:
		if writes {
			return misuse("a check has Set, Add, Remove or ExpiresAt")
		}
		if len(op.If) == 0 {
			return misuse("a check tests nothing")
		}
	default:
		return misuse("there is no action %d", op.Action)
	}
	return nil
}

// checkNames refuses bad attribute names, and names that an op changes twice.
func checkNames(op Op) error {
	seen := make(map[string]bool, len(op.Set)+len(op.Add)+len(op.Remove))
	once := func(name string) error {
		if seen[name] {
			return misuse("attribute %q is changed twice", name)
		}
		seen[name] = true
		return checkName(name)
	}
	for name := range op.Set {
		if err := once(name); err != nil {
			return err
		}
	}
	for name := range op.Add {
		if err := once(name); err != nil {
			return err
		}
	}
	for _, name := range op.Remove {
		if err := once(name); err != nil {
			return err
		}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return misuse("an attribute has no name")
	case name == "pk", name == "sk", name == "ttl", name == "wid":
		return misuse("attribute %q is reserved", name)
	case !utf8.ValidString(name):
		return misuse("an attribute's name is not UTF-8")
	}
	return nil
}

func checkValue(name string, value any) error {
	switch v := value.(type) {
	case int64, bool, []byte:
		return nil
	case string:
		if !utf8.ValidString(v) {
			return misuse("attribute %q is not UTF-8", name)
		}
		return nil
	default:
		return misuse("attribute %q is a %T", name, value)
	}
}

func checkTest(test Test) error {
	switch test.Comparison {
	case Exists, Absent:
		if test.Attr != "" || test.Value != nil {
			return misuse("a test for the item itself names an attribute or a value")
		}
		return nil
	case Less, AtMost, AtLeast:
		if _, ok := test.Value.(int64); !ok {
			return misuse("attribute %q is compared in order with a %T", test.Attr, test.Value)
		}
	case Equal, NotEqual:
	default:
		return misuse("there is no comparison %d", test.Comparison)
	}
	if err := checkName(test.Attr); err != nil {
		return err
	}
	return checkValue(test.Attr, test.Value)
}

// checkExpiry refuses what does not fit the seconds that drivers store.
func checkExpiry(t time.Time) error {
	if !t.IsZero() && (t.Unix() <= 0 || t.Year() > 9999) {
		return misuse("an expiry lies outside the years 1970 to 9999")
	}
	return nil
}

// size returns how many bytes of MaxItem the op itself brings.
func (op Op) size() int {
	size := Item{Key: op.Key, Attrs: op.Set, ExpiresAt: op.ExpiresAt}.Size()
	for name := range op.Add {
		size += len(name) + numberSize
	}
	return size
}
