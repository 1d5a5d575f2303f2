package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/shared/fault"
	"sluice/shared/table"
)

// dueKind is what is to be removed.
type dueKind string

const (
	dueUpload  dueKind = "upload"  // the blob of an upload that was never published
	dueVersion dueKind = "version" // a version that was replaced
	dueFile    dueKind = "file"    // a deleted file with all its versions
	dueExpiry  dueKind = "expiry"  // a file whose own time is over
)

// A due item is open until the janitor claims it; publishing an upload takes
// its open item away in the same transaction, so that exactly one of the two
// wins.
const (
	dueOpen    = "open"
	dueClaimed = "claimed"
)

// due is one removal to come. Items are in partitions of an hour each, so
// that what is due is found by query and no partition grows for ever.
type due struct {
	Kind    dueKind
	File    string
	Version string
	Blob    string // the key of the blob
	At      time.Time

	// Of an upload alone:
	Owner string
	Taken Usage // of the owner's quota
}

func dueHour(at time.Time) int64 { return at.Unix() / 3600 }

func dueSecond(at time.Time) string { return fmt.Sprintf("%011d", at.Unix()) }

func duePartition(hour int64) string { return fmt.Sprintf("DUE#%d", hour) }

// key orders the items of an hour by their second.
func (d due) key() table.Key {
	return table.Key{
		PK: duePartition(dueHour(d.At)),
		SK: fmt.Sprintf("%s#%s#%s%s", dueSecond(d.At), d.Kind, d.File, d.Version),
	}
}

func (d due) put() table.Op {
	return put(d.key(), table.Attrs{
		"kind": string(d.Kind), "file": d.File, "version": d.Version, "blob": d.Blob, "at": millis(d.At), "state": dueOpen,
		"owner": d.Owner, "bytes": d.Taken.Bytes, "files": d.Taken.Files,
	})
}

func readDue(item table.Item) (due, error) {
	r, err := read(item)
	return due{
		Kind: dueKind(r.str("kind")), File: r.str("file"), Version: r.str("version"), Blob: r.str("blob"), At: r.time("at"),
		Owner: r.str("owner"), Taken: Usage{Bytes: r.num("bytes"), Files: r.num("files")},
	}, err
}

// Sweep removes what is due by now, at most limit items, oldest first, and
// returns how many it did. remove deletes a blob; it must take one that is
// already gone for removed. What fails stays due, and is named in the error,
// but does not hold up the rest. Sweeps may overlap.
func (c *Catalog) Sweep(ctx context.Context, limit int, remove func(ctx context.Context, key string) error) (int, error) {
	remove = c.withManifest(remove)
	now := c.now()
	// The hour just past is always read again: a write whose time was taken
	// in it may have come after the sweep, or by a slower clock.
	last := dueHour(now) - 1
	earliest := c.past.forget()
	began, err := c.sweptTo(ctx, min(last, dueHour(earliest)-1))
	if err != nil {
		c.past.note(earliest)
		return 0, err
	}
	var failures []error
	done, swept := 0, began
	for hour := began; hour <= dueHour(now) && done < limit && ctx.Err() == nil; hour++ {
		n, err := c.sweepHour(ctx, hour, now, limit-done, remove)
		if done += n; err != nil {
			failures = append(failures, err)
		}
		if len(failures) == 0 && done < limit && hour < last && ctx.Err() == nil {
			swept = hour + 1
		}
	}
	if swept > began {
		failures = append(failures, c.setSweptTo(ctx, swept))
	}
	return done, errors.Join(failures...)
}

// sweepHour removes what is due in one hour's partition: what is due in the
// present second waits for the next, since its time may not have come yet.
func (c *Catalog) sweepHour(ctx context.Context, hour int64, now time.Time, limit int, remove func(context.Context, string) error) (int, error) {
	var failures []error
	done := 0
	q := table.Query{PK: duePartition(hour), To: dueSecond(now), Limit: 100}
	for {
		page, err := c.table.Query(ctx, q)
		if err != nil {
			return done, err
		}
		for _, item := range page.Items {
			if done >= limit || ctx.Err() != nil {
				return done, errors.Join(failures...)
			}
			q.From = table.Next(item.Key.SK)
			if err := c.settle(ctx, item, remove); err != nil {
				failures = append(failures, err)
				continue
			}
			done++
		}
		if !page.More {
			return done, errors.Join(failures...)
		}
	}
}

