package edgetest_test

func fileRows() []row {
	return []row{
		{"a public file", nobody, "GET /api/files/{public}/content", "", "", 200, ""},
		{"a public file by path", nobody, "GET /file/ada/public", "", "", 200, ""},
		{"a public file, with a bad token", bad, "GET /file/ada/public", "", "", 401, ""},
		{"a private file", nobody, "GET /api/files/{ten}/content", "", "", 401, ""},
		{"a private file, HEAD", nobody, "HEAD /api/files/{ten}/content", "", "", 401, ""},
		{"another's file", eve, "GET /api/files/{ten}/content", "", "", 404, ""},
		{"a token twice", ada, "GET /api/files/{ten}/content", "Authorization: Bearer x", "", 401, ""},
		{"what is not there", ada, "GET /api/files/{none}/content", "", "", 404, ""},
		{"what is no id", ada, "GET /api/files/no-id", "", "", 404, ""},
		{"a version", ada, "GET /api/files/{ten}/content?version={ten.version}", "", "", 200, ""},
		{"a page of files", ada, "GET /api/files?limit=3", "", "", 200, "next=next_cursor"},
		{"the next page", ada, "GET /api/files?limit=3&cursor={next}", "", "", 200, ""},
		{"a cursor that is none", ada, "GET /api/files?cursor=x", "", "", 400, ""},
		{"another's files", eve, "GET /api/files?owner=ada", "", "", 404, ""},
		{"a file changed", ada, "PATCH /api/files/{moved}", "", `{"path":"moved to/здесь","content_type":"text/x-other"}`, 200, ""},
		{"moved onto another", ada, "PATCH /api/files/{moved}", "", `{"path":"ten"}`, 409, ""},
		{"an unknown member", ada, "PATCH /api/files/{moved}", "", `{"colour":"red"}`, 400, ""},
		{"what is no JSON", ada, "PATCH /api/files/{moved}", "Content-Type: application/json", `{"path":`, 400, ""},
		{"what is not called JSON", ada, "PATCH /api/files/{moved}", "Content-Type: text/plain", `{"path":"a"}`, 415, ""},
		{"JSON that is too long", ada, "PATCH /api/files/{moved}", "", "@64 KiB", 413, ""},
		{"If-Match that fails", ada, "PATCH /api/files/{moved}", `If-Match: "other"`, `{"path":"a"}`, 412, ""},
		{"a new version", ada, "PUT /file/ada/restored", "Content-Type: text/plain", "second", 200, ""},
		{"a file that must not be there", ada, "PUT /file/ada/ten", "If-None-Match: *", "x", 412, ""},
		{"a version that must be there", ada, "PUT /file/ada/ten", `If-Match: "other"`, "x", 412, ""},
		{"a guest's upload", gus, "PUT /file/gus/a", "", "x", 403, ""},
		{"among another's files", eve, "PUT /file/ada/x", "", "x", 404, ""},
		{"by nobody", nobody, "PUT /file/ada/x", "", "x", 401, ""},
		{"no room", quinn, "PUT /file/quinn/a", "", "12345", 507, ""},
		{"just room", quinn, "PUT /file/quinn/a", "", "1234", 201, ""},
		{"the versions", ada, "GET /api/files/{restored}/versions", "", "", 200, ""},
		{"a version restored", ada, "POST /api/files/{restored}/restore", "", `{"version_id":"{restored.version}"}`, 200, ""},
		{"no version", ada, "POST /api/files/{restored}/restore", "", `{"version_id":"{none}"}`, 404, ""},
		{"not deleted", ada, "POST /api/files/{ten}/undelete", "", "", 409, ""},
		{"deleted by its path", ada, "DELETE /file/ada/deleted", "", "", 204, ""},
		{"it is gone", ada, "GET /api/files/{deleted}", "", "", 404, ""},
		{"brought back", ada, "POST /api/files/{deleted}/undelete", "", `{"path":"back"}`, 200, ""},
		{"deleted by its id", ada, "DELETE /api/files/{deleted}", "", "", 204, ""},
		{"a manifest", ada, "GET /api/files/{ten}/manifest", "", "", 200, "manifest.etag=Header:ETag"},
		{"a manifest that is known", ada, "GET /api/files/{ten}/manifest", "If-None-Match: {manifest.etag}", "", 304, ""},
		{"a manifest as Metalink", ada, "GET /api/files/{named0}/manifest?format=metalink", "", "", 200, ""},
		{"a manifest by Accept", ada, "GET /api/files/{ten}/manifest", "Accept: application/metalink4+xml", "", 200, ""},
		{"a manifest in no format", ada, "GET /api/files/{ten}/manifest?format=xml", "", "", 400, ""},
	}
}

