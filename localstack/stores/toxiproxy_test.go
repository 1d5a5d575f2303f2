package stores_test

import (
	"strings"
	"testing"

	"sluice/localstack/stores"
)

func TestToxiproxyBreaksAndHeals(t *testing.T) {
	x, store := stores.NewToxiproxy(t), stores.Dynoxide(t)
	proxied := "http://" + x.Proxy("dynamodb", strings.TrimPrefix(store.Endpoint, "http://")) + "/"
	want := func(when string, want bool) {
		t.Helper()
		if got := answers(t, proxied); got != want {
			t.Errorf("%s the store answers: %v, want %v", when, got, want)
		}
	}
	want("at first", true)
	x.Enable("dynamodb", false)
	want("while the proxy is disabled", false)
	x.Enable("dynamodb", true)
	want("once it is enabled", true)
	x.Add("dynamodb", stores.Toxic{Type: "limit_data", Stream: "downstream", Toxicity: 1, Attributes: map[string]any{"bytes": 1}})
	want("where the connection ends after a byte", false)
	x.Heal()
	want("after it healed", true)
}
