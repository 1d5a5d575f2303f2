package auth_test

import (
	"regexp"
	"strings"
	"testing"

	"sluice/shared/auth"
	"sluice/shared/fault"
)

func TestCheckUsername(t *testing.T) {
	cases := []struct {
		name string
		want bool
	}{
		{"a", true},
		{"7", true},
		{"ada.lovelace_1815-12-10", true},
		{"a.", true},
		{"a--", true},
		{strings.Repeat("a", 32), true},
		{strings.Repeat("a", 33), false},
		{"", false},
		{".a", false},
		{"_a", false},
		{"-a", false},
		{"Ada", false},
		{"adA", false},
		{"a b", false},
		{"a\n", false},
		{"a\x00", false},
		{"a/b", false},
		{"a%2fb", false},
		{"zoë", false},
		{"а", false}, // Cyrillic
		{"a\xff", false},
	}
	for _, c := range cases {
		err := auth.CheckUsername(c.name)
		if (err == nil) != c.want {
			t.Errorf("CheckUsername(%q) = %v; want it allowed: %v", c.name, err, c.want)
		}
		wantField(t, err, "username")
	}
}

func FuzzCheckUsername(f *testing.F) {
	for _, name := range []string{"", "a", "a.b", ".a", "A", strings.Repeat("a", 33), "a\n", "zoë", "\xff"} {
		f.Add(name)
	}
	form := regexp.MustCompile(`\A[a-z0-9][a-z0-9._-]{0,31}\z`)
	f.Fuzz(func(t *testing.T, name string) {
		err := auth.CheckUsername(name)
		if want := form.MatchString(name); (err == nil) != want {
			t.Errorf("CheckUsername(%q) = %v; want it allowed: %v", name, err, want)
		}
		wantField(t, err, "username")
	})
}

func TestCheckPassword(t *testing.T) {
	cases := []struct {
		name     string
		password string
		want     bool
	}{
		{"eight bytes", "12345678", true},
		{"seven bytes", "1234567", false},
		{"nothing", "", false},
		{"four characters of two bytes", "öäüß", true},
		{"256 bytes", strings.Repeat("x", 256), true},
		{"257 bytes", strings.Repeat("x", 257), false},
		{"spaces and signs", "correct horse, battery!", true},
		{"an emoji", "secret 🔑 key", true},
		{"a line break", "password\n", false},
		{"a tab", "pass\tword", false},
		{"a NUL", "pass\x00word", false},
		{"a delete", "password\x7f", false},
		{"a C1 control character", "password\u0085", false},
		{"invalid UTF-8", "password\xff", false},
	}
	for _, c := range cases {
		err := auth.CheckPassword(c.password)
		if (err == nil) != c.want {
			t.Errorf("CheckPassword of %s = %v; want it allowed: %v", c.name, err, c.want)
		}
		wantField(t, err, "password")
		if err != nil && c.password != "" && strings.Contains(err.Error(), c.password) {
			t.Errorf("CheckPassword of %s quotes the password: %v", c.name, err)
		}
	}
}

func TestNewPassword(t *testing.T) {
	form := regexp.MustCompile(`\A[A-Z2-7]{26,}\z`) // 5 bits a character
	seen := map[string]bool{}
	for range 100 {
		password := auth.NewPassword()
		if !form.MatchString(password) {
			t.Errorf("NewPassword() = %q; want at least 26 letters and digits", password)
		}
		if err := auth.CheckPassword(password); err != nil {
			t.Errorf("CheckPassword refuses a generated password: %v", err)
		}
		seen[password] = true
	}
	if len(seen) != 100 {
		t.Errorf("100 generated passwords, of which %d differ", len(seen))
	}
}

// wantField wants a refusal to name the field.
func wantField(t *testing.T, err error, field string) {
	t.Helper()
	if err == nil {
		return
	}
	if f, isFault := err.(*fault.Error); !isFault || f.Kind != fault.Invalid || f.Field != field {
		t.Errorf("got %v; want an Invalid fault of the field %q", err, field)
	}
}
