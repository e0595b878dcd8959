package pki

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

// lintRules are zlint's RFC and community rules. The sources left out speak of
// TLS servers, S/MIME, code signing and browsers' root programmes: they would
// judge a USBKEY certificate as something it is not.
var lintRules = sync.OnceValues(func() (lint.Registry, error) {
	return lint.GlobalRegistry().Filter(lint.FilterOptions{ExcludeSources: lint.SourceList{
		lint.CABFBaselineRequirements, lint.CABFSMIMEBaselineRequirements, lint.CABFEVGuidelines,
		lint.CABFCSBaselineRequirements, lint.AppleRootStorePolicy, lint.MozillaRootStorePolicy, lint.EtsiEsi,
	}})
})

// Lint runs zlint over a certificate and gives the names of the rules broken at
// level warning or worse, sorted; nil when clean. SM2 certificates cannot be read
// and answer CodeCertMalformed.
func Lint(der []byte) ([]string, error) {
	cert, err := zx509.ParseCertificate(der)
	if err != nil {
		return nil, &Error{Code: CodeCertMalformed, Detail: "lint cannot read the certificate", Err: err}
	}
	rules, err := lintRules()
	if err != nil {
		return nil, fmt.Errorf("pki: lint rules: %w", err)
	}
	var broken []string
	for name, result := range zlint.LintCertificateEx(cert, rules).Results {
		if result.Status >= lint.Warn {
			broken = append(broken, name)
		}
	}
	slices.Sort(broken)
	return broken, nil
}

func lintClean(der []byte) error {
	broken, err := Lint(der)
	if err != nil {
		return err
	}
	if len(broken) > 0 {
		return &Error{Code: CodeLint, Detail: strings.Join(broken, ", ")}
	}
	return nil
}
