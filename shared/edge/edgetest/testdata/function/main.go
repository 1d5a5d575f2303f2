// The function is one that does what its events say, for the tests of package
// edgetest.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	if os.Getenv("FAIL") != "" {
		os.Exit(3)
	}
	if os.Getenv("SLUICE_TRANSPORT") == "url-stream" {
		lambda.Start(streamed)
	}
	lambda.Start(buffered)
}

// cut reads as text and then breaks off.
type cut struct{ io.Reader }

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF {
		err = errors.New("the store went away")
	}
	return n, err
}

func streamed(_ context.Context, e events.LambdaFunctionURLRequest) (*events.LambdaFunctionURLStreamingResponse, error) {
	body := io.Reader(strings.NewReader(e.RawPath + "?" + e.RawQueryString))
	if e.RawPath == "/cut" {
		body = cut{body}
	}
	return &events.LambdaFunctionURLStreamingResponse{
		StatusCode: 206, Headers: map[string]string{"Content-Type": "text/plain", "Content-Length": "7", "WWW-Authenticate": "Bearer"},
		Cookies: []string{"a=b", "c=d"}, Body: body,
	}, nil
}

func buffered(ctx context.Context, e events.APIGatewayProxyRequest) (events.APIGatewayProxyResponse, error) {
	switch e.Path {
	case "/error":
		return events.APIGatewayProxyResponse{}, errors.New("as asked")
	case "/panic":
		panic("as asked")
	case "/wait":
		<-ctx.Done()
		select {}
	case "/large":
		return events.APIGatewayProxyResponse{StatusCode: 200, Body: strings.Repeat("x", 6_291_556)}, nil
	}
	return events.APIGatewayProxyResponse{
		StatusCode: 200, Headers: map[string]string{"Content-Length": "9", "X-Once": "a"},
		MultiValueHeaders: map[string][]string{"Vary": {"Origin", "Range"}}, Body: "AP+A", IsBase64Encoded: true,
	}, nil
}
