-- The whole first schema, in the order of an order's life.
--
-- Conventions
--   * every tenant table begins its keys with tenant_id and is under forced row-level security (the loop at the end);
--   * ids are random (uuid v7), so a key that collides tells nothing about other tenants;
--   * personal data lies only in *_sealed columns (AES-256-GCM, per tenant) and is found through *_index columns (blind indexes);
--   * money is fen (bigint); times are timestamptz;
--   * constraint names are API: core/db maps <table>_<rule>_{key,check,fkey} to sentences.
BEGIN;

-- ---------------------------------------------------------------- tenants
CREATE TABLE tenants (
    id          uuid PRIMARY KEY,
    slug        text NOT NULL,
    state       text NOT NULL DEFAULT 'active',
    created_at  timestamptz NOT NULL,
    CONSTRAINT tenants_slug_key UNIQUE (slug),
    CONSTRAINT tenants_state_check CHECK (state IN ('active', 'suspended'))
);

-- A tenant's definition is a sequence of immutable, numbered releases; orders pin the one they were made under.
CREATE TABLE tenant_releases (
    tenant_id    uuid NOT NULL REFERENCES tenants (id),
    number       integer NOT NULL,
    definition   jsonb NOT NULL,          -- the pack's files and those of tenants/base as written, and an index of its hosts, links and products
    digest       bytea NOT NULL,          -- SHA-256 of the canonical definition
    created_at   timestamptz NOT NULL,
    created_by   text NOT NULL,
    published_at timestamptz,
    CONSTRAINT tenant_releases_pkey PRIMARY KEY (tenant_id, number),
    CONSTRAINT tenant_releases_number_check CHECK (number > 0)
);

CREATE INDEX tenant_releases_index_idx ON tenant_releases USING gin ((definition -> 'index'));

-- The tenant's data key, wrapped by the platform's key-encryption key. Destroying it shreds the tenant's personal data.
CREATE TABLE tenant_keys (
    tenant_id  uuid PRIMARY KEY,
    kek_id     text NOT NULL,
    wrapped    bytea NOT NULL,
    created_at timestamptz NOT NULL
);

-- Gap-tolerant per-tenant counters for numbers that people read (orders, letters).
CREATE TABLE counters (
    tenant_id uuid NOT NULL,
    name      text NOT NULL,              -- e.g. "order/20261128"
    value     bigint NOT NULL,
    CONSTRAINT counters_pkey PRIMARY KEY (tenant_id, name)
);

-- ---------------------------------------------------------------- accounts (applicants)
CREATE TABLE accounts (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    mobile_index  bytea NOT NULL,
    mobile_sealed bytea NOT NULL,
    password_hash text,                   -- argon2id; null while the account logs in by code only
    created_at    timestamptz NOT NULL,
    last_login_at timestamptz,
    CONSTRAINT accounts_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT accounts_mobile_key UNIQUE (tenant_id, mobile_index)
);

CREATE TABLE sessions (
    tenant_id  uuid NOT NULL,
    id_hash    bytea NOT NULL,            -- SHA-256 of the cookie's 32 random bytes
    account_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT sessions_pkey PRIMARY KEY (tenant_id, id_hash),
    CONSTRAINT sessions_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id)
);

-- One SMS code each. Only the newest of (mobile, purpose, binding) is valid; five tries, single use.
CREATE TABLE challenges (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    purpose      text NOT NULL,           -- register | login | password | order
    mobile_index bytea NOT NULL,
    binding      bytea NOT NULL,          -- hash of the browser's visitor cookie or session, and of the order for purpose "order"
    code_mac     bytea NOT NULL,          -- HMAC over code, mobile, purpose, id
    tries        integer NOT NULL DEFAULT 0,
    sent_at      timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    superseded_at timestamptz,
    CONSTRAINT challenges_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT challenges_tries_check CHECK (tries BETWEEN 0 AND 5)
);
CREATE INDEX challenges_mobile_idx ON challenges (tenant_id, mobile_index, sent_at DESC);

-- Platform-wide counters against guessing and pumping: they must see all tenants, so they carry no tenant and no personal data.
CREATE TABLE rate_counters (
    scope        text NOT NULL,           -- e.g. "code-fail/ip"
    key          bytea NOT NULL,          -- HMAC of the address, number or login
    window_start timestamptz NOT NULL,
    count        bigint NOT NULL,
    CONSTRAINT rate_counters_pkey PRIMARY KEY (scope, key, window_start)
);

