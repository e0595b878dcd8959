package portal_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"strings"
	"sync"
	"testing"

	"certsaas/core/coretest"
	"certsaas/core/order"
)

// bomb is the head of a PNG of 50,000 × 50,000 pixels with a right check sum.
func bomb() []byte {
	head := append([]byte("IHDR"), 0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50, 8, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	return append(binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(head)), "\x00\x00\x00\x00IDAT"...)
}

// TestBadPictureInTheForm (issue 3 §1, reliability U1 U2) sends pictures that are none with the form itself, as a page without scripts does:
// the answer stands at the picture's field in Chinese, what was typed and the picture from before stay.
func TestBadPictureInTheForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := realname(t, w)
	good := photo(t, 1200, 900, "", false)
	typed := map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6G"}
	send := func(f file) page { return b.submit(p, form, "upload", typed, map[string]file{"licence_image_file": f}) }
	if got := send(file{"good.jpg", good}); got.Status != 200 {
		t.Fatalf("a good picture: %d %v", got.Status, got.errors())
	}
	before := b.open(p.Path).Find(`[data-field="licence_image"] a.tile-pic img`).AttrOr("src", "")
	if before == "" {
		t.Fatal("the good picture is not shown")
	}
	for name, f := range map[string]file{
		"2 MB and a byte":        {"big.jpg", append(bytes.Clone(good), make([]byte, 2<<20+1-len(good))...)},
		"GIF called PNG":         {"a.png", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;")},
		"50,000 × 50,000 pixels": {"a.png", bomb()},
		"JPEG cut off":           {"a.jpg", good[:len(good)/2]},
		"HTML called JPEG":       {"a.jpg", []byte("<html><script>alert(1)</script></html>")},
	} {
		got := send(f)
		if got.Status != 422 && got.Status != 413 {
			t.Errorf("%s: %d", name, got.Status)
		}
		if said := got.errors()["licence_image"]; len(said) == len([]rune(said)) { // none, or none in Chinese
			t.Errorf("%s: at the field stands %q", name, said)
		}
		equal(t, name+": what was typed", typed["uscc"], got.value("uscc"))
		equal(t, name+": the picture from before", before, b.open(p.Path).Find(`[data-field="licence_image"] a.tile-pic img`).AttrOr("src", ""))
	}
	for name, f := range map[string]file{
		"HTML behind a JPEG":           {"a.jpg", append(bytes.Clone(good), "<script>alert('polyglot')</script>"...)},
		"a name of 300 characters":     {strings.Repeat("名", 300) + ".jpg", good},
		"a name that runs to the left": {"a\u202egpj.exe.jpg", good},
		"a name that is a path":        {"../../etc/a.jpg", good},
	} {
		got := send(f)
		if got.Status != 200 {
			t.Errorf("%s: %d %v", name, got.Status, got.errors())
			continue
		}
		pic := b.open(b.open(p.Path).Find(`[data-field="licence_image"] a.tile-pic img`).AttrOr("src", ""))
		if bytes.Contains(pic.Body, []byte("polyglot")) || strings.Contains(pic.Header.Get("Content-Disposition"), "etc") {
			t.Errorf("%s: comes back with what was hidden in it", name)
		}
	}
}

// TestBadWordsInTheForm (issue 3 §1): what no register holds is refused at its field, in the reader's language, and nothing else that was
// typed is lost.
func TestBadWordsInTheForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := started(t, w)
	for name, c := range map[string]struct{ field, value string }{
		"31 characters":       {"agent_name", strings.Repeat("王", 31)},
		"emoji":               {"agent_name", "王😀演示"},
		"NUL":                 {"agent_name", "王\x00演示"},
		"right-to-left mark":  {"agent_name", "王\u202e演示"},
		"emoji in a company":  {"org_name", "演示😀有限公司"},
		"NUL in an address":   {"email", "a\x00b@example.com"},
		"too long a company":  {"org_name", strings.Repeat("演", 65)},
		"letters in a number": {"landline", "0755-ABCDEFGH"},
	} {
		typed := company()
		typed[c.field] = c.value
		got := b.submit(p, form, "next", typed)
		if got.Status != 422 || got.errors()[c.field] == "" || len(got.errors()) != 1 {
			t.Errorf("%s: %d, %v", name, got.Status, got.errors())
		}
		for field, v := range company() {
			if field != c.field && got.Find(`[name="`+field+`"]`).Length() > 0 && got.value(field) != v {
				t.Errorf("%s: %s became %q", name, field, got.value(field))
			}
		}
	}
	p = b.follow(b.submit(p, form, "next", company()))
	got := b.submit(p, form, "next", map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6A"})
	got.has(`[data-field="uscc"]`, "校验")
	equal(t, "the number with the wrong digit is still there", "91350200MA2XYKHT6A", got.value("uscc"))
}

