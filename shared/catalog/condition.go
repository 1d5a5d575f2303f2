package catalog

import (
	"net/http"
	"strings"

	"sluice/shared/byterange"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// Condition is what must hold of the file at a path for a change of it to go
// on: what If-Match, If-None-Match and If-Unmodified-Since say (RFC 9110
// §13.1). The zero Condition always holds.
type Condition struct {
	fields http.Header
}

// conditionFields are the attributes in which the fields of a Condition are
// kept.
func conditionFields() map[string]string {
	return map[string]string{
		"If-Match": "if_match", "If-None-Match": "if_none_match", "If-Unmodified-Since": "if_unmodified_since",
	}
}

// ConditionOf returns the condition that a request's header makes.
func ConditionOf(h http.Header) Condition {
	c := Condition{http.Header{}}
	for name := range conditionFields() {
		if lines := h.Values(name); len(lines) > 0 {
			c.fields[name] = lines
		}
	}
	return c
}

// Fields returns the fields that make the condition. They are not to be changed.
func (c Condition) Fields() http.Header { return c.fields }

// Size returns how many bytes the condition takes to keep.
func (c Condition) Size() int {
	size := 0
	for _, lines := range c.fields {
		size += len(strings.Join(lines, "\n"))
	}
	return size
}

// Check returns nil if the condition holds of f, which is nil where there is no
// file, else PreconditionFailed "precondition_failed".
func (c Condition) Check(f *File) error {
	var rep *byterange.Representation
	if f != nil {
		rep = &byterange.Representation{ETag: f.Version.ETag, LastModified: f.Version.ModifiedAt, Size: f.Version.Size}
	}
	if byterange.Precondition(c.fields, rep) {
		return nil
	}
	return fault.New(fault.PreconditionFailed, "precondition_failed", "The file is not what the condition asks for.")
}

// addTo keeps the condition in an item, each field's lines in one attribute.
func (c Condition) addTo(attrs table.Attrs) {
	for name, attr := range conditionFields() {
		if lines := c.fields[name]; len(lines) > 0 {
			attrs[attr] = strings.Join(lines, "\n") // which no line of a header holds
		}
	}
}

func (r reader) condition() Condition {
	c := Condition{http.Header{}}
	for name, attr := range conditionFields() {
		if kept, ok := r.attrs[attr].(string); ok {
			c.fields[name] = strings.Split(kept, "\n")
		}
	}
	return c
}
