package main

import (
	"fmt"
	"regexp"
	"strings"
)

// target returns the function that a permission is about.
func target(permission resource) string {
	name := text(permission.Properties, "FunctionName")
	return strings.TrimSuffix(strings.TrimPrefix(name, "${"), "Aliaslive}")
}

// permits reports whether the stack lets a service call a function's alias for
// a source.
func (s stack) permits(function, action, service string, source func(string) bool) bool {
	for _, p := range s.of("AWS::Lambda::Permission") {
		if target(p) == function && text(p.Properties, "Action") == action && text(p.Properties, "Principal") == service &&
			source(text(p.Properties, "SourceArn")) {
			return true
		}
	}
	return false
}

// permissions holds every front door to the permission without which its calls
// are refused.
func permissions(s stack) (problems []string) {
	for _, api := range s.gateways() {
		for _, i := range integrations(api) {
			function, _ := i.calls()
			of := func(source string) bool { return strings.Contains(source, ":${"+api.Name+"}/") }
			if !s.permits(function, "lambda:InvokeFunction", "apigateway.amazonaws.com", of) {
				problems = append(problems, fmt.Sprintf("%s may not call %s", i, function))
			}
		}
	}
	for _, url := range s.of("AWS::Lambda::Url") {
		function := strings.TrimSuffix(strings.TrimPrefix(text(url.Properties, "TargetFunctionArn"), "${"), ".Arn}")
		caller, of := "*", func(source string) bool { return source == "" }
		if text(url.Properties, "AuthType") == "AWS_IAM" {
			caller, of = "cloudfront.amazonaws.com", func(source string) bool { return strings.HasSuffix(source, ":distribution/${Distribution}") }
		}
		for _, action := range []string{"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"} {
			if !s.permits(function, action, caller, of) {
				problems = append(problems, fmt.Sprintf("%s may not be called by %s: %s has no permission for %s", url.Name, caller, function, action))
			}
		}
	}
	return problems
}

// whole is a source that is one API with all its routes.
var whole = regexp.MustCompile(`^arn:\$\{AWS::Partition}:execute-api:\$\{AWS::Region}:\$\{AWS::AccountId}:\$\{\w+}/\*$`)

// openDoors looks for whoever may come in and is not meant to.
func openDoors(s stack) (problems []string) {
	for _, p := range s.of("AWS::Lambda::Permission") {
		if problem := tooOpen(s, p); problem != "" {
			problems = append(problems, p.Name+" "+problem)
		}
	}
	for _, url := range s.of("AWS::Lambda::Url") {
		if auth := text(url.Properties, "AuthType"); auth != "AWS_IAM" && len(s.of("AWS::CloudFront::Distribution")) > 0 {
			problems = append(problems, fmt.Sprintf("%s can be called past CloudFront: its AuthType is %s", url.Name, auth))
		}
		if f := text(url.Properties, "TargetFunctionArn"); f != "${DownloadStream.Arn}" {
			problems = append(problems, fmt.Sprintf("%s opens %s to the world", url.Name, f))
		}
		if text(url.Properties, "Qualifier") != "live" {
			problems = append(problems, url.Name+" leads past the alias, and so past deployments")
		}
	}
	for _, b := range s.of("AWS::S3::Bucket") {
		for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
			if at(b.Properties, "PublicAccessBlockConfiguration", block) != true {
				problems = append(problems, fmt.Sprintf("%s does not set %s", b.Name, block))
			}
		}
	}
	for _, kind := range []string{"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"} {
		for _, p := range s.of(kind) {
			for _, st := range objects(p.Properties, "PolicyDocument", "Statement") {
				if text(st, "Effect") == "Allow" && at(st, "Condition") == nil {
					problems = append(problems, fmt.Sprintf("%s allows %v without a condition", p.Name, texts(st, "Action")))
				}
			}
		}
	}
	return problems
}

// tooOpen says what is wrong with a permission.
func tooOpen(s stack, p resource) string {
	source, action := text(p.Properties, "SourceArn"), text(p.Properties, "Action")
	switch caller := text(p.Properties, "Principal"); caller {
	case "*":
		byURL := text(p.Properties, "FunctionUrlAuthType") == "NONE" || at(p.Properties, "InvokedViaFunctionUrl") == true
		if target(p) != "DownloadStream" || !byURL || len(s.of("AWS::CloudFront::Distribution")) > 0 {
			return fmt.Sprintf("lets everybody call %s", target(p))
		}
	case "apigateway.amazonaws.com":
		if !whole.MatchString(source) || action != "lambda:InvokeFunction" {
			return fmt.Sprintf("lets every API call %s: its source is %q", target(p), source)
		}
		if answers(s[target(p)].program()) == nil {
			return fmt.Sprintf("lets an API call %s", target(p))
		}
	case "cloudfront.amazonaws.com":
		if !strings.HasSuffix(source, ":distribution/${Distribution}") {
			return fmt.Sprintf("lets every distribution call %s: its source is %q", target(p), source)
		}
	case "events.amazonaws.com":
		if !strings.HasPrefix(source, "${") || target(p) != "Janitor" {
			return fmt.Sprintf("lets %q call %s", source, target(p))
		}
	default:
		return fmt.Sprintf("lets %s call %s", caller, target(p))
	}
	return ""
}
