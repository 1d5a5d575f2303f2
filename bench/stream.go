package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// benchStream compares one large file from MinIO through the whole app with
// nginx and HAProxy before the same object, and with MinIO itself.
func benchStream(ctx context.Context, s settings, dir string) ([]row, error) {
	file, err := writeLarge(dir, s.large)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sluice, minio, err := startOnStore(ctx, s, dir, "SLUICE_DELIVERY=stream")
	if err != nil {
		return nil, err
	}
	defer minio.stop()
	defer sluice.stop()
	token, err := sluice.fill(content{"large.bin", file, s.large})
	if err != nil {
		return nil, err
	}
	path, err := minio.presigned(ctx, s.large)
	if err != nil {
		return nil, err
	}
	nginx, err := startNginxAs(ctx, dir, proxied(minio.addr))
	if err != nil {
		return nil, err
	}
	defer nginx.stop()
	haproxy, err := startHAProxy(ctx, dir, minio.addr)
	if err != nil {
		return nil, err
	}
	defer haproxy.stop()
	peers := []peer{
		{"nginx", nginx, minio.requestFor(path)},
		{"haproxy", haproxy, minio.requestFor(path)},
		{"minio", &minio.process, minio.requestFor(path)},
		{"sluice", sluice, request(sluice.addr, "/file/admin/large.bin", token)},
	}
	var rows []row
	for clients, cost := range map[int]float64{1: 1.25, 8: 1.10} {
		got, err := compareStreams(s, peers, clients, cost)
		if err != nil {
			return nil, err
		}
		rows = append(rows, got...)
	}
	return rows, nil
}

// compareStreams measures nginx, HAProxy, MinIO and Sluice, in this order, with
// so many clients. cost is how much of nginx's processor time is allowed.
func compareStreams(s settings, peers []peer, clients int, cost float64) ([]row, error) {
	total := s.large * int64(max(clients, 2))
	gib := float64(total) / (1 << 30)
	measured := map[string][]float64{}
	note := func(what string, value float64) { measured[what] = append(measured[what], value) }
	for round := range s.rounds + 1 {
		rate, cpu := make([]float64, len(peers)), make([]float64, len(peers))
		for i := range peers {
			i = (i + round) % len(peers) // who goes first alternates
			p := peers[i]
			before := p.process.cpu()
			bps, err := fetchAll(p.process.addr, p.request, clients, s.large, total)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			rate[i], cpu[i] = bps, (p.process.cpu()-before).Seconds()/gib
		}
		if round == 0 {
			continue // warms the page cache
		}
		nginx, haproxy, minio, sluice := 0, 1, 2, 3
		note("best", rate[sluice]/max(rate[nginx], rate[haproxy]))
		note("direct", rate[sluice]/rate[minio])
		note("cost", cpu[sluice]/cpu[nginx])
		note("splice", cpu[haproxy]/cpu[nginx])
		note("rate", rate[sluice]/(1<<30))
		note("cpu", cpu[sluice])
	}
	label := fmt.Sprintf("from MinIO, %d client(s): ", clients)
	return []row{
		atLeast(label+"throughput against the best proxy", median(measured["best"]), 0.97),
		atMost(label+"server CPU per GiB against nginx, tuned", median(measured["cost"]), cost, "×"),
		{what: label + "throughput against MinIO directly", value: median(measured["direct"]), unit: "×"},
		{what: label + "HAProxy with splice: CPU per GiB against nginx, tuned", value: median(measured["splice"]), unit: "×"},
		{what: label + "throughput", value: median(measured["rate"]), unit: "GiB/s"},
		{what: label + "server CPU", value: median(measured["cpu"]), unit: "s per GiB"},
	}, nil
}

// benchProxied compares small objects of a store that costs next to nothing,
// through the whole app and through nginx.
func benchProxied(ctx context.Context, s settings, dir string) ([]row, error) {
	stub, err := startSelf(ctx, stubPeer)
	if err != nil {
		return nil, err
	}
	defer stub.stop()
	nginx, err := startNginxAs(ctx, dir, proxied(stub.addr))
	if err != nil {
		return nil, err
	}
	defer nginx.stop()
	home := filepath.Join(dir, "proxied")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	sluice, err := startSluice(ctx, s, home, append(storeSettings("http://"+stub.addr), "SLUICE_DELIVERY=stream")...)
	if err != nil {
		return nil, err
	}
	defer sluice.stop()
	token, err := sluice.fill(smallFile())
	if err != nil {
		return nil, err
	}
	ratio, rate, err := s.compareRates(
		peer{"nginx", nginx, request(nginx.addr, "/"+storeBucket+"/small.bin", "")},
		peer{"sluice", sluice, request(sluice.addr, "/file/admin/small.bin", token)}, http.StatusOK)
	return []row{
		atLeast("4 KiB objects with a token, 64 connections: against nginx before the same store", ratio, 0.28),
		{what: "4 KiB objects with a token, 64 connections", value: rate, unit: "requests/s"},
	}, err
}

// benchSlowStream is benchSlow with the files in MinIO, whose memory counts too.
func benchSlowStream(ctx context.Context, s settings, dir string) ([]row, error) {
	sluice, minio, err := startOnStore(ctx, s, dir, "SLUICE_DELIVERY=stream")
	if err != nil {
		return nil, err
	}
	defer minio.stop()
	defer sluice.stop()
	before, err := minio.rss()
	if err != nil {
		return nil, err
	}
	rss, p99, err := measureSlow(s, sluice)
	if err != nil {
		return nil, err
	}
	after, err := minio.rss()
	if err != nil {
		return nil, err
	}
	label := fmt.Sprintf("%d slow downloads from MinIO: ", s.readers)
	return []row{
		atMost(label+"RSS of each", rss, 130, "KiB"),
		{what: label + "p99 of a new small request meanwhile", value: float64(p99.Microseconds()) / 1000, unit: "ms"},
		{what: label + "MinIO's own RSS, before", value: float64(before) / (1 << 20), unit: "MiB"},
		{what: label + "MinIO's own RSS, at their end", value: float64(after) / (1 << 20), unit: "MiB"},
	}, nil
}

// percentile returns the value under which 99 of 100 are.
func percentile(waits []time.Duration) time.Duration {
	slices.Sort(waits)
	return waits[len(waits)*99/100]
}
