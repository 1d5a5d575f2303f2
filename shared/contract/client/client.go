// Package client calls a server by its contract: one method for each operation
// of openapi.yaml, each returning the plain *http.Response, and Decode, Done
// and Check, which turn an answer into a value or a fault:
//
//	c, err := client.New("http://127.0.0.1:8080")
//	tokens, err := client.Decode[contract.Tokens](c.Login(ctx, contract.LoginRequest{…}))
//	err = client.Done(c.Logout(ctx, client.Bearer(tokens.AccessToken)))
//	resp, err := client.Check(c.GetFile(ctx, "ada", "reports/2025.pdf", nil))
package client

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// New returns a client of the server at a base URL, as NewClient does, that
// also keeps the slashes of a file's path: OpenAPI knows no parameter that
// spans segments, so the generated code escapes them.
func New(server string, options ...ClientOption) (*Client, error) {
	return NewClient(server, append(slices.Clip(options), WithRequestEditorFn(keepSlashes))...)
}

func keepSlashes(_ context.Context, req *http.Request) error {
	before, path, found := strings.Cut(req.URL.RawPath, "/file/")
	if found {
		req.URL.RawPath = before + "/file/" + strings.ReplaceAll(path, "%2F", "/")
	}
	return nil
}

// Bearer makes a request carry an access token (RFC 6750 §2.1). It is the last
// argument of a method, or WithRequestEditorFn's.
func Bearer(token string) RequestEditorFn {
	return func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}
