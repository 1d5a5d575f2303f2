package auth

import "sluice/shared/fault"

// MaxUsername is the longest username, in bytes.
const MaxUsername = 32

// CheckUsername returns nil for a name of the form [a-z0-9][a-z0-9._-]{0,31},
// else an Invalid fault that names the field "username".
func CheckUsername(name string) error {
	if name == "" || len(name) > MaxUsername {
		return fault.InvalidField("username", "A username has 1 to %d characters.", MaxUsername)
	}
	for i, c := range []byte(name) {
		if !usernameByte(c, i == 0) {
			return fault.InvalidField("username",
				"A username has a to z, 0 to 9, dot, underscore and hyphen, and starts with a letter or a digit.")
		}
	}
	return nil
}

func usernameByte(c byte, first bool) bool {
	switch {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return true
	case c == '.', c == '_', c == '-':
		return !first
	default:
		return false
	}
}
