package portal_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"certsaas/core/coretest/program"
	"certsaas/core/order"
	"certsaas/core/web"
	"certsaas/portal"
)

// licensed is what the second page of BYD asks besides pictures.
func licensed() map[string]string {
	return map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6G"}
}

// sealed has the page print the letter of what was typed, as its button does, and gives the paper back printed, sealed and
// photographed.
func (b *browser) sealed(p page, typed map[string]string) file {
	b.t.Helper()
	got := b.submit(p, form, "letter-pdf", typed)
	pdf := b.get(got.Header.Get("Location"))
	if pdf.Status != 200 || !bytes.HasPrefix(pdf.Body, []byte("%PDF")) {
		b.t.Fatalf("no letter on %s: %d, %v", p.Path, pdf.Status, got.errors())
	}
	return file{"letter.jpg", program.Stamp(b.t, pdf.Body)}
}

// again starts one more order of a dealer who has some, up to its second page.
func (b *browser) again(typed map[string]string) page {
	b.t.Helper()
	p := b.follow(b.submit(b.open("/s/byd-gqgx"), `.band form`, "", nil))
	return b.follow(b.submit(p, form, "next", typed))
}

// TestAnotherOrdersLetter (issue 3 §1): a dealer takes the wrong sheet from his desk: the sealed letter of his other order, one
// of another tenant, one that he printed before he corrected a name. All are letters of ours, printed from the PDF that the
// page gave. The tile says at once what is wrong with the sheet and what to do, handing in stops at its field with the same
// words, and nothing is lost: what was typed, the licence, the draft. The right sheet is taken afterwards. req: B45 K22
func TestAnotherOrdersLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, other := realname(t, w)
	licence := file{"licence.jpg", photo(t, 1200, 900, "", false)}
	theOthers := b.sealed(other, licensed())
	if to := b.submit(other, form, "next", licensed(), map[string]file{"licence_image_file": licence, "letter_file": theOthers}).Header.Get("Location"); !strings.HasSuffix(to, "/pay") {
		t.Fatalf("the other order is not handed in with its own letter: %q", to)
	}
	typed := company()
	typed["org_name"], typed["dealer_code"] = "演示汽车服务（深圳）有限公司", "DL20260002"
	p := b.again(typed)
	if p.Path == other.Path {
		t.Fatal("the second order is the first")
	}
	old := b.sealed(p, licensed())
	if bytes.Equal(old.data, theOthers.data) {
		t.Fatal("two orders, one letter")
	}
	typed["org_name"] = "演示汽车维修（深圳）有限公司"
	p = b.follow(b.submit(b.open(strings.Replace(p.Path, "/realname", "/form", 1)), form, "next", typed))
	b.submit(p, form, "upload", licensed(), map[string]file{"licence_image_file": {"mine.jpg", photo(t, 1300, 950, "", false)}})

	b.submit(p, form, "upload", licensed(), map[string]file{"letter_file": licence}) // the licence by mistake: a sheet without a code
	kl, foreign := begun(t, w)
	for name, c := range map[string]struct {
		letter file
		says   []string
	}{
		"of his other order":            {theOthers, []string{"另一份订单的授权书", "本订单的授权书", "重新上传"}},
		"of another tenant":             {kl.sealed(foreign, supplier()), []string{"另一份订单的授权书", "本订单的授权书", "重新上传"}},
		"printed before a name changed": {old, []string{"打印之后资料有改动", "已作废", "重新下载"}},
	} {
		b.refuses(w, name, p, c.letter, c.says)
	}
	right := b.sealed(p, licensed())
	if tile := b.put(p, p.Find(`[data-field="letter"]`).AttrOr("data-upload", ""), right); tile.Find(".checks .tone-danger").Length() != 0 {
		t.Errorf("the right letter: %s", tile.text(".checks"))
	}
	if to := b.submit(b.open(p.Path), form, "next", licensed()).Header.Get("Location"); !strings.HasSuffix(to, "/pay") {
		t.Errorf("with the right letter: %q", to)
	}
	o := w.order("byd", p.Path)
	equal(t, "state", order.AwaitingPayment, o.State)
	equal(t, "name", typed["org_name"], o.Answers["org_name"])
	equal(t, "the supplier's order is as it was", order.Draft, w.order("kinglong", foreign.Path).State)
}

// refuses hands a wrong sheet in at the tile and then the form, and the form with the sheet in it, as without scripts.
func (b *browser) refuses(w *world, name string, p page, sheet file, says []string) {
	b.t.Helper()
	before := w.order("byd", p.Path)
	tile := b.put(p, p.Find(`[data-field="letter"]`).AttrOr("data-upload", ""), sheet)
	equal(b.t, name+": the tile's answer", 200, tile.Status)
	tile.has(".checks .tone-danger", says...)
	for way, files := range map[string]map[string]file{"after the tile": nil, "with the form": {"letter_file": sheet}} {
		got := b.submit(b.open(p.Path), form, "next", licensed(), files)
		equal(b.t, name+" "+way+": status", 422, got.Status)
		if errs := got.errors(); len(errs) != 1 || !strings.Contains(errs["letter"], says[0]) {
			b.t.Errorf("%s %s: at the fields stands %v", name, way, errs)
		}
		got.has("[data-error-summary] a[href]", says[0])
		for field, v := range licensed() {
			equal(b.t, name+" "+way+": "+field, v, got.value(field))
		}
		if got.Find(`[data-field="licence_image"] a.tile-pic img`).Length() != 1 {
			b.t.Errorf("%s %s: the licence is gone", name, way)
		}
		now := w.order("byd", p.Path)
		now.Answers["letter"] = before.Answers["letter"]
		equal(b.t, name+" "+way+": the draft", before.Answers, now.Answers)
		equal(b.t, name+" "+way+": state", order.Draft, now.State)
	}
}

// A demonstration gives the letter as it comes back, sealed and photographed: it is taken as it is, and is in colour. Where
// it is no demonstration there is neither button nor address.
func TestSpecimen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := realname(t, w)
	p.has(`button[value="letter-specimen"]`, "演示：下载已盖章的照片")
	got := b.submit(p, form, "letter-specimen", licensed())
	photographed := b.get(got.Header.Get("Location"))
	equal(t, "type", "image/jpeg", photographed.Header.Get("Content-Type"))
	got = b.submit(p, form, "next", licensed(), map[string]file{
		"licence_image_file": {"licence.jpg", photo(t, 1200, 900, "", false)}, "letter_file": {"letter.jpg", photographed.Body}})
	if to := got.Header.Get("Location"); !strings.HasSuffix(to, "/pay") {
		t.Fatalf("not handed in: %d %v", got.Status, got.errors())
	}
	inService := portal.New(portal.Deps{}).Routes()
	if slices.ContainsFunc(inService, func(r web.Route) bool { return strings.Contains(r.Path, "specimen") }) || len(inService) < 30 {
		t.Error("specimens in service")
	}
}
