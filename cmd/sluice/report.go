package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"sluice/shared/fault"
	"sluice/shared/fetch"
	"sluice/shared/send"
)

const (
	drawEvery  = 200 * time.Millisecond
	tellEvery  = time.Second
	printEvery = 30 * time.Second // of a file, where there is no terminal
)

// report tells a person or a program how files get on: by bars on a terminal,
// by lines elsewhere, or in JSON.
type report struct {
	out     io.Writer
	errOut  io.Writer
	json    bool
	quiet   bool
	width   int  // of the terminal; 0: it is none
	several bool // more than one file: errors are told one by one

	mu     sync.Mutex
	active []*line
	words  func(time.Time) string // of a job; nil: there is none
	told   string                 // of it, last, where there is no terminal
	drawn  int                    // lines that stand on the terminal
}

// line is one file under way.
type line struct {
	index    int
	progress func() fetch.Progress
	rate     speed
	printed  time.Time // when a line was last printed of it, or might have been
}

// due reports whether it is time for another line where there is no terminal. What
// is done within printEvery gets none.
func (l *line) due(now time.Time) bool {
	if l.printed.IsZero() {
		l.printed = now
	}
	if now.Sub(l.printed) < printEvery {
		return false
	}
	l.printed = now
	return true
}

func newReport(inJSON, quiet bool, out, errOut io.Writer) *report {
	r := &report{out: out, errOut: errOut, json: inJSON, quiet: quiet}
	if file, ok := errOut.(*os.File); ok && !inJSON && !quiet && term.IsTerminal(int(file.Fd())) {
		r.out = errOut
		r.width, _, _ = term.GetSize(int(file.Fd())) // 0: no bars
	}
	return r
}

// every is how often something new is told.
func (r *report) every() time.Duration {
	if r.width > 0 {
		return drawEvery
	}
	return tellEvery
}

// start reports from time to time until the function it returns is called.
func (r *report) start() (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(r.every())
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				r.tell(now)
			case <-ended:
				return
			}
		}
	}()
	return func() {
		close(ended)
		<-done
	}
}

// add begins to report on a file; ended must follow.
func (r *report) add(index int, progress func() fetch.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.active = append(r.active, &line{index: index, progress: progress})
}

// event is one line of --json.
type event struct {
	Event       string           `json:"event"` // progress, done, failed or skipped
	File        int              `json:"file"`  // counted from 0, in the order asked for
	Name        string           `json:"name,omitempty"`
	State       fetch.State      `json:"state,omitempty"`
	Size        *int64           `json:"size,omitempty"` // absent: unknown
	Bytes       int64            `json:"bytes"`          // that are there
	Resumed     int64            `json:"resumed_bytes"`  // of these, from an earlier run
	Rate        int64            `json:"bytes_per_second,omitempty"`
	Connections int              `json:"connections,omitempty"`
	Sources     []sourceOfReport `json:"sources,omitempty"`
	Verified    string           `json:"verified,omitempty"` // by what
	Code        string           `json:"code,omitempty"`
	Message     string           `json:"message,omitempty"`
	ExitCode    int              `json:"exit_code,omitempty"`
}

type sourceOfReport struct {
	Host        string `json:"host"`
	Connections int    `json:"connections"`
	Bytes       int64  `json:"bytes"`
}

func (r *report) print(e event) {
	text, err := json.Marshal(e)
	if err == nil {
		fmt.Fprintf(r.out, "%s\n", text)
	}
}

// follow reports on a job that is told in words, until it is nil. With --json
// nothing is told of it.
func (r *report) follow(words func(time.Time) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.words = words; words == nil {
		r.draw(nil)
	}
}

// tellJob adds the line of the job to the bars, or prints what is new of it.
func (r *report) tellJob(now time.Time, bars []string) []string {
	if r.words == nil || r.json || r.quiet {
		return bars
	}
	text := r.words(now)
	if r.width > 0 {
		return append(bars, cutTo(text, r.width))
	}
	if text != r.told {
		fmt.Fprintln(r.out, text)
		r.told = text
	}
	return bars
}

func (r *report) tell(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var bars []string
	for _, l := range r.active {
		p := l.progress()
		rate := l.rate.at(now, p.Bytes)
		switch {
		case r.json:
			r.print(progressEvent(l, p, rate))
		case r.width > 0:
			bars = append(bars, bar(p, rate, r.width)...)
		case !r.quiet && l.due(now):
			fmt.Fprintln(r.out, plain(p, rate))
		}
	}
	r.draw(r.tellJob(now, bars))
}

func progressEvent(l *line, p fetch.Progress, rate float64) event {
	e := event{Event: "progress", File: l.index, Name: p.Name, State: p.State, Bytes: p.Bytes, Resumed: p.Resumed, Rate: int64(rate), Connections: p.Connections}
	if p.Size >= 0 {
		e.Size = &p.Size
	}
	for _, s := range p.Sources {
		e.Sources = append(e.Sources, sourceOfReport{s.Host, s.Connections, s.Bytes})
	}
	return e
}

// draw puts bars in the place of those that stand there.
func (r *report) draw(bars []string) {
	if r.width == 0 {
		return
	}
	var b strings.Builder
	if r.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", r.drawn)
	}
	for _, line := range bars {
		b.WriteString(line + "\n")
	}
	r.drawn = len(bars)
	fmt.Fprint(r.out, b.String())
}

