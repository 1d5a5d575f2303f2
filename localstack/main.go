// Command localstack runs the stores of a deployment on this machine, without
// Docker: MinIO for blobs and an emulator of DynamoDB for records, at the ports
// and with the credentials that docker-compose.yml has too.
//
//	go run ./localstack up      starts what does not run, waits, prints the URLs
//	go run ./localstack down    stops them; the data in ./.sluice-stores stays
//	go run ./localstack env     prints the settings for a shell to evaluate
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"sluice/localstack/program"
)

// The ports of the stores, their own customary ones.
const (
	s3Port     = 9000
	dynamoPort = 8000
)

// patience is how long a store may take to be ready.
const patience = 2 * time.Minute

// folder is where the data, logs and process ids are.
const folder = ".sluice-stores"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "localstack:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("want one of: up, down, env")
	}
	dir, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	switch args[0] {
	case "up":
		return up(ctx, dir, out)
	case "down":
		return down(ctx, dir, out)
	case "env":
		_, err := fmt.Fprint(out, environment())
		return err
	}
	return fmt.Errorf("%q is not one of: up, down, env", args[0])
}

// up starts the stores that do not run and says how to reach all.
func up(ctx context.Context, dir string, out io.Writer) error {
	services, err := services(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, s := range services {
		how, err := s.up(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-14s %-22s %s, data in %s\n", s.program.Name, s.endpoint(), how, s.data())
	}
	fmt.Fprintf(out, "\nTo reach them from a shell:\n\n%s\n", environment())
	return nil
}

// down stops the stores that run.
func down(ctx context.Context, dir string, out io.Writer) error {
	for _, s := range all(dir) {
		stopped, err := s.down(ctx)
		if err != nil {
			return err
		}
		if stopped {
			fmt.Fprintf(out, "%s is stopped; its data stays in %s\n", s.program.Name, s.data())
		}
	}
	return nil
}

// all returns every store that up may start.
func all(dir string) []service {
	return []service{
		{dir: dir, port: s3Port, program: program.MinIO()},
		{dir: dir, port: dynamoPort, program: program.Dynoxide()},
		{dir: dir, port: dynamoPort, program: program.DynamoDBLocal()},
	}
}

// services returns the stores that up starts: MinIO, and of the emulators of
// DynamoDB the first that is installed.
func services(dir string) ([]service, error) {
	chosen := all(dir)
	if _, err := program.Find(chosen[1].program.Name); errors.Is(err, program.ErrNotInstalled) {
		return []service{chosen[0], chosen[2]}, nil
	} else if err != nil {
		return nil, err
	}
	return chosen[:2], nil
}

// environment returns what a shell needs to reach the stores: AWS's own names.
func environment() string {
	s3, dynamo := program.Place{Port: s3Port}, program.Place{Port: dynamoPort}
	return fmt.Sprintf(`export AWS_REGION=%s
export AWS_ACCESS_KEY_ID=%s
export AWS_SECRET_ACCESS_KEY=%s
export AWS_ENDPOINT_URL_S3=%s
export AWS_ENDPOINT_URL_DYNAMODB=%s
`, program.Region, program.AccessKey, program.SecretKey, s3.Endpoint(), dynamo.Endpoint())
}
