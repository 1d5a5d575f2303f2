package bolttable

import (
	"errors"
	"strconv"

	bolt "go.etcd.io/bbolt"

	"sluice/shared/fault"
)

// format is the version of the file's layout. It rises when a program that
// knows only the old layout would misread the new one.
const format = 1

// The names of buckets and keys in the file.
const (
	metaBucket  = "meta"
	formatKey   = "format"
	tablePrefix = "table/"
)

var errNoFormat = errors.New("the file does not tell its format")

// checkFormat writes the format into a new file, and refuses a newer one.
func checkFormat(db *bolt.DB) error {
	path := db.Path()
	var found int
	err := db.View(func(tx *bolt.Tx) (err error) {
		found, err = readFormat(tx)
		return err
	})
	switch {
	case errors.Is(err, errNoFormat):
		if err := db.Update(begin); err != nil {
			return unopened(path, err)
		}
		return nil
	case err != nil:
		return unopened(path, err)
	case found > format:
		return fault.Newf(fault.Conflict, "table_newer",
			"The record file %s has format %d; this program knows up to %d: use a newer one.", path, found, format)
	}
	return nil
}

// readFormat returns the format that the file tells.
func readFormat(tx *bolt.Tx) (int, error) {
	meta := tx.Bucket([]byte(metaBucket))
	if meta == nil {
		return 0, errNoFormat
	}
	return strconv.Atoi(string(meta.Get([]byte(formatKey))))
}

// begin writes the format into a file that holds nothing else.
func begin(tx *bolt.Tx) error {
	if first, _ := tx.Cursor().First(); first != nil {
		return errors.New("it is a bbolt file of another program")
	}
	meta, err := tx.CreateBucket([]byte(metaBucket))
	if err != nil {
		return err
	}
	return meta.Put([]byte(formatKey), []byte(strconv.Itoa(format)))
}
