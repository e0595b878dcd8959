package material

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/order"
)

// Open gives a file's bytes to a caller who may see it: the order's owner, the browser that began an order-first draft,
// or staff, whose look is audited. Staff sees pictures of personal papers under a watermark (domain §1.8). What is
// another's does not exist: fault.NotFound.
func (s *Service) Open(ctx context.Context, tenantID, fileID uuid.UUID) (File, []byte, error) {
	var f File
	var stamp string // the order's number, for the watermark
	var unseal func([]byte) ([]byte, error)
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		var err error
		if f, err = s.Find(ctx, tx, fileID); err != nil {
			return err
		}
		o, err := s.Orders.Load(ctx, tx, f.Order)
		if err != nil {
			return err
		}
		if err := s.mayView(ctx, o, f); err != nil {
			return err
		}
		keys, err := s.Vault.Keys(ctx, tx, tenantID)
		if err != nil {
			return err
		}
		unseal = func(b []byte) ([]byte, error) { return keys.Open(column, f.ID, b) }
		if authz.From(ctx).Kind != authz.Staff {
			return nil
		}
		if stamp, err = s.stampOf(ctx, o, f); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: authz.FileView, Resource: "order/" + o.ID.String(),
			Detail: map[string]any{"file": f.ID.String(), "field": f.Field}})
	})
	if err != nil {
		return File{}, nil, s.refused(ctx, tenantID, f, err)
	}
	data, err := s.read(ctx, f, unseal)
	if err != nil {
		return File{}, nil, err
	}
	if stamp != "" {
		if data, err = watermark(data, stamp); err != nil {
			return File{}, nil, err
		}
		f.MediaType, f.Bytes = "image/jpeg", int64(len(data))
	}
	return f, data, nil
}

// refused leaves a trace of a look that staff was refused.
func (s *Service) refused(ctx context.Context, tenantID uuid.UUID, f File, cause error) error {
	if authz.From(ctx).Kind != authz.Staff || !errors.Is(cause, fault.Denied) {
		return cause
	}
	entry := audit.Entry{Action: authz.FileView, Resource: "order/" + f.Order.String(), Detail: map[string]any{"file": f.ID.String(), "field": f.Field}}
	if err := audit.RecordDenied(ctx, s.DB, tenantID, entry); err != nil {
		return errors.Join(cause, err)
	}
	return cause
}

func (s *Service) read(ctx context.Context, f File, unseal func([]byte) ([]byte, error)) ([]byte, error) {
	sealed, err := s.Blobs.Get(ctx, f.blobKey)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "material.store", fmt.Errorf("material: get %s: %w", f.ID, err))
	}
	data, err := unseal(sealed)
	if err != nil {
		return nil, fmt.Errorf("material: unseal %s: %w", f.ID, err)
	}
	return data, nil
}

// mayView asks the policy; invoices have an action of their own, vouchers are the papers that finance sees.
func (s *Service) mayView(ctx context.Context, o order.Order, f File) error {
	res := o.ResourceFor(ctx)
	if f.Field == Invoice {
		return s.Authz.Check(ctx, authz.InvoiceDownload, res)
	}
	if f.Field == Voucher {
		extra := map[string]any{"purpose": "voucher"}
		maps.Copy(extra, res.Extra)
		res.Extra = extra
	}
	return s.Authz.Check(ctx, authz.FileView, res)
}

// stampOf is what to write across a picture that staff looks at; "" for papers and for pictures that show no person.
func (s *Service) stampOf(ctx context.Context, o order.Order, f File) (string, error) {
	if f.Width == 0 {
		return "", nil
	}
	_, p, err := s.Orders.Product(ctx, o)
	if err != nil {
		return "", err
	}
	if fd, ok := p.Form.Field(f.Field); !ok || !fd.Personal {
		return "", nil
	}
	return o.Number, nil
}

// Match is a place where the same picture was handed in.
type Match struct {
	Order  uuid.UUID
	Number string // the order's
	Field  string
	Exact  bool // the same bytes; otherwise it looks the same
}

// nearBits is how many of 64 bits two perceptual hashes of the same scene may differ in, see imaging.Distance.
const nearBits = 6

// Same finds the picture in other orders of the tenant, or at other fields of its own, for the reviewer (never shown to
// the applicant). Letters look alike by nature, so for them only equal bytes count.
func (s *Service) Same(ctx context.Context, tx *db.Tx, f File) ([]Match, error) {
	o, err := s.Orders.Load(ctx, tx, f.Order)
	if err != nil {
		return nil, err
	}
	_, p, err := s.Orders.Product(ctx, o)
	if err != nil {
		return nil, err
	}
	fd, _ := p.Form.Field(f.Field)
	near := nearBits
	if fd.Type == form.Letter || f.PHash == 0 {
		near = -1
	}
	rows, err := tx.Query(ctx, `SELECT f.order_id, o.number, f.field, f.sha256 = $3 FROM files f
		JOIN orders o ON o.tenant_id = f.tenant_id AND o.id = f.order_id
		WHERE f.tenant_id = $1 AND f.id <> $2 AND (f.order_id <> $4 OR f.field <> $5)
		AND (f.sha256 = $3 OR (f.phash IS NOT NULL AND f.field = $5 AND bit_count((f.phash # $6::bigint)::bit(64)) <= $7))
		ORDER BY f.created_at DESC LIMIT 20`, tx.Tenant(), f.ID, f.SHA256, f.Order, f.Field, f.PHash, near)
	if err != nil {
		return nil, fmt.Errorf("material: same: %w", err)
	}
	matches, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Match, error) {
		var m Match
		err := row.Scan(&m.Order, &m.Number, &m.Field, &m.Exact)
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("material: same: %w", err)
	}
	return matches, nil
}
