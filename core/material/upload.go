package material

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/blob"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/vault"
)

// Upload takes a picture for a field of an order. name is the browser's; it is only said back in errors.
//
// The field must be a file field that the form shows and that is open now, or Voucher while a transfer is awaited. The
// picture replaces the field's older one. Errors: fault.TooLarge over the field's limit (req B41), fault.Unavailable at the field when the store is full, fault.Invalid for
// anything that is not a still JPEG or PNG (req B35), fault.Conflict when the field is locked or the order's quota is
// used up, and what core/authz says.
func (s *Service) Upload(ctx context.Context, tenantID, orderID uuid.UUID, field, name string, raw []byte) (File, error) {
	place, err := s.place(ctx, tenantID, orderID, field)
	if err != nil {
		return File{}, err
	}
	return s.take(ctx, place, name, raw, nil)
}

// place is where a file may be put: the field as declared, and the keys to seal it with.
type place struct {
	tenant, order uuid.UUID
	field         form.Field
	keys          *vault.Keys
}

// place checks that the caller may put a picture at a field now.
func (s *Service) place(ctx context.Context, tenantID, orderID uuid.UUID, field string) (place, error) {
	at := place{tenant: tenantID, order: orderID}
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.Load(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if at.field, err = s.open(ctx, tx, o, field); err != nil {
			return err
		}
		if err := quota(ctx, tx, orderID, 0); err != nil {
			return err
		}
		at.keys, err = s.Vault.Keys(ctx, tx, tenantID)
		return err
	})
	return at, err
}

// open gives the declaration of a field that the caller may put a picture at now.
func (s *Service) open(ctx context.Context, tx *db.Tx, o order.Order, key string) (form.Field, error) {
	if err := s.Authz.Check(ctx, authz.FileUpload, o.ResourceFor(ctx)); err != nil {
		return form.Field{}, err
	}
	t, p, err := s.Orders.Product(ctx, o)
	if err != nil {
		return form.Field{}, err
	}
	if key == Voucher {
		return voucherField(o, p)
	}
	fd, ok := p.Form.Field(key)
	if !ok || !fd.IsFile() {
		return form.Field{}, fault.New(fault.NotFound, "material.no_field")
	}
	facts, err := s.Orders.Facts(ctx, tx, o)
	if err != nil {
		return form.Field{}, err
	}
	if !p.Form.Visible(o.Answers, facts)[key] {
		return form.Field{}, fault.New(fault.Conflict, "material.not_asked")
	}
	if !order.OpenField(o, p, key) {
		return form.Field{}, fault.New(fault.Conflict, "order.locked", "State", string(o.State))
	}
	return asLetter(fd, t, p, o, facts), nil
}

// asLetter takes over what the letter of these answers asks of its scan: one signed by hand shows no seal (decision 4).
func asLetter(fd form.Field, t *tenant.Tenant, p tenant.Product, o order.Order, facts map[string]string) form.Field {
	id, needed := p.LetterFor(o.Answers, facts)
	if l, ok := t.Letter(id); fd.Type == form.Letter && needed && ok {
		fd.Upload.Colour = fd.Upload.Colour || l.Colour
		fd.Upload.Signature = fd.Upload.Signature || l.Seal == "signature"
	}
	return fd
}

func voucherField(o order.Order, p tenant.Product) (form.Field, error) {
	if o.State != order.AwaitingPayment || !slices.Contains(p.Payment.Methods, "bank_transfer") {
		return form.Field{}, fault.New(fault.Conflict, "material.no_voucher_now")
	}
	return form.Field{Key: Voucher, Type: form.Image, Upload: p.Payment.Voucher}, nil
}

// quota refuses more than an order may hold.
func quota(ctx context.Context, tx *db.Tx, orderID uuid.UUID, more int64) error {
	var n, sum int64
	err := tx.QueryRow(ctx, `SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM files WHERE tenant_id = $1 AND order_id = $2`,
		tx.Tenant(), orderID).Scan(&n, &sum)
	if err != nil {
		return fmt.Errorf("material: quota: %w", err)
	}
	if n >= maxFiles || sum+more > maxBytes {
		return fault.New(fault.Conflict, "material.quota", "Files", maxFiles, "MB", maxBytes>>20)
	}
	return nil
}

// take hardens a picture, stores its blob, and then, in one transaction, its row, the answer and what the inspectors
// say. also, when not nil, ends that transaction.
func (s *Service) take(ctx context.Context, at place, name string, raw []byte, also func(context.Context, *db.Tx, File) error) (File, error) {
	f := File{Tenant: at.tenant, ID: db.NewID(), Order: at.order, Field: at.field.Key, MediaType: "image/jpeg", UploadedBy: uploader(ctx), blobKey: blob.NewKey(at.tenant)}
	var jpeg []byte
	var judges []Inspection
	err := s.gate.Do(ctx, func() (err error) { // the pixels live in here only
		jpeg, judges, err = s.judge(ctx, at.field, name, raw, &f)
		return err
	})
	if err != nil {
		return File{}, err
	}
	if err := s.Blobs.Put(ctx, f.blobKey, at.keys.Seal(column, f.ID, jpeg)); err != nil {
		return File{}, notStored(at.field.Key, err)
	}
	stored := f
	err = s.DB.WithTenant(ctx, at.tenant, func(ctx context.Context, tx *db.Tx) error {
		stored = f // the function may run again
		if err := s.file(ctx, tx, &stored, judges); err != nil || also == nil {
			return err
		}
		return also(ctx, tx, stored)
	})
	if err != nil {
		s.discard(ctx, f, err)
		return File{}, err
	}
	return stored, nil
}

