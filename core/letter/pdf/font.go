package pdf

import (
	"encoding/binary"
	"errors"
	"sync"

	"certsaas/core/font"
)

// typeface is one parsed TrueType font, read-only after parsing and shared by all letters. Glyph ids are the font's own.
type typeface struct {
	unitsPerEm int
	bbox       [4]int16 // xMin yMin xMax yMax, font units
	ascent     int16
	descent    int16
	capHeight  int16
	postName   string
	glyphs     map[rune]uint16
	advance    []uint16 // by glyph id, font units
	bearing    []int16
	loca       []uint32
	glyf       []byte
	head       []byte
	hhea       []byte
	maxp       []byte
}

// face parses the embedded font once. The archive is part of the program: failing here is a broken build,
// which every caller reports as an error all the same.
var face = sync.OnceValues(func() (*typeface, error) {
	data, err := font.TrueType()
	if err != nil {
		return nil, err
	}
	return parseFace(data)
})

var errFont = errors.New("pdf: not a usable TrueType font")

// parseFace reads the tables a PDF needs (OpenType 1.9: head, hhea, hmtx, maxp, cmap format 12, loca, glyf). The font is
// our own and tested; lengths are checked all the same so that a wrong file is an error, not a crash.
func parseFace(data []byte) (*typeface, error) {
	tables, err := tableDirectory(data)
	if err != nil {
		return nil, err
	}
	f := &typeface{head: tables["head"], hhea: tables["hhea"], maxp: tables["maxp"], glyf: tables["glyf"], postName: "NotoSansSC-Regular"}
	os2 := tables["OS/2"]
	if len(f.head) < 54 || len(f.hhea) < 36 || len(f.maxp) < 6 || len(os2) < 90 {
		return nil, errFont
	}
	f.unitsPerEm = int(u16(f.head, 18))
	for i := range f.bbox {
		f.bbox[i] = int16(u16(f.head, 36+2*i))
	}
	f.ascent, f.descent = int16(u16(f.hhea, 4)), int16(u16(f.hhea, 6))
	f.capHeight = int16(u16(os2, 88))
	count := int(u16(f.maxp, 4))
	if f.unitsPerEm == 0 || count == 0 {
		return nil, errFont
	}
	if err := f.readMetrics(tables["hmtx"], count); err != nil {
		return nil, err
	}
	if err := f.readLoca(tables["loca"], count); err != nil {
		return nil, err
	}
	f.glyphs, err = readCmap(tables["cmap"], count)
	return f, err
}

func tableDirectory(data []byte) (map[string][]byte, error) {
	if len(data) < 12 || u32(data, 0) != 0x00010000 {
		return nil, errFont
	}
	tables := map[string][]byte{}
	for i := range int(u16(data, 4)) {
		at := 12 + 16*i
		if at+16 > len(data) {
			return nil, errFont
		}
		offset, length := uint64(u32(data, at+8)), uint64(u32(data, at+12))
		if offset+length > uint64(len(data)) {
			return nil, errFont
		}
		tables[string(data[at:at+4])] = data[offset : offset+length]
	}
	return tables, nil
}

func (f *typeface) readMetrics(hmtx []byte, count int) error {
	long := int(u16(f.hhea, 34))
	if long == 0 || long > count || len(hmtx) < 4*long+2*(count-long) {
		return errFont
	}
	f.advance, f.bearing = make([]uint16, count), make([]int16, count)
	for g := range count {
		if g < long {
			f.advance[g], f.bearing[g] = u16(hmtx, 4*g), int16(u16(hmtx, 4*g+2))
		} else { // the rest share the last advance
			f.advance[g], f.bearing[g] = f.advance[long-1], int16(u16(hmtx, 4*long+2*(g-long)))
		}
	}
	return nil
}

func (f *typeface) readLoca(loca []byte, count int) error {
	wide := u16(f.head, 50) == 1
	if (wide && len(loca) < 4*(count+1)) || (!wide && len(loca) < 2*(count+1)) {
		return errFont
	}
	f.loca = make([]uint32, count+1)
	for g := range f.loca {
		if wide {
			f.loca[g] = u32(loca, 4*g)
		} else {
			f.loca[g] = 2 * uint32(u16(loca, 2*g))
		}
		if f.loca[g] > uint32(len(f.glyf)) || (g > 0 && f.loca[g] < f.loca[g-1]) {
			return errFont
		}
	}
	return nil
}

// readCmap reads the format 12 subtable: the one that knows runes above U+FFFF.
func readCmap(cmap []byte, count int) (map[rune]uint16, error) {
	if len(cmap) < 4 {
		return nil, errFont
	}
	for i := range int(u16(cmap, 2)) {
		if 12+8*i > len(cmap) {
			return nil, errFont
		}
		at := int(u32(cmap, 4+8*i+4))
		if at+16 > len(cmap) || u16(cmap, at) != 12 {
			continue
		}
		groups := int(u32(cmap, at+12))
		if groups > (len(cmap)-at-16)/12 {
			return nil, errFont
		}
		glyphs := make(map[rune]uint16, count)
		for g := range groups {
			p := at + 16 + 12*g
			first, last, id := u32(cmap, p), u32(cmap, p+4), u32(cmap, p+8)
			if last < first || last > 0x10FFFF || uint64(id)+uint64(last-first) >= uint64(count) {
				return nil, errFont
			}
			for r := first; r <= last; r++ {
				glyphs[rune(r)] = uint16(id + r - first)
			}
		}
		return glyphs, nil
	}
	return nil, errFont
}

// width is the advance of one rune in thousandths of the font size.
func (f *typeface) width(r rune) float64 {
	return float64(f.advance[f.glyphs[r]]) * 1000 / float64(f.unitsPerEm)
}

func u16(b []byte, at int) uint16 { return binary.BigEndian.Uint16(b[at:]) }
func u32(b []byte, at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
