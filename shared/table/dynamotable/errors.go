package dynamotable

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"sluice/shared/table"
)

// patience is how long one request may take. DynamoDB answers in milliseconds
// or not at all.
const patience = 10 * time.Second

// storeError is an error with its code.
type storeError struct {
	code   table.Code
	failed int // the op whose condition failed, where code is ConditionFailed
	err    error
}

func (e *storeError) Error() string {
	switch e.code {
	case table.ConditionFailed:
		return fmt.Sprintf("the condition of op %d did not hold", e.failed)
	case table.Unanswered:
		return "whether it was done is unknown: " + e.err.Error()
	}
	return e.err.Error()
}

func (e *storeError) Unwrap() error { return e.err }

// refused is the error of an op whose condition did not hold.
func refused(op int) error { return &storeError{code: table.ConditionFailed, failed: op} }

func codeOf(err error) table.Code {
	if e, ok := errors.AsType[*storeError](err); ok {
		return e.code
	}
	return table.Unknown
}

// request is a method of the client.
type request[In, Out any] = func(context.Context, *In, ...func(*dynamodb.Options)) (*Out, error)

// ask sends one request, once. Where it is a write, the code Unanswered tells
// that it may have been done.
func ask[In, Out any](ctx context.Context, send request[In, Out], in *In) (*Out, error) {
	if err := ctx.Err(); err != nil {
		return nil, &storeError{code: table.Canceled, err: err}
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := send(limited, in)
	if err != nil {
		return nil, &storeError{code: classify(ctx, err), err: err}
	}
	return out, nil
}

// read is ask for what writes nothing: there is nothing to be unsure of.
func read[In, Out any](ctx context.Context, send request[In, Out], in *In) (*Out, error) {
	out, err := ask(ctx, send, in)
	if e, ok := errors.AsType[*storeError](err); ok && e.code == table.Unanswered {
		e.code = table.Throttled
	}
	return out, err
}

// classify returns the code of an error of the client.
func classify(ctx context.Context, err error) table.Code {
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return transactionCode(canceled.CancellationReasons)
	}
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.HTTPStatusCode() >= http.StatusInternalServerError {
		return table.Unanswered // DynamoDB says of some that the write may have been done
	}
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return answerCode(answer)
	}
	if ctx.Err() != nil {
		return table.Canceled
	}
	if connection, ok := errors.AsType[*net.OpError](err); ok && connection.Op == "dial" {
		return table.Throttled // nothing was sent
	}
	return table.Unanswered
}

// answerCode returns the code of an error that DynamoDB itself has answered.
func answerCode(answer smithy.APIError) table.Code {
	switch answer.ErrorCode() {
	case "ConditionalCheckFailedException":
		return table.ConditionFailed
	case "TransactionConflictException":
		return table.Contended
	case "ProvisionedThroughputExceededException", "ThrottlingException", "ThrottlingError", "RequestLimitExceeded":
		return table.Throttled
	case "TransactionInProgressException": // what we sent before under the token is not done yet
		return table.Unanswered
	}
	return table.Unknown
}

// transactionCode returns the code of a transaction that was not done.
func transactionCode(reasons []types.CancellationReason) table.Code {
	code := table.Unknown
	for _, reason := range reasons {
		switch reasonOf(reason) {
		case "ConditionalCheckFailed":
			return table.ConditionFailed
		case "TransactionConflict":
			code = table.Contended
		case "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded":
			code = table.Throttled
		}
	}
	return code
}

func reasonOf(r types.CancellationReason) string {
	if r.Code == nil {
		return "None"
	}
	return *r.Code
}

// failedOf returns the index of the op whose condition failed.
func failedOf(err error) int {
	e, _ := errors.AsType[*storeError](err)
	return e.failed
}
