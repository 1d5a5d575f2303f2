package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The files that gen makes, as go generate in package contract names them.
const (
	sourceFile   = "../openapi.yaml"
	documentFile = "../openapi.gen.json.gz"
	pageFile     = "../../../docs/api.md"
)

func generate(t *testing.T, from string) (madeDocument, madePage []byte) {
	t.Helper()
	dir := t.TempDir()
	names := []string{from, filepath.Join(dir, "openapi.json.gz"), filepath.Join(dir, "api.md")}
	if err := run(names); err != nil {
		t.Fatal(err)
	}
	return read(t, names[1]), read(t, names[2])
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestWhatIsGeneratedIsCurrent(t *testing.T) {
	madeDocument, madePage := generate(t, sourceFile)
	if !bytes.Equal(madeDocument, read(t, documentFile)) {
		t.Errorf("%s is not what %s makes: run go generate ./shared/contract", documentFile, sourceFile)
	}
	if !bytes.Equal(madePage, read(t, pageFile)) {
		t.Errorf("%s is not what %s makes: run go generate ./shared/contract", pageFile, sourceFile)
	}
}

func TestJSONKeepsTheOrderAndTheTypes(t *testing.T) {
	got, err := toJSON([]byte("b: 1\na: ['x', \"null\", null, true, 1.5]\nc: |\n  two\n  lines\n'404': {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, got); err != nil {
		t.Fatal(err)
	}
	want := `{"b":1,"a":["x","null",null,true,1.5],"c":"two\nlines\n","404":{}}`
	if compact.String() != want {
		t.Errorf("got %s, want %s", &compact, want)
	}
}

func TestEveryLinkLeadsToAHeading(t *testing.T) {
	_, page := generate(t, sourceFile)
	headings := map[string]int{}
	for line := range strings.Lines(string(page)) {
		if text, found := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); found && strings.HasPrefix(line, "#") {
			headings[slug(strings.TrimSpace(text))]++
		}
	}
	links := regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(string(page), -1)
	if len(links) < 50 {
		t.Errorf("only %d links were found", len(links))
	}
	for _, l := range links {
		if headings[l[1]] != 1 {
			t.Errorf("#%s leads to %d headings", l[1], headings[l[1]])
		}
	}
}

func TestThePageSaysWhatTheContractSays(t *testing.T) {
	_, page := generate(t, sourceFile)
	for _, want := range []string{
		"| Content | `PUT /file/{user}/{path…}` | [Upload a file](#upload-a-file) |\n",
		"`GET /api/files/{id}/content` (getFileContent, bearer token or none)\n",
		"`POST /api/login` (login, no credentials)\n",
		"`POST /api/logout` (logout, bearer token)\n",
		"Body: [LoginRequest](#loginrequest)\n",
		"| `limit` | query | integer, 1 to 1000, `100` if absent | The most entries on the page. |\n",
		"| 201 | [User](#user) | `Location` | The new account. |\n",
		"Errors: 401, 403, 404, 409, 500, 503, 507\n",
		"| 416 | `Content-Range` | No byte of the file was asked for. |\n",
		"| `expires_at` | string or null (date-time) | optional | A time to come; null removes it. |\n",
		"String: `guest`, `user`, `admin`.\n",
		"| 200 | [JWKSet](#jwkset) as application/jwk-set+json |  | The keys. |\n",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestBadInputIsAnError(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"not YAML":          "a: [",
		"not a document":    "paths: 1",
		"a type of numbers": "components: {schemas: {A: {type: [1]}}}",
	} {
		from := filepath.Join(dir, "openapi.yaml")
		if err := os.WriteFile(from, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run([]string{from, filepath.Join(dir, "a.json"), filepath.Join(dir, "a.md")}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := run(nil); err == nil {
		t.Error("no arguments: no error")
	}
	if err := run([]string{filepath.Join(dir, "absent"), "a", "b"}); err == nil {
		t.Error("no file: no error")
	}
}
