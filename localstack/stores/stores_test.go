package stores_test

import (
	"net/http"
	"testing"
	"time"

	"sluice/localstack/stores"
)

// server is what every store has in common.
type server interface {
	Kill()
	Stop()
	Start()
}

func TestEachStoreAnswersAndComesBackAtTheSameAddress(t *testing.T) {
	for name, start := range map[string]func(testing.TB) (server, string){
		"MinIO":          func(t testing.TB) (server, string) { s := stores.MinIO(t); return s, s.Endpoint },
		"Versitygw":      func(t testing.TB) (server, string) { s := stores.Versitygw(t); return s, s.Endpoint },
		"Dynoxide":       func(t testing.TB) (server, string) { s := stores.Dynoxide(t); return s, s.Endpoint },
		"DynamoDB Local": func(t testing.TB) (server, string) { s := stores.DynamoDBLocal(t); return s, s.Endpoint },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, endpoint := start(t)
			if !answers(t, endpoint) {
				t.Fatalf("%s does not answer after its start", endpoint)
			}
			for _, c := range []struct {
				how string
				end func()
			}{
				{"Kill", s.Kill},
				{"Stop", s.Stop},
			} {
				c.end()
				if answers(t, endpoint) {
					t.Fatalf("%s still answers after %s", endpoint, c.how)
				}
				s.Start()
				if !answers(t, endpoint) {
					t.Fatalf("%s does not answer after %s and Start", endpoint, c.how)
				}
			}
		})
	}
}

// answers reports whether there is an HTTP server at a URL.
func answers(t *testing.T, url string) bool {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return true
}
