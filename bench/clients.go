package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// client is a program that downloads.
type client struct {
	name string // of the program
	args []string
	env  []string
}

// installed are those clients that this machine has.
func installed(all ...client) []client {
	var found []client
	for _, c := range all {
		path, err := exec.LookPath(c.name)
		if err != nil {
			path, err = exec.LookPath(filepath.Join(".cache", "bin", c.name))
		}
		if err == nil {
			c.name = path
			found = append(found, c)
		}
	}
	return found
}

func (c client) String() string { return filepath.Base(c.name) }

// taken is what one run cost.
type taken struct {
	seconds, cpu float64
	rss          int64 // bytes, at its peak; 0: it was too short to see
}

// run runs a client, which must leave so many bytes in dir, and empties dir.
func (c client) run(ctx context.Context, dir string, size int64) (taken, error) {
	cmd := exec.CommandContext(ctx, c.name, c.args...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return taken{}, err
	}
	done := make(chan struct{})
	peak := make(chan int64)
	go func() { peak <- watchPeak(cmd.Process.Pid, done) }()
	err := cmd.Wait()
	took := time.Since(began)
	close(done)
	out := taken{seconds: took.Seconds(), cpu: (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), rss: <-peak}
	if err != nil {
		return taken{}, fmt.Errorf("%s: %w", c, err)
	}
	got, err := emptied(dir)
	if err == nil && got != size {
		err = fmt.Errorf("%s left %d bytes, want %d", c, got, size)
	}
	return out, err
}

// watchPeak returns the most memory that a process had resident. What wait4
// tells is of no use here: a program inherits the figure of the one that
// started it.
func watchPeak(pid int, done <-chan struct{}) (peak int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // it may have ended
		if _, rest, ok := strings.Cut(string(text), "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			peak = kib << 10
		}
		select {
		case <-done:
			return peak
		case <-tick.C:
		}
	}
}

// emptied removes all files in a folder and returns how many bytes they had.
func emptied(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	var sum int64
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr == nil {
			sum += info.Size()
		}
		err = errors.Join(err, infoErr, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return sum, err
}

// alternate runs every client once a round; who goes first alternates. It
// returns what each took, by client and round. The first round warms up, and
// does not count.
func alternate(ctx context.Context, rounds int, all []client, dir string, size int64) ([][]taken, error) {
	out := make([][]taken, len(all))
	for round := range rounds + 1 {
		for i := range all {
			i = (i + round) % len(all)
			got, err := all[i].run(ctx, dir, size)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				out[i] = append(out[i], got)
			}
		}
	}
	return out, nil
}

func seconds(t taken) float64 { return t.seconds }
func cpu(t taken) float64     { return t.cpu }
func mib(t taken) float64     { return float64(t.rss) / (1 << 20) }

// medianOf is the median of a figure.
func medianOf(all []taken, figure func(taken) float64) float64 {
	var values []float64
	for _, t := range all {
		values = append(values, figure(t))
	}
	return median(values)
}

// against is the median, over the rounds, of a figure of one client against
// another's.
func against(own, peer []taken, figure func(taken) float64) float64 {
	var ratios []float64
	for i := range own {
		ratios = append(ratios, figure(own[i])/figure(peer[i]))
	}
	return median(ratios)
}

// versions tells which clients were compared.
func versions(ctx context.Context) string {
	var all []string
	for _, c := range installed(client{name: "curl"}, client{name: "aria2c"}, client{name: "axel"}, client{name: "rclone"}, client{name: "s5cmd"}) {
		flag := "--version"
		if c.String() == "s5cmd" {
			flag = "version"
		}
		out, _ := exec.CommandContext(ctx, c.name, flag).Output() // it may not say
		line, _, _ := strings.Cut(string(out), "\n")
		all = append(all, strings.TrimSpace(c.String()+" "+strings.TrimPrefix(line, c.String()+" ")))
	}
	return strings.Join(all, "; ")
}
