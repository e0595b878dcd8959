package reminder

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/imaging"
	"certsaas/core/notify"
	"certsaas/core/tenant"
)

// Change is a change of contact by paper as staff see it.
type Change struct {
	State     string // waiting, approved, done, refused
	Mobile    string // the new one. Mask it
	Reason    string
	AskedBy   uuid.UUID
	AskedName string
	AskedAt   time.Time
	ExpiresAt time.Time
	Decider   string
	DecidedAt *time.Time
}

// AskByPaper files a sealed paper for a holder whose mobile is lost: a second person must see it. fault.Invalid at "mobile",
// "reason" or "file"; fault.Conflict while another one waits.
func (s *Service) AskByPaper(ctx context.Context, tenantID, certificate uuid.UUID, mobile, reason string, paper []byte) error {
	if err := s.Authz.Check(ctx, authz.OrderReview, authz.Resource{Kind: "certificate", Tenant: tenantID}); err != nil {
		return err
	}
	mobile, err := account.Normalise(mobile)
	if err != nil {
		return err
	}
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > 600 {
		return fault.InvalidFields(fault.At("reason", "reminder.contact_reason"))
	}
	picture, err := imaging.Harden(paper, imaging.Limits{MinWidth: 600, MinHeight: 600})
	if err != nil {
		return fault.InvalidFields(fault.At("file", "reminder.contact_paper"))
	}
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		if err := exists(ctx, tx, certificate); err != nil {
			return err
		}
		keys, err := s.Vault.Keys(ctx, tx, tenantID)
		if err != nil {
			return err
		}
		if err := expire(ctx, tx, certificate); err != nil {
			return err
		}
		id := db.NewID()
		tag, err := tx.Exec(ctx, `INSERT INTO contact_changes (tenant_id, id, certificate_id, how, state, mobile_sealed, paper_sealed, reason, asked_by, asked_name, asked_at, expires_at)
			VALUES ($1, $2, $3, 'paper', 'waiting', $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (tenant_id, certificate_id) WHERE state IN ('waiting', 'approved') DO NOTHING`,
			tenantID, id, certificate, keys.Seal(contactColumn, id, []byte(mobile)), keys.Seal(paperColumn, id, picture.JPEG), reason,
			authz.From(ctx).ID, authz.From(ctx).Name, tx.Now(), tx.Now().Add(paperLasts))
		if err != nil {
			return fmt.Errorf("reminder: paper: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fault.New(fault.Conflict, "reminder.contact_waits")
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "reminder.contact_asked", Resource: "certificate/" + certificate.String(), Detail: map[string]any{"change": id, "reason": reason}})
	})
}

// expire ends a change that nobody brought to its end in time.
func expire(ctx context.Context, tx *db.Tx, certificate uuid.UUID) error {
	_, err := tx.Exec(ctx, `UPDATE contact_changes SET state = 'refused', paper_sealed = NULL, token_hash = NULL
		WHERE tenant_id = $1 AND certificate_id = $2 AND state IN ('waiting', 'approved') AND expires_at <= $3`, tx.Tenant(), certificate, tx.Now())
	if err != nil {
		return fmt.Errorf("reminder: expire: %w", err)
	}
	return nil
}

// OpenChange is the change by paper that waits for a person or for the new mobile; nil when there is none. Its paper is read by Paper.
func (s *Service) OpenChange(ctx context.Context, tenantID, certificate uuid.UUID) (*Change, error) {
	if err := s.Authz.Check(ctx, authz.OrderView, authz.Resource{Kind: "certificate", Tenant: tenantID}); err != nil {
		return nil, err
	}
	var c *Change
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		c = nil
		keys, err := s.Vault.Keys(ctx, tx, tenantID)
		if err != nil {
			return err
		}
		var x Change
		var id uuid.UUID
		var sealed []byte
		err = tx.QueryRow(ctx, `SELECT id, state, mobile_sealed, reason, asked_by, asked_name, asked_at, expires_at, decided_name, decided_at FROM contact_changes
			WHERE tenant_id = $1 AND certificate_id = $2 AND how = 'paper' AND state IN ('waiting', 'approved') AND expires_at > $3`, tenantID, certificate, tx.Now()).
			Scan(&id, &x.State, &sealed, &x.Reason, &x.AskedBy, &x.AskedName, &x.AskedAt, &x.ExpiresAt, &x.Decider, &x.DecidedAt)
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reminder: change: %w", err)
		}
		mobile, err := keys.Open(contactColumn, id, sealed)
		x.Mobile, c = string(mobile), &x
		return err
	})
	return c, err
}

