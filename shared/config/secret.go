package config

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a Secret shows of itself.
const redacted = "***"

// Secret is a setting that must not be shown. However it is printed, logged or
// marshalled, alone or inside another value, it shows *** or an address; only
// Reveal gives the value. The zero Secret is empty. Secrets cannot be compared
// with ==.
type Secret struct {
	// A function, since fmt calls no method of a value in an unexported field,
	// nor for a verb such as %p.
	reveal func() string
}

// NewSecret returns a Secret that holds value.
func NewSecret(value string) Secret {
	return Secret{func() string { return value }}
}

// Reveal returns the value.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Format writes *** for every verb and flag of package fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns ***.
func (Secret) String() string { return redacted }

// LogValue returns *** for log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns *** for encoding/json and its kin.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
