package program

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"sync/atomic"
	"time"
)

// Client is an HTTP client of one visitor: cookies of his own, an address of his own (the program believes this machine
// when it says for whom it asks, as it would its reverse proxy). Every host name leads to the program, so that a tenant's
// own domain works, too. Redirects are followed.
func (p *Program) Client() *http.Client {
	jar, _ := cookiejar.New(nil) // never fails
	d := &net.Dialer{Timeout: 5 * time.Second}
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port))
	return &http.Client{
		Jar:     jar,
		Timeout: 40 * time.Second,
		Transport: &from{address: Address(), next: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) { return d.DialContext(ctx, network, at) },
		}},
	}
}

// from says for whom a request is made.
type from struct {
	address string
	next    http.RoundTripper
}

func (f *from) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.address)
	return f.next.RoundTrip(r)
}

var addresses atomic.Uint32

// Address is a network address that nobody had before, of a block reserved for benchmarks (RFC 2544).
func Address() string {
	n := addresses.Add(1)
	return fmt.Sprintf("198.%d.%d.7", 18+n/256%2, n%256)
}
