package edgetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"sluice/shared/api"
	"sluice/shared/edge"
	"sluice/shared/edge/edgetest"
)

// through has a world's requests go by a transport.
func (w *world) through(transport edgetest.Transport, f edgetest.Function) {
	w.streams = transport.Streams()
	w.client = &http.Client{
		Transport:     &edgetest.Gateway{Transport: transport, Function: f},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// handler is a function in this process.
type handler struct{ *edge.Function }

// Invoke implements edgetest.Function.
func (h handler) Invoke(ctx context.Context, event []byte, _ bool) (*edgetest.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	out, err := h.Function.Invoke(ctx, event)
	if err != nil {
		cancel()
		return nil, &edgetest.FunctionError{Type: "errorString", Message: err.Error()}
	}
	if body, ok := out.(interface {
		io.ReadCloser
		ContentType() string
	}); ok {
		return &edgetest.Answer{ContentType: body.ContentType(), Body: &invoked{body, cancel}}, nil
	}
	defer cancel()
	text, err := json.Marshal(out)
	if err != nil {
		return nil, &edgetest.FunctionError{Type: "Runtime.SerializationError", Message: err.Error()}
	}
	return &edgetest.Answer{ContentType: "application/json", Body: io.NopCloser(bytes.NewReader(text))}, nil
}

// invoked ends the invocation when its body is closed.
type invoked struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *invoked) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

// inProcess is the edge of a transport before all apps of a world.
func inProcess(w *world, transport edgetest.Transport) edgetest.Function {
	return handler{edge.NewFunction(edge.Transport(transport), w.site.URL, w.site.App.Deps, api.All)}
}
