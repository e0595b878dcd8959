package platform

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"certsaas/core/audit"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// Finding is something that is not as it must be, and what to do.
type Finding struct {
	What   string
	Remedy string
}

// String is the finding for operators.
func (f Finding) String() string { return f.What + "\n    " + f.Remedy }

// Fsck checks the invariants of the data. An empty answer means that all hold.
func (p *Platform) Fsck(ctx context.Context) ([]Finding, error) {
	var found []Finding
	for _, inv := range invariants {
		rows, err := p.violations(ctx, inv.sql, 100)
		if err != nil {
			return nil, fmt.Errorf("platform: fsck: %s: %w", inv.name, err)
		}
		for _, r := range rows {
			found = append(found, Finding{What: inv.name + ": " + r, Remedy: inv.remedy})
		}
	}
	files, err := p.lostFiles(ctx)
	if err != nil {
		return nil, err
	}
	found = append(found, files...)
	chain, err := audit.Verify(ctx, p.DB, audit.NewKeys(p.Vault.PlatformKeys()), p.CheckpointFile())
	if err != nil {
		return nil, fmt.Errorf("platform: fsck: audit: %w", err)
	}
	for _, f := range chain {
		found = append(found, Finding{What: "the audit chain is whole: " + f.String(), Remedy: "treat it as a security incident"})
	}
	return found, nil
}

// violations runs one invariant and reads at most limit rows.
func (p *Platform) violations(ctx context.Context, sql string, limit int) ([]string, error) {
	var out []string
	err := p.DB.WithSystem(ctx, "fsck", func(ctx context.Context, tx *db.Tx) error {
		out = nil
		// $1 is bound in every query, so that all take the same arguments
		rows, err := tx.Query(ctx, `SELECT v.what FROM (`+sql+`) AS v(what) WHERE $1::timestamptz IS NOT NULL LIMIT $2`, tx.Now(), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return err
			}
			out = append(out, s)
		}
		return rows.Err()
	})
	return out, err
}

// lostFiles finds rows whose file is gone. Files without a row are reaped by a job and harm nobody.
func (p *Platform) lostFiles(ctx context.Context) ([]Finding, error) {
	keys, err := p.violations(ctx, `SELECT blob_key FROM files`, math.MaxInt32)
	if err != nil {
		return nil, fmt.Errorf("platform: fsck: files: %w", err)
	}
	var found []Finding
	for _, k := range keys {
		if _, err := p.Materials.Blobs.Get(ctx, k); errors.Is(err, fault.NotFound) {
			found = append(found, Finding{What: "every stored file is there: " + k, Remedy: "restore it from the backup"})
		} else if err != nil {
			return nil, fmt.Errorf("platform: fsck: %s: %w", k, err)
		}
	}
	return found, nil
}

// Doctor looks at the installation: isolation, schema, keys, calendar, the ways out.
func (p *Platform) Doctor(ctx context.Context) ([]Finding, error) {
	var found []Finding
	catalog, err := p.DB.CatalogFindings(ctx)
	if err != nil {
		return nil, fmt.Errorf("platform: doctor: %w", err)
	}
	for _, c := range catalog {
		found = append(found, Finding{What: c.String(), Remedy: "the schema does not keep tenants apart there; compare it with migrations/"})
	}
	status, err := p.DB.SchemaStatus(ctx)
	if err != nil {
		return nil, fmt.Errorf("platform: doctor: %w", err)
	}
	if status.Dirty || status.Version != status.Latest {
		found = append(found, Finding{What: fmt.Sprintf("the schema is at version %d of %d (half-way: %t)", status.Version, status.Latest, status.Dirty), Remedy: "run `certsaas migrate up`"})
	}
	for _, year := range []int{p.Clock.Now().Year(), p.Clock.Now().AddDate(0, 1, 0).Year()} {
		if !p.Calendar.Known(year) {
			found = append(found, Finding{
				What:   fmt.Sprintf("there is no holiday calendar for %d: due times that fall into it are estimates", year),
				Remedy: fmt.Sprintf("add core/clock/holidays/%d.json when the State Council has published it", year),
			})
			break
		}
	}
	keys, err := p.vaultFindings(ctx)
	if err != nil {
		return nil, fmt.Errorf("platform: doctor: %w", err)
	}
	return slices.Concat(found, keys, p.outsideFindings()), nil
}

// outsideFindings looks at what the installation offers to the outside.
func (p *Platform) outsideFindings() []Finding {
	var found []Finding
	if !p.Config.Secure() && p.Config.Web.BaseDomain != "localhost" {
		found = append(found, Finding{What: "the public address is not https", Remedy: "put a TLS proxy in front and set CERTSAAS_PUBLIC_URL to https://…"})
	}
	if p.Config.SMS.AppID == "" {
		found = append(found, Finding{What: "no SMS provider is configured: only `serve --demo` can send codes", Remedy: "set sms.app_id, secret_id, secret_key and templates"})
	}
	if p.Config.Embedded() && p.Config.Web.BaseDomain != "localhost" {
		found = append(found, Finding{What: "the private database is in use", Remedy: "set CERTSAAS_DATABASE_URL to a server with backups and replicas"})
	}
	return found
}
