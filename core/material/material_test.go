package material_test

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/blob"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/material"
	"certsaas/core/material/materialtest"
	"certsaas/core/order"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(material.Messages) {
		t.Error(p)
	}
}

// asCompany answers as a company with merged licences.
func asCompany(a form.Answers) {
	a["org_nature"], a["merged"], a["invoice_wanted"] = "company", "yes", "no"
}

func ids(fs []material.Finding) []string {
	var out []string
	for _, f := range fs {
		out = append(out, f.ID)
	}
	return out
}

// A picture becomes the answer, sealed on disk, and shows what is wrong with it at once.
// req: B34 B35 B40 B41
func TestUpload(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	w.Materials.Register(w.Orders)
	o := w.Order(t, asCompany)
	ctx := w.Dealer(t.Context())
	raw := materialtest.Page{Seal: true}.JPEG(t)
	f, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "licence_image", "执照.jpg", raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Findings) != 0 || f.Width != 1240 || f.UploadedBy != "dealer/"+w.Account.String() {
		t.Errorf("file %+v", f)
	}
	o, err = w.Orders.Find(ctx, o.Tenant, o.ID)
	if err != nil || o.Answers["licence_image"] != f.ID.String() {
		t.Errorf("answer %q, %v; want %s", o.Answers["licence_image"], err, f.ID)
	}
	got, data, err := w.Materials.Open(ctx, o.Tenant, f.ID)
	if err != nil || got.MediaType != "image/jpeg" {
		t.Fatalf("%+v, %v", got, err)
	}
	if img, err := jpeg.Decode(bytes.NewReader(data)); err != nil || img.Bounds().Dx() != 1240 {
		t.Errorf("not the picture: %v", err)
	}
	var key string
	coretest.OwnerRow(t, w.DB, []any{&key}, `SELECT blob_key FROM files WHERE id = $1`, f.ID)
	stored, err := w.Blobs.Get(ctx, key)
	if err != nil || bytes.Contains(stored, data[:64]) {
		t.Errorf("the blob is not sealed (%v)", err)
	}

	// a second picture replaces the first
	second, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "licence_image", "", materialtest.Page{Text: "演示乙"}.JPEG(t))
	if err != nil {
		t.Fatal(err)
	}
	err = w.DB.WithTenant(ctx, o.Tenant, func(ctx context.Context, tx *db.Tx) error {
		live, err := w.Materials.List(ctx, tx, o.ID)
		if len(live) != 1 || live[0].ID != second.ID {
			t.Errorf("live files %+v", live)
		}
		all, err2 := w.Materials.History(ctx, tx, o.ID)
		if len(all) != 2 || all[0].Live() {
			t.Errorf("history %+v", all)
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
	var audited int
	coretest.OwnerRow(t, w.DB, []any{&audited}, `SELECT count(*) FROM audit_entries WHERE action = 'file.upload' AND resource = $1`, "order/"+o.ID.String())
	if audited != 2 {
		t.Errorf("%d uploads audited, want 2", audited)
	}
}

// The automatic look says at once what a reviewer would object to.
// req: K21 K23 B44
func TestFindings(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "kinglong")
	w.Materials.Register(w.Orders)
	o := w.Order(t, nil)
	ctx := w.Dealer(t.Context())
	for name, c := range map[string]struct {
		page materialtest.Page
		want []string
	}{
		"sealed, in colour": {materialtest.Page{Seal: true}, nil},
		"photocopy":         {materialtest.Page{Seal: true, Grey: true}, []string{"material.not_colour", "material.no_red_seal"}},
	} {
		f, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "letter", name, c.page.JPEG(t))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := ids(f.Findings); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		var again material.File
		err = w.DB.WithTenant(ctx, o.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
			again, err = w.Materials.Find(ctx, tx, f.ID)
			return err
		})
		if got := ids(again.Findings); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: stored %v, %v", name, got, err)
		}
	}
}

