package portal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/audit"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/web"
)

// handed is one key of an order on its page.
type handed struct {
	history
	item order.Item
}

// handed finds the key a path names.
func (p *Portal) handed(c *fiber.Ctx) (handed, error) {
	h, err := p.history(c)
	if err != nil {
		return handed{}, err
	}
	for _, it := range h.Items {
		if it.ID.String() == c.Params("item") {
			return handed{h, it}, nil
		}
	}
	return handed{}, fault.New(fault.NotFound, "order.not_found")
}

// showKey is the page that puts a certificate into the key the applicant holds, or says that it is there (req B57–B59).
func (p *Portal) showKey(c *fiber.Ctx) error {
	h, err := p.handed(c)
	if err != nil {
		return err
	}
	switch {
	case h.item.State == order.ItemDone:
		return web.Render(c, fiber.StatusOK, keyDonePage(keyDoneViewOf(h, web.Printer(c))))
	case h.State != order.ReadyToInstall:
		return web.Redirect(c, orderURL(h.Order))
	}
	return web.Render(c, fiber.StatusOK, keyPage(keyViewOf(h, web.Printer(c))))
}

// keyTicket gives the page a ticket for the key agent.
func (p *Portal) keyTicket(c *fiber.Ctx) error {
	h, err := p.handed(c)
	if err != nil {
		return err
	}
	a, err := p.Issuance.Authorise(c.UserContext(), h.Tenant, h.item.ID, web.PageOf(c).Public)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"ticket": a.Ticket, "nonce": a.Nonce, "alg": a.Algorithm, "prove_old": a.ProveOld && a.OldSerial != ""})
}

// keyEnroll takes the request made in the key and answers with its certificate and chain.
func (p *Portal) keyEnroll(c *fiber.Ctx) error {
	h, err := p.handed(c)
	if err != nil {
		return err
	}
	var in struct {
		Ticket   string `json:"ticket"`
		CSR      string `json:"csr"`
		SN       string `json:"sn"`
		OldCert  string `json:"old_cert"`
		OldProof string `json:"old_sig"`
	}
	if err := json.Unmarshal(c.Body(), &in); err != nil {
		return fault.Wrap(fault.Invalid, "issuance.ticket", err)
	}
	proof, err := signature(in.OldProof)
	if err != nil {
		return fault.Wrap(fault.Invalid, "issuance.old_proof", err)
	}
	done, err := p.Issuance.Enroll(c.UserContext(), h.Tenant, h.item.ID, issuance.Enrollment{
		Ticket: in.Ticket, Origin: web.PageOf(c).Public, CSR: []byte(in.CSR), TokenSerial: in.SN, OldCert: []byte(in.OldCert), OldProof: proof})
	if err != nil {
		return err
	}
	chain := []string{}
	for _, x := range done.Chain {
		chain = append(chain, string(x.PEM()))
	}
	return c.JSON(fiber.Map{"cert": string(done.Certificate.PEM()), "chain": chain})
}

// keyConfirm takes the new key's proof. An answer that got lost is given again.
func (p *Portal) keyConfirm(c *fiber.Ctx) error {
	h, err := p.handed(c)
	if err != nil {
		return err
	}
	var in struct {
		Ticket string `json:"ticket"`
		Proof  string `json:"sig"`
	}
	if err := json.Unmarshal(c.Body(), &in); err != nil {
		return fault.Wrap(fault.Invalid, "issuance.ticket", err)
	}
	proof, err := signature(in.Proof)
	if err != nil {
		return fault.Wrap(fault.Invalid, "issuance.new_proof", err)
	}
	_, err = p.Issuance.Confirm(c.UserContext(), h.Tenant, h.item.ID, in.Ticket, web.PageOf(c).Public, proof)
	if errors.Is(err, fault.Conflict) {
		if again, lost := p.handed(c); lost == nil && again.item.State == order.ItemDone {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"done": true})
}

// keyCleanup gives a ticket to take the renewed key pair off the device, once the new one has proved itself.
func (p *Portal) keyCleanup(c *fiber.Ctx) error {
	h, err := p.handed(c)
	if err != nil {
		return err
	}
	ticket, err := p.Issuance.AuthoriseCleanup(c.UserContext(), h.Tenant, h.item.ID, web.PageOf(c).Public)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"ticket": ticket})
}

// codes are what a report may say: the agent's own words for an error, a step, a driver's number.
var codes = regexp.MustCompile(`^[A-Za-z0-9_.]{0,40}$`)

// keyReport notes a failure at a key, for the help desk and for the audit.
func (p *Portal) keyReport(c *fiber.Ctx) error {
	h, err := p.handed(c)
	if err != nil {
		return err
	}
	var in struct {
		Code   string `json:"code"`
		Step   string `json:"step"`
		Native string `json:"native"`
	}
	if err := json.Unmarshal(c.Body(), &in); err != nil || !codes.MatchString(in.Code) || !codes.MatchString(in.Step) || !codes.MatchString(in.Native) {
		return fault.New(fault.Invalid, "fault.invalid")
	}
	err = p.DB.WithTenant(c.UserContext(), h.Tenant, func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, audit.Entry{Action: "key.failed", Resource: "order/" + h.ID.String(),
			Detail: map[string]any{"item": h.item.ID, "code": in.Code, "step": in.Step, "native": in.Native}})
	})
	if err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// signature decodes a proof as the agent writes it: base64url without padding.
func signature(s string) ([]byte, error) {
	if len(s) > 4096 {
		return nil, errors.New("portal: signature too long")
	}
	return base64.RawURLEncoding.DecodeString(s)
}
