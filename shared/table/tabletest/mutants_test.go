package tabletest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sluice/shared/table"
)

// mutantVariable names, in a child process, the mutant that is under test.
const mutantVariable = "TABLETEST_MUTANT"

// TestSuiteFindsFaults runs the suite on drivers that each have one fault. A
// suite that passes one of them proves nothing.
func TestSuiteFindsFaults(t *testing.T) {
	for name := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			child := exec.Command(os.Args[0], "-test.run=^TestMutant$", "-test.failfast", "-test.skip=/any_sequence")
			child.Env = append(os.Environ(), mutantVariable+"="+name)
			child.Dir = t.TempDir()
			out, err := child.CombinedOutput()
			if exit := new(exec.ExitError); !errors.As(err, &exit) || !strings.Contains(string(out), "--- FAIL: TestMutant/") {
				t.Errorf("got %v, want a failed subtest; output:\n%s", err, out)
			}
		})
	}
}

// TestMutant is the child.
func TestMutant(t *testing.T) {
	open, ok := mutants()[os.Getenv(mutantVariable)]
	if !ok {
		t.Skip("this is the child process of TestSuiteFindsFaults")
	}
	Run(t, func(*testing.T) table.Driver { return open(NewMemory()) })
}

// mutant is a Memory with some methods replaced.
type mutant struct {
	*Memory
	getMany  func(ctx context.Context, keys []table.Key) ([]table.Item, error)
	query    func(ctx context.Context, q table.Query) (table.Page, error)
	apply    func(ctx context.Context, now time.Time, op table.Op) (table.Item, error)
	transact func(ctx context.Context, now time.Time, ops []table.Op) error
	failed   func(err error) int
}

func (m mutant) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	if m.getMany != nil {
		return m.getMany(ctx, keys)
	}
	return m.Memory.GetMany(ctx, keys)
}

func (m mutant) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if m.query != nil {
		return m.query(ctx, q)
	}
	return m.Memory.Query(ctx, q)
}

func (m mutant) Apply(ctx context.Context, now time.Time, op table.Op) (table.Item, error) {
	if m.apply != nil {
		return m.apply(ctx, now, op)
	}
	return m.Memory.Apply(ctx, now, op)
}

func (m mutant) Transact(ctx context.Context, now time.Time, ops []table.Op) error {
	if m.transact != nil {
		return m.transact(ctx, now, ops)
	}
	return m.Memory.Transact(ctx, now, ops)
}

func (m mutant) Failed(err error) int {
	if m.failed != nil {
		return m.failed(err)
	}
	return m.Memory.Failed(err)
}
