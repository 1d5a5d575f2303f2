// Package amazon asks those of AWS's services that speak JSON over HTTP by hand:
// few small calls, for which the SDK's clients would add megabytes to every
// function. It also holds what the environment of a function says to the SDK.
package amazon

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"sluice/shared/config"
)

// Config returns the SDK's settings as the environment of a function has them.
// Nothing is asked and no file is read.
func Config(a config.AWS) (aws.Config, error) {
	if err := a.Check(); err != nil {
		return aws.Config{}, err
	}
	return aws.Config{
		Region:      a.Region,
		Credentials: credentials.NewStaticCredentialsProvider(a.AccessKeyID, a.SecretAccessKey.Reveal(), a.SessionToken.Reveal()),
	}, nil
}

// At returns cfg with the endpoint of a service; empty: Amazon's own.
func At(cfg aws.Config, endpoint string) aws.Config {
	cfg.BaseEndpoint = nil
	if endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	return cfg
}

// The bounds of a call: what it may take with all its tries, how many these are,
// the pause before the second, which is doubled for each that follows, and the
// longest answer.
const (
	callTime   = 5 * time.Second
	tries      = 3
	firstPause = 100 * time.Millisecond
	maxAnswer  = 1 << 20
)

// service is one of AWS's services.
type service struct {
	name    string // in its address and in signatures
	prefix  string // of X-Amz-Target
	version string // of the JSON protocol: 1.0 or 1.1
}

// client asks one service. It is safe for concurrent use.
type client struct {
	service service
	config  aws.Config
	url     string
	signer  *v4.Signer
	http    *http.Client
}

// newClient returns a client of the service in the config's region, at its
// BaseEndpoint if it has one.
func newClient(s service, cfg aws.Config) *client {
	url := "https://" + s.name + "." + cfg.Region + "." + suffix(cfg.Region) + "/"
	if cfg.BaseEndpoint != nil {
		url = strings.TrimSuffix(*cfg.BaseEndpoint, "/") + "/"
	}
	return &client{service: s, config: cfg, url: url, signer: v4.NewSigner(), http: &http.Client{Timeout: callTime}}
}

// suffix returns the domain of a region's services.
func suffix(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// refusal is the error of a service that answered.
type refusal struct {
	status  int
	code    string // such as ParameterNotFound
	message string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s (%d): %s", cmp.Or(r.code, "no code"), r.status, r.message)
}

// refused reports whether err is the service's own of that code.
func refused(err error, code string) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.code == code
}

// passing reports whether the same call may succeed later.
func (r *refusal) passing() bool {
	return r.status >= http.StatusInternalServerError || r.status == http.StatusTooManyRequests || strings.Contains(r.code, "Throttl")
}

// call asks for an operation and reads its answer into out, which may be nil. A
// call that was not answered is made again: all of ours may be.
func (c *client) call(ctx context.Context, operation string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		answer, err := c.once(ctx, operation, body)
		if err == nil && out != nil {
			err = json.Unmarshal(answer, out)
		}
		r, answered := errors.AsType[*refusal](err)
		if err == nil || try == tries || answered && !r.passing() {
			return c.failed(operation, err)
		}
		pause := time.NewTimer(firstPause << (try - 1))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return c.failed(operation, errors.Join(err, ctx.Err()))
		}
	}
}

func (c *client) failed(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", c.service.name, operation, err)
}

// once sends a request and returns the body of a good answer.
//
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func (c *client) once(ctx context.Context, operation string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-"+c.service.version)
	r.Header.Set("X-Amz-Target", c.service.prefix+"."+operation)
	credentials, err := c.config.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), c.service.name, c.config.Region, time.Now()); err != nil {
		return nil, err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, readRefusal(response.StatusCode, answer)
	}
	return answer, nil
}

// readRefusal reads what a service says of what it refuses. Its code may stand
// behind a name space.
func readRefusal(status int, body []byte) *refusal {
	var said struct {
		Type    string `json:"__type"` //nolint:tagliatelle // the name is AWS's
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &said) != nil {
		said.Type = "" // no JSON: the status says it
	}
	return &refusal{status: status, code: said.Type[strings.LastIndex(said.Type, "#")+1:], message: said.Message}
}
