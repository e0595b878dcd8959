package portal_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"certsaas/core/authz"
	questions "certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

// installHarbour publishes a pack that shares nothing with the two of the program.
func (w *world) installHarbour() {
	w.T.Helper()
	def, problems := tenant.Load(tenants.Base(), os.DirFS("../core/tenant/testdata/packs/harbour"))
	if err := problems.Err(); err != nil {
		w.T.Fatal(err)
	}
	if _, err := w.Releases.Install(authz.WithPrincipal(w.T.Context(), authz.System("platform/packs")), def); err != nil {
		w.T.Fatal(err)
	}
}

// Every product of every pack can be handed in by nothing but its own definition: entry, login, pages, pictures, letter,
// confirmation. Seeds walk different branches (three natures of an organisation).
// req: B22 B37 B46 K30
func TestEveryProductCanBeHandedIn(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		slug, code string
		seed       int
		choose     map[string]string
		end        order.State
	}{
		{"byd", "BYD-GQGX", 1, map[string]string{"org_nature": "company", "merged": "no"}, order.AwaitingPayment},
		{"byd", "BYD-GQGX", 2, map[string]string{"org_nature": "person"}, order.AwaitingPayment},
		{"byd", "BYD-GQGX", 3, map[string]string{"org_nature": "institution", "invoice_wanted": "yes", "invoice_kind": "paper"}, order.AwaitingPayment},
		{"kinglong", "CERT272353", 4, map[string]string{"id_type": "passport", "id_no": "E12345678"}, order.AwaitingPayment},
		{"kinglong", "CERT272354", 5, nil, order.AwaitingPayment},
		{"harbour", "HB-REPLACE", 6, map[string]string{"signer": "other"}, order.InReview},
		{"harbour", "HB-UNLOCK", 7, nil, order.InReview},
		{"harbour", "HB-MEMBER", 8, nil, order.InReview},
	} {
		t.Run(fmt.Sprintf("%s/%s/%d", x.slug, x.code, x.seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if x.slug == "harbour" {
				w.installHarbour()
			}
			k := walker{w: w, t: t, slug: x.slug, mobile: fmt.Sprintf("1380013%04d", x.seed), choose: x.choose}
			k.item, _ = w.Tenant(x.slug).Product(x.code)
			equal(t, "state", x.end, k.walk(x.seed).State)
		})
	}
}

// walker is an applicant who knows only what the pages ask.
type walker struct {
	w            *world
	t            *testing.T
	b            *browser
	slug, mobile string
	item         tenant.Product
	choose       map[string]string
	answers      questions.Answers
}

func (k *walker) walk(seed int) order.Order {
	k.t.Helper()
	host := k.slug + ".localhost:8080"
	if k.item.Account == "register_first" {
		k.b = k.w.registered(host, k.mobile)
		if len(k.item.Eligibility.OldKey) > 0 {
			k.w.holdsOf(k.slug, k.item.Code, k.mobile, "Sample Forwarders Ltd", "KEY1", 375*day)
		}
	} else {
		k.b = k.w.browser(host)
	}
	env := questions.Env{Now: k.w.Clock.Now(), Source: func(string) string { return k.mobile }}
	k.answers = k.item.Form.Sample(seed, env)
	for key, v := range k.choose {
		k.answers[key] = v
	}
	for fd := range k.item.Form.Fields() { // branches that the choices opened
		if k.answers[fd.Key] == "" && !fd.IsFile() {
			one := questions.Form{Groups: []questions.Group{{Fields: []questions.Field{{Key: fd.Key, Type: fd.Type, Options: fd.Options, Validator: fd.Validator, Sample: fd.Sample, Min: fd.Min}}}}}
			k.answers[fd.Key] = one.Sample(seed, env)[fd.Key]
		}
	}
	if k.item.Account != "register_first" {
		k.answers["mobile"] = k.mobile
	}
	p := k.b.submit(k.b.open("/s/"+k.item.Slug), ".band form", "", nil)
	for range 12 {
		at := p.Header.Get("Location")
		if p.Status != 303 {
			k.t.Fatalf("%s = %d: %v\n%s", p.Path, p.Status, p.errors(), p.text("[data-error-summary]"))
		}
		switch {
		case strings.Contains(at, "/fill/"):
			p = k.fill(k.b.open(at))
		case strings.HasSuffix(at, "/confirm"):
			p = k.confirm(k.b.open(at))
		default:
			return k.w.order(k.slug, at)
		}
	}
	k.t.Fatal("the way does not end")
	return order.Order{}
}

// fill answers one page of the form.
func (k *walker) fill(p page) page {
	k.t.Helper()
	step := p.Path[strings.LastIndex(p.Path, "/")+1:]
	typed, files := map[string]string{}, map[string]file{}
	part := k.item.Form.Steps(step)
	for fd := range part.Fields() {
		if !fd.IsFile() && !fd.ReadOnly {
			typed[fd.Key] = k.answers[fd.Key]
		}
	}
	p = k.b.submit(p, form, "refresh", typed)
	for fd := range part.Fields() {
		if !fd.IsFile() || !p.shown(fd.Key) {
			continue
		}
		payload := ""
		if fd.Type == questions.Letter {
			if got := k.b.submit(p, form, "letter-pdf", typed); got.Status != 303 {
				k.t.Fatalf("letter = %d: %v", got.Status, got.errors())
			}
			payload = k.b.letterOf(k.slug, k.w.order(k.slug, p.Path)).Payload
		}
		files[fd.Key+"_file"] = file{fd.Key + ".jpg", photo(k.t, 1100+len(fd.Key), 1500, payload, true)}
	}
	p = k.b.submit(p, form, "next", typed, files)
	if p.Status == 200 { // hints, once
		p = k.b.submit(p, form, "next", typed)
	}
	return p
}

func (k *walker) confirm(p page) page {
	k.t.Helper()
	p = k.b.submit(p, "form#confirm", "next", map[string]string{"agree": "yes"})
	if p.Status != 200 {
		return p
	}
	p = k.b.submit(p, "main form", "send", nil)
	return k.b.submit(p, "main form", "submit", map[string]string{"code": k.w.code(k.mobile)})
}
