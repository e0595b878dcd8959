package material

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
)

// ticketLife is how long a phone has to hand its picture in.
const ticketLife = 10 * time.Minute

// phone is the principal of an upload by ticket: it may do what the ticket names and nothing else.
var phone = authz.System("material/phone")

// Ticket is what a phone's page shows: what is asked and until when.
type Ticket struct {
	Order   uuid.UUID
	Number  string     // of the order
	Field   form.Field // what to photograph
	Expires time.Time

	hash []byte
}

// NewTicket makes a secret that lets a phone hand in one picture for one field of one order within ten minutes
// (req B36 B51 K14). The caller must be allowed to upload there himself. Only the secret's hash is kept.
func (s *Service) NewTicket(ctx context.Context, tenantID, orderID uuid.UUID, field string) (token string, expires time.Time, err error) {
	at, err := s.place(ctx, tenantID, orderID, field)
	if err != nil {
		return "", time.Time{}, err
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	token = base64.RawURLEncoding.EncodeToString(secret[:])
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		expires = tx.Now().Add(ticketLife)
		_, err := tx.Exec(ctx, `INSERT INTO upload_tickets (tenant_id, token_hash, order_id, field, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			tx.Tenant(), hashToken(token), at.order, at.field.Key, tx.Now(), expires)
		if err != nil {
			return fmt.Errorf("material: ticket: %w", err)
		}
		return nil
	})
	return token, expires, err
}

func hashToken(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// OpenTicket reads a ticket without using it, for the phone's page. Unknown, used and expired tickets are all
// fault.NotFound: nobody learns which.
func (s *Service) OpenTicket(ctx context.Context, tenantID uuid.UUID, token string) (Ticket, error) {
	var k Ticket
	ctx = authz.WithPrincipal(ctx, phone)
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		k = Ticket{hash: hashToken(token)}
		var field string
		err := tx.QueryRow(ctx, `SELECT order_id, field, expires_at FROM upload_tickets
			WHERE tenant_id = $1 AND token_hash = $2 AND used_at IS NULL AND expires_at > $3`,
			tx.Tenant(), k.hash, tx.Now()).Scan(&k.Order, &field, &k.Expires)
		if errors.Is(err, db.ErrNoRows) {
			return fault.New(fault.NotFound, "material.ticket_over")
		}
		if err != nil {
			return fmt.Errorf("material: ticket: %w", err)
		}
		o, err := s.Orders.Load(ctx, tx, k.Order)
		if err != nil {
			return err
		}
		k.Number = o.Number
		k.Field, err = s.open(ctx, tx, o, field)
		return err
	})
	return k, err
}

// UploadByTicket takes the picture a ticket was made for. A picture that is refused leaves the ticket good for another try;
// one that is taken uses it up.
func (s *Service) UploadByTicket(ctx context.Context, tenantID uuid.UUID, token, name string, raw []byte) (File, error) {
	k, err := s.OpenTicket(ctx, tenantID, token)
	if err != nil {
		return File{}, err
	}
	ctx = authz.WithPrincipal(ctx, phone)
	at, err := s.place(ctx, tenantID, k.Order, k.Field.Key)
	if err != nil {
		return File{}, err
	}
	return s.take(ctx, at, name, raw, func(ctx context.Context, tx *db.Tx, f File) error {
		tag, err := tx.Exec(ctx, `UPDATE upload_tickets SET used_at = $3, file_id = $4
			WHERE tenant_id = $1 AND token_hash = $2 AND used_at IS NULL AND expires_at > $3`, tx.Tenant(), k.hash, tx.Now(), f.ID)
		if err != nil {
			return fmt.Errorf("material: use ticket: %w", err)
		}
		if tag.RowsAffected() == 0 { // another phone was faster
			return fault.New(fault.NotFound, "material.ticket_over")
		}
		return nil
	})
}

// TicketStatus is how far the newest ticket of a field is.
type TicketStatus string

// The states of a ticket.
const (
	TicketNone    TicketStatus = "none"    // no QR was shown for this field
	TicketWaiting TicketStatus = "waiting" // the phone has not handed anything in yet
	TicketUsed    TicketStatus = "used"    // the picture is here
	TicketExpired TicketStatus = "expired" // show a new QR
)

// TicketState is what the desktop page polls: how far the phone is, and the picture the field has now.
type TicketState struct {
	Status  TicketStatus
	Expires time.Time
	File    *File // the field's live picture, from wherever it came; nil when there is none
}

// TicketState tells the page of an order how far the phone is.
func (s *Service) TicketState(ctx context.Context, tenantID, orderID uuid.UUID, field string) (TicketState, error) {
	state := TicketState{Status: TicketNone}
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.Load(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if err := s.Authz.Check(ctx, authz.FileView, o.ResourceFor(ctx)); err != nil {
			return err
		}
		if state.File, err = s.Current(ctx, tx, orderID, field); err != nil {
			return err
		}
		var used *time.Time
		err = tx.QueryRow(ctx, `SELECT expires_at, used_at FROM upload_tickets WHERE tenant_id = $1 AND order_id = $2 AND field = $3
			ORDER BY created_at DESC LIMIT 1`, tx.Tenant(), orderID, field).Scan(&state.Expires, &used)
		switch {
		case errors.Is(err, db.ErrNoRows):
		case err != nil:
			return fmt.Errorf("material: ticket state: %w", err)
		case used != nil:
			state.Status = TicketUsed
		case !tx.Now().Before(state.Expires):
			state.Status = TicketExpired
		default:
			state.Status = TicketWaiting
		}
		return nil
	})
	return state, err
}
