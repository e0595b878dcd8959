package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"time"

	"github.com/google/uuid"

	"certsaas/core/account/throttle"
	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/identifier"
	"certsaas/core/vault"
)

// Purpose is what a code is good for; it is good for nothing else.
type Purpose string

// The purposes.
const (
	PurposeRegister Purpose = "register"
	PurposeLogin    Purpose = "login"
	PurposePassword Purpose = "password" // choose a new password
	PurposeOrder    Purpose = "order"    // confirm one order (req K34)
	PurposeContact  Purpose = "contact"  // give a certificate over to another mobile: a code to each
)

const maxTries = 5

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

// CodeRequest asks for a code.
type CodeRequest struct {
	Purpose   Purpose
	Mobile    string // as typed
	Client    Client
	Order     uuid.UUID     // for PurposeOrder only
	Lifetime  time.Duration // product's code_ttl; 0 = Limits.Lifetime (req K36)
	Resend    time.Duration // product's resend_wait; 0 = Limits.Resend
	Locale    string
	Text      string // the tenant's message "code" in the reader's language, placeholders {code} {seconds} {minutes} {org}; "" = this package's
	Org       string // the tenant's short name, for {org}
	Signature string // SMS signature; "" = the sender's
}

// Sent says how long the code lasts and when the next may be asked for.
type Sent struct {
	Mobile    string // normalised
	ExpiresAt time.Time
	ResendAt  time.Time
}

// SendCode sends a new code and makes older ones of the same mobile, purpose
// and browser void. Nothing about it depends on whether the mobile has an
// account. Errors: fault.Invalid at "mobile"; fault.RateLimited;
// fault.Unavailable "account.code_unsent" when the provider fails (the code
// counts as sent, since providers fail after sending too).
func (s *Service) SendCode(ctx context.Context, tenant uuid.UUID, r CodeRequest) (Sent, error) {
	mobile, err := Normalise(r.Mobile)
	if err != nil {
		return Sent{}, err
	}
	r.Mobile = mobile
	if r.Lifetime == 0 {
		r.Lifetime = s.limits.Lifetime
	}
	if r.Resend == 0 {
		r.Resend = s.limits.Resend
	}
	if err := r.sane(); err != nil {
		return Sent{}, err
	}
	if _, err := s.message(uuid.Nil, "000000", r); err != nil { // before anything is counted
		return Sent{}, err
	}
	var sent Sent
	var id uuid.UUID
	var code string
	// A system transaction, because the counters are the platform's.
	err = s.db.WithSystem(ctx, "account/send-code", func(ctx context.Context, tx *db.Tx) (err error) {
		id, code, err = s.issue(ctx, tx, tenant, r)
		sent = Sent{Mobile: mobile, ExpiresAt: tx.Now().Add(r.Lifetime), ResendAt: tx.Now().Add(r.Resend)}
		return err
	})
	if err != nil {
		return Sent{}, err
	}
	m, err := s.message(id, code, r)
	if err != nil {
		return Sent{}, err
	}
	if _, err := s.sender.Send(ctx, m); err != nil {
		return Sent{}, fault.Wrap(fault.Unavailable, "account.code_unsent", err, "Seconds", int(r.Resend.Seconds()))
	}
	return sent, nil
}

// sane refuses requests that only a mistake of ours can make.
func (r CodeRequest) sane() error {
	if r.Client.Browser == "" || !r.Client.IP.IsValid() {
		return errors.New("account: code without browser or address")
	}
	return orderFits(r.Purpose, r.Order)
}

func orderFits(p Purpose, order uuid.UUID) error {
	if (p == PurposeOrder) != (order != uuid.Nil) {
		return fmt.Errorf("account: purpose %q with order %s", p, order)
	}
	return nil
}

