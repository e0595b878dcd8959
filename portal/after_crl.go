package portal

import (
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

// issuer is the certificate of one of the platform's issuing authorities, nil for others.
func (p *Portal) issuer(id uuid.UUID) []byte {
	for _, alg := range []pki.Algorithm{pki.RSA2048, pki.P256} {
		if is, err := p.Issuance.CA.Issuer(alg); err == nil && is.ID == id {
			return is.Certificate.DER()
		}
	}
	return nil
}
