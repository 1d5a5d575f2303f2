// Command check holds what template.yaml becomes to rules that no linter has:
// that what should stream streams, that no role may do everything, that each
// route of the API leads to one function and no other is open. It reads the
// transformed template as JSON; `make validate` makes it.
//
// The rules see the stack as CloudFormation would make it, once for each set of
// parameters in variants.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: check transformed.json")
		os.Exit(2)
	}
	problems, err := checkFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stdout, p)
	}
	if len(problems) > 0 {
		fmt.Fprintf(os.Stdout, "template.yaml: %d problems\n", len(problems))
		os.Exit(1)
	}
	fmt.Fprintf(os.Stdout, "template.yaml: %d rules hold in %d variants\n", len(rules()), len(variants()))
}

func checkFile(path string) ([]problem, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return check(t)
}

// problem is something that a rule found.
type problem struct {
	rule    string
	variant string
	text    string
}

func (p problem) String() string { return fmt.Sprintf("%s (%s): %s", p.rule, p.variant, p.text) }

// check holds a template to every rule, in every variant. What is so in several
// is told of the first.
func check(t template) ([]problem, error) {
	var problems []problem
	told := map[string]bool{}
	for _, v := range variants() {
		s, err := t.resolve(v.parameters)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		for _, r := range rules() {
			for _, text := range r.find(s) {
				if !told[text] {
					problems, told[text] = append(problems, problem{r.name, v.name, text}), true
				}
			}
		}
	}
	return problems, nil
}

// variant is one set of parameters that changes what the stack is made of.
type variant struct {
	name       string
	parameters map[string]string
}

func variants() []variant {
	const certificate = "arn:aws:acm:us-east-1:123456789012:certificate/1"
	return []variant{
		{"as it is", nil},
		{"REST API", map[string]string{"StreamDoor": "rest-api"}},
		{"CloudFront", map[string]string{"CloudFront": "true"}},
		{"secrets, traced, an import folder", map[string]string{"KeyStore": "secretsmanager", "Tracing": "Active", "ImportFolder": "videos/"}},
		{"host names", map[string]string{
			"ApiDomain": "files.example.com", "ApiCertificate": certificate, "HostedZone": "Z1",
			"CloudFront": "true", "DownloadDomain": "get.example.com", "DownloadCertificate": certificate,
		}},
		{"host names, REST API", map[string]string{
			"ApiDomain": "files.example.com", "ApiCertificate": certificate, "HostedZone": "Z1",
			"StreamDoor": "rest-api", "DownloadDomain": "get.example.com", "DownloadCertificate": certificate,
		}},
	}
}

// rule is one thing that must be so; find returns a sentence for each place
// where it is not.
type rule struct {
	name string
	find func(stack) []string
}

func rules() []rule {
	return []rule{
		{"streams stream", streaming},
		{"a front door speaks its function's transport", transports},
		{"every route leads to one function", routes},
		{"a front door may call its function", permissions},
		{"nothing else is open", openDoors},
		{"a function answers before its gateway gives up", timeouts},
		{"no role may do everything", wildcards},
		{"only Auth writes users and logins", usersWritten},
		{"only Auth reads what signs tokens", signing},
		{"a function has what it is told to have", environment},
		{"queues let EventBridge in", queues},
		{"a job is tried again, then kept", redelivery},
		{"alarms roll a deployment back", deployments},
		{"logs are kept for a time", logs},
		{"stores are as a server wants them", storage},
	}
}