// Paper is the picture of a change that waits, for whom decides; each look is audited.
func (s *Service) Paper(ctx context.Context, tenantID, certificate uuid.UUID) ([]byte, error) {
	if err := s.Authz.Check(ctx, authz.OrderReview, authz.Resource{Kind: "certificate", Tenant: tenantID}); err != nil {
		return nil, err
	}
	var picture []byte
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		id, _, sealed, err := waiting(ctx, tx, certificate)
		if err != nil {
			return err
		}
		keys, err := s.Vault.Keys(ctx, tx, tenantID)
		if err != nil {
			return err
		}
		if picture, err = keys.Open(paperColumn, id, sealed); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "reminder.contact_paper", Resource: "certificate/" + certificate.String(), Detail: map[string]any{"change": id}})
	})
	return picture, err
}

// waiting locks the change of a certificate that waits for a second person. fault.NotFound when none does.
func waiting(ctx context.Context, tx *db.Tx, certificate uuid.UUID) (id, asked uuid.UUID, paper []byte, err error) {
	err = tx.QueryRow(ctx, `SELECT id, asked_by, paper_sealed FROM contact_changes WHERE tenant_id = $1 AND certificate_id = $2 AND state = 'waiting' AND expires_at > $3 FOR UPDATE`,
		tx.Tenant(), certificate, tx.Now()).Scan(&id, &asked, &paper)
	if errors.Is(err, db.ErrNoRows) {
		err = fault.New(fault.NotFound, "reminder.no_change")
	}
	return id, asked, paper, err
}

// Decide agrees to a change of contact by paper, or refuses it. Who filed it cannot: fault.Conflict. The new mobile is sent a link
// on which it proves itself.
func (s *Service) Decide(ctx context.Context, tenantID, certificate uuid.UUID, agree bool) error {
	if err := s.Authz.Check(ctx, authz.OrderReview, authz.Resource{Kind: "certificate", Tenant: tenantID}); err != nil {
		return err
	}
	t, err := s.Tenants.ByID(ctx, tenantID)
	if err != nil {
		return err
	}
	me := authz.From(ctx)
	var due []notify.Pending
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		due = nil
		id, asked, _, err := waiting(ctx, tx, certificate)
		if err != nil {
			return err
		}
		if asked == me.ID {
			return fault.New(fault.Conflict, "reminder.second_person")
		}
		state, action, token := "refused", "reminder.contact_refused", ""
		var hash []byte
		if agree {
			raw := make([]byte, 16)
			rand.Read(raw) // never fails
			token = base64.RawURLEncoding.EncodeToString(raw)
			state, action, hash = "approved", "reminder.contact_approved", hashToken("contact "+token)
		}
		if _, err := tx.Exec(ctx, `UPDATE contact_changes SET state = $3, decided_by = $4, decided_name = $5, decided_at = $6, token_hash = $7,
			paper_sealed = CASE WHEN $3 = 'refused' THEN NULL ELSE paper_sealed END WHERE tenant_id = $1 AND id = $2`, tenantID, id, state, me.ID, me.Name, tx.Now(), hash); err != nil {
			return fmt.Errorf("reminder: decide: %w", err)
		}
		if agree {
			if due, err = s.invite(ctx, tx, t, id, certificate, token); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, audit.Entry{Action: action, Resource: "certificate/" + certificate.String(), Detail: map[string]any{"change": id}})
	})
	if err != nil {
		return err
	}
	return s.Notify.Deliver(ctx, tenantID, due)
}

