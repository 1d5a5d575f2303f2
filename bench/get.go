package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// newTarget makes a folder for downloads in memory, so that no disk is measured.
// The caller removes it.
func newTarget() (string, error) {
	return os.MkdirTemp("/dev/shm", "sluice-bench-")
}

// getters are the clients that download a URL into a file; sluice comes first.
func getters(s settings, url, target string) []client {
	file := filepath.Join(target, "got.bin")
	return installed(
		client{name: s.binary, args: []string{"get", "-q", "-f", "-o", file, url}},
		client{name: "curl", args: []string{"-sS", "-o", file, url}},
		client{name: "aria2c", args: []string{"-q", "--allow-overwrite=true", "-x16", "-s16", "-d", target, "-o", "got.bin", url}},
		client{name: "axel", args: []string{"-q", "-n", "16", "-o", file, url}},
		client{name: "rclone", args: []string{"copyurl", "--config", os.DevNull, url, file}},
	)
}

// benchGet compares `sluice get` with other clients: on loopback from nginx as
// fast as it goes, with a list of chunks, through a proxy that holds each
// connection to a rate, and from two of different rates.
func benchGet(ctx context.Context, s settings, dir string) ([]row, error) {
	file, err := writeLarge(dir, s.large)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	nginx, err := startNginx(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer nginx.stop()
	target, err := newTarget()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(target)
	chunks, err := chunksOf(file)
	if err != nil {
		return nil, err
	}
	rows, err := getUnthrottled(ctx, s, "http://"+nginx.addr+"/large.bin", target)
	if err != nil {
		return nil, err
	}
	more, err := getVerified(ctx, s, dir, nginx.addr, target, chunks)
	if err != nil {
		return nil, err
	}
	throttled, err := getThrottled(ctx, s, dir, nginx.addr, target, chunks)
	return append(append(rows, more...), throttled...), err
}

func getUnthrottled(ctx context.Context, s settings, url, target string) ([]row, error) {
	clients := getters(s, url, target)
	took, err := alternate(ctx, s.rounds, clients, target, s.large)
	if err != nil {
		return nil, err
	}
	const label = "get, unthrottled: "
	rows := []row{
		{what: label + "throughput", value: float64(s.large) / (1 << 30) / medianOf(took[0], seconds), unit: "GiB/s"},
		{what: label + "CPU", value: medianOf(took[0], cpu) / float64(s.large) * (1 << 30), unit: "s per GiB"},
		atMost(label+"RSS", medianOf(took[0], mib), 16, "MiB"),
	}
	for i, c := range clients[1:] {
		timeRow := row{what: label + "time against " + c.String(), value: against(took[0], took[i+1], seconds), unit: "×"}
		cpuRow := row{what: label + "CPU against " + c.String(), value: against(took[0], took[i+1], cpu), unit: "×"}
		switch c.String() {
		case "aria2c":
			timeRow = atMost(timeRow.what, timeRow.value, 0.35, "×")
			cpuRow = atMost(cpuRow.what, cpuRow.value, 0.5, "×")
		case "rclone":
			timeRow = atMost(timeRow.what, timeRow.value, 1, "×")
		}
		rows = append(rows, timeRow, cpuRow, row{what: label + "RSS of " + c.String(), value: medianOf(took[i+1], mib), unit: "MiB"})
	}
	return rows, nil
}

const chunkSize = 8 << 20

// chunksOf is the part of a Metalink document that describes the large file.
func chunksOf(file *os.File) (string, error) {
	var b strings.Builder
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, `<size>%d</size><pieces length="%d" type="sha-256">`, info.Size(), chunkSize)
	for buf := make([]byte, chunkSize); ; {
		n, err := io.ReadFull(file, buf)
		if n > 0 {
			fmt.Fprintf(&b, "<hash>%x</hash>", sha256.Sum256(buf[:n]))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return b.String() + "</pieces>", nil
		}
		if err != nil {
			return "", err
		}
	}
}

