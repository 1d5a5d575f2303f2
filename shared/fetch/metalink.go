package fetch

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/xml"
	"strings"

	"sluice/shared/disposition"
	"sluice/shared/fault"
)

// MetalinkType is the media type of a Metalink document (RFC 5854 §7.1).
const MetalinkType = "application/metalink4+xml"

// MetalinkFile is one file that a Metalink document describes.
type MetalinkFile struct {
	Name    string // one segment, safe to save under
	Content Content
	Sources []Source
}

type metalink struct {
	XMLName xml.Name `xml:"urn:ietf:params:xml:ns:metalink metalink"`
	Files   []struct {
		Name   string         `xml:"name,attr"`
		Size   int64          `xml:"size"`
		Hashes []metalinkHash `xml:"hash"`
		Pieces []struct {
			Length int64    `xml:"length,attr"`
			Type   string   `xml:"type,attr"`
			Hashes []string `xml:"hash"`
		} `xml:"pieces"`
		URLs []struct {
			URL      string `xml:",chardata"`
			Priority int    `xml:"priority,attr"`
		} `xml:"url"`
	} `xml:"file"`
}

type metalinkHash struct {
	Type  string `xml:"type,attr"`
	Value string `xml:",chardata"`
}

// noPriority is that of a URL without one: RFC 5854 §4.2.16.2 puts it last.
const noPriority = 999999

// ParseMetalink reads a Metalink 4 document (RFC 5854). Of digests it takes
// SHA-256 and SHA-512, of URLs those of HTTP; whatever else there is it leaves
// out. A document without a file to fetch is a fault.
func ParseMetalink(document []byte) ([]MetalinkFile, error) {
	var m metalink
	if err := xml.Unmarshal(document, &m); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "bad_metalink", "This is not a Metalink 4 document.")
	}
	var files []MetalinkFile
	for _, f := range m.Files {
		file := MetalinkFile{Name: tame(disposition.Name(f.Name)), Content: Content{Size: max(f.Size, 0)}}
		for _, h := range f.Hashes {
			switch {
			case h.Type == "sha-256":
				file.Content.Digest.SHA256 = unhex(h.Value, sha256.Size)
			case h.Type == "sha-512":
				file.Content.Digest.SHA512 = unhex(h.Value, sha512.Size)
			}
		}
		for _, p := range f.Pieces {
			if p.Type != "sha-256" || p.Length <= 0 {
				continue
			}
			file.Content.ChunkSize, file.Content.Chunks = p.Length, nil
			for _, h := range p.Hashes {
				file.Content.Chunks = append(file.Content.Chunks, unhex(h, sha256.Size)...)
			}
		}
		if err := file.Content.Check(); err != nil {
			return nil, err
		}
		for _, u := range f.URLs {
			raw := strings.TrimSpace(u.URL)
			if _, err := parseURL(raw); err != nil {
				continue
			}
			priority := u.Priority
			if priority <= 0 {
				priority = noPriority
			}
			file.Sources = append(file.Sources, Source{URL: raw, Priority: priority})
		}
		if len(file.Sources) > 0 {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return nil, fault.New(fault.Invalid, "bad_metalink", "The Metalink document names nothing that can be fetched over HTTP.")
	}
	return files, nil
}

// unhex reads a digest; nil is one that is none.
func unhex(text string, size int) []byte {
	sum, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(sum) != size {
		return nil
	}
	return sum
}
