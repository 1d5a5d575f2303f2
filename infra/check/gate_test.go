package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// gate stands before an emulator of DynamoDB, which knows no rights, and lets
// through what a role's statements allow, as IAM would.
type gate struct {
	*httptest.Server

	statements []object
	tables     map[string]string // the ARN as the stack has it, by the table's name

	mu      sync.Mutex
	used    map[right]bool
	refused map[right]bool
}

// right is one thing that a request does.
type right struct {
	action string
	table  string // as the stack has it
	key    string // the partition key; empty where it is not one that is written
}

func (r right) String() string { return r.action + " on " + r.table + " " + r.key }

// newGate returns a gate before the emulator at an endpoint.
func newGate(t *testing.T, endpoint string, statements []object, tables map[string]string) *gate {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{statements: statements, tables: tables, used: map[right]bool{}, refused: map[right]bool{}}
	proxy := httputil.NewSingleHostReverseProxy(to)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if wanting := g.lacking(r.Header.Get("X-Amz-Target"), body); len(wanting) > 0 {
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{
				"__type": "com.amazon.coral.service#AccessDeniedException", "Message": fmt.Sprintf("not authorized to perform: %v", wanting),
			})
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

// lacking returns what the role may not do of a request, and notes all of it.
func (g *gate) lacking(target string, body []byte) (wanting []right) {
	asked, err := g.asks(target, body)
	if err != nil {
		return []right{{action: target + ": " + err.Error()}}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range asked {
		if slices.ContainsFunc(g.statements, func(st object) bool { return allows(st, r) }) {
			g.used[r] = true
			continue
		}
		g.refused[r] = true
		wanting = append(wanting, r)
	}
	return wanting
}

// item is what a request says of one item.
type item struct {
	TableName string
	Key, Item map[string]map[string]any
}

func (i item) right(action string, tables map[string]string) right {
	key, _ := i.Key["pk"]["S"].(string)
	if key == "" {
		key, _ = i.Item["pk"]["S"].(string)
	}
	return right{"dynamodb:" + action, tables[i.TableName], key}
}

// asks returns what a request does: a transaction is what its actions are.
func (g *gate) asks(target string, body []byte) ([]right, error) {
	_, operation, _ := strings.Cut(target, ".")
	var request struct {
		item

		TransactItems []map[string]item
		RequestItems  map[string]json.RawMessage
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	var rights []right
	switch operation {
	case "TransactWriteItems":
		for _, actions := range request.TransactItems {
			for action, i := range actions {
				if action != "ConditionCheck" {
					action += "Item"
				} else {
					action = "ConditionCheckItem"
				}
				rights = append(rights, i.right(action, g.tables))
			}
		}
	case "BatchGetItem":
		for name := range request.RequestItems {
			rights = append(rights, item{TableName: name}.right(operation, g.tables))
		}
	default:
		rights = append(rights, request.right(operation, g.tables))
	}
	return rights, nil
}

// allows reports whether a statement allows something, as far as those of the
// template go: the wildcard of a key stands at its end.
func allows(st object, r right) bool {
	if !slices.Contains(texts(st, "Action"), r.action) || !slices.Contains(texts(st, "Resource"), r.table) {
		return false
	}
	condition, bound := at(st, "Condition").(object)
	if !bound {
		return true
	}
	return r.key != "" && slices.ContainsFunc(texts(condition, leadingKeys, "dynamodb:LeadingKeys"), func(pattern string) bool {
		prefix, wild := strings.CutSuffix(pattern, "*")
		return r.key == pattern || wild && strings.HasPrefix(r.key, prefix)
	})
}

// denials returns what was asked for and refused, once each, without ids.
func (g *gate) denials() []string { return g.words(g.refused) }

// words returns rights by the first word of their keys.
func (g *gate) words(of map[right]bool) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := map[string]bool{}
	for r := range of {
		r.key, _, _ = strings.Cut(r.key, "#")
		found[r.String()] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// join adds what was done through another gate before the same role.
func (g *gate) join(other *gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.Copy(g.used, other.used)
}

// unused returns what a role's statements allow and nobody did: a key that was
// never written, and an action that was never done on a table.
func (g *gate) unused() (found []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	did := func(some func(right) bool) bool {
		for r := range g.used {
			if some(r) {
				return true
			}
		}
		return false
	}
	for _, st := range g.statements {
		for _, table := range texts(st, "Resource") {
			for _, action := range texts(st, "Action") {
				if strings.HasPrefix(action, "dynamodb:") && !did(func(r right) bool { return r.action == action && r.table == table && allows(st, r) }) {
					found = append(found, action+" on "+table)
				}
			}
		}
		for _, pattern := range texts(st, "Condition", leadingKeys, "dynamodb:LeadingKeys") {
			one := object{"Action": st["Action"], "Resource": st["Resource"], "Condition": object{leadingKeys: object{"dynamodb:LeadingKeys": pattern}}}
			if !did(func(r right) bool { return allows(one, r) }) {
				found = append(found, fmt.Sprintf("%v of %s", texts(st, "Action"), pattern))
			}
		}
	}
	return found
}

func TestTheGateAllowsWhatIAMWould(t *testing.T) {
	const table = "${DomainTable.Arn}"
	read := object{"Action": []any{"dynamodb:GetItem", "dynamodb:Query"}, "Resource": []any{table}}
	write := object{
		"Action": "dynamodb:PutItem", "Resource": table,
		"Condition": object{leadingKeys: object{"dynamodb:LeadingKeys": []any{"USER#*", "USERNAMES"}}},
	}
	cases := []struct {
		statement object
		right     right
		want      bool
	}{
		{read, right{"dynamodb:GetItem", table, "USER#1"}, true},
		{read, right{"dynamodb:Query", table, ""}, true},
		{read, right{"dynamodb:PutItem", table, "USER#1"}, false},
		{read, right{"dynamodb:GetItem", "${HotTable.Arn}", "USER#1"}, false},
		{write, right{"dynamodb:PutItem", table, "USER#1"}, true},
		{write, right{"dynamodb:PutItem", table, "USERNAMES"}, true},
		{write, right{"dynamodb:PutItem", table, "USERNAMES2"}, false},
		{write, right{"dynamodb:PutItem", table, "USER"}, false},
		{write, right{"dynamodb:PutItem", table, "FILE#1"}, false},
		{write, right{"dynamodb:PutItem", table, ""}, false},
		{write, right{"dynamodb:DeleteItem", table, "USER#1"}, false},
	}
	for _, c := range cases {
		if got := allows(c.statement, c.right); got != c.want {
			t.Errorf("%v allows %s: %v, want %v", c.statement, c.right, got, c.want)
		}
	}
}

func TestTheGateSeesWhatARequestDoes(t *testing.T) {
	g := &gate{tables: map[string]string{"a": "A", "b": "B"}}
	cases := []struct{ target, body, want string }{
		{"DynamoDB_20120810.GetItem", `{"TableName":"a","Key":{"pk":{"S":"USER#1"},"sk":{"S":"USER"}}}`, "dynamodb:GetItem on A USER#1"},
		{"DynamoDB_20120810.PutItem", `{"TableName":"b","Item":{"pk":{"S":"LEASES"},"n":{"N":"1"}}}`, "dynamodb:PutItem on B LEASES"},
		{"DynamoDB_20120810.Query", `{"TableName":"a","KeyConditionExpression":"#p = :p"}`, "dynamodb:Query on A "},
		{"DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"a":{"Keys":[{"pk":{"S":"USER#1"}}]}}}`, "dynamodb:BatchGetItem on A "},
		{
			"DynamoDB_20120810.TransactWriteItems",
			`{"TransactItems":[{"ConditionCheck":{"TableName":"a","Key":{"pk":{"S":"USER#1"}}}},{"Put":{"TableName":"a","Item":{"pk":{"S":"FILE#1"}}}},{"Delete":{"TableName":"b","Key":{"pk":{"S":"DUE#1"}}}}]}`,
			"dynamodb:ConditionCheckItem on A USER#1, dynamodb:PutItem on A FILE#1, dynamodb:DeleteItem on B DUE#1",
		},
	}
	for _, c := range cases {
		asked, err := g.asks(c.target, []byte(c.body))
		var got []string
		for _, r := range asked {
			got = append(got, r.String())
		}
		if strings.Join(got, ", ") != c.want || err != nil {
			t.Errorf("%s %s is %q, %v; want %q", c.target, c.body, got, err, c.want)
		}
	}
}
