package config_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sluice/shared/config"
)

func TestSecretIsNeverShown(t *testing.T) {
	const value = "hunter2hunter2"
	conf, err := load(nil, map[string]string{"SLUICE_ADMIN_PASSWORD": value})
	if err != nil {
		t.Fatal(err)
	}
	if got := conf.AdminPassword.Reveal(); got != value {
		t.Fatalf("Reveal() = %q, want %q", got, value)
	}
	stars, maybeStars := map[string]string{}, map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t"} {
		stars["a secret by "+verb] = fmt.Sprintf(verb, conf.AdminPassword)
		stars["a secret's address by "+verb] = fmt.Sprintf(verb, &conf.AdminPassword)
		stars["a Config by "+verb] = fmt.Sprintf(verb, conf)
		stars["a Config's address by "+verb] = fmt.Sprintf(verb, &conf)
		maybeStars["an unexported Config by "+verb] = fmt.Sprintf(verb, struct{ c config.Config }{conf})
	}
	maybeStars["%p"] = fmt.Sprintf("%p %[1]p", conf.AdminPassword)
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		var out bytes.Buffer
		slog.New(handler(&out)).Info("start", "password", conf.AdminPassword, "config", conf, "address", &conf.AdminPassword)
		stars["slog as "+name] = out.String()
	}
	for name, marshal := range map[string]func(any) ([]byte, error){"JSON": json.Marshal, "XML": xml.Marshal} {
		text, err := marshal(conf.AdminPassword)
		if err != nil {
			t.Fatal(err)
		}
		stars[name] = string(text)
	}
	text, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	stars["a Config as JSON"] = string(text)
	for how, text := range stars {
		if !strings.Contains(text, "***") {
			t.Errorf("%s shows %s; want *** in the place of the value", how, text)
		}
		maybeStars[how] = text
	}
	for how, text := range maybeStars {
		if lower := strings.ToLower(text); strings.Contains(lower, value) || strings.Contains(strings.ReplaceAll(lower, " ", ""), fmt.Sprintf("%x", value)) {
			t.Errorf("%s shows %s; want no trace of %s", how, text, value)
		}
	}
}

func TestZeroSecretIsEmpty(t *testing.T) {
	var s config.Secret
	if s.Reveal() != "" || s.String() != "***" {
		t.Errorf("the zero Secret is %q and prints as %q; want nothing, and ***", s.Reveal(), s)
	}
}
