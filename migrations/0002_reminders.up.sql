-- Reminders that are renewal orders: who is told when about which certificate, and the order that is ready for him.
--
-- Everything is derived from the state of certificates, orders and mutes; a row is written once and its key says why it cannot
-- be written twice. No sequence is used: keys are what they are about, or random.
BEGIN;

-- One row per certificate, day and channel that was due. The offset counts days before the end in the tenant's calendar; after it, negative.
CREATE TABLE reminders (
    tenant_id      uuid NOT NULL,
    certificate_id uuid NOT NULL,
    offset_days    integer NOT NULL,
    channel        text NOT NULL,               -- sms | email
    person         bytea NOT NULL,              -- whose certificate: blind index of the mobile, or the account's id; messages are merged by it
    due_on         date NOT NULL,
    superseded_on  date,                        -- the day of the next, more urgent one, which is sent instead; null: the last
    send_from      timestamptz NOT NULL,        -- not earlier: office hours, a working day
    state          text NOT NULL,
    reason         text NOT NULL DEFAULT '',    -- why it was skipped, cancelled or could not be delivered
    notice_id      uuid,                        -- the message it is part of
    created_at     timestamptz NOT NULL,
    settled_at     timestamptz,
    CONSTRAINT reminders_pkey PRIMARY KEY (tenant_id, certificate_id, offset_days, channel),
    CONSTRAINT reminders_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES certificates (tenant_id, id),
    CONSTRAINT reminders_state_check CHECK (state IN ('pending', 'sent', 'skipped', 'cancelled', 'undeliverable'))
);
CREATE INDEX reminders_waiting_idx ON reminders (tenant_id, person, channel) WHERE state = 'pending' AND notice_id IS NULL;
CREATE INDEX reminders_superseded_idx ON reminders (superseded_on) WHERE state = 'pending';
CREATE INDEX reminders_notice_idx ON reminders (tenant_id, notice_id) WHERE notice_id IS NOT NULL;

-- One message to one person on one day, about one or several certificates: the unique key is the cap.
CREATE TABLE reminder_notices (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    person       bytea NOT NULL,
    channel      text NOT NULL,
    day          date NOT NULL,                 -- of the tenant's calendar; an undelivered one moves on to the next day
    rung         integer NOT NULL DEFAULT 0,    -- contacts tried before
    state        text NOT NULL,
    error        text NOT NULL DEFAULT '',
    attempts     integer NOT NULL DEFAULT 0,    -- at this contact
    created_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    leased_until timestamptz,
    settled_at   timestamptz,
    CONSTRAINT reminder_notices_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT reminder_notices_day_key UNIQUE (tenant_id, person, channel, day),
    CONSTRAINT reminder_notices_state_check CHECK (state IN ('pending', 'sent', 'failed', 'dropped'))
);
CREATE INDEX reminder_notices_due_idx ON reminder_notices (due_at) WHERE state = 'pending';

-- The renewal of one certificate: at most one order is opened by itself for it, which the primary key says.
CREATE TABLE renewals (
    tenant_id      uuid NOT NULL,
    certificate_id uuid NOT NULL,
    not_after      timestamptz NOT NULL,        -- end of the term that is renewed
    state          text NOT NULL DEFAULT 'wanted',
    reason         text NOT NULL DEFAULT '',
    order_id       uuid,
    told_fen       bigint,                      -- price at the last message: a change since is said
    tries          integer NOT NULL DEFAULT 0,
    due_at         timestamptz NOT NULL,        -- next try to open, while wanted
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT renewals_pkey PRIMARY KEY (tenant_id, certificate_id),
    CONSTRAINT renewals_order_key UNIQUE (tenant_id, order_id),
    CONSTRAINT renewals_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES certificates (tenant_id, id),
    CONSTRAINT renewals_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT renewals_state_check CHECK (state IN ('wanted', 'open', 'ordered', 'withdrawn', 'failed')),
    CONSTRAINT renewals_open_check CHECK ((state IN ('open', 'ordered')) <= (order_id IS NOT NULL))
);
CREATE INDEX renewals_wanted_idx ON renewals (due_at) WHERE state = 'wanted';
CREATE INDEX renewals_open_idx ON renewals (not_after) WHERE state = 'open';

