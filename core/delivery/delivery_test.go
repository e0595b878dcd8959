package delivery_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(delivery.Messages) {
		t.Error(p)
	}
}

// at fails unless err is Invalid at a field.
func at(t *testing.T, what string, err error, field string) {
	t.Helper()
	f := fault.From(err)
	if !errors.Is(err, fault.Invalid) || len(f.Fields) != 1 || f.Fields[0].Name != field {
		t.Errorf("%s: %v, want a problem at %s", what, err, field)
	}
}

func conflict(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, fault.Conflict) {
		t.Errorf("%s: %v, want a conflict", what, err)
	}
}

func made(b *platformtest.Bench, typed form.Answers) order.Order {
	o, _, _ := b.Write(b.Approved(platformtest.Make, uuid.Nil, typed))
	return b.Now(o)
}

func key(o order.Order, carrier, number string) delivery.Dispatch {
	return delivery.Dispatch{Version: o.Version, Purpose: delivery.Key, Carrier: carrier, Waybill: number}
}

// The waybill's form is a must, the carrier's pattern a question; one number serves one consignee. // req: K25 K40
func TestShip(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := made(b, nil)
	ship := func(o order.Order, d delivery.Dispatch) error {
		_, err := b.Delivery.Ship(b.Producer, b.ID, o.ID, d)
		return err
	}
	at(t, "no number", ship(o, key(o, "sf", " ")), "waybill")
	at(t, "short number", ship(o, key(o, "sf", "SF1")), "waybill")
	at(t, "other carrier", ship(o, key(o, "dhl", "SF7444400043266")), "carrier")
	at(t, "no carrier", ship(o, key(o, "", "SF7444400043266")), "carrier")
	at(t, "unlike the carrier's", ship(o, key(o, "sf", "ABCD12345678")), "confirm")
	_, err := b.Delivery.Ship(b.Reviewer, b.ID, o.ID, key(o, "sf", "SF7444400043266"))
	if !errors.Is(err, fault.Denied) {
		t.Errorf("a reviewer ships: %v", err)
	}
	stale := key(o, "sf", "SF7444400043266")
	stale.Version--
	conflict(t, "stale page", ship(o, stale))
	wrong := key(o, "sf", "SF7444400043266")
	wrong.Purpose = "gift"
	if err := ship(o, wrong); !errors.Is(err, fault.Invalid) {
		t.Errorf("unknown purpose: %v", err)
	}
	sh, err := b.Delivery.Ship(b.Producer, b.ID, o.ID, key(o, "sf", "sf 7444-4000-43266"))
	if err != nil || sh.Waybill != "SF7444400043266" || sh.TrackingURL() == "" {
		t.Fatalf("%v, %+v", err, sh)
	}
	if o = b.Now(o); o.State != order.Completed {
		t.Errorf("shipped: %s", o.State)
	}
	conflict(t, "shipped twice", ship(o, key(o, "sf", "SF7444400043267")))
	if n := b.Count(`SELECT count(*) FROM outbox WHERE kind = 'order.shipped' AND ref = $1`, o.ID); n != 1 {
		t.Errorf("%d messages about it", n)
	}
	other := made(b, form.Answers{"ship_name": "李演示"})
	at(t, "waybill of another consignee", ship(other, key(other, "sf", "SF7444400043266")), "waybill")
	same := made(b, nil)
	if err := ship(same, key(same, "sf", "SF7444400043266")); err != nil {
		t.Errorf("two orders of one consignee in one parcel: %v", err)
	}
	odd := key(other, "sf", "ABCD12345678")
	odd.Confirmed = true
	if err := ship(other, odd); err != nil {
		t.Errorf("a confirmed number: %v", err)
	}
	counter := made(b, nil)
	if sh, err = b.Delivery.Ship(b.Producer, b.ID, counter.ID, key(counter, delivery.Pickup, "")); err != nil || sh.Waybill != counter.Number {
		t.Errorf("handed over: %v, %+v", err, sh)
	}
	early := b.Approved(platformtest.Make, uuid.Nil, nil)
	conflict(t, "before the key is written", ship(early, key(early, "sf", "SF7444400043299")))
}

