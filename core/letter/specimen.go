package letter

import "certsaas/core/letter/specimen"

// Specimen is the letter as its holder would hand it in, printed, sealed and photographed: a JPEG for demonstrations, where
// nobody has a printer and a seal at hand.
func (l Letter) Specimen() ([]byte, error) {
	lines := []string{l.Form.Title.In(l.Locale), l.Number}
	add := func(label, template string) error {
		text, err := l.fillIn(template)
		if err == nil && len(text) > 0 {
			lines = append(lines, label+plain(text))
		}
		return err
	}
	if err := add("", l.Form.To.In(l.Locale)); err != nil {
		return nil, err
	}
	for _, b := range l.Form.Blocks {
		if err := add("", b.Text.In(l.Locale)); err != nil {
			return nil, err
		}
		for _, r := range b.Rows {
			if err := add(r.Label.In(l.Locale)+"：", r.Value); err != nil {
				return nil, err
			}
		}
	}
	return specimen.Page{Lines: lines, QR: l.Payload, Seal: true}.JPEG()
}