-- ---------------------------------------------------------------- staff of the CA
CREATE TABLE staff (
    id             uuid PRIMARY KEY,
    login          text NOT NULL,
    name           text NOT NULL,
    password_hash  text NOT NULL,
    totp_sealed    bytea NOT NULL,
    totp_last_step bigint NOT NULL DEFAULT 0,   -- a code is good once
    roles          text[] NOT NULL,
    state          text NOT NULL DEFAULT 'active',
    failures       integer NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL,
    CONSTRAINT staff_login_key UNIQUE (login),
    CONSTRAINT staff_state_check CHECK (state IN ('active', 'disabled'))
);

CREATE TABLE staff_sessions (
    id_hash    bytea PRIMARY KEY,
    staff_id   uuid NOT NULL REFERENCES staff (id),
    verified   boolean NOT NULL,          -- second factor given
    created_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- ---------------------------------------------------------------- orders
-- States are documented in core/order/state.go; a test keeps both equal.
CREATE TYPE order_state AS ENUM (
    'draft', 'awaiting_payment', 'payment_check', 'in_review', 'rejected', 'awaiting_key',
    'in_production', 'ready_to_install', 'to_deliver', 'completed', 'cancelled', 'lapsed', 'refunding', 'refunded'
);

CREATE TABLE orders (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    number         text NOT NULL,
    release        integer NOT NULL,      -- the tenant definition it was made under
    product        text NOT NULL,
    service        text NOT NULL,
    state          order_state NOT NULL,
    version        integer NOT NULL DEFAULT 1,   -- counts every change; stale pages are refused by it
    account_id     uuid,                  -- null while an order-first draft has no login yet
    visitor_hash   bytea,                 -- browser that owns an order-first draft
    term_years     integer NOT NULL DEFAULT 1,
    quantity       integer NOT NULL DEFAULT 1,
    answers_sealed bytea,                 -- JSON object field key → text
    mobile_index   bytea,
    org_index      bytea,                 -- company name
    code_index     bytea,                 -- company code (USCC or other)
    dealer_index   bytea,                 -- the tenant's own number for the applicant
    old_certificate_id uuid,              -- certificate renewed, replaced, unlocked or revoked
    open_fields    text[],                -- after a rejection: the only fields that may change
    price          jsonb NOT NULL DEFAULT '[]',  -- frozen price lines, each with the rule that made it
    total_fen      bigint NOT NULL DEFAULT 0,
    saved_step     text NOT NULL DEFAULT '',     -- how far the form got
    agreed         text NOT NULL DEFAULT '',     -- agreement id and digest ticked at confirmation
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    submitted_at   timestamptz,
    paid_at        timestamptz,
    qualified_at   timestamptz,           -- paid and complete: the SLA starts here (req K39)
    paused_at      timestamptz,           -- the applicant must act: the SLA stands still
    due_at         timestamptz,
    reviewed_at    timestamptz,           -- review passed
    completed_at   timestamptz,
    closed_at      timestamptz,
    lapses_at      timestamptz,           -- when an unpaid order ends by itself
    claimed_by     uuid,
    claimed_at     timestamptz,
    CONSTRAINT orders_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT orders_number_key UNIQUE (tenant_id, number),
    CONSTRAINT orders_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id),
    CONSTRAINT orders_release_fkey FOREIGN KEY (tenant_id, release) REFERENCES tenant_releases (tenant_id, number),
    CONSTRAINT orders_quantity_check CHECK (quantity BETWEEN 1 AND 1000),
    CONSTRAINT orders_total_check CHECK (total_fen >= 0),
    CONSTRAINT orders_submitted_check CHECK (state IN ('draft', 'cancelled', 'lapsed') OR submitted_at IS NOT NULL),
    CONSTRAINT orders_completed_check CHECK ((state = 'completed') <= (completed_at IS NOT NULL))
);
CREATE INDEX orders_account_idx ON orders (tenant_id, account_id, created_at DESC);
CREATE INDEX orders_queue_idx ON orders (state, due_at);
CREATE INDEX orders_lapse_idx ON orders (lapses_at) WHERE state IN ('draft', 'awaiting_payment');
CREATE INDEX orders_mobile_idx ON orders (tenant_id, mobile_index);
CREATE INDEX orders_org_idx ON orders (tenant_id, org_index);
CREATE INDEX orders_code_idx ON orders (tenant_id, code_index);