-- The link of a message: it opens one certificate's renewal and nothing else.
CREATE TABLE reminder_links (
    tenant_id      uuid NOT NULL,
    token_hash     bytea NOT NULL,              -- SHA-256 of 16 random bytes
    certificate_id uuid NOT NULL,
    notice_id      uuid,                        -- null: made by hand
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    opened_at      timestamptz,                 -- first look
    used_at        timestamptz,                 -- the renewal was handed in through it
    CONSTRAINT reminder_links_pkey PRIMARY KEY (tenant_id, token_hash),
    CONSTRAINT reminder_links_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES certificates (tenant_id, id)
);
CREATE INDEX reminder_links_certificate_idx ON reminder_links (tenant_id, certificate_id);

-- No reminders about a certificate until a day, with the reason. One per certificate; the audit trail keeps the past ones.
CREATE TABLE reminder_mutes (
    tenant_id      uuid NOT NULL,
    certificate_id uuid NOT NULL,
    until          timestamptz NOT NULL,
    reason         text NOT NULL,
    set_by         text NOT NULL,
    set_at         timestamptz NOT NULL,
    CONSTRAINT reminder_mutes_pkey PRIMARY KEY (tenant_id, certificate_id),
    CONSTRAINT reminder_mutes_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES certificates (tenant_id, id)
);
CREATE INDEX reminder_mutes_until_idx ON reminder_mutes (until);
CREATE INDEX reminder_mutes_set_idx ON reminder_mutes (set_at);

-- What nobody could be told is work for people.
CREATE TABLE reminder_tasks (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    certificate_id uuid NOT NULL,
    kind           text NOT NULL,               -- undeliverable | no_contact | order_failed
    detail         text NOT NULL DEFAULT '',    -- codes, no personal data
    created_at     timestamptz NOT NULL,
    done_at        timestamptz,
    done_by        text,
    CONSTRAINT reminder_tasks_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT reminder_tasks_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES certificates (tenant_id, id)
);
CREATE UNIQUE INDEX reminder_tasks_open_key ON reminder_tasks (tenant_id, certificate_id, kind) WHERE done_at IS NULL;

-- How far a tenant's certificates were looked at. The row of the nil uuid says when anything was last looked at.
CREATE TABLE reminder_progress (
    tenant_id uuid NOT NULL,
    plan      text NOT NULL,                    -- digest of the rules
    swept_on  date NOT NULL,                    -- every reminder due up to this day has its row
    swept_at  timestamptz NOT NULL,
    CONSTRAINT reminder_progress_pkey PRIMARY KEY (tenant_id)
);

-- What changed since the last look, and what an order is about.
CREATE INDEX certificates_installed_idx ON certificates (installed_at) WHERE state = 'active';
CREATE INDEX certificates_revoked_idx ON certificates (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX orders_old_idx ON orders (tenant_id, old_certificate_id) WHERE old_certificate_id IS NOT NULL;
CREATE INDEX orders_old_submitted_idx ON orders (submitted_at) WHERE old_certificate_id IS NOT NULL;
CREATE INDEX orders_old_closed_idx ON orders (closed_at) WHERE old_certificate_id IS NOT NULL;
CREATE INDEX order_items_old_idx ON order_items (tenant_id, old_certificate_id) WHERE old_certificate_id IS NOT NULL;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['reminders', 'reminder_notices', 'renewals', 'reminder_links', 'reminder_mutes', 'reminder_tasks', 'reminder_progress']
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
REVOKE INSERT, UPDATE ON reminder_progress FROM certsaas_app;
GRANT DELETE ON reminder_links TO certsaas_system;

COMMIT;
