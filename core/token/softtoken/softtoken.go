// Package softtoken is the demonstration USBKEY: a SoftHSM token in a directory of
// its own. It can format a token, put a key and a certificate on it, and, since
// SoftHSM never locks a PIN, counts wrong tries itself: after six the token is
// locked, as a real key would be. The count lies beside the token and is written
// before the PIN is tried.
//
// In: a directory, a PIN. Out: a token.Driver.
package softtoken

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"certsaas/core/token"
)

// MaxTries is how many wrong PINs in a row lock a demonstration token.
const MaxTries = 6

// modulePaths are where distributions put SoftHSM 2.
var modulePaths = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/opt/homebrew/lib/softhsm/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
}

// FindModule gives the path of the SoftHSM 2 library; the error names the Debian
// package that brings it.
func FindModule() (string, error) {
	for _, p := range modulePaths {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", token.NewError(token.CodeDriverMissing, "softhsm", errors.New("libsofthsm2.so not found: apt-get install softhsm2"))
}

// Driver is a SoftHSM module whose PINs lock.
type Driver struct {
	*token.Module
	tries *tries
}

// Open opens the tokens in dir, making the directory (0700) and its SoftHSM
// configuration on first use. SoftHSM reads its directory from the environment:
// one process serves one directory at a time.
func Open(dir string) (*Driver, error) {
	path, err := FindModule()
	if err != nil {
		return nil, err
	}
	if err := prepare(dir); err != nil {
		return nil, fmt.Errorf("softtoken: %w", err)
	}
	if err := os.Setenv("SOFTHSM2_CONF", ConfigPath(dir)); err != nil {
		return nil, fmt.Errorf("softtoken: %w", err)
	}
	m, err := token.Open(path)
	if err != nil {
		return nil, err
	}
	return &Driver{Module: m, tries: &tries{path: filepath.Join(dir, "pin-tries.json")}}, nil
}

// ConfigPath is the SoftHSM configuration of a token directory, to be exported as
// SOFTHSM2_CONF for pkcs11-tool and the like.
func ConfigPath(dir string) string { return filepath.Join(dir, "softhsm2.conf") }

func prepare(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	tokens := filepath.Join(abs, "tokens")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return err
	}
	conf := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = true\n"
	return os.WriteFile(ConfigPath(abs), []byte(conf), 0o600)
}

// Format makes a new token with a user PIN (4 to 255 characters) and gives its
// serial number.
func (d *Driver) Format(label, pin string) (string, error) {
	return d.InitToken(label, soPIN(label, pin), pin)
}

// Ensure gives the serial number of the token with this label, formatting it with
// the PIN when there is none: a demonstration may start again and again.
func (d *Driver) Ensure(label, pin string) (serial string, fresh bool, err error) {
	devices, err := d.Devices()
	if err != nil {
		return "", false, err
	}
	for _, info := range devices {
		if info.Label == label {
			return info.Serial, false, nil
		}
	}
	serial, err = d.Format(label, pin)
	return serial, err == nil, err
}

// soPIN need not be remembered: the demonstration formats anew instead of unlocking.
func soPIN(label, pin string) string {
	sum := sha256.Sum256([]byte("softtoken-so\x00" + label + "\x00" + pin))
	return hex.EncodeToString(sum[:12])
}

// Provision makes a key pair on a token and installs the certificate that issue
// returns (DER) for its PEM request: how a demonstration key comes to hold last
// year's certificate.
func (d *Driver) Provision(serial, pin string, alg token.Algorithm, id []byte, label string, issue func(csrPEM []byte) (der []byte, err error)) error {
	t, err := d.Open(serial)
	if err != nil {
		return err
	}
	defer t.Close()
	if err := t.Login(pin); err != nil {
		return err
	}
	if _, err := t.GenerateKeyPair(alg, id, label); err != nil {
		return err
	}
	csr, err := token.CreateCSR(t, id, label)
	if err != nil {
		return err
	}
	der, err := issue(csr)
	if err != nil {
		return fmt.Errorf("softtoken: issue: %w", err)
	}
	return t.InstallCertificate(id, label, der)
}

// Name is "softhsm".
func (d *Driver) Name() string { return "softhsm" }

// Devices lists the tokens with their exact tries left.
func (d *Driver) Devices() ([]token.Info, error) {
	all, err := d.Module.Devices()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := d.tries.overlay(&all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Open opens one token by serial number.
func (d *Driver) Open(serial string) (token.Token, error) {
	t, err := d.Module.Open(serial)
	if err != nil {
		return nil, err
	}
	return &counted{Token: t, tries: d.tries, serial: serial}, nil
}
