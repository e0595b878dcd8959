package notify_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/i18n"
	"certsaas/core/notify"
	"certsaas/core/order"
	"certsaas/core/outbox"
	"certsaas/core/review"
	"certsaas/core/tenant"
	"certsaas/core/vault"
	"certsaas/tenants"
)

const (
	number  = "KIN20261128000001"
	mobile  = "13800138000"
	email   = "demo@supplier.example"
	product = "CERT272353"
)

// told stands for the slices that know reasons and waybills.
type told struct {
	remarks   []review.Remark
	shipments []delivery.Shipment
}

func (s *told) Remarks(context.Context, *db.Tx, uuid.UUID) ([]review.Remark, error) {
	return s.remarks, nil
}
func (s *told) List(context.Context, *db.Tx, uuid.UUID) ([]delivery.Shipment, error) {
	return s.shipments, nil
}

type release struct{ t *tenant.Tenant }

func (r release) At(context.Context, uuid.UUID, int) (*tenant.Tenant, error) { return r.t, nil }

// house is an order of the King Long pack in a real database, the outbox and a recording sender.
type house struct {
	told
	db     *db.DB
	clock  *clock.Fake
	sender *channel.Recording
	tenant uuid.UUID
	order  uuid.UUID
	worker outbox.Worker
	svc    *notify.Service
}

