-- Whom an enterprise knows at its dealers: told of a key that ends when its holder cannot be reached. And how a certificate comes
-- to another contact.
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

-- A certificate given over to another mobile, with the proof: codes to the old and the new one, or a sealed paper that two
-- persons of the staff saw and a code to the new one.
CREATE TABLE contact_changes (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    certificate_id uuid NOT NULL,
    how            text NOT NULL,               -- codes | paper
    state          text NOT NULL,               -- proved: the old mobile's code was right; waiting: for a second person; approved: for the new mobile's code; done | refused
    mobile_sealed  bytea,                       -- the new one; null while nothing is known of it
    paper_sealed   bytea,                       -- JPEG; taken away when the change is refused or nobody ended it in time
    reason         text NOT NULL DEFAULT '',
    asked_by       uuid NOT NULL,               -- account or member of the staff
    asked_name     text NOT NULL,
    asked_at       timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    decided_by     uuid,
    decided_name   text NOT NULL DEFAULT '',
    decided_at     timestamptz,
    token_hash     bytea,                       -- of the link to the new mobile
    CONSTRAINT contact_changes_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT contact_changes_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES certificates (tenant_id, id),
    CONSTRAINT contact_changes_how_check CHECK (how IN ('codes', 'paper')),
    CONSTRAINT contact_changes_state_check CHECK (state IN ('proved', 'waiting', 'approved', 'done', 'refused')),
    CONSTRAINT contact_changes_two_check CHECK (decided_by IS NULL OR decided_by <> asked_by)
);
CREATE UNIQUE INDEX contact_changes_open_key ON contact_changes (tenant_id, certificate_id) WHERE state IN ('waiting', 'approved');
CREATE INDEX contact_changes_certificate_idx ON contact_changes (tenant_id, certificate_id);
CREATE UNIQUE INDEX contact_changes_token_key ON contact_changes (tenant_id, token_hash) WHERE token_hash IS NOT NULL;

-- Since when a certificate's contact is its login and no longer what its order says; null: never changed.
ALTER TABLE certificates ADD COLUMN contact_at timestamptz;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['roster_contacts', 'contact_changes']
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
