package amazon

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sluice/shared/config"
	"sluice/shared/fault"
	"sluice/shared/keys"
)

// Keys returns the store that the URL of the keys names, and the name that they
// have there. cfg says who asks, and in which region.
func Keys(a config.AWS, cfg aws.Config, u *url.URL) (keys.Store, string, error) {
	switch u.Scheme {
	case "ssm":
		c := newClient(service{"ssm", "AmazonSSM", "1.1"}, At(cfg, a.Endpoint("SSM")))
		return parameters{c}, u.Path, nil
	case "secretsmanager":
		c := newClient(service{"secretsmanager", "secretsmanager", "1.1"}, At(cfg, a.Endpoint("SECRETSMANAGER")))
		return secrets{c}, u.Opaque, nil
	}
	return nil, "", fmt.Errorf("want ssm:/path or secretsmanager:name, not %s", u.Scheme)
}

// parameters are secure strings in Systems Manager's Parameter Store.
type parameters struct{ *client }

// Get implements keys.Store.
func (p parameters) Get(ctx context.Context, name string) ([]byte, error) {
	var out struct{ Parameter struct{ Value string } }
	err := p.call(ctx, "GetParameter", map[string]any{"Name": name, "WithDecryption": true}, &out)
	if refused(err, "ParameterNotFound") {
		return nil, absent(name, err)
	}
	return []byte(out.Parameter.Value), err
}

// Create implements keys.Store.
func (p parameters) Create(ctx context.Context, name string, document []byte) error {
	err := p.put(ctx, name, document, false)
	if refused(err, "ParameterAlreadyExists") {
		return present(name, err)
	}
	return err
}

// Replace implements keys.Store.
func (p parameters) Replace(ctx context.Context, name string, document []byte) error {
	return p.put(ctx, name, document, true)
}

func (p parameters) put(ctx context.Context, name string, document []byte, overwrite bool) error {
	return p.call(ctx, "PutParameter", map[string]any{
		"Name": name, "Value": string(document), "Type": "SecureString", "Overwrite": overwrite,
	}, nil)
}

// secrets are those of Secrets Manager.
type secrets struct{ *client }

// Get implements keys.Store.
func (s secrets) Get(ctx context.Context, name string) ([]byte, error) {
	var out struct{ SecretString string }
	err := s.call(ctx, "GetSecretValue", map[string]any{"SecretId": name}, &out)
	if refused(err, "ResourceNotFoundException") {
		return nil, absent(name, err)
	}
	return []byte(out.SecretString), err
}

// Create implements keys.Store.
func (s secrets) Create(ctx context.Context, name string, document []byte) error {
	err := s.call(ctx, "CreateSecret", map[string]any{
		"Name": name, "SecretString": string(document), "ClientRequestToken": requestToken(),
	}, nil)
	if refused(err, "ResourceExistsException") {
		return present(name, err)
	}
	return err
}

// Replace implements keys.Store.
func (s secrets) Replace(ctx context.Context, name string, document []byte) error {
	return s.call(ctx, "PutSecretValue", map[string]any{
		"SecretId": name, "SecretString": string(document), "ClientRequestToken": requestToken(),
	}, nil)
}

// requestToken names a call, so that it is done once however often it is sent.
func requestToken() string { return rand.Text() + rand.Text() }

func absent(name string, err error) error {
	return fault.Wrap(err, fault.NotFound, "not_found", name+" is not there; `sluice admin init` makes it.")
}

func present(name string, err error) error {
	return fault.Wrap(err, fault.Conflict, "present", name+" is there already.")
}
