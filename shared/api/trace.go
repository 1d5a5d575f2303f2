package api

import (
	"net/http"
	"strings"
)

// traceID returns the id of the trace that a request is part of, as X-Ray or as W3C
// Trace Context writes it; empty: none. It says nothing of who asks, since whoever
// asks can say anything; it is for the log, and has no other characters than such
// an id.
//
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
// https://www.w3.org/TR/trace-context/#traceparent-header
func traceID(h http.Header) string {
	for part := range strings.SplitSeq(h.Get("X-Amzn-Trace-Id"), ";") {
		root, ok := strings.CutPrefix(strings.TrimSpace(part), "Root=")
		if ok && isForm(root, "1-xxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx") {
			return root
		}
	}
	const xs = "xxxxxxxxxxxxxxxx"
	parent := h.Get("Traceparent")
	if !isForm(parent, "00-"+xs+xs+"-"+xs+"-xx") {
		return ""
	}
	id := parent[len("00-") : len("00-")+len(xs+xs)]
	if strings.Trim(id, "0") == "" {
		return "" // none, as that document says
	}
	return id
}

// isForm reports whether a text is of a form in which x stands for a hexadecimal
// digit in small letters.
func isForm(text, form string) bool {
	if len(text) != len(form) {
		return false
	}
	for i := range len(form) {
		c := text[i]
		isHex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
		if form[i] == 'x' && !isHex || form[i] != 'x' && form[i] != c {
			return false
		}
	}
	return true
}