// ended takes a file off, and says what became of it.
func (r *report) ended(index int, result fetch.Result, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.remove(index)
	r.draw(nil)
	switch {
	case r.json:
		r.print(endEvent(l, result, err))
	case err != nil && r.several && !errors.Is(err, context.Canceled):
		fmt.Fprintf(r.errOut, "%s: %s\n", shown(l, result), explain(err))
	case err == nil && !r.quiet:
		fmt.Fprintln(r.out, sentenceOf(result))
	}
}

func (r *report) remove(index int) *line {
	for i, l := range r.active {
		if l.index == index {
			r.active = append(r.active[:i], r.active[i+1:]...)
			return l
		}
	}
	return &line{index: index}
}

func endEvent(l *line, result fetch.Result, err error) event {
	e := event{Event: "done", File: l.index, Name: result.Name, Size: &result.Size, Bytes: result.Fetched + result.Resumed, Resumed: result.Resumed, Verified: result.Verified}
	if err != nil {
		p := l.progress()
		e.Event, e.Size, e.Bytes, e.Resumed = "failed", nil, p.Bytes, p.Resumed
		e.Message, e.ExitCode = explain(err), exitCode(withExitCode(context.Background(), err))
		if f, ok := errors.AsType[*fault.Error](err); ok {
			e.Code = f.Code
		}
	}
	return e
}

// shown names a file in an error: a URL may be a secret, but for its host.
func shown(l *line, result fetch.Result) string {
	if result.Name != "" {
		return result.Name
	}
	if p := l.progress(); len(p.Sources) > 0 {
		return p.Sources[0].Host
	}
	return "sluice"
}

func sentenceOf(result fetch.Result) string {
	name := result.Name
	if name == "" {
		name = "-"
	}
	s := fmt.Sprintf("%s: %s", name, bytesText(float64(result.Size)))
	if result.Resumed > 0 {
		s += ", of which " + bytesText(float64(result.Resumed)) + " were there"
	}
	if result.Already {
		s = name + ": it was there"
	}
	if result.Verified != "" {
		s += ", verified by " + result.Verified
	}
	return s
}

// speed smooths a rate.
type speed struct {
	since time.Time
	bytes int64
	value float64
}

func (s *speed) at(now time.Time, bytes int64) float64 {
	if !s.since.IsZero() && now.After(s.since) {
		const weight = 0.3
		rate := max(0, float64(bytes-s.bytes)/now.Sub(s.since).Seconds())
		if s.value == 0 {
			s.value = rate
		}
		s.value += weight * (rate - s.value)
	}
	s.since, s.bytes = now, bytes
	return s.value
}

// bar is one file as it is drawn, and a line for each source where there are
// several.
func bar(p fetch.Progress, rate float64, width int) []string {
	name := p.Name
	if name == "" {
		name = string(p.State)
	}
	const nameWidth, meter = 24, 20
	text := fmt.Sprintf("%-*.*s ", nameWidth, nameWidth, name)
	if p.Size > 0 {
		full := int(meter * p.Bytes / p.Size)
		text += fmt.Sprintf("[%s%s] %3d%% ", strings.Repeat("=", full), strings.Repeat(" ", meter-full), 100*p.Bytes/p.Size)
	}
	text += fmt.Sprintf("%9s %11s", bytesText(float64(p.Bytes)), bytesText(rate)+"/s")
	if left := timeLeft(p, rate); left != "" {
		text += " " + left
	}
	if p.State != fetch.Fetching && p.State != fetch.State(send.Sending) {
		text += " " + string(p.State)
	}
	lines := []string{cutTo(text, width)}
	if len(p.Sources) < 2 {
		return lines
	}
	for _, s := range p.Sources {
		lines = append(lines, cutTo(fmt.Sprintf("  %-*.*s %d connections, %s", nameWidth, nameWidth, s.Host, s.Connections, bytesText(float64(s.Bytes))), width))
	}
	return lines
}

// plain is one file as it is told where there is no terminal.
func plain(p fetch.Progress, rate float64) string {
	name := p.Name
	if name == "" {
		name = string(p.State)
	}
	text := name + ": " + bytesText(float64(p.Bytes))
	if p.Size > 0 {
		text += fmt.Sprintf(" of %s (%d%%)", bytesText(float64(p.Size)), 100*p.Bytes/p.Size)
	}
	text += ", " + bytesText(rate) + "/s"
	if left := timeLeft(p, rate); left != "" {
		text += ", " + left + " left"
	}
	return text
}

// timeLeft is how long the rest takes at a rate; "" where nobody can tell, as when
// nothing comes.
func timeLeft(p fetch.Progress, rate float64) string {
	const most = 1000 * time.Hour
	seconds := float64(p.Size-p.Bytes) / rate
	if p.Size <= 0 || !(seconds <= most.Seconds()) {
		return ""
	}
	return (time.Duration(seconds) * time.Second).String()
}

// cutTo keeps a line from wrapping.
func cutTo(text string, width int) string {
	if runes := []rune(text); len(runes) >= width {
		return string(runes[:max(0, width-1)])
	}
	return text
}

// bytesText is a number of bytes for a person.
func bytesText(n float64) string {
	const k = 1024
	if n < k {
		return fmt.Sprintf("%.0f B", n)
	}
	unit := 0
	for n /= k; n >= k && unit < 3; n /= k {
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", n, "KMGT"[unit])
}