-- What happened to an order, for its time line. Append-only.
CREATE TABLE order_events (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    order_id   uuid NOT NULL,
    at         timestamptz NOT NULL,
    event      text NOT NULL,
    from_state order_state NOT NULL,
    to_state   order_state NOT NULL,
    actor_kind text NOT NULL,
    actor_id   uuid,
    actor_name text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}',     -- reasons and ids, no personal data
    CONSTRAINT order_events_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT order_events_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id)
);
CREATE INDEX order_events_order_idx ON order_events (tenant_id, order_id, at);

-- One item per key of an order; each ends with at most one live certificate.
CREATE TABLE order_items (
    tenant_id          uuid NOT NULL,
    id                 uuid NOT NULL,
    order_id           uuid NOT NULL,
    seq                integer NOT NULL,        -- 1..quantity
    old_certificate_id uuid,                    -- the certificate this key holds now
    token_serial       text,                    -- the key's own serial number, once seen or written
    state              text NOT NULL DEFAULT 'waiting',
    attempts           integer NOT NULL DEFAULT 0,  -- key pairs certified so far
    attempts_allowed   integer NOT NULL DEFAULT 3,  -- before a person must look
    done_at            timestamptz,
    CONSTRAINT order_items_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT order_items_seq_key UNIQUE (tenant_id, order_id, seq),
    CONSTRAINT order_items_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT order_items_state_check CHECK (state IN ('waiting', 'issued', 'done', 'withdrawn'))
);
-- A new key is written for one order only (req K40: serial, order and waybill belong together).
CREATE UNIQUE INDEX order_items_token_key ON order_items (tenant_id, token_serial, order_id) WHERE token_serial IS NOT NULL;

-- ---------------------------------------------------------------- uploaded pictures and other files
CREATE TABLE files (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    order_id      uuid NOT NULL,
    field         text NOT NULL,                -- form field key, or "letter.scan", "payment.voucher", "invoice"
    blob_key      text NOT NULL,
    media_type    text NOT NULL,
    bytes         bigint NOT NULL,
    width         integer,
    height        integer,
    sha256        bytea NOT NULL,
    phash         bigint,                       -- perceptual hash, to find the same picture again
    findings      jsonb NOT NULL DEFAULT '[]',  -- pre-check results
    uploaded_by   text NOT NULL,
    created_at    timestamptz NOT NULL,
    superseded_at timestamptz,
    CONSTRAINT files_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT files_blob_key UNIQUE (tenant_id, blob_key),
    CONSTRAINT files_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id)
);
CREATE INDEX files_order_idx ON files (tenant_id, order_id, field);
CREATE INDEX files_same_idx ON files (tenant_id, sha256);

-- A QR on the desktop page opens one upload on the phone: one use, ten minutes, one order and field (req B36 K14).
CREATE TABLE upload_tickets (
    tenant_id  uuid NOT NULL,
    token_hash bytea NOT NULL,
    order_id   uuid NOT NULL,
    field      text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    file_id    uuid,
    CONSTRAINT upload_tickets_pkey PRIMARY KEY (tenant_id, token_hash),
    CONSTRAINT upload_tickets_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT upload_tickets_file_fkey FOREIGN KEY (tenant_id, file_id) REFERENCES files (tenant_id, id)
);
CREATE INDEX upload_tickets_order_idx ON upload_tickets (tenant_id, order_id, field, created_at DESC);

-- ---------------------------------------------------------------- authorisation letters
CREATE TABLE letters (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    order_id      uuid NOT NULL,
    number        text NOT NULL,
    digest        bytea NOT NULL,               -- SHA-256 over the canonical JSON of every filled value
    signature     bytea NOT NULL,               -- Ed25519, see core/letter/qr
    values_sealed bytea NOT NULL,
    created_at    timestamptz NOT NULL,
    voided_at     timestamptz,                  -- the data changed: this letter is void
    scan_file_id  uuid,
    scan_result   jsonb,                        -- what the uploaded scan's QR said, compared
    CONSTRAINT letters_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT letters_number_key UNIQUE (tenant_id, number),
    CONSTRAINT letters_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT letters_scan_fkey FOREIGN KEY (tenant_id, scan_file_id) REFERENCES files (tenant_id, id)
);
CREATE UNIQUE INDEX letters_current_key ON letters (tenant_id, order_id) WHERE voided_at IS NULL;
CREATE INDEX letters_order_idx ON letters (tenant_id, order_id, created_at DESC);

