// Package ingest takes what comes by the queue: jobs that were sent there instead
// of being run beside a request, and what S3 tells of its objects by EventBridge.
// Every message may come twice, late and in any order.
package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"sluice/shared/upload"
)

// atOnce is how many messages of a batch are worked on at a time.
const atOnce = 4

// Handler handles batches of messages. It is safe for concurrent use.
type Handler struct {
	Uploads *upload.Service
	Log     *slog.Logger
}

// batch is an event of an SQS queue.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
type batch struct {
	Records []struct {
		MessageID string `json:"messageId"` //nolint:tagliatelle // the name is AWS's
		Body      string `json:"body"`
	} `json:"Records"` //nolint:tagliatelle // the name is AWS's
}

// Failures names the messages of a batch that are to come again.
//
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
type Failures struct {
	Items []Failure `json:"batchItemFailures"` //nolint:tagliatelle // the name is AWS's
}

// Failure is one of them.
type Failure struct {
	MessageID string `json:"itemIdentifier"` //nolint:tagliatelle // the name is AWS's
}

// Handle works on a batch and returns Failures: what is not named there is done.
// A message that nobody can read fails too, until the queue puts it aside, where
// an operator finds it. It fails with an error for an event that is no batch.
func (h *Handler) Handle(ctx context.Context, event json.RawMessage) (any, error) {
	var in batch
	if err := json.Unmarshal(event, &in); err != nil {
		return nil, fmt.Errorf("the event is no batch of SQS: %w", err)
	}
	failed := make([]bool, len(in.Records))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, r := range in.Records {
		group.Go(func() error {
			if err := h.message(ctx, []byte(r.Body)); err != nil {
				failed[i] = true
				h.Log.ErrorContext(ctx, "ingest", "message_id", r.MessageID, "error", err)
			}
			return nil
		})
	}
	_ = group.Wait() // each has told its own failure
	out := Failures{Items: []Failure{}}
	for i, r := range in.Records {
		if failed[i] {
			out.Items = append(out.Items, Failure{r.MessageID})
		}
	}
	return out, nil
}

// message does what a message asks for.
func (h *Handler) message(ctx context.Context, body []byte) error {
	m, err := read(body)
	if err != nil {
		return err
	}
	if m.job != nil {
		return h.Uploads.Run(ctx, *m.job)
	}
	for _, o := range m.objects {
		if err := h.Uploads.Reconcile(ctx, o); err != nil {
			return err
		}
	}
	return nil
}
