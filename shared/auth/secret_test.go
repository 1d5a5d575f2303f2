package auth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice/shared/auth"
)

func TestSecretIsNeverShown(t *testing.T) {
	secret := auth.NewSecret(seed(7))
	tokenKey := auth.TokenKey{ID: "k", Seed: secret}
	linkKey := auth.LinkKey{ID: "k", Secret: secret}
	signer, err := auth.NewSigner(authority, tokenKey, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := auth.NewRing(linkKey)
	if err != nil {
		t.Fatal(err)
	}
	hidden := struct{ secret auth.Secret }{secret}
	values := []any{secret, &secret, tokenKey, &tokenKey, linkKey, hidden, &hidden,
		[]auth.LinkKey{linkKey}, map[string]auth.TokenKey{"k": tokenKey}, signer, ring}
	for _, value := range values {
		for how, text := range printed(t, value) {
			for form, trace := range traces(secret.Reveal()) {
				if strings.Contains(text, trace) {
					t.Errorf("%s of a %T shows the secret in %s: %s", how, value, form, text)
				}
			}
		}
	}
}

func TestSecretShowsStars(t *testing.T) {
	for how, text := range printed(t, auth.NewSecret(seed(7))) {
		if !strings.Contains(text, "***") {
			t.Errorf("%s of a Secret = %q; want *** in it", how, text)
		}
	}
}

func TestZeroSecretIsEmpty(t *testing.T) {
	if got := (auth.Secret{}).Reveal(); got != nil {
		t.Errorf("Reveal of the zero Secret = %v; want nil", got)
	}
}

// printed returns a value in every way that values get into logs and answers.
func printed(t *testing.T, value any) map[string]string {
	t.Helper()
	texts := map[string]string{"fmt.Sprint": fmt.Sprint(value)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%b", "%T and %[1]v"} {
		texts["fmt "+verb] = fmt.Sprintf(verb, value)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("it", "value", value)
	texts["slog as JSON"] = log.String()
	log.Reset()
	slog.New(slog.NewTextHandler(&log, nil)).Info("it", "value", value)
	texts["slog as text"] = log.String()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("json.Marshal(%T): %v", value, err)
	}
	texts["json.Marshal"] = string(text)
	return texts
}

// traces are the first bytes of a secret in every form that may show it.
func traces(secret []byte) map[string]string {
	start := secret[:6]
	return map[string]string{
		"decimals":   strings.Trim(fmt.Sprint(start), "[]"),
		"Go syntax":  strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", start), "[]byte{"), "}"),
		"hex":        hex.EncodeToString(start),
		"upper hex":  strings.ToUpper(hex.EncodeToString(start)),
		"spaced hex": fmt.Sprintf("% x", start),
		"binary":     strings.Trim(fmt.Sprintf("%b", start), "[]"),
		"bytes":      string(start),
		"base64":     base64.StdEncoding.EncodeToString(start),
	}
}

// seed returns 32 bytes that differ for each n.
func seed(n byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = n*31 + byte(i)*7 + 129
	}
	return b
}
