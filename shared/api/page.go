package api

import (
	"crypto/sha256"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sluice/shared/fault"
)

// The number of entries in one page of a listing.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// paging is what every listing takes.
type paging struct {
	cursor string
	limit  int
}

// checkQuery refuses a query that cannot be read whole, and parameters that are
// not among the names given, are there twice or are empty: a misspelt filter
// must not list everything.
func checkQuery(r *request, names ...string) error {
	query, err := url.ParseQuery(r.Request.URL.RawQuery)
	if err != nil {
		return fault.InvalidField("", "The query is malformed.")
	}
	for name, values := range query {
		switch {
		case !slices.Contains(names, name):
			return fault.InvalidField(strings.ToValidUTF8(name, "\ufffd"), "There is no such parameter.")
		case len(values) > 1:
			return fault.InvalidField(name, "The parameter is there twice.")
		case values[0] == "" && name != "prefix":
			return fault.InvalidField(name, "The parameter is empty; leave it out.")
		}
	}
	return nil
}

// pageQuery reads cursor and limit, and lets only the parameters named stand
// beside them.
func pageQuery(r *request, names ...string) (paging, error) {
	if err := checkQuery(r, append(names, "cursor", "limit")...); err != nil {
		return paging{}, err
	}
	p := paging{cursor: r.Query("cursor"), limit: defaultLimit}
	if v := r.Query("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxLimit {
			return paging{}, fault.InvalidField("limit", "A limit is a number from 1 to %d.", maxLimit)
		}
		p.limit = n
	}
	return p, nil
}

// cursorBinding is how much of the query's hash a cursor carries.
const cursorBinding = 16

// sealCursor makes the cursor that goes on behind entry. It holds only for the
// same query, so that it cannot lead into another listing.
func (s *server) sealCursor(entry string, query ...string) string {
	return s.Ring.Seal("cursor", append(bind(query), entry...))
}

// openCursor returns the entry to go on behind; "" for no cursor.
func (s *server) openCursor(cursor string, query ...string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	payload, err := s.Ring.Open("cursor", cursor)
	if err != nil || len(payload) < cursorBinding || string(payload[:cursorBinding]) != string(bind(query)) {
		return "", fault.InvalidField("cursor", "The cursor is not one that this listing gave.")
	}
	return string(payload[cursorBinding:]), nil
}

func bind(query []string) []byte {
	h := sha256.New()
	for _, part := range query {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return h.Sum(nil)[:cursorBinding:cursorBinding]
}
