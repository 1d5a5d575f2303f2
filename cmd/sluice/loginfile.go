package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"sluice/shared/contract"
	"sluice/shared/fault"
	"sluice/shared/filelock"
)

// login is what a login file holds, in JSON. It is readable by its owner only.
type login struct {
	Server       string    `json:"server"`
	Username     string    `json:"username,omitempty"`
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"` // of the access token
}

// newLogin is what a server answers to a login or a refresh.
func newLogin(server, username string, t contract.Tokens) *login {
	return &login{
		Server: server, Username: username, AccessToken: t.AccessToken, RefreshToken: t.RefreshToken,
		ExpiresAt: time.Now().Add(time.Duration(t.ExpiresIn) * time.Second),
	}
}

// good reports whether the access token is good for a minute, or is all there
// is.
func (l *login) good() bool {
	return l.RefreshToken == "" || time.Until(l.ExpiresAt) > time.Minute
}

// readLogin reads a login file; it returns nil where there is none.
func readLogin(path string) (*login, error) {
	text, err := readPrivate(path)
	if text == nil || err != nil {
		return nil, err
	}
	var l login
	if err := json.Unmarshal(text, &l); err != nil || l.Server == "" {
		return nil, fault.Newf(fault.Invalid, "usage", "%s is not a login file.", path)
	}
	return &l, nil
}

// save replaces a login file, at once and for its owner only.
func (l *login) save(path string) error {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".login-*") // 0600
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// readPrivate reads a file that holds secrets, and refuses one that others can
// read. It returns nil where there is none.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	const others = 0o077
	if runtime.GOOS != "windows" && info.Mode().Perm()&others != 0 { // which has no such bits
		return nil, fault.Newf(fault.Invalid, "usage", "%s holds secrets and can be read by others: chmod 600 %[1]s.", path)
	}
	return os.ReadFile(path)
}

// lockLogin keeps other programs from changing a login file until unlock is
// called; it waits for one that does. It makes the folder.
func lockLogin(path string) (unlock func(), err error) {
	if path == "" {
		return nil, fault.New(fault.Invalid, "usage", "There is no folder for settings: set HOME.")
	}
	const ownersOnly = 0o700
	if err := os.MkdirAll(filepath.Dir(path), ownersOnly); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Wait(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil // which unlocks it
}