func linkRows() []row {
	return []row{
		{"a link", ada, "POST /api/files/{linked}/link", "", `{"expires_in":3600}`, 201, "link=url"},
		{"a link without a body", ada, "POST /api/files/{linked}/link", "", "", 201, "link2=url link2.id=id"},
		{"a link by another", eve, "POST /api/files/{linked}/link", "", `{}`, 404, ""},
		{"a link for too long", ada, "POST /api/files/{linked}/link", "", `{"expires_in":1}`, 400, ""},
		{"by the link", nobody, "GET {link}", "", "", 200, ""},
		{"by the link, a range", nobody, "GET {link}", "Range: bytes=2-3", "", 206, ""},
		{"by the link, with what is added", nobody, "GET {link}?utm_source=mail&x=%zz", "", "", 200, ""},
		{"by the link, HEAD", nobody, "HEAD {link}", "", "", 200, ""},
		{"by the link, unchanged", nobody, "GET {link}", "If-None-Match: {linked.etag}", "", 304, ""},
		{"a link revoked", ada, "DELETE /api/files/{linked}/links/{link2.id}", "", "", 204, ""},
		{"by what was revoked", nobody, "GET {link2}", "", "", 403, ""},
		{"by what is no link", nobody, "GET /l/none/a", "", "", 403, ""},
		{"by what is no link, HEAD", nobody, "HEAD /l/none/a", "", "", 403, ""},
	}
}

func partRows() []row {
	return []row{
		{"an upload in parts", ada, "POST /api/files", "", `{"path":"parts/größe.bin","size":7,"part_size":8388608}`, 201, "upload=upload_id"},
		{"URLs of parts", ada, "POST /api/uploads/{upload}/parts", "", `{"parts":[{"number":1,"sha256":"ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"}]}`, 200, "part=parts.0.url"},
		{"a part that does not exist", ada, "POST /api/uploads/{upload}/parts", "", `{"parts":[{"number":2}]}`, 400, ""},
		{"parts missing", ada, "POST /api/uploads/{upload}/complete", "", "", 422, ""},
		{"a part of another digest", nobody, "PUT {part}", "", "CONTENT", 422, ""},
		{"a part of another size", nobody, "PUT {part}", "", "content!", 422, ""},
		{"a part", nobody, "PUT {part}", "", "content", 200, ""},
		{"a part without its signature", nobody, "PUT /api/uploads/{upload}/parts/1", "", "content", 403, ""},
		{"an upload under way", ada, "GET /api/uploads/{upload}", "", "", 200, ""},
		{"another's upload", eve, "GET /api/uploads/{upload}", "", "", 404, ""},
		{"an upload complete", ada, "POST /api/uploads/{upload}/complete", "", "", 200, ""},
		{"the file it became", ada, "GET /file/ada/parts/gr%C3%B6%C3%9Fe.bin", "", "", 200, ""},
		{"complete, once more", ada, "POST /api/uploads/{upload}/complete", "", "", 200, ""},
		{"an upload that is complete cannot be aborted", ada, "DELETE /api/uploads/{upload}", "", "", 409, ""},
		{"another upload", ada, "POST /api/files", "", `{"path":"parts/b"}`, 201, "upload2=upload_id"},
		{"an upload under a key", ada, "POST /api/files", `Idempotency-Key: "a key, quoted"`, `{"path":"parts/c"}`, 201, "once=upload_id"},
		{"the same under the same key", ada, "POST /api/files", `Idempotency-Key: "a key, quoted"`, `{"path":"parts/c"}`, 201, "again=upload_id"},
		{"another under the same key", ada, "POST /api/files", `Idempotency-Key: "a key, quoted"`, `{"path":"parts/d"}`, 422, ""},
		{"a key of nothing", ada, "POST /api/files", "Idempotency-Key: ", `{"path":"parts/c"}`, 400, ""},
		{"the one upload of both", ada, "DELETE /api/uploads/{once}", "", "", 204, ""},
		{"is the other's too", ada, "POST /api/uploads/{again}/complete", "", "", 409, ""},
		{"aborted", ada, "DELETE /api/uploads/{upload2}", "", "", 204, ""},
		{"an upload by a guest", gus, "POST /api/files", "", `{"path":"b"}`, 403, ""},
	}
}

