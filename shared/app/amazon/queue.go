package amazon

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sluice/shared/config"
	"sluice/shared/upload"
)

// Queue is an SQS queue that jobs go to.
type Queue struct {
	client *client
	url    string
}

// maxDelay is how long SQS keeps a message back at most.
const maxDelay = 15 * time.Minute

// NewQueue returns the queue at its URL, such as
// https://sqs.eu-central-1.amazonaws.com/123456789012/name. cfg says who asks.
func NewQueue(a config.AWS, cfg aws.Config, u *url.URL) *Queue {
	endpoint := cmp.Or(a.Endpoint("SQS"), (&url.URL{Scheme: u.Scheme, Host: u.Host}).String())
	return &Queue{client: newClient(service{"sqs", "AmazonSQS", "1.0"}, At(cfg, endpoint)), url: u.String()}
}

// Send implements upload.Queue.
func (q *Queue) Send(ctx context.Context, j upload.Job, after time.Duration) error {
	body, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return q.client.call(ctx, "SendMessage", map[string]any{
		"QueueUrl": q.url, "MessageBody": string(body), "DelaySeconds": int(min(after, maxDelay).Seconds()),
	}, nil)
}
