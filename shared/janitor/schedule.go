package janitor

import (
	"context"
	"encoding/json"
	"time"

	"sluice/shared/fault"
)

// endTime is how long before the end of its time a sweep that a schedule runs
// stops. The next one goes on.
const endTime = 5 * time.Second

// Swept is what a sweep that a schedule ran has done.
type Swept struct {
	Removed int `json:"removed"`
}

// Handle sweeps until nothing is due or the time is over, and returns what it
// did. The event is not looked at: whoever runs the function may send any.
func (j *Janitor) Handle(ctx context.Context, _ json.RawMessage) (any, error) {
	work, cancel := ctx, context.CancelFunc(func() {})
	if end, ok := ctx.Deadline(); ok {
		work, cancel = context.WithDeadline(ctx, end.Add(-endTime))
	}
	defer cancel()
	var out Swept
	for {
		n := j.Sweep(work)
		out.Removed += n
		if n < batch || work.Err() != nil {
			break
		}
	}
	if j.Resume == nil || ctx.Err() != nil {
		return out, nil
	}
	if err := j.Resume(ctx); err != nil {
		return out, fault.Wrap(err, fault.KindOf(err), "not_resumed", "What was left lying cannot be gone on with.")
	}
	return out, nil
}
