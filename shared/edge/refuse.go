package edge

import (
	"errors"
	"net/http"
	"strings"

	"sluice/shared/api"
	"sluice/shared/fault"
)

// What of an answer its transport cannot carry.
var (
	errTooLarge    = errors.New("the answer is too large for its transport")
	errLargeHeader = errors.New("the answer's header is too large for its transport")
)

// refuse answers instead of an answer that is not whole, of which nothing was
// sent. It keeps its request id, and what lets a page of another origin read it.
func refuse(w *writer, was http.Header, broken error) {
	for name, lines := range was {
		if name == "Vary" || strings.HasPrefix(name, "Access-Control-") {
			w.header[name] = lines
		}
	}
	api.WriteProblem(w, faultOf(broken), was.Get("X-Request-Id"))
	_ = w.close() // a problem is as long as it says
}

// faultOf tells a client what became of its answer.
func faultOf(broken error) *fault.Error {
	switch {
	case errors.Is(broken, errTooLarge):
		return fault.Wrap(broken, fault.TooLarge, "too_large_for_transport", "The answer is larger than this way to the server can carry; ask for less of it, or by another way.")
	case errors.Is(broken, errLargeHeader):
		return fault.Wrap(broken, fault.Internal, "internal", "The answer's header is larger than this way to the server can carry.")
	case errors.Is(broken, errPanicked):
		return fault.Wrap(broken, fault.Internal, "internal", "Something went wrong on our side.")
	default:
		return fault.Wrap(broken, fault.Upstream, "answer_cut", "The answer broke off before it was whole; try again.")
	}
}
