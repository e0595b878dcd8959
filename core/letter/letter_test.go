package letter_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"certsaas/core/authz"
	"certsaas/core/coretest"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/letter"
	"certsaas/core/material/materialtest"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

type world struct {
	*materialtest.World
	letters *letter.Service
	key     ed25519.PrivateKey
}

func newWorld(t *testing.T, slug string) world {
	t.Helper()
	w := world{World: materialtest.New(t, slug)}
	var err error
	if w.key, err = w.Vault.SigningKey(t.Context(), "letter"); err != nil {
		t.Fatal(err)
	}
	w.letters = letter.New(letter.Deps{DB: w.DB, Vault: w.Vault, Orders: w.Orders, Authz: w.Authz, Key: w.key,
		Site: func(tn *tenant.Tenant) string { return "https://" + tn.Slug() + ".example.com" }})
	w.Materials.Register(w.Orders)
	w.letters.Register(w.Orders, w.Materials)
	return w
}

// asCompany answers as a company with merged licences, under a name that tells orders apart.
func asCompany(name string) func(form.Answers) {
	return func(a form.Answers) {
		a["org_nature"], a["merged"], a["invoice_wanted"], a["org_name"] = "company", "yes", "no", name
	}
}

func (w world) current(t *testing.T, o order.Order) letter.Letter {
	t.Helper()
	l, err := w.letters.Current(w.Dealer(t.Context()), o.Tenant, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(letter.Messages) {
		t.Error(p)
	}
}

// One letter per order, printed the same each time, until the data change: then it is void and a new one is made.
// req: B43 B45 K20 K22
func TestCurrent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "byd")
	o := w.Order(t, asCompany("演示甲（厦门）有限公司"))
	first := w.current(t, o)
	if !strings.HasPrefix(first.Number, "BYD-20261128-") || !strings.HasPrefix(first.Payload, "https://byd.example.com/v/"+first.Number+"#") {
		t.Errorf("number %s, code %s", first.Number, first.Payload)
	}
	if first.Values["organisation"] != "演示甲（厦门）有限公司" || first.Values["term"] == "" || first.ValidUntil().String() != "2026-12-28" {
		t.Errorf("values %v, until %s", first.Values, first.ValidUntil())
	}
	again := w.current(t, o)
	one, err := w.letters.PDF(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	two, err := w.letters.PDF(t.Context(), again)
	if err != nil || again.ID != first.ID || !bytes.Equal(one, two) {
		t.Errorf("the same letter twice: %s and %s, PDF equal %v, %v", first.Number, again.Number, bytes.Equal(one, two), err)
	}
	if dir := os.Getenv("LETTER_OUT"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "letter.pdf"), one, 0o600); err != nil {
			t.Error(err)
		}
	}
	w.Answer(t, o, func(a form.Answers) {
		asCompany("演示甲（厦门）有限公司")(a)
		a["email"] = "other@example.com"
	})
	changed := w.current(t, o)
	if changed.Number == first.Number || changed.Digest == first.Digest {
		t.Error("the data changed and the letter did not")
	}
	var open, void int
	coretest.OwnerRow(t, w.DB, []any{&open, &void}, `SELECT count(*) FILTER (WHERE voided_at IS NULL), count(*) FILTER (WHERE voided_at IS NOT NULL) FROM letters`)
	if open != 1 || void != 1 {
		t.Errorf("%d current, %d void; want one each", open, void)
	}
	if _, err := w.letters.Current(w.As(t.Context(), w.AddAccount(t)), o.Tenant, o.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("another dealer: %v", err)
	}
}

// A character the font lacks is named, with its field; rare names that it has are printed.
func TestGlyphs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "byd")
	w.current(t, w.Order(t, func(a form.Answers) { asCompany("演示䶮喆有限公司")(a); a["agent_name"] = "𠮷田" }))
	o := w.Order(t, func(a form.Answers) { asCompany("演示有限公司")(a); a["agent_name"] = "王𪚥" }) // U+2A6A5, 64 strokes
	_, err := w.letters.Current(w.Dealer(t.Context()), o.Tenant, o.ID)
	e := fault.From(err)
	if e == nil || e.Kind != fault.Invalid || len(e.Fields) != 1 || e.Fields[0].Name != "agent_name" || e.Fields[0].Args["Characters"] != "𪚥 (U+2A6A5)" {
		t.Errorf("%v", err)
	}
}

// An individual signs: his letter is another, prints his full number, and its scan needs no seal (decision 4).
func TestSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "byd")
	o := w.Order(t, func(a form.Answers) { a["org_nature"], a["invoice_wanted"] = "person", "no" })
	l := w.current(t, o)
	if l.Form.Seal != "signature" || l.Values["id_no"] != o.Answers["id_no"] || len(l.Values["id_no"]) != 18 {
		t.Errorf("%s, %v", l.Form.Seal, l.Values)
	}
	page := materialtest.Page{QR: l.Payload, Seal: false}
	f, err := w.Materials.Upload(w.Dealer(t.Context()), o.Tenant, o.ID, "letter", "a.jpg", page.JPEG(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range f.Findings {
		if x.ID == "material.no_red_seal" {
			t.Errorf("a signed letter is asked for a seal")
		}
	}
}

// King Long's letter prints labels, not codes, and every letter of every pack prints.
// req: K16 K20
func TestEveryLetterPrints(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "kinglong")
	o := w.Order(t, nil)
	l := w.current(t, o)
	p, _ := w.Tenant.Product(o.Product)
	fd, _ := p.Form.Field("org_type")
	if want := fd.Display(i18n.ZH, o.Answers["org_type"]); l.Values["org_type"] != want || want == o.Answers["org_type"] {
		t.Errorf("org_type prints as %q, want %q", l.Values["org_type"], want)
	}
	if _, err := w.letters.PDF(t.Context(), l); err != nil {
		t.Error(err)
	}
	for _, slug := range []string{"byd", "kinglong", "harbour"} {
		w := newWorld(t, slug)
		for _, p := range w.Tenant.Products() {
			o := w.OrderOf(t, p, nil)
			l, err := w.letters.Current(w.Dealer(t.Context()), o.Tenant, o.ID)
			if len(p.Letters) == 0 {
				if !errors.Is(err, fault.NotFound) || fault.From(err).ID != "letter.not_needed" {
					t.Errorf("%s %s needs no letter: %v", slug, p.Code, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s %s: %v", slug, p.Code, err)
				continue
			}
			if out, err := l.PDF(); err != nil || len(out) < 5000 {
				t.Errorf("%s %s: %d bytes, %v", slug, p.Code, len(out), err)
			}
			if strings.Contains(l.Values["term"], "letter.") || slices.Contains(slices.Collect(maps.Values(l.Values)), "") {
				t.Errorf("%s %s: %v", slug, p.Code, l.Values)
			}
		}
	}
}

// Staff may look at a letter, nobody else's dealer may.
func TestWhoPrints(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "byd")
	o := w.Order(t, asCompany("演示甲有限公司"))
	for name, c := range map[string]struct {
		ctx  context.Context
		want error
	}{
		"reviewer": {materialtest.Staff(t.Context(), authz.RoleReviewer), nil},
		"finance":  {materialtest.Staff(t.Context(), authz.RoleFinance), fault.Denied},
		"nobody":   {t.Context(), fault.Unauthenticated},
	} {
		_, err := w.letters.Current(c.ctx, o.Tenant, o.ID)
		if (c.want == nil) != (err == nil) || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
