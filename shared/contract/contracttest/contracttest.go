// Package contracttest holds what a server answers against the contract: every
// status, header, content type and member must be declared in openapi.yaml, and
// what is refused there must not be taken. It also tells which of the declared
// answers a test has seen.
package contracttest

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"sluice/shared/contract"
)

// Checker checks answers and remembers which it saw. It is safe for concurrent
// use.
type Checker struct {
	t          testing.TB
	document   *openapi3.T
	operations []Operation

	mu   sync.Mutex
	seen map[Answer]bool
}

// Operation is one operation of the contract.
type Operation struct {
	ID          string // operationId
	Method      string
	Path        string // as declared: /file/{user}/{path}
	CatchAll    bool   // the last parameter of Path spans segments
	Credentials Credentials
	Statuses    []int // declared, in order

	item     *openapi3.PathItem
	declared *openapi3.Operation
}

// Credentials says what an operation asks for.
type Credentials string

// What an operation may ask for.
const (
	None     Credentials = "none"     // nobody looks at them
	Optional Credentials = "optional" // without any, only what is public
	Required Credentials = "required" // a bearer token
)

// Answer is a status of an operation.
type Answer struct {
	Operation string // operationId
	Status    int
}

// String returns the answer as a test names it: "login 401".
func (a Answer) String() string { return a.Operation + " " + strconv.Itoa(a.Status) }

// New returns a Checker of the contract. Answers that Transport finds wrong
// fail t.
func New(t testing.TB) *Checker {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(contract.OpenAPI())
	if err != nil {
		t.Fatalf("openapi.yaml cannot be read: %v", err)
	}
	if err := harden(document); err != nil {
		t.Fatal(err)
	}
	return &Checker{t: t, document: document, operations: operationsOf(document), seen: map[Answer]bool{}}
}

// harden makes the contract stricter for the server than for its clients, who
// must bear members and codes that are added later: here, what is not declared
// is an error.
func harden(document *openapi3.T) error {
	for _, ref := range document.Components.Schemas {
		if s := ref.Value; len(s.Properties) > 0 {
			s.AdditionalProperties = openapi3.AdditionalProperties{Has: new(false)}
		}
	}
	code, ok := document.Components.Schemas["ProblemCode"]
	if !ok {
		return errors.New("openapi.yaml has no schema ProblemCode")
	}
	codes, ok := code.Value.Extensions["x-extensible-enum"].([]any)
	if !ok {
		return errors.New("the schema ProblemCode has no x-extensible-enum")
	}
	code.Value.Enum = codes
	return nil
}

func operationsOf(document *openapi3.T) []Operation {
	var all []Operation
	for path, item := range document.Paths.Map() {
		for method, declared := range item.Operations() {
			o := Operation{
				ID: declared.OperationID, Method: method, Path: path,
				CatchAll:    item.Extensions["x-sluice-path"] == "catch-all",
				Credentials: credentialsOf(document, declared),
				item:        item, declared: declared,
			}
			for status := range declared.Responses.Map() {
				n, _ := strconv.Atoi(status) // "default" would be 0; a test of the contract forbids it
				o.Statuses = append(o.Statuses, n)
			}
			slices.Sort(o.Statuses)
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return all
}

func credentialsOf(document *openapi3.T, o *openapi3.Operation) Credentials {
	needed := document.Security
	if o.Security != nil {
		needed = *o.Security
	}
	switch {
	case len(needed) == 0:
		return None
	case slices.ContainsFunc(needed, func(r openapi3.SecurityRequirement) bool { return len(r) == 0 }):
		return Optional
	default:
		return Required
	}
}

// Operations returns every operation of the contract by path and method.
func (c *Checker) Operations() []Operation { return slices.Clone(c.operations) }

// Missing returns the declared answers that were not seen by now, in the order
// of Operations.
func (c *Checker) Missing() []Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing []Answer
	for _, o := range c.operations {
		for _, status := range o.Statuses {
			if a := (Answer{o.ID, status}); !c.seen[a] {
				missing = append(missing, a)
			}
		}
	}
	return missing
}

func (c *Checker) see(a Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[a] = true
}

// find returns the operation of a request and the values of its path
// parameters. Where there is none, known tells whether the path has other
// methods.
func (c *Checker) find(r *http.Request) (o Operation, parameters map[string]string, known bool) {
	for _, candidate := range c.operations {
		values, ok := candidate.match(r.URL.Path)
		switch {
		case ok && candidate.Method == r.Method:
			return candidate, values, true
		case ok:
			known = true
		}
	}
	return Operation{}, nil, known
}

// match reports whether a decoded path is one of the operation, as Gin does: a
// parameter takes one segment that is not empty, a catch-all takes the rest.
func (o Operation) match(path string) (map[string]string, bool) {
	want, got := strings.Split(o.Path, "/"), strings.Split(path, "/")
	if o.CatchAll && len(got) > len(want) {
		last := len(want) - 1
		got = append(got[:last:last], strings.Join(got[last:], "/"))
	}
	if len(got) != len(want) {
		return nil, false
	}
	values := map[string]string{}
	for i, segment := range want {
		name, isParameter := strings.CutPrefix(segment, "{")
		switch {
		case !isParameter && got[i] != segment:
			return nil, false
		case isParameter && got[i] == "" && !(o.CatchAll && i == len(want)-1):
			return nil, false
		case isParameter:
			values[strings.TrimSuffix(name, "}")] = got[i]
		}
	}
	return values, true
}

// String returns the operation as the contract writes it.
func (o Operation) String() string { return fmt.Sprintf("%s %s (%s)", o.Method, o.Path, o.ID) }