func tusRows() []row {
	const version, binary = "Tus-Resumable: 1.0.0", " | Content-Type: application/offset+octet-stream"
	return []row{
		{"what of tus is spoken", nobody, "OPTIONS /api/tus", "", "", 204, ""},
		{"an upload by tus", ada, "POST /api/tus", version + " | Upload-Length: 9 | Upload-Metadata: " + metadata("tus/ünï.bin"), "", 201, "tus=Header:Location"},
		{"another version of tus", ada, "POST /api/tus", "Tus-Resumable: 0.2.2 | Upload-Length: 9", "", 412, ""},
		{"metadata in two lines", ada, "POST /api/tus", version + " | Upload-Length: 3 | Upload-Metadata: " + metadata("tus/two") + " | Upload-Metadata: filetype dGV4dC9wbGFpbg==", "", 201, "tus2=Header:Location"},
		{"no metadata", ada, "POST /api/tus", version + " | Upload-Length: 9", "", 400, ""},
		{"how far", ada, "HEAD {tus}", version, "", 200, ""},
		{"the first bytes", ada, "PATCH {tus}", version + " | Upload-Offset: 0" + binary, "\x00\xff\xfe", 204, ""},
		{"bytes that were sent", ada, "PATCH {tus}", version + " | Upload-Offset: 0" + binary, "abc", 409, ""},
		{"a wrong checksum", ada, "PATCH {tus}", version + " | Upload-Offset: 3 | Upload-Checksum: sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J1=" + binary, "def", 400, ""},
		{"a checksum of other bytes", ada, "PATCH {tus}", version + " | Upload-Offset: 3 | Upload-Checksum: sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=" + binary, "def", 460, ""},
		{"the right checksum", ada, "PATCH {tus}", version + " | Upload-Offset: 3 | Upload-Checksum: sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=" + binary, "abc", 204, ""},
		{"another content type", ada, "PATCH {tus}", version + " | Upload-Offset: 6 | Content-Type: text/plain", "ghi", 415, ""},
		{"the last bytes", ada, "POST {tus}", version + " | X-HTTP-Method-Override: PATCH | Upload-Offset: 6" + binary, "ghi", 204, ""},
		{"all of it", ada, "HEAD {tus}", version, "", 200, ""},
		{"the file by tus", ada, "GET /file/ada/tus/%C3%BCn%C3%AF.bin", "", "", 200, ""},
		{"a method that is overridden by none", ada, "POST {tus2}", version + " | X-HTTP-Method-Override: GET", "", 405, ""},
		{"given up", ada, "DELETE {tus2}", version, "", 204, ""},
		{"it is gone", ada, "HEAD {tus2}", version, "", 404, ""},
	}
}

func sessionRows() []row {
	return []row{
		{"a session", ada, "POST /api/files/{ten}/sessions", "", `{}`, 201, "session=id source=sources.0.url"},
		{"a session of a version", ada, "POST /api/files/{ten}/sessions", "", `{"version_id":"{ten.version}"}`, 201, "session2=id source2=sources.0.url"},
		{"one session too many", ada, "POST /api/files/{ten}/sessions", "", "", 429, ""},
		{"by the session", nobody, "GET {source}", "", "", 200, ""},
		{"by the session, a range", nobody, "GET {source}", "Range: bytes=-1", "", 206, ""},
		{"by the session, HEAD", nobody, "HEAD {source}", "", "", 200, ""},
		{"by what is no session", nobody, "GET /s/none/a", "", "", 403, ""},
		{"the sessions of a user", ada, "GET /api/sessions", "", "", 200, ""},
		{"a session read", ada, "GET /api/sessions/{session}", "", "", 200, ""},
		{"another's session", eve, "GET /api/sessions/{session}", "", "", 404, ""},
		{"a session renewed", ada, "POST /api/sessions/{session}/renew", "", "", 200, ""},
		{"a session ended", ada, "DELETE /api/sessions/{session2}", "", "", 204, ""},
		{"by what was ended", nobody, "GET {source2}", "", "", 403, ""},
		{"who downloaded", eve, "GET /api/audit?limit=5", "", "", 200, ""},
		{"who downloaded, by day", eve, "GET /api/usage?by=day", "", "", 200, ""},
		{"by nothing", eve, "GET /api/usage", "", "", 400, ""},
	}
}

