package catalog

import (
	"context"
	"strings"
	"time"

	"sluice/shared/table"
)

// auditKept is how long a line of the audit is kept.
const auditKept = 400 * 24 * time.Hour

// stale is how long nothing may be heard of a running download: then whoever
// delivered it has crashed.
const stale = time.Minute

// DownloadState tells how a download stands.
type DownloadState string

// The states.
const (
	DownloadRunning   DownloadState = "running"
	DownloadCompleted DownloadState = "completed" // the last answer was sent whole
	DownloadAborted   DownloadState = "aborted"   // the last answer was cut short
	DownloadStarted   DownloadState = "started"   // the last answer was a redirect: how it ended is not known
)

// Download is a line of the audit: what one session took on one day (UTC).
type Download struct {
	Session  string // the id of the session, explicit or not
	Day      string // as 2006-01-02
	Run      string // tells apart what was counted of a session in several places
	Owner    string // the id of the file's owner
	File     string
	Version  string
	User     string // a user id; empty: nobody who is known
	Client   string // the address of the last request
	Requests int64  // answered with a body or a redirect
	Bytes    int64  // of the file, handed to the connection
	Issued   int64  // bytes of the file that redirects led to
	FirstAt  time.Time
	LastAt   time.Time
	State    DownloadState
}

func auditPartition(day string) string { return "AUDIT#" + day }

// key orders a day by owner and session, so that one owner's lines, and the
// runs of one session, stand together.
func (d Download) key() table.Key {
	return table.Key{PK: auditPartition(d.Day), SK: d.entry() + "#" + d.Run}
}

// entry names the line within its day.
func (d Download) entry() string { return d.Owner + "#" + d.Session }

func (d Download) put() table.Op {
	op := put(d.key(), table.Attrs{
		"session": d.Session, "day": d.Day, "owner": d.Owner, "file": d.File, "version": d.Version, "user": d.User,
		"client": d.Client, "requests": d.Requests, "bytes": d.Bytes, "issued": d.Issued,
		"first": millis(d.FirstAt), "last": millis(d.LastAt), "state": string(d.State),
	})
	op.ExpiresAt = d.FirstAt.Add(auditKept)
	return op
}

func readDownload(item table.Item) (Download, error) {
	r, err := read(item)
	return Download{
		Session: r.str("session"), Day: r.str("day"), Owner: r.str("owner"), File: r.str("file"), Version: r.str("version"),
		User: r.str("user"), Client: r.str("client"), Requests: r.num("requests"), Bytes: r.num("bytes"), Issued: r.num("issued"),
		FirstAt: r.time("first"), LastAt: r.time("last"), State: DownloadState(r.str("state")),
	}, err
}

// PutDownloads writes what was counted. Each Download replaces what was
// written before of the same session, day and run, so that one that is
// written twice counts once.
func (c *Catalog) PutDownloads(ctx context.Context, downloads []Download) error {
	for len(downloads) > 0 {
		n := min(len(downloads), table.MaxTransaction)
		ops := make([]table.Op, 0, n)
		for _, d := range downloads[:n] {
			ops = append(ops, d.put())
		}
		if err := c.hot.Transact(ctx, ops...); err != nil {
			return err
		}
		downloads = downloads[n:]
	}
	return nil
}

// DownloadQuery asks for lines of the audit. Empty fields ask for all.
type DownloadQuery struct {
	Owner string // of the files
	User  string // who downloaded
	File  string
	From  time.Time // the first day
	To    time.Time // the last day
	After string    // go on behind this line: its Position
}

// Position names a line for DownloadQuery.After.
func (d Download) Position() string { return d.Day + "#" + d.entry() }

// Downloads gives each line that q asks for to yield until that returns false:
// the latest day first, and within a day by owner and session.
func (c *Catalog) Downloads(ctx context.Context, q DownloadQuery, yield func(Download) bool) error {
	after, entry, _ := strings.Cut(q.After, "#")
	for at := q.To; !at.Before(q.From); at = at.AddDate(0, 0, -1) {
		day := at.Format(time.DateOnly)
		if after != "" && day > after {
			continue
		}
		from := ""
		if day == after {
			from = table.After(entry + "#")
		}
		if more, err := c.downloadsOf(ctx, day, from, q, yield); err != nil || !more {
			return err
		}
	}
	return nil
}

// downloadsOf gives a day's lines to yield, each joined from its runs.
func (c *Catalog) downloadsOf(ctx context.Context, day, from string, q DownloadQuery, yield func(Download) bool) (bool, error) {
	ask := table.Query{PK: auditPartition(day), From: from, Limit: table.MaxQuery}
	if q.Owner != "" {
		ask.From, ask.To = max(from, q.Owner+"#"), table.After(q.Owner+"#")
	}
	var line Download
	give := func() bool {
		asked := line.Session != "" && (q.User == "" || q.User == line.User) && (q.File == "" || q.File == line.File)
		return !asked || yield(line)
	}
	for {
		page, err := c.hot.Query(ctx, ask)
		if err != nil {
			return false, err
		}
		for _, item := range page.Items {
			ask.From = table.Next(item.Key.SK)
			run, err := readDownload(item)
			if err != nil {
				return false, err
			}
			if run.State == DownloadRunning && c.now().Sub(run.LastAt) > stale {
				run.State = DownloadAborted
			}
			if run.entry() == line.entry() {
				line = line.joined(run)
				continue
			}
			if !give() {
				return false, nil
			}
			line = run
		}
		if !page.More {
			return give(), nil
		}
	}
}

// joined returns one line of two runs of a session.
func (d Download) joined(run Download) Download {
	first, last := d, run
	if run.LastAt.Before(d.LastAt) {
		first, last = run, d
	}
	last.Requests += first.Requests
	last.Bytes += first.Bytes
	last.Issued += first.Issued
	if first.FirstAt.Before(last.FirstAt) {
		last.FirstAt = first.FirstAt
	}
	if first.State == DownloadRunning {
		last.State = DownloadRunning
	}
	return last
}
