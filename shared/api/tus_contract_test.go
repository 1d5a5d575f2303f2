package api_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"sluice/shared/app/local/localtest"
	"sluice/shared/tus"
)

// provokeByTus brings about what only tus answers, by its own methods and by
// POST in their place.
func (a *answers) provokeByTus() {
	wrong := "sha256 " + base64.StdEncoding.EncodeToString(sumOf(nil))
	for _, method := range []string{http.MethodPatch, http.MethodPost} {
		p := a.create(a.admin, a.newName(), 3)
		send := func(body string, header ...string) localtest.Answer {
			return a.admin.Do(method, p.path, strings.NewReader(body), append(header, "Tus-Resumable", "1.0.0", "X-HTTP-Method-Override", http.MethodPatch)...)
		}
		bytes := []string{"Content-Type", tus.ContentType}
		send("x", bytes...).Want(a.t, http.StatusBadRequest)
		send("x", "Content-Type", "text/plain").Want(a.t, http.StatusUnsupportedMediaType)
		send("x", append(bytes, "Upload-Offset", "1")...).Want(a.t, http.StatusConflict)
		send("0123", append(bytes, "Upload-Offset", "0")...).Want(a.t, http.StatusRequestEntityTooLarge)
		send("012", append(bytes, "Upload-Offset", "0", "Upload-Checksum", wrong)...).Want(a.t, tus.StatusChecksumMismatch)
		send("012", append(bytes, "Upload-Offset", "0")...).Want(a.t, http.StatusNoContent)
		a.admin.Do(http.MethodPost, p.path, nil, "Tus-Resumable", "1.0.0", "X-HTTP-Method-Override", http.MethodHead).Want(a.t, http.StatusOK)
	}
	p := a.create(a.admin, a.newName(), 3)
	a.admin.Do(http.MethodPost, p.path, nil, "Tus-Resumable", "1.0.0").Want(a.t, http.StatusMethodNotAllowed)
	for size, want := range map[int64]int{-1: http.StatusBadRequest, 1 << 60: http.StatusRequestEntityTooLarge} {
		a.admin.Do(http.MethodPost, "/api/tus", nil, "Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(size), "Upload-Metadata", describe("filename", "a")).Want(a.t, want)
	}
	a.admin.Do(http.MethodPost, "/api/tus", nil, "Tus-Resumable", "1.0.0", "X-HTTP-Method-Override", http.MethodPatch).Want(a.t, http.StatusMethodNotAllowed)
	a.admin.Do(http.MethodPost, "/api/tus", nil).Want(a.t, http.StatusPreconditionFailed)
	for _, method := range []string{http.MethodHead, http.MethodPatch, http.MethodDelete, http.MethodPost} {
		a.admin.Do(method, p.path, nil).Want(a.t, http.StatusPreconditionFailed)
	}
}
