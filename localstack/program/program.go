// Package program runs the stores of a deployment as plain processes of this
// machine: how each is called, and when it is ready. The tests and `make
// stores` share it, so that both run the same programs in the same way.
package program

import (
	"fmt"
	"net"
	"slices"
	"strconv"
)

// Region, AccessKey and SecretKey are what every store here is started with.
// The last is no secret: the stores listen on the loopback address only.
const (
	Region    = "us-east-1"
	AccessKey = "sluice"
	SecretKey = "sluice-secret"
)

// StaleUploads is after how long MinIO drops an upload in parts: a day after we
// have. It would be 24 hours, and an upload may take a week.
const StaleUploads = "192h"

// Host is the address that every store listens on.
const Host = "127.0.0.1"

// Program is a store as a program.
type Program struct {
	Name   string // of the executable
	Health string // a path that is answered with a status below 500 once the store is ready

	args func(port, dir string) []string
	env  []string
}

// MinIO is an S3-compatible store. Under the domain localhost it also takes
// addresses with the bucket in the host: bucket.localhost.
func MinIO() Program {
	return Program{
		Name: "minio", Health: "/minio/health/cluster", // that of /ready says yes before there are users
		args: func(port, dir string) []string {
			return []string{"server", "--quiet", "--anonymous", "--address", net.JoinHostPort(Host, port), dir}
		},
		env: []string{
			"MINIO_ROOT_USER=" + AccessKey, "MINIO_ROOT_PASSWORD=" + SecretKey, "MINIO_REGION=" + Region,
			"MINIO_API_STALE_UPLOADS_EXPIRY=" + StaleUploads, "MINIO_DOMAIN=localhost", "MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off",
		},
	}
}

// With returns p with more settings in its environment, as NAME=value.
func (p Program) With(settings ...string) Program {
	p.env = append(slices.Clip(p.env), settings...)
	return p
}

// Versitygw is an S3-compatible store over a folder of plain files.
func Versitygw() Program {
	return Program{
		Name: "versitygw", Health: "/health",
		args: func(port, dir string) []string {
			return []string{
				"--port", net.JoinHostPort(Host, port), "--access", AccessKey, "--secret", SecretKey, "--region", Region,
				"--health", "/health", "--quiet", "posix", dir,
			}
		},
	}
}

// Dynoxide is a DynamoDB emulator over SQLite.
func Dynoxide() Program {
	return Program{
		Name: "dynoxide", Health: "/",
		args: func(port, dir string) []string {
			return []string{"serve", "--host", Host, "--port", port, "--db-path", dir + "/dynoxide.db"}
		},
	}
}

// DynamoDBLocal is Amazon's own DynamoDB emulator. It needs Java 17.
func DynamoDBLocal() Program {
	return Program{
		Name: "dynamodb-local", Health: "/",
		args: func(port, dir string) []string {
			return []string{"-port", port, "-dbPath", dir, "-sharedDb", "-disableTelemetry"}
		},
	}
}

// Toxiproxy stands between a client and a store and does to the connections what
// a bad network does.
func Toxiproxy() Program {
	return Program{
		Name: "toxiproxy-server", Health: "/version",
		args: func(port, _ string) []string { return []string{"-host", Host, "-port", port} },
	}
}

// FreePort returns a TCP port of Host that nobody listens on at the moment.
func FreePort() (int, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(Host, "0")) //nolint:noctx // it does not wait
	if err != nil {
		return 0, fmt.Errorf("no port is free: %w", err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}