// issue checks the limits and stores the challenge. The lock makes parallel
// requests for one number wait for each other: 100 of them send one code.
func (s *Service) issue(ctx context.Context, tx *db.Tx, tenant uuid.UUID, r CodeRequest) (uuid.UUID, string, error) {
	keys, err := s.vault.Keys(ctx, tx, tenant)
	if err != nil {
		return uuid.Nil, "", err
	}
	index := keys.Index(mobileColumn, r.Mobile)
	lock := append([]byte("account/code"), tenant[:]...)
	sum := sha256.Sum256(append(lock, index...))
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(binary.BigEndian.Uint64(sum[:8]))); err != nil {
		return uuid.Nil, "", fmt.Errorf("account: lock number: %w", err)
	}
	if err := s.numberAllows(ctx, tx, tenant, index, r.Resend); err != nil {
		return uuid.Nil, "", err
	}
	if _, err := throttle.Take(ctx, tx, s.sendRules(r.Mobile, r.Client)...); err != nil {
		return uuid.Nil, "", err
	}
	if err := s.spend(ctx, tx, tenant); err != nil {
		return uuid.Nil, "", err
	}
	code, err := newCode()
	if err != nil {
		return uuid.Nil, "", err
	}
	id := db.NewID()
	b := binding(r.Client, r.Order)
	if _, err := tx.Exec(ctx, `UPDATE challenges SET superseded_at = $5 WHERE tenant_id = $1 AND mobile_index = $2 AND purpose = $3 AND binding = $4
		AND used_at IS NULL AND superseded_at IS NULL`, tenant, index, string(r.Purpose), b, tx.Now()); err != nil {
		return uuid.Nil, "", fmt.Errorf("account: supersede code: %w", err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO challenges (tenant_id, id, purpose, mobile_index, binding, code_mac, sent_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, tenant, id, string(r.Purpose), index, b,
		mac(keys, id, r.Purpose, r.Mobile, code), tx.Now(), tx.Now().Add(r.Lifetime)); err != nil {
		return uuid.Nil, "", fmt.Errorf("account: store code: %w", err)
	}
	return id, code, nil
}

// numberAllows checks the exact limits of one number at one tenant.
func (s *Service) numberAllows(ctx context.Context, tx *db.Tx, tenant uuid.UUID, index []byte, resend time.Duration) error {
	now := tx.Now()
	rows, err := tx.Query(ctx, `SELECT sent_at FROM challenges WHERE tenant_id = $1 AND mobile_index = $2 AND sent_at > $3 ORDER BY sent_at DESC`,
		tenant, index, now.Add(-24*time.Hour))
	if err != nil {
		return fmt.Errorf("account: earlier codes: %w", err)
	}
	defer rows.Close()
	var times []time.Time // newest first
	for rows.Next() {
		var at time.Time
		if err := rows.Scan(&at); err != nil {
			return fmt.Errorf("account: earlier codes: %w", err)
		}
		times = append(times, at)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("account: earlier codes: %w", err)
	}
	for _, l := range []struct {
		n      int64
		window time.Duration
	}{{1, resend}, {s.limits.NumberHour, time.Hour}, {s.limits.NumberDay, 24 * time.Hour}} {
		if int64(len(times)) < l.n {
			continue
		}
		if wait := times[l.n-1].Add(l.window).Sub(now); wait > 0 {
			return throttle.Limited(wait)
		}
	}
	return nil
}

// spend takes one code out of the tenant's budget of the day. This row is the
// last lock taken and the shortest held.
func (s *Service) spend(ctx context.Context, tx *db.Tx, tenant uuid.UUID) error {
	day := clock.CivilDate(tx.Now(), clock.Shanghai).String()
	budget := throttle.Rule{Scope: "code-send/tenant", Key: []byte(tenant.String() + "/" + day), Limit: s.limits.TenantDay, Window: 48 * time.Hour}
	n, err := throttle.Add(ctx, tx, budget)
	if err != nil {
		return err
	}
	if n > s.limits.TenantDay {
		return fault.New(fault.RateLimited, "account.budget")
	}
	if n == max(1, s.limits.TenantDay*s.limits.WarnPercent/100) || n == s.limits.TenantDay {
		tx.AfterCommit(func() { s.budgetAlarm(ctx, tenant, n) })
	}
	return nil
}

func (s *Service) message(id uuid.UUID, code string, r CodeRequest) (channel.Message, error) {
	seconds := int(r.Lifetime.Seconds())
	params := map[string]string{"code": code, "seconds": strconv.Itoa(seconds), "minutes": strconv.Itoa((seconds + 59) / 60), "org": r.Org}
	text := s.texts.T(r.Locale, "account.code_text_"+string(r.Purpose), "Code", code, "Seconds", params["seconds"])
	if r.Text != "" {
		var err error
		if text, err = channel.Fill(r.Text, params); err != nil {
			return channel.Message{}, err
		}
	}
	return channel.Message{ID: id.String(), Channel: channel.SMS, To: r.Mobile, Template: "code", Params: params, Signature: r.Signature, Text: text}, nil
}

// Proof is a typed code with everything it is bound to.
type Proof struct {
	Purpose Purpose
	Mobile  string // as typed
	Code    string // as typed
	Client  Client
	Order   uuid.UUID // for PurposeOrder only
}

// WithCode runs fn, in one tenant transaction with the code's consumption, if
// the code is right. fn gets the normalised mobile, now proved. When fn fails the
// code stays unspent. Errors besides fn's: fault.Invalid at "mobile" or "code"
// ("account.code_wrong" with {{.Left}} tries, "account.code_dead"),
// fault.RateLimited.
func (s *Service) WithCode(ctx context.Context, tenant uuid.UUID, p Proof, fn func(ctx context.Context, tx *db.Tx, mobile string) error) error {
	mobile, err := Normalise(p.Mobile)
	if err != nil {
		return err
	}
	p.Mobile = mobile
	p.Code = identifier.Normalise(p.Code)
	if !sixDigits.MatchString(p.Code) {
		return codeFault("account.code_format")
	}
	if err := orderFits(p.Purpose, p.Order); err != nil {
		return err
	}
	return s.codeGuard(p.Client).Try(ctx, func(ctx context.Context) (bool, error) {
		var wrong error
		err := s.db.WithTenant(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
			wrong, err = s.redeem(ctx, tx, p)
			if err != nil || wrong != nil { // a wrong try is committed: it counts
				return err
			}
			return fn(ctx, tx, mobile)
		})
		if err != nil {
			return false, err
		}
		return wrong != nil, wrong
	})
}

