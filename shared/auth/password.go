package auth

import (
	"crypto/rand"
	"unicode"
	"unicode/utf8"

	"sluice/shared/fault"
)

// The length of a password, in bytes. The upper bound is far above what a
// person types and keeps the work of one guess small.
const (
	MinPassword = 8
	MaxPassword = 256
)

// CheckPassword returns nil for a password that a user may choose, else an
// Invalid fault that names the field "password". A password is compared as
// the bytes that came, without Unicode normalisation. Of what it is made up
// nothing is asked (NIST SP 800-63B §5.1.1.2).
func CheckPassword(password string) error {
	if len(password) < MinPassword || len(password) > MaxPassword {
		return fault.InvalidField("password", "A password has %d to %d bytes.", MinPassword, MaxPassword)
	}
	if !utf8.ValidString(password) {
		return fault.InvalidField("password", "A password is valid UTF-8.")
	}
	for _, r := range password {
		if unicode.IsControl(r) {
			return fault.InvalidField("password", "A password has no control characters.")
		}
	}
	return nil
}

// NewPassword returns a random password of 130 bits: 26 letters and digits,
// which a double click selects whole.
func NewPassword() string { return rand.Text() }
