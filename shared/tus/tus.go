// Package tus reads the header fields of the tus protocol for resumable
// uploads, version 1.0.0 (https://tus.io/protocols/resumable-upload).
package tus

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// What a server says of itself.
const (
	Version    = "1.0.0"
	Extensions = "creation,termination,expiration,checksum"
	Algorithms = "sha1,sha256" // of checksums
)

// ContentType is the media type of the body of a PATCH.
const ContentType = "application/offset+octet-stream"

// StatusChecksumMismatch is the HTTP status of a body that is not of its
// checksum. No other protocol has it.
const StatusChecksumMismatch = 460

// ParseSize reads an Upload-Length or an Upload-Offset: digits alone, of a
// number that fits 63 bits.
func ParseSize(value string) (int64, error) {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number of bytes", value)
	}
	return int64(n), nil
}

// MaxMetadata is the longest Upload-Metadata, in bytes.
const MaxMetadata = 4 << 10

// ParseMetadata reads the lines of an Upload-Metadata: pairs of a key and a
// value in Base64, which may be left out. A key that is empty, not ASCII or
// there twice is an error, as is a value that is not Base64.
func ParseMetadata(lines []string) (map[string]string, error) {
	field := strings.Join(lines, ",")
	if len(field) > MaxMetadata {
		return nil, fmt.Errorf("it has over %d bytes", MaxMetadata)
	}
	pairs := map[string]string{}
	if strings.Trim(field, " \t") == "" {
		return pairs, nil
	}
	for pair := range strings.SplitSeq(field, ",") {
		key, encoded, _ := strings.Cut(strings.Trim(pair, " \t"), " ")
		if key == "" || strings.ContainsFunc(key, notPrintable) {
			return nil, fmt.Errorf("%q is not a key", key)
		}
		if _, twice := pairs[key]; twice {
			return nil, fmt.Errorf("the key %q is there twice", key)
		}
		value, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if err != nil || strings.ContainsAny(encoded, "\r\n") { // which the decoder skips
			return nil, fmt.Errorf("the value of %q is not Base64", key)
		}
		pairs[key] = string(value)
	}
	return pairs, nil
}

func notPrintable(r rune) bool { return r <= ' ' || r > '~' }
