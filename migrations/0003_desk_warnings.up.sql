-- What has lain at a desk too long: one row per order and stay there, so that its team is told once.
BEGIN;

CREATE TABLE desk_warnings (
    tenant_id uuid NOT NULL,
    order_id  uuid NOT NULL,
    stage     text NOT NULL,                    -- state of the order, or 'invoice'
    since     timestamptz NOT NULL,             -- when the order came to the desk
    due_at    timestamptz NOT NULL,
    warned_at timestamptz NOT NULL,
    mailbox   text NOT NULL DEFAULT '',         -- of the team; '': the console alone shows it
    mailed_at timestamptz,
    ended_at  timestamptz,                      -- the order has left the desk
    CONSTRAINT desk_warnings_pkey PRIMARY KEY (tenant_id, order_id, stage, since),
    CONSTRAINT desk_warnings_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id)
);
CREATE INDEX desk_warnings_open_idx ON desk_warnings (stage) WHERE ended_at IS NULL;
CREATE INDEX invoices_requested_idx ON invoices (requested_at) WHERE state = 'requested';

ALTER TABLE desk_warnings ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk_warnings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON desk_warnings TO certsaas_app
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY system ON desk_warnings TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON desk_warnings TO certsaas_app;
GRANT SELECT, UPDATE ON desk_warnings TO certsaas_system;
GRANT SELECT ON desk_warnings TO certsaas_ro;

COMMIT;
