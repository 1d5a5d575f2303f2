package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// listing prints lines of columns: aligned under headings for a person, or with
// --json each line as the API tells it. It holds one page at a time, so that it
// may be of any length.
type listing struct {
	remote  *remote
	numbers []bool // by column: it is aligned to the right
	widths  []int
	rows    [][]string
}

// listing begins a listing; a heading that ends in > is of numbers. Where there
// are no lines, nothing is printed.
func (r *remote) listing(headings ...string) *listing {
	l := &listing{remote: r, numbers: make([]bool, len(headings)), widths: make([]int, len(headings)), rows: [][]string{headings}}
	for i := range headings {
		headings[i], l.numbers[i] = strings.CutSuffix(headings[i], ">")
	}
	return l
}

// add adds a line: the value with --json, else the columns.
func (l *listing) add(value any, columns ...string) error {
	if r := l.remote; r.json {
		return r.print(value, "")
	}
	for i, text := range columns {
		columns[i] = shownText(text)
	}
	l.rows = append(l.rows, columns)
	return nil
}

// endPage prints the lines that were added since the last page.
func (l *listing) endPage() error {
	if len(l.rows) == 1 && l.widths[0] == 0 { // the headings alone
		return nil
	}
	for _, row := range l.rows {
		for i, text := range row {
			l.widths[i] = max(l.widths[i], utf8.RuneCountInString(text))
		}
	}
	for _, row := range l.rows {
		var line strings.Builder
		for i, text := range row {
			width := l.widths[i]
			if !l.numbers[i] {
				width = -width
			}
			fmt.Fprintf(&line, "%*s  ", width, text)
		}
		if _, err := fmt.Fprintln(l.remote.out, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	l.rows = nil
	return nil
}

// eachPage calls page until there is no further cursor.
func eachPage(page func(cursor *string) (next string, err error)) error {
	next, err := page(nil)
	for err == nil && next != "" {
		cursor := next
		next, err = page(&cursor)
	}
	return err
}

// printFields prints what is known of one thing; empty values are left out.
func printFields(out io.Writer, fields [][2]string) error {
	for _, f := range fields {
		if f[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(out, "%-11s %s\n", f[0]+":", shownText(f[1])); err != nil {
			return err
		}
	}
	return nil
}

// sizeText is a size in bytes, and in words.
func sizeText(n int64) string { return fmt.Sprintf("%d (%s)", n, bytesText(float64(n))) }
