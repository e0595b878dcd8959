package letter

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/letter/qr"
	"certsaas/core/order"
)

// Verdict is what the public page says about a code.
type Verdict string

// The verdicts.
const (
	Genuine Verdict = "genuine" // printed by us, and nothing changed since
	Void    Verdict = "void"    // printed by us, replaced since
	Unknown Verdict = "unknown" // not ours, or not this tenant's
)

// Verify answers whoever scans a letter's code (/v/{no}#{digest}.{sig}). It needs no login and gives nothing personal: a
// number alone, without its signature, is always Unknown. printed is the zero date unless the code is ours.
func (s *Service) Verify(ctx context.Context, tenantID uuid.UUID, no, digest, sig string) (v Verdict, printed clock.Date, err error) {
	claim, err := qr.Parse("https://verify/v/" + no + "#" + digest + "." + sig)
	if err != nil || qr.Verify(s.public(), claim) != nil {
		return Unknown, clock.Date{}, nil
	}
	v = Unknown
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		st, err := s.find(ctx, tx, `l.number = $2`, no)
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if !claim.Matches(st.letter.Digest) {
			return nil
		}
		v, printed = Void, clock.CivilDate(st.letter.CreatedAt, clock.Shanghai)
		if st.letter.VoidedAt != nil {
			return nil
		}
		o, err := s.Orders.Load(ctx, tx, st.letter.Order)
		if err != nil {
			return err
		}
		c, err := s.fill(ctx, tx, o)
		if errors.Is(err, fault.NotFound) { // the order needs no letter any more
			return nil
		}
		if err == nil && c.says(st) {
			v = Genuine
		}
		return err
	})
	return v, printed, err
}

// Line is one filled value of a letter: as printed, and as the order has it now.
type Line struct {
	Name    string // placeholder; a form field key for answers
	Label   string // what the form calls it; "" for the platform's own facts
	Printed string
	Now     string
}

// Changed tells whether the order changed since printing.
func (l Line) Changed() bool { return l.Printed != l.Now }

// Comparison is the reviewer's view of a letter: what its scan's code said, and its values beside the stored ones.
type Comparison struct {
	Needed bool
	Letter Letter    // the one whose scan came last; the current one when none came
	File   uuid.UUID // the scan; Nil when none came
	Scan   *Scan     // nil when none came
	Lines  []Line
	Voided bool // the data changed since printing
}

// Comparison reads the reviewer's view in the caller's transaction; the caller has checked order.view.
func (s *Service) Comparison(ctx context.Context, tx *db.Tx, orderID uuid.UUID) (Comparison, error) {
	o, err := s.Orders.Load(ctx, tx, orderID)
	if err != nil {
		return Comparison{}, err
	}
	c, err := s.fill(ctx, tx, o)
	if errors.Is(err, fault.NotFound) {
		return Comparison{}, nil
	}
	if err != nil {
		return Comparison{}, err
	}
	st, err := s.shown(ctx, tx, o)
	if errors.Is(err, fault.NotFound) {
		return Comparison{Needed: true}, nil
	}
	if err != nil {
		return Comparison{}, err
	}
	out := Comparison{Needed: true, Letter: s.dress(st, c), File: st.scan, Scan: st.result, Voided: st.letter.VoidedAt != nil || !c.says(st)}
	now := c.values(st.letter.Number, st.letter.CreatedAt)
	for _, name := range c.blanks() {
		fd, _ := c.product.Form.Field(name)
		out.Lines = append(out.Lines, Line{Name: name, Label: fd.Label.In(c.locale), Printed: st.letter.Values[name], Now: now[name]})
	}
	return out, nil
}

// shown is the letter a reviewer looks at: that of the last scan, else the current one.
func (s *Service) shown(ctx context.Context, tx *db.Tx, o order.Order) (stored, error) {
	st, err := s.find(ctx, tx, `l.order_id = $2 AND l.scan_file_id IS NOT NULL`, o.ID)
	if errors.Is(err, fault.NotFound) {
		return s.find(ctx, tx, `l.order_id = $2 AND l.voided_at IS NULL`, o.ID)
	}
	return st, err
}
