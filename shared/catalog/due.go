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

// sweep is one round of removals.
type sweep struct {
	now    time.Time
	left   int                                         // how many removals it may still do
	hold   func(context.Context) error                 // asked before each
	remove func(ctx context.Context, key string) error // removes a blob
	lost   error                                       // what hold said
}

// next reports whether one more removal may be done, and counts it.
func (s *sweep) next(ctx context.Context) bool {
	if s.lost == nil && s.left > 0 && ctx.Err() == nil {
		s.lost = s.hold(ctx)
	}
	if s.ended(ctx) {
		return false
	}
	s.left--
	return true
}

// ended reports whether nothing more is to be removed in this round.
func (s *sweep) ended(ctx context.Context) bool {
	return s.lost != nil || s.left <= 0 || ctx.Err() != nil
}

// Sweep removes what is due by now, at most limit items and versions of files,
// oldest first, and returns how many it did. What is left over the next Sweep
// goes on with. hold, which may be nil, is asked before every removal whether
// the sweep still may; its error ends it. remove deletes a blob; it must take
// one that is already gone for removed. What fails stays due, and is named in
// the error, but does not hold up the rest. Sweeps may overlap.
func (c *Catalog) Sweep(
	ctx context.Context, limit int, hold func(context.Context) error, remove func(ctx context.Context, key string) error,
) (int, error) {
	if hold == nil {
		hold = func(context.Context) error { return nil }
	}
	s := &sweep{now: c.now(), left: limit, hold: hold, remove: c.withManifest(remove)}
	// The hour just past is always read again: a write whose time was taken
	// in it may have come after the sweep, or by a slower clock.
	last := dueHour(s.now) - 1
	earliest := c.past.forget()
	began, err := c.sweptTo(ctx, min(last, dueHour(earliest)-1))
	if err != nil {
		c.past.note(earliest)
		return 0, err
	}
	var failures []error
	swept := began
	for hour := began; hour <= dueHour(s.now) && !s.ended(ctx); hour++ {
		if err := c.sweepHour(ctx, hour, s); err != nil {
			failures = append(failures, err)
		}
		if len(failures) == 0 && hour < last && !s.ended(ctx) {
			swept = hour + 1
		}
	}
	if swept < last {
		c.past.note(earliest) // not all of it was done
	}
	if swept > began && s.lost == nil {
		failures = append(failures, c.setSweptTo(ctx, swept))
	}
	return limit - s.left, errors.Join(append(failures, s.lost)...)
}

// sweepHour removes what is due in one hour's partition: what is due in the
// present second waits for the next, since its time may not have come yet.
func (c *Catalog) sweepHour(ctx context.Context, hour int64, s *sweep) error {
	var failures []error
	q := table.Query{PK: duePartition(hour), To: dueSecond(s.now), Limit: 100}
	for {
		page, err := c.table.Query(ctx, q)
		if err != nil {
			return errors.Join(append(failures, err)...)
		}
		for _, item := range page.Items {
			if !s.next(ctx) {
				return errors.Join(failures...)
			}
			q.From = table.Next(item.Key.SK)
			if err := c.settle(ctx, item, s); err != nil {
				s.left++
				failures = append(failures, err)
			}
		}
		if !page.More {
			return errors.Join(failures...)
		}
	}
}

// settle does what is due and then forgets it, so that a crash in between
// leaves it due.
func (c *Catalog) settle(ctx context.Context, item table.Item, s *sweep) error {
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
	finished := true
	switch d.Kind {
	case dueUpload:
		err = s.remove(ctx, d.Blob)
	case dueVersion:
		err = c.removeVersion(ctx, d.File, d.Version, d.Blob, s.remove)
	case dueExpiry:
		err = c.expire(ctx, d.File)
	case dueFile:
		finished, err = c.removeFile(ctx, d.File, s)
	}
	if err != nil || !finished {
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

// removeFile drops every version of a deleted file, then its record. It is not
// finished where the sweep ended before: then the next one goes on.
func (c *Catalog) removeFile(ctx context.Context, id string, s *sweep) (finished bool, err error) {
	f, err := c.freshFile(ctx, id)
	if fault.Is(err, fault.NotFound, "") {
		return true, nil // its record goes last
	}
	if err != nil {
		return false, err
	}
	prefix := versionKey(id, "")
	for {
		page, err := c.table.Query(ctx, table.Query{PK: prefix.PK, From: prefix.SK, To: table.After(prefix.SK), Limit: 100})
		if err != nil {
			return false, err
		}
		for _, item := range page.Items {
			if !s.next(ctx) {
				return false, nil
			}
			if err := c.removeKeptVersion(ctx, f, item, s); err != nil {
				return false, err
			}
		}
		if len(page.Items) == 0 {
			break
		}
	}
	err = c.table.Transact(ctx, remove(fileKey(id), table.IfExists()), count(f.Owner, Usage{Files: -1}))
	c.files.forget(id)
	if lost(err) {
		return true, nil
	}
	return err == nil, err
}

// removeKeptVersion drops a version of a deleted file. The blob goes first
// here: the record is what leads to it, and nobody can reach a deleted file's
// versions.
func (c *Catalog) removeKeptVersion(ctx context.Context, f File, item table.Item, s *sweep) error {
	r, err := read(item)
	if err != nil {
		return err
	}
	v := readVersion(r)
	if err := s.remove(ctx, v.content()); err != nil {
		return err
	}
	if err := c.forgetVersion(ctx, f.Owner, f.ID, v.ID); !fault.Is(err, fault.NotFound, "") {
		return err
	}
	return nil
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
