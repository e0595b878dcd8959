package softtoken

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"certsaas/core/pki"
	"certsaas/core/token"
)

const pin = "12345678"

var noon = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

// The tests share one module and run one after another: SoftHSM has one directory
// per process.
func openDriver(t *testing.T) (*Driver, string, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	serial, err := d.Format("演示KEY", pin)
	if err != nil {
		t.Fatal(err)
	}
	return d, dir, serial
}

func tool(t *testing.T, dir, pkg, name string, args ...string) string {
	t.Helper()
	bin, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: apt-get install %s", name, pkg)
	}
	cmd := exec.Command(bin, args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+ConfigPath(dir))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

type ca struct {
	root    pki.Authority
	profile pki.Profile
}

func newCA(t *testing.T) ca {
	t.Helper()
	root, err := pki.NewRoot(pki.Subject{Country: "CN", CommonName: "演示根"}, pki.P256, serialNumber(t), noon.Add(-time.Hour), noon.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	profile, err := pki.CompileProfile(pki.ProfileConfig{Name: "p", Algorithms: []string{"rsa2048", "p256"}, KeyUsage: []string{"digital_signature"},
		ExtKeyUsage: []string{"client_auth"}, ValidityYears: 1, Subject: pki.Subject{Country: "CN", CommonName: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	return ca{root, profile}
}

func (c ca) issue(t *testing.T) func([]byte) ([]byte, error) {
	return func(csrPEM []byte) ([]byte, error) {
		csr, err := pki.ParseCSR(csrPEM)
		if err != nil {
			return nil, err
		}
		from, to := c.profile.Validity(noon)
		ticket, err := pki.Prepare(c.profile, pki.Subject{Country: "CN", CommonName: "厦门示例汽车销售有限公司"}, csr, c.root.Certificate.X509(), serialNumber(t), from, to)
		if err != nil {
			return nil, err
		}
		cert, err := pki.Issue(ticket, c.root.Key)
		if err != nil {
			return nil, err
		}
		return cert.DER(), nil
	}
}

// TestLifeOfAContainer: key in the device, request, certificate, read back by
// pkcs11-tool, signature checked by openssl; both algorithms.
// req: B57
func TestLifeOfAContainer(t *testing.T) {
	d, dir, serial := openDriver(t)
	c := newCA(t)
	module, err := FindModule()
	if err != nil {
		t.Fatal(err)
	}
	for i, alg := range []token.Algorithm{token.RSA2048, token.P256} {
		id := []byte{0xA0, byte(i)}
		if err := d.Provision(serial, pin, alg, id, "old", c.issue(t)); err != nil {
			t.Fatal(err)
		}
		tk, err := d.Open(serial)
		if err != nil {
			t.Fatal(err)
		}
		if err := tk.Login(pin); err != nil {
			t.Fatal(err)
		}
		container, found, err := token.Find(tk, id)
		if err != nil || !found || container.Algorithm != alg || !container.HasPrivate || container.Certificate == nil {
			t.Fatalf("%+v %v", container, err)
		}
		readBackByTool(t, dir, module, container)
		signatureByOpenSSL(t, dir, tk, container)
		attributesForbidExport(t, dir, module, container)

		if _, err := tk.GenerateKeyPair(alg, id, "again"); token.CodeOf(err) != token.CodeKeyMismatch {
			t.Fatalf("id reused: %v", err)
		}
		if err := tk.DeleteContainer(id); err != nil {
			t.Fatal(err)
		}
		if _, found, err := token.Find(tk, id); found || err != nil {
			t.Fatalf("container is still there: %v", err)
		}
		if _, err := tk.ReadCertificate(id); token.CodeOf(err) != token.CodeCertNotFound {
			t.Fatal(err)
		}
		if err := tk.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func readBackByTool(t *testing.T, dir, module string, c token.Container) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "cert.der")
	tool(t, dir, "opensc", "pkcs11-tool", "--module", module, "--token-label", "演示KEY", "--read-object", "--type", "cert", "--id", c.Name(), "-o", out)
	der, err := os.ReadFile(out)
	if err != nil || !bytes.Equal(der, c.Certificate.Raw) {
		t.Fatalf("pkcs11-tool reads another certificate: %v", err)
	}
}

func attributesForbidExport(t *testing.T, dir, module string, c token.Container) {
	t.Helper()
	list := tool(t, dir, "opensc", "pkcs11-tool", "--module", module, "--token-label", "演示KEY", "--login", "--pin", pin, "--list-objects", "--id", c.Name())
	if !strings.Contains(list, "sensitive, always sensitive, never extractable, local") {
		t.Fatalf("private key can leave the device:\n%s", list)
	}
	for _, line := range strings.Split(list, "\n") {
		if usage, ok := strings.CutPrefix(strings.TrimSpace(line), "Usage:"); ok && strings.Trim(usage, " ,") != "sign" && strings.Trim(usage, " ,") != "verify" {
			t.Fatalf("usage is %q\n%s", usage, list)
		}
	}
}

func signatureByOpenSSL(t *testing.T, dir string, tk token.Token, c token.Container) {
	t.Helper()
	message := []byte("ukagent-prove\x00https://byd.example.cn\x00nonce")
	sig, err := token.SignMessage(tk, c.ID, message)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(c.Public)
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	for name, data := range map[string][]byte{"m": message, "s": sig, "p": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})} {
		if err := os.WriteFile(filepath.Join(tmp, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tool(t, dir, "openssl", "openssl", "dgst", "-sha256", "-verify", filepath.Join(tmp, "p"), "-signature", filepath.Join(tmp, "s"), filepath.Join(tmp, "m"))
}

// Six wrong PINs lock, the tries left are told each time, and a restart forgets nothing.
func TestPINLocks(t *testing.T) {
	d, dir, serial := openDriver(t)
	tk, err := d.Open(serial)
	if err != nil {
		t.Fatal(err)
	}
	if err := tk.Login("000000"); token.CodeOf(err) != token.CodePINIncorrect {
		t.Fatal(err)
	}
	if err := tk.Login(pin); err != nil { // a good one resets the count
		t.Fatal(err)
	}
	if err := tk.Logout(); err != nil {
		t.Fatal(err)
	}
	for left := MaxTries - 1; left >= 1; left-- {
		var e *token.Error
		if err := tk.Login("000000"); !errors.As(err, &e) || e.Code != token.CodePINIncorrect || e.RetryLeft != left {
			t.Fatalf("with %d left: %v", left, err)
		}
	}
	if err := tk.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	devices, err := again.Devices()
	if err != nil || len(devices) != 1 || devices[0].PIN.RetryLeft != 1 || !devices[0].PIN.Low {
		t.Fatalf("%+v %v", devices, err)
	}
	tk, err = again.Open(serial)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"000000", pin} { // locked: the good one no longer helps
		if err := tk.Login(p); token.CodeOf(err) != token.CodePINLocked {
			t.Fatal(err)
		}
	}
	if err := again.Reset(serial); err != nil {
		t.Fatal(err)
	}
	if err := tk.Login(pin); err != nil {
		t.Fatal(err)
	}
}

func TestChangePIN(t *testing.T) {
	d, _, serial := openDriver(t)
	tk, err := d.Open(serial)
	if err != nil {
		t.Fatal(err)
	}
	if err := tk.ChangePIN("999999", "87654321"); token.CodeOf(err) != token.CodePINIncorrect {
		t.Fatal(err)
	}
	if err := tk.ChangePIN(pin, "1"); token.CodeOf(err) != token.CodePINLength {
		t.Fatal(err)
	}
	info, err := tk.Info()
	if err != nil || info.PIN.RetryLeft != MaxTries-1 {
		t.Fatalf("a refused length counted as a wrong PIN: %+v %v", info.PIN, err)
	}
	if err := tk.ChangePIN(pin, "87654321"); err != nil {
		t.Fatal(err)
	}
	if err := tk.Login("87654321"); err != nil {
		t.Fatal(err)
	}
}

func TestEnsure(t *testing.T) {
	d, _, serial := openDriver(t)
	again, fresh, err := d.Ensure("演示KEY", pin)
	if err != nil || fresh || again != serial {
		t.Fatalf("%q %v %v, want %q", again, fresh, err, serial)
	}
	other, fresh, err := d.Ensure("第二个", pin)
	if err != nil || !fresh || other == serial {
		t.Fatalf("%q %v %v", other, fresh, err)
	}
}

func TestInstallGuards(t *testing.T) {
	d, _, serial := openDriver(t)
	c := newCA(t)
	tk, err := d.Open(serial)
	if err != nil {
		t.Fatal(err)
	}
	defer tk.Close()
	id := []byte{1}
	if _, err := tk.GenerateKeyPair(token.P256, id, "x"); err == nil {
		t.Fatal("key made without login")
	}
	if err := tk.Login(pin); err != nil {
		t.Fatal(err)
	}
	if _, err := tk.GenerateKeyPair(token.SM2, id, "x"); token.CodeOf(err) != token.CodeNotSupported {
		t.Fatal(err)
	}
	if _, err := tk.GenerateKeyPair(token.P256, id, "x"); err != nil {
		t.Fatal(err)
	}
	csr, err := token.CreateCSR(tk, id, strings.Repeat("厦", 80))
	if err != nil {
		t.Fatal(err)
	}
	first, err := c.issue(t)(csr)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.issue(t)(csr)
	if err != nil {
		t.Fatal(err)
	}
	if err := tk.InstallCertificate(id, "x", c.root.Certificate.DER()); token.CodeOf(err) != token.CodeKeyMismatch {
		t.Fatal(err)
	}
	if err := tk.InstallCertificate([]byte{9}, "x", first); token.CodeOf(err) != token.CodeKeyNotFound {
		t.Fatal(err)
	}
	for _, der := range [][]byte{first, first, second} { // same again changes nothing, another replaces
		if err := tk.InstallCertificate(id, "x", der); err != nil {
			t.Fatal(err)
		}
		if got, err := tk.ReadCertificate(id); err != nil || !bytes.Equal(got, der) {
			t.Fatalf("read back: %v", err)
		}
	}
	signer, err := tk.Signer(id)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	if _, err := signer.Sign(rand.Reader, digest[:], crypto.SHA384); token.CodeOf(err) != token.CodeNotSupported {
		t.Fatal(err)
	}
	if _, err := d.Open("no-such-serial"); token.CodeOf(err) != token.CodeNoDevice {
		t.Fatal(err)
	}
}

// A module closed under a session leaves the session dead, not the process.
func TestDeadSession(t *testing.T) {
	d, _, serial := openDriver(t)
	tk, err := d.Open(serial)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tk.Login(pin); !token.Dead(err) {
		t.Fatal(err)
	}
	if _, err := d.Devices(); token.CodeOf(err) != token.CodeDriverMissing {
		t.Fatal(err)
	}
	if err := tk.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesOtherLibraries(t *testing.T) {
	for _, path := range []string{"/nowhere/libx.so", "libc.so.6"} {
		if _, err := token.Open(path); token.CodeOf(err) != token.CodeDriverMissing {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func serialNumber(t *testing.T) *big.Int {
	t.Helper()
	n, err := pki.NewSerial(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
