// Package bolttable keeps records in one bbolt file: the table driver for a
// single machine with nothing else installed. One process at a time has the
// file open.
//
// Writes are committed in groups. One goroutine takes what has queued up since
// its last commit into one bbolt transaction, so that many writers share the
// price of one fsync, and a lone writer waits for nobody. A write that is
// answered is on the disk.
//
// In the file, each table is a bucket, and an item is found under the length
// of its partition key (two bytes), the partition key and the sort key, so
// that a partition lies together and in the order of its sort keys.
package bolttable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// lockTimeout is how long Open waits for another process to let go of a file.
const lockTimeout = time.Second

// Store is an open file of tables. It is safe for concurrent use.
type Store struct {
	db      *bolt.DB
	codec   codec
	jobs    chan *job
	closing chan struct{} // closed by Close
	stopped chan struct{} // closed when the committer has ended
	close   func() error

	sweeping sync.Mutex // held by Sweep
	swept    position   // up to where Sweep has come
}

// Open opens the file at path, and makes it, readable by its owner alone, and
// its directory if they are not there. It waits a second for another process
// to close the file; then it fails with fault.Conflict "table_in_use" and
// names that process. A file that a newer version of this program wrote is
// refused with fault.Conflict "table_newer".
func Open(path string) (*Store, error) {
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	if err := checkFormat(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := claim(path); err != nil {
		return nil, errors.Join(unopened(path, err), db.Close())
	}
	s := &Store{
		db:      db,
		codec:   newCodec(),
		jobs:    make(chan *job, maxBatch),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	s.close = sync.OnceValue(func() error { return s.shut(path) })
	go s.commitAll()
	return s, nil
}

// openFile opens and locks the file at path.
func openFile(path string) (*bolt.DB, error) {
	directory := filepath.Dir(path)
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, unopened(path, err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:      lockTimeout,
		FreelistType: bolt.FreelistMapType,
		NoStatistics: true,
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fault.Newf(fault.Conflict, "table_in_use", "The record file %s is in use by %s.", path, holder(path))
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum):
		return nil, unopened(path, fmt.Errorf("it is damaged, or no record file: %w", err))
	case err != nil:
		return nil, unopened(path, err)
	}
	if err := syncDirectory(directory); err != nil {
		return nil, errors.Join(unopened(path, err), db.Close())
	}
	return db, nil
}

// syncDirectory makes the entry of a new file in its directory durable.
func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

func unopened(path string, err error) error {
	return fault.Wrap(err, fault.Internal, "table_unopened", "The record file "+path+" cannot be opened.")
}

// Table returns the driver of the table called name. Tables of one store have
// nothing in common but the file and its commits. Closing a table does
// nothing; close the store.
func (s *Store) Table(name string) table.Driver {
	return &driver{store: s, bucket: []byte(tablePrefix + name)}
}

// Close ends the committer and closes the file. Writes that are still queued
// fail; none of them was done. Closing twice does nothing.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut(path string) error {
	close(s.closing)
	<-s.stopped
	return errors.Join(release(path), s.db.Close())
}

// ping asks the file for what Open has found in it.
func (s *Store) ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.View(func(tx *bolt.Tx) error {
		_, err := readFormat(tx)
		return err
	})
}
