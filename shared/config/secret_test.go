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

func TestSecretPrintsAsStars(t *testing.T) {
	const value = "hunter2hunter2"
	conf, err := load(nil, map[string]string{"SLUICE_ADMIN_PASSWORD": value})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%p", "%T%[1]v"} {
		shown["a secret by "+verb] = fmt.Sprintf(verb, conf.AdminPassword)
		shown["a secret's address by "+verb] = fmt.Sprintf(verb+" %[1]v", &conf.AdminPassword) + conf.AdminPassword.String()
		shown["a Config by "+verb] = fmt.Sprintf(verb+" %[1]v", conf)
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		var out bytes.Buffer
		slog.New(handler(&out)).Info("start", "password", conf.AdminPassword, "config", conf, "address", &conf.AdminPassword)
		shown["slog as "+name] = out.String()
	}
	marshalled, err := json.Marshal(map[string]any{"config": conf, "keyed": map[config.Secret]int{conf.AdminPassword: 1}})
	if err != nil {
		t.Fatal(err)
	}
	shown["JSON"] = string(marshalled)
	marshalled, err = xml.Marshal(conf.AdminPassword)
	if err != nil {
		t.Fatal(err)
	}
	shown["XML"] = string(marshalled)
	shown["an error"] = fmt.Errorf("no: %w %v", fmt.Errorf("%s", conf.AdminPassword), conf).Error()
	for how, text := range shown {
		if !strings.Contains(text, "***") || strings.Contains(strings.ToLower(text), value) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", value)) {
			t.Errorf("%s shows %s; want *** in the place of the value", how, text)
		}
	}
}

func TestEmptySecretPrintsNothing(t *testing.T) {
	if got := fmt.Sprintf("%v%q%#v", config.Secret(""), config.Secret(""), config.Secret("")); got != "" {
		t.Errorf("an empty secret prints as %q, want nothing", got)
	}
}