// settle does what is due and then forgets it, so that a crash in between
// leaves it due.
func (c *Catalog) settle(ctx context.Context, item table.Item, removeBlob func(context.Context, string) error) error {
	d, err := readDue(item)
	if err != nil {
		return err
	}
	_, err = c.table.Apply(ctx, change(item.Key, table.Attrs{"state": dueClaimed}, table.IfExists()))
	if lost(err) {
		return nil // published, restored or swept meanwhile
	}
	if err != nil {
		return err
	}
	if later, err := c.postponed(ctx, d); err != nil || later {
		return err
	}
	switch d.Kind {
	case dueUpload:
		err = removeBlob(ctx, d.Blob)
	case dueVersion:
		err = c.removeVersion(ctx, d.File, d.Version, d.Blob, removeBlob)
	case dueExpiry:
		err = c.expire(ctx, d.File)
	case dueFile:
		err = c.removeFile(ctx, d.File, removeBlob)
	}
	if err != nil {
		return err
	}
	return c.release(ctx, d)
}

// removeVersion drops the record first, so that no reader can find a version
// whose blob is going.
func (c *Catalog) removeVersion(ctx context.Context, file, version, blob string, removeBlob func(context.Context, string) error) error {
	f, err := c.freshFile(ctx, file)
	if err == nil {
		err = c.forgetVersion(ctx, f.Owner, file, version)
	}
	if err != nil && !fault.Is(err, fault.NotFound, "") {
		return err
	}
	return removeBlob(ctx, blob)
}

// forgetVersion drops a version's record and counts it no longer. It is
// NotFound where that was done before.
func (c *Catalog) forgetVersion(ctx context.Context, owner, file, version string) error {
	v, err := c.version(ctx, file, version)
	if err != nil {
		return err
	}
	err = c.table.Transact(ctx,
		remove(versionKey(file, version), table.IfExists()),
		count(owner, Usage{Bytes: -v.Size}))
	if lost(err) {
		return notFound("version")
	}
	return err
}

// expire deletes a file whose time is over; one that was given more time is
// left alone, since the new time has a due item of its own.
func (c *Catalog) expire(ctx context.Context, id string) error {
	f, err := c.freshFile(ctx, id)
	if fault.Is(err, fault.NotFound, "") {
		return nil
	}
	if err != nil || !f.deletedAt.IsZero() || !c.gone(f) {
		return err
	}
	return c.deleteFile(ctx, f)
}

// removeFile drops every version of a deleted file, then its record.
func (c *Catalog) removeFile(ctx context.Context, id string, removeBlob func(context.Context, string) error) error {
	f, err := c.freshFile(ctx, id)
	if fault.Is(err, fault.NotFound, "") {
		return nil // its record goes last
	}
	if err != nil {
		return err
	}
	prefix := versionKey(id, "")
	for {
		page, err := c.table.Query(ctx, table.Query{PK: prefix.PK, From: prefix.SK, To: table.After(prefix.SK), Limit: 100})
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			r, err := read(item)
			if err != nil {
				return err
			}
			v := readVersion(r)
			// The blob goes first here: the record is what leads to it, and
			// nobody can reach a deleted file's versions.
			if err := removeBlob(ctx, v.Key); err != nil {
				return err
			}
			if err := c.forgetVersion(ctx, f.Owner, id, v.ID); err != nil && !fault.Is(err, fault.NotFound, "") {
				return err
			}
		}
		if len(page.Items) == 0 {
			break
		}
	}
	err = c.table.Transact(ctx, remove(fileKey(id), table.IfExists()), count(f.Owner, Usage{Files: -1}))
	c.files.forget(id)
	if lost(err) {
		return nil
	}
	return err
}

func sweptKey() table.Key { return table.Key{PK: "JANITOR", SK: "SWEPT"} }

// sweptTo returns the first hour that may hold something due, at most latest:
// a clock that was ahead for a while may have left a mark in the future, and
// one that was behind may have left something due before the mark.
func (c *Catalog) sweptTo(ctx context.Context, latest int64) (int64, error) {
	item, found, err := c.table.Get(ctx, sweptKey())
	if err != nil || !found {
		return latest, err
	}
	r, err := read(item)
	if hour := r.num("hour"); err != nil || hour <= latest {
		return hour, err
	}
	return latest, c.setSweptTo(ctx, latest)
}

func (c *Catalog) setSweptTo(ctx context.Context, hour int64) error {
	_, err := c.table.Apply(ctx, put(sweptKey(), table.Attrs{"hour": hour}))
	return err
}
