package contract_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"sluice/shared/contract"
)

// load returns the contract, which must be valid.
func load(t *testing.T, source []byte) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(source)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Fatalf("validate: %v", err)
	}
	return document
}

// operation is one operation of the contract and where it is.
type operation struct {
	*openapi3.Operation

	name string // PUT /file/{user}/{path}
}

func operations(document *openapi3.T) []operation {
	var all []operation
	for path, item := range document.Paths.Map() {
		for method, o := range item.Operations() {
			all = append(all, operation{o, method + " " + path})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.name, b.name) })
	return all
}

func TestTheContract(t *testing.T) {
	document := load(t, contract.OpenAPI())
	t.Run("is whole", func(t *testing.T) { isWhole(t, document) })
	t.Run("names and describes every operation", func(t *testing.T) { namesEveryOperation(t, document) })
	t.Run("answers every error with a problem", func(t *testing.T) { answersWithProblems(t, document) })
	t.Run("declares what follows from an operation", func(t *testing.T) { declaresWhatFollows(t, document) })
	t.Run("refuses unknown members", func(t *testing.T) { refusesUnknownMembers(t, document) })
	t.Run("writes members in snake_case", func(t *testing.T) { writesSnakeCase(t, document) })
	t.Run("says the same in JSON", func(t *testing.T) {
		if fromYAML, fromJSON := marshal(t, document), marshal(t, load(t, contract.OpenAPIJSON())); fromYAML != fromJSON {
			t.Errorf("run go generate: openapi.gen.json.gz is not openapi.yaml\nyaml: %s\njson: %s", fromYAML, fromJSON)
		}
	})
}

func marshal(t *testing.T, document *openapi3.T) string {
	t.Helper()
	out, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func isWhole(t *testing.T, document *openapi3.T) {
	t.Helper()
	if !document.IsOpenAPI31OrLater() {
		t.Errorf("the contract is OpenAPI %s, not 3.1", document.OpenAPI)
	}
	if n := len(operations(document)); n != 58 {
		t.Errorf("the contract has %d operations, not the 58 that are known", n)
	}
}

func TestTheContractCannotBeChanged(t *testing.T) {
	inYAML, inJSON := string(contract.OpenAPI()), string(contract.OpenAPIJSON())
	clear(contract.OpenAPI())
	clear(contract.OpenAPIJSON())
	if string(contract.OpenAPI()) != inYAML || string(contract.OpenAPIJSON()) != inJSON {
		t.Error("a caller can change the contract of others")
	}
}

func namesEveryOperation(t *testing.T, document *openapi3.T) {
	t.Helper()
	lowerCamel := regexp.MustCompile(`^[a-z]+([A-Z][a-z]+)*$`)
	named := map[string]string{}
	for _, o := range operations(document) {
		switch other, taken := named[o.OperationID]; {
		case !lowerCamel.MatchString(o.OperationID):
			t.Errorf("%s: the operationId %q is not in lowerCamel", o.name, o.OperationID)
		case taken:
			t.Errorf("%s and %s are both %s", o.name, other, o.OperationID)
		}
		named[o.OperationID] = o.name
		if o.Summary == "" || strings.HasSuffix(o.Summary, ".") {
			t.Errorf("%s: the summary %q is not a title", o.name, o.Summary)
		}
		if len(o.Tags) != 1 || document.Tags.Get(o.Tags[0]) == nil {
			t.Errorf("%s: the tags %v are not one that is described", o.name, o.Tags)
		}
	}
}

func answersWithProblems(t *testing.T, document *openapi3.T) {
	t.Helper()
	for _, o := range operations(document) {
		for status, response := range o.Responses.Map() {
			code, err := strconv.Atoi(status)
			if err != nil {
				t.Errorf("%s: the status %q is not a number", o.name, status)
			}
			if code < 400 {
				continue
			}
			types := slices.Sorted(maps.Keys(response.Value.Content))
			want := []string{"application/problem+json"}
			if o.OperationID == "readyz" && code == 503 { // it also says which store fails
				want = []string{"application/json", "application/problem+json"}
			}
			if !slices.Equal(types, want) {
				t.Errorf("%s: %s is %v, not %v", o.name, status, types, want)
			}
			problem := response.Value.Content["application/problem+json"]
			if problem == nil || problem.Schema.Ref != "#/components/schemas/Problem" {
				t.Errorf("%s: %s is not a Problem", o.name, status)
			}
		}
	}
}

// What an operation is like decides some of what it may answer.
func declaresWhatFollows(t *testing.T, document *openapi3.T) {
	t.Helper()
	for _, o := range operations(document) {
		want := []string{"500"}
		if o.OperationID != "healthz" { // which a server answers even while it stops
			want = append(want, "503")
		}
		if o.Security == nil || len(*o.Security) > 0 {
			want = append(want, "401")
		}
		if o.RequestBody != nil {
			want = append(want, "400", "408", "415")
			if o.OperationID != "createLink" { // it writes nothing
				want = append(want, "507")
			}
		}
		if o.RequestBody != nil && o.RequestBody.Value.Content["application/json"] != nil {
			want = append(want, "413")
		}
		if o.Parameters.GetByInAndName("header", "If-Match") != nil {
			want = append(want, "412")
		}
		if o.Parameters.GetByInAndName("header", "Range") != nil {
			want = append(want, "206", "416")
		}
		for _, status := range want {
			if o.Responses.Value(status) == nil {
				t.Errorf("%s does not declare %s", o.name, status)
			}
		}
	}
}

func refusesUnknownMembers(t *testing.T, document *openapi3.T) {
	t.Helper()
	requests := 0
	for _, o := range operations(document) {
		if o.RequestBody == nil || o.RequestBody.Value.Content["application/json"] == nil {
			continue
		}
		requests++
		if o.OperationID == "receiveEvents" {
			continue // its body is S3's, and may gain members
		}
		schema := o.RequestBody.Value.Content["application/json"].Schema.Value
		if !schema.Type.Is("object") || schema.AdditionalProperties.Has == nil || *schema.AdditionalProperties.Has {
			t.Errorf("%s: its body does not refuse other members", o.name)
		}
		if err := schema.VisitJSON(map[string]any{"bogus": 1}, openapi3.EnableJSONSchema2020()); err == nil {
			t.Errorf("%s: its body takes the member bogus", o.name)
		}
	}
	if requests != 14 {
		t.Errorf("looked at %d bodies in JSON, not 14", requests)
	}
}

func writesSnakeCase(t *testing.T, document *openapi3.T) {
	t.Helper()
	snake := regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
	for name, schema := range document.Components.Schemas {
		for member := range schema.Value.Properties {
			if !snake.MatchString(member) {
				t.Errorf("%s.%s is not in snake_case", name, member)
			}
		}
	}
}
