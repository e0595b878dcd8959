package portal

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/fault"
	"certsaas/core/pki"
)

// serveCRL serves <authority>.crl, the newest revocation list (RFC 5280 §5), and <authority>.cer, the issuer's
// certificate, both DER.
func (p *Portal) serveCRL(c *fiber.Ctx) error {
	name, isList := strings.CutSuffix(c.Params("name"), ".crl")
	name, isCert := strings.CutSuffix(name, ".cer")
	id, err := uuid.Parse(name)
	if err != nil || isList == isCert {
		return fault.New(fault.NotFound, "web.not_found")
	}
	kind := "application/pkix-crl"
	body := []byte(nil)
	if isList {
		if body, err = p.Issuance.CRL(c.UserContext(), id); err != nil {
			return err
		}
	} else {
		kind, body = "application/pkix-cert", p.issuer(id)
	}
	if len(body) == 0 {
		return fault.New(fault.NotFound, "web.not_found")
	}
	c.Set(fiber.HeaderContentType, kind)
	c.Set(fiber.HeaderCacheControl, "public, max-age=300")
	return c.Send(body)
}

// serveOCSP answers whether a certificate still holds: the request is the body, or base64 in the path (RFC 6960 appendix A.1).
// What cannot be read is answered in the protocol's own words, and so is a database that is away.
func (p *Portal) serveOCSP(c *fiber.Ctx) error {
	id, err := uuid.Parse(c.Params("authority"))
	if err != nil {
		return fault.New(fault.NotFound, "web.not_found")
	}
	request := c.Body()
	if c.Method() != fiber.MethodPost {
		request = ocspFromPath(c.Params("*"))
	}
	answer, err := p.Issuance.OCSP(c.UserContext(), p.CA, id, request)
	switch {
	case errors.Is(err, fault.Unavailable):
		answer = pki.OCSPTryLater()
		c.Set(fiber.HeaderCacheControl, "no-store")
	case err != nil:
		return err
	default:
		c.Set(fiber.HeaderCacheControl, "max-age=300, public, no-transform, must-revalidate")
	}
	c.Set(fiber.HeaderContentType, "application/ocsp-response")
	return c.Send(answer)
}

// ocspFromPath is the request in a path, nil where there is none: escaped or not, since base64 has slashes.
func ocspFromPath(text string) []byte {
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	request, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return request
}

// issuer is the certificate of one of the platform's issuing authorities, nil for others.
func (p *Portal) issuer(id uuid.UUID) []byte {
	for _, alg := range []pki.Algorithm{pki.RSA2048, pki.P256} {
		if is, err := p.Issuance.CA.Issuer(alg); err == nil && is.ID == id {
			return is.Certificate.DER()
		}
	}
	return nil
}
