// Package staff is who works for the CA: people of the console with a password
// and a second factor.
//
// In: a login, a password, a six-digit code of an authenticator (TOTP, RFC
// 6238: SHA-1, 30 s, 6 digits), the peer's address. Out: session tokens and the
// authz.Principal of a session with the roles of this very moment. Staff belong
// to the platform, to no tenant; their rows are read and written in system
// transactions, and their log-ins and failures are in the platform's audit trail.
package staff

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"certsaas/core/account/password"
	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/vault"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

const totpColumn = "staff.totp"

// Person is a member of the staff.
type Person struct {
	ID        uuid.UUID
	Login     string
	Name      string
	Roles     []string
	Active    bool
	Failures  int // log-ins that failed since the last that succeeded
	CreatedAt time.Time
}

// Principal is the person as authz and audit see him.
func (p Person) Principal() authz.Principal {
	return authz.Principal{Kind: authz.Staff, ID: p.ID, Name: p.Name, Roles: slices.Clone(p.Roles)}
}

// Deps is what a Service stands on.
type Deps struct {
	DB     *db.DB
	Vault  *vault.Vault
	Issuer string // name shown in authenticators; "" = certsaas
	Limits Limits // zero fields take DefaultLimits
	Alarm  func(ctx context.Context, scope string, count int64)
	Authz  *authz.Authorizer // staff.manage is asked before anything about a person changes
}

// Service is the use cases of staff.
type Service struct {
	db     *db.DB
	vault  *vault.Vault
	issuer string
	limits Limits
	alarm  func(ctx context.Context, scope string, count int64)
	authz  *authz.Authorizer
}

// New makes a Service. Without Alarm, alarms are warnings in the log.
func New(d Deps) *Service {
	s := &Service{db: d.DB, vault: d.Vault, issuer: d.Issuer, limits: d.Limits.orDefault(), alarm: d.Alarm, authz: d.Authz}
	if s.issuer == "" {
		s.issuer = "certsaas"
	}
	if s.alarm == nil {
		s.alarm = func(ctx context.Context, scope string, count int64) {
			slog.WarnContext(ctx, "staff alarm", "scope", scope, "count", count)
		}
	}
	return s
}

// NewPerson is what Add needs.
type NewPerson struct {
	Login    string // 3–40 of a–z 0–9 . _ -
	Name     string
	Password string
	Roles    []string // of authz.Roles
	Secret   string   // base32 TOTP secret; "" = a new one. Demonstrations choose theirs.
}

// mayManage refuses everybody but administrators, and the program itself at the command line.
func (s *Service) mayManage(ctx context.Context) error {
	return s.authz.Check(ctx, authz.StaffManage, authz.Resource{Kind: "staff"})
}

// Enrolment is what a new person needs to log in. It is shown once.
type Enrolment struct {
	ID     uuid.UUID
	Secret string // base32
	URL    string // otpauth://…, as a QR for the authenticator
}

var loginFormat = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{2,39}$`)

// Add makes a member of the staff. The actor is the caller's principal. Errors:
// fault.Invalid by field (login, name, password, roles), fault.Conflict
// "staff.login_taken".
func (s *Service) Add(ctx context.Context, n NewPerson) (Enrolment, error) {
	if err := s.mayManage(ctx); err != nil {
		return Enrolment{}, err
	}
	n.Login = normalise(n.Login)
	n.Name = strings.TrimSpace(n.Name)
	if err := n.check(); err != nil {
		return Enrolment{}, err
	}
	e, err := s.enrol(n.Login, n.Secret)
	if err != nil {
		return Enrolment{}, err
	}
	hash, err := password.Hash(ctx, n.Password)
	if err != nil {
		return Enrolment{}, err
	}
	e.ID = db.NewID()
	sealed := s.vault.PlatformKeys().Seal(totpColumn, e.ID, []byte(e.Secret))
	err = s.db.WithSystem(ctx, "staff/add", func(ctx context.Context, tx *db.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO staff (id, login, name, password_hash, totp_sealed, roles, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (login) DO NOTHING`, e.ID, n.Login, n.Name, hash, sealed, n.Roles, tx.Now())
		if err != nil {
			return fmt.Errorf("staff: add: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.Conflict, "staff.login_taken", "Login", n.Login)
		}
		return record(ctx, tx, e.ID, "staff.add", map[string]any{"login": n.Login, "roles": n.Roles})
	})
	if err != nil {
		return Enrolment{}, err
	}
	return e, nil
}

