package db

import (
	"context"
	"fmt"
	"strings"
)

// CatalogFinding is a hole in the isolation of tenants that the database's own catalog shows.
type CatalogFinding struct {
	Check  string // short name of the rule
	Object string // table, index, role, …
	Remedy string // what to change
}

// String is for operators.
func (f CatalogFinding) String() string { return f.Check + ": " + f.Object + ": " + f.Remedy }

// platformTables hold nothing of one tenant, or must see all of them; each was reviewed. Any other table needs a tenant_id.
var platformTables = []string{
	"tenants",           // the list of tenants itself
	"staff",             // people of the CA, who serve all tenants
	"staff_sessions",    //
	"authorities",       // the platform's CA keys, sealed
	"signing_keys",      // the platform's own signing keys, sealed
	"crls",              // published to the world
	"job_runs",          // names and times of jobs
	"rate_counters",     // guards against guessing across tenants; keyed by HMAC
	"schema_migrations", // version of the schema
}

// globalUniques are unique indexes of tenant tables that do not begin with tenant_id, with the reason why that tells nothing. None so far.
var globalUniques = []string{}

const tenantTables = `pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
	JOIN pg_attribute ten ON ten.attrelid = c.oid AND ten.attname = 'tenant_id' AND NOT ten.attisdropped
	WHERE c.relkind IN ('r', 'p')`

// catalogChecks each list offending objects; no rows is good. $1 is platformTables, $2 globalUniques.
var catalogChecks = []struct{ name, remedy, sql string }{
	{"row security is on and forced, with USING and WITH CHECK", "ENABLE and FORCE ROW LEVEL SECURITY and give the table policies with both expressions",
		`SELECT c.relname FROM ` + tenantTables + ` AND NOT (c.relrowsecurity AND c.relforcerowsecurity
			AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
			AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND (p.polqual IS NULL OR p.polwithcheck IS NULL)))`},
	{"the tenant's policy compares with the tenant of the transaction", "policy for certsaas_app: tenant_id = nullif(current_setting('app.tenant', true), '')::uuid, without a subquery",
		`SELECT c.relname || '.' || p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
			WHERE (SELECT r.oid FROM pg_roles r WHERE r.rolname = 'certsaas_app') = ANY (p.polroles) AND (
				pg_get_expr(p.polqual, p.polrelid) <> '(tenant_id = (NULLIF(current_setting(''app.tenant''::text, true), ''''::text))::uuid)'
				OR pg_get_expr(p.polwithcheck, p.polrelid) <> pg_get_expr(p.polqual, p.polrelid))`},
	{"no policy is open to everybody", "name the roles of the policy: TO certsaas_app, or TO certsaas_system, certsaas_ro",
		`SELECT c.relname || '.' || p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE 0 = ANY (p.polroles)`},
	{"every table has a tenant or is known to need none", "add tenant_id, or review it and add it to platformTables",
		`SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
			WHERE c.relkind IN ('r', 'p') AND c.relname <> ALL ($1) AND NOT EXISTS
				(SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped AND a.attnotnull)`},
	{"the program's roles are bound by row security", "ALTER ROLE … NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION, and revoke memberships",
		`SELECT r.rolname FROM pg_roles r WHERE r.rolname IN ('certsaas_app', 'certsaas_system', 'certsaas_ro')
			AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid))`},
	{"the program's roles own nothing", "ALTER … OWNER TO certsaas_owner",
		`SELECT c.relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname IN ('certsaas_app', 'certsaas_system', 'certsaas_ro')`},
	{"views obey the caller's row security", "CREATE VIEW … WITH (security_invoker = true); no materialized views",
		`SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' WHERE c.relkind = 'm'
			OR c.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (c.reloptions) OR 'security_invoker=on' = ANY (c.reloptions), false)`},
	{"no function runs with its owner's rights", "CREATE FUNCTION … SECURITY INVOKER",
		`SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = 'public' WHERE p.prosecdef`},
	{"foreign keys between tenant tables include tenant_id", "FOREIGN KEY (tenant_id, …) REFERENCES … (tenant_id, …): such checks pass by row security",
		`SELECT k.conname FROM pg_constraint k
			JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attname = 'tenant_id' JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attname = 'tenant_id'
			WHERE k.contype = 'f' AND NOT (a.attnum = ANY (k.conkey) AND b.attnum = ANY (k.confkey)
				AND array_position(k.conkey, a.attnum) = array_position(k.confkey, b.attnum))`},
	{"unique keys of tenant tables begin with tenant_id", "UNIQUE (tenant_id, …): a collision tells of another tenant's row",
		`SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'tenant_id'
			WHERE i.indisunique AND i.indkey[0] <> a.attnum AND x.relname <> ALL ($2)`},
	{"no sequences: they tell how much business others do", "use random ids, or a row of counters per tenant",
		`SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' WHERE c.relkind = 'S'`},
	{"no triggers on tenant tables", "move the rule into a constraint, a grant or the program: distributed tables have no triggers",
		`SELECT c.relname || '.' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' WHERE NOT t.tgisinternal`},
	{"nobody may TRUNCATE, REFERENCES or TRIGGER", "REVOKE it: row security does not cover these",
		`SELECT g.table_name || ' ' || g.privilege_type || ' to ' || g.grantee FROM (SELECT c.relname AS table_name, a.privilege_type, coalesce(r.rolname, 'PUBLIC') AS grantee
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public', aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
			WHERE a.grantee <> c.relowner) g WHERE g.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER') OR g.grantee = 'PUBLIC'`},
	{"append-only tables take no UPDATE or DELETE", "REVOKE UPDATE, DELETE",
		`SELECT c.relname || ' ' || a.privilege_type || ' to ' || r.rolname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public',
			aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
			WHERE c.relname IN ('order_events', 'audit_entries', 'audit_seals', 'reviews') AND a.grantee <> c.relowner AND a.privilege_type IN ('UPDATE', 'DELETE')`},
}

// CatalogFindings asks the catalog for holes in the isolation of tenants; none is good. The checks are those of PostgreSQL's documentation of row
// security and of what its rules leave open: owners, views, functions, foreign keys, uniqueness, sequences, grants.
func (d *DB) CatalogFindings(ctx context.Context) ([]CatalogFinding, error) {
	var findings []CatalogFinding
	err := d.WithSystem(ctx, "db/catalog", func(ctx context.Context, tx *Tx) error {
		findings = nil
		for _, check := range catalogChecks {
			objects, err := tx.objects(ctx, check.sql)
			if err != nil {
				return fmt.Errorf("db: catalog: %s: %w", check.name, err)
			}
			for _, object := range objects {
				findings = append(findings, CatalogFinding{Check: check.name, Object: object, Remedy: check.remedy})
			}
		}
		return nil
	})
	return findings, err
}

func (tx *Tx) objects(ctx context.Context, sql string) ([]string, error) {
	var args []any
	for i, list := range [][]string{platformTables, globalUniques} {
		if strings.Contains(sql, fmt.Sprintf("$%d", i+1)) {
			args = append(args, list)
			sql = strings.ReplaceAll(sql, fmt.Sprintf("$%d", i+1), fmt.Sprintf("$%d", len(args)))
		}
	}
	rows, err := tx.Query(ctx, "SELECT o::text FROM ("+sql+") AS found (o) ORDER BY 1", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var objects []string
	for rows.Next() {
		var object string
		if err := rows.Scan(&object); err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	return objects, rows.Err()
}