// writeMetalink says that the large file is at these hosts.
func writeMetalink(dir, chunks string, hosts ...string) (string, error) {
	var urls strings.Builder
	for _, host := range hosts {
		fmt.Fprintf(&urls, `<url priority="1">http://%s/large.bin</url>`, host)
	}
	path := filepath.Join(dir, "large.meta4")
	return path, os.WriteFile(path, fmt.Appendf(nil,
		`<?xml version="1.0"?><metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="got.bin">%s%s</file></metalink>`, chunks, &urls), 0o600)
}

// getVerified measures what verifying chunks costs, against sha256sum on the
// same bytes.
func getVerified(ctx context.Context, s settings, dir, addr, target, chunks string) ([]row, error) {
	list, err := writeMetalink(dir, chunks, addr)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(target, "got.bin")
	clients := installed(
		client{name: s.binary, args: []string{"get", "-q", "-f", "-o", file, "http://" + addr + "/large.bin"}},
		client{name: s.binary, args: []string{"get", "-q", "-f", "-o", file, list}},
		client{name: "aria2c", args: []string{"-q", "--allow-overwrite=true", "--check-integrity=true", "-x16", "-s16", "-d", target, "-M", list}},
	)
	took, err := alternate(ctx, s.rounds, clients, target, s.large)
	if err != nil {
		return nil, err
	}
	var sums []taken
	for range s.rounds {
		sum := client{name: "sha256sum", args: []string{filepath.Join(dir, "www", "large.bin")}}
		got, err := sum.run(ctx, target, 0)
		if err != nil {
			return nil, err
		}
		sums = append(sums, got)
	}
	const label = "get, chunks verified: "
	more := (medianOf(took[1], cpu) - medianOf(took[0], cpu)) / medianOf(sums, cpu)
	rows := []row{
		atMost(label+"more CPU than without, against sha256sum's", more, 1, "×"),
		{what: label + "time against without", value: against(took[1], took[0], seconds), unit: "×"},
	}
	if len(clients) > 2 {
		rows = append(rows, row{what: label + "time against aria2c", value: against(took[1], took[2], seconds), unit: "×"},
			row{what: label + "CPU against aria2c", value: against(took[1], took[2], cpu), unit: "×"})
	}
	return rows, nil
}

const (
	throttledRate        = 4000 // thousand bytes a second of one connection
	slowerRate           = 1000
	throttledConnections = 16
)

// getThrottled measures what each client gets of connections × rate, and from
// two servers of different rates.
func getThrottled(ctx context.Context, s settings, dir, addr, target, chunks string) ([]row, error) {
	proxy, err := startToxiproxy(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer proxy.stop()
	fast, err := proxy.throttle(ctx, "fast", addr, throttledRate)
	if err != nil {
		return nil, err
	}
	slow, err := proxy.throttle(ctx, "slow", addr, slowerRate)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, c := range getters(s, "http://"+fast+"/large.bin", target) {
		if c.String() == "curl" || c.String() == "rclone" {
			continue // one connection, or four
		}
		got, err := c.run(ctx, target, s.large)
		if err != nil {
			return nil, err
		}
		share := float64(s.large) / got.seconds / (throttledRate * 1000 * throttledConnections)
		r := row{what: "get, 4 MB/s a connection: share of 16 × the rate, " + c.String(), value: share, unit: "×"}
		if c.name == s.binary {
			r = atLeast(r.what, share, 0.93)
		}
		rows = append(rows, r)
	}
	list, err := writeMetalink(dir, chunks, slow, fast)
	if err != nil {
		return nil, err
	}
	both := installed(
		client{name: s.binary, args: []string{"get", "-q", "-f", "-o", filepath.Join(target, "got.bin"), list}},
		client{name: "aria2c", args: []string{"-q", "--allow-overwrite=true", "-x16", "-s16", "-d", target, "-M", list}},
	)
	for _, c := range both {
		got, err := c.run(ctx, target, s.large)
		if err != nil {
			return nil, err
		}
		share := float64(s.large) / got.seconds / (throttledRate * 1000 * throttledConnections)
		rows = append(rows, row{what: "get, from 1 and 4 MB/s a connection: share of 16 × the faster, " + c.String(), value: share, unit: "×"})
	}
	return rows, nil
}
