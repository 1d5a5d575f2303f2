package auth

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a Secret shows of itself.
const redacted = "***"

// Secret is key material. However it is printed, logged or marshalled, alone
// or inside another value, it shows *** or an address; only Reveal gives the
// bytes. The zero Secret is empty. Secrets cannot be compared with ==.
type Secret struct {
	// A function, since fmt calls no method of a value in an unexported field,
	// and under some verbs follows a pointer there.
	reveal func() []byte
}

// NewSecret returns a Secret that holds b itself, not a copy.
func NewSecret(b []byte) Secret {
	return Secret{func() []byte { return b }}
}

// Reveal returns the bytes, which must not be changed.
func (s Secret) Reveal() []byte {
	if s.reveal == nil {
		return nil
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
