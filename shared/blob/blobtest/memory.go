package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/shared/blob"
)

// The errors of a Memory.
var (
	errNotFound = errors.New("blobtest: no such blob")
	errExists   = errors.New("blobtest: the key is taken")
	errChanged  = errors.New("blobtest: not the pinned blob")
)

// Memory is a driver that keeps blobs in memory. It passes the suite, and it
// has entity tags, as S3 has and a disk has not.
type Memory struct {
	mu    sync.Mutex
	blobs map[string]memoryBlob
}

type memoryBlob struct {
	data []byte
	etag string
	at   time.Time
}

func (b memoryBlob) attrs() blob.Attrs {
	return blob.Attrs{Size: int64(len(b.data)), ETag: b.etag}
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{blobs: map[string]memoryBlob{}}
}

// Create implements blob.Driver.
func (m *Memory) Create(_ context.Context, key string, _ int64) (blob.DriverWriter, error) {
	return &memoryWriter{store: m, key: key}, nil
}

// Open implements blob.Driver.
func (m *Memory) Open(_ context.Context, key string, offset, _ int64, pin string) (io.ReadCloser, error) {
	b, err := m.get(key)
	if err != nil {
		return nil, err
	}
	if pin != "" && pin != b.etag {
		return nil, errChanged
	}
	offset = min(offset, int64(len(b.data)))
	return io.NopCloser(bytes.NewReader(b.data[offset:])), nil
}

// Stat implements blob.Driver.
func (m *Memory) Stat(_ context.Context, key string) (blob.Attrs, error) {
	b, err := m.get(key)
	if err != nil {
		return blob.Attrs{}, err
	}
	return b.attrs(), nil
}

// Delete implements blob.Driver.
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, key)
	return nil
}

// Ping implements blob.Driver.
func (m *Memory) Ping(context.Context) error { return nil }

// Close implements blob.Driver.
func (m *Memory) Close() error { return nil }

// Multipart implements blob.Driver: a Memory takes no parts.
func (m *Memory) Multipart() blob.Multiparter { return nil }

// Presigner implements blob.Driver: a Memory has no address.
func (m *Memory) Presigner() blob.Presigner { return nil }

// Lister implements blob.Driver.
func (m *Memory) Lister() blob.Lister { return m }

// List implements blob.Lister.
func (m *Memory) List(_ context.Context, prefix, after string, limit int) (objects []blob.Object, more bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(m.blobs)) {
		if !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		if len(objects) == limit {
			return objects, true, nil
		}
		b := m.blobs[key]
		objects = append(objects, blob.Object{Key: key, Size: int64(len(b.data)), ETag: b.etag, ModifiedAt: b.at})
	}
	return objects, false, nil
}

// ErrorCode implements blob.Driver.
func (m *Memory) ErrorCode(err error) blob.Code {
	switch {
	case errors.Is(err, errNotFound):
		return blob.NotFound
	case errors.Is(err, errExists):
		return blob.Exists
	case errors.Is(err, errChanged):
		return blob.Changed
	}
	return blob.Unknown
}

func (m *Memory) get(key string) (memoryBlob, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[key]
	if !ok {
		return memoryBlob{}, errNotFound
	}
	return b, nil
}

type memoryWriter struct {
	bytes.Buffer
	store *Memory
	key   string
}

func (w *memoryWriter) Commit(context.Context) (blob.Attrs, error) {
	sum := sha256.Sum256(w.Bytes())
	b := memoryBlob{data: w.Bytes(), etag: `"` + hex.EncodeToString(sum[:]) + `"`, at: time.Now()}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if _, taken := w.store.blobs[w.key]; taken {
		return blob.Attrs{}, errExists
	}
	w.store.blobs[w.key] = b
	return b.attrs(), nil
}

func (w *memoryWriter) Abort() error { return nil }
