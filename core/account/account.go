// Package account is who applies for certificates: the accounts of one tenant,
// their SMS codes and their sessions.
//
// In: a mobile and a proof that it is one's own (a code sent to it, or the
// password chosen then), where the browser comes from. Out: accounts, session
// tokens and the authz.Principal of a session. An account exists for a mobile
// within one tenant; another tenant's account of the same mobile is another
// account. Nobody learns whether a mobile has an account before he has proved
// that the mobile is his.
package account

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"certsaas/core/account/throttle"
	"certsaas/core/authz"
	"certsaas/core/channel"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/identifier"
	"certsaas/core/vault"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// What the vault's keys are derived for.
const (
	mobileColumn = "accounts.mobile"
	codeMAC      = "challenges.code"
)

// Account is one applicant's login at one tenant.
type Account struct {
	Tenant, ID  uuid.UUID
	Mobile      string // 11 digits, decrypted
	HasPassword bool   // false: logs in by code only
	CreatedAt   time.Time
	LastLoginAt *time.Time
}

// Principal is the account as authz and audit see it; its name is the masked mobile.
func (a Account) Principal() authz.Principal {
	return authz.Principal{Kind: authz.Dealer, ID: a.ID, Name: identifier.MaskMobile(a.Mobile), Tenant: a.Tenant}
}

// Deps is what a Service stands on.
type Deps struct {
	DB     *db.DB
	Vault  *vault.Vault
	Sender channel.Sender // sends the codes
	Texts  *i18n.Bundle   // holds this package's Messages
	Limits Limits         // zero fields take DefaultLimits
	Alarm  func(ctx context.Context, a Alarm)
}

// Alarm is something operators should look at: a budget nearly used, guessing
// under way. Key is a tenant's id or empty.
type Alarm struct {
	Scope string // "code-send/tenant", "code-fail/all", "login-fail/all"
	Key   string
	Count int64
	Limit int64
}

// Service is the use cases of accounts.
type Service struct {
	db     *db.DB
	vault  *vault.Vault
	sender channel.Sender
	texts  *i18n.Bundle
	limits Limits
	alarm  func(ctx context.Context, a Alarm)
}

// New makes a Service. Without Alarm, alarms are warnings in the log.
func New(d Deps) *Service {
	s := &Service{db: d.DB, vault: d.Vault, sender: d.Sender, texts: d.Texts, limits: d.Limits.orDefault(), alarm: d.Alarm}
	if s.alarm == nil {
		s.alarm = logAlarm
	}
	return s
}

// Normalise is the mobile's 11 digits, or fault.Invalid at field "mobile".
func Normalise(mobile string) (string, error) {
	v := identifier.Mobile(mobile)
	if v.Code != identifier.CodeOK {
		return "", fault.InvalidFields(fault.At("mobile", "account.mobile_invalid"))
	}
	return v.Value, nil
}

// Find is the account of an id, or fault.NotFound.
func (s *Service) Find(ctx context.Context, tenant, id uuid.UUID) (Account, error) {
	var a Account
	err := s.db.WithTenant(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		a, err = s.Load(ctx, tx, id)
		return err
	})
	return a, err
}

// Load is Find in the caller's tenant transaction.
func (s *Service) Load(ctx context.Context, tx *db.Tx, id uuid.UUID) (Account, error) {
	a, _, err := s.read(ctx, tx, "a.id = $2", id)
	return a, err
}

// byMobile finds the account of a normalised mobile and its password hash, or fault.NotFound.
func (s *Service) byMobile(ctx context.Context, tx *db.Tx, mobile string) (Account, string, error) {
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return Account{}, "", err
	}
	a, hash, err := s.read(ctx, tx, "a.mobile_index = $2", keys.Index(mobileColumn, mobile))
	if err == nil && a.Mobile != mobile { // blind indexes may collide; such a mobile is nobody's
		return Account{}, "", notFound()
	}
	return a, hash, err
}

// columns are an account's row a, read into row.cells.
const columns = `a.id, a.mobile_sealed, a.password_hash, a.created_at, a.last_login_at`