// TestBackButtonAndTwoTabs (issue 3 §1): a page sent again after going back changes the draft and makes no second order; sent again after
// the order was handed in, it leads to the order and changes nothing. The same draft in two tabs is one draft: the last to speak is believed.
func TestBackButtonAndTwoTabs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, first := started(t, w)
	other := b.open(first.Path)
	second := b.follow(b.submit(first, form, "next", company()))
	again := company()
	again["agent_name"] = "李演示"
	equal(t, "sent again after going back", second.Path, b.submit(first, form, "next", again).Header.Get("Location"))
	again["agent_name"] = "赵演示"
	equal(t, "sent from the other tab", second.Path, b.submit(other, form, "next", again).Header.Get("Location"))
	equal(t, "the last to speak", "赵演示", w.order("byd", first.Path).Answers["agent_name"])

	typed := map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6G"}
	b.submit(second, form, "letter-pdf", typed)
	l := b.letterOf("byd", w.order("byd", second.Path))
	pictures := map[string]file{"licence_image_file": {"a.jpg", photo(t, 1200, 900, "", false)}, "letter_file": {"b.jpg", photo(t, 1100, 1500, l.Payload, true)}}
	to := b.submit(second, form, "next", typed, pictures).Header.Get("Location")
	if !strings.HasSuffix(to, "/pay") {
		t.Fatalf("not handed in: %q", to)
	}
	for name, p := range map[string]page{"first page": first, "second page": second} {
		got := b.submit(p, form, "next", again)
		if got.Status != 303 || !strings.HasPrefix(got.Header.Get("Location"), "/orders/") {
			t.Errorf("%s sent again after handing in: %d %s", name, got.Status, got.Header.Get("Location"))
		}
	}
	o := w.order("byd", first.Path)
	equal(t, "state", order.AwaitingPayment, o.State)
	equal(t, "orders", 1, strings.Count(string(b.open("/orders").Body), o.Number+"</"))
}

// TestLoginEndsInTheMiddleOfTheForm (issue 3 §1): what was typed after the login ended is kept by the pages that say so, and is stored
// when the form is sent once more after logging in beside it.
func TestLoginEndsInTheMiddleOfTheForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := started(t, w)
	session := b.jar["session"]
	b.jar["session"] = "ended"
	typed := company()
	typed["agent_name"] = "赵演示"
	got := b.submit(p, form, "next", typed)
	if got.Status == 403 { // this browser does not say where a form came from: one page more
		got.has("main", "再提交一次")
		got = b.submit(got, "main form", "", nil)
	}
	if got.Status != 401 || got.Find(`a[href="/login"][target="_blank"]`).Length() != 1 {
		t.Fatalf("%d: %s", got.Status, got.text("main"))
	}
	got.has("h1", "登录已过期")
	got.has("main", "刚才填写的内容都在")
	equal(t, "nothing is stored for a stranger", "", w.order("byd", p.Path).Answers["agent_name"])
	b.jar["session"] = session // logged in again in another window
	if got = b.submit(got, "main form", "", nil); got.Status == 403 {
		got = b.submit(got, "main form", "", nil)
	}
	if got.Status != 303 {
		t.Fatalf("sent once more: %d %s", got.Status, got.text("main"))
	}
	equal(t, "stored at last", "赵演示", w.order("byd", p.Path).Answers["agent_name"])
}

// atOnce sends one form by so many impatient hands of the same reader at once and gives the answers.
func (b *browser) atOnce(n int, p page, form, step string, typed map[string]string) []page {
	b.t.Helper()
	out := make([]page, n)
	var group sync.WaitGroup
	for i := range out {
		hand := &browser{t: b.t, w: b.w, host: b.host, jar: maps.Clone(b.jar)}
		group.Go(func() { out[i] = hand.submit(p, form, step, typed) })
	}
	group.Wait()
	return out
}

// TestPressedManyTimesAtOnce (reliability P7): an order that is handed in thirty times at once is handed in once, one payment is
// begun for it, and each press is answered by the page that comes next or one that says what happened.
func TestPressedManyTimesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := realname(t, w)
	typed := map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6G"}
	b.submit(p, form, "letter-pdf", typed)
	l := b.letterOf("byd", w.order("byd", p.Path))
	p = b.submit(p, form, "upload", typed, map[string]file{
		"licence_image_file": {"a.jpg", photo(t, 1200, 900, "", false)}, "letter_file": {"b.jpg", photo(t, 1100, 1500, l.Payload, true)}})
	count := func(sql string) (n int) {
		t.Helper()
		coretest.OwnerRow(t, w.DB, []any{&n}, sql)
		return n
	}
	led := 0
	for _, got := range b.atOnce(30, p, form, "next", typed) {
		switch {
		case got.Status == 303 && strings.HasPrefix(got.Header.Get("Location"), "/orders/"):
			led++
		case got.Status != 409:
			t.Errorf("handed in: %d %s", got.Status, got.text("main"))
		}
	}
	if n := count(`SELECT count(*) FROM order_events WHERE event = 'submit'`); n != 1 || led == 0 {
		t.Errorf("handed in %d times, %d led on", n, led)
	}
	equal(t, "told once", 1, count(`SELECT count(*) FROM outbox WHERE kind = 'order.submit'`))

	pay := b.open(p.Path[:strings.Index(p.Path, "/fill")] + "/pay")
	for _, got := range b.atOnce(30, pay, "form#pay", "next", map[string]string{"channel": "alipay"}) {
		if got.Status != 303 && got.Status != 409 {
			t.Errorf("payment begun: %d %s", got.Status, got.text("main"))
		}
	}
	equal(t, "payments begun", 1, count(`SELECT count(*) FROM payments WHERE state IN ('created', 'pending')`))
}
