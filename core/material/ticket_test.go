package material_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/material"
	"certsaas/core/material/materialtest"
	"certsaas/core/order"
)

// The phone's ticket: one use, ten minutes, one order and field; the desktop page sees the picture come.
// req: B36 B51 K14
func TestTicket(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	o := w.Order(t, asCompany)
	desk, phone := w.Dealer(t.Context()), t.Context()
	state := func() material.TicketStatus {
		t.Helper()
		st, err := w.Materials.TicketState(desk, o.Tenant, o.ID, "licence_image")
		if err != nil {
			t.Fatal(err)
		}
		return st.Status
	}
	if got := state(); got != material.TicketNone {
		t.Errorf("before: %s", got)
	}
	if _, _, err := w.Materials.NewTicket(w.As(t.Context(), w.AddAccount(t)), o.Tenant, o.ID, "licence_image"); !errors.Is(err, fault.NotFound) {
		t.Errorf("a ticket for another's order: %v", err)
	}
	token, expires, err := w.Materials.NewTicket(desk, o.Tenant, o.ID, "licence_image")
	if err != nil || len(token) != 43 || expires.Sub(w.Clock.Now()) != 10*time.Minute {
		t.Fatalf("%q until %v, %v", token, expires, err)
	}
	if k, err := w.Materials.OpenTicket(phone, o.Tenant, token); err != nil || k.Order != o.ID || k.Field.Key != "licence_image" {
		t.Errorf("%+v, %v", k, err)
	}
	if _, err := w.Materials.OpenTicket(phone, db.NewID(), token); !errors.Is(err, fault.NotFound) {
		t.Errorf("at another tenant: %v", err)
	}
	if got := state(); got != material.TicketWaiting {
		t.Errorf("waiting: %s", got)
	}
	if _, err := w.Materials.UploadByTicket(phone, o.Tenant, token, "a.heic", []byte("....ftypheic")); !errors.Is(err, fault.Invalid) {
		t.Errorf("a refused picture: %v", err)
	}
	raw := materialtest.Page{}.JPEG(t)
	var won sync.Map
	var wg sync.WaitGroup
	for range 4 { // four phones at once: one picture
		wg.Go(func() {
			if f, err := w.Materials.UploadByTicket(phone, o.Tenant, token, "a.jpg", raw); err == nil {
				won.Store(f.ID, f)
			} else if !errors.Is(err, fault.NotFound) {
				t.Errorf("a slower phone: %v", err)
			}
		})
	}
	wg.Wait()
	n := 0
	won.Range(func(_, f any) bool {
		n++
		st, err := w.Materials.TicketState(desk, o.Tenant, o.ID, "licence_image")
		if err != nil || st.Status != material.TicketUsed || st.File == nil || st.File.ID != f.(material.File).ID || st.File.UploadedBy != "system/material/phone" {
			t.Errorf("%+v, %v", st, err)
		}
		return true
	})
	if blobs := w.BlobCount(t); n != 1 || blobs != 1 {
		t.Errorf("%d pictures taken, %d blobs; want one of each", n, blobs)
	}
	w.Clock.Advance(time.Second)
	late, _, err := w.Materials.NewTicket(desk, o.Tenant, o.ID, "licence_image")
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(10 * time.Minute)
	if _, err := w.Materials.UploadByTicket(phone, o.Tenant, late, "a.jpg", raw); !errors.Is(err, fault.NotFound) {
		t.Errorf("after ten minutes: %v", err)
	}
	if got := state(); got != material.TicketExpired {
		t.Errorf("expired: %s", got)
	}
}

// Handing in wants pictures of this order and field that passed; a borrowed id does not do.
// req: B40 K21
func TestSubmitWantsItsOwnFiles(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	w.Materials.Register(w.Orders)
	o, other := w.Order(t, asCompany), w.Order(t, asCompany)
	ctx := w.Dealer(t.Context())
	good := materialtest.Page{Seal: true}.JPEG(t)
	borrowed, err := w.Materials.Upload(ctx, o.Tenant, other.ID, "licence_image", "a.jpg", good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "letter", "a.jpg", materialtest.Page{Grey: true}.JPEG(t)); err != nil {
		t.Fatal(err)
	}
	err = w.DB.WithTenant(ctx, o.Tenant, func(ctx context.Context, tx *db.Tx) error {
		have, err := w.Orders.LoadForUpdate(ctx, tx, o.ID)
		if err != nil {
			return err
		}
		return w.Orders.SetFile(ctx, tx, &have, "licence_image", borrowed.ID.String())
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := submit(t, w, o); got["licence_image"] != "material.gone" || got["letter"] != "material.not_colour" {
		t.Errorf("%v", got)
	}
	for _, field := range []string{"licence_image", "letter"} {
		if _, err := w.Materials.Upload(ctx, o.Tenant, o.ID, field, "a.jpg", good); err != nil {
			t.Fatal(err)
		}
	}
	if got := submit(t, w, o); len(got) != 0 {
		t.Errorf("with its own pictures: %v", got)
	}
	err = w.DB.WithTenant(ctx, o.Tenant, func(ctx context.Context, tx *db.Tx) error {
		same, err := w.Materials.Same(ctx, tx, borrowed)
		if len(same) != 2 || !same[0].Exact || same[0].Order != o.ID || same[0].Number != o.Number {
			t.Errorf("the same picture: %+v", same)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// submit hands an order in and gives the problems by field.
func submit(t *testing.T, w *materialtest.World, o order.Order) map[string]string {
	t.Helper()
	_, err := w.Orders.Submit(w.Dealer(t.Context()), o.Tenant, o.ID, order.Submission{})
	out := map[string]string{}
	if err == nil {
		return out
	}
	e := fault.From(err)
	if e == nil || e.Kind != fault.Invalid {
		t.Fatal(err)
	}
	for _, f := range e.Fields {
		out[f.Name] = f.ID
	}
	return out
}
