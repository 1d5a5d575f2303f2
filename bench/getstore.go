package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/localstack/program"
)

// benchGetStore compares `sluice get` of an object's presigned URL with the
// clients of S3, from a MinIO.
func benchGetStore(ctx context.Context, s settings, dir string) ([]row, error) {
	file, err := writeLarge(dir, s.large)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sluice, minio, err := startOnStore(ctx, s, dir)
	if err != nil {
		return nil, err
	}
	defer minio.stop()
	_, err = sluice.fill(content{"large.bin", file, s.large})
	sluice.stop() // it is not measured here
	if err != nil {
		return nil, err
	}
	path, err := minio.presigned(ctx, s.large)
	if err != nil {
		return nil, err
	}
	target, err := newTarget()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(target)
	key, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	got := filepath.Join(target, "got.bin")
	keys := []string{"AWS_ACCESS_KEY_ID=" + program.AccessKey, "AWS_SECRET_ACCESS_KEY=" + program.SecretKey, "AWS_REGION=" + program.Region, "AWS_CA_BUNDLE="}
	remote := fmt.Sprintf(":s3,provider=Minio,env_auth=true,endpoint='%s':%s", minio.endpoint, key)
	clients := installed(
		client{name: s.binary, args: []string{"get", "-q", "-f", "-o", got, minio.endpoint + path}},
		client{name: "s5cmd", args: []string{"--endpoint-url", minio.endpoint, "cp", "s3://" + key, got}, env: keys},
		client{name: "rclone", args: []string{"copyto", "--config", os.DevNull, "--multi-thread-streams", "16", remote, got}, env: keys},
	)
	took, err := alternate(ctx, s.rounds, clients, target, s.large)
	if err != nil {
		return nil, err
	}
	const label = "get, from MinIO: "
	rows := []row{{what: label + "throughput", value: float64(s.large) / (1 << 30) / medianOf(took[0], seconds), unit: "GiB/s"}}
	for i, c := range clients[1:] {
		rows = append(rows, row{what: label + "time against " + c.String(), value: against(took[0], took[i+1], seconds), unit: "×"},
			row{what: label + "CPU against " + c.String(), value: against(took[0], took[i+1], cpu), unit: "×"})
	}
	return rows, nil
}
