package reminder_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/channel"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/material/materialtest"
	"certsaas/core/order"
	"certsaas/core/reminder"
)

// Who has renewed, ordered, lost his key, asked for silence, or belongs to a suspended tenant hears nothing, even when the
// message was formed already.
func TestDropsOutAtOnce(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	add := func(slug, product, mobile string) cell {
		return w.add(slug, product, mobile, "", at("2026-12-08 12:00"))
	}
	ordered, revoked, muted := add("byd", "BYD-GQGX", "13800138001"), add("byd", "BYD-GQGX", "13800138002"), add("byd", "BYD-GQGX", "13800138003")
	suspended, stays := add("kinglong", "CERT272353", "13800138004"), add("byd", "BYD-GQGX", "13800138005")
	if _, err := w.Reminders.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Reminders.FormNotices(t.Context(), 10); err != nil || n != 5 {
		t.Fatalf("%d messages formed, %v", n, err)
	}
	w.ordered(ordered)
	w.revoked(revoked)
	if err := w.Reminders.Mute(staff(w), muted.tenant, muted.id, w.clock.Now().AddDate(0, 1, 0), "停业"); err != nil {
		t.Fatal(err)
	}
	coretest.OwnerExec(t, w.DB, `UPDATE tenants SET state = 'suspended' WHERE id = $1`, suspended.tenant)
	w.Tenants.Forget(suspended.tenant)
	if _, err := w.Reminders.Send(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.clock.Advance(24 * time.Hour)
		w.run()
	}
	for _, m := range p.sent() {
		if m.To != stays.mobile {
			t.Errorf("%s was told", m.To)
		}
	}
	if rows := w.rows(stays); rows[len(rows)-1].State != "sent" {
		t.Errorf("who stays: %+v", rows)
	}
	for name, c := range map[string]cell{"ordered": ordered, "revoked": revoked, "muted": muted, "suspended": suspended} {
		for _, r := range w.rows(c) {
			if r.State == "pending" || r.State == "sent" {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
}

func staff(w *world) context.Context {
	return authz.WithPrincipal(w.t.Context(), authz.Principal{Kind: authz.Staff, ID: w.authority, Name: "演示审核员", Roles: []string{authz.RoleReviewer}})
}

// One person with several certificates hears of them once a day.
func TestMergedPerPerson(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	w.add("kinglong", "CERT272353", "13800138000", "", at("2026-12-08 12:00"))
	w.add("kinglong", "CERT272353", "13800138000", "", at("2026-12-02 12:00"))
	w.add("kinglong", "CERT272353", "13800138001", "", at("2026-12-08 12:00"))
	w.run()
	w.run()
	all := p.sent()
	if len(all) != 2 {
		t.Fatalf("%d messages, want 2", len(all))
	}
	for _, m := range all {
		if m.To == "13800138000" && !strings.Contains(m.Text, "演示供应商002有限公司（共 2 张）的数字证书将于 2026-12-02 到期（还有 1 天）") {
			t.Errorf("%s", m.Text)
		}
	}
}

// Nobody is disturbed at night, and what can wait waits for a working day.
func TestQuietHoursAndWorkingDays(t *testing.T) {
	t.Parallel()
	p := &post{}
	p2 := func() int { return len(p.sent()) }
	w := newWorld(t, at("2026-12-04 21:30"), 0, p) // a Friday evening
	soon := w.add("kinglong", "CERT272353", "13800138000", "", at("2026-12-06 12:00"))
	later := w.add("kinglong", "CERT272353", "13800138001", "", at("2026-12-12 12:00")) // seven days before: a Saturday
	for _, step := range []struct {
		now  string
		want int
	}{{"2026-12-04 21:30", 0}, {"2026-12-05 02:00", 0}, {"2026-12-05 08:59", 0}, {"2026-12-05 09:30", 1}, {"2026-12-06 10:00", 2}, {"2026-12-07 09:29", 2}, {"2026-12-07 10:00", 4}} {
		w.clock.Set(at(step.now))
		w.run()
		if got := p2(); got != step.want {
			t.Errorf("%s: %d messages, want %d: %+v %+v", step.now, got, step.want, w.rows(soon), w.rows(later))
		}
	}
}

// The ladder: the order's mobile, its e-mail, then people.
func TestContactLadder(t *testing.T) {
	t.Parallel()
	p := &post{}
	p.fail = func(m channel.Message) error {
		if m.Channel == channel.SMS {
			return fault.New(fault.Invalid, "channel.failed")
		}
		return nil
	}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	c := w.add("byd", "BYD-GQGX", "13800138000", "demo@dealer.example", at("2026-12-08 12:00"))
	w.run()
	w.run()
	all := p.sent()
	if len(all) != 1 || all[0].To != "demo@dealer.example" || !strings.Contains(all[0].Text, "提前更新，剩余有效期顺延") {
		t.Errorf("%+v", all)
	}
	told, err := w.Reminders.Told(staff(w), c.tenant, c.id)
	if err != nil {
		t.Fatal(err)
	}
	var tries []string
	for _, m := range told.Messages {
		tries = append(tries, m.Channel+" "+m.State)
	}
	if strings.Join(tries, ", ") != "sms failed, email sent" {
		t.Errorf("told: %v", tries)
	}
	if told.Next == nil || told.Next.Offset != 1 {
		t.Errorf("next: %+v", told.Next)
	}
}

// The renewal order: one per certificate and term, filled in with last time's answers, at today's price, withdrawn when it no
// longer applies. Two processes at once open one.
func TestRenewalOrder(t *testing.T) {
	t.Parallel()
	for slug, product := range map[string]string{"byd": "BYD-GQGX", "kinglong": "CERT272353"} {
		t.Run(slug, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, at("2026-12-01 10:00"), 0, &post{})
			c := w.add(slug, product, "13800138000", "demo@dealer.example", at("2026-12-31 12:00"))
			if _, err := w.Reminders.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if _, err := w.Reminders.OpenOrders(t.Context(), 10); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			all, n, err := w.Orders.List(staff(w), c.tenant, order.Filter{OldCert: c.id})
			if err != nil || n != 1 {
				t.Fatalf("%d orders, %v", n, err)
			}
			o := all[0]
			made, _ := w.tenant(slug).Product(product)
			if o.Product != made.RenewedBy || o.State != order.Draft || o.Account != c.account || o.TotalFen == 0 || o.LapsesAt != nil {
				t.Errorf("%+v", o)
			}
			if o.Answers["org_name"] != "演示供应商001有限公司" || o.Answers["mobile"] != "13800138000" || o.Answers["email"] != "demo@dealer.example" || o.Answers["eligible"] != "" {
				t.Errorf("answers: %v", o.Answers)
			}
			w.revoked(c)
			if r, err := w.Reminders.Withdraw(t.Context(), 10); err != nil || r.Withdrawn != 1 {
				t.Errorf("%+v, %v", r, err)
			}
			all, _, err = w.Orders.List(staff(w), c.tenant, order.Filter{OldCert: c.id})
			if err != nil || all[0].State != order.Cancelled {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
}

// A link shows a masked name and nothing else, leads on while it is good, and says why when it is not.
func TestLinks(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	c := w.add("kinglong", "CERT272353", "13800138000", "", at("2026-12-31 12:00"))
	w.run()
	all := p.sent()
	if len(all) != 1 {
		t.Fatalf("%d messages", len(all))
	}
	_, token, _ := strings.Cut(all[0].Params["link"], "/r/")
	l, err := w.Reminders.OpenLink(t.Context(), c.tenant, token)
	if err != nil || l.Closed != "" || l.Company != "演示********公司" || l.Mobile() != "13800138000" || l.Certificate != c.id {
		t.Errorf("%+v %v", l, err)
	}
	if n := w.count(`SELECT count(*) FROM reminder_links WHERE encode(token_hash, 'escape') LIKE '%' || $1 || '%'`, token); n != 0 {
		t.Error("the token itself is stored")
	}
	altered := []byte(token)
	altered[3] ^= 1
	for _, bad := range []string{string(altered), "", "x", token + "A", strings.Repeat("A", 4000)} {
		if _, err := w.Reminders.OpenLink(t.Context(), c.tenant, bad); !errors.Is(err, fault.NotFound) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	if _, err := w.Reminders.OpenLink(t.Context(), w.tenant("byd").ID(), token); !errors.Is(err, fault.NotFound) {
		t.Errorf("at another tenant: %v", err)
	}
	// somebody else's login does not get in; the holder's does
	other := authz.WithPrincipal(t.Context(), authz.Principal{Kind: authz.Dealer, ID: w.authority, Tenant: c.tenant})
	if _, err := w.Reminders.Renew(other, c.tenant, c.id); !errors.Is(err, fault.NotFound) {
		t.Errorf("for somebody else: %v", err)
	}
	me := authz.WithPrincipal(t.Context(), authz.Principal{Kind: authz.Dealer, ID: c.account, Tenant: c.tenant})
	offer, err := w.Reminders.Renew(me, c.tenant, c.id)
	if err != nil || offer.Order.State != order.Draft || offer.ToldFen != nil {
		t.Fatalf("%+v %v", offer, err)
	}
	if got := offer.Renewal.NotAfter; !got.Equal(at("2027-12-31 12:00")) {
		t.Errorf("renewed today it is valid to %s: a day was lost", got)
	}
	// the price changes between message and confirmation
	w.republish("kinglong", "products/gengxin.yaml", func(s string) string { return strings.Replace(s, "unit: 180.00", "unit: 190.00", 1) })
	again, err := w.Reminders.Renew(me, c.tenant, c.id)
	if err != nil || again.ToldFen == nil || *again.ToldFen != offer.Order.TotalFen || again.Order.TotalFen == offer.Order.TotalFen || again.Order.ID != offer.Order.ID {
		t.Errorf("after a change of price: %+v %v", again, err)
	}
	w.ordered(c)
	if l, err := w.Reminders.OpenLink(t.Context(), c.tenant, token); err != nil || l.Closed != reminder.LinkRenewed {
		t.Errorf("after the renewal: %+v %v", l, err)
	}
}

// Pictures that are young enough stand for the renewal; a letter never does, and nothing stands twice.
func TestDocumentsThatStand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, at("2026-12-01 10:00"), 0, &post{})
	c := w.add("kinglong", "CERT272353", "13800138000", "", at("2026-12-31 12:00"))
	state := func(id uuid.UUID, to string) {
		w.in(c.tenant, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE orders SET state = $3::text::order_state, completed_at = $4, submitted_at = $4 WHERE tenant_id = $1 AND id = $2`, c.tenant, id, to, w.clock.Now())
			return err
		})
	}
	state(c.order, "draft")
	ctx := authz.WithPrincipal(t.Context(), authz.Principal{Kind: authz.Dealer, ID: c.account, Tenant: c.tenant})
	if _, err := w.Materials.Upload(ctx, c.tenant, c.order, "licence_image", "a.jpg", materialtest.Page{}.JPEG(t)); err != nil {
		t.Fatal(err)
	}
	state(c.order, "completed")
	w.run()
	renewal := w.renewalOf(c)
	if renewal.Answers["licence_image"] == "" || renewal.Answers["letter"] != "" {
		t.Errorf("answers: %v", renewal.Answers)
	}
	// the renewal's own certificate a year later: the licence was taken over once, so it is asked anew
	state(renewal.ID, "completed")
	w.in(c.tenant, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE certificates SET order_id = $3, not_after = $4, product = $5 WHERE tenant_id = $1 AND id = $2`, c.tenant, c.id, renewal.ID, at("2027-01-15 12:00"), renewal.Product)
		if err == nil {
			_, err = tx.Exec(ctx, `UPDATE renewals SET state = 'withdrawn' WHERE tenant_id = $1 AND certificate_id = $2`, c.tenant, c.id)
		}
		return err
	})
	w.clock.Set(at("2026-12-16 10:00"))
	w.run()
	if again := w.renewalOf(c); again.ID == renewal.ID || again.Answers["licence_image"] != "" {
		t.Errorf("a second time: %v", again.Answers)
	}
}

// renewalOf is the newest order about a certificate.
func (w *world) renewalOf(c cell) order.Order {
	w.t.Helper()
	all, _, err := w.Orders.List(staff(w), c.tenant, order.Filter{OldCert: c.id})
	if err != nil || len(all) == 0 {
		w.t.Fatalf("%d orders, %v", len(all), err)
	}
	return all[0]
}

// A person with many certificates is not told day after day; what ends today or tomorrow is said all the same.
func TestCapOfAMonth(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-11-30 10:00"), 0, p) // a Monday
	w.Reminders.Limits.Month = 2
	for i := range 4 {
		w.add("byd", "BYD-GQGX", "13800138000", "", at("2026-12-07 12:00").AddDate(0, 0, i)) // seven days before: Monday to Thursday
	}
	for range 5 {
		w.run()
		w.clock.Advance(24 * time.Hour)
	}
	if n := len(p.sent()); n != 2 {
		t.Errorf("%d messages in a week, want 2", n)
	}
	w.clock.Set(at("2026-12-06 10:00")) // tomorrow the first ends
	w.run()
	if n := len(p.sent()); n != 3 {
		t.Errorf("%d messages on the eve, want 3", n)
	}
}
