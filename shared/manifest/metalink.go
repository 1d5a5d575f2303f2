package manifest

import (
	"encoding/hex"
	"encoding/xml"
)

// MetalinkType is the media type of a Metalink document (RFC 5854 §7.1).
const MetalinkType = "application/metalink4+xml"

// algorithm is SHA-256's name in IANA's registry of hash functions, which RFC
// 5854 §4.2.4 asks for.
const algorithm = "sha-256"

type metalink struct {
	XMLName xml.Name     `xml:"urn:ietf:params:xml:ns:metalink metalink"`
	File    metalinkFile `xml:"file"`
}

type metalinkFile struct {
	Name   string          `xml:"name,attr"`
	Size   int64           `xml:"size"`
	Hash   metalinkHash    `xml:"hash"`
	Pieces *metalinkPieces `xml:"pieces"`
	URLs   []string        `xml:"url"`
}

type metalinkHash struct {
	Type  string `xml:"type,attr"`
	Value string `xml:",chardata"`
}

type metalinkPieces struct {
	Length int64    `xml:"length,attr"`
	Type   string   `xml:"type,attr"`
	Hashes []string `xml:"hash"`
}

// Metalink returns m as a Metalink 4 document (RFC 5854): the chunks are its
// pieces. name is the file's, without folders; urls are where its bytes are.
// Characters that XML cannot hold become U+FFFD.
func (m Manifest) Metalink(name string, urls ...string) ([]byte, error) {
	file := metalinkFile{
		Name: name, Size: m.Size, URLs: urls,
		Hash: metalinkHash{Type: algorithm, Value: hex.EncodeToString(m.SHA256)},
	}
	if m.Size > 0 {
		file.Pieces = &metalinkPieces{Length: m.ChunkSize, Type: algorithm}
		for _, chunk := range m.Chunks() {
			file.Pieces.Hashes = append(file.Pieces.Hashes, hex.EncodeToString(chunk.SHA256))
		}
	}
	body, err := xml.MarshalIndent(metalink{File: file}, "", "  ")
	return append([]byte(xml.Header), body...), err
}