// Two clerks with one number for two people: one wins.
func TestOneWaybillTwoClerks(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for _, o := range []order.Order{made(b, nil), made(b, form.Answers{"ship_name": "李演示"})} {
		wg.Go(func() {
			_, err := b.Delivery.Ship(b.Producer, b.ID, o.ID, key(o, "sf", "SF7444400043266"))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d parcels went under one number", won)
	}
}

// A paper invoice travels only where one is due. // req: B9
func TestPaperInvoice(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	send := func(o order.Order) error {
		_, err := b.Delivery.Ship(b.Producer, b.ID, o.ID, delivery.Dispatch{Version: o.Version, Purpose: delivery.Invoice, Carrier: "sto", Waybill: "77316523125896"})
		return err
	}
	none := b.Approved(platformtest.Renew, uuid.Nil, nil)
	conflict(t, "no invoice wanted", send(none))
	paper := form.Answers{"invoice_wanted": "yes", "invoice_kind": "paper", "invoice_title": "演示贸易有限公司"}
	conflict(t, "not reviewed", send(b.Pay(b.Submit(platformtest.Renew, uuid.Nil, paper))))
	o := b.Approved(platformtest.Renew, uuid.Nil, paper)
	if err := send(o); err != nil {
		t.Error(err)
	}
	conflict(t, "sent twice", send(o))
	if now := b.Now(o); now.State != order.ReadyToInstall || now.Version != o.Version {
		t.Errorf("the order moved: %s", now.State)
	}
}

// The applicant's own parcel: typed, corrected, received.
func TestSendIn(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Pay(b.Submit(platformtest.Unlock, uuid.Nil, nil))
	_, err := b.Delivery.SendIn(b.Dealer, b.ID, o.ID, "sf", "SF7444400043266")
	conflict(t, "before approval", err)
	o = b.Approve(o)
	_, err = b.Delivery.SendIn(b.Stranger, b.ID, o.ID, "sf", "SF7444400043266")
	if !errors.Is(err, fault.NotFound) {
		t.Errorf("another dealer: %v", err)
	}
	_, err = b.Delivery.SendIn(b.Dealer, b.ID, o.ID, "no such; carrier", "SF7444400043266")
	at(t, "carrier", err, "carrier")
	for _, number := range []string{"SF7444400043266", "SF7444400043267"} {
		if _, err := b.Delivery.SendIn(b.Dealer, b.ID, o.ID, "sf", number); err != nil {
			t.Fatal(err)
		}
	}
	var list []delivery.Shipment
	b.Tx(func(ctx context.Context, tx *db.Tx) (err error) {
		list, err = b.Delivery.List(ctx, tx, o.ID)
		return err
	})
	if len(list) != 1 || list[0].Waybill != "SF7444400043267" || list[0].Direction != delivery.In || list[0].Consignee.Name != "王演示" {
		t.Errorf("shipments %+v", list)
	}
	if n := b.Count(`SELECT count(*) FROM audit_entries WHERE action = 'key.sent_in'`); n != 2 {
		t.Errorf("%d entries", n)
	}
	if err := b.Delivery.ReceiveKey(b.Dealer, b.ID, o.ID, o.Version, "K-1"); !errors.Is(err, fault.Denied) {
		t.Errorf("the dealer receives: %v", err)
	}
	if err := b.Delivery.ReceiveKey(b.Producer, b.ID, o.ID, o.Version, "K-1"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Delivery.SendIn(b.Dealer, b.ID, o.ID, "sf", "SF7444400043268")
	conflict(t, "after it arrived", err)
	item := b.Items(o)[0]
	_, err = b.Issuance.Authorise(b.Producer, b.ID, item.ID, platformtest.Origin)
	conflict(t, "a certificate for an unlocked key", err)
	o, err = b.Issuance.Serviced(b.Producer, b.ID, item.ID)
	if err != nil || o.State != order.ToDeliver || item.TokenSerial != "K-1" {
		t.Errorf("%v, %s, serial %q", err, o.State, item.TokenSerial)
	}
}
