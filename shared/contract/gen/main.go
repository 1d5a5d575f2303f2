// Gen makes what is derived from openapi.yaml without Go types: the contract
// in JSON, for GET /openapi.json, and docs/api.md, for people.
//
//	gen openapi.yaml openapi.gen.json docs/api.md
package main

import (
	"bytes"
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
		return errors.New("usage: gen openapi.yaml openapi.gen.json api.md")
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
	return errors.Join(write(args[1], document), write(args[2], page))
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
