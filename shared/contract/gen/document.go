package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// document is what the page needs of an OpenAPI document.
type document struct {
	Info struct {
		Title       string
		Version     string
		Description string
	}
	Tags []struct {
		Name        string
		Description string
	}
	Security   []requirement
	Paths      ordered[pathItem]
	Components struct {
		Parameters ordered[parameter]
		Headers    ordered[header]
		Responses  ordered[response]
		Schemas    ordered[schema]
	}
}

// requirement names the security schemes that are needed together. An empty
// one stands for no credentials.
type requirement map[string][]string

type pathItem struct {
	CatchAll   string `json:"x-sluice-path"`
	Parameters []parameter
	Get        *operation
	Put        *operation
	Post       *operation
	Patch      *operation
	Delete     *operation
	Head       *operation
	Options    *operation
}

type operation struct {
	OperationID string
	Tags        []string
	Summary     string
	Description string
	Security    *[]requirement
	Parameters  []parameter
	RequestBody *struct {
		Description string
		Content     ordered[media]
	}
	Responses ordered[response]
}

type parameter struct {
	Ref         string `json:"$ref"`
	Name        string
	In          string
	Description string
	Required    bool
	Schema      schema
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     ordered[header]
	Content     ordered[media]
}

// problemJSON is the media type of a problem (RFC 9457).
const problemJSON = "application/problem+json"

// problem reports whether the body is a problem, and nothing else.
func (r response) problem() bool {
	return len(r.Content) == 1 && r.Content[0].name == problemJSON
}

// headers lists the names of the headers.
func (r response) headers() string {
	var names []string
	for _, h := range r.Headers {
		names = append(names, "`"+h.name+"`")
	}
	return strings.Join(names, ", ")
}

type header struct {
	Ref         string `json:"$ref"`
	Description string
	Required    bool
}

type media struct{ Schema schema }

type schema struct {
	Ref                  string `json:"$ref"`
	Description          string
	Type                 typeNames
	Format               string
	Enum                 []string
	Codes                []string `json:"x-extensible-enum"`
	Const                string
	Pattern              string
	Default              any
	Minimum              *int64
	Maximum              *int64
	MinLength            *int64
	MaxLength            *int64
	Items                *schema
	Required             []string
	Properties           ordered[schema]
	AdditionalProperties any
}

// typeNames is the type of a schema: one name, or since OpenAPI 3.1 a list.
type typeNames []string

func (t *typeNames) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte("[")) {
		return json.Unmarshal(data, (*[]string)(t))
	}
	*t = []string{""}
	return json.Unmarshal(data, &(*t)[0])
}

// ordered is a JSON object whose members keep their order.
type ordered[T any] []member[T]

type member[T any] struct {
	name  string
	value T
}

func (o *ordered[T]) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("%.20s is not an object", data)
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		m := member[T]{name: fmt.Sprint(name)}
		if err := decoder.Decode(&m.value); err != nil {
			return err
		}
		*o = append(*o, m)
	}
	return nil
}

// find returns the component that a reference points to, by the last segment
// of its path.
func (o ordered[T]) find(ref string) T {
	name := componentName(ref)
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	var none T
	return none
}

func componentName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }
