-- Whom an enterprise knows at its dealers: told of a key that ends when its holder cannot be reached.
BEGIN;

-- A list is replaced as a whole: what it replaces loses its contents and keeps its row.
CREATE TABLE roster_contacts (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    code_index     bytea NOT NULL,              -- blind index of the enterprise's code of the dealer
    contact_sealed bytea NOT NULL,              -- JSON: code, name, mobile, email
    set_at         timestamptz NOT NULL,
    removed_at     timestamptz,
    CONSTRAINT roster_contacts_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX roster_contacts_code_idx ON roster_contacts (tenant_id, code_index) WHERE removed_at IS NULL;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['roster_contacts']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format($p$CREATE POLICY tenant ON %I TO certsaas_app
            USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
            WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)$p$, t);
        EXECUTE format('CREATE POLICY system ON %I TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO certsaas_app, certsaas_system', t);
        EXECUTE format('GRANT SELECT ON %I TO certsaas_ro', t);
    END LOOP;
END $$;

COMMIT;