// U1: what is not a still picture within the limit is refused, each with its own sentence, and nothing is stored.
// U2: names are never paths, and are said back harmlessly.
// req: B35 B41 B51
func TestRefused(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	o := w.Order(t, asCompany)
	ctx := w.Dealer(t.Context())
	good := materialtest.Page{}.JPEG(t)
	padded := append(slices.Clone(good), make([]byte, 2<<20+1-len(good))...)
	for _, c := range []struct {
		name string
		raw  []byte
		kind fault.Kind
		id   string
	}{
		{"a.jpg", nil, fault.Invalid, "material.empty"},
		{"a.gif", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), fault.Invalid, "material.not_picture"},
		{"a.jpg", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), fault.Invalid, "material.not_picture"},
		{"a.jpg", []byte("%PDF-1.7 /JavaScript"), fault.Invalid, "material.not_picture"},
		{"a.jpg", good[:200], fault.Invalid, "material.truncated"},
		{"a.jpg", padded, fault.TooLarge, "material.too_large"},
		{"../../etc/passwd\r\nX: y", []byte("text"), fault.Invalid, "material.not_picture"},
		{"\u202egpj.exe", []byte("MZ"), fault.Invalid, "material.not_picture"},
		{strings.Repeat("长", 300) + ".png", []byte("MZ"), fault.Invalid, "material.not_picture"},
	} {
		_, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "licence_image", c.name, c.raw)
		e := fault.From(err)
		if !errors.Is(err, c.kind) || e == nil || len(e.Fields) != 1 || e.Fields[0].ID != c.id || e.Fields[0].Name != "licence_image" {
			t.Errorf("%.20q: %v, want %s", c.name, err, c.id)
			continue
		}
		said, _ := e.Fields[0].Args["Name"].(string)
		if strings.ContainsAny(said, "/\\\r\n\x00\u202e") || len([]rune(said)) > 40 {
			t.Errorf("%.20q is said back as %q", c.name, said)
		}
	}
	exact := append(slices.Clone(good), make([]byte, 2<<20-len(good))...) // 2M inclusive; what follows the picture is dropped
	if f, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "licence_image", "CON", exact); err != nil || f.Bytes > 1<<20 {
		t.Errorf("exactly 2M: %v, stored %d bytes", err, f.Bytes)
	}
	if n := w.BlobCount(t); n != 1 {
		t.Errorf("%d blobs, want 1", n)
	}
}

// Fields that are not asked, not files, or locked take nothing.
// req: B37 B42 K44
func TestOnlyOpenFields(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	o := w.Order(t, asCompany)
	ctx := w.Dealer(t.Context())
	raw := materialtest.Page{}.JPEG(t)
	for field, want := range map[string]error{
		"no_such": fault.NotFound, "org_name": fault.NotFound, "org_code_image": fault.Conflict, "id_front": fault.Conflict, material.Voucher: fault.Conflict,
	} {
		if _, err := w.Materials.Upload(ctx, o.Tenant, o.ID, field, "a.jpg", raw); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", field, err, want)
		}
	}
	setState(t, w, o, order.AwaitingPayment)
	if _, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "licence_image", "a.jpg", raw); !errors.Is(err, fault.Conflict) {
		t.Errorf("after submission: %v", err)
	}
	if f, err := w.Materials.Upload(ctx, o.Tenant, o.ID, material.Voucher, "a.jpg", raw); err != nil || f.Field != material.Voucher { // req: B51
		t.Errorf("voucher: %v", err)
	}
	setState(t, w, o, order.Rejected, "letter")
	if _, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "licence_image", "a.jpg", raw); !errors.Is(err, fault.Conflict) {
		t.Errorf("a field that was not refused: %v", err)
	}
	if _, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "letter", "a.jpg", raw); err != nil {
		t.Errorf("the refused field: %v", err)
	}
}

// setState puts an order into a state behind the program's back.
func setState(t *testing.T, w *materialtest.World, o order.Order, st order.State, open ...string) {
	t.Helper()
	coretest.OwnerExec(t, w.DB, `UPDATE orders SET state = $2::text::order_state, submitted_at = now(), open_fields = $3 WHERE id = $1`, o.ID, string(st), open)
}

