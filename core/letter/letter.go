// Package letter is the authorisation letter of an order: printed, sealed or signed by hand, photographed, and compared.
//
// In: an order's answers and the tenant's letter. Out: one current letter per order with number, digest and signature
// over every filled value; its PDF; and, when a scan comes back, what the code on it says against the order as it is now.
// A letter whose order changed is void. The code proves what was printed, not the seal beside it: a person looks all the same.
package letter

import (
	"context"
	"crypto/ed25519"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/letter/qr"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/vault"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// defaultDays is how long a printed letter holds when the pack does not say.
const defaultDays = 30

// Letter is one letter as it was or will be printed.
type Letter struct {
	Tenant, ID, Order uuid.UUID
	Number            string
	Digest            [32]byte // over Values, see qr.Digest
	Signature         []byte   // Ed25519, see qr.Sign
	Values            map[string]string
	Locale            string // the language it is written in: the tenant's first
	CreatedAt         time.Time
	VoidedAt          *time.Time // the order's data changed: void
	Form              tenant.Letter
	Payload           string // text of the code

	footer string
}

// ValidUntil is the last day a sealed print may be used.
func (l Letter) ValidUntil() clock.Date {
	days := l.Form.ValidDays
	if days == 0 {
		days = defaultDays
	}
	return clock.CivilDate(l.CreatedAt, clock.Shanghai).AddDays(days)
}

// Deps is what a Service stands on.
type Deps struct {
	DB     *db.DB
	Vault  *vault.Vault
	Orders *order.Service
	Authz  *authz.Authorizer
	Key    ed25519.PrivateKey            // vault.SigningKey "letter"
	Site   func(t *tenant.Tenant) string // scheme and host of the tenant's portal, printed in the code
}

// Service is the use cases of letters.
type Service struct {
	Deps
	readers chan struct{}
}

// readers is how many codes are read at once: a miss takes seconds of one core.
const readers = 2

// New makes a Service.
func New(d Deps) *Service { return &Service{Deps: d, readers: make(chan struct{}, readers)} }

// Current gives the order's letter as it must be printed now, making it, or a new one when the order's data changed
// since the last was printed; that one is void from then on (req B45 K22).
//
// Errors: fault.NotFound "letter.not_needed" when these answers need none; fault.Invalid naming field and character when
// the font cannot print an answer; what core/authz says.
func (s *Service) Current(ctx context.Context, tenantID, orderID uuid.UUID) (Letter, error) {
	var l Letter
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.LoadForUpdate(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if err := s.Authz.Check(ctx, authz.LetterDownload, o.ResourceFor(ctx)); err != nil {
			return err
		}
		c, err := s.fill(ctx, tx, o)
		if err != nil {
			return err
		}
		if err := c.printable(); err != nil {
			return err
		}
		l, err = s.ensure(ctx, tx, c)
		return err
	})
	return l, err
}

// Needed tells whether an order needs a letter, and which, in the caller's transaction.
func (s *Service) Needed(ctx context.Context, tx *db.Tx, o order.Order) (tenant.Letter, bool, error) {
	c, err := s.fill(ctx, tx, o)
	if errors.Is(err, fault.NotFound) {
		return tenant.Letter{}, false, nil
	}
	return c.form, err == nil, err
}

// ensure gives the current letter of a locked order: the one there is if nothing changed, a new one otherwise.
func (s *Service) ensure(ctx context.Context, tx *db.Tx, c filling) (Letter, error) {
	have, err := s.find(ctx, tx, `l.order_id = $2 AND l.voided_at IS NULL`, c.order.ID)
	switch {
	case err == nil && c.says(have):
		return s.dress(have, c), nil
	case err == nil:
		if err := void(ctx, tx, have.letter); err != nil {
			return Letter{}, err
		}
	case !errors.Is(err, fault.NotFound):
		return Letter{}, err
	}
	return s.issue(ctx, tx, c)
}