func importRows() []row {
	const source = `"source":"s3://sluice/{root}imports/","owner":"ada"`
	return []row{
		{"an import tried", admin, "POST /api/imports", "", `{` + source + `,"dry_run":true}`, 202, "import=id"},
		{"from elsewhere", admin, "POST /api/imports", "", `{"source":"s3://elsewhere/","owner":"ada"}`, 422, ""},
		{"by a user", ada, "POST /api/imports", "", `{` + source + `}`, 403, ""},
		{"imports", admin, "GET /api/imports", "", "", 200, ""},
		{"an import", admin, "GET /api/imports/{import}", "", "", 200, ""},
		{"an import stopped", admin, "DELETE /api/imports/{import}", "", "", 204, ""},
		{"what a store tells", store, "POST /api/events/s3", "", `{"Records":[{"eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"sluice"},"object":{"key":"{root}a%2Bb","size":1}}}]}`, 204, ""},
		{"what somebody else tells", ada, "POST /api/events/s3", "", `{"Records":[]}`, 401, ""},
	}
}

func accountRows() []row {
	const password = `"password":"a password for tests"`
	return []row{
		{"a login", nobody, "POST /api/login", "", `{"username":"eve",` + password + `}`, 200, ""},
		{"a wrong password", nobody, "POST /api/login", "", `{"username":"eve","password":"another password"}`, 401, ""},
		{"a login in no JSON", nobody, "POST /api/login", "Content-Type: application/json", "[", 400, ""},
		{"a login that is too long", nobody, "POST /api/login", "", "@64 KiB", 413, ""},
		{"a login as a form", nobody, "POST /api/login", "Content-Type: application/x-www-form-urlencoded", "username=eve", 415, ""},
		{"a name in Unicode", nobody, "POST /api/login", "", `{"username":"\u00e9v\ud83d\ude00","password":"x"}`, 401, ""},
		{"a password tried too often", nobody, "POST /api/login", "", `{"username":"mallory","password":"x"}`, 429, ""},
		{"new tokens", nobody, "POST /api/token/refresh", "", `{"refresh_token":"{eve.refresh}"}`, 200, ""},
		{"new tokens, again", nobody, "POST /api/token/refresh", "", `{"refresh_token":"{eve.refresh}"}`, 409, ""},
		{"a refresh token that is none", nobody, "POST /api/token/refresh", "", `{"refresh_token":"x"}`, 401, ""},
		{"oneself", ada, "GET /api/profile", "", "", 200, ""},
		{"nobody's self", nobody, "GET /api/profile", "", "", 401, ""},
		{"a bad token", bad, "GET /api/profile", "", "", 401, ""},
		{"another name", ada, "PATCH /api/profile", "", `{"display_name":"Ада 😀"}`, 200, ""},
		{"a password without the old one", ada, "PATCH /api/profile", "", `{"password":"another password"}`, 400, ""},
		{"a page of users", admin, "GET /api/users?limit=2", "", "", 200, "users=next_cursor"},
		{"users, by a user", ada, "GET /api/users", "", "", 403, ""},
		{"a user made", admin, "POST /api/users", "", `{"username":"new",` + password + `,"role":"guest"}`, 201, ""},
		{"a user made twice", admin, "POST /api/users", "", `{"username":"ada",` + password + `,"role":"guest"}`, 409, ""},
		{"a user", admin, "GET /api/users/{gus}", "", "", 200, ""},
		{"no user", admin, "GET /api/users/{none}", "", "", 404, ""},
		{"a user changed", admin, "PATCH /api/users/{gus}", "", `{"display_name":"Gus","quota_files":7}`, 200, ""},
		{"one's own role", admin, "PATCH /api/users/{admin}", "", `{"role":"guest"}`, 409, ""},
		{"a user with files", admin, "DELETE /api/users/{ada}", "", "", 409, ""},
		{"a user removed", admin, "DELETE /api/users/{vic}", "", "", 204, ""},
		{"logged out", spare, "POST /api/logout", "", "", 204, ""},
		{"after that", spare, "GET /api/profile", "", "", 401, ""},
	}
}