func normalise(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

func (n NewPerson) check() error {
	var fields []fault.Field
	if !loginFormat.MatchString(n.Login) {
		fields = append(fields, fault.At("login", "staff.login_format"))
	}
	if n.Name == "" || len([]rune(n.Name)) > 60 {
		fields = append(fields, fault.At("name", "staff.name_missing"))
	}
	if f := fault.From(password.Check("password", n.Password)); f != nil {
		fields = append(fields, f.Fields...)
	}
	fields = append(fields, checkRoles(n.Roles)...)
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

func checkRoles(roles []string) []fault.Field {
	if len(roles) == 0 {
		return []fault.Field{fault.At("roles", "staff.roles_missing")}
	}
	for _, r := range roles {
		if !slices.Contains(authz.Roles(), r) {
			return []fault.Field{fault.At("roles", "staff.role_unknown", "Role", r, "Roles", strings.Join(authz.Roles(), ", "))}
		}
	}
	return nil
}

const personColumns = `id, login, name, roles, state = 'active', failures, created_at`

func (p *Person) dest() []any {
	return []any{&p.ID, &p.Login, &p.Name, &p.Roles, &p.Active, &p.Failures, &p.CreatedAt}
}

// List is all staff by login, the disabled included.
func (s *Service) List(ctx context.Context) ([]Person, error) {
	var all []Person
	err := s.db.WithSystem(ctx, "staff/list", func(ctx context.Context, tx *db.Tx) error {
		all = nil
		rows, err := tx.Query(ctx, `SELECT `+personColumns+` FROM staff ORDER BY login`)
		if err != nil {
			return fmt.Errorf("staff: list: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var p Person
			if err := rows.Scan(p.dest()...); err != nil {
				return fmt.Errorf("staff: list: %w", err)
			}
			all = append(all, p)
		}
		return rows.Err()
	})
	return all, err
}

// Find is a member of the staff, or fault.NotFound.
func (s *Service) Find(ctx context.Context, id uuid.UUID) (Person, error) {
	var p Person
	err := s.db.WithSystem(ctx, "staff/find", func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT `+personColumns+` FROM staff WHERE id = $1`, id).Scan(p.dest()...)
	})
	if errors.Is(err, db.ErrNoRows) {
		return Person{}, fault.New(fault.NotFound, "staff.none")
	}
	return p, err
}

// Disable takes a person's access away, his sessions included: his next request is refused.
func (s *Service) Disable(ctx context.Context, id uuid.UUID) error {
	return s.change(ctx, id, "staff.disable", nil, `UPDATE staff SET state = 'disabled' WHERE id = $1`, id)
}

// Enable gives access back; the person logs in anew.
func (s *Service) Enable(ctx context.Context, id uuid.UUID) error {
	return s.change(ctx, id, "staff.enable", nil, `UPDATE staff SET state = 'active', failures = 0 WHERE id = $1`, id)
}

// SetRoles replaces a person's roles. They hold from his next request on (ASVS 8.3.2).
func (s *Service) SetRoles(ctx context.Context, id uuid.UUID, roles []string) error {
	if f := checkRoles(roles); f != nil {
		return fault.InvalidFields(f...)
	}
	return s.change(ctx, id, "staff.roles", map[string]any{"roles": roles}, `UPDATE staff SET roles = $2 WHERE id = $1`, id, roles)
}

// SetPassword replaces a person's password and ends his sessions.
func (s *Service) SetPassword(ctx context.Context, id uuid.UUID, plain string) error {
	if err := password.Check("password", plain); err != nil {
		return err
	}
	hash, err := password.Hash(ctx, plain)
	if err != nil {
		return err
	}
	return s.change(ctx, id, "staff.password", nil, `UPDATE staff SET password_hash = $2, failures = 0 WHERE id = $1`, id, hash)
}

// ResetSecondFactor gives a person who lost his authenticator a new secret and ends his sessions.
func (s *Service) ResetSecondFactor(ctx context.Context, id uuid.UUID) (Enrolment, error) {
	p, err := s.Find(ctx, id)
	if err != nil {
		return Enrolment{}, err
	}
	e, err := s.enrol(p.Login, "")
	if err != nil {
		return Enrolment{}, err
	}
	e.ID = id
	sealed := s.vault.PlatformKeys().Seal(totpColumn, id, []byte(e.Secret))
	err = s.change(ctx, id, "staff.second_factor", nil, `UPDATE staff SET totp_sealed = $2, totp_last_step = 0 WHERE id = $1`, id, sealed)
	if err != nil {
		return Enrolment{}, err
	}
	return e, nil
}

// change updates one person, ends his sessions unless only his roles change, and records it.
func (s *Service) change(ctx context.Context, id uuid.UUID, action string, detail map[string]any, sql string, args ...any) error {
	if err := s.mayManage(ctx); err != nil {
		return err
	}
	return s.db.WithSystem(ctx, "staff/change", func(ctx context.Context, tx *db.Tx) error {
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", action, err)
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.NotFound, "staff.none")
		}
		if action != "staff.roles" {
			if _, err := tx.Exec(ctx, `UPDATE staff_sessions SET revoked_at = $2 WHERE staff_id = $1 AND revoked_at IS NULL`, id, tx.Now()); err != nil {
				return fmt.Errorf("%s: sessions: %w", action, err)
			}
		}
		return record(ctx, tx, id, action, detail)
	})
}

func record(ctx context.Context, tx *db.Tx, id uuid.UUID, action string, detail map[string]any) error {
	return audit.Record(ctx, tx, audit.Entry{Action: action, Resource: "staff/" + id.String(), Detail: detail})
}
