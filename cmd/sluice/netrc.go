package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readNetrc reads the passwords of ~/.netrc, or of the file that NETRC names,
// by host. It may not be readable by others.
func readNetrc() (map[string]string, error) {
	path := os.Getenv("NETRC")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, nil //nolint:nilerr // without a home there is no .netrc
		}
		path = filepath.Join(home, ".netrc")
	}
	text, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	return parseNetrc(string(text)), nil
}

// parseNetrc reads machine, login and password. "default" is left out: it would
// send a password to any host.
func parseNetrc(text string) map[string]string {
	fields := map[string]string{}
	var machine, user string
	words := bufio.NewScanner(strings.NewReader(text))
	words.Split(bufio.ScanWords)
	next := func() string {
		words.Scan()
		return words.Text()
	}
	for words.Scan() {
		switch words.Text() {
		case "machine":
			machine, user = strings.ToLower(next()), ""
		case "default":
			machine, user = "", ""
		case "login":
			user = next()
		case "password":
			if password := next(); machine != "" {
				fields[machine] = "Basic " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%s", user, password))
			}
		}
	}
	return fields
}
