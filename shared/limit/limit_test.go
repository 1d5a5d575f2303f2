package limit_test

import (
	"net/netip"
	"testing"

	"sluice/shared/limit"
)

func TestAddressKey(t *testing.T) {
	cases := []struct{ addr, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.2", "192.0.2.2"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1%eth0", "192.0.2.1"},
		{"2001:db8::1", "2001:db8::/64"},
		{"2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/64"},
		{"2001:db8:0:1::1", "2001:db8:0:1::/64"},
		{"fe80::1%eth0", "fe80::/64"},
		{"::1", "::/64"},
	}
	for _, c := range cases {
		if got := limit.AddressKey(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("AddressKey(%s) = %q; want %q", c.addr, got, c.want)
		}
	}
	if got := limit.AddressKey(netip.Addr{}); got != "unknown" {
		t.Errorf("AddressKey of no address = %q; want unknown", got)
	}
}
