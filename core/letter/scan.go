package letter

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"strings"
	"time"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/letter/qr"
	"certsaas/core/material"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// readLimit is how long an upload waits for the code to be read; a reviewer reads what took longer.
const readLimit = 4 * time.Second

// Result is what the code on a scan says about it.
type Result string

// The results of a scan. The middle three refuse the scan (req B45 K22); the last two are left to the reviewer.
const (
	OK         Result = "OK"          // the current letter of this order, unchanged
	OtherOrder Result = "OTHER_ORDER" // a letter of ours, of another order
	Voided     Result = "VOIDED"      // this order's, but the data changed since it was printed
	Altered    Result = "ALTERED"     // a code that we did not sign
	Missing    Result = "QR_MISSING"  // no code could be read
	Undecided  Result = "UNDECIDED"   // reading took too long
)

// Refuses tells whether an order cannot be handed in with such a scan.
func (r Result) Refuses() bool { return r == OtherOrder || r == Voided || r == Altered }

var resultIDs = map[Result]string{
	OtherOrder: "letter.other_order",
	Voided:     "letter.voided",
	Altered:    "letter.altered",
	Missing:    "letter.qr_missing",
	Undecided:  "letter.undecided",
}

// Scan is what a scan's code said when it came.
type Scan struct {
	Result Result    `json:"result"`
	Number string    `json:"number,omitempty"` // of the letter the code names
	At     time.Time `json:"at"`
}

// Register joins letters to the flow: scans are read as they come, an order is not handed in with a scan that does not fit,
// and the rules learn "letter_qr". Call it once, before the services are used; material.Register must be called, too.
func (s *Service) Register(orders *order.Service, materials *material.Service) {
	materials.InspectWith(s.inspect)
	orders.RequireOnSubmit(s.unchanged)
	orders.LearnFrom(s.facts, "letter_qr")
}

// inspect reads the code of a letter's scan; see material.Inspector.
func (s *Service) inspect(ctx context.Context, fd form.Field, picture image.Image) material.Inspection {
	if fd.Type != form.Letter {
		return nil
	}
	text, outcome := s.read(ctx, picture)
	return func(ctx context.Context, tx *db.Tx, o order.Order, f material.File) ([]material.Finding, error) {
		return s.judge(ctx, tx, o, f, text, outcome)
	}
}

// read decodes within the limit, waiting for its turn included; outcome is OK while the text is still to be judged.
func (s *Service) read(ctx context.Context, picture image.Image) (text string, outcome Result) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	select {
	case s.readers <- struct{}{}:
		defer func() { <-s.readers }()
	case <-ctx.Done():
		return "", Undecided
	}
	text, err := qr.Decode(ctx, picture)
	switch {
	case err == nil:
		return text, OK
	case errors.Is(err, qr.ErrNoCode):
		return "", Missing
	}
	return "", Undecided
}

// judge compares a scan with the order's letter and keeps the outcome with the letter it should have been.
func (s *Service) judge(ctx context.Context, tx *db.Tx, o order.Order, f material.File, text string, outcome Result) ([]material.Finding, error) {
	c, err := s.fill(ctx, tx, o)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	current, err := s.ensure(ctx, tx, c)
	if err != nil {
		return nil, err
	}
	scan := Scan{Result: outcome, At: tx.Now()}
	if outcome == OK {
		if scan, err = s.compare(ctx, tx, current, text); err != nil {
			return nil, err
		}
	}
	if err := keepScan(ctx, tx, current, f.ID, scan); err != nil {
		return nil, err
	}
	if scan.Result == OK {
		return nil, nil
	}
	return []material.Finding{{ID: resultIDs[scan.Result], Refuses: scan.Result.Refuses()}}, nil
}

// compare tells what the text of a code says, seen from an order's current letter.
func (s *Service) compare(ctx context.Context, tx *db.Tx, current Letter, text string) (Scan, error) {
	scan := Scan{At: tx.Now()}
	claim, err := qr.Parse(text)
	if err != nil { // some other code on the sheet, unless it means to be ours
		scan.Result = Missing
		if strings.Contains(text, "/v/") {
			scan.Result = Altered
		}
		return scan, nil
	}
	scan.Number = claim.No
	if qr.Verify(s.public(), claim) != nil {
		scan.Result = Altered
		return scan, nil
	}
	if claim.No == current.Number {
		scan.Result = OtherOrder // another tenant's letter with the same number
		if claim.Matches(current.Digest) {
			scan.Result = OK
		}
		return scan, nil
	}
	named, err := s.find(ctx, tx, `l.number = $2`, claim.No)
	switch {
	case errors.Is(err, fault.NotFound):
		scan.Result = OtherOrder // another tenant's
	case err != nil:
		return Scan{}, err
	case named.letter.Order == current.Order && claim.Matches(named.letter.Digest):
		scan.Result = Voided
	default:
		scan.Result = OtherOrder
	}
	return scan, nil
}

func (s *Service) public() ed25519.PublicKey { return s.Key.Public().(ed25519.PublicKey) }

func keepScan(ctx context.Context, tx *db.Tx, l Letter, file uuid.UUID, scan Scan) error {
	b, err := json.Marshal(scan)
	if err != nil {
		return fmt.Errorf("letter: scan: %w", err)
	}
	_, err = tx.Exec(ctx, `UPDATE letters SET scan_file_id = $3, scan_result = $4 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), l.ID, file, b)
	if err != nil {
		return fmt.Errorf("letter: scan: %w", err)
	}
	return nil
}

// unchanged is the submit check: a scan that fitted when it came must still fit. What was wrong with it then is among
// the file's findings, and core/material refuses by those.
func (s *Service) unchanged(ctx context.Context, tx *db.Tx, o order.Order, _ tenant.Product) ([]fault.Field, error) {
	c, err := s.fill(ctx, tx, o)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var problems []fault.Field
	for fd := range c.product.FormAt("order").Fields() {
		file, err := uuid.Parse(o.Answers[fd.Key])
		if fd.Type != form.Letter || err != nil {
			continue
		}
		st, err := s.find(ctx, tx, `l.order_id = $2 AND l.scan_file_id = $3`, o.ID, file)
		if errors.Is(err, fault.NotFound) {
			problems = append(problems, fault.At(fd.Key, resultIDs[Voided]))
			continue
		}
		if err != nil {
			return nil, err
		}
		if !st.result.Result.Refuses() && (st.letter.VoidedAt != nil || !c.says(st)) {
			problems = append(problems, fault.At(fd.Key, resultIDs[Voided]))
		}
	}
	return problems, nil
}

// facts tells the rules what the letter's code said: match, mismatch or missing.
func (s *Service) facts(ctx context.Context, tx *db.Tx, o order.Order) (map[string]string, error) {
	var file string
	var result Result
	var void bool
	err := tx.QueryRow(ctx, `SELECT scan_file_id::text, scan_result ->> 'result', voided_at IS NOT NULL FROM letters
		WHERE tenant_id = $1 AND order_id = $2 AND scan_file_id IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT 1`,
		tx.Tenant(), o.ID).Scan(&file, &result, &void)
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return nil, fmt.Errorf("letter: facts: %w", err)
	}
	said := "missing"
	switch {
	case err != nil || !answers(o, file):
	case result == OK && !void:
		said = "match"
	case result == OK || result.Refuses():
		said = "mismatch"
	}
	return map[string]string{"letter_qr": said}, nil
}

// answers tells whether a file is an answer of the order.
func answers(o order.Order, file string) bool {
	for _, v := range o.Answers {
		if v == file {
			return true
		}
	}
	return false
}
