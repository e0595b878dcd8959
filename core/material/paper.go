package material

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/blob"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/vault"
)

// maxPaper is the greatest size of an invoice file in bytes.
const maxPaper = 5 << 20

// Attach stores an issued invoice as it is (PDF, OFD or XML; domain §2.3): signed papers must not change by a byte. It
// is never shown in a page, only handed out as a download. record, when not nil, runs in the same transaction as the
// row, so that the invoice and its file appear together. Needs invoice.upload.
func (s *Service) Attach(ctx context.Context, tenantID, orderID uuid.UUID, raw []byte, record func(context.Context, *db.Tx, File) error) (File, error) {
	var keys *vault.Keys
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.Load(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if err := s.Authz.Check(ctx, authz.InvoiceUpload, o.ResourceFor(ctx)); err != nil {
			return err
		}
		keys, err = s.Vault.Keys(ctx, tx, tenantID)
		return err
	})
	if err != nil {
		return File{}, err
	}
	media, err := paperType(raw)
	if err != nil {
		return File{}, err
	}
	sum := sha256.Sum256(raw)
	f := File{Tenant: tenantID, ID: db.NewID(), Order: orderID, Field: Invoice, MediaType: media, Bytes: int64(len(raw)),
		SHA256: sum[:], UploadedBy: uploader(ctx), blobKey: blob.NewKey(tenantID)}
	if err := s.Blobs.Put(ctx, f.blobKey, keys.Seal(column, f.ID, raw)); err != nil {
		return File{}, notStored("file", err)
	}
	stored := f
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		stored = f
		if _, err := s.Orders.LoadForUpdate(ctx, tx, orderID); err != nil {
			return err
		}
		if err := insert(ctx, tx, &stored); err != nil {
			return err
		}
		if record != nil {
			if err := record(ctx, tx, stored); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "file.attach", Resource: "order/" + orderID.String(), Detail: map[string]any{
			"file": f.ID.String(), "field": f.Field, "sha256": hex.EncodeToString(f.SHA256), "bytes": f.Bytes,
		}})
	})
	if err != nil {
		s.discard(ctx, f, err)
		return File{}, err
	}
	return stored, nil
}

// paperType tells the kind of an invoice file by its bytes, and refuses what a reader's software might run.
func paperType(raw []byte) (string, error) {
	switch {
	case len(raw) == 0:
		return "", fault.InvalidFields(fault.At("file", "material.invoice_empty"))
	case len(raw) > maxPaper:
		return "", fault.New(fault.TooLarge, "material.invoice_too_large", "MB", maxPaper>>20)
	case bytes.HasPrefix(raw, []byte("%PDF-")):
		for _, active := range []string{"/JavaScript", "/Launch", "/EmbeddedFile"} {
			if bytes.Contains(raw, []byte(active)) {
				return "", fault.InvalidFields(fault.At("file", "material.active_pdf"))
			}
		}
		return "application/pdf", nil
	case bytes.HasPrefix(raw, []byte("PK\x03\x04")) && isOFD(raw):
		return "application/ofd", nil
	case isXML(raw):
		return "application/xml", nil
	}
	return "", fault.InvalidFields(fault.At("file", "material.not_paper"))
}

// isOFD tells a GB/T 33190 document from any other ZIP: it has OFD.xml at its root.
func isOFD(raw []byte) bool {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return false
	}
	for _, f := range z.File {
		if f.Name == "OFD.xml" || f.Name == "/OFD.xml" {
			return true
		}
	}
	return false
}

// isXML wants one well-formed document without a document type, so that nobody's parser fetches anything.
func isXML(raw []byte) bool {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("<")) {
		return false
	}
	d := xml.NewDecoder(bytes.NewReader(raw))
	elements := 0
	for {
		t, err := d.Token()
		if err == io.EOF {
			return elements > 0
		}
		if err != nil {
			return false
		}
		switch t.(type) {
		case xml.Directive:
			return false
		case xml.StartElement:
			elements++
		}
	}
}
