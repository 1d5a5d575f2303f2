package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"sluice/localstack/program"
)

// toxiproxy holds connections to a rate, without a burst at their beginning:
// nginx's limit_rate gives each request one, which flatters small ranges.
type toxiproxy struct {
	api     string
	running *program.Process
}

func startToxiproxy(ctx context.Context, dir string) (*toxiproxy, error) {
	port, err := program.FreePort()
	if err != nil {
		return nil, err
	}
	at := program.Place{Dir: dir, Log: dir + "/toxiproxy.log", Port: port}
	p, err := program.Start(program.Toxiproxy(), at)
	if err != nil {
		return nil, err
	}
	if err := p.Ready(ctx, program.Toxiproxy(), at); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return &toxiproxy{at.Endpoint(), p}, nil
}

func (x *toxiproxy) stop() { _ = x.running.Stop() } // it holds nothing

// throttle returns the address of a proxy before upstream that passes on so
// many thousand bytes a second of each connection.
func (x *toxiproxy) throttle(ctx context.Context, name, upstream string, rate int) (string, error) {
	var made struct{ Listen string }
	err := x.post(ctx, "/proxies", map[string]any{"name": name, "listen": program.Host + ":0", "upstream": upstream, "enabled": true}, &made)
	if err != nil {
		return "", err
	}
	return made.Listen, x.post(ctx, "/proxies/"+name+"/toxics", map[string]any{
		"type": "bandwidth", "stream": "downstream", "toxicity": 1.0, "attributes": map[string]any{"rate": rate},
	}, &struct{}{})
}

func (x *toxiproxy) post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.api+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("toxiproxy: POST %s: %s", path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
