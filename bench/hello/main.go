// Command hello is a bare Lambda function, which the functions of Sluice are
// measured against: what aws-lambda-go costs alone. It answers 1 KB of JSON, or
// by a stream whatever the URL in HELLO_URL has.
package main

import (
	"context"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	if url := os.Getenv("HELLO_URL"); url != "" {
		lambda.Start(copies(url))
	}
	body := `{"hello":"` + strings.Repeat("x", 1000) + `"}`
	lambda.Start(func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusOK, Headers: map[string]string{"Content-Type": "application/json"}, Body: body}, nil
	})
}

// copies answers what a URL has. The runtime copies it by io.Copy.
func copies(url string) any {
	return func(ctx context.Context, _ events.LambdaFunctionURLRequest) (*events.LambdaFunctionURLStreamingResponse, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		return &events.LambdaFunctionURLStreamingResponse{StatusCode: response.StatusCode, Body: response.Body}, nil
	}
}
