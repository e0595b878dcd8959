package journey

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// needle is a canary as it might lie in a heap of bytes.
type needle struct {
	what, how string
	raw       []byte
	alone     bool // counts only where no letter or digit stands beside it: too short to be told from chance otherwise
}

// needles finds many needles in one pass: a table of the three bytes a needle begins with says where to look closer.
type needles struct {
	begins [1 << 24 / 8]byte
	by     map[uint32][]needle
	digits *needles // the same, in a haystack without what people put between digits
}

func begin(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

func (n *needles) add(x needle) {
	if len(x.raw) < 6 {
		return // base64 and hexadecimal of so little are found everywhere
	}
	at := begin(x.raw)
	n.begins[at/8] |= 1 << (at % 8)
	n.by[at] = append(n.by[at], x)
}

// newNeedles makes of each canary, by name, all spellings it is searched in.
func newNeedles(canaries map[string]string) *needles {
	n := &needles{by: map[uint32][]needle{}, digits: &needles{by: map[uint32][]needle{}}}
	for what, text := range canaries {
		short := len(text) < 8
		for how, raw := range spellings(text) {
			n.add(needle{what, how, raw, short})
		}
		if strings.Trim(text, "0123456789X") == "" && !short {
			n.digits.add(needle{what, "digits with something between", []byte(text), true})
		}
	}
	return n
}

// spellings are the ways in which a program, a database or a log writes a text.
func spellings(text string) map[string][]byte {
	raw := []byte(text)
	out := map[string][]byte{"plain": raw, "hex": []byte(hex.EncodeToString(raw)), "HEX": []byte(strings.ToUpper(hex.EncodeToString(raw)))}
	var le, be []byte
	for _, u := range utf16.Encode([]rune(text)) {
		le, be = binary.LittleEndian.AppendUint16(le, u), binary.BigEndian.AppendUint16(be, u)
	}
	out["UTF-16LE"], out["UTF-16BE"] = le, be
	for skip := range 3 { // by the place in the text that is encoded; what depends on the neighbours is left away
		for how, enc := range map[string]*base64.Encoding{"base64": base64.StdEncoding, "base64url": base64.URLEncoding} {
			coded := enc.EncodeToString(append(make([]byte, skip), raw...))
			out[fmt.Sprintf("%s after %d", how, skip)] = []byte(coded[(skip*8+5)/6 : (skip+len(raw))*8/6])
		}
	}
	if ascii := strconv.QuoteToASCII(text); ascii != strconv.Quote(text) { // neither digits nor ASCII
		out["JSON escapes"] = []byte(strings.Trim(ascii, `"`))
		out["percent"] = []byte(url.QueryEscape(text))
		if gb, err := simplifiedchinese.GB18030.NewEncoder().Bytes(raw); err == nil {
			out["GB 18030"] = gb
		}
	}
	return out
}

// in tells what lies in a heap.
func (n *needles) in(heap []byte) []string {
	found := n.pass(heap)
	if n.digits != nil {
		found = append(found, n.digits.pass(bytes.Map(func(r rune) rune {
			if r == ' ' || r == '-' || r == '.' || r == ',' || r == '_' {
				return -1
			}
			return r
		}, bytes.ToValidUTF8(heap, []byte{'?'})))...)
	}
	return found
}

func (n *needles) pass(heap []byte) []string {
	var found []string
	for i := 0; i+3 <= len(heap); i++ {
		at := begin(heap[i:])
		if n.begins[at/8]&(1<<(at%8)) == 0 {
			continue
		}
		for _, x := range n.by[at] {
			if bytes.HasPrefix(heap[i:], x.raw) && (!x.alone || lonely(heap, i, len(x.raw))) {
				found = append(found, fmt.Sprintf("%s (%s) at %d: %q", x.what, x.how, i, heap[max(i-60, 0):min(i+len(x.raw)+60, len(heap))]))
			}
		}
	}
	return found
}

// lonely reports whether no letter and no digit stands on either side.
func lonely(heap []byte, at, n int) bool {
	word := func(i int) bool {
		if i < 0 || i >= len(heap) {
			return false
		}
		c := heap[i]
		return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
	}
	return !word(at-1) && !word(at+n)
}

// TestNeedlesAreFound shows that the search of TestK1Canaries would see what it looks for, wherever it lies.
func TestNeedlesAreFound(t *testing.T) {
	t.Parallel()
	canaries := map[string]string{"id": "35020019871103073X", "name": "隐私演示甲", "mobile": "13800138073", "code": "402718"}
	n := newNeedles(canaries)
	for what, text := range canaries {
		for how, raw := range spellings(text) {
			for lead := range 4 {
				heap := append(bytes.Repeat([]byte{'\n'}, lead), raw...)
				if found := n.in(append(heap, '\n')); len(found) == 0 && len(raw) >= 6 {
					t.Errorf("%s as %s is not found", what, how)
				}
			}
		}
		for skip := range 3 {
			heap := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 30+skip) + text + "yy"))
			if found := n.in([]byte(heap)); len(found) == 0 && len(text) >= 8 {
				t.Errorf("%s in base64 after %d bytes is not found", what, skip)
			}
		}
	}
	for _, heap := range []string{"138 0013 8073", "138-0013-8073", "350200 19871103 073X"} {
		if len(n.in([]byte(heap))) == 0 {
			t.Errorf("%s is not found", heap)
		}
	}
	for _, heap := range []string{"14027180", "13800138074", "a402718"} {
		if found := n.in([]byte(heap)); len(found) != 0 {
			t.Errorf("%s: %v", heap, found)
		}
	}
}
