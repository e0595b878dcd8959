package pki

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Reason is an RFC 5280 §5.3.1 revocation reason.
type Reason int

// The reasons this CA gives. 7 does not exist, 8 belongs to delta lists, 2 and 10
// concern CAs and attributes.
const (
	Unspecified          Reason = 0 // the extension is left out
	KeyCompromise        Reason = 1 // key lost, PIN known to others
	AffiliationChanged   Reason = 3 // company data changed
	Superseded           Reason = 4 // renewed or reissued
	CessationOfOperation Reason = 5
	CertificateHold      Reason = 6 // 冻结; leave the entry out to release
	PrivilegeWithdrawn   Reason = 9 // dealer qualification ended
)

// Valid tells whether the CA gives this reason.
func (r Reason) Valid() bool {
	switch r {
	case Unspecified, KeyCompromise, AffiliationChanged, Superseded, CessationOfOperation, CertificateHold, PrivilegeWithdrawn:
		return true
	}
	return false
}

// Revocation is one line of a revocation list.
type Revocation struct {
	Serial    *big.Int
	RevokedAt time.Time // not after the list's thisUpdate
	Reason    Reason
}

// CreateCRL signs a complete version 2 list (DER, serve it as
// application/pkix-crl). number must rise from list to list; an empty list is
// valid. Errors carry CodeRevocation or CodeSigning.
func CreateCRL(entries []Revocation, number *big.Int, thisUpdate, nextUpdate time.Time, issuer Authority) ([]byte, error) {
	if number == nil || number.Sign() <= 0 || number.BitLen() > 159 {
		return nil, &Error{Code: CodeRevocation, Detail: "list number must be positive, at most 20 octets"}
	}
	if !thisUpdate.Before(nextUpdate) {
		return nil, &Error{Code: CodeRevocation, Detail: "nextUpdate must follow thisUpdate"}
	}
	rows, err := crlEntries(entries, thisUpdate)
	if err != nil {
		return nil, err
	}
	algorithm, _, err := signatureAlgorithm(issuer.Key.Public())
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		SignatureAlgorithm: algorithm, RevokedCertificateEntries: rows,
		Number: number, ThisUpdate: thisUpdate.UTC(), NextUpdate: nextUpdate.UTC(),
	}, issuer.Certificate.x, issuer.Key)
	if err != nil {
		return nil, &Error{Code: CodeSigning, Detail: "revocation list", Err: err}
	}
	list, err := x509.ParseRevocationList(der)
	if err == nil {
		err = list.CheckSignatureFrom(issuer.Certificate.x)
	}
	if err != nil {
		return nil, &Error{Code: CodeSigning, Detail: "revocation list does not verify", Err: err}
	}
	return der, nil
}

// crlEntries checks and orders the lines, so that equal input gives equal bytes.
func crlEntries(entries []Revocation, thisUpdate time.Time) ([]x509.RevocationListEntry, error) {
	rows := make([]x509.RevocationListEntry, 0, len(entries))
	for _, e := range entries {
		switch {
		case e.Serial == nil || e.Serial.Sign() <= 0:
			return nil, &Error{Code: CodeRevocation, Detail: "entry without a positive serial"}
		case e.RevokedAt.After(thisUpdate):
			return nil, &Error{Code: CodeRevocation, Detail: "serial " + SerialText(e.Serial.Bytes()) + " is revoked after thisUpdate"}
		case !e.Reason.Valid():
			return nil, &Error{Code: CodeRevocation, Detail: fmt.Sprintf("reason %d is not given by this CA", e.Reason)}
		}
		rows = append(rows, x509.RevocationListEntry{SerialNumber: e.Serial, RevocationTime: e.RevokedAt.UTC(), ReasonCode: int(e.Reason)})
	}
	slices.SortFunc(rows, func(a, b x509.RevocationListEntry) int { return a.SerialNumber.Cmp(b.SerialNumber) })
	for i := 1; i < len(rows); i++ {
		if bytes.Equal(rows[i].SerialNumber.Bytes(), rows[i-1].SerialNumber.Bytes()) {
			return nil, &Error{Code: CodeRevocation, Detail: "serial " + SerialText(rows[i].SerialNumber.Bytes()) + " is listed twice"}
		}
	}
	return rows, nil
}
