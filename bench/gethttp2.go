package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"sluice/shared/fetch"
)

// http2Files is how many small files one round asks for.
const http2Files = 2000

// benchGetHTTP2 compares HTTP/2 with HTTP/1.1, both over TLS from nginx, by the
// client library in this process: the program has no flag for it.
func benchGetHTTP2(ctx context.Context, s settings, dir string) ([]row, error) {
	file, err := writeLarge(dir, s.large)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := os.WriteFile(filepath.Join(dir, "www", "small.bin"), make([]byte, smallSize), 0o644); err != nil { //nolint:gosec // nginx's workers read it
		return nil, err
	}
	trusted, err := writeCertificate(dir)
	if err != nil {
		return nil, err
	}
	nginx, err := startNginxAs(ctx, dir, func(addr string) string {
		return fmt.Sprintf("sendfile on; ssl_certificate %[2]s/cert.pem; ssl_certificate_key %[2]s/key.pem; server { listen %[1]s ssl http2; root %[2]s/www; }", addr, dir)
	})
	if err != nil {
		return nil, err
	}
	defer nginx.stop()
	target, err := newTarget()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(target)
	var rows []row
	for _, c := range []struct {
		what, file string
		times      int
	}{{"1 GiB", "large.bin", 1}, {"2,000 files of 4 KiB", "small.bin", http2Files}} {
		var ratios []float64
		for round := range s.rounds + 1 {
			var took [2]float64
			for i := range took {
				i = (i + round) % 2 // who goes first alternates
				options := fetch.Options{HTTP2: i == 1, TLS: trusted}
				if took[i], err = fetchTimes(ctx, options, "https://"+nginx.addr+"/"+c.file, target, c.times); err != nil {
					return nil, err
				}
			}
			if round > 0 {
				ratios = append(ratios, took[1]/took[0])
			}
		}
		rows = append(rows, row{what: "get over TLS, " + c.what + ": time by HTTP/2 against HTTP/1.1", value: median(ratios), unit: "×"})
	}
	return rows, nil
}

// writeCertificate writes cert.pem and key.pem, and returns what trusts them.
func writeCertificate(dir string) (*tls.Config, error) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	pair := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, errors.Join(
		os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600),
		os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
}

// fetchTimes fetches a URL so often, 32 at a time over 16 connections, into
// files of their own, and returns how long it took in seconds.
func fetchTimes(ctx context.Context, options fetch.Options, url, dir string, times int) (float64, error) {
	options.TLS = options.TLS.Clone()
	client := fetch.New(options)
	defer client.Close()
	began := time.Now()
	free := make(chan struct{}, 32)
	failed := make(chan error, times)
	for i := range times {
		free <- struct{}{}
		go func() {
			defer func() { <-free }()
			_, err := client.Start(ctx, fetch.Request{
				Sources: []fetch.Source{{URL: url}}, Dir: dir, Name: fmt.Sprintf("%d.bin", i),
			}).Wait()
			failed <- err
		}()
	}
	var all error
	for range times {
		all = errors.Join(all, <-failed)
	}
	took := time.Since(began)
	_, err := emptied(dir)
	return took.Seconds(), errors.Join(all, err)
}
