package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// getter is a program that downloads a URL into a file.
type getter struct {
	name string
	args func(url, dir, file string) []string
}

// getters are those that are compared; sluice comes first. The programs that
// are not installed are left out.
func getters(s settings) []getter {
	all := []getter{
		{s.binary, func(url, dir, file string) []string {
			return []string{"get", "-q", "-f", "-o", filepath.Join(dir, file), url}
		}},
		{"curl", func(url, dir, file string) []string { return []string{"-sS", "-o", filepath.Join(dir, file), url} }},
		{"aria2c", func(url, dir, file string) []string {
			return []string{"-q", "--allow-overwrite=true", "-x16", "-s16", "-d", dir, "-o", file, url}
		}},
		{"axel", func(url, dir, file string) []string {
			return []string{"-q", "-n", "16", "-o", filepath.Join(dir, file), url}
		}},
		{"rclone", func(url, dir, file string) []string {
			return []string{"copyurl", "--config", os.DevNull, url, filepath.Join(dir, file)}
		}},
	}
	var found []getter
	for _, g := range all {
		if _, err := exec.LookPath(g.name); err == nil {
			found = append(found, g)
		}
	}
	return found
}

// taken is what one download cost.
type taken struct {
	seconds, cpu float64
	rss          int64 // bytes, at its peak
}

// get downloads once, wants the right size, and removes what came.
func (g getter) get(ctx context.Context, url, dir string, size int64) (taken, error) {
	const file = "got.bin"
	cmd := exec.CommandContext(ctx, g.name, g.args(url, dir, file)...)
	cmd.Stderr = os.Stderr
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	defer os.Remove(filepath.Join(dir, file))
	if err != nil {
		return taken{}, fmt.Errorf("%s: %w", g.name, err)
	}
	if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() != size {
		return taken{}, fmt.Errorf("%s: not the whole file: %w", g.name, err)
	}
	state := cmd.ProcessState
	out := taken{seconds: took.Seconds(), cpu: (state.UserTime() + state.SystemTime()).Seconds()}
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		out.rss = usage.Maxrss << 10
	}
	return out, nil
}

// tmpfs is where downloads go, so that no disk is measured.
const tmpfs = "/dev/shm"

// benchGet compares `sluice get` with other clients: on loopback from nginx as
// fast as it goes, and through a proxy that holds each connection to a rate.
func benchGet(ctx context.Context, s settings, dir string) ([]row, error) {
	file, err := writeLarge(dir, s.large)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	nginx, err := startNginx(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer nginx.stop()
	target, err := os.MkdirTemp(tmpfs, "sluice-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(target)
	rows, err := getUnthrottled(ctx, s, "http://"+nginx.addr+"/large.bin", target)
	if err != nil {
		return nil, err
	}
	throttled, err := getThrottled(ctx, s, nginx.addr, target)
	return append(rows, throttled...), err
}

func getUnthrottled(ctx context.Context, s settings, url, target string) ([]row, error) {
	programs := getters(s)
	times, cpus := map[string][]float64{}, map[string][]float64{}
	var rss, absolute []float64
	for round := range s.rounds + 1 {
		var all []taken
		for i := range programs {
			g := programs[(i+round)%len(programs)] // who goes first alternates
			got, err := g.get(ctx, url, target, s.large)
			if err != nil {
				return nil, err
			}
			all = append(all, got)
		}
		if round == 0 {
			continue // warms the page cache
		}
		at := func(i int) taken { return all[(i-round%len(programs)+len(programs))%len(programs)] }
		own := at(0)
		rss = append(rss, float64(own.rss)/(1<<20))
		absolute = append(absolute, float64(s.large)/(1<<30)/own.seconds)
		for i, g := range programs[1:] {
			times[g.name] = append(times[g.name], own.seconds/at(i+1).seconds)
			cpus[g.name] = append(cpus[g.name], own.cpu/at(i+1).cpu)
		}
	}
	const label = "get, unthrottled: "
	rows := []row{{what: label + "throughput", value: median(absolute), unit: "GiB/s"}, atMost(label+"RSS", median(rss), 16, "MiB")}
	for _, g := range programs[1:] {
		timeRow := row{what: label + "time against " + g.name, value: median(times[g.name]), unit: "×"}
		cpuRow := row{what: label + "CPU against " + g.name, value: median(cpus[g.name]), unit: "×"}
		switch g.name {
		case "aria2c":
			timeRow = atMost(timeRow.what, timeRow.value, 0.35, "×")
			cpuRow = atMost(cpuRow.what, cpuRow.value, 0.5, "×")
		case "rclone":
			timeRow = atMost(timeRow.what, timeRow.value, 1, "×")
		}
		rows = append(rows, timeRow, cpuRow)
	}
	return rows, nil
}

const (
	throttledRate        = 4 << 20 // bytes a second of one connection
	throttledConnections = 16
)

// getThrottled measures what each client gets of connections × rate.
func getThrottled(ctx context.Context, s settings, addr, target string) ([]row, error) {
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer proxy.Close()
	go serveThrottled(proxy, addr)
	url := "http://" + proxy.Addr().String() + "/large.bin"
	var rows []row
	for _, g := range getters(s) {
		if g.name == "curl" || g.name == "rclone" {
			continue // one connection, or four
		}
		got, err := g.get(ctx, url, target, s.large)
		if err != nil {
			return nil, err
		}
		share := float64(s.large) / got.seconds / (throttledRate * throttledConnections)
		r := row{what: "get, 4 MiB/s a connection: share of 16 × the rate, " + filepath.Base(g.name), value: share, unit: "×"}
		if g.name == s.binary {
			r = atLeast(r.what, share, 0.93)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// serveThrottled passes connections on, and holds what comes back to a rate,
// without a burst.
func serveThrottled(ln net.Listener, addr string) {
	for {
		client, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("tcp", addr)
			if err != nil {
				return
			}
			defer server.Close()
			go func() { _, _ = io.Copy(server, client) }() // either end may go
			_ = throttle(client, server)
		}()
	}
}

func throttle(to io.Writer, from io.Reader) error {
	const slice, late = 5 * time.Millisecond, 50 * time.Millisecond
	buf := make([]byte, throttledRate*slice/time.Second)
	next := time.Now()
	for {
		n, err := from.Read(buf)
		if n > 0 {
			cost := time.Duration(n) * time.Second / throttledRate
			if now := time.Now(); now.Sub(next) > late {
				next = now // what was not used is gone
			}
			next = next.Add(cost)
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
			time.Sleep(time.Until(next))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// versions tells which clients were compared.
func versions(ctx context.Context, s settings) string {
	var all []string
	for _, g := range getters(s)[1:] {
		out, _ := exec.CommandContext(ctx, g.name, "--version").Output() // it may not say
		line, _, _ := strings.Cut(string(out), "\n")
		all = append(all, strings.TrimSpace(line))
	}
	return strings.Join(all, "; ")
}