// issue numbers, signs and stores a new letter.
func (s *Service) issue(ctx context.Context, tx *db.Tx, c filling) (Letter, error) {
	no, err := number(ctx, tx, c.tenant)
	if err != nil {
		return Letter{}, err
	}
	l := Letter{Tenant: tx.Tenant(), ID: db.NewID(), Order: c.order.ID, Number: no, CreatedAt: tx.Now()}
	l.Values = c.values(no, l.CreatedAt)
	l.Digest = qr.Digest(l.Values)
	l.Signature = qr.Sign(s.Key, no, l.Digest)
	plain, err := json.Marshal(l.Values)
	if err != nil {
		return Letter{}, fmt.Errorf("letter: values: %w", err)
	}
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return Letter{}, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO letters (tenant_id, id, order_id, number, digest, signature, values_sealed, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		tx.Tenant(), l.ID, l.Order, l.Number, l.Digest[:], l.Signature, keys.Seal(column, l.ID, plain), l.CreatedAt)
	if err != nil {
		return Letter{}, fmt.Errorf("letter: insert: %w", err)
	}
	err = audit.Record(ctx, tx, audit.Entry{Action: "letter.issue", Resource: "order/" + l.Order.String(), Detail: map[string]any{"letter": no}})
	return s.dress(stored{letter: l}, c), err
}

// dress adds what is not stored: the form, the language, the code.
func (s *Service) dress(st stored, c filling) Letter {
	l := st.letter
	l.Form, l.Locale = c.form, c.locale
	l.Payload = qr.Payload(s.Site(c.tenant), l.Number, l.Digest, l.Signature)
	l.footer = c.tenant.Names().Short.In(c.locale)
	return l
}

// number draws the next number of the day: tenant letters, Shanghai date, counter.
func number(ctx context.Context, tx *db.Tx, t *tenant.Tenant) (string, error) {
	day := tx.Now().In(clock.Shanghai).Format("20060102")
	var n int64
	err := tx.QueryRow(ctx, `INSERT INTO counters (tenant_id, name, value) VALUES ($1, $2, 1)
		ON CONFLICT (tenant_id, name) DO UPDATE SET value = counters.value + 1 RETURNING value`, tx.Tenant(), "letter/"+day).Scan(&n)
	if err != nil {
		return "", fmt.Errorf("letter: number: %w", err)
	}
	return fmt.Sprintf("%s-%s-%06d", strings.ToUpper(t.Slug()[:min(3, len(t.Slug()))]), day, n), nil
}

// column is the vault's name of the printed values.
const column = "letters.values"

// stored is a letter's row with what its scan said.
type stored struct {
	letter Letter
	scan   uuid.UUID // file of the scan; Nil: none came yet
	result *Scan
}

// find reads the newest letter of the transaction's tenant that a condition holds for (args from $2); fault.NotFound when there is none.
func (s *Service) find(ctx context.Context, tx *db.Tx, where string, args ...any) (stored, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return stored{}, err
	}
	var st stored
	var digest, sealed, result []byte
	var scan *uuid.UUID
	l := &st.letter
	err = tx.QueryRow(ctx, `SELECT l.tenant_id, l.id, l.order_id, l.number, l.digest, l.signature, l.values_sealed, l.created_at, l.voided_at, l.scan_file_id, l.scan_result
		FROM letters l WHERE l.tenant_id = $1 AND `+where+` ORDER BY l.created_at DESC, l.id DESC LIMIT 1`, append([]any{tx.Tenant()}, args...)...).
		Scan(&l.Tenant, &l.ID, &l.Order, &l.Number, &digest, &l.Signature, &sealed, &l.CreatedAt, &l.VoidedAt, &scan, &result)
	if errors.Is(err, pgx.ErrNoRows) {
		return stored{}, fault.New(fault.NotFound, "letter.not_found")
	}
	if err != nil {
		return stored{}, fmt.Errorf("letter: find: %w", err)
	}
	copy(l.Digest[:], digest)
	if scan != nil {
		st.scan = *scan
	}
	if result != nil {
		st.result = &Scan{}
		if err := json.Unmarshal(result, st.result); err != nil {
			return stored{}, fmt.Errorf("letter: scan of %s: %w", l.Number, err)
		}
	}
	plain, err := keys.Open(column, l.ID, sealed)
	if err != nil {
		return stored{}, fmt.Errorf("letter: open %s: %w", l.Number, err)
	}
	if err := json.Unmarshal(plain, &l.Values); err != nil {
		return stored{}, fmt.Errorf("letter: values of %s: %w", l.Number, err)
	}
	return st, nil
}

// void ends a letter whose order changed.
func void(ctx context.Context, tx *db.Tx, l Letter) error {
	_, err := tx.Exec(ctx, `UPDATE letters SET voided_at = $3 WHERE tenant_id = $1 AND id = $2 AND voided_at IS NULL`, tx.Tenant(), l.ID, tx.Now())
	if err != nil {
		return fmt.Errorf("letter: void: %w", err)
	}
	return audit.Record(ctx, tx, audit.Entry{Action: "letter.void", Resource: "order/" + l.Order.String(), Detail: map[string]any{"letter": l.Number}})
}
