package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"certsaas/core/account/password"
	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// Register makes an account for the mobile that the code was sent to (Purpose
// is always PurposeRegister). A mobile that has one already is told so,
// fault.Conflict "account.exists": whoever typed the code owns the mobile.
// No session begins: the person logs in next. (req B13–B15)
func (s *Service) Register(ctx context.Context, tenant uuid.UUID, p Proof, plain string) (Account, error) {
	p.Purpose = PurposeRegister
	if err := password.Check("password", plain); err != nil {
		return Account{}, err
	}
	hash, err := password.Hash(ctx, plain)
	if err != nil {
		return Account{}, err
	}
	var a Account
	made := false
	err = s.WithCode(ctx, tenant, p, func(ctx context.Context, tx *db.Tx, mobile string) (err error) {
		if _, made, err = s.insert(ctx, tx, mobile, hash); err != nil || !made {
			return err
		}
		if a, _, err = s.byMobile(ctx, tx, mobile); err != nil {
			return err
		}
		return record(ctx, tx, a, "account.register", nil)
	})
	if err == nil && !made {
		err = fault.New(fault.Conflict, "account.exists")
	}
	if err != nil {
		return Account{}, err
	}
	return a, nil
}

// LoginByPassword begins a session. Whether the mobile is unknown, has no
// password, or the password is wrong: the answer is fault.Unauthenticated
// "account.login_wrong" after the same work. old is the browser's session token
// so far, "" if none; it ends.
func (s *Service) LoginByPassword(ctx context.Context, tenant uuid.UUID, mobile, plain string, c Client, old string) (Session, error) {
	mobile, err := Normalise(mobile)
	if err != nil {
		return Session{}, err
	}
	var session Session
	err = s.loginGuard(mobile, c).Try(ctx, func(ctx context.Context) (bool, error) {
		var a Account
		var hash string
		err := s.db.WithTenant(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
			a, hash, err = s.byMobile(ctx, tx, mobile)
			if errors.Is(err, fault.NotFound) {
				return nil
			}
			return err
		})
		if err != nil {
			return false, err
		}
		ok, err := password.Matches(ctx, plain, hash)
		if err != nil {
			return false, err
		}
		if !ok {
			return true, s.refused(ctx, tenant)
		}
		return false, s.db.WithTenant(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
			session, err = s.Begin(ctx, tx, a, old)
			return err
		})
	})
	return session, err
}

// refused records a failed login, without saying of whom, and is the answer to it.
func (s *Service) refused(ctx context.Context, tenant uuid.UUID) error {
	err := audit.RecordDenied(ctx, s.db, tenant, audit.Entry{Action: "account.login", Resource: "account/-", Detail: map[string]any{"by": "password"}})
	if err != nil {
		return fmt.Errorf("account: record refusal: %w", err)
	}
	return fault.New(fault.Unauthenticated, "account.login_wrong")
}

// LoginByCode begins a session by a code (Purpose is always PurposeLogin). A
// mobile without account is told so, fault.NotFound "account.none". (req K42)
func (s *Service) LoginByCode(ctx context.Context, tenant uuid.UUID, p Proof, old string) (Session, error) {
	p.Purpose = PurposeLogin
	var session Session
	var none error
	err := s.WithCode(ctx, tenant, p, func(ctx context.Context, tx *db.Tx, mobile string) error {
		none = nil // fn may run again
		a, _, err := s.byMobile(ctx, tx, mobile)
		if errors.Is(err, fault.NotFound) {
			none = err // the code is spent all the same
			return nil
		}
		if err != nil {
			return err
		}
		session, err = s.Begin(ctx, tx, a, old)
		return err
	})
	if err == nil {
		err = none
	}
	return session, err
}

// ConfirmOrder takes the code of an order's confirmation (Purpose is always
// PurposeOrder). It proves the mobile: its account, made if there is none, is
// logged in. (req K4 K34 K42)
func (s *Service) ConfirmOrder(ctx context.Context, tenant uuid.UUID, p Proof, old string) (Session, error) {
	p.Purpose = PurposeOrder
	var session Session
	err := s.WithCode(ctx, tenant, p, func(ctx context.Context, tx *db.Tx, mobile string) error {
		a, _, err := s.FindOrCreate(ctx, tx, mobile)
		if err != nil {
			return err
		}
		session, err = s.Begin(ctx, tx, a, old)
		return err
	})
	return session, err
}

// ChangePassword sets a new password by a code (Purpose is always
// PurposePassword) and ends every session of the account; the person logs in
// next. It is also how an account made by an order gets its first password.
func (s *Service) ChangePassword(ctx context.Context, tenant uuid.UUID, p Proof, plain string) error {
	p.Purpose = PurposePassword
	if err := password.Check("password", plain); err != nil {
		return err
	}
	hash, err := password.Hash(ctx, plain)
	if err != nil {
		return err
	}
	var none error
	err = s.WithCode(ctx, tenant, p, func(ctx context.Context, tx *db.Tx, mobile string) error {
		none = nil // fn may run again
		a, _, err := s.byMobile(ctx, tx, mobile)
		if errors.Is(err, fault.NotFound) {
			none = err
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE accounts SET password_hash = $3 WHERE tenant_id = $1 AND id = $2`, tenant, a.ID, hash); err != nil {
			return fmt.Errorf("account: password: %w", err)
		}
		if err := endAll(ctx, tx, a.ID); err != nil {
			return err
		}
		return record(ctx, tx, a, "account.password", nil)
	})
	if err == nil {
		err = none
	}
	return err
}

// record writes an act of the account's owner into the audit trail.
func record(ctx context.Context, tx *db.Tx, a Account, action string, detail map[string]any) error {
	if !authz.From(ctx).Authenticated() {
		ctx = authz.WithPrincipal(ctx, a.Principal())
	}
	return audit.Record(ctx, tx, audit.Entry{Action: action, Resource: "account/" + a.ID.String(), Detail: detail})
}

// Provision makes an account with a password for a mobile that was proved in
// another way: taken over from a former system, or of a demonstration. Only staff
// or a system principal may. An account that is there already stays as it is.
func (s *Service) Provision(ctx context.Context, tenant uuid.UUID, mobile, plain string) (Account, error) {
	if k := authz.From(ctx).Kind; k != authz.Staff && k != authz.SystemKind {
		return Account{}, fault.New(fault.Denied, "account.provision_denied")
	}
	mobile, err := Normalise(mobile)
	if err != nil {
		return Account{}, err
	}
	if err := password.Check("password", plain); err != nil {
		return Account{}, err
	}
	hash, err := password.Hash(ctx, plain)
	if err != nil {
		return Account{}, err
	}
	var a Account
	err = s.db.WithTenant(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		_, made, err := s.insert(ctx, tx, mobile, hash)
		if err != nil {
			return err
		}
		if a, _, err = s.byMobile(ctx, tx, mobile); err != nil || !made {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "account.provision", Resource: "account/" + a.ID.String()})
	})
	if err != nil {
		return Account{}, err
	}
	return a, nil
}
