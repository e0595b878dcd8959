package journey

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"certsaas/core/token/softtoken"
)

// tool runs a program of the distribution.
func (w town) tool(pkg, name string, args ...string) string {
	w.t.Helper()
	bin, err := exec.LookPath(name)
	if err != nil {
		w.t.Fatalf("%s is missing: apt-get install %s", name, pkg)
	}
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+softtoken.ConfigPath(filepath.Join(w.Dir, "demo-token")))
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// pkcs11 runs pkcs11-tool on one of the demonstration's keys.
func (w town) pkcs11(label string, args ...string) string {
	w.t.Helper()
	module, err := softtoken.FindModule()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.tool("opensc", "pkcs11-tool", append([]string{"--module", module, "--token-label", label}, args...)...)
}

var objectID = regexp.MustCompile(`(?m)^\s+ID:\s+([0-9a-f]+)`)

// certificates are those in a key, by the id of their object.
func (w town) certificates(label string) map[string]*x509.Certificate {
	w.t.Helper()
	out := map[string]*x509.Certificate{}
	for _, m := range objectID.FindAllStringSubmatch(w.pkcs11(label, "--list-objects", "--type", "cert"), -1) {
		path := filepath.Join(w.t.TempDir(), m[1]+".der")
		w.pkcs11(label, "--read-object", "--type", "cert", "--id", m[1], "--output-file", path)
		cert, err := x509.ParseCertificate(w.read(path))
		if err != nil {
			w.t.Fatal(err)
		}
		out[m[1]] = cert
	}
	return out
}

// one is the only certificate in a key.
func (w town) one(label string) (string, *x509.Certificate) {
	w.t.Helper()
	all := w.certificates(label)
	if len(all) != 1 {
		w.t.Fatalf("%s holds %d certificates", label, len(all))
	}
	for id, c := range all {
		return id, c
	}
	return "", nil
}

// provesItself has the key sign something and openssl check it with the certificate: the private key is in there.
func (w town) provesItself(label, id string, cert *x509.Certificate) {
	w.t.Helper()
	dir := w.t.TempDir()
	message, sig, pub := filepath.Join(dir, "message"), filepath.Join(dir, "sig"), filepath.Join(dir, "pub.pem")
	if err := os.WriteFile(message, []byte("journey"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	der := filepath.Join(dir, "cert.der")
	if err := os.WriteFile(der, cert.Raw, 0o600); err != nil {
		w.t.Fatal(err)
	}
	signed, mechanism := message, []string{"--mechanism", "SHA256-RSA-PKCS"}
	if cert.PublicKeyAlgorithm == x509.ECDSA { // SoftHSM signs a digest only
		digest := sha256.Sum256([]byte("journey"))
		signed, mechanism = filepath.Join(dir, "digest"), []string{"--mechanism", "ECDSA", "--signature-format", "openssl"}
		if err := os.WriteFile(signed, digest[:], 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	w.pkcs11(label, append([]string{"--login", "--pin", bydPIN, "--sign", "--id", id, "--input-file", signed, "--output-file", sig}, mechanism...)...)
	w.tool("openssl", "openssl", "x509", "-inform", "DER", "-in", der, "-pubkey", "-noout", "-out", pub)
	if said := w.tool("openssl", "openssl", "dgst", "-sha256", "-verify", pub, "-signature", sig, message); !strings.Contains(said, "Verified OK") {
		w.t.Errorf("the key does not prove its certificate: %s", said)
	}
}

// chainHolds verifies a certificate with openssl as a relying party does: issuers from the addresses in the certificates,
// revocation list from the address in it. The root is the one the chain ends at, known from the first look.
func (w town) chainHolds(cert *x509.Certificate) {
	w.t.Helper()
	dir := w.t.TempDir()
	file := func(name string, der []byte) string {
		in, out := filepath.Join(dir, name+".der"), filepath.Join(dir, name+".pem")
		if err := os.WriteFile(in, der, 0o600); err != nil {
			w.t.Fatal(err)
		}
		kind := "x509"
		if strings.HasPrefix(name, "crl") {
			kind = "crl"
		}
		w.tool("openssl", "openssl", kind, "-inform", "DER", "-in", in, "-out", out)
		return out
	}
	issuer := w.fetchCertificate(cert)
	leaf, inter, crl := file("leaf", cert.Raw), file("issuer", issuer.Raw), file("crl", w.revocations(cert))
	if said := w.tool("openssl", "openssl", "verify", "-partial_chain", "-trusted", inter, "-CRLfile", crl, "-crl_check", "-x509_strict",
		"-attime", strconv.FormatInt(w.Now().Unix(), 10), leaf); !strings.Contains(said, ": OK") {
		w.t.Errorf("openssl verify: %s", said)
	}
	if len(cert.OCSPServer) == 0 {
		w.t.Fatal("the certificate does not say who answers for it")
	}
	// asked by openssl itself at the address in the certificate; its own clock may be another than the program's
	if said := w.tool("openssl", "openssl", "ocsp", "-issuer", inter, "-cert", leaf, "-url", cert.OCSPServer[0], "-CAfile", inter, "-partial_chain", "-verify_other", inter,
		"-no_nonce", "-attime", strconv.FormatInt(w.Now().Unix(), 10), "-validity_period", "1000000000"); !strings.Contains(said, "Response verify OK") || !strings.Contains(said, ": good") {
		w.t.Errorf("openssl ocsp: %s", said)
	}
}

// fetchCertificate is the issuer's certificate from the address in a certificate (RFC 5280 §4.2.2.1).
func (w town) fetchCertificate(cert *x509.Certificate) *x509.Certificate {
	w.t.Helper()
	if len(cert.IssuingCertificateURL) == 0 {
		w.t.Fatal("the certificate does not say where its issuer's is")
	}
	issuer, err := x509.ParseCertificate(w.get(cert.IssuingCertificateURL[0]))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cert.CheckSignatureFrom(issuer); err != nil {
		w.t.Error(err)
	}
	return issuer
}

// revocations is the list from the address in a certificate (RFC 5280 §4.2.1.13).
func (w town) revocations(cert *x509.Certificate) []byte {
	w.t.Helper()
	if len(cert.CRLDistributionPoints) == 0 {
		w.t.Fatal("the certificate does not say where its revocation list is")
	}
	return w.get(cert.CRLDistributionPoints[0])
}

// revoked waits until the published list names a certificate.
func (w town) revoked(cert *x509.Certificate) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		list, err := x509.ParseRevocationList(w.revocations(cert))
		if err != nil {
			w.t.Fatal(err)
		}
		if slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(cert.SerialNumber) == 0 }) {
			return
		}
	}
	w.t.Errorf("the revocation list does not name %s", cert.SerialNumber)
}

func (w town) get(url string) []byte {
	w.t.Helper()
	res, err := w.Client().Get(url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		w.t.Fatalf("%s: %d %v %s", url, res.StatusCode, err, bytes.TrimSpace(raw))
	}
	return raw
}
