package staff

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"certsaas/core/account/password"
	"certsaas/core/account/throttle"
	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/identifier"
)

// How long sessions last.
const (
	HalfLimit     = 5 * time.Minute // between password and second factor
	IdleLimit     = time.Hour
	AbsoluteLimit = 12 * time.Hour
	seenEvery     = time.Minute
)

// Limits bound guessing (ASVS 6.3.1). Pair is per login and address; wrong
// passwords for one login from everywhere reach Login, after which each address
// has Tight tries: the owner still gets in from his desk. The second factor is
// different: whoever fails there knows the password, so its limit holds for the
// person wherever the tries come from.
type Limits struct {
	Pair, IP, Net int64 // wrong passwords: per login and address in 15 minutes; per address, per network an hour
	Login         int64 // … per login an hour, then tight
	Tight         int64
	Code          int64 // wrong second factors per person an hour
}

// DefaultLimits are the platform's.
func DefaultLimits() Limits { return Limits{Pair: 5, IP: 20, Net: 60, Login: 30, Tight: 1, Code: 10} }

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ have, or *int64 }{
		{&l.Pair, &d.Pair}, {&l.IP, &d.IP}, {&l.Net, &d.Net}, {&l.Login, &d.Login}, {&l.Tight, &d.Tight}, {&l.Code, &d.Code},
	} {
		if *f.have == 0 {
			*f.have = *f.or
		}
	}
	return l
}

// Session is a browser of the console.
type Session struct {
	Person    Person
	Token     string // goes into the cookie; set only when the session begins
	Verified  bool   // the second factor was given
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Principal is the session's caller: anonymous until the second factor is given.
func (s Session) Principal() authz.Principal {
	if !s.Verified {
		return authz.Principal{Kind: authz.Anonymous}
	}
	return s.Person.Principal()
}

func (s *Service) key(scope, value string) []byte {
	return s.vault.PlatformKeys().MAC("rate.staff."+scope, []byte(value))
}

func network(ip netip.Addr) string {
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return ip.String()
	}
	return p.String()
}

func (s *Service) passwordGuard(login string, ip netip.Addr) throttle.Guard {
	ip = ip.Unmap()
	return throttle.Guard{
		DB: s.db, Component: "staff/login", Alarm: s.alarm,
		All: throttle.Rule{Scope: "staff-fail/login", Key: s.key("login", login), Limit: s.limits.Login, Window: time.Hour},
		Rules: func(tight bool) []throttle.Rule {
			pair := s.limits.Pair
			if tight {
				pair = s.limits.Tight
			}
			return []throttle.Rule{
				{Scope: "staff-fail/pair", Key: s.key("pair", login+"|"+ip.String()), Limit: pair, Window: 15 * time.Minute},
				{Scope: "staff-fail/ip", Key: s.key("ip", ip.String()), Limit: s.limits.IP, Window: time.Hour},
				{Scope: "staff-fail/net", Key: s.key("net", network(ip)), Limit: s.limits.Net, Window: time.Hour},
			}
		},
	}
}

func (s *Service) codeGuard(id uuid.UUID) throttle.Guard {
	rule := throttle.Rule{Scope: "staff-code/person", Key: s.key("person", id.String()), Limit: s.limits.Code, Window: time.Hour}
	all := rule
	all.Scope = "staff-code/alarm"
	all.Limit = max(1, s.limits.Code/2)
	return throttle.Guard{DB: s.db, Component: "staff/login", Alarm: s.alarm, All: all,
		Rules: func(bool) []throttle.Rule { return []throttle.Rule{rule} }}
}

