package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// transformed returns the template that `make validate` has made.
func transformed(t *testing.T) []byte {
	t.Helper()
	path := os.Getenv("SLUICE_TEMPLATE")
	if path == "" {
		t.Skip("there is no transformed template; `make validate` makes one and runs this test on it")
	}
	read, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestTheTemplateKeepsTheRules(t *testing.T) {
	parsed, err := parse(transformed(t))
	if err != nil {
		t.Fatal(err)
	}
	problems, err := check(parsed)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// edit changes what stands at a path of a template, whose entries are names of
// properties, or numbers of list entries as text. nil removes it.
type edit struct {
	path  string
	value any
}

func (e edit) apply(t *testing.T, template any) {
	t.Helper()
	steps := strings.Split(e.path, " ")
	last := steps[len(steps)-1]
	for _, step := range steps[:len(steps)-1] {
		template = child(t, template, step, e.path)
	}
	switch parent := template.(type) {
	case object:
		if e.value == nil {
			if _, there := parent[last]; !there {
				t.Fatalf("%s is not there to be removed", e.path)
			}
			delete(parent, last)
			return
		}
		parent[last] = e.value
	case []any:
		parent[index(t, last)] = e.value
	}
}

func child(t *testing.T, of any, step, path string) any {
	t.Helper()
	switch of := of.(type) {
	case object:
		if next, ok := of[step]; ok {
			return next
		}
	case []any:
		if i := index(t, step); i < len(of) {
			return of[i]
		}
	}
	t.Fatalf("the template has nothing at %s of %s", step, path)
	return nil
}

func index(t *testing.T, step string) int {
	t.Helper()
	var n int
	if err := json.Unmarshal([]byte(step), &n); err != nil {
		t.Fatalf("%s is no number of an entry", step)
	}
	return n
}

// Each fault is one that a linter lets pass, and is named by the rule that it
// breaks. A rule without a fault here would be one that may never find any.
func TestRulesFindPlantedFaults(t *testing.T) {
	const (
		api      = "Resources Api Properties Body"
		shared   = api + " components x-amazon-apigateway-integrations"
		rest     = "Resources StreamApi Properties Body paths /l/{link}/{name} get x-amazon-apigateway-integration"
		policy   = " Properties Policies 0 PolicyDocument Statement"
		once     = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${DownloadStream.Arn}:live/invocations"
		everyone = "lambda:InvokeFunction"
	)
	ref := func(name string) object {
		return object{"x-amazon-apigateway-integration": object{"$ref": "#/components/x-amazon-apigateway-integrations/" + name}}
	}
	permission := func(properties object) object {
		return object{"Type": "AWS::Lambda::Permission", "Properties": properties}
	}
	cases := []struct {
		name  string
		rule  string
		edits []edit
	}{
		{"a Function URL that buffers", "streams stream", []edit{{"Resources DownloadStreamURL Properties InvokeMode", "BUFFERED"}}},
		{"a Function URL without a mode", "streams stream", []edit{{"Resources DownloadStreamURL Properties InvokeMode", nil}}},
		{"a REST route that calls for one whole answer", "streams stream", []edit{{rest + " uri", object{"Fn::Sub": once}}}},
		{"a REST route that sends it when it is whole", "streams stream", []edit{{rest + " responseTransferMode", nil}}},
		{"a REST route with SAM's word for it", "streams stream", []edit{{rest + " responseTransferMode", "RESPONSE_STREAM"}}},
		{"an HTTP API that is to stream", "streams stream", []edit{{shared + " download responseTransferMode", "STREAM"}}},
		{"payloads of the first format", "a front door speaks its function's transport", []edit{{shared + " files payloadFormatVersion", "1.0"}}},
		{"a function that expects another event", "a front door speaks its function's transport", []edit{{"Resources Download Properties Environment Variables SLUICE_TRANSPORT", "alb"}}},
		{"a URL before a function of the REST API", "a front door speaks its function's transport", []edit{{"Resources DownloadStream Properties Environment Variables SLUICE_TRANSPORT", "rest-stream"}}},
		{"a REST API that takes bodies for text", "a front door speaks its function's transport", []edit{{"Resources StreamApi Properties Body x-amazon-apigateway-binary-media-types", []any{"image/png"}}}},
		{"a route that lacks", "every route leads to one function", []edit{{api + " paths /api/login post", nil}}},
		{"a path that lacks", "every route leads to one function", []edit{{api + " paths /api/files/{id}/versions", nil}}},
		{"a route too many", "every route leads to one function", []edit{{api + " paths /api/login get", ref("auth")}}},
		{"a route for all the rest", "every route leads to one function", []edit{{api + " paths $default", object{"x-amazon-apigateway-any-method": ref("files")["x-amazon-apigateway-integration"]}}}},
		{"a route to the wrong function", "every route leads to one function", []edit{{api + " paths /api/users get", ref("files")}}},
		{"a download that is sent to Files", "every route leads to one function", []edit{{api + " paths /api/files/{id}/content get", ref("files")}}},
		{"a REST API that takes uploads", "every route leads to one function", []edit{{"Resources StreamApi Properties Body paths /api/files", object{"post": ref("files")}}}},
		{"a function that the API may not call", "a front door may call its function", []edit{{"Resources FilesByApi", nil}}},
		{"a function that the API may call past its alias", "a front door may call its function", []edit{{"Resources FilesByApi Properties FunctionName", object{"Ref": "Files"}}}},
		{"a URL with one permission of two", "a front door may call its function", []edit{{"Resources DownloadStreamByAnyoneThroughURL", nil}}},
		{"a URL that CloudFront may not call", "a front door may call its function", []edit{{"Resources DownloadStreamByCloudFront", nil}}},
		{"an API that anybody made", "nothing else is open", []edit{{"Resources AuthByApi Properties SourceArn", nil}}},
		{"every API of the account", "nothing else is open", []edit{{"Resources AuthByApi Properties SourceArn", object{"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:*"}}}},
		{"everybody may call Auth", "nothing else is open", []edit{{"Resources More", permission(object{"FunctionName": object{"Ref": "AuthAliaslive"}, "Action": everyone, "Principal": "*"})}}},
		{"an API may call Janitor", "nothing else is open", []edit{{"Resources More", permission(object{
			"FunctionName": object{"Ref": "JanitorAliaslive"}, "Action": everyone, "Principal": "apigateway.amazonaws.com",
			"SourceArn": object{"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"},
		})}}},
		{"another account may call Files", "nothing else is open", []edit{{"Resources More", permission(object{"FunctionName": object{"Ref": "FilesAliaslive"}, "Action": everyone, "Principal": "210987654321"})}}},
		{"a Function URL of Auth", "nothing else is open", []edit{{"Resources AuthURL", object{"Type": "AWS::Lambda::Url", "Properties": object{
			"TargetFunctionArn": object{"Fn::GetAtt": []any{"Auth", "Arn"}}, "Qualifier": "live", "AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM",
		}}}}},
		{"a Function URL open beside CloudFront", "nothing else is open", []edit{{"Resources DownloadStreamURL Properties AuthType", "NONE"}}},
		{"a URL past the alias", "nothing else is open", []edit{{"Resources DownloadStreamURL Properties Qualifier", nil}}},
		{"a bucket that may be made public", "nothing else is open", []edit{{"Resources Bucket Properties PublicAccessBlockConfiguration BlockPublicPolicy", false}}},
		{"a queue that all of EventBridge may send to", "nothing else is open", []edit{{"Resources QueuePolicy Properties PolicyDocument Statement 0 Condition", nil}}},
		{"a function that outlasts the HTTP API", "a function answers before its gateway gives up", []edit{{"Resources Download Properties Timeout", 60.0}}},
		{"a gateway that waits longer than it can", "a function answers before its gateway gives up", []edit{{shared + " files timeoutInMillis", 60000.0}}},
		{"a REST route that waits half a minute", "a function answers before its gateway gives up", []edit{{rest + " timeoutInMillis", 29000.0}}},
		{"every action of a service", "no role may do everything", []edit{{"Resources FilesRole" + policy + " 1 Action", "dynamodb:*"}}},
		{"every action that begins so", "no role may do everything", []edit{{"Resources FilesRole" + policy + " 1 Action", []any{"dynamodb:Get*"}}}},
		{"every resource", "no role may do everything", []edit{{"Resources FilesRole" + policy + " 1 Resource", "*"}}},
		{"every table", "no role may do everything", []edit{{"Resources FilesRole" + policy + " 1 Resource", object{"Fn::Sub": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"}}}},
		{"more than tracing on every resource", "no role may do everything", []edit{{"Resources AuthRole" + policy + " 4 Fn::If 1 Action", []any{"xray:PutTraceSegments", "ssm:GetParameter"}}}},
		{"all but something", "no role may do everything", []edit{{"Resources FilesRole" + policy + " 1", object{"Effect": "Allow", "NotAction": "iam:PassRole", "Resource": object{"Fn::GetAtt": []any{"Bucket", "Arn"}}}}}},
		{"a policy of AWS's", "no role may do everything", []edit{{"Resources FilesRole Properties ManagedPolicyArns", []any{"arn:aws:iam::aws:policy/AdministratorAccess"}}}},
		{"a role for two", "no role may do everything", []edit{{"Resources Download Properties Role", object{"Fn::GetAtt": []any{"FilesRole", "Arn"}}}}},
		{"a role of elsewhere", "no role may do everything", []edit{{"Resources Ingest Properties Role", "arn:aws:iam::123456789012:role/admin"}}},
		{"Download writes users", "only Auth writes users and logins", []edit{{"Resources DownloadRole" + policy + " 2 Condition ForAllValues:StringLike dynamodb:LeadingKeys", []any{"FILE#*", "USER#*"}}}},
		{"Files writes what begins with U", "only Auth writes users and logins", []edit{{"Resources FilesRole" + policy + " 3 Condition ForAllValues:StringLike dynamodb:LeadingKeys", []any{"U*"}}}},
		{"Files writes one user", "only Auth writes users and logins", []edit{{"Resources FilesRole" + policy + " 3 Condition ForAllValues:StringLike dynamodb:LeadingKeys", []any{"USER#1"}}}},
		{"Download writes whatever it likes", "only Auth writes users and logins", []edit{{"Resources DownloadRole" + policy + " 2 Condition", nil}}},
		{"Download writes without a key", "only Auth writes users and logins", []edit{{"Resources DownloadRole" + policy + " 2 Condition Null", nil}}},
		{"Files reads what signs tokens", "only Auth reads what signs tokens", []edit{{"Resources FilesRole" + policy + " 0 Resource 0", object{
			"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${AWS::StackName}/keys/signing",
		}}}},
		{"Download reads what signs tokens, in Secrets Manager", "only Auth reads what signs tokens", []edit{{"Resources DownloadRole" + policy + " 0 Resource 0 Fn::If 2", object{
			"Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${AWS::StackName}/keys/signing-??????",
		}}}},
		{"Auth reads no keys", "only Auth reads what signs tokens", []edit{{"Resources AuthRole" + policy + " 0", object{"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": object{"Fn::GetAtt": []any{"DomainTable", "Arn"}}}}}},
		{"Download looks for its keys elsewhere", "only Auth reads what signs tokens", []edit{{"Resources Download Properties Environment Variables SLUICE_KEYS", "ssm:/other/keys"}}},
		{"Janitor reads keys", "only Auth reads what signs tokens", []edit{{"Resources JanitorRole" + policy + " 0", object{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": object{
			"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${AWS::StackName}/keys/verifying",
		}}}}},
		{"a setting that there is not", "a function has what it is told to have", []edit{{"Resources Files Properties Environment Variables SLUICE_REDIRECT_OVER", "4MiB"}}},
		{"a value that a setting does not take", "a function has what it is told to have", []edit{{"Resources Files Properties Environment Variables SLUICE_KEEP", "a day"}}},
		{"a table in the function itself", "a function has what it is told to have", []edit{{"Resources Ingest Properties Environment Variables SLUICE_TABLE", nil}}},
		{"links that lead to the HTTP API", "a function has what it is told to have", []edit{{"Resources Files Properties Environment Variables SLUICE_DOWNLOAD_URL", nil}}},
		{"a queue without a policy", "queues let EventBridge in", []edit{{"Resources QueuePolicy", nil}}},
		{"dead letters without a policy", "queues let EventBridge in", []edit{{"Resources DeadLetterPolicy", nil}}},
		{"a policy for another rule", "queues let EventBridge in", []edit{{"Resources QueuePolicy Properties PolicyDocument Statement 0 Condition ArnEquals aws:SourceArn", "arn:aws:events:eu-central-1:123456789012:rule/other"}}},
		{"a policy that refuses", "queues let EventBridge in", []edit{{"Resources QueuePolicy Properties PolicyDocument Statement 0 Effect", "Deny"}}},
		{"batches that fail as one", "a job is tried again, then kept", []edit{{"Resources IngestJob Properties FunctionResponseTypes", nil}}},
		{"a message shown again while it is worked on", "a job is tried again, then kept", []edit{{"Resources IngestQueue Properties VisibilityTimeout", 30.0}}},
		{"jobs that are tried for ever", "a job is tried again, then kept", []edit{{"Resources IngestQueue Properties RedrivePolicy", nil}}},
		{"a queue that nobody reads", "a job is tried again, then kept", []edit{{"Resources IngestJob", nil}}},
		{"a new version at once", "alarms roll a deployment back", []edit{{"Resources FilesAliaslive UpdatePolicy", nil}}},
		{"a deployment that nothing rolls back", "alarms roll a deployment back", []edit{{"Resources FilesDeploymentGroup Properties AutoRollbackConfiguration Enabled", false}}},
		{"a deployment that watches another function", "alarms roll a deployment back", []edit{{"Resources FilesDeploymentGroup Properties AlarmConfiguration Alarms 0 Name", object{"Ref": "AuthErrors"}}}},
		{"an alarm on all versions but the alias", "alarms roll a deployment back", []edit{{"Resources FilesErrors Properties Dimensions", []any{object{"Name": "FunctionName", "Value": object{"Ref": "Files"}}}}}},
		{"dead letters that nobody sees", "alarms roll a deployment back", []edit{{"Resources DeadLetters", nil}}},
		{"logs for ever", "logs are kept for a time", []edit{{"Resources FilesLog Properties RetentionInDays", nil}}},
		{"the log group that Lambda makes", "logs are kept for a time", []edit{{"Resources FilesLog", nil}}},
		{"a log that its function may not write", "logs are kept for a time", []edit{{"Resources Files Properties LoggingConfig LogGroup", object{"Ref": "AuthLog"}}}},
		{"another attribute of expiry", "stores are as a server wants them", []edit{{"Resources HotTable Properties TimeToLiveSpecification AttributeName", "expires"}}},
		{"other keys", "stores are as a server wants them", []edit{{"Resources HotTable Properties KeySchema 0 AttributeName", "id"}}},
		{"a table without recovery", "stores are as a server wants them", []edit{{"Resources DomainTable Properties PointInTimeRecoverySpecification", nil}}},
		{"a bucket that drops uploads under way", "stores are as a server wants them", []edit{{"Resources Bucket Properties LifecycleConfiguration Rules 0 AbortIncompleteMultipartUpload DaysAfterInitiation", 1.0}}},
		{"a bucket that hides Content-Range", "stores are as a server wants them", []edit{{"Resources Bucket Properties CorsConfiguration CorsRules 0 ExposedHeaders", []any{"ETag"}}}},
		{"a bucket that tells nothing", "stores are as a server wants them", []edit{{"Resources Bucket Properties NotificationConfiguration", nil}}},
	}
	source := transformed(t)
	planted := map[string]bool{}
	for _, c := range cases {
		planted[c.rule] = true
		t.Run(c.name, func(t *testing.T) {
			var raw any
			if err := json.Unmarshal(source, &raw); err != nil {
				t.Fatal(err)
			}
			for _, e := range c.edits {
				e.apply(t, raw)
			}
			if broken := brokenBy(t, raw); !slices.Contains(broken, c.rule) {
				t.Errorf("the rules that find it are %q, want %q among them", broken, c.rule)
			}
		})
	}
	for _, r := range rules() {
		if !planted[r.name] {
			t.Errorf("no fault is planted for the rule %q", r.name)
		}
	}
}

// brokenBy returns the names of the rules that a template breaks.
func brokenBy(t *testing.T, raw any) []string {
	t.Helper()
	text, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := check(parsed)
	if err != nil {
		t.Fatal(err)
	}
	var broken []string
	for _, p := range problems {
		if !slices.Contains(broken, p.rule) {
			broken = append(broken, p.rule)
		}
	}
	return broken
}
