package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"sluice/shared/app/amazon"
	"sluice/shared/app/amazon/amazontest"
	"sluice/shared/app/cloudrecords"
	"sluice/shared/config"
	"sluice/shared/keys"
)

// asRole asks for an operation of a JSON protocol with a role's credentials, and
// returns the status and what was answered.
func asRole(t *testing.T, endpoint string, who aws.Credentials, region, target string, in object) (int, object) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	service, version := "ssm", "1.1"
	switch name, _, _ := strings.Cut(target, "."); name {
	case "secretsmanager":
		service = name
	case "AmazonSQS":
		service, version = "sqs", "1.0"
	}
	r.Header.Set("Content-Type", "application/x-amz-json-"+version)
	r.Header.Set("X-Amz-Target", target)
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(t.Context(), who, r, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
		t.Fatal(err)
	}
	response, err := new(http.Client).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var out object
	if err := json.NewDecoder(response.Body).Decode(&out); err != nil {
		t.Errorf("%s is answered %s, %v; want JSON", target, response.Status, err)
	}
	return response.StatusCode, out
}

// outside is what the roles of a stack may do beside DynamoDB and S3: a gate for
// each function before one server, which has the keys of a deployment.
type outside struct {
	t      *testing.T
	stack  stack
	server *amazontest.Server
	gates  map[string]*gate
}

