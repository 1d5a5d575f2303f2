package fetch

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestOneRunServesAllWhoAskedBeforeItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		gate := make(chan struct{})
		together := newTogether(func() error {
			begun.Add(1)
			<-gate
			return nil
		})
		var all sync.WaitGroup
		ask := func() {
			before := begun.Load()
			all.Go(func() {
				if err := together.do(); err != nil || begun.Load() == before {
					t.Errorf("who asked after %d runs had begun was served by one of them (%v)", before, err)
				}
			})
		}
		ask()
		synctest.Wait() // the first run is under way
		for range 9 {
			ask()
		}
		synctest.Wait()
		close(gate)
		all.Wait()
		if begun.Load() != 2 {
			t.Errorf("%d runs served 10 who asked, want 2", begun.Load())
		}
	})
}

func TestWhatComesOfARunIsForItsOwn(t *testing.T) {
	wrong := errors.New("the disk is gone")
	results := []error{nil, wrong, nil}
	together := newTogether(func() error {
		result := results[0]
		results = results[1:]
		return result
	})
	for i, want := range []error{nil, wrong, nil} {
		if err := together.do(); !errors.Is(err, want) {
			t.Errorf("run %d came to %v, want %v", i, err, want)
		}
	}
}
