package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// integration is how a front door calls a function for one route.
type integration struct {
	door     resource
	method   string // upper case
	path     string
	kind     string
	format   string
	transfer string // how the answer comes back; empty: at once
	timeout  float64
	uri      string
}

func (i integration) String() string { return i.method + " " + i.path + " of " + i.door.Name }

// gateways are the two kinds of API.
func (s stack) gateways() []resource {
	return append(s.of("AWS::ApiGatewayV2::Api"), s.of("AWS::ApiGateway::RestApi")...)
}

// integrations returns one for each method of each path of a gateway.
func integrations(door resource) []integration {
	const field = "x-amazon-apigateway-integration"
	var found []integration
	paths, _ := at(door.Properties, "Body", "paths").(object)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods, _ := paths[path].(object)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			if method == "parameters" { // of the path
				continue
			}
			given, _ := at(methods[method], field).(object)
			if ref := text(given, "$ref"); ref != "" {
				given, _ = at(door.Properties, append([]string{"Body"}, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)...).(object)
			}
			found = append(found, integration{
				door: door, method: strings.ToUpper(method), path: path,
				kind: text(given, "type"), format: text(given, "payloadFormatVersion"), transfer: text(given, "responseTransferMode"),
				timeout: number(given, "timeoutInMillis"), uri: text(given, "uri"),
			})
		}
	}
	return found
}

// The two calls of a function that API Gateway makes. What is called by the
// first is sent on when it is whole, whatever else the integration says.
var (
	buffered = regexp.MustCompile(`^arn:\$\{AWS::Partition}:apigateway:\$\{AWS::Region}:lambda:path/2015-03-31/functions/\$\{(\w+)\.Arn}:live/invocations$`)
	streamed = regexp.MustCompile(`^arn:\$\{AWS::Partition}:apigateway:\$\{AWS::Region}:lambda:path/2021-11-15/functions/\$\{(\w+)\.Arn}:live/response-streaming-invocations$`)
)

// calls returns the function that the integration calls, and whether it streams.
func (i integration) calls() (function string, streams bool) {
	if m := streamed.FindStringSubmatch(i.uri); m != nil {
		return m[1], true
	}
	if m := buffered.FindStringSubmatch(i.uri); m != nil {
		return m[1], false
	}
	return "", false
}

// streaming holds a front door that is to stream to all that it takes. API
// Gateway sends an answer on when it is whole where one of these lacks, without a
// word.
func streaming(s stack) (problems []string) {
	doors := 0
	for _, url := range s.of("AWS::Lambda::Url") {
		doors++
		if mode := text(url.Properties, "InvokeMode"); mode != "RESPONSE_STREAM" {
			problems = append(problems, fmt.Sprintf("%s has the InvokeMode %q, and so does not stream", url.Name, mode))
		}
	}
	for _, api := range s.gateways() {
		for _, i := range integrations(api) {
			function, streams := i.calls()
			wanted := text(s[function].Properties, "Environment", "Variables", "SLUICE_TRANSPORT") == "rest-stream"
			if wanted {
				doors++
			}
			if wanted != streams {
				problems = append(problems, fmt.Sprintf("%s calls %s by %s", i, function, i.uri))
			}
			if (i.transfer == "STREAM") != wanted {
				problems = append(problems, fmt.Sprintf("%s has the responseTransferMode %q", i, i.transfer))
			}
		}
	}
	if doors == 0 {
		problems = append(problems, "nothing streams")
	}
	return problems
}

// transports holds what a function expects to what its front door sends.
func transports(s stack) (problems []string) {
	for _, api := range s.gateways() {
		for _, i := range integrations(api) {
			function, streams := i.calls()
			f, ok := s[function]
			if !ok || i.kind != "aws_proxy" {
				problems = append(problems, fmt.Sprintf("%s calls no function: %s %s", i, i.kind, i.uri))
				continue
			}
			sends := "http"
			switch {
			case api.Type == "AWS::ApiGatewayV2::Api" && i.format != "2.0":
				sends = "http with payload format " + i.format
			case api.Type == "AWS::ApiGateway::RestApi" && streams:
				sends = "rest-stream"
			case api.Type == "AWS::ApiGateway::RestApi":
				sends = "rest"
			}
			if expects := f.environment()["SLUICE_TRANSPORT"]; expects != sends {
				problems = append(problems, fmt.Sprintf("%s sends %s, and %s expects %s", i, sends, function, expects))
			}
		}
		if api.Type == "AWS::ApiGateway::RestApi" && !slices.Contains(texts(api.Properties, "Body", "x-amazon-apigateway-binary-media-types"), "*/*") {
			problems = append(problems, api.Name+" takes bodies for text: its BinaryMediaTypes lack */*")
		}
	}
	for _, url := range s.of("AWS::Lambda::Url") {
		function := strings.TrimSuffix(strings.TrimPrefix(text(url.Properties, "TargetFunctionArn"), "${"), ".Arn}")
		if expects := s[function].environment()["SLUICE_TRANSPORT"]; expects != "url-stream" {
			problems = append(problems, fmt.Sprintf("%s sends url-stream, and %s expects %q", url.Name, function, expects))
		}
	}
	return problems
}

// timeouts holds each function to an end before its gateway's, which would hide
// what went wrong, and each gateway to what AWS allows it.
func timeouts(s stack) (problems []string) {
	for _, api := range s.gateways() {
		for _, i := range integrations(api) {
			function, streams := i.calls()
			most := 29_000.0
			switch {
			case api.Type == "AWS::ApiGatewayV2::Api":
				most = 30_000
			case streams:
				most = 900_000
			}
			if i.timeout <= 0 || i.timeout > most {
				problems = append(problems, fmt.Sprintf("%s waits %.0f ms, and may wait from 1 to %.0f", i, i.timeout, most))
			}
			if takes := number(s[function].Properties, "Timeout") * 1000; takes <= 0 || takes > i.timeout {
				problems = append(problems, fmt.Sprintf("%s waits %.0f ms for %s, which may take %.0f", i, i.timeout, function, takes))
			}
		}
	}
	return problems
}
