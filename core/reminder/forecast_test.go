package reminder_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"certsaas/core/authz"
	"certsaas/core/tenant"
)

// release is a tenant's published definition with one file changed, compiled and not published.
func (w *world) release(slug, file string, edit func(string) string) *tenant.Tenant {
	w.t.Helper()
	stored, err := w.Releases.Release(authz.WithPrincipal(w.t.Context(), authz.System("test")), tenant.IDOf(slug), w.tenant(slug).Release())
	if err != nil {
		w.t.Fatal(err)
	}
	def := stored.Definition
	def.Files = maps.Clone(def.Files)
	def.Files[file] = edit(def.Files[file])
	out, problems := tenant.Compile(def)
	if err := problems.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// A change of rules is shown before it is published (issue 4 §1), and what it shows is what happens: the days, what is due at
// once, and of each certificate the most urgent alone.
func TestPreviewIsWhatHappens(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	for i, ends := range []string{"2026-12-06", "2026-12-13", "2026-12-19", "2026-12-28", "2027-01-12"} {
		w.add("kinglong", "CERT272353", "1380013800"+string(rune('0'+i)), "", at(ends+" 12:00"))
	}
	w.add("kinglong", "CERT272353", "13800138001", "", at("2026-12-13 13:00")) // the same person's second key
	w.run()
	w.clock.Set(at("2026-12-02 10:00")) // nobody has had today's message
	w.run()
	before := len(p.sent())
	edit := func(s string) string { return s + "\nreminder: {offsets: [45, 20, 10, 5], channels: [sms]}\n" }
	next := w.release("kinglong", "products/chugou.yaml", edit)
	got, err := w.Reminders.Preview(onboarding(w), next, 10)
	if err != nil || got.Same || len(got.Now) != 10 || len(got.Next) != 10 {
		t.Fatalf("%+v, %v", got, err)
	}
	if n := w.count(`SELECT count(*) FROM reminders WHERE offset_days IN (45, 20, 10, 5)`); n != 0 {
		t.Errorf("looking wrote %d rows", n)
	}
	w.republish("kinglong", "products/chugou.yaml", edit)
	w.run()
	w.run()
	sent := p.sent()[before:]
	people, certificates := map[string]bool{}, w.count(`SELECT count(DISTINCT certificate_id) FROM reminders WHERE offset_days IN (45, 20, 10, 5) AND state = 'sent'`)
	for _, m := range sent {
		people[m.To] = true
	}
	if a := got.AtOnce; a.Messages != len(sent) || a.People != len(people) || a.Certificates != certificates || a.Messages == 0 || a.Certificates <= a.Messages {
		t.Errorf("at once: %+v, sent %d to %d about %d", a, len(sent), len(people), certificates)
	}
	if n := w.count(`SELECT count(*) FROM reminders WHERE offset_days IN (45, 20, 10, 5) AND state = 'skipped'`); n != got.Past || n == 0 {
		t.Errorf("%d passed days were noted, %d foretold", n, got.Past)
	}
	for i, d := range got.Next { // what the days bring
		w.clock.Set(at("2026-12-02 10:00").AddDate(0, 0, i+1))
		w.run()
		if n := w.count(`SELECT count(DISTINCT (person, channel)) FROM reminders WHERE due_on = $1::date AND offset_days IN (45, 20, 10, 5)`, d.On.String()); n != d.Messages {
			t.Errorf("%s: %d messages due, %d foretold", d.On, n, d.Messages)
		}
	}
}

// The same rules are said to be the same, whatever else a release changes; who may not see a tenant sees no preview of it.
func TestPreviewOfTheSameRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, at("2026-12-01 10:00"), 0, &post{})
	next := w.release("kinglong", "products/gengxin.yaml", func(s string) string { return strings.Replace(s, "unit: 180.00", "unit: 190.00", 1) })
	if got, err := w.Reminders.Preview(onboarding(w), next, 3); err != nil || !got.Same {
		t.Errorf("%+v, %v", got, err)
	}
	for name, ctx := range map[string]context.Context{"nobody": t.Context(), "a dealer": authz.WithPrincipal(t.Context(), authz.Principal{Kind: authz.Dealer, ID: w.authority, Tenant: next.ID()})} {
		if _, err := w.Reminders.Preview(ctx, next, 3); err == nil {
			t.Errorf("%s may look", name)
		}
	}
}
