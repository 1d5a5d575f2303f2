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

// gate stands before an emulator of DynamoDB and a small server of SSM, Secrets
// Manager and SQS, none of which knows rights, and lets through what a role's
// statements allow, as IAM would.
type gate struct {
	*httptest.Server

	statements []object
	arns       map[string]string // as the stack has them, by a table's name or a queue's URL

	mu      sync.Mutex
	used    map[right]bool
	refused map[right]bool
}

// right is one thing that a request does.
type right struct {
	action string
	on     string // the ARN as the stack has it
	key    string // the partition key; empty where it is not one that is written
}

func (r right) String() string { return strings.TrimSpace(r.action + " on " + r.on + " " + r.key) }

// gated are the services that a gate stands before, as actions begin. MinIO holds
// s3 to the roles by itself; what is done with logs and xray is Lambda's doing.
func gated(action string) bool {
	service, _, _ := strings.Cut(action, ":")
	return slices.Contains([]string{"dynamodb", "ssm", "secretsmanager", "sqs"}, service)
}

// newGate returns a gate before the emulator of DynamoDB at one endpoint, and
// before all the rest at another.
func newGate(t *testing.T, records, rest string, statements []object, arns map[string]string) *gate {
	t.Helper()
	g := &gate{statements: statements, arns: arns, used: map[right]bool{}, refused: map[right]bool{}}
	toRecords, toRest := proxyTo(t, records), proxyTo(t, rest)
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
		if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_") {
			toRecords.ServeHTTP(w, r)
		} else {
			toRest.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

// proxyTo passes requests on as they are: their signatures hold for the host that
// they were sent to.
func proxyTo(t *testing.T, endpoint string) http.Handler {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return httputil.NewSingleHostReverseProxy(to)
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

func (i item) right(action string, arns map[string]string) right {
	key, _ := i.Key["pk"]["S"].(string)
	if key == "" {
		key, _ = i.Item["pk"]["S"].(string)
	}
	return right{"dynamodb:" + action, arns[i.TableName], key}
}

// asks returns what a request does: a transaction is what its actions are.
func (g *gate) asks(target string, body []byte) ([]right, error) {
	service, operation, _ := strings.Cut(target, ".")
	var request struct {
		item

		TransactItems  []map[string]item
		RequestItems   map[string]json.RawMessage
		Name, SecretID string // of a parameter and of a secret
		QueueURL       string
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	const ours = "${AWS::Region}:${AWS::AccountId}:"
	var rights []right
	switch {
	case service == "AmazonSSM":
		rights = append(rights, right{"ssm:" + operation, "arn:${AWS::Partition}:ssm:" + ours + "parameter" + request.Name, ""})
	case service == "secretsmanager":
		on := "arn:${AWS::Partition}:secretsmanager:" + ours + "secret:" + request.Name + request.SecretID + "-a1B2c3" // as AWS would add
		rights = append(rights, right{"secretsmanager:" + operation, on, ""})
	case service == "AmazonSQS":
		rights = append(rights, right{"sqs:" + operation, g.arns[request.QueueURL], ""})
	case operation == "TransactWriteItems":
		for _, actions := range request.TransactItems {
			for action, i := range actions {
				if action != "ConditionCheck" {
					action += "Item"
				} else {
					action = "ConditionCheckItem"
				}
				rights = append(rights, i.right(action, g.arns))
			}
		}
	case operation == "BatchGetItem":
		for name := range request.RequestItems {
			rights = append(rights, item{TableName: name}.right(operation, g.arns))
		}
	default:
		rights = append(rights, request.right(operation, g.arns))
	}
	return rights, nil
}

// allows reports whether a statement allows something, as far as those of the
// template go: the wildcard of a key stands at its end, and those of a resource
// for one character each.
func allows(st object, r right) bool {
	if !slices.Contains(texts(st, "Action"), r.action) || !slices.ContainsFunc(texts(st, "Resource"), func(p string) bool { return covers(p, r.on) }) {
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

// covers reports whether a resource of a statement is that one.
func covers(pattern, arn string) bool {
	pattern = strings.ReplaceAll(pattern, "${AWS::StackName}", stackName)
	if len(pattern) != len(arn) {
		return false
	}
	for i := range len(pattern) {
		if pattern[i] != arn[i] && pattern[i] != '?' {
			return false
		}
	}
	return true
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
		for _, on := range texts(st, "Resource") {
			for _, action := range texts(st, "Action") {
				if gated(action) && !did(func(r right) bool { return r.action == action && covers(on, r.on) && allows(st, r) }) {
					found = append(found, action+" on "+on)
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
	const secret = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
	secrets := object{"Action": "secretsmanager:GetSecretValue", "Resource": secret + "${AWS::StackName}/keys/verifying-??????"}
	cases := []struct {
		statement object
		right     right
		want      bool
	}{
		{secrets, right{"secretsmanager:GetSecretValue", secret + "sluice/keys/verifying-a1B2c3", ""}, true},
		{secrets, right{"secretsmanager:GetSecretValue", secret + "sluice/keys/verifying-a1B2c", ""}, false},
		{secrets, right{"secretsmanager:GetSecretValue", secret + "sluice/keys/verifying-more-a1B2c3", ""}, false},
		{secrets, right{"secretsmanager:GetSecretValue", secret + "sluice/keys/signing-a1B2c3", ""}, false},
		{secrets, right{"secretsmanager:GetSecretValue", secret + "others/keys/verifying-a1B2c3", ""}, false},
		{secrets, right{"secretsmanager:PutSecretValue", secret + "sluice/keys/verifying-a1B2c3", ""}, false},
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
	g := &gate{arns: map[string]string{"a": "A", "b": "B", "https://sqs/1/jobs": "Q"}}
	cases := []struct{ target, body, want string }{
		{"DynamoDB_20120810.GetItem", `{"TableName":"a","Key":{"pk":{"S":"USER#1"},"sk":{"S":"USER"}}}`, "dynamodb:GetItem on A USER#1"},
		{"DynamoDB_20120810.PutItem", `{"TableName":"b","Item":{"pk":{"S":"LEASES"},"n":{"N":"1"}}}`, "dynamodb:PutItem on B LEASES"},
		{"DynamoDB_20120810.Query", `{"TableName":"a","KeyConditionExpression":"#p = :p"}`, "dynamodb:Query on A"},
		{"AmazonSSM.GetParameter", `{"Name":"/sluice/keys/signing","WithDecryption":true}`, "ssm:GetParameter on arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/sluice/keys/signing"},
		{"secretsmanager.GetSecretValue", `{"SecretId":"sluice/keys/signing"}`, "secretsmanager:GetSecretValue on arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:sluice/keys/signing-a1B2c3"},
		{"AmazonSQS.ReceiveMessage", `{"QueueUrl":"https://sqs/1/jobs"}`, "sqs:ReceiveMessage on Q"},
		{"AmazonSQS.SendMessage", `{"QueueUrl":"https://sqs/2/others"}`, "sqs:SendMessage on"},
		{"DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"a":{"Keys":[{"pk":{"S":"USER#1"}}]}}}`, "dynamodb:BatchGetItem on A"},
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