// LoginPassword is the first step: a half session that opens nothing but the
// second step. Unknown login, disabled person or wrong password:
// fault.Unauthenticated "staff.login_wrong" after the same work.
func (s *Service) LoginPassword(ctx context.Context, login, plain string, ip netip.Addr) (Session, error) {
	login = normalise(login)
	var out Session
	err := s.passwordGuard(login, ip).Try(ctx, func(ctx context.Context) (bool, error) {
		var p Person
		var hash string
		err := s.db.WithSystem(ctx, "staff/login", func(ctx context.Context, tx *db.Tx) error {
			return tx.QueryRow(ctx, `SELECT `+personColumns+`, password_hash FROM staff WHERE login = $1`, login).Scan(append(p.dest(), &hash)...)
		})
		if err != nil && !errors.Is(err, db.ErrNoRows) {
			return false, fmt.Errorf("staff: login: %w", err)
		}
		if !p.Active {
			hash = ""
		}
		ok, err := password.Matches(ctx, plain, hash)
		if err != nil {
			return false, err
		}
		if !ok {
			return true, s.refused(ctx, p.ID, "password", fault.New(fault.Unauthenticated, "staff.login_wrong"))
		}
		return false, s.db.WithSystem(ctx, "staff/login", func(ctx context.Context, tx *db.Tx) (err error) {
			out, err = begin(ctx, tx, p, false)
			return err
		})
	})
	return out, err
}

// LoginCode is the second step: it trades the half session for a full one with
// a new token. The code of a step is good once. Errors: fault.Invalid at "code";
// fault.Unauthenticated when the half session is over; fault.RateLimited.
func (s *Service) LoginCode(ctx context.Context, token, code string) (Session, error) {
	half, err := s.find(ctx, token, false)
	if err != nil {
		return Session{}, err
	}
	code = identifier.Normalise(code)
	var out Session
	err = s.codeGuard(half.Person.ID).Try(ctx, func(ctx context.Context) (bool, error) {
		var wrong error
		err := s.db.WithSystem(ctx, "staff/login", func(ctx context.Context, tx *db.Tx) (err error) {
			wrong, err = s.useCode(ctx, tx, half.Person.ID, code)
			if err != nil || wrong != nil {
				return err
			}
			// the half session ends here; of two parallel requests one finds it
			tag, err := tx.Exec(ctx, `UPDATE staff_sessions SET revoked_at = $2 WHERE id_hash = $1 AND revoked_at IS NULL`, hashToken(token), tx.Now())
			if err != nil {
				return fmt.Errorf("staff: half session: %w", err)
			}
			if tag.RowsAffected() == 0 {
				return unknownSession()
			}
			if _, err := tx.Exec(ctx, `UPDATE staff SET failures = 0 WHERE id = $1`, half.Person.ID); err != nil {
				return fmt.Errorf("staff: failures: %w", err)
			}
			out, err = begin(ctx, tx, half.Person, true)
			if err != nil {
				return err
			}
			ctx = authz.WithPrincipal(ctx, half.Person.Principal())
			return record(ctx, tx, half.Person.ID, "staff.login", map[string]any{"earlier_failures": half.Person.Failures})
		})
		if err != nil {
			return false, err
		}
		if wrong != nil {
			return true, s.refused(ctx, half.Person.ID, "code", wrong)
		}
		return false, nil
	})
	return out, err
}

// useCode spends the step of a code; wrong is what to tell a person whose code was not accepted.
func (s *Service) useCode(ctx context.Context, tx *db.Tx, id uuid.UUID, code string) (wrong, err error) {
	var sealed []byte
	var last int64
	err = tx.QueryRow(ctx, `SELECT totp_sealed, totp_last_step FROM staff WHERE id = $1 AND state = 'active' FOR UPDATE`, id).Scan(&sealed, &last)
	if errors.Is(err, db.ErrNoRows) {
		return nil, unknownSession()
	}
	if err != nil {
		return nil, fmt.Errorf("staff: second factor: %w", err)
	}
	secret, err := s.vault.PlatformKeys().Open(totpColumn, id, sealed)
	if err != nil {
		return nil, fmt.Errorf("staff: second factor: %w", err)
	}
	n, err := matchStep(string(secret), code, tx.Now(), last)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return fault.InvalidFields(fault.At("code", "staff.code_wrong")), nil
	}
	if _, err := tx.Exec(ctx, `UPDATE staff SET totp_last_step = $2 WHERE id = $1 AND totp_last_step < $2`, id, n); err != nil {
		return nil, fmt.Errorf("staff: second factor: %w", err)
	}
	return nil, nil
}