-- ---------------------------------------------------------------- payments
CREATE TABLE payments (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    order_id     uuid NOT NULL,
    channel      text NOT NULL,                 -- alipay | wechat | bank_transfer
    out_trade_no text NOT NULL,                 -- one payment attempt
    amount_fen   bigint NOT NULL,
    payee        text NOT NULL,                 -- merchant or account id it must be paid to
    state        text NOT NULL,
    code         text NOT NULL DEFAULT '',      -- text of the QR to pay by
    pay_url      text NOT NULL DEFAULT '',
    trade_no     text,                          -- the channel's own number
    settles      boolean NOT NULL DEFAULT false, -- this attempt paid the order
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    paid_at      timestamptz,
    closed_at    timestamptz,
    next_poll_at timestamptz,
    polls        integer NOT NULL DEFAULT 0,
    CONSTRAINT payments_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT payments_out_trade_no_key UNIQUE (tenant_id, channel, out_trade_no),
    CONSTRAINT payments_trade_no_key UNIQUE (tenant_id, channel, trade_no),
    CONSTRAINT payments_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT payments_amount_check CHECK (amount_fen > 0),
    CONSTRAINT payments_state_check CHECK (state IN ('created', 'pending', 'paid', 'closed', 'failed')),
    CONSTRAINT payments_paid_check CHECK ((state = 'paid') = (paid_at IS NOT NULL))
);
CREATE UNIQUE INDEX payments_settles_key ON payments (tenant_id, order_id) WHERE settles;
CREATE INDEX payments_poll_idx ON payments (next_poll_at) WHERE next_poll_at IS NOT NULL;

-- Every notification as it came, before it is believed. Append-only but for the verdict.
CREATE TABLE payment_events (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    channel     text NOT NULL,
    event_id    text NOT NULL,                  -- the channel's notify id, or a hash of the body when it has none
    body_sealed bytea NOT NULL,
    received_at timestamptz NOT NULL,
    verdict     text NOT NULL,                  -- accepted | duplicate | bad_signature | wrong_amount | wrong_payee | unknown_attempt | late | …
    payment_id  uuid,
    CONSTRAINT payment_events_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT payment_events_payment_fkey FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id)
);
CREATE INDEX payment_events_event_idx ON payment_events (tenant_id, channel, event_id);

CREATE TABLE vouchers (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    order_id       uuid NOT NULL,
    payment_id     uuid NOT NULL,
    payer_sealed   bytea NOT NULL,              -- JSON: payer name, last four digits, remark
    amount_fen     bigint NOT NULL,
    transferred_on date NOT NULL,
    file_id        uuid NOT NULL,
    flags          text[] NOT NULL DEFAULT '{}', -- payer differs, amount differs, picture seen before
    state          text NOT NULL DEFAULT 'submitted',
    reason         text NOT NULL DEFAULT '',
    bank_txn_id    text,                        -- line of the bank statement it was matched to
    created_at     timestamptz NOT NULL,
    decided_by     uuid,
    seconded_by    uuid,                        -- second person when flags call for two
    decided_at     timestamptz,
    CONSTRAINT vouchers_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT vouchers_bank_txn_key UNIQUE (tenant_id, bank_txn_id),
    CONSTRAINT vouchers_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT vouchers_payment_fkey FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id),
    CONSTRAINT vouchers_file_fkey FOREIGN KEY (tenant_id, file_id) REFERENCES files (tenant_id, id),
    CONSTRAINT vouchers_state_check CHECK (state IN ('submitted', 'confirmed', 'rejected'))
);

CREATE TABLE refunds (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    order_id      uuid NOT NULL,
    payment_id    uuid NOT NULL,
    out_refund_no text NOT NULL,
    amount_fen    bigint NOT NULL,
    cause         text NOT NULL,                -- requested | late_payment | double_payment
    state         text NOT NULL,
    requested_by  text NOT NULL,
    approved_by   uuid,
    created_at    timestamptz NOT NULL,
    done_at       timestamptz,
    next_try_at   timestamptz,
    tries         integer NOT NULL DEFAULT 0,
    CONSTRAINT refunds_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT refunds_out_refund_no_key UNIQUE (tenant_id, out_refund_no),
    CONSTRAINT refunds_payment_key UNIQUE (tenant_id, payment_id),
    CONSTRAINT refunds_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT refunds_payment_fkey FOREIGN KEY (tenant_id, payment_id) REFERENCES payments (tenant_id, id),
    CONSTRAINT refunds_amount_check CHECK (amount_fen > 0),
    CONSTRAINT refunds_state_check CHECK (state IN ('proposed', 'approved', 'done', 'failed', 'declined'))
);