// redeem spends one try of the newest code and, if it is right, the code. wrong
// is what to tell a person whose code was not accepted.
func (s *Service) redeem(ctx context.Context, tx *db.Tx, p Proof) (wrong, err error) {
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	// The row stays locked until the commit: parallel tries queue up here, and each sees what the one before it left.
	var id uuid.UUID
	var stored []byte
	var tries int
	err = tx.QueryRow(ctx, `UPDATE challenges SET tries = tries + 1
		WHERE tenant_id = $1 AND mobile_index = $2 AND purpose = $3 AND binding = $4
		AND tries < $5 AND used_at IS NULL AND superseded_at IS NULL AND expires_at > $6 RETURNING id, code_mac, tries`,
		tx.Tenant(), keys.Index(mobileColumn, p.Mobile), string(p.Purpose), binding(p.Client, p.Order), maxTries, tx.Now()).Scan(&id, &stored, &tries)
	if errors.Is(err, db.ErrNoRows) {
		return codeFault("account.code_dead"), nil
	}
	if err != nil {
		return nil, fmt.Errorf("account: try code: %w", err)
	}
	if !hmac.Equal(stored, mac(keys, id, p.Purpose, p.Mobile, p.Code)) {
		if tries == maxTries {
			return codeFault("account.code_dead"), nil
		}
		return codeFault("account.code_wrong", "Left", maxTries-tries), nil
	}
	if _, err := tx.Exec(ctx, `UPDATE challenges SET used_at = $3 WHERE tenant_id = $1 AND id = $2 AND used_at IS NULL`, tx.Tenant(), id, tx.Now()); err != nil {
		return nil, fmt.Errorf("account: spend code: %w", err)
	}
	return nil, nil
}

func codeFault(id string, kv ...any) error { return fault.InvalidFields(fault.At("code", id, kv...)) }

// mac is the keyed digest a code is stored as. The key never leaves the vault's
// process, so a stolen table does not give up its million-possibility codes.
func mac(keys *vault.Keys, id uuid.UUID, p Purpose, mobile, code string) []byte {
	return keys.MAC(codeMAC, []byte(id.String()+"|"+string(p)+"|"+mobile+"|"+code))
}

// binding ties a code to the browser that asked for it, and to the order it confirms.
func binding(c Client, order uuid.UUID) []byte {
	h := sha256.New()
	h.Write(order[:])
	h.Write([]byte(c.Browser))
	return h.Sum(nil)
}

// newCode is six random digits.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("account: code: %w", err)
	}
	return fmt.Sprintf("%06d", n.Int64()), nil
}
