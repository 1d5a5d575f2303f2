// Package amazontest is a small server of the JSON protocols of SSM's Parameter
// Store, Secrets Manager and SQS, over real HTTP: as much of each as we ask for,
// and as Lambda does that polls a queue for us, with the signature of every request
// checked. It stands for Amazon where
// LocalStack cannot run; what Amazon itself answers it does not prove.
package amazontest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The credentials that the server knows unless it is told others, and its region.
const (
	Region    = "eu-central-1"
	AccessKey = "test"
	SecretKey = "a secret for tests"
)

// Server is a server at work. It is safe for concurrent use.
type Server struct {
	URL string

	mu        sync.Mutex
	documents map[string]string // parameters and secrets, by service and name
	messages  []Message
	received  map[string]Message // by receipt handle, until they are deleted
	calls     []string           // such as ssm GetParameter /name
	away      bool
	region    string
	secrets   map[string]string // secret keys by access key
}

// Message is one that was sent to a queue.
type Message struct {
	Queue string
	Body  string
	Delay time.Duration
}

// New returns a server that holds nothing. It is an http.Handler; whoever serves it
// sets its URL.
func New() *Server {
	return &Server{documents: map[string]string{}, received: map[string]Message{}, region: Region, secrets: map[string]string{AccessKey: SecretKey}}
}

// Start starts a server, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := New()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Environment returns AWS's variables that lead to the server.
func (s *Server) Environment() map[string]string {
	return map[string]string{
		"AWS_REGION": Region, "AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey,
		"AWS_ENDPOINT_URL_SSM": s.URL, "AWS_ENDPOINT_URL_SECRETSMANAGER": s.URL, "AWS_ENDPOINT_URL_SQS": s.URL,
	}
}

// Credentials has the server know others beside its own, in that region.
func (s *Server) Credentials(region, accessKey, secretKey string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.region = region
	s.secrets[accessKey] = secretKey
}

// Away has every call fail as a service does that is overloaded, or no longer.
func (s *Server) Away(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// Calls returns what was asked since the last time, refusals not counted.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// Put sends a message to a queue as services of AWS do, such as EventBridge.
func (s *Server) Put(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
}

// Messages takes what was sent to queues, but for what was received.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	messages := s.messages
	s.messages = nil
	return messages
}

// Documents returns the names of all parameters and secrets.
func (s *Server) Documents() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.documents))
}

// in is what a call may ask for: the union of the operations.
type in struct {
	Name, Value, Type   string
	Overwrite           bool
	WithDecryption      bool
	SecretId            string //nolint:revive // the name is AWS's
	SecretString        string
	ClientRequestToken  string
	QueueUrl            string //nolint:revive // the name is AWS's
	MessageBody         string
	DelaySeconds        int
	MaxNumberOfMessages int
	ReceiptHandle       string
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "SerializationException")
		return
	}
	target, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	service := map[string]struct{ name, contentType string }{
		"AmazonSSM": {"ssm", "application/x-amz-json-1.1"}, "secretsmanager": {"secretsmanager", "application/x-amz-json-1.1"},
		"AmazonSQS": {"sqs", "application/x-amz-json-1.0"},
	}[target]
	var ask in
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Header.Get("Content-Type") != service.contentType || json.Unmarshal(body, &ask) != nil:
		refuse(w, http.StatusBadRequest, "SerializationException")
		return
	case !s.signed(r, body, service.name):
		refuse(w, http.StatusForbidden, "InvalidSignatureException")
		return
	}
	if s.away {
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable")
		return
	}
	s.calls = append(s.calls, strings.TrimSpace(service.name+" "+operation+" "+ask.Name+ask.SecretId))
	s.answer(w, service.name+" "+operation, ask)
}

