package edge

import (
	"io"
	"net/http"
	"strconv"
)

// announced has a body break off that has another length than its Content-Length
// told, as net/http has one of a client that hung up (RFC 9112 §8). A gateway waits
// for the whole body, so what differs was changed on the way, such as bytes that
// were taken for text: nothing of it is to be kept.
func announced(r *http.Request) {
	length, err := strconv.ParseInt(r.Header.Get("Content-Length"), 10, 64)
	if err != nil || length < 0 || length == r.ContentLength {
		return
	}
	came := r.Body
	if came == nil || r.ContentLength > length { // of which the first bytes may be right
		came = http.NoBody
	}
	r.Body = io.NopCloser(io.MultiReader(came, cut{}))
	r.ContentLength = length
}

// cut is where a body breaks off.
type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
