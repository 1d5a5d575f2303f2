package dynamotable

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sluice/shared/table"
)

// expression gathers the names and values that an op's expressions stand for
// by #n and :n, so that any name will do.
type expression struct {
	names   map[string]string
	values  attributes
	aliases map[string]string // of names
	now     int64             // seconds since 1970
}

func newExpression(now time.Time) *expression {
	return &expression{now: now.Unix()}
}

func (e *expression) name(name string) string {
	if alias, ok := e.aliases[name]; ok {
		return alias
	}
	if e.names == nil {
		e.names, e.aliases = map[string]string{}, map[string]string{}
	}
	alias := "#" + strconv.Itoa(len(e.names))
	e.names[alias], e.aliases[name] = name, alias
	return alias
}

func (e *expression) value(value any) string {
	if e.values == nil {
		e.values = attributes{}
	}
	alias := ":" + strconv.Itoa(len(e.values))
	e.values[alias] = encodeValue(value)
	return alias
}

// current returns the test that the item has not expired. It holds where there
// is none.
func (e *expression) current() string {
	ttl := e.name(ttlName)
	return "(attribute_not_exists(" + ttl + ") OR " + ttl + " > " + e.value(e.now) + ")"
}

func (e *expression) present() string {
	return "attribute_exists(" + e.name(pkName) + ") AND " + e.current()
}

func (e *expression) absent() string {
	return "(attribute_not_exists(" + e.name(pkName) + ") OR " + e.name(ttlName) + " <= " + e.value(e.now) + ")"
}

// tests returns what must be true for every test to hold, in parts. An expired
// item is as if absent.
func (e *expression) tests(tests []table.Test) (parts []string) {
	if slices.ContainsFunc(tests, needsItem) {
		parts = append(parts, e.present())
	}
	for _, t := range tests {
		switch t.Comparison {
		case table.Exists:
		case table.Absent:
			parts = append(parts, e.absent())
		case table.NotEqual:
			parts = append(parts, "NOT ("+e.present()+" AND "+e.name(t.Attr)+" = "+e.value(t.Value)+")")
		default:
			operator := map[table.Comparison]string{
				table.Equal: " = ", table.Less: " < ", table.AtMost: " <= ", table.AtLeast: " >= ",
			}[t.Comparison]
			parts = append(parts, e.name(t.Attr)+operator+e.value(t.Value))
		}
	}
	return parts
}

// needsItem reports whether a test fails on an item that is absent.
func needsItem(t table.Test) bool {
	return t.Comparison != table.Absent && t.Comparison != table.NotEqual
}

// addable returns the test that delta can be added to an attribute: that it is
// absent, or a number whose sum is an int64.
func (e *expression) addable(name string, delta int64) string {
	alias := e.name(name)
	operator, bound := " <= ", math.MaxInt64-max(delta, 0)
	if delta < 0 {
		operator, bound = " >= ", math.MinInt64-delta
	}
	return "(attribute_not_exists(" + alias + ") OR " + alias + operator + e.value(bound) + ")"
}

// unless returns the test that the item does not bear the wid.
func (e *expression) unless(wid string) string {
	alias := e.name(widName)
	return "(attribute_not_exists(" + alias + ") OR " + alias + " <> " + e.value(wid) + ")"
}

// change returns an Update's update expression, nil for none.
func (e *expression) change(op table.Op, set table.Attrs) *string {
	var sets, adds, removes []string
	for _, name := range slices.Sorted(maps.Keys(set)) {
		sets = append(sets, e.name(name)+" = "+e.value(set[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(op.Add)) {
		adds = append(adds, e.name(name)+" "+e.value(op.Add[name]))
	}
	for _, name := range op.Remove {
		removes = append(removes, e.name(name))
	}
	var clauses []string
	for _, clause := range []struct {
		verb  string
		parts []string
	}{{"SET ", sets}, {"ADD ", adds}, {"REMOVE ", removes}} {
		if len(clause.parts) > 0 {
			clauses = append(clauses, clause.verb+strings.Join(clause.parts, ", "))
		}
	}
	return text(clauses, " ")
}

// text joins parts, nil for none.
func text(parts []string, with string) *string {
	if len(parts) == 0 {
		return nil
	}
	joined := strings.Join(parts, with)
	return &joined
}

// condition joins the tests that must all hold, nil for none.
func condition(parts []string) *string { return text(parts, " AND ") }

// oldItem asks DynamoDB for the item whose condition failed.
const oldItem = types.ReturnValuesOnConditionCheckFailureAllOld
