// Package material keeps the pictures and papers of an order.
//
// In: raw bytes from a desktop browser or, by a one-use ticket, from a phone. Out: pictures decoded and written anew,
// sealed in the blob store, a row each, the answer set on the order, and what the automatic look found, as message ids
// at once. A file leaves only through Open, which asks who is calling. Names given by browsers are never used as paths.
//
// The blob is written before its row, so a crash leaves at most a blob without a row; Reap removes those.
package material

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/authz"
	"certsaas/core/blob"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/imaging"
	"certsaas/core/order"
	"certsaas/core/vault"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// Fields of an order's files that are not questions of its form.
const (
	Voucher = "payment.voucher" // picture of the transfer slip (req B51)
	Invoice = "invoice"         // the issued invoice: PDF, OFD or XML
)

// What one order may hold, replaced pictures included.
const (
	maxFiles = 60
	maxBytes = 40 << 20
)

// File is one stored picture or paper.
type File struct {
	Tenant, ID, Order uuid.UUID
	Field             string // form field key, Voucher or Invoice
	MediaType         string // of the stored bytes
	Bytes             int64  // size of the stored bytes, unsealed
	Width, Height     int    // pixels; 0 for papers
	SHA256            []byte // of the stored bytes, unsealed
	PHash             int64  // perceptual hash, see core/imaging; 0 for papers
	Findings          []Finding
	UploadedBy        string // "dealer/<id>", "visitor", "system/material/phone", …
	CreatedAt         time.Time
	SupersededAt      *time.Time // a newer picture of the field took its place

	blobKey string
}

// Finding is one thing the automatic look noticed about a picture. None of them stops an upload.
type Finding struct {
	ID      string         `json:"id"`               // message id: what it is and what to do
	Args    map[string]any `json:"args,omitempty"`   // placeholders of the message
	Refuses bool           `json:"refuses,omitzero"` // the order cannot be handed in with this picture
}

// Name is the name a saved copy gets: made by us, never the browser's (number is the order's).
func (f File) Name(number string) string {
	ext := map[string]string{"image/jpeg": ".jpg", "image/png": ".png", "application/pdf": ".pdf", "application/ofd": ".ofd", "application/xml": ".xml"}[f.MediaType]
	return safeName(number) + "-" + safeName(f.Field) + ext
}

// safeName keeps letters, digits, '-' and '_' of ASCII; everything else becomes '-'.
func safeName(s string) string {
	b := []byte(s)
	for i, c := range b {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_') {
			b[i] = '-'
		}
	}
	return string(b[:min(len(b), 80)])
}

// Inspector lets a slice that lies right of this one look at a fresh picture (the letter reads its QR). It runs outside
// any transaction and may take seconds; what it returns, unless nil, runs in the transaction that stores the file.
type Inspector func(ctx context.Context, fd form.Field, picture image.Image) Inspection

// Inspection judges a stored file with the order locked; its findings are kept with the file and shown at once.
type Inspection func(ctx context.Context, tx *db.Tx, o order.Order, f File) ([]Finding, error)

// Deps is what a Service stands on.
type Deps struct {
	DB     *db.DB
	Vault  *vault.Vault
	Blobs  blob.Store
	Orders *order.Service
	Authz  *authz.Authorizer
}

// Service is the use cases of an order's files.
type Service struct {
	Deps
	gate       *imaging.Gate
	inspectors []Inspector
}

// decoders is how many pictures are decoded at once: each takes tens of megabytes.
const decoders = 2

// New makes a Service.
func New(d Deps) *Service { return &Service{Deps: d, gate: imaging.NewGate(decoders)} }

// InspectWith adds an inspector; before the service is used.
func (s *Service) InspectWith(i Inspector) { s.inspectors = append(s.inspectors, i) }

// column is the vault's name of the stored bytes.
const column = "files.blob"

const columns = `f.tenant_id, f.id, f.order_id, f.field, f.blob_key, f.media_type, f.bytes, coalesce(f.width, 0), coalesce(f.height, 0), f.sha256,
	coalesce(f.phash, 0), f.findings, f.uploaded_by, f.created_at, f.superseded_at`

func scan(row pgx.CollectableRow) (File, error) {
	var f File
	var findings []byte
	err := row.Scan(&f.Tenant, &f.ID, &f.Order, &f.Field, &f.blobKey, &f.MediaType, &f.Bytes, &f.Width, &f.Height, &f.SHA256,
		&f.PHash, &findings, &f.UploadedBy, &f.CreatedAt, &f.SupersededAt)
	if err != nil {
		return File{}, err
	}
	return f, json.Unmarshal(findings, &f.Findings)
}

// Find reads one file's row in the caller's transaction; fault.NotFound when the tenant has none such.
func (s *Service) Find(ctx context.Context, tx *db.Tx, id uuid.UUID) (File, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM files f WHERE f.tenant_id = $1 AND f.id = $2`, tx.Tenant(), id)
	if err != nil {
		return File{}, fmt.Errorf("material: find: %w", err)
	}
	f, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, db.ErrNoRows) {
		return File{}, fault.New(fault.NotFound, "material.not_found")
	}
	if err != nil {
		return File{}, fmt.Errorf("material: find: %w", err)
	}
	return f, nil
}

// List reads the live files of an order, in the order they came.
func (s *Service) List(ctx context.Context, tx *db.Tx, orderID uuid.UUID) ([]File, error) {
	return s.query(ctx, tx, orderID, "AND f.superseded_at IS NULL")
}

func (s *Service) query(ctx context.Context, tx *db.Tx, orderID uuid.UUID, and string) ([]File, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM files f WHERE f.tenant_id = $1 AND f.order_id = $2 `+and+` ORDER BY f.created_at, f.id`, tx.Tenant(), orderID)
	if err != nil {
		return nil, fmt.Errorf("material: list: %w", err)
	}
	files, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("material: list: %w", err)
	}
	return files, nil
}

// Current is the live file of a field, nil when there is none; in the caller's transaction.
func (s *Service) Current(ctx context.Context, tx *db.Tx, orderID uuid.UUID, field string) (*File, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM files f WHERE f.tenant_id = $1 AND f.order_id = $2 AND f.field = $3 AND f.superseded_at IS NULL
		ORDER BY f.created_at DESC LIMIT 1`, tx.Tenant(), orderID, field)
	if err != nil {
		return nil, fmt.Errorf("material: current: %w", err)
	}
	f, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("material: current: %w", err)
	}
	return &f, nil
}
