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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sluice/localstack/program"
)

const storeBucket = "bench"

// urlLife is for how long the proxies may fetch an object by its URL.
const urlLife = 12 * time.Hour

// store is a MinIO under measurement.
type store struct {
	process

	endpoint string
	running  *program.Process
}

// stop ends the store.
func (s *store) stop() { _ = s.running.Stop() } // what it holds is removed whether or not

// startOnStore starts a server whose files are in a MinIO, with its data and
// the store's in folders of their own under dir, and more settings.
func startOnStore(ctx context.Context, s settings, dir string, more ...string) (*process, *store, error) {
	dir, err := os.MkdirTemp(dir, "store-")
	if err != nil {
		return nil, nil, err
	}
	minio, err := startMinIO(ctx, filepath.Join(dir, "minio"))
	if err != nil {
		return nil, nil, err
	}
	env := append(storeSettings(minio.endpoint), more...)
	setup := exec.CommandContext(ctx, s.binary, "admin", "init", "--data", filepath.Join(dir, "sluice"))
	setup.Env = append(os.Environ(), env...)
	if out, err := setup.CombinedOutput(); err != nil {
		minio.stop()
		return nil, nil, fmt.Errorf("sluice admin init: %w: %s", err, out)
	}
	sluice, err := startSluice(ctx, s, dir, env...)
	if err != nil {
		minio.stop()
	}
	return sluice, minio, err
}

// storeSettings are those of a server whose files are in an S3.
func storeSettings(endpoint string) []string {
	return []string{
		"AWS_REGION=" + program.Region, "AWS_ACCESS_KEY_ID=" + program.AccessKey, "AWS_SECRET_ACCESS_KEY=" + program.SecretKey,
		"AWS_ENDPOINT_URL_S3=" + endpoint, "SLUICE_BLOB=s3://" + storeBucket, "SLUICE_ADMIN_PASSWORD=" + password,
	}
}

// startMinIO starts a store with its data in dir.
func startMinIO(ctx context.Context, dir string) (*store, error) {
	at, err := place(dir)
	if err != nil {
		return nil, err
	}
	p, err := program.Start(program.MinIO(), at)
	if err != nil {
		return nil, err
	}
	if err := p.Ready(ctx, program.MinIO(), at); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	found, err := os.FindProcess(p.Pid())
	if err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	addr := strings.TrimPrefix(at.Endpoint(), "http://")
	return &store{process{&exec.Cmd{Process: found}, addr}, at.Endpoint(), p}, nil
}

// place makes a folder for a program's data, and finds it a port.
func place(dir string) (program.Place, error) {
	port, err := program.FreePort()
	if err != nil {
		return program.Place{}, err
	}
	return program.Place{Dir: dir, Log: dir + ".log", Port: port}, os.Mkdir(dir, 0o700)
}

// presigned returns the path and query by which anybody gets the object of a
// size: what a proxy passes on as it is.
func (s *store) presigned(ctx context.Context, size int64) (string, error) {
	client := s3.New(s3.Options{
		Region: program.Region, BaseEndpoint: &s.endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(program.AccessKey, program.SecretKey, ""),
	})
	listed, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(storeBucket)})
	if err != nil {
		return "", err
	}
	for _, o := range listed.Contents {
		if *o.Size != size {
			continue
		}
		signed, err := s3.NewPresignClient(client).PresignGetObject(ctx,
			&s3.GetObjectInput{Bucket: aws.String(storeBucket), Key: o.Key}, s3.WithPresignExpires(urlLife))
		if err != nil {
			return "", err
		}
		return strings.TrimPrefix(signed.URL, s.endpoint), nil
	}
	return "", fmt.Errorf("no object of %d bytes is in the store", size)
}

// requestFor is the text of a GET of an object, by way of addr or not: the host
// is part of the signature.
func (s *store) requestFor(path string) []byte { return request(s.addr, path, "") }

// proxied are nginx's settings for objects of a store: those of a team that has
// looked at what they cost, and kept connections.
func proxied(upstream string) func(addr string) string {
	return func(addr string) string {
		return fmt.Sprintf(`upstream store { server %s; keepalive 128; keepalive_requests 1000000; }
  server { listen %s; location / {
    proxy_pass http://store; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    proxy_buffer_size 64k; proxy_buffers 16 64k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0;
  } }`, upstream, addr)
	}
}

// startHAProxy passes on to a store, by splice where it can.
func startHAProxy(ctx context.Context, dir, upstream string) (*process, error) {
	binary, err := exec.LookPath("haproxy")
	if err != nil {
		if binary, err = filepath.Abs(".cache/bin/haproxy"); err != nil {
			return nil, err
		}
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	conf := fmt.Sprintf(`global
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option splice-auto
  http-reuse always
frontend in
  bind %s
  default_backend store
backend store
  server store %s
`, addr, upstream)
	path := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "-db", "-q", "-f", path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("haproxy: %w: run tools/install-bench-tools", err)
	}
	return &process{cmd, addr}, await(addr)
}

// serveStub is an S3 of one object, which costs as little as net/http does.
func serveStub() error {
	body := []byte(strings.Repeat("x", smallSize))
	return serveAt(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("ETag", `"9dd4e461268c8034f5c8564e155c67a6"`)
		if r.Method == http.MethodPut {
			return
		}
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Length", fmt.Sprint(len(body)))
		if r.Header.Get("Range") != "" {
			h.Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(body)-1, len(body)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(body) // a client that has left
	}))
}
