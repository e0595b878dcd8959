package pdf

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tool runs a program of a Debian package the tests need and returns what it prints.
func tool(t *testing.T, debian, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is needed: apt-get install %s", name, debian)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func render(t testing.TB, d Document) []byte {
	t.Helper()
	data, err := Render(d)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func save(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "letter.pdf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// squeeze drops the white space that line breaks and columns put into extracted text.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

// req: B43 K20
func TestLetterIsAWellFormedFileThatGivesItsTextBack(t *testing.T) {
	t.Parallel()
	doc := byd(t)
	path := save(t, render(t, doc))
	if out := tool(t, "qpdf", "qpdf", "--check", path); strings.Contains(out, "WARNING") {
		t.Errorf("qpdf: %s", out)
	}
	fonts := strings.Fields(strings.Split(tool(t, "poppler-utils", "pdffonts", path), "\n")[2])
	if want := []string{"CID", "TrueType", "Identity-H", "yes", "yes", "yes"}; !cmp.Equal(fonts[1:7], want) {
		t.Errorf("font: %v, want %v (embedded, subset, with Unicode map)", fonts[1:7], want)
	}
	text := squeeze(tool(t, "poppler-utils", "pdftotext", "-raw", path, "-"))
	for _, want := range []string{"数字证书更新办理授权书", "演示䶮喆堃汽车销售服务（深圳）有限公司", "𠮷𬱖𣲗", "dealer-long-address.service@example.com.cn", "四、本单位已告知代理人", "留存期至证书失效后满五年。", "单位（盖公章）：", "第1页，共1页"} {
		if !strings.Contains(text, squeeze(want)) {
			t.Errorf("text lacks %q:\n%s", want, text)
		}
	}
}

// req: B45
func TestEveryPageCarriesNumberAndDigest(t *testing.T) {
	t.Parallel()
	doc := guide()
	doc.Number, doc.Digest = "KL-1", [32]byte{0xab, 0xcd, 0xef, 0x01, 0x99}
	path := save(t, render(t, doc))
	pages := strings.Split(strings.TrimRight(tool(t, "poppler-utils", "pdftotext", "-raw", path, "-"), "\f"), "\f")
	if len(pages) < 3 {
		t.Fatalf("%d pages, want several", len(pages))
	}
	for i, p := range pages {
		for _, want := range []string{"编号KL-1校验码abcdef01", fmt.Sprintf("第%d页，共%d页", i+1, len(pages))} {
			if !strings.Contains(squeeze(p), want) {
				t.Errorf("page %d lacks %q", i+1, want)
			}
		}
		if i < len(pages)-1 && !strings.Contains(squeeze(p), "步骤说明时限") {
			t.Errorf("page %d lacks the table's head", i+1)
		}
	}
	all := squeeze(strings.Join(pages, ""))
	if n := strings.Count(all, "1-2个工作日"); n != 60 {
		t.Errorf("%d of 60 rows printed", n)
	}
}

func TestSameDocumentSameBytes(t *testing.T) {
	t.Parallel()
	want := render(t, byd(t))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := Render(byd(t)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("another run gave other bytes (%v)", err)
			}
		})
	}
	wg.Wait()
	other := byd(t)
	other.Digest[0]++
	if bytes.Equal(render(t, other), want) {
		t.Error("another digest gave the same bytes")
	}
}

func TestCharacterTheFontLacksIsNamed(t *testing.T) {
	t.Parallel()
	doc := byd(t)
	doc.Blocks = append(doc.Blocks, Fields{Fields: []Field{{"姓名", "张𪚥😀𪚥"}}})
	_, err := Render(doc)
	var missing *MissingGlyphError
	if !errors.As(err, &missing) || !slices.Equal(missing.Runes, []rune("𪚥😀")) {
		t.Fatalf("Render: %v", err)
	}
	if msg := err.Error(); !strings.Contains(msg, "𪚥") || !strings.Contains(msg, "U+2A6A5") {
		t.Errorf("message %q does not name the character", msg)
	}
	for text, want := range map[string]string{"䶮喆𠮷㛃𬱖𣲗犇骉羴麤\n\t": "", "龍榮豐": "", "a\u200bb": "\u200b", "\xff": "\ufffd"} {
		if got := string(MissingGlyphs(text)); got != want {
			t.Errorf("MissingGlyphs(%q) = %q, want %q", text, got, want)
		}
	}
}

