package main

import (
	"context"
	"net/http"
)

// benchRedirect compares what sends clients to the store, each with a token and
// a URL of its own, with a bare Gin route that answers a little JSON.
func benchRedirect(ctx context.Context, s settings, dir string) ([]row, error) {
	bare, err := startSelf(ctx, ginPeer)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	sluice, store, err := startOnStore(ctx, s, dir, "SLUICE_DELIVERY=redirect")
	if err != nil {
		return nil, err
	}
	defer store.stop()
	defer sluice.stop()
	token, err := sluice.fill(smallFile())
	if err != nil {
		return nil, err
	}
	ratio, rate, err := s.compareRates(
		peer{"gin", bare, request(bare.addr, "/", "")},
		peer{"sluice", sluice, request(sluice.addr, "/file/admin/small.bin", token)}, http.StatusTemporaryRedirect)
	return []row{
		atLeast("redirects with a token, 64 connections: against a bare Gin JSON route", ratio, 0.55),
		{what: "redirects with a token, 64 connections", value: rate, unit: "requests/s"},
	}, err
}
