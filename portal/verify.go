package portal

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/letter"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// verifyView is what the page of a letter's code says.
type verifyView struct {
	Number  string
	Verdict letter.Verdict // "" before the code was read
	Printed string         // day of printing
}

// showVerify is the page that a letter's code opens. What the code proves stands behind the "#" of its address, which
// browsers do not send: the page's script posts it.
func (p *Portal) showVerify(c *fiber.Ctx) error {
	return web.Render(c, fiber.StatusOK, checkLetterPage(verifyView{Number: c.Params("no")}))
}

// verifyLetter answers what a code is worth, and nothing about the order.
func (p *Portal) verifyLetter(c *fiber.Ctx) error {
	code := strings.TrimPrefix(strings.TrimSpace(c.FormValue("payload")), "#")
	digest, sig, _ := strings.Cut(code, ".")
	v := verifyView{Number: c.Params("no")}
	verdict, day, err := p.Letters.Verify(c.UserContext(), web.SiteOf(c).Tenant, v.Number, digest, sig)
	if err != nil {
		return err
	}
	v.Verdict = verdict
	if !day.IsZero() {
		v.Printed = day.String()
	}
	if web.Partial(c) {
		return web.Render(c, fiber.StatusOK, verdictNotice(v))
	}
	return web.Render(c, fiber.StatusOK, checkLetterPage(v))
}

// verdictTone colours a verdict.
func verdictTone(v letter.Verdict) ui.Tone {
	switch v {
	case letter.Genuine:
		return ui.Good
	case letter.Void:
		return ui.Danger
	}
	return ui.Warn
}
