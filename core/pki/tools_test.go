package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// noon is the instant the tests live in.
var noon = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

func openssl(t *testing.T, args ...string) string {
	t.Helper()
	bin, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("openssl is missing: apt-get install openssl")
	}
	out, err := exec.Command(bin, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantCode(t *testing.T, err error, code Code) {
	t.Helper()
	if CodeOf(err) != code {
		t.Fatalf("error = %v, want code %s", err, code)
	}
}

// world is a root, an issuing CA and a key of a kind.
type world struct{ root, issuing Authority }

func newWorld(t *testing.T, a Algorithm) world {
	t.Helper()
	name := Subject{Country: "CN", Organization: "证书平台（演示）", CommonName: "演示根证书"}
	root := must(NewRoot(name, a, must(NewSerial(rand.Reader))(t), noon.Add(-time.Hour), AddYears(noon, 20)))(t)
	name.CommonName = "演示签发证书"
	urls := IssuingURLs{CRL: []string{"http://ca.example.cn/root.crl"}, Issuer: []string{"http://ca.example.cn/root.cer"}}
	issuing := must(NewIssuing(root, name, a, urls, must(NewSerial(rand.Reader))(t), noon.Add(-time.Hour), AddYears(noon, 10)))(t)
	return world{root, issuing}
}

func request(t *testing.T, key crypto.Signer, template x509.CertificateRequest) []byte {
	t.Helper()
	der := must(x509.CreateCertificateRequest(rand.Reader, &template, key))(t)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func loginConfig() ProfileConfig {
	return ProfileConfig{
		Name: "login", Algorithms: []string{"rsa2048", "p256"}, KeyUsage: []string{"digital_signature"},
		ExtKeyUsage: []string{"client_auth"}, ValidityYears: 1, PolicyOID: "1.2.156.112548.9.1", IdentityOID: "1.2.156.10260.4.1.4",
		Subject: Subject{Country: "CN", Province: "{province}", Locality: "{city}", Organization: "{company}",
			OrganizationalUnit: "经销商", SerialNumber: "{uscc}", CommonName: "{company}[-{seq}]"},
		CRLURLs: []string{"http://ca.example.cn/1.crl"}, OCSPURLs: []string{"http://ca.example.cn/ocsp"}, IssuerURLs: []string{"http://ca.example.cn/1.cer"},
	}
}

func dealer() map[string]string {
	return map[string]string{"province": "福建省", "city": "厦门市", "company": "厦门示例汽车销售有限公司", "uscc": "91350200556207664B", "seq": ""}
}

// verifyWithList gives openssl's verdict, good or bad.
func verifyWithList(t *testing.T, chain, list, leaf string) string {
	t.Helper()
	out, _ := exec.Command("openssl", "verify", "-attime", "1795316400", "-crl_check", "-CRLfile", list, "-CAfile", chain, leaf).CombinedOutput()
	return string(out)
}
