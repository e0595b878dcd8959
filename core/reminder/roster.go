package reminder

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/identifier"
)

// maxRoster bounds a list of contacts.
const maxRoster = 20_000

const rosterColumn = "roster_contacts.contact"

// RosterContact is whom an enterprise knows at one of its dealers. Everything but the code is personal data.
type RosterContact struct {
	Code   string `json:"code"` // as the applicants write it into the field that roster.by names
	Name   string `json:"name,omitempty"`
	Mobile string `json:"mobile,omitempty"`
	Email  string `json:"email,omitempty"`
}

// ParseRoster reads lines of code, name, mobile and e-mail, with commas (also full-width) or tabs between them; a first line of
// headings is passed over. fault.Invalid at "list" names the first line that is wrong.
func ParseRoster(text string) ([]RosterContact, error) {
	text = strings.NewReplacer("\uFEFF", "", "，", ",", "\t", ",").Replace(text)
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	seen := map[string]bool{}
	var out []RosterContact
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		line, _ := r.FieldPos(0)
		if err != nil {
			return nil, fault.InvalidFields(fault.At("list", "reminder.roster_line", "Line", line))
		}
		row = append(row, "", "", "", "")
		c := RosterContact{Code: strings.TrimSpace(row[0]), Name: strings.TrimSpace(row[1]), Mobile: strings.TrimSpace(row[2]), Email: strings.TrimSpace(row[3])}
		if len(out) == 0 && line == 1 && strings.ContainsAny(c.Code, "编代码") {
			continue
		}
		mobile, mail := identifier.Mobile(c.Mobile), identifier.Email(c.Email)
		switch {
		case c.Code == "" || len(c.Code) > 64 || len(c.Name) > 120 || c.Mobile == "" && c.Email == "":
			return nil, fault.InvalidFields(fault.At("list", "reminder.roster_line", "Line", line))
		case c.Mobile != "" && !mobile.Accepted():
			return nil, fault.InvalidFields(fault.At("list", "reminder.roster_mobile", "Line", line))
		case c.Email != "" && !mail.Accepted():
			return nil, fault.InvalidFields(fault.At("list", "reminder.roster_email", "Line", line))
		case seen[c.Code]:
			return nil, fault.InvalidFields(fault.At("list", "reminder.roster_twice", "Line", line, "Code", c.Code))
		case len(out) == maxRoster:
			return nil, fault.InvalidFields(fault.At("list", "reminder.roster_long", "Count", maxRoster))
		}
		if c.Mobile != "" {
			c.Mobile = mobile.Value
		}
		seen[c.Code] = true
		out = append(out, c)
	}
}

// SetRoster replaces a tenant's list of contacts. They are sealed; a code is found by its blind index.
func (s *Service) SetRoster(ctx context.Context, tenantID uuid.UUID, list []RosterContact) error {
	if err := s.Authz.Check(ctx, authz.TenantPublish, authz.Resource{Kind: "tenant", Tenant: tenantID}); err != nil {
		return err
	}
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		keys, err := s.Vault.Keys(ctx, tx, tenantID)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE roster_contacts SET removed_at = $2, contact_sealed = '' WHERE tenant_id = $1 AND removed_at IS NULL`, tenantID, tx.Now()); err != nil {
			return fmt.Errorf("reminder: roster: %w", err)
		}
		var ids []uuid.UUID
		var indexes, sealed [][]byte
		for _, c := range list {
			plain, err := json.Marshal(c)
			if err != nil {
				return fmt.Errorf("reminder: roster: %w", err)
			}
			id := db.NewID()
			ids, indexes, sealed = append(ids, id), append(indexes, keys.Index("roster", c.Code)), append(sealed, keys.Seal(rosterColumn, id, plain))
		}
		if _, err := tx.Exec(ctx, `INSERT INTO roster_contacts (tenant_id, id, code_index, contact_sealed, set_at)
			SELECT $1, u.id, u.code_index, u.sealed, $5 FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS u (id, code_index, sealed)`,
			tenantID, ids, indexes, sealed, tx.Now()); err != nil {
			return fmt.Errorf("reminder: roster: %w", err)
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "reminder.roster", Resource: "tenant/" + tenantID.String(), Detail: map[string]any{"contacts": len(list)}})
	})
}

// Roster lists a tenant's contacts, the newest first, at most limit, how many there are and when they were given. Mask them.
func (s *Service) Roster(ctx context.Context, tenantID uuid.UUID, limit int) (list []RosterContact, total int, at *time.Time, err error) {
	if err := s.Authz.Check(ctx, authz.TenantView, authz.Resource{Kind: "tenant", Tenant: tenantID}); err != nil {
		return nil, 0, nil, err
	}
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT count(*), max(set_at) FROM roster_contacts WHERE tenant_id = $1 AND removed_at IS NULL`, tenantID).Scan(&total, &at); err != nil {
			return fmt.Errorf("reminder: roster: %w", err)
		}
		list, err = s.rosterRows(ctx, tx, `ORDER BY id LIMIT $2`, limit)
		return err
	})
	return list, total, at, err
}

// rosterContact is the contact of a code; zero when there is none.
func (s *Service) rosterContact(ctx context.Context, tx *db.Tx, code string) (RosterContact, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return RosterContact{}, err
	}
	list, err := s.rosterRows(ctx, tx, `AND code_index = $2`, keys.Index("roster", code))
	if err != nil {
		return RosterContact{}, err
	}
	for _, c := range list {
		if c.Code == code { // two codes may share an index
			return c, nil
		}
	}
	return RosterContact{}, nil
}

func (s *Service) rosterRows(ctx context.Context, tx *db.Tx, which string, arg any) ([]RosterContact, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT id, contact_sealed FROM roster_contacts WHERE tenant_id = $1 AND removed_at IS NULL `+which, tx.Tenant(), arg)
	if err != nil {
		return nil, fmt.Errorf("reminder: roster: %w", err)
	}
	defer rows.Close()
	var out []RosterContact
	for rows.Next() {
		var id uuid.UUID
		var sealed []byte
		if err := rows.Scan(&id, &sealed); err != nil {
			return nil, fmt.Errorf("reminder: roster: %w", err)
		}
		plain, err := keys.Open(rosterColumn, id, sealed)
		if err != nil {
			return nil, err
		}
		var c RosterContact
		if err := json.Unmarshal(plain, &c); err != nil {
			return nil, fmt.Errorf("reminder: roster: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}
