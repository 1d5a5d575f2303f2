package api

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"time"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/contract"
	"sluice/shared/fault"
)

const (
	// auditDays is how many days an audit reaches back where nobody says more.
	auditDays = 30
	// maxAuditDays is the most days of one audit.
	maxAuditDays = 366
)

func auditRoutes() []route {
	return []route{
		{http.MethodGet, "/api/audit", "listDownloads", required, listDownloads},
		{http.MethodGet, "/api/usage", "getUsage", required, getUsage},
	}
}

// download is the line of the audit that a request counts on. A request
// without a session of its own belongs to that of its version, its user, link
// or else client's address, and the day, so that many connections of one
// download are one.
func (s *server) download(r *request, f *catalog.File) catalog.Download {
	d := catalog.Download{
		Session: r.session, Owner: f.Owner, File: f.ID, Version: f.Version.ID,
		User: cmp.Or(r.onBehalf, r.identity.User.ID), Client: r.client,
	}
	if d.Session == "" {
		who := cmp.Or(d.User, r.Param("link"), d.Client)
		sum := sha256.Sum256([]byte(d.Version + "\x00" + who + "\x00" + s.Clock().UTC().Format(time.DateOnly)))
		d.Session = hex.EncodeToString(sum[:16])
	}
	return d
}

// listDownloads tells who had which version, how many bytes of it, from where
// and how it ended.
func listDownloads(s *server, r *request) error {
	q, page, binding, err := s.downloadQuery(r)
	if err != nil {
		return err
	}
	if q.After, err = s.openCursor(page.cursor, binding...); err != nil {
		return err
	}
	out := contract.DownloadList{Downloads: []contract.Download{}}
	last := ""
	err = s.Catalog.Downloads(r.Request.Context(), q, func(d catalog.Download) bool {
		if len(out.Downloads) == page.limit {
			out.NextCursor = s.sealCursor(last, binding...)
			return false
		}
		out.Downloads, last = append(out.Downloads, shownDownload(d)), d.Position()
		return true
	})
	if err != nil {
		return err
	}
	return reply(r, http.StatusOK, out)
}

// getUsage sums the audit up by user, file or day.
func getUsage(s *server, r *request) error {
	q, page, binding, err := s.downloadQuery(r, "by")
	if err != nil {
		return err
	}
	by := contract.UsageKey(r.Query("by"))
	if !by.Valid() {
		return fault.InvalidField("by", "Usage is by user, file or day.")
	}
	after, err := s.openCursor(page.cursor, append(binding, string(by))...)
	if err != nil {
		return err
	}
	sums := map[string]contract.Usage{}
	err = s.Catalog.Downloads(r.Request.Context(), q, func(d catalog.Download) bool {
		key := usageKey(by, d)
		sum := sums[key]
		sums[key] = contract.Usage{
			Key: key, Downloads: sum.Downloads + 1, Requests: sum.Requests + d.Requests, BytesDelivered: sum.BytesDelivered + d.Bytes,
			BytesIssued: sum.BytesIssued + d.Issued,
		}
		return true
	})
	if err != nil {
		return err
	}
	out := contract.UsageList{Usage: []contract.Usage{}}
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		if page.cursor != "" && key <= after {
			continue
		}
		if len(out.Usage) == page.limit {
			out.NextCursor = s.sealCursor(out.Usage[page.limit-1].Key, append(binding, string(by))...)
			break
		}
		out.Usage = append(out.Usage, sums[key])
	}
	return reply(r, http.StatusOK, out)
}

func usageKey(by contract.UsageKey, d catalog.Download) string {
	switch by {
	case contract.UsageKeyUser:
		return d.User
	case contract.UsageKeyFile:
		return d.File
	default:
		return d.Day
	}
}

// downloadQuery reads what an audit asks for, within what the caller may see:
// their own files, or as an admin all. names are parameters beside those.
func (s *server) downloadQuery(r *request, names ...string) (q catalog.DownloadQuery, page paging, binding []string, err error) {
	if page, err = pageQuery(r, append(names, "user", "file", "from", "to")...); err != nil {
		return q, page, nil, err
	}
	if auth.May(r.subject(), auth.ReadAudit, auth.Object{}) != nil {
		q.Owner = r.identity.User.ID
		if err := auth.May(r.subject(), auth.ReadAudit, auth.Object{Owner: q.Owner}); err != nil {
			return q, page, nil, err
		}
	}
	q.User, q.File = r.Query("user"), r.Query("file")
	if q.To, err = readDay(r, "to", s.Clock().UTC()); err != nil {
		return q, page, nil, err
	}
	if q.From, err = readDay(r, "from", q.To.AddDate(0, 0, 1-auditDays)); err != nil {
		return q, page, nil, err
	}
	if q.From.After(q.To) || q.From.AddDate(0, 0, maxAuditDays).Before(q.To) {
		return q, page, nil, fault.InvalidField("from", "From comes before to, by %d days at most.", maxAuditDays)
	}
	binding = []string{"downloads", q.Owner, q.User, q.File, r.Query("from"), r.Query("to")}
	return q, page, binding, nil
}

// readDay reads a date; absent, it is the day of otherwise.
func readDay(r *request, name string, otherwise time.Time) (time.Time, error) {
	value := r.Query(name)
	if value == "" {
		value = otherwise.Format(time.DateOnly)
	}
	day, err := time.Parse(time.DateOnly, value)
	if err != nil {
		return day, fault.InvalidField(name, "A day is a date such as 2025-01-31.")
	}
	return day, nil
}

func shownDownload(d catalog.Download) contract.Download {
	return contract.Download{
		SessionID: d.Session, Day: d.Day, FileID: d.File, VersionID: d.Version, UserID: d.User, Client: d.Client,
		Requests: d.Requests, BytesDelivered: d.Bytes, BytesIssued: d.Issued, FirstAt: moment(d.FirstAt), LastAt: moment(d.LastAt),
		State: contract.DownloadState(d.State),
	}
}
