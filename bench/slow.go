package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

const (
	slowSize  = 64 << 20
	slowBite  = 4 << 10                // what a slow reader takes at a time
	slowPause = 500 * time.Millisecond // and how often
	slowTime  = 15 * time.Second
)

// benchSlow opens many downloads that are read slowly, and measures what each
// costs in memory and what a new small request waits meanwhile.
func benchSlow(ctx context.Context, s settings, dir string) ([]row, error) {
	sluice, err := startSluice(ctx, s, dir)
	if err != nil {
		return nil, err
	}
	defer sluice.stop()
	rss, p99, err := measureSlow(s, sluice)
	return []row{
		atMost(fmt.Sprintf("%d slow downloads: RSS of each", s.readers), rss, 40, "KiB"),
		atMost(fmt.Sprintf("%d slow downloads: p99 of a new small request meanwhile", s.readers), float64(p99.Microseconds())/1000, 50, "ms"),
	}, err
}

// measureSlow returns the server's RSS of each slow download in KiB, and what a
// new small request waits meanwhile.
func measureSlow(s settings, sluice *process) (rss float64, p99 time.Duration, err error) {
	token, err := sluice.login()
	if err != nil {
		return 0, 0, err
	}
	if err := sluice.upload(token, "/file/admin/slow.bin", strings.NewReader(strings.Repeat("y", slowSize)), slowSize); err != nil {
		return 0, 0, err
	}
	if err := sluice.upload(token, "/file/admin/small.bin", strings.NewReader(strings.Repeat("x", smallSize)), smallSize); err != nil {
		return 0, 0, err
	}
	small := request(sluice.addr, "/file/admin/small.bin", token)
	// Warm: what the server needs anyway is not the readers' cost.
	if _, err := hammer(sluice.addr, small, http.StatusOK, 8, time.Second); err != nil {
		return 0, 0, err
	}
	settle()
	before, err := sluice.rss()
	if err != nil {
		return 0, 0, err
	}
	readers, err := openReaders(sluice.addr, request(sluice.addr, "/file/admin/slow.bin", token), s.readers)
	defer closeReaders(readers)
	if err != nil {
		return 0, 0, err
	}
	waits, peak, err := observeSlow(sluice, readers, small)
	if err != nil {
		return 0, 0, err
	}
	return float64(peak-before) / float64(s.readers) / 1024, percentile(waits), nil
}

func openReaders(addr string, request []byte, n int) ([]net.Conn, error) {
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10)
		})
		return errors.Join(err, failed)
	}}
	readers := make([]net.Conn, 0, n)
	for range n {
		c, err := dialer.Dial("tcp", addr)
		if err != nil {
			return readers, err
		}
		readers = append(readers, c)
		if _, err := c.Write(request); err != nil {
			return readers, err
		}
	}
	return readers, nil
}

func closeReaders(readers []net.Conn) {
	for _, r := range readers {
		_ = r.Close()
	}
}

// observeSlow lets every reader take a bite now and then, and meanwhile asks for
// a small file on a new connection each time.
func observeSlow(p *process, readers []net.Conn, small []byte) (waits []time.Duration, peak int64, err error) {
	done := make(chan struct{})
	read := make(chan error, 1)
	go func() { read <- readSlowly(readers, done) }()
	defer func() {
		close(done)
		err = errors.Join(err, <-read)
	}()
	for until := time.Now().Add(slowTime); time.Now().Before(until); {
		began := time.Now()
		if err := fetch(p.addr, small); err != nil {
			return nil, 0, err
		}
		waits = append(waits, time.Since(began))
		rss, err := p.rss()
		if err != nil {
			return nil, 0, err
		}
		peak = max(peak, rss)
		time.Sleep(5 * time.Millisecond)
	}
	return waits, peak, nil
}

// readSlowly lets every reader take a bite, again and again, until done. None
// waits for another. Each must get one within the time: none was dropped or
// forgotten.
func readSlowly(readers []net.Conn, done <-chan struct{}) error {
	ended := make(chan error, len(readers))
	for i, r := range readers {
		go func() {
			if err := takeBites(r, done); err != nil {
				ended <- fmt.Errorf("slow reader %d: %w", i, err)
				return
			}
			ended <- nil
		}()
	}
	var all error
	for range readers {
		all = errors.Join(all, <-ended)
	}
	return all
}

func takeBites(r net.Conn, done <-chan struct{}) error {
	const patience = 30 * time.Second
	buf := make([]byte, slowBite)
	pace := time.NewTicker(slowPause)
	defer pace.Stop()
	for {
		if err := r.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		if _, err := r.Read(buf); err != nil {
			return err
		}
		select {
		case <-pace.C:
		case <-done:
			return nil
		}
	}
}
