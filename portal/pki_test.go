package portal_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/crypto/ocsp"
)

// Whoever checks a certificate asks at the address in it, by body or by path, and is answered in the protocol's own words
// whatever he sends (RFC 6960 appendix A).
func TestOCSPOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, held := w.heldBy("13800138000")
	leaf := held.Certificate.X509()
	anybody := w.browser("localhost:8080")
	issuer, err := x509.ParseCertificate(anybody.get(strings.TrimPrefix(leaf.IssuingCertificateURL[0], "http://localhost:8080")).Body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.TrimPrefix(leaf.OCSPServer[0], "http://localhost:8080")
	kind := map[string]string{"Content-Type": "application/ocsp-request"}
	path := at + "/" + url.PathEscape(base64.StdEncoding.EncodeToString(request))
	for name, got := range map[string]page{
		"by body": anybody.do("POST", at, kind, bytes.NewReader(request)),
		"by path": anybody.get(path),
	} {
		said, err := ocsp.ParseResponseForCert(got.Body, leaf, issuer)
		if err != nil || said.Status != ocsp.Good {
			t.Errorf("%s: %d %v %+v", name, got.Status, err, said)
		}
		equal(t, "type", "application/ocsp-response", got.Header.Get("Content-Type"))
		equal(t, "kept for", "max-age=300, public, no-transform, must-revalidate", got.Header.Get("Cache-Control"))
	}
	for name, got := range map[string]page{
		"nothing": anybody.do("POST", at, kind, nil), "junk": anybody.do("POST", at, kind, strings.NewReader("junk")),
		"too long": anybody.do("POST", at, kind, bytes.NewReader(make([]byte, 5<<10))), "no path": anybody.get(at + "/"), "junk in the path": anybody.get(at + "/%00%ff..%2f"),
	} {
		if got.Status != 200 || !bytes.Equal(got.Body, ocsp.MalformedRequestErrorResponse) {
			t.Errorf("%s: %d %x", name, got.Status, got.Body)
		}
	}
	for _, name := range []string{"x", uuid.Nil.String()} {
		equal(t, name, 404, anybody.do("POST", "/ocsp/"+name, kind, bytes.NewReader(request)).Status)
	}
}
