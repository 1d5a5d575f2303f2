// Package contract is the HTTP contract of Sluice: openapi.yaml, written by
// hand, and the Go types generated from it. Its client is package client,
// apart, so that a server does not link it.
//
// A member that a request or an answer may leave out has its zero value in Go,
// except where zero means something else: the members of a PATCH are pointers,
// and one that can be removed by null is a nullable.Nullable.
package contract

import (
	"compress/gzip"
	_ "embed"
	"io"
	"strings"
)

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config types.codegen.yaml openapi.yaml
//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config client/client.codegen.yaml openapi.yaml
//go:generate go run ./gen openapi.yaml openapi.gen.json.gz ../../docs/api.md

//go:embed openapi.yaml
var openAPI string

//go:embed openapi.gen.json.gz
var openAPIJSON string

// OpenAPI returns the contract as it is written: OpenAPI 3.1 in YAML.
func OpenAPI() []byte { return []byte(openAPI) }

// OpenAPIJSON returns the contract in JSON, for GET /openapi.json.
func OpenAPIJSON() []byte {
	r, err := gzip.NewReader(strings.NewReader(openAPIJSON))
	if err != nil {
		panic(err) // it was embedded as it was generated
	}
	document, err := io.ReadAll(r)
	if err != nil {
		panic(err) // as above
	}
	return document
}
