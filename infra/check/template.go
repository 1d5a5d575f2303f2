package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// object is what JSON calls one.
type object = map[string]any

// template is a transformed template, as it was read.
type template struct {
	Parameters map[string]struct{ Default any }
	Conditions object
	Resources  map[string]object
	Outputs    object
}

func parse(text []byte) (template, error) {
	var t template
	err := json.Unmarshal(text, &t)
	if err == nil && len(t.Resources) == 0 {
		err = fmt.Errorf("there are no resources")
	}
	return t, err
}

// stack is what a template comes to with one set of parameters. In it every
// function of CloudFormation is resolved: a parameter is its value, and what only
// AWS knows stays as Sub writes it, ${Name} for a Ref and ${Name.Attribute}.
type stack map[string]resource

// resource is one of a stack's.
type resource struct {
	Name       string
	Type       string
	Properties object
	Update     object // its UpdatePolicy
}

// of returns the resources of a type, by name.
func (s stack) of(kind string) []resource {
	var found []resource
	for _, r := range s {
		if r.Type == kind {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b resource) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// resolver resolves one template.
type resolver struct {
	template
	values map[string]any  // of the parameters
	met    map[string]bool // conditions, once they are known
}

// resolve returns the stack that the template makes with these parameters, and
// the defaults of the others.
func (t template) resolve(parameters map[string]string) (stack, error) {
	r := &resolver{t, map[string]any{}, map[string]bool{}}
	for name, p := range t.Parameters {
		r.values[name] = p.Default
	}
	for name, value := range parameters {
		if _, known := r.values[name]; !known {
			return nil, fmt.Errorf("there is no parameter %s", name)
		}
		r.values[name] = value
	}
	s := stack{}
	for name, raw := range t.Resources {
		if condition, ok := raw["Condition"].(string); ok && !r.holds(condition) {
			continue
		}
		made := resource{Name: name}
		made.Type, _ = raw["Type"].(string)
		made.Properties, _ = r.value(raw["Properties"]).(object)
		made.Update, _ = r.value(raw["UpdatePolicy"]).(object)
		s[name] = made
	}
	return s, nil
}

// noValue is what takes a property away.
const noValue = "${AWS::NoValue}"

// value resolves whatever stands in a template.
func (r *resolver) value(v any) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, item := range v {
			if item = r.value(item); item != noValue {
				out = append(out, item)
			}
		}
		return out
	case object:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") {
					return r.call(name, argument)
				}
			}
		}
		out := object{}
		for name, item := range v {
			if item = r.value(item); item != noValue {
				out[name] = item
			}
		}
		return out
	}
	return v
}

// call resolves one function of CloudFormation.
func (r *resolver) call(function string, argument any) any {
	list, _ := argument.([]any)
	switch function {
	case "Ref":
		name, _ := argument.(string)
		if value, ok := r.values[name]; ok {
			return value
		}
		return "${" + name + "}"
	case "Fn::GetAtt":
		if name, ok := argument.(string); ok {
			return "${" + name + "}"
		}
		return fmt.Sprintf("${%v.%v}", list[0], list[1])
	case "Fn::If":
		if r.holds(list[0].(string)) {
			return r.value(list[1])
		}
		return r.value(list[2])
	case "Fn::Sub":
		return r.sub(argument)
	}
	return fmt.Sprintf("${%s %v}", function, r.value(argument)) // of no account here
}

// sub puts parameters into a text.
func (r *resolver) sub(argument any) string {
	local := object{}
	text, _ := argument.(string)
	if list, ok := argument.([]any); ok {
		text, local = list[0].(string), list[1].(object)
	}
	return regexp.MustCompile(`\$\{[^}!]+}`).ReplaceAllStringFunc(text, func(found string) string {
		name := found[2 : len(found)-1]
		if value, ok := local[name]; ok {
			return fmt.Sprint(r.value(value))
		}
		if value, ok := r.values[name]; ok {
			return fmt.Sprint(value)
		}
		return found
	})
}

// holds tells whether a condition is met.
func (r *resolver) holds(name string) bool {
	met, known := r.met[name]
	if !known {
		met = r.test(r.Conditions[name])
		r.met[name] = met
	}
	return met
}

func (r *resolver) test(condition any) bool {
	for function, argument := range condition.(object) {
		list, _ := argument.([]any)
		switch function {
		case "Condition":
			return r.holds(argument.(string))
		case "Fn::Equals":
			return fmt.Sprint(r.value(list[0])) == fmt.Sprint(r.value(list[1]))
		case "Fn::Not":
			return !r.test(list[0])
		case "Fn::And":
			return !slices.ContainsFunc(list, func(c any) bool { return !r.test(c) })
		case "Fn::Or":
			return slices.ContainsFunc(list, r.test)
		}
	}
	panic(fmt.Sprintf("a condition that is none: %v", condition))
}

// at walks down a value by names of properties; what is not there is nil.
func at(v any, path ...string) any {
	for _, name := range path {
		o, _ := v.(object)
		v = o[name]
	}
	return v
}

// text is at for what is to be a string.
func text(v any, path ...string) string {
	s, _ := at(v, path...).(string)
	return s
}

// number is at for what is to be a number, which a parameter may give as text.
func number(v any, path ...string) float64 {
	var n float64
	_, _ = fmt.Sscan(fmt.Sprint(at(v, path...)), &n)
	return n
}

// texts is at for what is to be strings, or one.
func texts(v any, path ...string) []string {
	switch v := at(v, path...).(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, item := range v {
			out = append(out, fmt.Sprint(item))
		}
		return out
	}
	return nil
}

// objects is at for what is to be a list of objects.
func objects(v any, path ...string) []object {
	var out []object
	list, _ := at(v, path...).([]any)
	for _, item := range list {
		if o, ok := item.(object); ok {
			out = append(out, o)
		}
	}
	return out
}