// Subsetting copies outlines without looking for components.
func TestFontHasNoCompositeGlyphs(t *testing.T) {
	t.Parallel()
	f, err := face()
	if err != nil {
		t.Fatal(err)
	}
	if len(f.glyphs) < 10000 {
		t.Fatalf("%d characters, want the general-use table and more", len(f.glyphs))
	}
	for r, g := range f.glyphs {
		if o := f.glyf[f.loca[g]:f.loca[g+1]]; len(o) >= 2 && int16(u16(o, 0)) < 0 {
			t.Errorf("%q is composite", r)
		}
	}
	tables, err := tableDirectory(newSubset(f).trueType())
	if err != nil || len(tables) != 6 {
		t.Errorf("subset: %d tables, %v", len(tables), err)
	}
}

func TestDamagedFontIsAnError(t *testing.T) {
	t.Parallel()
	f, err := face()
	if err != nil {
		t.Fatal(err)
	}
	whole := newSubset(f).trueType() // no cmap, no OS/2
	for _, data := range [][]byte{nil, whole[:20], whole[:len(whole)/2], whole} {
		if _, err := parseFace(data); err == nil {
			t.Errorf("%d bytes accepted", len(data))
		}
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	got, err := Fill("甲{a}乙{b}", map[string]string{"a": "{b}{{.X}}${y}", "b": "2"})
	want := Text{{Text: "甲"}, {Text: "{b}{{.X}}${y}", Underline: true}, {Text: "乙"}, {Text: "2", Underline: true}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v %v", err, cmp.Diff(want, got))
	}
	for _, bad := range []string{"{c}", "{a", "{}"} {
		if _, err := Fill(bad, map[string]string{"a": "1"}); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

// inflate reads the font as a program does that does not keep it.
func inflate(t *testing.T) []byte {
	t.Helper()
	file, err := os.Open("../../font/NotoSansSC-8105.ttf.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zr, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Most of the cost of other writers is loading the font for each letter; the floor is measured in the same run.
func TestLetterDoesNotLoadTheFontAnew(t *testing.T) {
	doc := byd(t)
	best := func(runs int, f func()) time.Duration {
		best := time.Hour
		for range runs {
			start := time.Now()
			f()
			best = min(best, time.Since(start))
		}
		return best
	}
	letter := best(20, func() { render(t, doc) })
	load := best(2, func() {
		data := inflate(t)
		if _, err := parseFace(data); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%v a letter, %v to load the font", letter, load)
	if letter*4 > load {
		t.Errorf("%v a letter, want at most a quarter of the %v it takes to load the font", letter, load)
	}
}

func BenchmarkRender(b *testing.B) {
	doc := byd(b)
	size := len(render(b, doc))
	for b.Loop() {
		render(b, doc)
	}
	b.ReportMetric(float64(size), "bytes/letter")
}

// A letter without a title runs beside the code and goes on below it, complete.
func TestTextRunsBesideTheCode(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("兹委派经办人办理企业电子钥匙（USBKEY）申领事宜，", 40) + "完。"
	path := save(t, render(t, Document{QR: "https://a.example/v/1", Blocks: []Block{Paragraph{Text: Plain(long), Indent: true}}}))
	if got := squeeze(tool(t, "poppler-utils", "pdftotext", "-raw", path, "-")); !strings.HasPrefix(got, long) {
		t.Errorf("text is not whole: %s", got)
	}
	box := tool(t, "poppler-utils", "pdftotext", "-bbox", "-l", "1", path, "-")
	for _, m := range regexp.MustCompile(`xMax="([\d.]+)" yMax="([\d.]+)"`).FindAllStringSubmatch(box, -1) {
		x, errX := strconv.ParseFloat(m[1], 64)
		y, errY := strconv.ParseFloat(m[2], 64)
		if errX != nil || errY != nil || x > pageWidth-marginSide+1 || (y < 40*mm && x > pageWidth-marginSide-qrSide) {
			t.Errorf("a word ends at %.0f, %.0f: in the code or the margin", x, y)
		}
	}
}
