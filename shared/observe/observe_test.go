package observe_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/shared/observe"
)

func TestLoggerWritesOneLineOfJSON(t *testing.T) {
	var out bytes.Buffer
	observe.NewLogger(&out, slog.LevelInfo).Info("a \"message\"\nof two lines",
		"status", 200, "duration_ms", 1.5, "error", errors.New("wrong\nagain"), slog.Group("group", "time", "kept"))
	if n := strings.Count(out.String(), "\n"); n != 1 || !strings.HasSuffix(out.String(), "\n") {
		t.Fatalf("a message is %d lines: %s", n, &out)
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%s: %v", &out, err)
	}
	at, err := time.Parse(time.RFC3339Nano, line["time"].(string))
	if err != nil || at.Location() != time.UTC || time.Since(at).Abs() > time.Hour {
		t.Errorf("the time is %v; want now, in UTC", line["time"])
	}
	delete(line, "time")
	want := map[string]any{"level": "INFO", "msg": "a \"message\"\nof two lines", "status": 200.0, "duration_ms": 1.5, "error": "wrong\nagain"}
	if group, _ := line["group"].(map[string]any); group["time"] != "kept" {
		t.Errorf("a group's own time is %v, want it as it was", group["time"])
	}
	delete(line, "group")
	if !maps.Equal(line, want) {
		t.Errorf("the line is %v, want %v", line, want)
	}
}

func TestTimesAreInUTC(t *testing.T) {
	var out bytes.Buffer
	record := slog.NewRecord(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600)), slog.LevelInfo, "m", 0)
	if err := observe.NewLogger(&out, slog.LevelInfo).Handler().Handle(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if want := `{"time":"2026-01-02T02:04:05.000006Z","level":"INFO","msg":"m"}` + "\n"; out.String() != want {
		t.Errorf("the line is %swant %s", &out, want)
	}
}

func TestLoggerHoldsTheLevel(t *testing.T) {
	cases := []struct {
		level slog.Level
		want  string
	}{
		{slog.LevelDebug, "debug info warn error"},
		{slog.LevelInfo, "info warn error"},
		{slog.LevelWarn, "warn error"},
		{slog.LevelError, "error"},
	}
	for _, c := range cases {
		var out bytes.Buffer
		log := observe.NewLogger(&out, c.level)
		log.Debug("debug")
		log.Info("info")
		log.Warn("warn")
		log.Error("error")
		var got []string
		for _, m := range regexp.MustCompile(`"msg":"(\w+)"`).FindAllStringSubmatch(out.String(), -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("at %s the log has %s, want %s", c.level, got, c.want)
		}
	}
}
