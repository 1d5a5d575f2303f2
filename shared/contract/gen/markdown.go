package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

const preamble = `<!-- Generated from shared/contract/openapi.yaml by go generate. DO NOT EDIT. -->

`

// toMarkdown returns the page about an OpenAPI document in JSON.
func toMarkdown(source []byte) ([]byte, error) {
	p := page{}
	if err := json.Unmarshal(source, &p.document); err != nil {
		return nil, err
	}
	p.printf("%s# The HTTP API of %s %s\n\n%s\n", preamble, p.document.Info.Title, p.document.Info.Version, p.document.Info.Description)
	p.index()
	for _, tag := range p.document.Tags {
		p.printf("## %s\n\n%s\n\n", capital(tag.Name), tag.Description)
		for _, o := range p.tagged(tag.Name) {
			p.operation(o)
		}
	}
	p.errors()
	p.printf("## Types\n\n")
	for _, m := range p.document.Components.Schemas {
		p.schema(m.name, m.value)
	}
	return []byte(strings.TrimRight(p.String(), "\n") + "\n"), nil
}

// page is a page in the making.
type page struct {
	strings.Builder

	document document
}

func (p *page) printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

// row writes one row of a table.
func (p *page) row(cells ...string) {
	for _, cell := range cells {
		cell = strings.Join(strings.Fields(cell), " ")
		p.printf("| %s ", strings.ReplaceAll(cell, "|", `\|`))
	}
	p.printf("|\n")
}

// header writes the head of a table.
func (p *page) header(names ...string) {
	p.row(names...)
	p.row(slices.Repeat([]string{"---"}, len(names))...)
}

// located is an operation and where it is.
type located struct {
	operation

	method, path string
	shared       []parameter // of every operation on the path
}

func (p *page) operations() []located {
	var all []located
	for _, m := range p.document.Paths {
		item, path := m.value, m.name
		if item.CatchAll != "" {
			path = strings.TrimSuffix(path, "}") + "…}"
		}
		for _, o := range []struct {
			method    string
			operation *operation
		}{
			{"OPTIONS", item.Options},
			{"GET", item.Get},
			{"HEAD", item.Head},
			{"PUT", item.Put},
			{"POST", item.Post},
			{"PATCH", item.Patch},
			{"DELETE", item.Delete},
		} {
			if o.operation != nil {
				all = append(all, located{*o.operation, o.method, path, item.Parameters})
			}
		}
	}
	return all
}

func (p *page) tagged(tag string) []located {
	return slices.DeleteFunc(p.operations(), func(o located) bool { return !slices.Contains(o.Tags, tag) })
}

func (p *page) index() {
	p.header("", "Operation", "")
	for _, tag := range p.document.Tags {
		for _, o := range p.tagged(tag.Name) {
			p.row(capital(tag.Name), "`"+o.method+" "+o.path+"`", link(o.Summary))
		}
	}
	p.printf("\n")
}

func (p *page) operation(o located) {
	p.printf("### %s\n\n", o.Summary)
	p.printf("`%s %s` (%s, %s)\n\n", o.method, o.path, o.OperationID, p.credentials(o.operation))
	if o.Description != "" {
		p.printf("%s\n\n", strings.TrimSpace(o.Description))
	}
	p.parameters(append(slices.Clone(o.shared), o.Parameters...))
	p.body(o.operation)
	p.answers(o.operation)
}

// credentials says in words what an operation asks for.
func (p *page) credentials(o operation) string {
	needed := p.document.Security
	if o.Security != nil {
		needed = *o.Security
	}
	optional := slices.ContainsFunc(needed, func(r requirement) bool { return len(r) == 0 })
	switch {
	case len(needed) == 0:
		return "no credentials"
	case optional:
		return "bearer token or none"
	default:
		return "bearer token"
	}
}

func (p *page) parameters(list []parameter) {
	if len(list) == 0 {
		return
	}
	p.header("Parameter", "In", "Type", "Meaning")
	for _, v := range list {
		if v.Ref != "" {
			v = p.document.Components.Parameters.find(v.Ref)
		}
		p.row("`"+v.Name+"`", v.In, typeOf(v.Schema), v.Description)
	}
	p.printf("\n")
}