-- ---------------------------------------------------------------- review
-- One row per verdict. remarks_sealed: [{"target":"<field or file>","reason":"…"}]; answers_sealed: what the reviewer saw.
CREATE TABLE reviews (
    tenant_id      uuid NOT NULL,
    id             uuid NOT NULL,
    order_id       uuid NOT NULL,
    round          integer NOT NULL,
    order_version  integer NOT NULL,
    reviewer_id    uuid,                        -- null: an automatic check passed it
    verdict        text NOT NULL,
    remarks_sealed bytea NOT NULL,
    answers_sealed bytea NOT NULL,
    checklist      jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL,
    CONSTRAINT reviews_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT reviews_round_key UNIQUE (tenant_id, order_id, round),
    CONSTRAINT reviews_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT reviews_verdict_check CHECK (verdict IN ('approved', 'rejected'))
);

-- ---------------------------------------------------------------- issuance
-- The platform's own CA: root and issuing keys, sealed. No tenant.
CREATE TABLE authorities (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL,
    algorithm   text NOT NULL,
    certificate bytea NOT NULL,                 -- DER
    key_sealed  bytea NOT NULL,
    parent_id   uuid REFERENCES authorities (id),
    created_at  timestamptz NOT NULL,
    CONSTRAINT authorities_kind_check CHECK (kind IN ('root', 'issuing'))
);
CREATE UNIQUE INDEX authorities_kind_key ON authorities (kind, algorithm);

-- The platform's Ed25519 keys by use ("letter", "keyagent"), sealed. No tenant.
CREATE TABLE signing_keys (
    name       text PRIMARY KEY,
    public_key bytea NOT NULL,
    key_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL
);

-- Stored before anything is signed, so that a crash leaves evidence (two-step issuance).
CREATE TABLE issuance_intents (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    item_id      uuid NOT NULL,
    authority_id uuid NOT NULL,
    serial       bytea NOT NULL,
    spki_sha256  bytea NOT NULL,
    profile      text NOT NULL,
    tbs_sealed   bytea NOT NULL,                -- the linted to-be-signed bytes: what a crash interrupted is completed from them
    state        text NOT NULL,
    created_at   timestamptz NOT NULL,
    settled_at   timestamptz,
    CONSTRAINT issuance_intents_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT issuance_intents_serial_key UNIQUE (tenant_id, authority_id, serial),
    CONSTRAINT issuance_intents_item_fkey FOREIGN KEY (tenant_id, item_id) REFERENCES order_items (tenant_id, id),
    CONSTRAINT issuance_intents_state_check CHECK (state IN ('prepared', 'issued', 'abandoned'))
);
CREATE INDEX issuance_intents_abandoned_idx ON issuance_intents (authority_id) WHERE state = 'abandoned';
CREATE UNIQUE INDEX issuance_intents_open_key ON issuance_intents (tenant_id, item_id) WHERE state = 'prepared';

