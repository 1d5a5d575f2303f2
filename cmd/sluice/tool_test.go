package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// largeSize is more than what all buffers between disk and client hold, and
// no multiple of anything.
const largeSize = 64<<20 + 12345

// large returns a file of largeSize random bytes and its SHA-256.
var large = sync.OnceValues(func() (path, sum string) {
	path = filepath.Join(scratch, "large.bin")
	file, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	hash := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(file, hash), rand.NewChaCha8([32]byte{}), largeSize); err != nil {
		panic(err)
	}
	if err := file.Close(); err != nil {
		panic(err)
	}
	return path, hex.EncodeToString(hash.Sum(nil))
})

// run runs a program in a folder, wants it to succeed, and returns what it
// prints.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out, failed bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &failed
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", name, err, out.Bytes(), failed.Bytes())
	}
	return out.String()
}

// interrupt runs a program in a folder and sends it a signal when cond holds,
// which must be before it ends by itself.
func interrupt(t *testing.T, signal os.Signal, cond func() bool, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }() // it may have ended
	eventually(t, "the moment to interrupt "+name, func() bool {
		select {
		case err := <-ended:
			t.Fatalf("%s ended before it was interrupted: %v", name, err)
		default:
		}
		return cond()
	})
	_ = cmd.Process.Signal(signal)
	<-ended
}

// size returns the size of a file, 0 where there is none.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// sha256sum returns the SHA-256 of a file as the program of that name tells it.
func sha256sum(t *testing.T, path string) string {
	t.Helper()
	sum, _, _ := strings.Cut(run(t, "", "sha256sum", path), " ")
	return sum
}

// read returns the content of a file.
func read(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
