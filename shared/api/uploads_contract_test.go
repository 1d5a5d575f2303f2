package api_test

import (
	"net/http"
	"slices"
	"strings"

	"sluice/shared/app/local/localtest"
	"sluice/shared/blob"
	"sluice/shared/blob/blobtest"
)

// provokeByUploads brings about what only an upload in some state answers.
func (a *answers) provokeByUploads() {
	part := func(p *parted, header ...string) localtest.Answer {
		return a.Anonymous().Do(http.MethodPut, p.url(1, ""), unsized{strings.NewReader("x")}, header...)
	}
	p := a.begin(a.admin, a.newName(), map[string]any{"size": 1})
	keyed(a.admin, `"a key"`, `{"path":"once"}`).Want(a.t, http.StatusCreated)
	keyed(a.admin, `"a key"`, `{"path":"twice"}`).Want(a.t, http.StatusUnprocessableEntity)
	part(p).Want(a.t, http.StatusBadRequest)
	part(p, "Content-Encoding", "gzip").Want(a.t, http.StatusUnsupportedMediaType)
	a.Anonymous().Do(http.MethodPut, "/api/uploads/"+p.id+"/parts/1", nil).Want(a.t, http.StatusForbidden)
	p.put(1, []byte("xx")).Want(a.t, http.StatusUnprocessableEntity)
	p.complete().Want(a.t, http.StatusUnprocessableEntity)

	url := p.url(1, "")
	a.admin.Do(http.MethodDelete, "/api/uploads/"+p.id, nil).Want(a.t, http.StatusNoContent)
	a.Anonymous().Do(http.MethodPut, url, strings.NewReader("x")).Want(a.t, http.StatusConflict)
	p.complete().Want(a.t, http.StatusConflict)
	issue := map[string]any{"parts": []any{map[string]any{"number": 1}}}
	a.admin.JSON(http.MethodPost, "/api/uploads/"+p.id+"/parts", issue).Want(a.t, http.StatusConflict)

	p = a.begin(a.admin, a.newName(), nil)
	p.put(1, []byte("x")).Want(a.t, http.StatusOK)
	hold := blobtest.NewHold()
	a.blobs.Script(blobtest.Open, blobtest.Fault{Hold: hold})
	p.completeOnce().Want(a.t, http.StatusAccepted)
	hold.Release()
	p.complete().Want(a.t, http.StatusOK)
	a.admin.Do(http.MethodDelete, "/api/uploads/"+p.id, nil).Want(a.t, http.StatusConflict)
	a.provokeByGuards()
	a.provokeByPartStores()
}

// provokeByGuards begins uploads that may not be begun or not be completed.
func (a *answers) provokeByGuards() {
	a.admin.JSON(http.MethodPost, "/api/files", map[string]any{"path": "x", "owner": "nobody"}).Want(a.t, http.StatusNotFound)
	path := a.newName()
	p := a.guarded(a.admin, path, "If-None-Match", "*")
	a.admin.Put("/file/admin/"+path, "x")
	p.complete().Want(a.t, http.StatusPreconditionFailed)
	body := strings.NewReader(`{"path":"` + path + `"}`)
	a.admin.Do(http.MethodPost, "/api/files", body, "Content-Type", "application/json", "If-None-Match", "*").Want(a.t, http.StatusPreconditionFailed)
}

// partedOperations are those that need an upload while the store fails.
func partedOperations() []string {
	return []string{"createUpload", "getUpload", "abortUpload", "issueParts", "putPart", "completeUpload", "createTusUpload"}
}

// provokeByPartStores makes the store of parts fail.
func (a *answers) provokeByPartStores() {
	for _, row := range rows {
		o := a.operation(row)
		if !slices.Contains(partedOperations(), o.ID) || !slices.Contains(o.Statuses, http.StatusBadGateway) {
			continue
		}
		target := a.targets(a.mine, row)[0]
		for _, op := range []blobtest.Op{blobtest.CreateMultipart, blobtest.PutPart, blobtest.ListParts} {
			a.blobs.Always(op, blobtest.Fault{Err: blobtest.Error{Code: blob.Unknown}})
		}
		a.ask(a.mine, row, target).Want(a.t, http.StatusBadGateway)
		a.blobs.Calm()
	}
}
