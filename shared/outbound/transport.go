package outbound

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// Dial connects to an address, as net.Dialer's DialContext does.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// Settings are those of a transport.
type Settings struct {
	Dial        Dial          // nil: over TCP
	TLS         *tls.Config   // nil: Go's defaults
	Connections int           // that are kept for each host, idle
	Patience    time.Duration // with connecting and with TLS's handshake
	HTTP2       bool          // over HTTPS
}

// Transport returns net/http's transport, set up for few large bodies: nothing
// is decoded, and connections are kept for the next piece. Proxies are those of
// the environment. Redirects are not a transport's to follow: see Redirect.
func Transport(s Settings) *http.Transport {
	if s.Dial == nil {
		s.Dial = (&net.Dialer{Timeout: s.Patience, KeepAlive: 15 * time.Second}).DialContext
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(s.HTTP2)
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: s.Dial, TLSClientConfig: s.TLS, TLSHandshakeTimeout: s.Patience,
		DisableCompression: true, MaxIdleConnsPerHost: s.Connections, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 256 << 10, ExpectContinueTimeout: time.Second, Protocols: &protocols,
	}
}