// invite stores the message to the new mobile.
func (s *Service) invite(ctx context.Context, tx *db.Tx, t *tenant.Tenant, id, certificate uuid.UUID, token string) ([]notify.Pending, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	var sealed []byte
	x := said{certificate: certificate}
	var ord *uuid.UUID
	if err := tx.QueryRow(ctx, `SELECT p.mobile_sealed, c.product, c.not_after, c.order_id FROM contact_changes p JOIN certificates c ON c.tenant_id = p.tenant_id AND c.id = p.certificate_id
		WHERE p.tenant_id = $1 AND p.id = $2`, tx.Tenant(), id).Scan(&sealed, &x.product, &x.notAfter, &ord); err != nil {
		return nil, fmt.Errorf("reminder: invite: %w", err)
	}
	x.order = value(ord)
	mobile, err := keys.Open(contactColumn, id, sealed)
	if err != nil {
		return nil, err
	}
	params, err := s.params(ctx, tx, t, []said{x}, "")
	if err != nil {
		return nil, err
	}
	params["company"] = Masked(params["company"]) // the number may have been mistyped
	params["link"] = s.Site(t) + "/c/" + token
	return s.Notify.Store(ctx, tx, notify.Notice{Tenant: t, Event: "remind_new", Locale: t.Languages()[0], Key: uuid.NewSHA1(id, []byte("new")), Order: x.order,
		Channels: []string{"sms"}, To: map[string]string{"sms": string(mobile)}, Params: params})
}

// Invitation is what the link to a new mobile shows before it has proved itself.
type Invitation struct {
	Company string // masked
	mobile  string
}

// Mobile is the number that the code goes to. It is not for the page.
func (i Invitation) Mobile() string { return i.mobile }

// OpenInvitation reads the link of a new mobile. fault.NotFound for one that is altered, used, expired or another tenant's.
func (s *Service) OpenInvitation(ctx context.Context, tenantID uuid.UUID, token string) (Invitation, error) {
	var i Invitation
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		i, _, _, err = s.invitation(ctx, tx, token)
		return err
	})
	return i, err
}

func (s *Service) invitation(ctx context.Context, tx *db.Tx, token string) (i Invitation, change, certificate uuid.UUID, err error) {
	var sealed []byte
	var ord *uuid.UUID
	err = tx.QueryRow(ctx, `SELECT p.id, p.certificate_id, p.mobile_sealed, c.order_id FROM contact_changes p JOIN certificates c ON c.tenant_id = p.tenant_id AND c.id = p.certificate_id
		WHERE p.tenant_id = $1 AND p.token_hash = $2 AND p.state = 'approved' AND p.expires_at > $3 AND c.state = 'active' FOR UPDATE OF p`,
		tx.Tenant(), hashToken("contact "+token), tx.Now()).Scan(&change, &certificate, &sealed, &ord)
	if errors.Is(err, db.ErrNoRows) {
		return i, change, certificate, fault.New(fault.NotFound, "reminder.no_link")
	}
	if err != nil {
		return i, change, certificate, fmt.Errorf("reminder: invitation: %w", err)
	}
	company, err := s.company(ctx, tx, said{certificate: certificate, order: value(ord)})
	if err != nil {
		return i, change, certificate, err
	}
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return i, change, certificate, err
	}
	mobile, err := keys.Open(contactColumn, change, sealed)
	return Invitation{Company: Masked(company), mobile: string(mobile)}, change, certificate, err
}

// Accept takes the code that went to the new mobile and gives the certificate over to it.
func (s *Service) Accept(ctx context.Context, tenantID uuid.UUID, token, code string, client account.Client) error {
	t, err := s.Tenants.ByID(ctx, tenantID)
	if err != nil {
		return err
	}
	i, err := s.OpenInvitation(ctx, tenantID, token)
	if err != nil {
		return err
	}
	var due []notify.Pending
	proof := account.Proof{Purpose: account.PurposeContact, Mobile: i.mobile, Code: code, Client: client}
	err = s.Accounts.WithCode(ctx, tenantID, proof, func(ctx context.Context, tx *db.Tx, mobile string) error {
		_, change, certificate, err := s.invitation(ctx, tx, token)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE contact_changes SET state = 'done', token_hash = NULL WHERE tenant_id = $1 AND id = $2`, tenantID, change); err != nil {
			return fmt.Errorf("reminder: accept: %w", err)
		}
		due, err = s.give(authz.WithPrincipal(ctx, authz.System("contact/new mobile")), tx, t, change, certificate, mobile, "paper")
		return err
	})
	if err != nil {
		return err
	}
	s.tellOld(ctx, tenantID, due)
	return nil
}

// tellOld sends the message to the old contact. It may be lost for good: nothing waits for it, and the trail says who was told.
func (s *Service) tellOld(ctx context.Context, tenantID uuid.UUID, due []notify.Pending) {
	if err := s.Notify.Deliver(ctx, tenantID, due); err != nil {
		slog.WarnContext(ctx, "the old contact was not told of the change", "tenant", tenantID, "error", err)
	}
}
