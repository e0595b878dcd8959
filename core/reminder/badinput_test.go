package reminder_test

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/reminder"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

// Bad input of reminders and of what they lead to (issue 4 §4.6). A price that changed is driven on its page, too
// (portal, TestPriceChangedBetweenMessageAndConfirmation).

// A mobile that is not one is not handed to a provider: the next contact is told, and where there is none people are.
func TestBadInputMobileThatIsNotOne(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	for _, mobile := range []string{"12345678901", "1380013800", "0592-1234567"} {
		w.add("kinglong", "CERT272353", mobile, "", at("2026-12-08 12:00"))
	}
	mailed := w.add("byd", "BYD-GQGX", "13800", "demo@dealer.example", at("2026-12-08 12:00"))
	w.run()
	w.run()
	all := p.sent()
	if len(all) != 1 || all[0].To != "demo@dealer.example" {
		t.Errorf("%+v", all)
	}
	if n := w.count(`SELECT count(*) FROM reminder_tasks WHERE kind = 'no_contact' AND done_at IS NULL`); n != 3 {
		t.Errorf("%d tasks, want 3", n)
	}
	if r := w.rows(mailed); r[len(r)-1].State != "sent" {
		t.Errorf("%+v", r)
	}
}

// What a link does in the wrong hands or at the wrong time.
func TestBadInputLinks(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	c := w.add("kinglong", "CERT272353", "13800138000", "", at("2026-12-31 12:00"))
	stranger := w.add("kinglong", "CERT272353", "13800138009", "", at("2028-12-31 12:00"))
	w.run()
	_, token, _ := strings.Cut(p.sent()[0].Params["link"], "/r/")
	open := func() (reminder.Link, error) { return w.Reminders.OpenLink(t.Context(), c.tenant, token) }
	t.Run("used by someone else", func(t *testing.T) {
		if _, err := w.Reminders.Renew(dealer(w, c.tenant, stranger.account), c.tenant, c.id); !errors.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
		if l, err := open(); err != nil || strings.Contains(l.Company, "供应商") {
			t.Errorf("more than a masked name: %+v, %v", l, err)
		}
	})
	t.Run("altered", func(t *testing.T) {
		for i := range token {
			altered := []byte(token)
			altered[i] ^= 1
			if _, err := w.Reminders.OpenLink(t.Context(), c.tenant, string(altered)); !errors.Is(err, fault.NotFound) {
				t.Errorf("character %d: %v", i, err)
			}
		}
	})
	t.Run("used twice", func(t *testing.T) {
		me := dealer(w, c.tenant, c.account)
		first, err := w.Reminders.Renew(me, c.tenant, c.id)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := w.Reminders.Renew(me, c.tenant, c.id); err != nil || again.Order.ID != first.Order.ID {
			t.Errorf("a second order: %+v, %v", again.Order, err)
		}
	})
	t.Run("after the renewal", func(t *testing.T) {
		w.ordered(c)
		if l, err := open(); err != nil || l.Closed != reminder.LinkRenewed {
			t.Errorf("%+v, %v", l, err)
		}
		n := len(p.sent())
		w.clock.Advance(20 * 24 * time.Hour)
		w.run()
		if len(p.sent()) != n {
			t.Errorf("told after the renewal: %+v", p.sent()[n:])
		}
	})
}

// A text that lost a placeholder, or asks for one that nobody fills, is refused before it is published, with its place.
func TestBadInputTemplateThatLostAPlaceholder(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string][2]string{
		"no link":            {"请及时办理更新：{link}", "请及时办理更新"},
		"unknown":            {"将于 {date} 到期（还有 {days} 天），请及时办理更新：{link}", "将于 {dat} 到期：{link}"},
		"one language alone": {"expires on {date} (in {days} days). Please renew it in time: {link}", "expires in {days} days. Please renew it in time: {link}"},
	} {
		def, problems := tenant.Load(tenants.Base(), tenants.Pack("byd"))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		base := map[string]string{}
		for k, v := range def.Base {
			base[k] = v
		}
		base["messages.yaml"] = strings.Replace(base["messages.yaml"], edit[0], edit[1], 1)
		if base["messages.yaml"] == def.Base["messages.yaml"] {
			t.Fatalf("%s: the text is another one", name)
		}
		def.Base = base
		if _, problems := tenant.Compile(def); len(problems) == 0 || !strings.Contains(problems.Err().Error(), "remind_before") {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// A product that is sold no more since: no message goes out, a link that went out says so, and nothing can be renewed by it.
func TestBadInputProductWithdrawnSince(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	c := w.add("kinglong", "CERT272353", "13800138000", "", at("2026-12-31 12:00"))
	w.run()
	_, token, _ := strings.Cut(p.sent()[0].Params["link"], "/r/")
	w.clock.Set(at("2026-12-16 10:00"))
	if _, err := w.Reminders.Sweep(t.Context()); err != nil { // fifteen days before: a row waits
		t.Fatal(err)
	}
	if _, err := w.Reminders.FormNotices(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	w.withdraw("kinglong", "chugou")
	w.run()
	if n := len(p.sent()); n != 1 {
		t.Errorf("%d messages, want the first alone", n)
	}
	rows := w.rows(c)
	if r := rows[len(rows)-1]; r.State != "cancelled" || r.Reason != "product_gone" {
		t.Errorf("%+v", r)
	}
	if l, err := w.Reminders.OpenLink(t.Context(), c.tenant, token); err != nil || l.Closed != reminder.LinkGone {
		t.Errorf("%+v, %v", l, err)
	}
	if o, err := w.Reminders.Renew(dealer(w, c.tenant, c.account), c.tenant, c.id); err != nil || !o.Gone {
		t.Errorf("%+v, %v", o, err)
	}
}

// withdraw publishes a release of a tenant without one of its products.
func (w *world) withdraw(slug, product string) {
	w.t.Helper()
	ctx := authz.WithPrincipal(w.t.Context(), authz.System("test"))
	stored, err := w.Releases.Release(ctx, tenant.IDOf(slug), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	def := stored.Definition
	def.Files = maps.Clone(def.Files)
	delete(def.Files, "products/"+product+".yaml")
	def.Files["tenant.yaml"] = strings.Replace(def.Files["tenant.yaml"], product+", ", "", 1)
	done, err := w.Releases.Apply(ctx, def, tenant.AnyRelease)
	if err == nil {
		err = w.Releases.Publish(ctx, tenant.IDOf(slug), done.Number)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// A price that changed between message and confirmation is told with both amounts, and the order has the new one.
func TestBadInputPriceChanged(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	c := w.add("kinglong", "CERT272353", "13800138000", "", at("2026-12-31 12:00"))
	w.run()
	w.republish("kinglong", "products/gengxin.yaml", func(s string) string { return strings.Replace(s, "unit: 180.00", "unit: 190.00", 1) })
	o, err := w.Reminders.Renew(dealer(w, c.tenant, c.account), c.tenant, c.id)
	if err != nil || o.ToldFen == nil || *o.ToldFen != 18000 || o.Order.TotalFen != 19000 {
		t.Errorf("%+v, %v", o, err)
	}
}