// refused counts and records a failure; answer is what the person reads. An
// unknown login (Nil) is recorded like any other, in as many statements.
func (s *Service) refused(ctx context.Context, id uuid.UUID, step string, answer error) error {
	err := s.db.WithSystem(ctx, "staff/login", func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE staff SET failures = least(failures + 1, 1000000) WHERE id = $1`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("staff: failures: %w", err)
	}
	err = audit.RecordDenied(ctx, s.db, uuid.Nil, audit.Entry{Action: "staff.login", Resource: "staff/" + id.String(), Detail: map[string]any{"step": step}})
	if err != nil {
		return fmt.Errorf("staff: record refusal: %w", err)
	}
	return answer
}

func begin(ctx context.Context, tx *db.Tx, p Person, verified bool) (Session, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return Session{}, fmt.Errorf("staff: token: %w", err)
	}
	out := Session{Person: p, Token: base64.RawURLEncoding.EncodeToString(raw), Verified: verified, CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(HalfLimit)}
	if verified {
		out.ExpiresAt = tx.Now().Add(AbsoluteLimit)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO staff_sessions (id_hash, staff_id, verified, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $4, $5)`,
		hashToken(out.Token), p.ID, verified, tx.Now(), out.ExpiresAt); err != nil {
		return Session{}, fmt.Errorf("staff: begin session: %w", err)
	}
	return out, nil
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

func unknownSession() error { return fault.New(fault.Unauthenticated, "staff.needs_login") }

// Authenticate is the full session of a token, with the person's roles of this
// moment, or fault.Unauthenticated; a half session is none.
func (s *Service) Authenticate(ctx context.Context, token string) (Session, error) {
	return s.find(ctx, token, true)
}

// HalfSession is the session between the two steps, for the page that asks for the code.
func (s *Service) HalfSession(ctx context.Context, token string) (Session, error) {
	return s.find(ctx, token, false)
}

func (s *Service) find(ctx context.Context, token string, verified bool) (Session, error) {
	if token == "" || len(token) > 64 {
		return Session{}, unknownSession()
	}
	out := Session{Verified: verified}
	err := s.db.WithSystem(ctx, "staff/session", func(ctx context.Context, tx *db.Tx) error {
		var seen time.Time
		err := tx.QueryRow(ctx, `SELECT s.created_at, s.seen_at, s.expires_at, p.* FROM staff_sessions s
			CROSS JOIN LATERAL (SELECT `+personColumns+` FROM staff WHERE id = s.staff_id AND state = 'active') p
			WHERE s.id_hash = $1 AND s.verified = $2 AND s.revoked_at IS NULL AND s.expires_at > $3 AND s.seen_at > $4`,
			hashToken(token), verified, tx.Now(), tx.Now().Add(-IdleLimit)).Scan(append([]any{&out.CreatedAt, &seen, &out.ExpiresAt}, out.Person.dest()...)...)
		if errors.Is(err, db.ErrNoRows) {
			return unknownSession()
		}
		if err != nil {
			return fmt.Errorf("staff: session: %w", err)
		}
		if tx.Now().Sub(seen) < seenEvery {
			return nil
		}
		if _, err := tx.Exec(ctx, `UPDATE staff_sessions SET seen_at = $2 WHERE id_hash = $1 AND seen_at < $2`, hashToken(token), tx.Now()); err != nil {
			return fmt.Errorf("staff: session: %w", err)
		}
		return nil
	})
	if err != nil {
		return Session{}, err
	}
	return out, nil
}

// Logout ends one session.
func (s *Service) Logout(ctx context.Context, token string) error {
	return s.db.WithSystem(ctx, "staff/logout", func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE staff_sessions SET revoked_at = $2 WHERE id_hash = $1 AND revoked_at IS NULL`, hashToken(token), tx.Now()); err != nil {
			return fmt.Errorf("staff: logout: %w", err)
		}
		return nil
	})
}

// LogoutEverywhere ends every session of a person.
func (s *Service) LogoutEverywhere(ctx context.Context, id uuid.UUID) error {
	return s.change(ctx, id, "staff.logout_everywhere", nil, `UPDATE staff SET failures = failures WHERE id = $1`, id)
}

// Sweep removes sessions that ended more than age ago and tells how many.
func (s *Service) Sweep(ctx context.Context, age time.Duration) (int64, error) {
	var n int64
	err := s.db.WithSystem(ctx, "staff/sweep", func(ctx context.Context, tx *db.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM staff_sessions WHERE expires_at < $1 OR revoked_at < $1`, tx.Now().Add(-age))
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("staff: sweep: %w", err)
	}
	return n, nil
}
