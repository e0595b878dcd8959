package material_test

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"slices"
	"strings"
	"testing"

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
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var kept int // the first picture stays in the record
	coretest.OwnerRow(t, w.DB, []any{&kept}, `SELECT count(*) FROM files WHERE order_id = $1 AND superseded_at IS NOT NULL`, o.ID)
	if kept != 1 {
		t.Errorf("%d replaced pictures kept", kept)
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
		want := map[bool]string{true: "passed", false: "failed"}[len(c.want) == 0]
		if got := facts(t, w, o)["checks"]; got != want {
			t.Errorf("%s: the rules learn that the checks %s, want %s", name, got, want)
		}
	}
}

// facts is what the rules learn about an order.
func facts(t *testing.T, w *materialtest.World, o order.Order) map[string]string {
	t.Helper()
	var got map[string]string
	err := w.DB.WithTenant(t.Context(), o.Tenant, func(ctx context.Context, tx *db.Tx) error {
		have, err := w.Orders.Load(ctx, tx, o.ID)
		if err == nil {
			got, err = w.Orders.Facts(ctx, tx, have)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
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
