package main

import (
	"errors"
	"strconv"
	"strings"
)

// errNumber is the error of what is no number.
var errNumber = errors.New("it is no number")

// parseCount reads a number of 0 or more, in digits alone.
func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, errNumber
	}
	return n, nil
}

// parseBytes reads a number of bytes, with K, M, G or T for powers of 1024.
func parseBytes(text string) (int64, error) {
	const most = 1 << 60
	digits, unit := text, int64(1)
	if text != "" {
		if i := strings.IndexByte("KMGT", text[len(text)-1]&^0x20); i >= 0 {
			digits, unit = text[:len(text)-1], 1<<(10*(i+1))
		}
	}
	n, err := parseCount(digits)
	if err != nil || n > most/unit {
		return 0, errNumber
	}
	return n * unit, nil
}