type row struct {
	id     uuid.UUID
	sealed []byte
	hash   *string
	made   time.Time
	login  *time.Time
}

func (r *row) cells() []any { return []any{&r.id, &r.sealed, &r.hash, &r.made, &r.login} }

// unseal makes an account of its row.
func (s *Service) unseal(ctx context.Context, tx *db.Tx, r row) (Account, error) {
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return Account{}, err
	}
	mobile, err := keys.Open(mobileColumn, r.id, r.sealed)
	if err != nil {
		return Account{}, fmt.Errorf("account: mobile: %w", err)
	}
	return Account{Tenant: tx.Tenant(), ID: r.id, Mobile: string(mobile), HasPassword: r.hash != nil, CreatedAt: r.made, LastLoginAt: r.login}, nil
}

// read finds one account and its password hash; where is a constant of this package.
func (s *Service) read(ctx context.Context, tx *db.Tx, where string, arg any) (Account, string, error) {
	var r row
	err := tx.QueryRow(ctx, `SELECT `+columns+` FROM accounts a WHERE a.tenant_id = $1 AND `+where, tx.Tenant(), arg).Scan(r.cells()...)
	if errors.Is(err, db.ErrNoRows) {
		return Account{}, "", notFound()
	}
	if err != nil {
		return Account{}, "", fmt.Errorf("account: read: %w", err)
	}
	a, err := s.unseal(ctx, tx, r)
	if err != nil || r.hash == nil {
		return a, "", err
	}
	return a, *r.hash, nil
}

func notFound() error { return fault.New(fault.NotFound, "account.none") }

// insert makes the account of a mobile; made is false when there is one already.
func (s *Service) insert(ctx context.Context, tx *db.Tx, mobile, hash string) (id uuid.UUID, made bool, err error) {
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return uuid.Nil, false, err
	}
	id = db.NewID()
	var stored *string
	if hash != "" {
		stored = &hash
	}
	tag, err := tx.Exec(ctx, `INSERT INTO accounts (tenant_id, id, mobile_index, mobile_sealed, password_hash, created_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, mobile_index) DO NOTHING`,
		tx.Tenant(), id, keys.Index(mobileColumn, mobile), keys.Seal(mobileColumn, id, []byte(mobile)), stored, tx.Now())
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("account: insert: %w", err)
	}
	return id, tag.RowsAffected() == 1, nil
}

// FindOrCreate is the account of a mobile whose ownership the caller has
// proved (ConfirmOrder does), made without a password if there is none yet. It
// joins the caller's transaction. (req K4 K42)
func (s *Service) FindOrCreate(ctx context.Context, tx *db.Tx, mobile string) (a Account, made bool, err error) {
	_, made, err = s.insert(ctx, tx, mobile, "")
	if err != nil {
		return Account{}, false, err
	}
	a, _, err = s.byMobile(ctx, tx, mobile)
	if err != nil || !made {
		return a, false, err
	}
	return a, true, record(ctx, tx, a, "account.create", nil)
}

// Sweep removes what ended more than age ago: sessions, codes, counters. It
// tells how many rows went; a daily job calls it.
func (s *Service) Sweep(ctx context.Context, age time.Duration) (int64, error) {
	n, err := throttle.Sweep(ctx, s.db, max(age, 48*time.Hour))
	if err != nil {
		return 0, err
	}
	err = s.db.WithSystem(ctx, "account/sweep", func(ctx context.Context, tx *db.Tx) error {
		for _, sql := range []string{
			`DELETE FROM sessions WHERE expires_at < $1 OR revoked_at < $1`,
			`DELETE FROM challenges WHERE expires_at < $1`,
		} {
			tag, err := tx.Exec(ctx, sql, tx.Now().Add(-max(age, 48*time.Hour)))
			if err != nil {
				return fmt.Errorf("account: sweep: %w", err)
			}
			n += tag.RowsAffected()
		}
		return nil
	})
	return n, err
}