// U5: nobody else sees a file, and it does not exist for him. Staff sees by role, under a watermark, and leaves a trace.
func TestWhoSees(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	o := w.Order(t, func(a form.Answers) { a["org_nature"], a["invoice_wanted"] = "person", "no" })
	dealer := w.Dealer(t.Context())
	card, err := w.Materials.Upload(dealer, o.Tenant, o.ID, "id_front", "a.jpg", materialtest.Page{Seal: true}.JPEG(t))
	if err != nil {
		t.Fatal(err)
	}
	setState(t, w, o, order.AwaitingPayment)
	slip, err := w.Materials.Upload(dealer, o.Tenant, o.ID, material.Voucher, "a.jpg", materialtest.Page{Text: "汇款"}.JPEG(t))
	if err != nil {
		t.Fatal(err)
	}
	other := authz.WithPrincipal(t.Context(), authz.Principal{Kind: authz.Dealer, ID: w.Account, Tenant: db.NewID()})
	for name, c := range map[string]struct {
		ctx  context.Context
		file uuid.UUID
		want error
	}{
		"owner":                          {dealer, card.ID, nil},
		"another dealer":                 {w.As(t.Context(), w.AddAccount(t)), card.ID, fault.NotFound},
		"a dealer of another tenant":     {other, card.ID, fault.NotFound},
		"guess":                          {dealer, db.NewID(), fault.NotFound},
		"nobody":                         {t.Context(), card.ID, fault.Unauthenticated},
		"reviewer":                       {materialtest.Staff(t.Context(), authz.RoleReviewer), card.ID, nil},
		"finance looks at a card":        {materialtest.Staff(t.Context(), authz.RoleFinance), card.ID, fault.Denied},
		"finance looks at a slip":        {materialtest.Staff(t.Context(), authz.RoleFinance), slip.ID, nil},
		"producer":                       {materialtest.Staff(t.Context(), authz.RoleProducer), slip.ID, fault.Denied},
		"administrator":                  {materialtest.Staff(t.Context(), authz.RoleAdmin), card.ID, fault.Denied},
		"the program without permission": {authz.WithPrincipal(t.Context(), authz.System("")), card.ID, fault.Denied},
	} {
		_, _, err := w.Materials.Open(c.ctx, o.Tenant, c.file)
		if (c.want == nil) != (err == nil) || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, _, err := w.Materials.Open(dealer, db.NewID(), card.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("through another tenant: %v", err)
	}
	_, plain, _ := w.Materials.Open(dealer, o.Tenant, card.ID)
	_, marked, err := w.Materials.Open(materialtest.Staff(t.Context(), authz.RoleReviewer), o.Tenant, card.ID)
	if err != nil || bytes.Equal(plain, marked) {
		t.Errorf("staff sees the card without a watermark (%v)", err)
	}
	if share := changed(t, plain, marked); share < .01 || share > .2 {
		t.Errorf("the watermark covers %.3f of the picture", share)
	}
	var seen, refused int
	coretest.OwnerRow(t, w.DB, []any{&seen, &refused}, `SELECT count(*) FILTER (WHERE outcome = 'done'), count(*) FILTER (WHERE outcome = 'denied')
		FROM audit_entries WHERE action = 'file.view'`)
	if seen != 3 || refused != 3 { // reviewer twice, finance once; finance, producer and administrator refused
		t.Errorf("%d looks of staff and %d refusals audited, want 3 and 3", seen, refused)
	}
}

// changed is the share of pixels that visibly differ between two pictures of one size.
func changed(t *testing.T, before, after []byte) float64 {
	t.Helper()
	a, err := jpeg.Decode(bytes.NewReader(before))
	b, err2 := jpeg.Decode(bytes.NewReader(after))
	if err != nil || err2 != nil || a.Bounds() != b.Bounds() {
		t.Fatal(err, err2)
	}
	n, differ := 0, 0
	for y := 0; y < a.Bounds().Dy(); y += 2 {
		for x := 0; x < a.Bounds().Dx(); x += 2 {
			r, _, _, _ := a.At(x, y).RGBA()
			s, _, _, _ := b.At(x, y).RGBA()
			if n++; r > s+0x2000 {
				differ++
			}
		}
	}
	return float64(differ) / float64(n)
}

// An order-first draft's pictures belong to the browser that began it.
// req: K4 K13
func TestVisitor(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "kinglong")
	mine, theirs := order.WithVisitor(t.Context(), []byte("hash of my cookie")), order.WithVisitor(t.Context(), []byte("hash of another"))
	p := w.Tenant.Products()[0]
	o, err := w.Orders.Start(mine, order.Begin{Tenant: w.Tenant, Product: p, Visitor: []byte("hash of my cookie")})
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.Materials.Upload(mine, o.Tenant, o.ID, "id_front", "a.jpg", materialtest.Page{Seal: true}.JPEG(t))
	if err != nil || f.UploadedBy != "visitor" {
		t.Fatalf("%+v, %v", f, err)
	}
	if _, _, err := w.Materials.Open(mine, o.Tenant, f.ID); err != nil {
		t.Errorf("mine: %v", err)
	}
	if _, _, err := w.Materials.Open(theirs, o.Tenant, f.ID); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("another browser: %v", err)
	}
}

// failing is a blob store or a moment that breaks.
type failing struct {
	*blob.Local
	after func() // runs when a blob was written, before its row
}

func (f failing) Put(ctx context.Context, key string, data []byte) error {
	err := f.Local.Put(ctx, key, data)
	f.after()
	return err
}

