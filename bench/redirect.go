package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sluice/localstack/program"
)

// benchRedirect compares what sends clients to the store, each with a token and
// a URL of its own, with a bare Gin route that answers a little JSON.
func benchRedirect(ctx context.Context, s settings, dir string) (rows []row, err error) {
	bare, err := startGin(ctx)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	store, endpoint, err := startMinIO(ctx, filepath.Join(dir, "minio"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Stop()) }()
	data := filepath.Join(dir, "redirect")
	env := []string{
		"AWS_REGION=" + program.Region, "AWS_ACCESS_KEY_ID=" + program.AccessKey, "AWS_SECRET_ACCESS_KEY=" + program.SecretKey,
		"AWS_ENDPOINT_URL_S3=" + endpoint, "SLUICE_BLOB=s3://bench", "SLUICE_DELIVERY=redirect", "SLUICE_ADMIN_PASSWORD=" + password,
	}
	setup := exec.CommandContext(ctx, s.binary, "admin", "init", "--data", filepath.Join(data, "sluice"))
	setup.Env = append(os.Environ(), env...)
	if out, err := setup.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("sluice admin init: %w: %s", err, out)
	}
	sluice, err := startSluice(ctx, s, data, env...)
	if err != nil {
		return nil, err
	}
	defer sluice.stop()
	token, err := sluice.login()
	if err != nil {
		return nil, err
	}
	if err := sluice.upload(token, "/file/admin/small.bin", strings.NewReader(strings.Repeat("x", smallSize)), smallSize); err != nil {
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

// startMinIO starts a store with its data in dir, and returns its endpoint.
func startMinIO(ctx context.Context, dir string) (*program.Process, string, error) {
	port, err := program.FreePort()
	if err != nil {
		return nil, "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, "", err
	}
	at := program.Place{Dir: dir, Log: dir + ".log", Port: port}
	p, err := program.Start(program.MinIO(), at)
	if err != nil {
		return nil, "", err
	}
	if err := p.Ready(ctx, program.MinIO(), at); err != nil {
		return nil, "", errors.Join(err, p.Kill())
	}
	return p, at.Endpoint(), nil
}
