package platform

import (
	"context"
	"errors"
	"fmt"
	"math"

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

// invariants must give no row; each answers rows of one text: what is wrong. $1 is now.
var invariants = []struct{ name, remedy, sql string }{
	{"a paid order has one payment that settles it, of its amount",
		"look at the order's payments in the console; refund or settle by hand",
		`SELECT o.number FROM orders o LEFT JOIN payments p ON p.tenant_id = o.tenant_id AND p.order_id = o.id AND p.settles
		 WHERE o.paid_at IS NOT NULL AND o.total_fen > 0 AND (p.id IS NULL OR p.state <> 'paid' OR p.amount_fen <> o.total_fen)`},
	{"a payment that settles belongs to a paid order",
		"look at the order's payments in the console; refund or settle by hand",
		`SELECT o.number FROM payments p JOIN orders o ON o.tenant_id = p.tenant_id AND o.id = p.order_id WHERE p.settles AND o.paid_at IS NULL`},
	{"money that settles nothing is on its way back",
		"approve the proposed refund in the console",
		`SELECT p.out_trade_no FROM payments p WHERE p.state = 'paid' AND NOT p.settles
		 AND NOT EXISTS (SELECT FROM refunds r WHERE r.tenant_id = p.tenant_id AND r.payment_id = p.id)`},
	{"an order item has at most one live certificate",
		"revoke the certificate that is not in the key",
		`SELECT item_id::text FROM certificates WHERE item_id IS NOT NULL AND state IN ('issued', 'active') GROUP BY tenant_id, item_id HAVING count(*) > 1`},
	{"a certificate of the platform has an intent that was carried out",
		"the certificate was not issued in the two steps; treat it as a security incident",
		`SELECT c.id::text FROM certificates c LEFT JOIN issuance_intents i ON i.tenant_id = c.tenant_id AND i.id = c.intent_id
		 WHERE c.order_id IS NOT NULL AND (i.id IS NULL OR i.state <> 'issued' OR i.serial <> c.serial OR i.spki_sha256 <> c.spki_sha256)`},
	{"an intent that was carried out has its certificate",
		"run the issuance sweep; if it stays, revoke the serial number",
		`SELECT i.id::text FROM issuance_intents i WHERE i.state = 'issued'
		 AND NOT EXISTS (SELECT FROM certificates c WHERE c.tenant_id = i.tenant_id AND c.intent_id = i.id)`},
	{"an issued certificate is in the audit",
		"treat it as a security incident",
		`SELECT c.id::text FROM certificates c WHERE c.intent_id IS NOT NULL AND NOT EXISTS (SELECT FROM audit_entries a
		 WHERE a.tenant_id = c.tenant_id AND a.action = 'certificate.issued' AND a.resource = 'order/' || c.order_id AND a.detail->>'certificate' = c.id::text)`},
	{"the state of an order is the last of its time line",
		"the row was changed outside the program; compare with the audit",
		`SELECT o.number FROM orders o WHERE o.state <> coalesce((SELECT e.to_state FROM order_events e
		 WHERE e.tenant_id = o.tenant_id AND e.order_id = o.id ORDER BY e.at DESC, e.id DESC LIMIT 1), 'draft')`},
	{"a step of the time line is in the audit",
		"treat it as a security incident",
		`SELECT o.number || ' ' || e.event FROM order_events e JOIN orders o ON o.tenant_id = e.tenant_id AND o.id = e.order_id
		 WHERE NOT EXISTS (SELECT FROM audit_entries a WHERE a.tenant_id = e.tenant_id AND a.resource = 'order/' || e.order_id
		 AND a.action = 'order.' || e.event AND a.at = e.at)`},
	{"a completed order has every key done",
		"look at the order in the console; finish or withdraw the key",
		`SELECT o.number FROM orders o JOIN order_items i ON i.tenant_id = o.tenant_id AND i.order_id = o.id
		 WHERE o.state = 'completed' AND i.state NOT IN ('done', 'withdrawn') AND o.service NOT IN ('revocation')`},
	{"the outbox is young",
		"see the health page: the outbox job does not run, or an outside party is away",
		`SELECT kind || ' ' || id FROM outbox WHERE done_at IS NULL AND dead_at IS NULL AND attempts = 0 AND due_at < $1 - interval '5 minutes'`},
	{"no message is dead",
		"see the health page, mend the cause and send it again",
		`SELECT kind || ' ' || id || ': ' || left(error, 200) FROM outbox WHERE dead_at IS NOT NULL`},
}

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
	return append(found, p.outsideFindings()...), nil
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
