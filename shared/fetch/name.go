package fetch

import (
	"net/http"
	"net/url"
	"strings"

	"sluice/shared/disposition"
)

// nameOf returns the name under which what a server sends is saved: the one of
// its Content-Disposition, else the last segment of the URL asked for. A server
// is a stranger, so it is one segment, of a length that file systems take, and
// neither hidden nor like an option.
func nameOf(h http.Header, asked *url.URL) string {
	name := disposition.Read(h.Get("Content-Disposition"))
	if name == "" {
		name = nameFromURL(asked)
	}
	return tame(name)
}

func nameFromURL(u *url.URL) string {
	path := strings.TrimRight(u.Path, "/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	if name == "" {
		return "index.html" // as others call the page of a site
	}
	return disposition.Name(name)
}

func tame(name string) string {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
		name = "_" + name[1:]
	}
	return name
}
