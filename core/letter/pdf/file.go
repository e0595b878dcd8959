package pdf

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf16"
)

// file writes the objects of a PDF 1.7 file (ISO 32000-1 §7.5). Nothing in it depends on when or where it is made.
type file struct {
	bytes.Buffer
	offsets []int // offsets[i] is where object i+1 begins, 0 = reserved
}

func newFile() *file {
	f := &file{}
	f.WriteString("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")
	return f
}

// reserve gives an object number to refer to before its object is written.
func (f *file) reserve() int {
	f.offsets = append(f.offsets, 0)
	return len(f.offsets)
}

func (f *file) object(id int, format string, args ...any) {
	f.offsets[id-1] = f.Len()
	fmt.Fprintf(f, "%d 0 obj\n", id)
	fmt.Fprintf(f, format, args...)
	f.WriteString("\nendobj\n")
}

// deflaters keeps compressors: a new one costs more than compressing a page.
var deflaters = sync.Pool{New: func() any {
	w, err := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// stream writes data compressed; extra is put into its dictionary.
func (f *file) stream(id int, extra string, data []byte) {
	var packed bytes.Buffer
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(&packed)
	_, _ = w.Write(data) // a bytes.Buffer never fails
	_ = w.Close()
	f.offsets[id-1] = f.Len()
	fmt.Fprintf(f, "%d 0 obj\n<< /Length %d /Filter /FlateDecode%s >>\nstream\n", id, packed.Len(), extra)
	f.Write(packed.Bytes())
	f.WriteString("\nendstream\nendobj\n")
}

// finish writes the cross-reference table and trailer. The file identifier is a digest of all that comes before it.
func (f *file) finish(root, info int) []byte {
	sum := sha256.Sum256(f.Bytes())
	at := f.Len()
	fmt.Fprintf(f, "xref\n0 %d\n0000000000 65535 f \n", len(f.offsets)+1)
	for _, offset := range f.offsets {
		fmt.Fprintf(f, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(f, "trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R /ID [<%X> <%X>] >>\nstartxref\n%d\n%%%%EOF\n",
		len(f.offsets)+1, root, info, sum[:16], sum[:16], at)
	return f.Bytes()
}

// font writes the five objects of an embedded CID font (ISO 32000-1 §9.7) under the reserved number id.
func (f *file) font(id int, s *subset) {
	name := s.tag() + "+" + s.face.postName
	cid, descriptor, data, unicode := f.reserve(), f.reserve(), f.reserve(), f.reserve()
	f.object(id, "<< /Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>", name, cid, unicode)
	f.object(cid, "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"+
		" /FontDescriptor %d 0 R /CIDToGIDMap /Identity /DW 1000 /W %s >>", name, descriptor, s.widths())
	scale := func(v int16) int { return int(v) * 1000 / s.face.unitsPerEm }
	f.object(descriptor, "<< /Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [%d %d %d %d] /ItalicAngle 0 /Ascent %d /Descent %d /CapHeight %d /StemV 80 /FontFile2 %d 0 R >>",
		name, scale(s.face.bbox[0]), scale(s.face.bbox[1]), scale(s.face.bbox[2]), scale(s.face.bbox[3]),
		scale(s.face.ascent), scale(s.face.descent), scale(s.face.capHeight), data)
	ttf := s.trueType()
	f.stream(data, fmt.Sprintf(" /Length1 %d", len(ttf)), ttf)
	f.stream(unicode, "", s.toUnicode())
}

// textString is a PDF text string in UTF-16BE with its mark (ISO 32000-1 §7.9.2.2), written in hex.
func textString(s string) string {
	b := []byte("<FEFF")
	for _, unit := range utf16.Encode([]rune(s)) {
		b = fmt.Appendf(b, "%04X", unit)
	}
	return string(append(b, '>'))
}

// appendNumber writes v with at most two decimals: 1/100 point is finer than any printer.
func appendNumber(b []byte, v float64) []byte {
	b = strconv.AppendFloat(b, v, 'f', 2, 64)
	b = bytes.TrimRight(b, "0")
	b = bytes.TrimRight(b, ".")
	if bytes.HasSuffix(b, []byte(" -0")) || string(b) == "-0" {
		b = append(b[:len(b)-2], '0')
	}
	return b
}
