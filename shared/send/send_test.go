package send_test

import (
	"testing"

	"sluice/shared/config"
	"sluice/shared/send"
)

func TestSend(t *testing.T) {
	for _, c := range []struct {
		name   string
		size   int
		stream bool
	}{
		{"an empty file", 0, false},
		{"a small file", 1000, false},
		{"the largest that goes by one PUT", partSize, false},
		{"the smallest that goes in parts", partSize + 1, false},
		{"whole parts", 2 * partSize, false},
		{"a large file", large, false},
		{"an empty stream", 0, true},
		{"a small stream", 1000, true},
		{"a stream of one part", partSize + 1, true},
		{"a stream of whole parts", 4 * partSize, true},
		{"a long stream", 11*partSize + 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T) {
				r := newRig(t)
				r.behind(nil)
				path, content := r.file("f", c.size, 1)
				request := send.Request{File: path, Path: "dir/a b%.bin", ContentType: "text/plain"}
				if c.stream {
					request.File, request.Reader = "", reader(content)
				}
				result, err := r.send(request)
				r.want("sent", "dir/a b%.bin", content, err, "")
				if result.Sent != int64(c.size) || result.Verified != "sha-256" {
					t.Errorf("the result is %+v", result)
				}
			})
		})
	}
}

// Where a deployment takes digests for granted, that each part was right is what
// is known.
func TestAClaimIsNoVerification(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, func(c *config.Config) { c.UploadDigest = "claim" })
		r.behind(nil)
		path, _ := r.file("f", large, 1)
		result, err := r.send(send.Request{File: path, Path: "f"})
		if err != nil || result.Verified != "parts" || r.stored("f").Size != large {
			t.Errorf("the result is %+v, %v, and the server has %+v", result, err, r.stored("f"))
		}
	})
}
