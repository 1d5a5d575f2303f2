package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"sluice/localstack/program"
)

const composeFile = "docker-compose.yml"

// container is what of a service in docker-compose.yml must be as it is here.
type container struct {
	Image       string            `json:"image"`
	Environment map[string]string `json:"environment"`
	Ports       []string          `json:"ports"`
	Profiles    []string          `json:"profiles"`
}

func containers(t *testing.T) map[string]container {
	t.Helper()
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	if text, err = yaml.YAMLToJSON(text); err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]container `json:"services"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Services
}

func TestContainersHaveThePortsAndCredentialsOfThePrograms(t *testing.T) {
	services := containers(t)
	for name, port := range map[string]int{"minio": s3Port, "dynamodb": dynamoPort} {
		want := []string{fmt.Sprintf("%s:%d:%d", program.Host, port, port)}
		if got := services[name]; !slices.Equal(got.Ports, want) || len(got.Profiles) > 0 {
			t.Errorf("%s has the ports %q and profiles %q, want %q and none", name, got.Ports, got.Profiles, want)
		}
	}
	for name, want := range map[string]string{
		"MINIO_ROOT_USER": program.AccessKey, "MINIO_ROOT_PASSWORD": program.SecretKey, "MINIO_REGION": program.Region, "MINIO_DOMAIN": "localhost",
		"MINIO_API_STALE_UPLOADS_EXPIRY": program.StaleUploads,
	} {
		if got := services["minio"].Environment[name]; got != want {
			t.Errorf("minio has %s=%q, want %q", name, got, want)
		}
	}
	if got := services["localstack"].Profiles; !slices.Equal(got, []string{"localstack"}) {
		t.Errorf("localstack has the profiles %q, want to start only where it is asked for", got)
	}
}

func TestContainersArePinnedAndHeardByThisMachineOnly(t *testing.T) {
	for name, c := range containers(t) {
		if _, tag, ok := strings.Cut(c.Image, ":"); !ok || tag == "latest" {
			t.Errorf("%s has the image %q, want one of a version", name, c.Image)
		}
		for _, port := range c.Ports {
			if !strings.HasPrefix(port, program.Host+":") {
				t.Errorf("%s listens on %q, want the loopback address", name, port)
			}
		}
	}
}

func TestDockerComposeTakesTheFile(t *testing.T) {
	if _, err := exec.LookPath("docker-compose"); err != nil {
		if os.Getenv("SLUICE_REQUIRE_TOOLS") != "" {
			t.Fatal("docker-compose is not installed, and SLUICE_REQUIRE_TOOLS asks for it")
		}
		t.Skip("NOT TESTED: docker-compose is not installed")
	}
	out, err := exec.Command("docker-compose", "-f", composeFile, "--profile", "localstack", "config", "--services").CombinedOutput()
	if err != nil {
		t.Fatalf("docker-compose config: %v\n%s", err, out)
	}
	got := strings.Fields(string(out))
	if slices.Sort(got); !slices.Equal(got, []string{"dynamodb", "localstack", "minio"}) {
		t.Errorf("docker-compose finds the services %q", got)
	}
}