func newHouse(t *testing.T, answers map[string]string) *house {
	t.Helper()
	def, problems := tenant.Load(tenants.Base(), tenants.Pack("kinglong"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	def.Files["product.yaml"] = strings.Replace(def.Files["product.yaml"], "approve: [sms]", "approve: [sms, email]", 1)
	pack, problems := tenant.Compile(def)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	h := &house{clock: clock.NewFake(time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)), sender: &channel.Recording{}, tenant: pack.ID(), order: db.NewID()}
	h.db = coretest.DBAt(t, h.clock)
	v, err := vault.Open(t.Context(), vault.Config{KEK: strings.Repeat("a1", 32)}, h.db)
	if err != nil {
		t.Fatal(err)
	}
	h.insertOrder(t, v, answers)
	h.svc = notify.New(notify.Deps{
		DB: h.db, Vault: v, Orders: order.New(order.Deps{DB: h.db, Vault: v, Tenants: release{pack}}),
		Reviews: &h.told, Shipments: &h.told, Texts: i18n.Must(notify.Messages), Sender: h.sender,
		Site: func(*tenant.Tenant) string { return "kinglong.localhost" },
	})
	h.worker = outbox.Worker{DB: h.db, Handlers: map[string]outbox.Handler{}}
	for _, k := range notify.Kinds() {
		h.worker.Handlers[k] = h.svc.Handle
	}
	return h
}

func (h *house) insertOrder(t *testing.T, v *vault.Vault, answers map[string]string) {
	t.Helper()
	plain, err := json.Marshal(answers)
	if err != nil {
		t.Fatal(err)
	}
	var sealed []byte
	err = h.db.WithTenant(t.Context(), h.tenant, func(ctx context.Context, tx *db.Tx) error {
		keys, err := v.Keys(ctx, tx, h.tenant)
		if err == nil {
			sealed = keys.Seal("orders.answers", h.order, plain)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	coretest.OwnerExec(t, h.db, `INSERT INTO tenants (id, slug, created_at) VALUES ($1, 'kinglong', now())`, h.tenant)
	coretest.OwnerExec(t, h.db, `INSERT INTO tenant_releases (tenant_id, number, definition, digest, created_at, created_by) VALUES ($1, 1, '{}', '', now(), 'test')`, h.tenant)
	coretest.OwnerExec(t, h.db, `INSERT INTO orders (tenant_id, id, number, release, product, service, state, answers_sealed, total_fen, created_at, updated_at, submitted_at)
		VALUES ($1, $2, $3, 1, $4, 'first_issue', 'in_review', $5, 35000, now(), now(), now())`, h.tenant, h.order, number, product, sealed)
}

func (h *house) happen(t *testing.T, event string) {
	t.Helper()
	err := h.db.WithTenant(t.Context(), h.tenant, func(ctx context.Context, tx *db.Tx) error {
		return outbox.Enqueue(ctx, tx, outbox.Event{Kind: "order." + event, Ref: h.order})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (h *house) run(t *testing.T) outbox.Report {
	t.Helper()
	r, err := h.worker.RunOnce(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (h *house) list(t *testing.T) (all []notify.Told) {
	t.Helper()
	err := h.db.WithTenant(t.Context(), h.tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		all, err = h.svc.List(ctx, tx, h.order)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (h *house) texts() (texts []string) {
	for _, m := range h.sender.Sent() {
		texts = append(texts, m.Channel+" "+m.To+" "+m.Subject+" "+m.Text)
	}
	return texts
}

// The three messages of King Long, each with what it must tell. req: K45 K46 K47 K41
func TestOrderMessages(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"mobile": mobile})
	h.remarks = []review.Remark{{Target: "mobile", Reason: "号码与授权书不一致"}, {Target: "other", Reason: strings.Repeat("长", 100)}}
	h.shipments = []delivery.Shipment{
		{Direction: delivery.In, Purpose: delivery.Key, Carrier: "sto", Waybill: "0"},
		{Direction: delivery.Out, Purpose: delivery.Key, Carrier: "sf", Waybill: "SF1234567890123"},
	}
	for _, event := range []string{"approve", "reject", "shipped", "paid"} { // King Long tells nothing at "paid"
		h.happen(t, event)
		if r := h.run(t); r.Done != 1 {
			t.Fatalf("%s: %+v", event, r)
		}
	}
	sent := h.sender.Sent()
	if len(sent) != 3 {
		t.Fatalf("%d messages: %q", len(sent), h.texts())
	}
	for i, want := range [][]string{
		{number, "审核通过", "kinglong.localhost"},
		{number, "未通过审核", "号码与授权书不一致；", "…"},
		{number, "顺丰速运", "SF1234567890123"},
	} {
		for _, w := range want {
			if sent[i].To != mobile || !strings.Contains(sent[i].Text, w) || strings.Contains(sent[i].Text, "{") {
				t.Errorf("message %d to %s lacks %q: %s", i, sent[i].To, w, sent[i].Text)
			}
		}
	}
}

// One event, one message per channel, however often the event is handed out; what failed is tried again and only that. req: K41
func TestOncePerEventAndChannel(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"mobile": mobile, "email": email})
	h.happen(t, "approve")
	h.sender.FailNext(1)
	if r := h.run(t); r.Retried != 1 {
		t.Fatalf("first run: %+v", r)
	}
	if got := h.sender.Sent(); len(got) != 1 || got[0].Channel != channel.Email || got[0].Subject == "" {
		t.Fatalf("while SMS failed: %q", h.texts())
	}
	states := map[string]string{}
	for _, m := range h.list(t) {
		states[m.Channel] = m.State + " " + m.Error
	}
	if diff := cmp.Diff(map[string]string{"sms": "failed channel.failed", "email": "sent "}, states); diff != "" {
		t.Error(diff)
	}
	h.clock.Advance(time.Hour)
	if r := h.run(t); r.Done != 1 {
		t.Fatalf("second run: %+v", r)
	}
	// a worker that died before it could settle: the event comes once more
	coretest.OwnerExec(t, h.db, `UPDATE outbox SET done_at = NULL`)
	h.clock.Advance(time.Hour)
	if r := h.run(t); r.Done != 1 {
		t.Fatalf("third run: %+v", r)
	}
	if n := len(h.sender.Sent()); n != 2 {
		t.Errorf("%d messages, want one SMS and one e-mail: %q", n, h.texts())
	}
	for _, m := range h.list(t) {
		if m.State != "sent" || m.SentAt == nil || m.Text == "" {
			t.Errorf("%+v", m)
		}
	}
	var clear int
	coretest.OwnerRow(t, h.db, []any{&clear}, `SELECT count(*) FROM messages WHERE position(convert_to($1::text, 'UTF8') IN body_sealed) > 0 OR error LIKE '%' || $1 || '%'`, mobile)
	if clear != 0 {
		t.Error("a mobile lies in clear")
	}
}

// Nothing to say it to, or nothing to say: no message, and the event is done.
func TestNobodyToTell(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{})
	h.happen(t, "approve")
	if r := h.run(t); r.Done != 1 || len(h.sender.Sent()) != 0 {
		t.Errorf("%+v %q", r, h.texts())
	}
	h.order = db.NewID()
	h.happen(t, "approve")
	if r := h.run(t); r.Dead != 1 {
		t.Errorf("an event about no order: %+v", r)
	}
}

// A shipped message without a waybill must not go out with a hole in it.
func TestHoleIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, map[string]string{"mobile": mobile})
	h.happen(t, "shipped")
	if r := h.run(t); r.Dead != 1 || len(h.sender.Sent()) != 0 {
		t.Errorf("%+v %q", r, h.texts())
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(notify.Messages) {
		t.Error(p)
	}
}