// U4: a crash between blob and row leaves no row without a blob, and the orphan goes within the hour.
func TestCrashBetweenBlobAndRow(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	o := w.Order(t, asCompany)
	ctx, crash := context.WithCancel(w.Dealer(t.Context()))
	raw := materialtest.Page{}.JPEG(t)
	if _, err := w.Service(failing{w.Blobs, crash}).Upload(ctx, o.Tenant, o.ID, "licence_image", "a.jpg", raw); err == nil {
		t.Fatal("the crash was not noticed")
	}
	kept, err := w.Materials.Upload(w.Dealer(t.Context()), o.Tenant, o.ID, "licence_image", "a.jpg", raw)
	if err != nil {
		t.Fatal(err)
	}
	var rows int
	coretest.OwnerRow(t, w.DB, []any{&rows}, `SELECT count(*) FROM files`)
	if n := w.BlobCount(t); n != 2 || rows != 1 {
		t.Fatalf("%d blobs, %d rows; want 2 and 1", n, rows)
	}
	sys := authz.WithPrincipal(t.Context(), authz.System("scheduler/reap"))
	if n, err := w.Materials.Reap(sys, time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("young blobs: %d reaped, %v", n, err)
	}
	if n, err := w.Materials.Reap(sys, time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("%d reaped, %v; want 1", n, err)
	}
	if _, _, err := w.Materials.Open(w.Dealer(t.Context()), o.Tenant, kept.ID); err != nil {
		t.Errorf("the file with a row: %v", err)
	}
}

// A store that is away says so, and leaves nothing.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	o := w.Order(t, asCompany)
	_, err := w.Service(away{}).Upload(w.Dealer(t.Context()), o.Tenant, o.ID, "licence_image", "a.jpg", materialtest.Page{}.JPEG(t))
	if !errors.Is(err, fault.Unavailable) || fault.From(err).ID != "material.store" {
		t.Errorf("%v", err)
	}
	var rows int
	if coretest.OwnerRow(t, w.DB, []any{&rows}, `SELECT count(*) FROM files`); rows != 0 {
		t.Errorf("%d rows", rows)
	}
}

type away struct{ blob.Store }

func (away) Put(context.Context, string, []byte) error { return errors.New("disk full") }

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

// An order holds so much and no more.
func TestQuota(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	o := w.Order(t, asCompany)
	ctx := w.Dealer(t.Context())
	coretest.OwnerExec(t, w.DB, `INSERT INTO files (tenant_id, id, order_id, field, blob_key, media_type, bytes, sha256, uploaded_by, created_at)
		SELECT $1, gen_random_uuid(), $2, 'x', n::text, 'image/jpeg', 1, '', 'test', now() FROM generate_series(1, 59) n`, o.Tenant, o.ID)
	raw := materialtest.Page{}.JPEG(t)
	if _, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "licence_image", "a.jpg", raw); err != nil {
		t.Errorf("the 60th: %v", err)
	}
	if _, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "licence_image", "a.jpg", raw); fault.From(err) == nil || fault.From(err).ID != "material.quota" {
		t.Errorf("the 61st: %v", err)
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

// Invoices are kept byte for byte, and only what is one.
// req: K3 B8
func TestAttach(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "kinglong")
	o := w.Order(t, nil)
	finance := materialtest.Staff(t.Context(), authz.RoleFinance)
	pdf := []byte("%PDF-1.7\n演示发票")
	var told uuid.UUID
	f, err := w.Materials.Attach(finance, o.Tenant, o.ID, pdf, func(_ context.Context, _ *db.Tx, f material.File) error {
		told = f.ID
		return nil
	})
	if err != nil || told != f.ID || f.Name("A/1") != "A-1-invoice.pdf" {
		t.Fatalf("%+v, %v", f, err)
	}
	if _, got, err := w.Materials.Open(w.Dealer(t.Context()), o.Tenant, f.ID); err != nil || !bytes.Equal(got, pdf) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := w.Materials.Attach(w.Dealer(t.Context()), o.Tenant, o.ID, pdf, nil); err == nil {
		t.Error("a dealer attached an invoice")
	}
	for name, raw := range map[string][]byte{
		"empty": nil, "picture": materialtest.Page{}.JPEG(t), "script": []byte("%PDF-1.4 /JavaScript"), "zip": []byte("PK\x03\x04rest"),
		"entity": []byte(`<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>`), "broken XML": []byte("<x>"),
	} {
		if _, err := w.Materials.Attach(finance, o.Tenant, o.ID, raw, nil); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if x, err := w.Materials.Attach(finance, o.Tenant, o.ID, []byte(`<?xml version="1.0"?><EInvoice><No>1</No></EInvoice>`), nil); err != nil || x.MediaType != "application/xml" {
		t.Errorf("XML: %+v, %v", x, err)
	}
	if _, err := w.Materials.Attach(finance, o.Tenant, o.ID, pdf, func(context.Context, *db.Tx, material.File) error { return fault.New(fault.Conflict, "test.taken") }); !errors.Is(err, fault.Conflict) {
		t.Errorf("%v", err)
	}
	if n := w.BlobCount(t); n != 2 {
		t.Errorf("%d blobs, want 2", n)
	}
}
