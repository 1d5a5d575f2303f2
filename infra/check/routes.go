package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sluice/shared/api"
	"sluice/shared/contract"
)

// operations returns the methods and paths of openapi.yaml, as API Gateway
// writes them: what may hold slashes has a plus.
func operations() []string {
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(contract.OpenAPIJSON(), &document); err != nil {
		panic(err) // it is generated, and its own tests read it
	}
	var found []string
	for path, methods := range document.Paths {
		for method := range methods {
			if method = strings.ToUpper(method); slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
				found = append(found, method+" "+strings.Replace(path, "{path}", "{path+}", 1))
			}
		}
	}
	slices.Sort(found)
	return found
}

// programs are those that answer requests.
func programs() []string { return []string{"auth", "files", "download"} }

// answers returns the routes that a program answers, unnamed, and nil for one
// that answers none.
func answers(program string) map[string]bool {
	app := api.Auth
	switch program {
	case "auth":
	case "files":
		app = api.Files
	case "download":
		app = api.Download
	default:
		return nil
	}
	found := map[string]bool{}
	for _, r := range app(api.Deps{}).Routes() {
		found[unnamed(r.Method+" "+r.Path)] = true
	}
	return found
}

// unnamed returns a route, written for API Gateway or for Gin, without the names
// of its parameters.
func unnamed(route string) string {
	segments := strings.Split(route, "/")
	for i, s := range segments {
		if strings.IndexAny(s, "{:*") == 0 {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// preflight is the one route that openapi.yaml does not have: what a browser
// asks before a page of another origin may call. Every app answers it for every
// path, by the same rules.
const preflight = "OPTIONS /{path+}"

// routes holds each gateway to openapi.yaml: the HTTP API has every operation
// and no other, a REST API those of downloads. Each leads to a program that
// answers it.
func routes(s stack) (problems []string) {
	answered := map[string]map[string]bool{}
	for _, program := range programs() {
		answered[program] = answers(program)
	}
	all := operations()
	for _, door := range s.gateways() {
		left := map[string]bool{preflight: true}
		for _, o := range all {
			if key := unnamed(o); door.Type == "AWS::ApiGatewayV2::Api" || answered["download"][key] && !answered["files"][key] {
				left[o] = true
			}
		}
		for _, i := range integrations(door) {
			route := i.method + " " + i.path
			if !left[route] {
				problems = append(problems, fmt.Sprintf("%s is no operation of openapi.yaml that belongs there", i))
				continue
			}
			delete(left, route)
			function, _ := i.calls()
			program := s[function].program()
			if answered[program] == nil || route != preflight && !answered[program][unnamed(route)] {
				problems = append(problems, fmt.Sprintf("%s leads to %q, and its program %q does not answer it", i, function, program))
			}
		}
		for route := range left {
			problems = append(problems, fmt.Sprintf("%s of %s leads nowhere", route, door.Name))
		}
	}
	if len(s.of("AWS::ApiGatewayV2::Api")) != 1 {
		problems = append(problems, "there has to be one HTTP API")
	}
	slices.Sort(problems)
	return problems
}
