package issuance

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/pki"
	"certsaas/core/tenant"
)

// addresses are where who checks a certificate finds what its authority says; portal.routesPKI answers there.
type addresses struct{ crl, cer, ocsp string }

func addressesOf(plain string, authority uuid.UUID) addresses {
	id := authority.String()
	return addresses{crl: plain + "/crl/" + id + ".crl", cer: plain + "/crl/" + id + ".cer", ocsp: plain + "/ocsp/" + id}
}

// profile compiles the certificate profile of a product for one issuer and term.
func profile(p tenant.Product, years int, at addresses) (pki.Profile, error) {
	c := p.Certificate.Profile
	c.ValidityYears = max(years, 1)
	c.CRLURLs, c.IssuerURLs = append([]string{at.crl}, c.CRLURLs...), append([]string{at.cer}, c.IssuerURLs...)
	c.OCSPURLs = append([]string{at.ocsp}, c.OCSPURLs...)
	prof, err := pki.CompileProfile(c)
	if err != nil {
		return prof, fmt.Errorf("issuance: product %s: %w", p.Code, err)
	}
	return prof, nil
}

// subject fills the profile's name templates with an order's answers and what they come to (tenant.SubjectFacts). The
// sequence number is empty for an order's first key, so that a single key bears the plain company name.
func subject(prof pki.Profile, t *tenant.Tenant, o order.Order, seq int) (pki.Subject, error) {
	values := map[string]string{}
	for _, name := range prof.Placeholders() {
		values[name] = o.Answers[name]
	}
	values["code"], values["organisation"] = o.Code(), o.Organisation()
	values["project"] = t.Names().Platform.In("zh-CN")
	if seq > 1 {
		values["seq"] = strconv.Itoa(seq)
	}
	s, err := prof.Subject(values)
	if err != nil {
		return s, fault.Wrap(fault.Invalid, "issuance.subject", err)
	}
	return s, nil
}

// validity gives the period of a new certificate. old is the end of the certificate it follows, zero when there is none.
func validity(p tenant.Product, years int, now, old time.Time) (notBefore, notAfter time.Time, err error) {
	from := now.Add(-5 * time.Minute).Truncate(time.Second) // clocks of relying parties differ
	switch {
	case p.Certificate.Validity == "keep_old_end":
		if old.IsZero() || !old.After(now) {
			return from, old, fault.New(fault.Precondition, "issuance.old_ended")
		}
		return from, old, nil
	case p.Certificate.Validity == "carry_over" && !old.IsZero():
		r := clock.RenewalWindow(now, old, clock.RenewalPolicy{
			OpenDays: p.Window.OpenDays, LateDays: p.Window.LateDays, CarryOver: p.Window.CarryOver, TermYears: years,
		})
		if r.State == clock.RenewalEarly {
			return from, r.NotAfter, fault.New(fault.Precondition, "issuance.too_early")
		}
		return from, r.NotAfter.UTC().Truncate(time.Second), nil
	}
	return from, clock.AddYearsClamped(now.In(clock.Shanghai), years).Add(-time.Second).UTC().Truncate(time.Second), nil
}

// Backdated issues a certificate of a product whose term began in the past, for a demonstration key that is due for
// renewal. It signs directly: no order stands behind it, and the caller imports it. For the program itself only.
func (s *Service) Backdated(ctx context.Context, p tenant.Product, csr pki.CSR, values map[string]string, from time.Time) (pki.Certificate, uuid.UUID, error) {
	if authz.From(ctx).Kind != authz.SystemKind {
		return pki.Certificate{}, uuid.Nil, fault.New(fault.Denied, "authz.denied")
	}
	is, err := s.CA.Issuer(csr.Algorithm())
	if err != nil {
		return pki.Certificate{}, uuid.Nil, err
	}
	prof, err := profile(p, 1, addressesOf(s.Plain, is.ID))
	if err != nil {
		return pki.Certificate{}, uuid.Nil, err
	}
	name, err := prof.Subject(values)
	if err != nil {
		return pki.Certificate{}, uuid.Nil, err
	}
	serial, err := pki.NewSerial(rand.Reader)
	if err != nil {
		return pki.Certificate{}, uuid.Nil, err
	}
	from = from.UTC().Truncate(time.Second)
	t, err := pki.Prepare(prof, name, csr, is.Certificate.X509(), serial, from, clock.AddYearsClamped(from, 1).Add(-time.Second))
	if err != nil {
		return pki.Certificate{}, uuid.Nil, err
	}
	cert, err := s.CA.Sign(ctx, csr.Algorithm(), t)
	return cert, is.ID, err
}
