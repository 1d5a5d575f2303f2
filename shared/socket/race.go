//go:build race

package socket

// raced tells that the race detector runs, which knows what a read or write of
// a socket puts in order only of Go's own.
const raced = true