// answer does an operation.
func (s *Server) answer(w http.ResponseWriter, operation string, ask in) {
	parameter, secret := "ssm "+ask.Name, "secretsmanager "+ask.Name+ask.SecretId
	_, hasParameter := s.documents[parameter]
	_, hasSecret := s.documents[secret]
	switch operation {
	case "ssm GetParameter":
		if !hasParameter {
			refuse(w, http.StatusBadRequest, "ParameterNotFound")
			return
		}
		value := s.documents[parameter]
		if !ask.WithDecryption {
			value = "AQICAHh" // as it is stored
		}
		reply(w, map[string]any{"Parameter": map[string]any{"Name": ask.Name, "Type": "SecureString", "Value": value, "Version": 1}})
	case "ssm PutParameter":
		if hasParameter && !ask.Overwrite {
			refuse(w, http.StatusBadRequest, "com.amazonaws.ssm#ParameterAlreadyExists")
			return
		}
		if ask.Type != "SecureString" {
			refuse(w, http.StatusBadRequest, "ValidationException")
			return
		}
		s.documents[parameter] = ask.Value
		reply(w, map[string]any{"Version": 1})
	case "secretsmanager GetSecretValue":
		if !hasSecret {
			refuse(w, http.StatusBadRequest, "ResourceNotFoundException")
			return
		}
		reply(w, map[string]any{"Name": ask.SecretId, "SecretString": s.documents[secret]})
	case "secretsmanager CreateSecret", "secretsmanager PutSecretValue":
		creates := operation == "secretsmanager CreateSecret"
		switch {
		case len(ask.ClientRequestToken) < 32 || len(ask.ClientRequestToken) > 64:
			refuse(w, http.StatusBadRequest, "InvalidRequestException")
		case creates && hasSecret:
			refuse(w, http.StatusBadRequest, "ResourceExistsException")
		case !creates && !hasSecret:
			refuse(w, http.StatusBadRequest, "ResourceNotFoundException")
		default:
			s.documents[secret] = ask.SecretString
			reply(w, map[string]any{"Name": ask.Name})
		}
	case "sqs SendMessage":
		if ask.DelaySeconds < 0 || ask.DelaySeconds > 900 || ask.MessageBody == "" {
			refuse(w, http.StatusBadRequest, "com.amazonaws.sqs#InvalidParameterValue")
			return
		}
		s.messages = append(s.messages, Message{ask.QueueUrl, ask.MessageBody, time.Duration(ask.DelaySeconds) * time.Second})
		reply(w, map[string]any{"MessageId": "1"})
	case "sqs ReceiveMessage":
		reply(w, map[string]any{"Messages": s.receive(ask.QueueUrl, max(ask.MaxNumberOfMessages, 1))})
	case "sqs DeleteMessage":
		delete(s.received, ask.ReceiptHandle)
		reply(w, map[string]any{})
	case "sqs GetQueueAttributes":
		waiting := 0
		for _, m := range s.messages {
			if m.Queue == ask.QueueUrl {
				waiting++
			}
		}
		reply(w, map[string]any{"Attributes": map[string]string{"ApproximateNumberOfMessages": strconv.Itoa(waiting)}})
	default:
		refuse(w, http.StatusBadRequest, "UnknownOperationException")
	}
}

// receive takes messages of a queue, whatever their delay. They are not shown
// again.
func (s *Server) receive(queue string, most int) (taken []map[string]string) {
	s.messages = slices.DeleteFunc(s.messages, func(m Message) bool {
		if m.Queue != queue || len(taken) == most {
			return false
		}
		handle := rand.Text()
		s.received[handle] = m
		taken = append(taken, map[string]string{"MessageId": handle, "ReceiptHandle": handle, "Body": m.Body})
		return true
	})
	return taken
}

// signed reports whether a request is signed as by whoever has the secret key: it
// is signed once more, with no header but those that its signature names.
func (s *Server) signed(r *http.Request, body []byte, service string) bool {
	got := r.Header.Get("Authorization")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > 5*time.Minute {
		return false
	}
	again, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+r.Host+r.URL.String(), bytes.NewReader(body))
	if err != nil {
		return false
	}
	for _, name := range []string{"Content-Type", "X-Amz-Target", "X-Amz-Security-Token"} {
		if value := r.Header.Get(name); value != "" {
			again.Header.Set(name, value)
		}
	}
	sum := sha256.Sum256(body)
	_, key, _ := strings.Cut(got, "Credential=")
	key, _, _ = strings.Cut(key, "/")
	who := aws.Credentials{AccessKeyID: key, SecretAccessKey: s.secrets[key]}
	if who.SecretAccessKey == "" {
		return false
	}
	err = v4.NewSigner().SignHTTP(r.Context(), who, again, hex.EncodeToString(sum[:]), service, s.region, at)
	return err == nil && again.Header.Get("Authorization") == got
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody is left to tell
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": "refused"}) // as above
}