func (p *page) body(o operation) {
	if o.RequestBody == nil {
		return
	}
	p.printf("Body: %s", contents(o.RequestBody.Content))
	if d := strings.TrimSpace(o.RequestBody.Description); d != "" {
		p.printf(". %s", d)
	}
	p.printf("\n\n")
}

func (p *page) answers(o operation) {
	var problems []string
	p.header("Answer", "Body", "Headers", "Meaning")
	for _, m := range o.Responses {
		if r := p.resolve(m.value); r.problem() {
			problems = append(problems, m.name)
		} else {
			p.row(m.name, contents(r.Content), r.headers(), r.Description)
		}
	}
	p.printf("\nErrors: %s\n\n", strings.Join(problems, ", "))
}

func (p *page) resolve(r response) response {
	if r.Ref == "" {
		return r
	}
	return p.document.Components.Responses.find(r.Ref)
}

// errors describes every status that is answered by a problem, once.
func (p *page) errors() {
	byStatus := map[string]response{}
	for _, o := range p.operations() {
		for _, m := range o.Responses {
			if r := p.resolve(m.value); r.problem() {
				byStatus[m.name] = r
			}
		}
	}
	p.printf("## Errors\n\nThe body of each is a %s.\n\n", link("Problem"))
	p.header("Status", "Headers", "Meaning")
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		r := byStatus[status]
		p.row(status, r.headers(), r.Description)
	}
	p.printf("\n")
}

// contents says what a body may be.
func contents(content ordered[media]) string {
	var kinds []string
	for _, m := range content {
		switch {
		case m.name == "*/*":
			kinds = append(kinds, "bytes")
		case m.value.Schema.Ref == "":
			kinds = append(kinds, m.name)
		case m.name == "application/json" || m.name == problemJSON:
			kinds = append(kinds, typeOf(m.value.Schema))
		default:
			kinds = append(kinds, typeOf(m.value.Schema)+" as "+m.name)
		}
	}
	return strings.Join(kinds, ", ")
}

func (p *page) schema(name string, s schema) {
	p.printf("### %s\n\n", name)
	if s.Description != "" {
		p.printf("%s\n\n", strings.TrimSpace(s.Description))
	}
	if len(s.Properties) == 0 {
		p.printf("%s.\n\n", capital(typeOf(s)))
		return
	}
	p.header("Member", "Type", "", "Meaning")
	for _, m := range s.Properties {
		needed := "optional"
		if slices.Contains(s.Required, m.name) {
			needed = "always"
		}
		p.row("`"+m.name+"`", typeOf(m.value), needed, m.value.Description)
	}
	p.printf("\n")
}

// typeOf says in a few words what values a schema takes.
func typeOf(s schema) string {
	if s.Ref != "" {
		return link(componentName(s.Ref))
	}
	words := strings.Join(s.Type, " or ")
	if s.Format != "" {
		words += " (" + s.Format + ")"
	}
	if s.Items != nil {
		words += " of " + typeOf(*s.Items)
	}
	words += between(s.Minimum, s.Maximum, "") + between(s.MinLength, s.MaxLength, " characters")
	if s.Pattern != "" {
		words += ", matches `" + s.Pattern + "`"
	}
	if s.Const != "" {
		words += ", always `" + s.Const + "`"
	}
	if s.Default != nil {
		words += fmt.Sprintf(", `%v` if absent", s.Default)
	}
	if values := append(slices.Clone(s.Enum), s.Codes...); len(values) > 0 {
		words += ": `" + strings.Join(values, "`, `") + "`"
	}
	return words
}

// between says which numbers of something are taken.
func between(least, most *int64, unit string) string {
	switch {
	case least != nil && most != nil:
		return fmt.Sprintf(", %d to %d%s", *least, *most, unit)
	case least != nil:
		return fmt.Sprintf(", at least %d%s", *least, unit)
	case most != nil:
		return fmt.Sprintf(", at most %d%s", *most, unit)
	default:
		return ""
	}
}

// link returns a link to the heading of that text on the same page.
func link(heading string) string { return fmt.Sprintf("[%s](#%s)", heading, slug(heading)) }

// slug returns the anchor that GitHub and others give a heading.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		default:
			return -1
		}
	}, heading)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
