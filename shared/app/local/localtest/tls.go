package localtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice/shared/config"
)

// WithTLS returns an edit for Start that makes a server speak HTTPS and
// HTTP/2, with a certificate of its own that its Clients trust.
func WithTLS(t testing.TB) func(*config.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certFile, keyFile := write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", secret)
	return func(c *config.Config) { c.TLSCert, c.TLSKey = certFile, keyFile }
}

// certificate is what a server shows; nil where it speaks plain HTTP.
func certificate(t testing.TB, c config.Config) *tls.Certificate {
	t.Helper()
	if c.TLSCert == "" {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		t.Fatal(err)
	}
	return &cert
}

// trust is what a client believes: that certificate, or nil for the default.
func trust(t testing.TB, c config.Config) *tls.Config {
	t.Helper()
	if c.TLSCert == "" {
		return nil
	}
	cert, err := os.ReadFile(c.TLSCert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(cert) {
		t.Fatalf("%s holds no certificate", c.TLSCert)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}
