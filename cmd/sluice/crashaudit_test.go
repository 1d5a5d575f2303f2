package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// auditor downloads a file of its own, and waits each time until the audit
// tells of it.
type auditor struct {
	file      string // the file's id
	confirmed int64  // bytes that the audit told of
	asked     int64  // bytes, of these and since

	confirmedOne atomic.Bool // in this round
}

// auditedSize is the size of its file.
const auditedSize = 1000

func (a *auditor) work(t *testing.T, s session) {
	a.confirmedOne.Store(false)
	if a.file == "" {
		_, content, err := s.do(http.MethodPut, "/file/ada/audited.bin", string(make([]byte, auditedSize)))
		var f published
		if err != nil || json.Unmarshal(content, &f) != nil {
			t.Errorf("the file to be audited: %s, %v", content, err)
			return
		}
		a.file = f.ID
	}
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for {
		a.asked += auditedSize
		if _, _, err := s.do(http.MethodGet, "/file/ada/audited.bin", ""); err != nil {
			return // killed
		}
		for told := int64(-1); told != a.asked; <-pace.C {
			lines, err := downloads(s, a.file)
			if err != nil {
				return
			}
			if told = bytesOfLines(lines); told < a.confirmed || told > a.asked {
				t.Errorf("the audit tells of %d bytes, want %d to %d", told, a.confirmed, a.asked)
				return
			}
		}
		a.confirmed = a.asked
		a.confirmedOne.Store(true)
	}
}

// check wants the audit to tell of all that it told of before, of no more than
// was asked for, and of nothing that cannot be.
func (a *auditor) check(t *testing.T, s session) {
	t.Helper()
	lines, err := downloads(s, a.file)
	if err != nil {
		t.Fatal(err)
	}
	told := bytesOfLines(lines)
	if told < a.confirmed || told > a.asked {
		t.Errorf("after a kill the audit tells of %d bytes, want %d to %d", told, a.confirmed, a.asked)
	}
	for _, l := range lines {
		if l.LastAt.Before(l.FirstAt) || l.Requests*auditedSize < l.Bytes || l.VersionID == "" || l.Client != "127.0.0.1" {
			t.Errorf("a line of the audit is %+v", l)
		}
	}
	a.confirmed, a.asked = told, told
}

// download is a line of the audit.
type download struct {
	VersionID string `json:"version_id"`
	Client    string
	Requests  int64
	Bytes     int64     `json:"bytes_delivered"`
	FirstAt   time.Time `json:"first_at"`
	LastAt    time.Time `json:"last_at"`
}

// downloads returns what the audit tells of a file.
func downloads(s session, file string) ([]download, error) {
	r, content, err := s.do(http.MethodGet, "/api/audit?file="+file, "")
	if err != nil {
		return nil, err
	}
	var told struct{ Downloads []download }
	if err := json.Unmarshal(content, &told); err != nil || r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the audit = %s %s: %w", r.Status, content, err)
	}
	return told.Downloads, nil
}

func bytesOfLines(lines []download) (sum int64) {
	for _, l := range lines {
		sum += l.Bytes
	}
	return sum
}
