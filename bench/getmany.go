package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	manyFiles = 10_000
	manySize  = 4 << 10
)

// benchGetMany compares clients on many small files over 16 connections.
func benchGetMany(ctx context.Context, s settings, dir string) ([]row, error) {
	www := filepath.Join(dir, "www", "many")
	if err := os.MkdirAll(www, 0o755); err != nil { //nolint:gosec // nginx's workers read it
		return nil, err
	}
	nginx, err := startNginxAs(ctx, dir, func(addr string) string {
		return fmt.Sprintf("sendfile on; autoindex on; server { listen %s; root %s/www; }", addr, dir)
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
	base := "http://" + nginx.addr + "/many/"
	var urls, config strings.Builder
	for i := range manyFiles {
		name := fmt.Sprintf("%05d.bin", i)
		if err := os.WriteFile(filepath.Join(www, name), fmt.Appendf(nil, "%*d", manySize, i), 0o644); err != nil { //nolint:gosec // nginx's workers read it
			return nil, err
		}
		fmt.Fprintf(&urls, "%s%s\n", base, name)
		fmt.Fprintf(&config, "url = \"%s%s\"\noutput = \"%s/%[2]s\"\n", base, name, target)
	}
	list, options := filepath.Join(dir, "urls"), filepath.Join(dir, "curl.conf")
	if err := os.WriteFile(list, []byte(urls.String()), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(options, []byte(config.String()), 0o600); err != nil {
		return nil, err
	}
	clients := installed(
		client{name: s.binary, args: []string{"get", "-q", "-f", "-o", target + "/", "-i", list}},
		client{name: "curl", args: []string{"-s", "-Z", "--parallel-max", "16", "-K", options}},
		client{name: "aria2c", args: []string{"-q", "--allow-overwrite=true", "-j16", "-d", target, "-i", list}},
		client{name: "rclone", args: []string{"copy", "--config", os.DevNull, "--transfers", "16", "--http-url", base, ":http:", target}},
	)
	took, err := alternate(ctx, min(s.rounds, 3), clients, target, manyFiles*manySize)
	if err != nil {
		return nil, err
	}
	const label = "get, 10,000 files of 4 KiB: "
	rows := []row{
		{what: label + "rate", value: manyFiles / medianOf(took[0], seconds), unit: "files/s"},
		{what: label + "RSS", value: medianOf(took[0], mib), unit: "MiB"},
	}
	for i, c := range clients[1:] {
		rows = append(rows, row{what: label + "time against " + c.String(), value: against(took[0], took[i+1], seconds), unit: "×"},
			row{what: label + "CPU against " + c.String(), value: against(took[0], took[i+1], cpu), unit: "×"})
	}
	return rows, nil
}
