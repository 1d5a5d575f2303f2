package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// benchLarge compares one large file from disk through the whole app with
// nginx on the same bytes.
func benchLarge(ctx context.Context, s settings, dir string) ([]row, error) {
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
	sluice, token, err := startWith(ctx, s, dir, content{"large.bin", file, s.large})
	if err != nil {
		return nil, err
	}
	defer sluice.stop()
	peers := []peer{
		{"nginx", nginx, request(nginx.addr, "/large.bin", "")},
		{"sluice", sluice, request(sluice.addr, "/file/admin/large.bin", token)},
	}
	var rows []row
	for _, clients := range []int{1, 8} {
		got, err := compareLarge(s, peers, clients)
		if err != nil {
			return nil, err
		}
		rows = append(rows, got...)
	}
	return rows, nil
}

type peer struct {
	name    string
	process *process
	request []byte
}

func compareLarge(s settings, peers []peer, clients int) ([]row, error) {
	total := 8 * s.large
	var speed, cost, absolute []float64
	for round := range s.rounds + 1 {
		var rate, cpu [2]float64
		for i := range peers {
			i = (i + round) % 2 // who goes first alternates
			p := peers[i]
			before := p.process.cpu()
			bps, err := fetchAll(p.process.addr, p.request, clients, s.large, total)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			rate[i], cpu[i] = bps, (p.process.cpu() - before).Seconds()
		}
		if round == 0 {
			continue // warms the page cache
		}
		speed = append(speed, rate[1]/rate[0])
		cost = append(cost, cpu[1]/cpu[0])
		absolute = append(absolute, rate[1]/(1<<30))
	}
	label := fmt.Sprintf("large file, %d client(s): ", clients)
	return []row{
		atLeast(label+"throughput against nginx", median(speed), 1.0),
		atMost(label+"server CPU per GiB against nginx", median(cost), 1.2, "×"),
		{what: label + "throughput", value: median(absolute), unit: "GiB/s"},
	}, nil
}

// writeLarge makes the file that both serve, of bytes that do not compress.
func writeLarge(dir string, size int64) (*os.File, error) {
	if err := os.MkdirAll(filepath.Join(dir, "www"), 0o755); err != nil { //nolint:gosec // nginx's workers read it
		return nil, err
	}
	file, err := os.Create(filepath.Join(dir, "www", "large.bin"))
	if err != nil {
		return nil, err
	}
	random := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(file, random, size); err != nil {
		return nil, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return file, err
}

// settle lets a server finish what it does after the last answer.
func settle() { time.Sleep(500 * time.Millisecond) }
