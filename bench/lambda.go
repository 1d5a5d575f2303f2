package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sluice/localstack/program"
	"sluice/shared/app/amazon"
	"sluice/shared/app/amazon/amazontest"
	"sluice/shared/config"
	"sluice/shared/edge/edgetest"
	"sluice/shared/keys"
)

const (
	warmInvokes  = 300       // of each round
	streamedSize = 128 << 20 // bytes of the file that is streamed
)

// lambdas are compiled functions, and what to ask them.
type lambdas struct {
	dir     string   // has a folder for each, with its bootstrap
	env     []string // of Sluice's
	token   string
	known   string // path of what answers 1 KB of JSON
	content string // path of the file that is streamed
	object  string // the URL of its object at the store
}

// benchLambda compares compiled functions with a bare one, all behind the
// Runtime API of package edgetest.
func benchLambda(ctx context.Context, s settings, dir string) ([]row, error) {
	records, at, err := startDynoxide(ctx, filepath.Join(dir, "dynoxide"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = records.Stop() }() // what it holds is removed
	parameters := amazontest.New()
	parameters.Credentials(program.Region, program.AccessKey, program.SecretKey)
	ssm := httptest.NewServer(parameters)
	defer ssm.Close()
	if err := makeKeys(ctx, ssm.URL); err != nil {
		return nil, err
	}
	env := []string{
		"AWS_ENDPOINT_URL_DYNAMODB=" + at, "SLUICE_TABLE=dynamodb://bench", "SLUICE_DELIVERY=stream",
		"AWS_ENDPOINT_URL_SSM=" + ssm.URL, "SLUICE_KEYS=" + benchKeys,
	}
	sluice, minio, err := startOnStore(ctx, s, dir, env...)
	if err != nil {
		return nil, err
	}
	defer minio.stop()
	defer sluice.stop()
	l := &lambdas{dir: dir, env: append(append(env, storeSettings(minio.endpoint)...), "SLUICE_PUBLIC_URL=http://"+sluice.addr)}
	if err := errors.Join(l.build(ctx), l.fill(ctx, sluice, minio)); err != nil {
		return nil, err
	}
	var rows []row
	for _, measure := range []func(context.Context, settings) ([]row, error){l.starts, l.warm, l.streams} {
		got, err := measure(ctx, s)
		if err != nil {
			return nil, err
		}
		rows = append(rows, got...)
	}
	return rows, nil
}

// benchKeys is where the keys are: in Systems Manager, as template.yaml has them. A
// function reads them with its first invocation.
const benchKeys = "ssm:/bench"

// makeKeys makes the keys at an endpoint.
func makeKeys(ctx context.Context, endpoint string) error {
	settings := map[string]string{
		"SLUICE_KEYS": benchKeys, "AWS_ENDPOINT_URL_SSM": endpoint,
		"AWS_REGION": program.Region, "AWS_ACCESS_KEY_ID": program.AccessKey, "AWS_SECRET_ACCESS_KEY": program.SecretKey,
	}
	c, err := config.Load(nil, func(name string) string { return settings[name] })
	if err != nil {
		return err
	}
	cfg, err := amazon.Config(c.AWS)
	if err != nil {
		return err
	}
	store, name, err := amazon.Keys(c.AWS, cfg, c.Keys)
	if err != nil {
		return err
	}
	_, err = keys.Ensure(ctx, store, name, time.Now())
	return err
}

func startDynoxide(ctx context.Context, dir string) (*program.Process, string, error) {
	at, err := place(dir)
	if err != nil {
		return nil, "", err
	}
	p, err := program.Start(program.Dynoxide(), at)
	if err != nil {
		return nil, "", err
	}
	if err := p.Ready(ctx, program.Dynoxide(), at); err != nil {
		return nil, "", errors.Join(err, p.Kill())
	}
	return p, at.Endpoint(), nil
}

// build compiles the functions for this machine, with the flags of a deployment.
func (l *lambdas) build(ctx context.Context) error {
	for name, source := range map[string]string{
		"hello": "./bench/hello", "auth": "./functions/auth", "files": "./functions/files", "download": "./functions/download",
	} {
		command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "lambda.norpc,nomsgpack,nethttpomithttp2",
			"-o", filepath.Join(l.dir, name, "bootstrap"), source)
		command.Env = append(command.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", source, err, out)
		}
	}
	return nil
}

// fill uploads what is asked for.
func (l *lambdas) fill(ctx context.Context, sluice *process, minio *store) (err error) {
	if l.token, err = sluice.login(); err != nil {
		return err
	}
	name := strings.Repeat("n", 250) // with which 1 KB is known of the file
	for path, size := range map[string]int64{name + "/" + name: 1, "large.bin": streamedSize} {
		if err := sluice.upload(l.token, content{path, io.LimitReader(zeros{}, size), size}); err != nil {
			return err
		}
	}
	l.content = "/file/admin/large.bin"
	signed, err := minio.presigned(ctx, streamedSize)
	if err != nil {
		return err
	}
	l.object = minio.endpoint + signed
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+sluice.addr+"/api/files?prefix="+name, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+l.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var list struct{ Files []struct{ ID string } }
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil || len(list.Files) != 1 {
		return fmt.Errorf("there are %d files of the name: %w", len(list.Files), err)
	}
	l.known = "/api/files/" + list.Files[0].ID
	return nil
}

