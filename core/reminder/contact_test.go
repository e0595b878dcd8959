package reminder_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/material/materialtest"
	"certsaas/core/order"
)

const oldMobile, newMobile = "13800138000", "13800138555"

var browser = account.Client{Browser: "one browser", IP: netip.MustParseAddr("192.0.2.7")}

// code asks for a code to give a certificate over and reads it from the message.
func (w *world) code(p *post, tenantID uuid.UUID, mobile string) string {
	w.t.Helper()
	w.clock.Advance(2 * time.Minute) // between two codes
	if _, err := w.Accounts.SendCode(w.t.Context(), tenantID, account.CodeRequest{Purpose: account.PurposeContact, Mobile: mobile, Client: browser, Locale: "zh-CN"}); err != nil {
		w.t.Fatal(err)
	}
	all := p.sent()
	m := all[len(all)-1]
	if m.To != mobile {
		w.t.Fatalf("the code went to %s", m.To)
	}
	return m.Params["code"]
}

func dealer(w *world, tenantID, id uuid.UUID) context.Context {
	return authz.WithPrincipal(w.t.Context(), authz.Principal{Kind: authz.Dealer, ID: id, Tenant: tenantID})
}

// person is a member of the staff by number.
func person(w *world, n byte) context.Context {
	id := w.authority
	id[15] ^= n
	return authz.WithPrincipal(w.t.Context(), authz.Principal{Kind: authz.Staff, ID: id, Name: "演示审核员" + string('0'+rune(n)), Roles: []string{authz.RoleReviewer}})
}

