package material_test

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"testing"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/material"
	"certsaas/core/material/materialtest"
	"certsaas/core/order"
)

// U5: nobody else sees a file, and it does not exist for him. Staff sees by role, under a watermark, and leaves a trace.
func TestWhoSees(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	o := w.Order(t, func(a form.Answers) { a["org_nature"], a["invoice_wanted"] = "person", "no" })
	dealer := w.Dealer(t.Context())
	card, err := w.Materials.Upload(dealer, o.Tenant, o.ID, "id_front", "a.jpg", materialtest.Page{Seal: true}.JPEG(t))
	if err != nil {
		t.Fatal(err)
	}
	setState(t, w, o, order.AwaitingPayment)
	slip, err := w.Materials.Upload(dealer, o.Tenant, o.ID, material.Voucher, "a.jpg", materialtest.Page{Text: "汇款"}.JPEG(t))
	if err != nil {
		t.Fatal(err)
	}
	other := authz.WithPrincipal(t.Context(), authz.Principal{Kind: authz.Dealer, ID: w.Account, Tenant: db.NewID()})
	for name, c := range map[string]struct {
		ctx  context.Context
		file uuid.UUID
		want error
	}{
		"owner":                          {dealer, card.ID, nil},
		"another dealer":                 {w.As(t.Context(), w.AddAccount(t)), card.ID, fault.NotFound},
		"a dealer of another tenant":     {other, card.ID, fault.NotFound},
		"guess":                          {dealer, db.NewID(), fault.NotFound},
		"nobody":                         {t.Context(), card.ID, fault.Unauthenticated},
		"reviewer":                       {materialtest.Staff(t.Context(), authz.RoleReviewer), card.ID, nil},
		"finance looks at a card":        {materialtest.Staff(t.Context(), authz.RoleFinance), card.ID, fault.Denied},
		"finance looks at a slip":        {materialtest.Staff(t.Context(), authz.RoleFinance), slip.ID, nil},
		"producer":                       {materialtest.Staff(t.Context(), authz.RoleProducer), slip.ID, fault.Denied},
		"administrator":                  {materialtest.Staff(t.Context(), authz.RoleAdmin), card.ID, fault.Denied},
		"the program without permission": {authz.WithPrincipal(t.Context(), authz.System("")), card.ID, fault.Denied},
	} {
		_, _, err := w.Materials.Open(c.ctx, o.Tenant, c.file)
		if (c.want == nil) != (err == nil) || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, _, err := w.Materials.Open(dealer, db.NewID(), card.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("through another tenant: %v", err)
	}
	_, plain, _ := w.Materials.Open(dealer, o.Tenant, card.ID)
	_, marked, err := w.Materials.Open(materialtest.Staff(t.Context(), authz.RoleReviewer), o.Tenant, card.ID)
	if err != nil || bytes.Equal(plain, marked) {
		t.Errorf("staff sees the card without a watermark (%v)", err)
	}
	if share := changed(t, plain, marked); share < .01 || share > .2 {
		t.Errorf("the watermark covers %.3f of the picture", share)
	}
	var seen, refused int
	coretest.OwnerRow(t, w.DB, []any{&seen, &refused}, `SELECT count(*) FILTER (WHERE outcome = 'done'), count(*) FILTER (WHERE outcome = 'denied')
		FROM audit_entries WHERE action = 'file.view'`)
	if seen != 3 || refused != 3 { // reviewer twice, finance once; finance, producer and administrator refused
		t.Errorf("%d looks of staff and %d refusals audited, want 3 and 3", seen, refused)
	}
}

// changed is the share of pixels that visibly differ between two pictures of one size.
func changed(t *testing.T, before, after []byte) float64 {
	t.Helper()
	a, err := jpeg.Decode(bytes.NewReader(before))
	b, err2 := jpeg.Decode(bytes.NewReader(after))
	if err != nil || err2 != nil || a.Bounds() != b.Bounds() {
		t.Fatal(err, err2)
	}
	n, differ := 0, 0
	for y := 0; y < a.Bounds().Dy(); y += 2 {
		for x := 0; x < a.Bounds().Dx(); x += 2 {
			r, _, _, _ := a.At(x, y).RGBA()
			s, _, _, _ := b.At(x, y).RGBA()
			if n++; r > s+0x2000 {
				differ++
			}
		}
	}
	return float64(differ) / float64(n)
}

// An order-first draft's pictures belong to the browser that began it.
// req: K4 K13
func TestVisitor(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "kinglong")
	mine, theirs := order.WithVisitor(t.Context(), []byte("hash of my cookie")), order.WithVisitor(t.Context(), []byte("hash of another"))
	p := w.Tenant.Products()[0]
	o, err := w.Orders.Start(mine, order.Begin{Tenant: w.Tenant, Product: p, Visitor: []byte("hash of my cookie")})
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.Materials.Upload(mine, o.Tenant, o.ID, "id_front", "a.jpg", materialtest.Page{Seal: true}.JPEG(t))
	if err != nil || f.UploadedBy != "visitor" {
		t.Fatalf("%+v, %v", f, err)
	}
	if _, _, err := w.Materials.Open(mine, o.Tenant, f.ID); err != nil {
		t.Errorf("mine: %v", err)
	}
	if _, _, err := w.Materials.Open(theirs, o.Tenant, f.ID); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("another browser: %v", err)
	}
}

// Invoices are kept byte for byte, and only what is one.
// req: K3 B8
func TestAttach(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "kinglong")
	o := w.Order(t, nil)
	finance := materialtest.Staff(t.Context(), authz.RoleFinance)
	pdf := []byte("%PDF-1.7\n演示发票")
	var told uuid.UUID
	f, err := w.Materials.Attach(finance, o.Tenant, o.ID, pdf, func(_ context.Context, _ *db.Tx, f material.File) error {
		told = f.ID
		return nil
	})
	if err != nil || told != f.ID || f.Name("A/1") != "A-1-invoice.pdf" {
		t.Fatalf("%+v, %v", f, err)
	}
	if _, got, err := w.Materials.Open(w.Dealer(t.Context()), o.Tenant, f.ID); err != nil || !bytes.Equal(got, pdf) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := w.Materials.Attach(w.Dealer(t.Context()), o.Tenant, o.ID, pdf, nil); err == nil {
		t.Error("a dealer attached an invoice")
	}
	for name, raw := range map[string][]byte{
		"empty": nil, "picture": materialtest.Page{}.JPEG(t), "script": []byte("%PDF-1.4 /JavaScript"), "zip": []byte("PK\x03\x04rest"),
		"entity": []byte(`<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>`), "broken XML": []byte("<x>"),
	} {
		if _, err := w.Materials.Attach(finance, o.Tenant, o.ID, raw, nil); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if x, err := w.Materials.Attach(finance, o.Tenant, o.ID, []byte(`<?xml version="1.0"?><EInvoice><No>1</No></EInvoice>`), nil); err != nil || x.MediaType != "application/xml" {
		t.Errorf("XML: %+v, %v", x, err)
	}
	if _, err := w.Materials.Attach(finance, o.Tenant, o.ID, pdf, func(context.Context, *db.Tx, material.File) error { return fault.New(fault.Conflict, "test.taken") }); !errors.Is(err, fault.Conflict) {
		t.Errorf("%v", err)
	}
	if n := w.BlobCount(t); n != 2 {
		t.Errorf("%d blobs, want 2", n)
	}
}