CREATE TABLE certificates (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    order_id     uuid,                          -- null: known to the platform from before it (imported)
    item_id      uuid,
    intent_id    uuid,
    account_id   uuid,                          -- holder's login, when known
    authority_id uuid,
    serial       bytea NOT NULL,
    spki_sha256  bytea NOT NULL,
    der_sealed   bytea NOT NULL,
    org_index    bytea NOT NULL,
    mobile_index bytea,
    product      text NOT NULL,
    token_serial text,
    not_before   timestamptz NOT NULL,
    not_after    timestamptz NOT NULL,
    state        text NOT NULL,
    revoked_at   timestamptz,
    revocation_reason integer,                  -- RFC 5280 §5.3.1
    created_at   timestamptz NOT NULL,
    installed_at timestamptz,
    CONSTRAINT certificates_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT certificates_serial_key UNIQUE (tenant_id, authority_id, serial),
    CONSTRAINT certificates_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT certificates_item_fkey FOREIGN KEY (tenant_id, item_id) REFERENCES order_items (tenant_id, id),
    CONSTRAINT certificates_intent_fkey FOREIGN KEY (tenant_id, intent_id) REFERENCES issuance_intents (tenant_id, id),
    CONSTRAINT certificates_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES accounts (tenant_id, id),
    CONSTRAINT certificates_state_check CHECK (state IN ('issued', 'active', 'superseded', 'revoked')),
    CONSTRAINT certificates_revoked_check CHECK ((state IN ('superseded', 'revoked')) = (revoked_at IS NOT NULL))
);
-- At most one live certificate per order item.
CREATE UNIQUE INDEX certificates_live_key ON certificates (tenant_id, item_id) WHERE item_id IS NOT NULL AND state IN ('issued', 'active');
CREATE INDEX certificates_expiry_idx ON certificates (not_after) WHERE state = 'active';
CREATE INDEX certificates_authority_idx ON certificates (authority_id) WHERE revoked_at IS NOT NULL;
CREATE INDEX certificates_org_idx ON certificates (tenant_id, org_index);
CREATE INDEX certificates_spki_idx ON certificates (tenant_id, spki_sha256);

CREATE TABLE crls (
    authority_id uuid NOT NULL REFERENCES authorities (id),
    number       bigint NOT NULL,
    entries      bigint NOT NULL,               -- how many revocations it holds
    der          bytea NOT NULL,
    this_update  timestamptz NOT NULL,
    next_update  timestamptz NOT NULL,
    CONSTRAINT crls_pkey PRIMARY KEY (authority_id, number)
);

-- ---------------------------------------------------------------- delivery
CREATE TABLE shipments (
    tenant_id        uuid NOT NULL,
    id               uuid NOT NULL,
    order_id         uuid NOT NULL,
    direction        text NOT NULL,             -- out: to the applicant; in: the applicant sends the key in
    purpose          text NOT NULL,             -- key | invoice
    carrier          text NOT NULL,             -- sf | sto | pickup | other code of the pack
    waybill          text NOT NULL,
    consignee_index  bytea NOT NULL,            -- name, mobile and address: a waybill is used again only for the same consignee
    consignee_sealed bytea NOT NULL,
    recorded_by      text NOT NULL,
    created_at       timestamptz NOT NULL,
    CONSTRAINT shipments_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT shipments_order_key UNIQUE (tenant_id, order_id, direction, purpose),
    CONSTRAINT shipments_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT shipments_direction_check CHECK (direction IN ('out', 'in')),
    CONSTRAINT shipments_purpose_check CHECK (purpose IN ('key', 'invoice'))
);
CREATE INDEX shipments_waybill_idx ON shipments (tenant_id, carrier, waybill);

-- ---------------------------------------------------------------- invoices
CREATE TABLE invoices (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    order_id      uuid NOT NULL,
    kind          text NOT NULL,                -- e | paper
    state         text NOT NULL,
    header_sealed bytea NOT NULL,               -- JSON: title, tax number, email, …
    amount_fen    bigint NOT NULL,
    number        text,                         -- 20 digits (数电票), or code and number of a paper one
    issued_on     date,
    file_id       uuid,
    requested_at  timestamptz NOT NULL,
    due_at        timestamptz,                  -- paper: one month after payment (req B9)
    issued_at     timestamptz,
    issued_by     uuid,
    CONSTRAINT invoices_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT invoices_number_key UNIQUE (tenant_id, number),
    CONSTRAINT invoices_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT invoices_file_fkey FOREIGN KEY (tenant_id, file_id) REFERENCES files (tenant_id, id),
    CONSTRAINT invoices_state_check CHECK (state IN ('requested', 'issued', 'withdrawn')),
    CONSTRAINT invoices_kind_check CHECK (kind IN ('e', 'paper')),
    CONSTRAINT invoices_issued_check CHECK ((state = 'issued') <= (number IS NOT NULL AND issued_at IS NOT NULL))
);
CREATE UNIQUE INDEX invoices_live_key ON invoices (tenant_id, order_id) WHERE state <> 'withdrawn';