// judge hardens a picture and has everybody look at it: the bytes to store, what the row says of them, and what the inspectors
// will say once the order is read.
func (s *Service) judge(ctx context.Context, fd form.Field, name string, raw []byte, f *File) (jpeg []byte, judges []Inspection, err error) {
	pic, findings, err := s.look(ctx, fd, name, raw)
	if err != nil {
		return nil, nil, err
	}
	for _, inspect := range s.inspectors {
		if j := inspect(ctx, fd, pic.Pixels()); j != nil {
			judges = append(judges, j)
		}
	}
	f.Bytes, f.Width, f.Height = int64(len(pic.JPEG)), pic.Width, pic.Height
	f.SHA256, f.PHash, f.Findings = bytes.Clone(pic.SHA256[:]), int64(pic.PHash), findings
	return pic.JPEG, judges, nil
}

// notStored is what an applicant reads at the field, and an operator in the log, when the blob store takes nothing: its disk is full.
func notStored(field string, cause error) error {
	return &fault.Error{Kind: fault.Unavailable, ID: "material.store", Fields: []fault.Field{fault.At(field, "material.store")}, Err: fmt.Errorf("material: put: %w", cause)}
}

// discard removes the blob of a row that was surely not written; after an unclear commit it stays for Reap to judge.
func (s *Service) discard(ctx context.Context, f File, cause error) {
	if k := fault.From(cause); k == nil || errors.Is(cause, fault.Unavailable) {
		return
	}
	if err := s.Blobs.Delete(context.WithoutCancel(ctx), f.blobKey); err != nil {
		slog.WarnContext(ctx, "material: blob without a row stays until reaped", "order", f.Order, "error", err)
	}
}

// file writes the row, replaces the older file of the field, sets the answer, and records who did it.
func (s *Service) file(ctx context.Context, tx *db.Tx, f *File, judges []Inspection) error {
	o, err := s.Orders.LoadForUpdate(ctx, tx, f.Order)
	if err != nil {
		return err
	}
	if _, err := s.open(ctx, tx, o, f.Field); err != nil { // the order may have moved on meanwhile
		return err
	}
	if err := quota(ctx, tx, f.Order, f.Bytes); err != nil {
		return err
	}
	if err := insert(ctx, tx, f); err != nil {
		return err
	}
	if f.Field != Voucher {
		if err := s.Orders.SetFile(ctx, tx, &o, f.Field, f.ID.String()); err != nil {
			return err
		}
	}
	for _, judge := range judges {
		more, err := judge(ctx, tx, o, *f)
		if err != nil {
			return err
		}
		f.Findings = append(f.Findings, more...)
	}
	if err := setFindings(ctx, tx, *f); err != nil {
		return err
	}
	return audit.Record(ctx, tx, audit.Entry{Action: "file.upload", Resource: "order/" + f.Order.String(), Detail: map[string]any{
		"file": f.ID.String(), "field": f.Field, "sha256": hex.EncodeToString(f.SHA256), "bytes": f.Bytes,
	}})
}

// insert writes the row; the field's older files are superseded.
func insert(ctx context.Context, tx *db.Tx, f *File) error {
	f.CreatedAt = tx.Now()
	_, err := tx.Exec(ctx, `UPDATE files SET superseded_at = $4 WHERE tenant_id = $1 AND order_id = $2 AND field = $3 AND superseded_at IS NULL`,
		tx.Tenant(), f.Order, f.Field, tx.Now())
	if err != nil {
		return fmt.Errorf("material: supersede: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO files (tenant_id, id, order_id, field, blob_key, media_type, bytes, width, height, sha256, phash, uploaded_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, 0), nullif($9, 0), $10, nullif($11::bigint, 0), $12, $13)`,
		tx.Tenant(), f.ID, f.Order, f.Field, f.blobKey, f.MediaType, f.Bytes, f.Width, f.Height, f.SHA256, f.PHash, f.UploadedBy, f.CreatedAt)
	if err != nil {
		return fmt.Errorf("material: insert: %w", err)
	}
	return nil
}

func setFindings(ctx context.Context, tx *db.Tx, f File) error {
	if len(f.Findings) == 0 {
		return nil
	}
	b, err := json.Marshal(f.Findings)
	if err != nil {
		return fmt.Errorf("material: findings: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE files SET findings = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), f.ID, b); err != nil {
		return fmt.Errorf("material: findings: %w", err)
	}
	return nil
}

// uploader names the caller without personal data.
func uploader(ctx context.Context) string {
	who := authz.From(ctx)
	switch who.Kind {
	case authz.Anonymous:
		return "visitor"
	case authz.SystemKind:
		return "system/" + who.Name
	}
	return string(who.Kind) + "/" + who.ID.String()
}
