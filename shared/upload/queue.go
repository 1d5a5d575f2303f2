package upload

import (
	"context"
	"time"
)

// Queue takes jobs that are run elsewhere, by Service.Run. A job may be lost, run
// twice, and run out of order. Send is safe for concurrent use.
type Queue interface {
	// Send has j run, not before so long from now.
	Send(ctx context.Context, j Job, after time.Duration) error
}

// Job is a message of a Queue.
type Job struct {
	Name    JobName `json:"job"`
	ID      string  `json:"id"`                // of the upload, the file or the import
	Version string  `json:"version,omitempty"` // of the file
}

// JobName says what a job does.
type JobName string

// The jobs.
const (
	VerifyJob   JobName = "verify"   // an upload that is complete
	DescribeJob JobName = "describe" // a version without a manifest
	ImportJob   JobName = "import"   // the objects that are there
)