func openOutside(t *testing.T, keyStore string) *outside {
	t.Helper()
	parsed, err := parse(transformed(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parsed.resolve(map[string]string{"KeyStore": keyStore})
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{t: t, stack: s, server: amazontest.Start(t), gates: map[string]*gate{}}
	for _, f := range s.functions() {
		o.gates[f.Name] = newGate(t, o.server.URL, o.server.URL, statements(s.roleOf(f)), map[string]string{
			o.queue("jobs"): "${IngestQueue.Arn}", o.queue("dead"): "${IngestDeadLetters.Arn}",
		})
	}
	c := o.config("Auth", o.server.URL)
	cfg, err := amazon.Config(c.AWS)
	if err != nil {
		t.Fatal(err)
	}
	store, name, err := amazon.Keys(c.AWS, cfg, c.Keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Ensure(t.Context(), store, name, time.Now()); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *outside) queue(name string) string { return o.server.URL + "/1/" + name }

// config returns the settings of a function, with AWS at an endpoint.
func (o *outside) config(function, endpoint string) config.Config {
	o.t.Helper()
	env := o.stack[function].environment()
	c, err := config.Load(nil, func(name string) string {
		if strings.HasPrefix(name, "AWS_ENDPOINT_URL_") {
			return endpoint
		}
		if value, ok := o.server.Environment()[name]; ok {
			return value
		}
		return filledIn(env[name])
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

// readsKeys has a function's program read its keys, as it does before its first
// request, or those of a function that issues tokens.
func (o *outside) readsKeys(function string, issues bool) error {
	o.t.Helper()
	parts, err := cloudrecords.Parts(o.config(function, o.gates[function].URL), slog.New(slog.DiscardHandler), issues)
	if err != nil {
		o.t.Fatal(err)
	}
	defer parts.Close()
	return parts.Keys.Ready(o.t.Context())
}

// Of SSM, Secrets Manager and SQS each function may do what it has to, and nothing
// that another one does.
func TestWhatRolesMayDoOfKeysAndTheQueue(t *testing.T) {
	issuer, verifiers := []string{"Auth"}, []string{"Auth", "Files", "Download", "DownloadStream"}
	senders, worker, nobody := []string{"Files", "Ingest", "Janitor"}, []string{"Ingest"}, []string(nil)
	type row struct {
		target string
		in     object
		who    []string
	}
	for store, rows := range map[string][]row{
		"ssm": {
			{"AmazonSSM.GetParameter", object{"Name": "/sluice/keys/signing"}, issuer},
			{"AmazonSSM.GetParameter", object{"Name": "/sluice/keys/verifying"}, verifiers},
			{"AmazonSSM.GetParameter", object{"Name": "/others/keys/verifying"}, nobody},
			{"AmazonSSM.GetParameter", object{"Name": "/sluice/keys"}, nobody},
			{"AmazonSSM.PutParameter", object{"Name": "/sluice/keys/signing", "Value": "{}", "Type": "SecureString", "Overwrite": true}, nobody},
			{"AmazonSSM.PutParameter", object{"Name": "/sluice/keys/verifying", "Value": "{}", "Type": "SecureString", "Overwrite": true}, nobody},
			{"secretsmanager.GetSecretValue", object{"SecretId": "sluice/keys/signing"}, nobody},
		},
		"secretsmanager": {
			{"secretsmanager.GetSecretValue", object{"SecretId": "sluice/keys/signing"}, issuer},
			{"secretsmanager.GetSecretValue", object{"SecretId": "sluice/keys/verifying"}, verifiers},
			{"secretsmanager.GetSecretValue", object{"SecretId": "others/keys/verifying"}, nobody},
			{"secretsmanager.PutSecretValue", object{"SecretId": "sluice/keys/verifying", "SecretString": "{}"}, nobody},
			{"secretsmanager.CreateSecret", object{"Name": "sluice/keys/verifying", "SecretString": "{}"}, nobody},
			{"AmazonSSM.GetParameter", object{"Name": "/sluice/keys/signing"}, nobody},
		},
	} {
		t.Run(store, func(t *testing.T) {
			o := openOutside(t, store)
			jobs, dead := o.queue("jobs"), o.queue("dead")
			rows = append(
				rows,
				row{"AmazonSQS.SendMessage", object{"QueueUrl": jobs, "MessageBody": "{}"}, senders},
				row{"AmazonSQS.ReceiveMessage", object{"QueueUrl": jobs}, worker},
				row{"AmazonSQS.DeleteMessage", object{"QueueUrl": jobs, "ReceiptHandle": "1"}, worker},
				row{"AmazonSQS.GetQueueAttributes", object{"QueueUrl": jobs}, worker},
				row{"AmazonSQS.PurgeQueue", object{"QueueUrl": jobs}, nobody},
				row{"AmazonSQS.SendMessage", object{"QueueUrl": dead, "MessageBody": "{}"}, nobody},
				row{"AmazonSQS.ReceiveMessage", object{"QueueUrl": dead}, nobody},
			)
			for _, r := range rows {
				var may []string
				for _, f := range o.stack.functions() {
					if o.may(f.Name, r.target, r.in) {
						may = append(may, f.Name)
					}
				}
				slices.Sort(may)
				if want := slices.Sorted(slices.Values(r.who)); !slices.Equal(may, want) {
					t.Errorf("%s %v may be done by %v, want %v", r.target, r.in, may, want)
				}
			}
		})
	}
}

// may reports whether a function's role lets a request through.
func (o *outside) may(function, target string, in object) bool {
	o.t.Helper()
	who := aws.Credentials{AccessKeyID: amazontest.AccessKey, SecretAccessKey: amazontest.SecretKey}
	status, out := asRole(o.t, o.gates[function].URL, who, amazontest.Region, target, in)
	refused := strings.HasSuffix(fmt.Sprint(out["__type"]), "#AccessDeniedException")
	if !refused && status != http.StatusOK {
		o.t.Errorf("%s asks for %s %v, and is answered %d %v", function, target, in, status, out)
	}
	return !refused
}

// A function reads its keys by what its settings say, and whoever makes it ask for
// what signs tokens gets nothing.
func TestFunctionsReadTheirKeysAndNoOthers(t *testing.T) {
	for _, store := range []string{"ssm", "secretsmanager"} {
		o := openOutside(t, store)
		for _, c := range []struct {
			function         string
			verifies, issues bool
		}{
			{"Auth", true, true}, {"Files", true, false}, {"Download", true, false}, {"DownloadStream", true, false},
			{"Ingest", false, false}, {"Janitor", false, false},
		} {
			if err := o.readsKeys(c.function, false); (err == nil) != c.verifies {
				t.Errorf("%s: %s reads what verifies: %v, want it to: %v", store, c.function, err, c.verifies)
			}
			if err := o.readsKeys(c.function, true); (err == nil) != c.issues {
				t.Errorf("%s: %s reads what signs: %v, want it to: %v", store, c.function, err, c.issues)
			}
		}
	}
}
