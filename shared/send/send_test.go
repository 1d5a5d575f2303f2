package send_test

import (
	"testing"

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
		{"a long stream", 15*partSize + 1, true},
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
