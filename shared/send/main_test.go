package send_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		data, _ := site()
		_ = os.RemoveAll(data) // in the folder for temporary files
		os.Exit(code)
	}))
}
