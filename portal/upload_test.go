package portal_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
)

// put sends a picture as a tile's script does.
func (b *browser) put(p page, path string, f file) page {
	b.t.Helper()
	body, kind := multi(b.t, url.Values{}, map[string]file{"file": f})
	return b.do("POST", path, map[string]string{"Content-Type": kind, "X-Requested-With": "fetch",
		"X-CSRF-Token": p.Find(`meta[name="csrf"]`).AttrOr("content", "")}, body)
}

// Pictures: three extensions, 2 MB inclusive, what the look finds at once, seen by their owner alone.
// req: B35 B41 B42 K13 K19 K21
func TestTiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := realname(t, w)
	tile := p.Find(`[data-field="licence_image"]`).AttrOr("data-upload", "")
	equal(t, "limit told to the browser", "2097152", p.Find(`[data-field="licence_image"]`).AttrOr("data-max", ""))

	sample := b.open(p.Find(`[data-field="licence_image"] .tile-pic.sample img`).AttrOr("src", ""))
	equal(t, "drawing of what is wanted", "image/svg+xml", sample.Header.Get("Content-Type"))

	good := photo(t, 1200, 900, "", false)
	for _, name := range []string{"a.jpg", "a.jpeg", "a.png"} {
		if got := b.put(p, tile, file{name, good}); got.Status != 200 {
			t.Errorf("%s = %d %s", name, got.Status, got.Body)
		}
	}
	full := append(bytes.Clone(good), make([]byte, 2<<20-len(good))...)
	if got := b.put(p, tile, file{"full.jpg", full}); got.Status != 200 {
		t.Errorf("2 MB = %d %s", got.Status, got.Body)
	}
	over := b.put(p, tile, file{"over.jpg", append(full, 0)})
	if over.Status != 413 || !strings.Contains(string(over.Body), "2M") {
		t.Errorf("over 2 MB = %d %s", over.Status, over.Body)
	}
	for _, f := range []file{{"a.gif", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;")}, {"a.pdf", []byte("%PDF-1.7\n")}, {"a.jpg", nil}} {
		if got := b.put(p, tile, f); got.Status != 422 || !strings.Contains(string(got.Body), "title") {
			t.Errorf("%s (%d bytes) = %d %s", f.name, len(f.data), got.Status, got.Body)
		}
	}
	got := b.put(p, tile, file{"a.jpg", good})
	got.has(".checks", "自动检查通过")
	src := got.Find("a.tile-pic img").AttrOr("src", "")
	pic := b.open(src)
	equal(t, "picture", "image/jpeg", pic.Header.Get("Content-Type"))
	if other := w.registered("byd.localhost:8080", "13700137000").get(src); other.Status != 404 {
		t.Errorf("another dealer sees the picture: %d", other.Status)
	}
	grey := b.put(p, strings.Replace(tile, "licence_image", "letter", 1), file{"b.jpg", photo(t, 1100, 1500, "", false)})
	grey.has(".checks", "红色印章", "二维码")
}

// A code on the page opens the phone's page; the picture appears on the desktop.
// req: B36 K14
func TestPhoneUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := realname(t, w)
	before := len(w.SMS.Sent())
	tile := p.Find(`[data-field="licence_image"]`).AttrOr("data-upload", "")
	got := b.script(p, tile+"/phone", url.Values{})
	if got.Status != 200 || got.Find(".tile-phone svg").Length() != 1 {
		t.Fatalf("phone: %d %s", got.Status, got.Body)
	}
	poll := got.Find("[data-tile-poll]").AttrOr("data-tile-poll", "")
	equal(t, "nothing yet", 204, b.get(poll).Status)

	// the code's text is drawn, not written; the page without scripts shows the same, so the ticket is made anew here
	token, _, err := w.Materials.NewTicket(b.as(w.order("byd", p.Path).Account, w.Tenant("byd").ID()), w.Tenant("byd").ID(), w.order("byd", p.Path).ID, "licence_image")
	if err != nil {
		t.Fatal(err)
	}
	phone := w.byd()
	pp := phone.open("/u/" + token)
	pp.has("main", "2M", "JPG")
	pp.has("h1", "营业执照图片")
	bad := phone.submit(pp, "form#phone", "", nil, map[string]file{"picture": {"a.jpg", []byte("no picture")}})
	if bad.Status != 422 || bad.text("[data-error-summary]") == "" {
		t.Errorf("no picture: %d", bad.Status)
	}
	done := phone.submit(pp, "form#phone", "", nil, map[string]file{"picture": {"a.jpg", photo(t, 1200, 900, "", false)}})
	done.has(".notice", "上传成功")
	equal(t, "once only", 404, phone.get("/u/"+token).Status)
	again := b.get(poll)
	if again.Status != 200 || again.Find("a.tile-pic img").Length() != 1 {
		t.Errorf("the desktop does not show it: %d", again.Status)
	}
	// without scripts the whole page comes back, with the code on it and what was typed
	whole := b.submit(p, form, "phone:licence_image", map[string]string{"uscc": "91350200MA2XYKHT6G"})
	if whole.Status != 200 || whole.Find(".tile-phone svg").Length() != 1 || whole.value("uscc") != "91350200MA2XYKHT6G" {
		t.Errorf("without scripts: %d", whole.Status)
	}
	equal(t, "messages", before, len(w.SMS.Sent()))
}

// The page's scripts: the price while typing, and the draft.
// req: B19
func TestScriptsAskForPriceAndDraft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := started(t, w)
	f := p.Find(form)
	price := b.script(p, f.AttrOr("data-price", ""), url.Values{"quantity": {"3"}, "org_name": {"演示公司乙"}})
	price.has(".price-total", "¥600.00")
	saved := b.script(p, f.AttrOr("data-save", ""), url.Values{"quantity": {"3"}, "org_name": {"演示公司乙"}})
	words, err := url.PathUnescape(saved.Header.Get("X-Saved"))
	if saved.Status != 204 || err != nil || !strings.HasPrefix(words, "已保存 ") {
		t.Errorf("draft: %d %q", saved.Status, words)
	}
	equal(t, "kept", "演示公司乙", b.open(p.Path).value("org_name"))
}
