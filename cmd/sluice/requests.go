package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sluice/shared/digest"
	"sluice/shared/fault"
	"sluice/shared/fetch"
)

// allURLs returns those of the command line and of the input file.
func allURLs(s getSettings, args []string, in io.Reader) ([]string, error) {
	urls := args
	if s.inputFile != "" {
		if s.inputFile != "-" {
			file, err := os.Open(s.inputFile)
			if err != nil {
				return nil, fault.Wrap(err, fault.Invalid, "usage", "The list of URLs cannot be read.")
			}
			defer file.Close()
			in = file
		}
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
				urls = append(urls, line)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "usage", "The list of URLs cannot be read.")
		}
	}
	switch {
	case len(urls) == 0:
		return nil, usage("Nothing says what to get.")
	case len(urls) > 1 && s.checksum != "":
		return nil, usage("--checksum is of one file.")
	}
	return urls, nil
}

// target returns the folder and the name that -o means; no name: the server's.
func (s getSettings) target(several bool) (dir, name string, err error) {
	if s.output == "" {
		return ".", "", nil
	}
	info, err := os.Stat(s.output)
	if strings.HasSuffix(s.output, "/") || err == nil && info.IsDir() {
		if err != nil {
			err = fault.Wrap(err, fault.Invalid, "usage", "The folder of -o cannot be used.")
		}
		return s.output, "", err
	}
	if several {
		return "", "", usage("-o names one file, and there are several: give a folder.")
	}
	return filepath.Dir(s.output), filepath.Base(s.output), nil
}

func (s getSettings) requests(ctx context.Context, client *fetch.Client, a *accounts, given []string, out io.Writer) ([]download, error) {
	header, err := parseHeaders(s.headers)
	if err != nil {
		return nil, err
	}
	sum, err := parseChecksum(s.checksum)
	if err != nil {
		return nil, err
	}
	var requests []download
	for _, given := range given {
		var more []download
		switch {
		case isMetalink(given) || s.metalink:
			more, err = readMetalink(ctx, client, given, header)
		case isURL(given):
			more = []download{{Request: fetch.Request{Sources: []fetch.Source{{URL: given, Header: header}}, Content: fetch.Content{Digest: sum}}}}
		default:
			more, err = s.fromServer(ctx, a, given, header, sum)
		}
		if err != nil {
			return nil, err
		}
		requests = append(requests, more...)
	}
	if len(requests) > 1 && s.checksum != "" {
		return nil, usage("--checksum is of one file.")
	}
	if s.output == "-" && len(requests) > 1 {
		return nil, usage("-o - is for one file, and there are %d.", len(requests))
	}
	dir, name := "", ""
	if s.output != "-" {
		foldered := func(d download) bool { return d.folder != "" }
		if dir, name, err = s.target(len(requests) > 1 || slices.ContainsFunc(requests, foldered)); err != nil {
			return nil, err
		}
	}
	s.prioritize(requests)
	for i := range requests {
		r := &requests[i]
		if s.output == "-" {
			r.Output = out
		} else if err := r.place(dir); err != nil {
			return nil, err
		}
		if name != "" {
			r.Name = name
		}
		r.Overwrite, r.Restart = s.force, s.restart
		if err := a.describe(ctx, &r.Request); err != nil {
			return nil, err
		}
	}
	return requests, distinct(requests)
}

// prioritize has files come in the order of --priority, and else in that asked
// for.
func (s getSettings) prioritize(requests []download) {
	for i := range requests {
		requests[i].Priority = -(s.rank(requests[i])*len(requests) + i)
	}
}

// rank returns the place of the first pattern of --priority that a file's name
// fits, from 0 on.
func (s getSettings) rank(r download) int {
	name := r.Name
	if name == "" {
		u, err := url.Parse(r.Sources[0].URL)
		if err != nil {
			return len(s.priority) // which is told when it is fetched
		}
		name = path.Base(u.Path)
	}
	fits := func(pattern string) bool {
		matched, _ := path.Match(pattern, name) // the patterns were checked
		return matched
	}
	if i := slices.IndexFunc(s.priority, fits); i >= 0 {
		return i
	}
	return len(s.priority)
}

func parseHeaders(lines []string) (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if !found || strings.TrimSpace(name) == "" || strings.ContainsAny(line, "\r\n") {
			return nil, usage("--header is such as 'Cookie: a=b'.") // it may hold a secret
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h, nil
}

func parseChecksum(text string) (digest.Set, error) {
	var d digest.Set
	if text == "" {
		return d, nil
	}
	algorithm, value, _ := strings.Cut(text, ":")
	sum, err := hex.DecodeString(value)
	switch {
	case err == nil && algorithm == "sha256" && len(sum) == 32:
		d.SHA256 = sum
	case err == nil && algorithm == "sha512" && len(sum) == 64:
		d.SHA512 = sum
	default:
		return d, usage("--checksum is sha256:HEX or sha512:HEX.")
	}
	return d, nil
}
