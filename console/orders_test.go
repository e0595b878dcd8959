package console_test

import (
	"context"
	"testing"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/form"
	"certsaas/core/material"
	"certsaas/core/material/materialtest"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/tenant"
)

// dealer is the account of a mobile at a tenant.
func (r *rig) dealer(t *testing.T, tn *tenant.Tenant, mobile string) account.Account {
	t.Helper()
	var a account.Account
	err := r.DB.WithTenant(r.As(authz.System("test/dealer")), tn.ID(), func(ctx context.Context, tx *db.Tx) (err error) {
		a, _, err = r.Accounts.FindOrCreate(ctx, tx, mobile)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// placed is an order on its way, and the context of its owner.
type placed struct {
	order.Order
	ctx  context.Context
	slug string
}

func (p placed) path(desk string) string {
	return "/orders/" + p.slug + "/" + p.ID.String() + desk
}

// draft fills the form of a product in, pictures and letter included; change may alter the sample.
func (r *rig) draft(t *testing.T, slug string, product int, change form.Answers) placed {
	t.Helper()
	tn := r.Tenant(slug)
	p := tn.Products()[product]
	mobile := change["mobile"]
	if mobile == "" {
		mobile = "13800138000"
	}
	a := r.dealer(t, tn, mobile)
	ctx := r.As(a.Principal())
	source := func(path string) string {
		if path == "account.mobile" {
			return mobile
		}
		return ""
	}
	o, err := r.Orders.Start(ctx, order.Begin{Tenant: tn, Product: p, Account: a.ID, Source: source})
	if err != nil {
		t.Fatal(err)
	}
	typed := form.Answers{"mobile": mobile}
	for k, v := range change {
		typed[k] = v
	}
	for seed := range 12 {
		for k, v := range p.Form.Sample(seed, form.SampleEnv()) {
			if _, there := typed[k]; !there {
				typed[k] = v
			}
		}
	}
	x := placed{Order: o, ctx: ctx, slug: slug}
	r.answer(t, &x, p, typed)
	return x
}

// answer saves every step, then uploads what the form asks for.
func (r *rig) answer(t *testing.T, x *placed, p tenant.Product, typed form.Answers) {
	t.Helper()
	save := func() {
		for _, st := range p.StepsAt("order") {
			o, res, err := r.Orders.SaveStep(x.ctx, x.Tenant, x.ID, st.ID, typed)
			if err != nil {
				t.Fatal(err)
			}
			for _, pr := range res.Problems {
				if fd, _ := p.Form.Field(pr.Field); !fd.IsFile() {
					t.Fatalf("%s: %s: %s %v", st.ID, pr.Field, pr.ID, pr.Args)
				}
			}
			x.Order = o
		}
	}
	save()
	r.upload(t, *x, p)
}

// upload hands in a picture for every file field that is asked for.
func (r *rig) upload(t *testing.T, x placed, p tenant.Product) {
	t.Helper()
	o, err := r.Orders.Find(x.ctx, x.Tenant, x.ID)
	if err != nil {
		t.Fatal(err)
	}
	for fd := range p.Form.Fields() {
		if !fd.IsFile() || !p.Form.Visible(o.Answers, nil)[fd.Key] || (o.State == order.Rejected && fd.Type != form.Letter) {
			continue
		}
		pic := materialtest.Page{Text: fd.Label.In("zh-CN") + " " + o.Organisation() + " 演示样张 " + o.Number, Seal: true}
		if fd.Type == form.Letter {
			l, err := r.Letters.Current(x.ctx, x.Tenant, x.ID)
			if err != nil {
				t.Fatal(err)
			}
			pic.QR = l.Payload
		}
		if _, err := r.Materials.Upload(x.ctx, x.Tenant, x.ID, fd.Key, fd.Key+".jpg", pic.JPEG(t)); err != nil {
			t.Fatalf("%s: %v", fd.Key, err)
		}
	}
}

// submitted is a draft handed in.
func (r *rig) submitted(t *testing.T, slug string, product int, change form.Answers) placed {
	t.Helper()
	x := r.draft(t, slug, product, change)
	p, _ := r.Tenant(slug).Product(x.Product)
	agreed := ""
	if p.Confirm.Agreement != "" {
		agreed = p.Confirm.Agreement
	}
	o, err := r.Orders.Submit(x.ctx, x.Tenant, x.ID, order.Submission{Agreed: agreed, Account: x.Account})
	if err != nil {
		t.Fatal(err)
	}
	x.Order = o
	return x
}

// inReview is an order that is paid and waits for a reviewer.
func (r *rig) inReview(t *testing.T, slug string, product int, change form.Answers) placed {
	t.Helper()
	x := r.submitted(t, slug, product, change)
	if x.State == order.AwaitingPayment {
		pay, err := r.Payments.Begin(x.ctx, x.Tenant, x.ID, payment.Alipay)
		if err != nil {
			t.Fatal(err)
		}
		tn := r.Tenant(slug)
		code, ok := r.DemoPay.Code(pay.Payee, pay.Channel, pay.OutTradeNo)
		if !ok {
			t.Fatalf("%s has no trade %s", tn.Slug(), pay.OutTradeNo)
		}
		if err := r.DemoPay.Pay(code); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Payments.Check(x.ctx, x.Tenant, x.ID); err != nil {
			t.Fatal(err)
		}
	}
	r.Drain()
	return r.again(t, x, order.InReview)
}

// again reads an order anew and checks where it stands.
func (r *rig) again(t *testing.T, x placed, want order.State) placed {
	t.Helper()
	o, err := r.Orders.Find(x.ctx, x.Tenant, x.ID)
	if err != nil {
		t.Fatal(err)
	}
	if o.State != want {
		t.Fatalf("order %s is %s, want %s", o.Number, o.State, want)
	}
	x.Order = o
	return x
}

// voucher hands a transfer voucher in.
func (r *rig) voucher(t *testing.T, x placed, payer string, fen int64) payment.Voucher {
	t.Helper()
	pic := materialtest.Page{Text: "电子回单 演示样张 " + x.Number}
	f, err := r.Materials.Upload(x.ctx, x.Tenant, x.ID, material.Voucher, "voucher.jpg", pic.JPEG(t))
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Payments.SubmitVoucher(x.ctx, x.Tenant, x.ID, payment.VoucherInput{PayerName: payer, PayerLast4: "1234", Remark: x.Number, AmountFen: fen,
		TransferredOn: today(r), File: f.ID})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
