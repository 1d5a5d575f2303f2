package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// statements returns what a role is allowed, by its policies.
func statements(role resource) []object {
	var found []object
	for _, p := range objects(role.Properties, "Policies") {
		found = append(found, objects(p, "PolicyDocument", "Statement")...)
	}
	return found
}

// ownRoles are the roles that template.yaml writes out: all but CodeDeploy's,
// which has AWS's policy for that service.
func (s stack) ownRoles() []resource {
	return slices.DeleteFunc(s.of("AWS::IAM::Role"), func(r resource) bool {
		return slices.Equal(texts(r.Properties, "ManagedPolicyArns"), []string{"arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"})
	})
}

// roleOf returns the role of a function; none where it is no role of the stack.
func (s stack) roleOf(f resource) resource {
	return s[strings.TrimSuffix(strings.TrimPrefix(text(f.Properties, "Role"), "${"), ".Arn}")]
}

// named is a resource of ours, as exactly as it can be named: objects by their
// bucket, and a secret but for the six characters that AWS adds to its name.
var named = regexp.MustCompile(`^(\$\{\w+\.Arn}(/\*)?|arn:\$\{AWS::Partition}:[a-z]+:\$\{AWS::Region}:\$\{AWS::AccountId}:[a-z]+[/:]\$\{AWS::StackName}/keys/[a-z]+(-\?{6})?)$`)

// unnamable are the actions that take no resource but all.
func unnamable() []string { return []string{"xray:PutTraceSegments", "xray:PutTelemetryRecords"} }

// wildcards looks for roles that are wider than they need be.
func wildcards(s stack) (problems []string) {
	for _, role := range s.ownRoles() {
		say := func(format string, a ...any) { problems = append(problems, role.Name+" "+fmt.Sprintf(format, a...)) }
		if managed := texts(role.Properties, "ManagedPolicyArns"); len(managed) > 0 {
			say("has policies that are not written out: %v", managed)
		}
		for _, st := range statements(role) {
			actions := texts(st, "Action")
			if text(st, "Effect") != "Allow" || at(st, "NotAction") != nil || at(st, "NotResource") != nil || len(actions) == 0 {
				say("has a statement that is no plain permission: %v", st)
			}
			for _, action := range actions {
				if strings.ContainsAny(action, "*?") {
					say("may do %s", action)
				}
			}
			for _, on := range texts(st, "Resource") {
				exempt := on == "*" && len(actions) > 0 && !slices.ContainsFunc(actions, func(a string) bool { return !slices.Contains(unnamable(), a) })
				if !exempt && !named.MatchString(on) {
					say("may do %v on %s", actions, on)
				}
			}
		}
	}
	for _, f := range s.functions() {
		role := s.roleOf(f).Name
		if !slices.ContainsFunc(s.ownRoles(), func(r resource) bool { return r.Name == role }) {
			problems = append(problems, fmt.Sprintf("%s has the role %q, which is none of those written out", f.Name, text(f.Properties, "Role")))
		}
		for _, other := range s.functions() {
			if text(other.Properties, "Role") == text(f.Properties, "Role") && other.program() != f.program() {
				problems = append(problems, fmt.Sprintf("%s and %s have one role", f.Name, other.Name))
			}
		}
	}
	return problems
}

// leadingKeys is how a statement looks at partition keys.
const leadingKeys = "ForAllValues:StringLike"

// usersWritten looks for whoever but Auth may write a user or a login.
func usersWritten(s stack) (problems []string) {
	writes := []string{"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"}
	users := []string{"USER#", "USERNAMES", "LOGIN#"}
	for _, role := range s.ownRoles() {
		for _, st := range statements(role) {
			if !slices.ContainsFunc(texts(st, "Action"), func(a string) bool { return slices.Contains(writes, a) }) {
				continue
			}
			keys := texts(st, "Condition", leadingKeys, "dynamodb:LeadingKeys")
			if len(keys) == 0 || text(st, "Condition", "Null", "dynamodb:LeadingKeys") != "false" {
				problems = append(problems, fmt.Sprintf("%s may write whatever key of %v", role.Name, texts(st, "Resource")))
			}
			for _, key := range keys {
				prefix, wild := strings.CutSuffix(key, "*")
				for _, u := range users {
					if role.Name != "AuthRole" && (strings.HasPrefix(prefix, u) || wild && strings.HasPrefix(u, prefix)) {
						problems = append(problems, fmt.Sprintf("%s may write %s", role.Name, key))
					}
				}
			}
		}
	}
	return problems
}

// signing looks for whoever but Auth may read what signs tokens, and for keys
// that a function needs and may not read, or may and does not need.
func signing(s stack) (problems []string) {
	for _, f := range s.functions() {
		role := s.roleOf(f)
		wanted := map[string]bool{"signing": f.program() == "auth", "verifying": answers(f.program()) != nil}
		for _, half := range []string{"signing", "verifying"} {
			at := document(f.environment()["SLUICE_KEYS"], half)
			reads := slices.ContainsFunc(statements(role), func(st object) bool {
				return slices.ContainsFunc(texts(st, "Resource"), func(on string) bool { return strings.Contains(on, "/keys/"+half) })
			})
			right := slices.ContainsFunc(statements(role), func(st object) bool {
				return slices.ContainsFunc(texts(st, "Resource"), func(on string) bool { return strings.HasSuffix(on, at) })
			})
			if reads != wanted[half] || wanted[half] && !right {
				problems = append(problems, fmt.Sprintf("%s reads the %s keys: %v, and ought to: %v, from %s", f.Name, half, reads, wanted[half], at))
			}
		}
	}
	return problems
}

// document returns how the ARN ends of one half of the keys that SLUICE_KEYS
// names.
func document(setting, half string) string {
	if name, ok := strings.CutPrefix(setting, "secretsmanager:"); ok {
		return ":secret:" + name + "/" + half + "-??????" // AWS adds as much to a name
	}
	return ":parameter" + strings.TrimPrefix(setting, "ssm:") + "/" + half
}
