package main

import (
	"errors"
	"strings"

	"sluice/shared/fault"
)

// explain words err for the person at the terminal: of a fault the message and
// the cause, without the code, which is for programs.
func explain(err error) string {
	text := err.Error()
	if f, ok := errors.AsType[*fault.Error](err); ok {
		text = strings.Replace(text, f.Error(), sentence(f), 1)
	}
	return strings.TrimSpace(text)
}

func sentence(f *fault.Error) string {
	if f.Err == nil {
		return f.Message
	}
	return strings.TrimSuffix(f.Message, ".") + ": " + explain(f.Err)
}