// A holder gives his certificate over to another mobile with a code to each (issue 4 §1): what was about to be said goes to the
// new one, the link and the renewal are the new one's, the old one is told and gets nothing any more.
func TestGiveOverByCodes(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	c := w.add("byd", "BYD-GQGX", oldMobile, "old@dealer.example", at("2026-12-31 12:00"))
	other := w.add("byd", "BYD-GQGX", "13800138009", "", at("2027-12-31 12:00"))
	w.run()
	link := p.sent()[0].Params["link"]
	_, token, _ := strings.Cut(link, "/r/")
	first := w.renewalOf(c)
	w.clock.Set(at("2026-12-16 10:00")) // fifteen days before: a message is formed and not sent yet
	for _, step := range []func(context.Context, int) (int, error){func(ctx context.Context, _ int) (int, error) { _, err := w.Reminders.Sweep(ctx); return 0, err }, w.Reminders.FormNotices} {
		if _, err := step(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
	}
	me := dealer(w, c.tenant, c.account)
	if err := w.Reminders.ProveOld(dealer(w, c.tenant, other.account), c.tenant, c.id, "123456", browser); !errors.Is(err, fault.NotFound) {
		t.Errorf("somebody else's certificate: %v", err)
	}
	if err := w.Reminders.GiveOver(me, c.tenant, c.id, newMobile, w.code(p, c.tenant, newMobile), browser); !errors.Is(err, fault.Precondition) {
		t.Errorf("without the old mobile's code: %v", err)
	}
	right := w.code(p, c.tenant, oldMobile)
	if err := w.Reminders.ProveOld(me, c.tenant, c.id, wrong(right), browser); !errors.Is(err, fault.Invalid) {
		t.Errorf("a wrong code: %v", err)
	}
	if err := w.Reminders.ProveOld(me, c.tenant, c.id, right, browser); err != nil {
		t.Fatal(err)
	}
	if h, err := w.Reminders.Holding(me, c.tenant, c.id); err != nil || !h.Proved || h.Mobile != oldMobile {
		t.Errorf("%+v, %v", h, err)
	}
	w.clock.Advance(16 * time.Minute)
	if err := w.Reminders.GiveOver(me, c.tenant, c.id, newMobile, w.code(p, c.tenant, newMobile), browser); !errors.Is(err, fault.Precondition) {
		t.Errorf("a proof of a quarter of an hour ago: %v", err)
	}
	if err := w.Reminders.ProveOld(me, c.tenant, c.id, w.code(p, c.tenant, oldMobile), browser); err != nil {
		t.Fatal(err)
	}
	if err := w.Reminders.GiveOver(me, c.tenant, c.id, oldMobile, w.code(p, c.tenant, oldMobile), browser); !errors.Is(err, fault.Invalid) {
		t.Errorf("to itself: %v", err)
	}
	if err := w.Reminders.GiveOver(me, c.tenant, c.id, newMobile, w.code(p, c.tenant, newMobile), browser); err != nil {
		t.Fatal(err)
	}
	all := p.sent()
	if m := all[len(all)-1]; m.To != oldMobile || m.Template != "remind_old" || !strings.Contains(m.Text, "138****8555") || strings.Contains(m.Text, newMobile) || strings.Contains(m.Text, "/r/") {
		t.Errorf("the old contact is told: %+v", m.Message)
	}
	given(t, w, p, c, token, first)
}

// wrong is another code.
func wrong(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

// given checks what follows when a certificate has been given over.
func given(t *testing.T, w *world, p *post, c cell, token string, first order.Order) {
	t.Helper()
	n := len(p.sent())
	w.run()
	w.run()
	fresh := p.sent()[n:]
	if len(fresh) != 1 || fresh[0].To != newMobile || fresh[0].Template != "remind_before" {
		t.Fatalf("the next reminder: %+v", fresh)
	}
	if l, err := w.Reminders.OpenLink(t.Context(), c.tenant, token); err != nil || l.Closed == "" {
		t.Errorf("the old link leads on: %+v, %v", l, err)
	}
	_, token, _ = strings.Cut(fresh[0].Params["link"], "/r/")
	l, err := w.Reminders.OpenLink(t.Context(), c.tenant, token)
	if err != nil || l.Closed != "" || l.Mobile() != newMobile {
		t.Errorf("the new link: %+v, %v", l, err)
	}
	if _, err := w.Reminders.Renew(dealer(w, c.tenant, c.account), c.tenant, c.id); !errors.Is(err, fault.NotFound) {
		t.Errorf("the old login may renew: %v", err)
	}
	offer, err := w.Reminders.Renew(dealer(w, c.tenant, l.Account), c.tenant, c.id)
	if err != nil || offer.Order.ID == first.ID || offer.Order.Account != l.Account || offer.Order.Answers["mobile"] != newMobile || offer.Order.Answers["org_name"] == "" || offer.Order.Answers["email"] != "" {
		t.Errorf("the renewal: %+v, %v", offer.Order, err)
	}
	if o, err := w.Orders.Find(staff(w), c.tenant, first.ID); err != nil || o.State != order.Cancelled {
		t.Errorf("the renewal of the old login: %s, %v", o.State, err)
	}
	if n := w.count(`SELECT count(*) FROM audit_entries WHERE action = 'reminder.contact_changed' AND resource = 'certificate/' || $1::text`, c.id.String()); n != 1 {
		t.Errorf("%d audit entries", n)
	}
	if n := w.count(`SELECT count(*) FROM contact_changes WHERE position($1::bytea IN mobile_sealed) > 0`, []byte(newMobile)); n != 0 {
		t.Error("the new mobile lies there in clear")
	}
}

// When the old mobile is lost a sealed paper proves it: one person files it, another agrees, the new mobile takes its own code.
func TestGiveOverByPaper(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	c := w.add("byd", "BYD-GQGX", oldMobile, "", at("2026-12-31 12:00"))
	w.run()
	_, old, _ := strings.Cut(p.sent()[0].Params["link"], "/r/")
	first := w.renewalOf(c)
	w.clock.Set(at("2026-12-16 10:00"))
	paper := materialtest.Page{}.JPEG(t)
	a, b := person(w, 1), person(w, 2)
	for name, bad := range map[string]error{
		"mobile": w.Reminders.AskByPaper(a, c.tenant, c.id, "12345", "手机遗失", paper), "reason": w.Reminders.AskByPaper(a, c.tenant, c.id, newMobile, " ", paper),
		"file": w.Reminders.AskByPaper(a, c.tenant, c.id, newMobile, "手机遗失", []byte("no picture")),
	} {
		if f := fault.From(bad); f == nil || len(f.Fields) != 1 || f.Fields[0].Name != name {
			t.Errorf("%s: %v", name, bad)
		}
	}
	if err := w.Reminders.AskByPaper(a, c.tenant, c.id, newMobile, "手机遗失", paper); err != nil {
		t.Fatal(err)
	}
	if err := w.Reminders.AskByPaper(b, c.tenant, c.id, newMobile, "手机遗失", paper); !errors.Is(err, fault.Conflict) {
		t.Errorf("a second one: %v", err)
	}
	if err := w.Reminders.Decide(a, c.tenant, c.id, true); !errors.Is(err, fault.Conflict) {
		t.Errorf("who filed it agrees: %v", err)
	}
	if picture, err := w.Reminders.Paper(b, c.tenant, c.id); err != nil || len(picture) < 1000 {
		t.Errorf("%d bytes, %v", len(picture), err)
	}
	if err := w.Reminders.Decide(b, c.tenant, c.id, true); err != nil {
		t.Fatal(err)
	}
	all := p.sent()
	m := all[len(all)-1]
	_, token, ok := strings.Cut(m.Params["link"], "/c/")
	if m.To != newMobile || !ok || m.Template != "remind_new" || strings.Contains(m.Text, "演示供应商") {
		t.Fatalf("%+v", m)
	}
	if l, err := w.Reminders.OpenLink(t.Context(), c.tenant, old); err != nil || l.Closed != "" {
		t.Errorf("nothing has happened yet, and the old link is closed: %+v, %v", l, err)
	}
	i, err := w.Reminders.OpenInvitation(t.Context(), c.tenant, token)
	if err != nil || strings.Contains(i.Company, "供应商") || i.Mobile() != newMobile {
		t.Errorf("%+v, %v", i, err)
	}
	for _, bad := range []string{"", "x" + token, token + "A", old} {
		if _, err := w.Reminders.OpenInvitation(t.Context(), c.tenant, bad); !errors.Is(err, fault.NotFound) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	right := w.code(p, c.tenant, newMobile)
	if err := w.Reminders.Accept(t.Context(), c.tenant, token, wrong(right), browser); !errors.Is(err, fault.Invalid) {
		t.Errorf("a wrong code: %v", err)
	}
	if err := w.Reminders.Accept(t.Context(), c.tenant, token, right, browser); err != nil {
		t.Fatal(err)
	}
	if err := w.Reminders.Accept(t.Context(), c.tenant, token, right, browser); !errors.Is(err, fault.NotFound) {
		t.Errorf("twice: %v", err)
	}
	given(t, w, p, c, old, first)
}

// A paper that is refused, or that nobody brought to its end in two weeks, changes nothing and is not kept.
func TestPaperRefusedOrForgotten(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	c := w.add("byd", "BYD-GQGX", oldMobile, "", at("2027-06-30 12:00"))
	a, b := person(w, 1), person(w, 2)
	ask := func() {
		t.Helper()
		if err := w.Reminders.AskByPaper(a, c.tenant, c.id, newMobile, "手机遗失", materialtest.Page{}.JPEG(t)); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	if err := w.Reminders.Decide(b, c.tenant, c.id, false); err != nil {
		t.Fatal(err)
	}
	ask()
	w.clock.Advance(15 * 24 * time.Hour)
	if err := w.Reminders.Decide(b, c.tenant, c.id, true); !errors.Is(err, fault.NotFound) {
		t.Errorf("after two weeks: %v", err)
	}
	ask()
	if n := w.count(`SELECT count(*) FROM contact_changes WHERE state = 'refused' AND paper_sealed IS NULL`); n != 2 {
		t.Errorf("%d refused without their paper", n)
	}
	if len(p.sent()) != 0 {
		t.Errorf("somebody was told: %+v", p.sent())
	}
	w.in(c.tenant, func(ctx context.Context, tx *db.Tx) error {
		var account uuid.UUID
		err := tx.QueryRow(ctx, `SELECT account_id FROM certificates WHERE tenant_id = $1 AND id = $2`, c.tenant, c.id).Scan(&account)
		if account != c.account {
			t.Error("the certificate went over")
		}
		return err
	})
}
