package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// newCertificate writes a certificate for 127.0.0.1 that signs itself, and its
// key, into a folder.
func newCertificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sluice"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, dir, "cert.pem", "CERTIFICATE", public), writePEM(t, dir, "key.pem", "PRIVATE KEY", secret)
}

func writePEM(t *testing.T, dir, name, kind string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHTTPSSpeaksHTTP2(t *testing.T) {
	needTool(t, "curl", "sed", "sha256sum")
	if !strings.Contains(run(t, "", "curl", "-V"), "HTTP2") {
		t.Skip("NOT TESTED: this curl knows no HTTP/2")
	}
	dir := t.TempDir()
	cert, key := newCertificate(t, dir)
	p := startEmpty(t, "SLUICE_TLS_CERT="+cert, "SLUICE_TLS_KEY="+key)
	if !strings.HasPrefix(p.URL, "https://127.0.0.1:") {
		t.Fatalf("the greeting shows %s; want https://127.0.0.1 with a port", p.URL)
	}
	curl := func(args ...string) string {
		return run(t, dir, "curl", append([]string{"-fsS", "--cacert", cert, "-w", "\nHTTP/%{http_version}"}, args...)...)
	}
	tokens := curl("-H", "Content-Type: application/json", "-d", `{"username":"admin","password":"`+password+`"}`, p.URL+"/api/login")
	found := regexp.MustCompile(`"access_token":"([^"]+)"`).FindStringSubmatch(tokens)
	if found == nil {
		t.Fatalf("no token: %s", tokens)
	}
	header, url := "Authorization: Bearer "+found[1], p.URL+"/file/admin/large.bin"
	path, sum := large()
	for _, version := range []string{"2", "1.1"} {
		put := curl("--http"+version, "-T", path, "-H", header, url)
		if !strings.Contains(put, `"sha256":"`+sum+`"`) || !strings.HasSuffix(put, "\nHTTP/"+version) {
			t.Errorf("by HTTP/%s the upload is answered %s; want the SHA-256 %s", version, put, sum)
		}
		got := curl("--http"+version, "-o", "large.bin", "-H", header, url)
		if sha256sum(t, filepath.Join(dir, "large.bin")) != sum || got != "\nHTTP/"+version {
			t.Errorf("by %q the download is not the file that was uploaded by HTTP/%s", got, version)
		}
	}
	p.Stop()
}
