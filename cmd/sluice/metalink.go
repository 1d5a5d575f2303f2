package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"sluice/shared/fault"
	"sluice/shared/fetch"
)

func isMetalink(name string) bool {
	name, _, _ = strings.Cut(name, "?")
	return strings.HasSuffix(name, ".meta4") || strings.HasSuffix(name, ".metalink")
}

// maxMetalink is the largest Metalink document that is read, in bytes.
const maxMetalink = 16 << 20

// readMetalink reads a document from a file or a URL.
func readMetalink(ctx context.Context, client *fetch.Client, name string, header http.Header) ([]download, error) {
	var document limitedBuffer
	if isURL(name) {
		t := client.Start(ctx, fetch.Request{Sources: []fetch.Source{{URL: name, Header: header}}, Output: &document})
		if _, err := t.Wait(); err != nil {
			return nil, err
		}
	} else if err := document.readFile(name); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "usage", "The Metalink document cannot be read.")
	}
	files, err := fetch.ParseMetalink(document.text)
	if err != nil {
		return nil, err
	}
	var requests []download
	for _, f := range files {
		for i := range f.Sources {
			f.Sources[i].Header = header
		}
		requests = append(requests, download{Request: fetch.Request{Sources: f.Sources, Content: f.Content, Name: f.Name}})
	}
	return requests, nil
}

// limitedBuffer keeps at most maxMetalink bytes.
type limitedBuffer struct{ text []byte }

var errTooLarge = errors.New("it is too large")

// Write implements io.Writer.
func (b *limitedBuffer) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > maxMetalink {
		return 0, errTooLarge
	}
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *limitedBuffer) readFile(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(b, file)
	return err
}