// start runs a function.
func (l *lambdas) start(ctx context.Context, name string, transport edgetest.Transport, more ...string) (*edgetest.Sandbox, http.RoundTripper, error) {
	env := more
	if name != "hello" {
		env = append(append(env, l.env...), "SLUICE_TRANSPORT="+string(transport))
	}
	sandbox, err := edgetest.Start(ctx, edgetest.Process{Path: filepath.Join(l.dir, name, "bootstrap"), Env: env})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return sandbox, &edgetest.Gateway{Transport: transport, Function: sandbox}, nil
}

// ask sends a request and returns how many bytes came.
func (l *lambdas) ask(ctx context.Context, gateway http.RoundTripper, path string) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://lambda.example"+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+l.token)
	response, err := gateway.RoundTrip(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s %s", path, response.Status, response.Header.Get(edgetest.CauseHeader))
	}
	return n, err
}

// starts measures from exec to the first poll, and the memory after the first
// invocation.
func (l *lambdas) starts(ctx context.Context, s settings) ([]row, error) {
	took, memory := map[string][]float64{}, map[string]float64{}
	paths := map[string]string{"hello": "/", "auth": "/api/profile", "files": l.known, "download": l.known + "/content"}
	for range 3*s.rounds + 1 {
		for name, path := range paths {
			sandbox, gateway, err := l.start(ctx, name, edgetest.HTTP)
			if err != nil {
				return nil, err
			}
			took[name] = append(took[name], float64(sandbox.FirstPoll().Microseconds())/1000)
			_, err = l.ask(ctx, gateway, path)
			p := process{cmd: &exec.Cmd{Process: sandbox.Process()}}
			if rss, rssErr := p.rss(); err == nil {
				memory[name], err = max(memory[name], float64(rss)/(1<<20)), rssErr
			}
			if err := errors.Join(err, sandbox.Close()); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	hello := median(took["hello"])
	return []row{
		atMost("start to first poll, DynamoDB alone (auth), against a bare function", median(took["auth"])/hello, 1.35, "×"),
		atMost("start to first poll, DynamoDB and S3 (download), against a bare function", median(took["download"])/hello, 1.75, "×"),
		{what: "start to first poll, a bare function", value: hello, unit: "ms"},
		atMost("RSS after the first invocation, auth", memory["auth"], 20, "MiB"),
		atMost("RSS after the first invocation, files", memory["files"], 20, "MiB"),
		atMost("RSS after the first invocation, download", memory["download"], 20, "MiB"),
		{what: "RSS after the first invocation, a bare function", value: memory["hello"], unit: "MiB"},
	}, nil
}

// warm measures invocations that answer 1 KB of JSON, one after another.
func (l *lambdas) warm(ctx context.Context, s settings) ([]row, error) {
	took := map[string][]float64{}
	gateways := map[string]http.RoundTripper{}
	for _, name := range []string{"hello", "files"} {
		sandbox, gateway, err := l.start(ctx, name, edgetest.HTTP)
		if err != nil {
			return nil, err
		}
		defer sandbox.Close()
		gateways[name] = gateway
	}
	for round := range s.rounds + 1 {
		for name, path := range map[string]string{"hello": "/", "files": l.known} {
			began := time.Now()
			for range warmInvokes {
				if n, err := l.ask(ctx, gateways[name], path); err != nil || n < 900 || n > 1200 {
					return nil, fmt.Errorf("%s: %d bytes came, want 1 KB: %w", name, n, err)
				}
			}
			if round > 0 { // the first one warms
				took[name] = append(took[name], float64(time.Since(began).Microseconds())/warmInvokes)
			}
		}
	}
	return []row{
		atMost("a warm invocation that answers 1 KB of JSON, with a token, against a bare function", median(took["files"])/median(took["hello"]), 2, "×"),
		{what: "a warm invocation of a bare function", value: median(took["hello"]), unit: "µs"},
	}, nil
}

// streams measures one large file through a Function URL's stream.
func (l *lambdas) streams(ctx context.Context, s settings) ([]row, error) {
	rate := map[string][]float64{}
	gateways := map[string]http.RoundTripper{}
	for name, more := range map[string][]string{"hello": {"HELLO_URL=" + l.object}, "download": nil} {
		sandbox, gateway, err := l.start(ctx, name, edgetest.URLStream, more...)
		if err != nil {
			return nil, err
		}
		defer sandbox.Close()
		gateways[name] = gateway
	}
	for round := range s.rounds + 1 {
		for name, gateway := range gateways {
			began := time.Now()
			n, err := l.ask(ctx, gateway, l.content)
			if err != nil || n != streamedSize {
				return nil, fmt.Errorf("%s: %d bytes came, want %d: %w", name, n, int64(streamedSize), err)
			}
			if round > 0 {
				rate[name] = append(rate[name], streamedSize/time.Since(began).Seconds()/(1<<20))
			}
		}
	}
	return []row{
		atLeast("a stream from MinIO, throughput against a bare function that copies", median(rate["download"])/median(rate["hello"]), 0.9),
		{what: "a stream from MinIO", value: median(rate["download"]), unit: "MiB/s"},
	}, nil
}
