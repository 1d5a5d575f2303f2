package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/gin-gonic/gin"
)

// The arguments with which this program is a peer: the bare Gin server, and the
// store that costs next to nothing.
const (
	ginPeer  = "gin-peer"
	stubPeer = "stub-peer"
)

const (
	smallSize        = 4 << 10
	smallConnections = 64
	smallTime        = 3 * time.Second
)

// benchSmall compares small files, each asked for with a token, with a bare
// Gin route that answers a little JSON.
func benchSmall(ctx context.Context, s settings, dir string) ([]row, error) {
	bare, err := startSelf(ctx, ginPeer)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	sluice, token, err := startWith(ctx, s, dir, smallFile())
	if err != nil {
		return nil, err
	}
	defer sluice.stop()
	ratio, rate, err := s.compareRates(
		peer{"gin", bare, request(bare.addr, "/", "")},
		peer{"sluice", sluice, request(sluice.addr, "/file/admin/small.bin", token)}, http.StatusOK)
	return []row{
		atLeast("4 KiB files with a token, 64 connections: against a bare Gin JSON route", ratio, 0.33),
		{what: "4 KiB files with a token, 64 connections", value: rate, unit: "requests/s"},
	}, err
}

// compareRates hammers both peers in turn, of which the first answers 200 and
// the second with status. It returns the second's requests a second against the
// first's, and as they are.
func (s settings) compareRates(first, second peer, status int) (ratio, rate float64, err error) {
	requests, statuses := [2]peer{first, second}, [2]int{http.StatusOK, status}
	var ratios, absolute []float64
	for round := range s.rounds {
		var rate [2]float64
		for i := range requests {
			i = (i + round) % 2
			p := requests[i]
			if rate[i], err = hammer(p.process.addr, p.request, statuses[i], smallConnections, smallTime); err != nil {
				return 0, 0, fmt.Errorf("%s: %w", p.name, err)
			}
		}
		ratios = append(ratios, rate[1]/rate[0])
		absolute = append(absolute, rate[1])
	}
	return median(ratios), median(absolute), nil
}

// startSelf starts this program as a peer.
func startSelf(ctx context.Context, as string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, as)
	cmd.Env = append(os.Environ(), "BENCH_ADDR="+addr)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd, addr}, await(addr)
}

// serveGin is the peer: one route, no middleware, no log.
func serveGin() error {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	return serveAt(engine)
}

// serveAt serves a peer at the address that it is told.
func serveAt(handler http.Handler) error {
	ln, err := net.Listen("tcp", os.Getenv("BENCH_ADDR"))
	if err != nil {
		return err
	}
	return http.Serve(ln, handler) //nolint:gosec // a peer to measure against
}
