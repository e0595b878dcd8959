package reminder_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"certsaas/core/authz"
	"certsaas/core/channel"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/reminder"
)

// onboarding is who may set a tenant's contacts.
func onboarding(w *world) context.Context {
	return authz.WithPrincipal(w.t.Context(), authz.Principal{Kind: authz.Staff, ID: w.authority, Name: "演示接入员", Roles: []string{authz.RoleOnboarding}})
}

// unreachable is a provider to which the given receivers do not exist.
func unreachable(p *post, who ...string) {
	p.fail = func(m channel.Message) error {
		if slices.Contains(who, m.To) {
			return fault.New(fault.Invalid, "channel.failed")
		}
		return nil
	}
}

// ledger is every try in the ledger of a certificate, as "event channel state".
func ledger(w *world, c cell) []string {
	w.t.Helper()
	all, err := w.Reminders.Told(staff(w), c.tenant, c.id)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, m := range all.Messages {
		out = append(out, m.Event+" "+m.Channel+" "+m.State)
	}
	return out
}

// The whole ladder (issue 4 §1): the order's mobile, its e-mail, the enterprise's contact of the dealer, the enterprise's
// administrator, people. Who is not the holder reads whose key ends and when, and nothing that leads into it.
func TestLadderToRosterContactAndAdministrator(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	const contact, administrator = "13800138777", "dealers@byd-demo.example"
	if err := w.Reminders.SetRoster(onboarding(w), w.tenant("byd").ID(), []reminder.RosterContact{{Code: "AB12345678", Name: "演示联系人", Mobile: contact}, {Code: "OTHER", Mobile: "13800138778"}}); err != nil {
		t.Fatal(err)
	}
	if n := w.count(`SELECT count(*) FROM roster_contacts WHERE position('13800138777'::bytea IN contact_sealed) > 0`); n != 0 {
		t.Error("the contact lies there in clear")
	}
	unreachable(p, "13800138000", "demo@dealer.example")
	c := w.add("byd", "BYD-GQGX", "13800138000", "demo@dealer.example", at("2026-12-08 12:00"))
	w.in(c.tenant, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE certificates SET token_serial = 'TW-DEMO-4711' WHERE tenant_id = $1 AND id = $2`, c.tenant, c.id)
		return err
	})
	for range 3 {
		w.run()
	}
	all := p.sent()
	if len(all) != 1 || all[0].To != contact || all[0].Template != "remind_roster" {
		t.Fatalf("the roster's contact: %+v", all)
	}
	reveals(t, all[0].Message, "演示供应商001有限公司", "4711", "2026-12-08")
	if got, want := ledger(w, c), []string{"remind_before sms failed", "remind_before email failed", "remind_roster sms sent"}; !slices.Equal(got, want) {
		t.Errorf("ledger: %v, want %v", got, want)
	}
	rows := w.rows(c)
	if r := rows[len(rows)-1]; r.State != "undeliverable" || r.Reason != "told_others" {
		t.Errorf("the holder himself: %+v", r)
	}
	if n := w.count(`SELECT count(*) FROM reminder_tasks WHERE certificate_id = $1 AND done_at IS NULL`, c.id); n != 1 {
		t.Errorf("%d tasks for people, want 1", n)
	}
	// a day on which others are told, and the roster's contact is not there any more either
	unreachable(p, "13800138000", "demo@dealer.example", contact)
	w.clock.Set(at("2026-12-07 10:00"))
	for range 4 {
		w.run()
	}
	all = p.sent()
	if len(all) != 2 || all[1].To != administrator || all[1].Template != "remind_admin" {
		t.Fatalf("the administrator: %+v", all[1:])
	}
	reveals(t, all[1].Message, "演示供应商001有限公司", "4711", "2026-12-08")
	// … and one on which they are not
	w.clock.Set(at("2026-12-08 10:00"))
	for range 4 {
		w.run()
	}
	if n := len(p.sent()); n != 2 {
		t.Errorf("%d messages on a day that is not others'", n)
	}
}

// reveals checks that a message to somebody who is not the holder says what it must and no more.
func reveals(t *testing.T, m channel.Message, want ...string) {
	t.Helper()
	text := m.Subject + m.Text
	for _, v := range m.Params {
		text += v
	}
	for _, x := range want {
		if !strings.Contains(m.Text, x) {
			t.Errorf("no %q in %s", x, m.Text)
		}
	}
	for _, secret := range []string{"/r/", "13800138000", "demo@dealer.example", "92440300MA5FGH1265", "演示经办人", "AB12345678", "TW-DEMO"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is revealed: %s %v", secret, m.Text, m.Params)
		}
	}
}

// A person who looks after two dealers' keys has one message; when he cannot be reached each dealer's contact reads of that
// dealer alone, and where the enterprise knows none its administrator does.
func TestEachDealersContactReadsOfItAlone(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	const administrator = "suppliers@kinglong-demo.example"
	w.republish("kinglong", "tenant.yaml", func(s string) string { return s + "\nadministrator: {email: " + administrator + "}\n" })
	unreachable(p, "13800138000")
	one := w.add("kinglong", "CERT272353", "13800138000", "", at("2026-12-08 12:00"))
	two := w.add("kinglong", "CERT272353", "13800138000", "", at("2026-12-08 13:00"))
	w.answer(two, "org_code_any", "91350200MA2XYKHT6G")
	if err := w.Reminders.SetRoster(onboarding(w), one.tenant, []reminder.RosterContact{{Code: "92440300MA5FGH1265", Email: "one@dealer.example"}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.run()
	}
	got := map[string]string{}
	for _, m := range p.sent() {
		got[m.To] += m.Text
	}
	if len(got) != 2 || !strings.Contains(got["one@dealer.example"], "演示供应商001有限公司") || strings.Contains(got["one@dealer.example"], "002") ||
		!strings.Contains(got[administrator], "演示供应商002有限公司") || strings.Contains(got[administrator], "001") {
		t.Errorf("%v", got)
	}
	w.clock.Advance(time.Hour)
	w.run()
	if n := len(p.sent()); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

// A list of contacts is read line by line; the first that is wrong is named.
func TestParseRoster(t *testing.T) {
	t.Parallel()
	list, err := reminder.ParseRoster("\uFEFF代理商编码,联系人,手机,邮箱\nAB12345678，张演示，138 0013 8000，\n\"CD-1\",,,demo@dealer.example\n")
	if err != nil || len(list) != 2 || list[0] != (reminder.RosterContact{Code: "AB12345678", Name: "张演示", Mobile: "13800138000"}) || list[1].Email != "demo@dealer.example" {
		t.Errorf("%+v, %v", list, err)
	}
	for text, want := range map[string]string{
		"A,x,13800138000,\nB,x,12345,": "reminder.roster_mobile", "A,x,,no": "reminder.roster_email", "A,x,,": "reminder.roster_line", ",x,13800138000,": "reminder.roster_line",
		"A,,13800138000,\nA,,13800138001,": "reminder.roster_twice", "A,\"x,13800138000": "reminder.roster_line",
	} {
		_, err := reminder.ParseRoster(text)
		f := fault.From(err)
		if f == nil || len(f.Fields) != 1 || f.Fields[0].ID != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
