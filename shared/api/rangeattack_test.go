package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// No set of ranges makes a server send more than one and a half files, and what
// stands between 16 parts, however often it is asked for.
func TestARangeAttackGetsNoMoreThanOneAndAHalfFiles(t *testing.T) {
	t.Parallel()
	r := openRig(t)
	const size = 1 << 20
	const between = 16 * 256 // bytes of part headers
	r.admin.Put("/file/admin/x", string(large()[:size]))
	tiny := func(n int) string {
		specs := make([]string, n)
		for i := range specs {
			specs[i] = fmt.Sprintf("%[1]d-%[1]d", rand.IntN(size))
		}
		return strings.Join(specs, ",")
	}
	for _, c := range []struct {
		what, ranges string
		most         int64
	}{
		{"the file twice", "0-,0-", size},
		{"the file 16 times", "0-" + strings.Repeat(",0-", 15), size},
		{"1,000 that overlap", "0-" + strings.Repeat(",5-", 999), size},
		{"one and a half files", "0-,524288-", size * 3 / 2},
		{"16 that overlap, one and a half files", "0-98303" + strings.Repeat(",1-98304", 15), size * 3 / 2},
		{"16 that overlap, a byte more", "0-98304" + strings.Repeat(",1-98304", 15), size},
		{"16 suffixes", "-98304" + strings.Repeat(",-98304", 15), size * 3 / 2},
		{"16 tiny ones", tiny(16), 16},
		{"17 tiny ones", tiny(17), size},
		{"2,000 tiny ones", tiny(2000), size},
		{"empty ones by the thousand", "0-0" + strings.Repeat(",", 10_000), size},
		{"none that can be had, by the thousand", "9999999-" + strings.Repeat(",9999999-", 3000), size},
	} {
		const asked = 5
		var sent int64
		for range asked {
			a := r.admin.Do(http.MethodGet, "/file/admin/x", nil, "Range", "bytes="+c.ranges)
			sent += int64(len(a.Body))
		}
		if sent > asked*(c.most+between) {
			t.Errorf("%s, %d times: %d bytes were sent, want %d and part headers at most", c.what, asked, sent, asked*c.most)
		}
	}
}