-- ---------------------------------------------------------------- messages, outbox, jobs
CREATE TABLE messages (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    order_id      uuid,
    outbox_id     uuid,                         -- the event it answers: at most one message per event and channel
    channel       text NOT NULL,                -- sms | email
    template      text NOT NULL,
    body_sealed   bytea NOT NULL,               -- JSON: to, text, params
    state         text NOT NULL,
    error         text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL,
    sent_at       timestamptz,
    CONSTRAINT messages_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT messages_event_key UNIQUE (tenant_id, outbox_id, channel),
    CONSTRAINT messages_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id),
    CONSTRAINT messages_state_check CHECK (state IN ('pending', 'sent', 'failed'))
);
CREATE INDEX messages_order_idx ON messages (tenant_id, order_id);

-- Work to do after a commit. Holds ids and codes only.
CREATE TABLE outbox (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    kind         text NOT NULL,
    ref          uuid NOT NULL,
    data         jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    leased_until timestamptz,
    done_at      timestamptz,
    dead_at      timestamptz,
    error        text NOT NULL DEFAULT '',
    CONSTRAINT outbox_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_due_idx ON outbox (due_at) WHERE done_at IS NULL AND dead_at IS NULL;

-- Last run of each job, for the health page.
CREATE TABLE job_runs (
    name            text PRIMARY KEY,
    leased_until    timestamptz,
    last_start_at   timestamptz,
    last_success_at timestamptz,
    last_error      text NOT NULL DEFAULT '',
    report          jsonb NOT NULL DEFAULT '{}'
);

-- ---------------------------------------------------------------- audit
-- Rows of the business transaction; a sealer chains them afterwards in commit order. Append-only.
-- tenant_id of platform acts (staff log-ins, staff administration) is the nil uuid.
CREATE TABLE audit_entries (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- lets the sealer wait until every earlier transaction has ended
    at         timestamptz NOT NULL,
    actor_kind text NOT NULL,
    actor_id   uuid,
    actor_name text NOT NULL,
    action     text NOT NULL,
    resource   text NOT NULL,
    outcome    text NOT NULL,                   -- done | denied
    detail     jsonb NOT NULL,
    CONSTRAINT audit_entries_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT audit_entries_outcome_check CHECK (outcome IN ('done', 'denied'))
);
CREATE INDEX audit_entries_resource_idx ON audit_entries (tenant_id, resource, at);
CREATE INDEX audit_entries_xid_idx ON audit_entries (xid);

CREATE TABLE audit_seals (
    tenant_id uuid NOT NULL,
    seq       bigint NOT NULL,                  -- gap-free per tenant
    entry_id  uuid NOT NULL,
    hash      bytea NOT NULL,                   -- HMAC over the previous hash and the entry's canonical JSON
    sealed_at timestamptz NOT NULL,
    CONSTRAINT audit_seals_pkey PRIMARY KEY (tenant_id, seq),
    CONSTRAINT audit_seals_entry_key UNIQUE (tenant_id, entry_id),
    CONSTRAINT audit_seals_entry_fkey FOREIGN KEY (tenant_id, entry_id) REFERENCES audit_entries (tenant_id, id)
);

-- ---------------------------------------------------------------- isolation and grants
-- certsaas_app works inside one tenant at a time; certsaas_system is the named cross-tenant role; certsaas_ro reads for reports and backup checks.
GRANT USAGE ON SCHEMA public TO certsaas_app, certsaas_system, certsaas_ro;

DO $$
DECLARE t text;
BEGIN
    FOR t IN
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        WHERE n.nspname = 'public' AND c.relkind = 'r'
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

-- Append-only tables keep what they were given.
REVOKE UPDATE ON order_events, audit_entries, audit_seals, reviews, tenant_keys FROM certsaas_app, certsaas_system;
REVOKE INSERT, UPDATE ON tenant_releases, audit_seals FROM certsaas_app;
-- Only the sealing job and key rotation touch these.
GRANT UPDATE ON tenant_keys TO certsaas_system;
-- Things that end by themselves may be cleared away.
GRANT DELETE ON sessions, challenges, upload_tickets, outbox TO certsaas_system;

-- Tables without a tenant.
GRANT SELECT ON tenants TO certsaas_app;
GRANT SELECT, INSERT, UPDATE ON tenants, staff, staff_sessions, authorities, job_runs TO certsaas_system;
GRANT SELECT, INSERT ON signing_keys TO certsaas_system;
GRANT SELECT, INSERT ON crls TO certsaas_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON rate_counters TO certsaas_system;
GRANT DELETE ON staff_sessions TO certsaas_system;
GRANT SELECT ON tenants, job_runs TO certsaas_ro;

COMMIT;
