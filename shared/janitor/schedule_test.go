package janitor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/shared/janitor"
)

func TestAScheduleSweepsAllThatIsDueInItsTime(t *testing.T) {
	d := deploy(t, 1001) // more than one sweep does
	j := d.server()
	resumed := 0
	j.Resume = func(context.Context) error { resumed++; return nil }
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second) // less than what is kept for the end
	defer cancel()
	for _, c := range []struct {
		ctx  context.Context
		name string
		want int
	}{{short, "without time", 0}, {t.Context(), "with time", 1001}, {t.Context(), "with nothing due", 0}} {
		if got, err := j.Handle(c.ctx, nil); err != nil || got != (janitor.Swept{Removed: c.want}) {
			t.Errorf("a sweep %s: %+v, %v; want %d removed", c.name, got, err, c.want)
		}
	}
	if resumed != 3 {
		t.Errorf("what was left lying is gone on with %d times, want 3", resumed)
	}
	j.Resume = func(context.Context) error { return errors.New("the store is away") }
	if _, err := j.Handle(t.Context(), nil); err == nil {
		t.Error("a sweep that cannot go on with what was left lying succeeds, want an error")
	}
}
