// Gen makes what is derived from openapi.yaml without Go types: the contract
// in JSON, for GET /openapi.json, compressed since every function carries it, and
// docs/api.md, for people.
//
//	gen openapi.yaml openapi.gen.json.gz docs/api.md
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: gen openapi.yaml openapi.gen.json.gz api.md")
	}
	source, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	document, err := toJSON(source)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	page, err := toMarkdown(document)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	packed, err := pack(document)
	if err != nil {
		return err
	}
	return errors.Join(write(args[1], packed), write(args[2], page))
}

// pack compresses a document; the same one always to the same bytes.
func pack(document []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(document)
	err = errors.Join(err, w.Close()) // which writes too
	return packed.Bytes(), err
}

// toJSON returns a YAML document as indented JSON, its members in their order.
func toJSON(source []byte) ([]byte, error) {
	compact, err := yaml.YAMLToJSON(source)
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.TrimSpace(compact), "", "  "); err != nil {
		return nil, err
	}
	indented.WriteByte('\n')
	return indented.Bytes(), nil
}

// write replaces the file. It is made by os.Create, for all to read: it is a
// source file.
func write(name string, content []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
