package observe_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/shared/observe"
)

// writes are the pieces in which a log was written.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

// messages returns what the lines of each piece say.
func (w *writes) messages() []string {
	var all []string
	for _, piece := range *w {
		var said []string
		for line := range strings.Lines(piece) {
			_, message, _ := strings.Cut(line, `"msg":"`)
			message, _, _ = strings.Cut(message, `"`)
			said = append(said, message)
		}
		all = append(all, strings.Join(said, " "))
	}
	return all
}

func TestLinesWaitForOthers(t *testing.T) {
	for name, c := range map[string]struct {
		log  func(log *slog.Logger, flush func())
		want []string
	}{
		"until they are flushed": {func(log *slog.Logger, flush func()) {
			log.Info("one")
			log.Info("two")
			flush()
			flush()
		}, []string{"one two"}},
		"for a moment": {func(log *slog.Logger, _ func()) {
			log.Info("one")
			<-time.After(99 * time.Millisecond)
			log.Info("two")
			<-time.After(2 * time.Millisecond)
			log.Info("three")
			<-time.After(time.Second)
		}, []string{"one two", "three"}},
		"not behind a warning": {func(log *slog.Logger, _ func()) {
			log.Info("one")
			log.Warn("two")
			log.Info("three")
			log.With("key", "value").WithGroup("group").Error("four")
		}, []string{"one two", "three four"}},
		"not when they are many": {func(log *slog.Logger, _ func()) {
			long := strings.Repeat("x", 30<<10)
			log.Info("one", "value", long)
			log.Info("two", "value", long)
			log.Info("three", "value", long)
			log.Info("four")
		}, []string{"one two three"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out writes
				c.log(observe.NewGatheringLogger(&out, slog.LevelInfo))
				synctest.Wait()
				if got := out.messages(); !slices.Equal(got, c.want) {
					t.Errorf("written are %q, want %q", got, c.want)
				}
			})
		})
	}
}

// Lines of many are whole, and none is lost.
func TestManyLogAtOnce(t *testing.T) {
	const loggers, each = 8, 500
	var out writes
	log, flush := observe.NewGatheringLogger(&out, slog.LevelInfo)
	var running sync.WaitGroup
	for i := range loggers {
		running.Go(func() {
			for j := range each {
				log.Info("one of many", "line", fmt.Sprintf("%d/%d", i, j))
			}
		})
	}
	running.Wait()
	flush()
	got := map[string]bool{}
	for line := range strings.Lines(strings.Join(out, "")) {
		var whole struct{ Line string }
		if err := json.Unmarshal([]byte(line), &whole); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got[whole.Line] = true
	}
	if len(got) != loggers*each {
		t.Errorf("%d different lines were written, want %d", len(got), loggers*each)
	}
}
