-- The database as the migrations make it, for people to read. Written by `go test ./migrations -update`; never applied.

CREATE TYPE public.order_state AS ENUM (
    'draft',
    'awaiting_payment',
    'payment_check',
    'in_review',
    'rejected',
    'awaiting_key',
    'in_production',
    'ready_to_install',
    'to_deliver',
    'completed',
    'cancelled',
    'lapsed',
    'refunding',
    'refunded'
);

CREATE TABLE public.accounts (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    mobile_index bytea NOT NULL,
    mobile_sealed bytea NOT NULL,
    password_hash text,
    created_at timestamp with time zone NOT NULL,
    last_login_at timestamp with time zone
);

ALTER TABLE ONLY public.accounts FORCE ROW LEVEL SECURITY;
CREATE TABLE public.audit_entries (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    at timestamp with time zone NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    actor_name text NOT NULL,
    action text NOT NULL,
    resource text NOT NULL,
    outcome text NOT NULL,
    detail jsonb NOT NULL,
    CONSTRAINT audit_entries_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'denied'::text])))
);

ALTER TABLE ONLY public.audit_entries FORCE ROW LEVEL SECURITY;
CREATE TABLE public.audit_seals (
    tenant_id uuid NOT NULL,
    seq bigint NOT NULL,
    entry_id uuid NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.audit_seals FORCE ROW LEVEL SECURITY;
CREATE TABLE public.authorities (
    id uuid NOT NULL,
    kind text NOT NULL,
    algorithm text NOT NULL,
    certificate bytea NOT NULL,
    key_sealed bytea NOT NULL,
    parent_id uuid,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT authorities_kind_check CHECK ((kind = ANY (ARRAY['root'::text, 'issuing'::text])))
);

CREATE TABLE public.certificates (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid,
    item_id uuid,
    intent_id uuid,
    account_id uuid,
    authority_id uuid,
    serial bytea NOT NULL,
    spki_sha256 bytea NOT NULL,
    der_sealed bytea NOT NULL,
    org_index bytea NOT NULL,
    mobile_index bytea,
    product text NOT NULL,
    token_serial text,
    not_before timestamp with time zone NOT NULL,
    not_after timestamp with time zone NOT NULL,
    state text NOT NULL,
    revoked_at timestamp with time zone,
    revocation_reason integer,
    created_at timestamp with time zone NOT NULL,
    installed_at timestamp with time zone,
    contact_at timestamp with time zone,
    CONSTRAINT certificates_revoked_check CHECK (((state = ANY (ARRAY['superseded'::text, 'revoked'::text])) = (revoked_at IS NOT NULL))),
    CONSTRAINT certificates_state_check CHECK ((state = ANY (ARRAY['issued'::text, 'active'::text, 'superseded'::text, 'revoked'::text])))
);

ALTER TABLE ONLY public.certificates FORCE ROW LEVEL SECURITY;
CREATE TABLE public.challenges (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    purpose text NOT NULL,
    mobile_index bytea NOT NULL,
    binding bytea NOT NULL,
    code_mac bytea NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    superseded_at timestamp with time zone,
    CONSTRAINT challenges_tries_check CHECK (((tries >= 0) AND (tries <= 5)))
);

ALTER TABLE ONLY public.challenges FORCE ROW LEVEL SECURITY;
CREATE TABLE public.contact_changes (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    how text NOT NULL,
    state text NOT NULL,
    mobile_sealed bytea,
    paper_sealed bytea,
    reason text DEFAULT ''::text NOT NULL,
    asked_by uuid NOT NULL,
    asked_name text NOT NULL,
    asked_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    decided_by uuid,
    decided_name text DEFAULT ''::text NOT NULL,
    decided_at timestamp with time zone,
    token_hash bytea,
    CONSTRAINT contact_changes_how_check CHECK ((how = ANY (ARRAY['codes'::text, 'paper'::text]))),
    CONSTRAINT contact_changes_state_check CHECK ((state = ANY (ARRAY['proved'::text, 'waiting'::text, 'approved'::text, 'done'::text, 'refused'::text]))),
    CONSTRAINT contact_changes_two_check CHECK (((decided_by IS NULL) OR (decided_by <> asked_by)))
);

ALTER TABLE ONLY public.contact_changes FORCE ROW LEVEL SECURITY;
CREATE TABLE public.counters (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    value bigint NOT NULL
);

ALTER TABLE ONLY public.counters FORCE ROW LEVEL SECURITY;
CREATE TABLE public.crls (
    authority_id uuid NOT NULL,
    number bigint NOT NULL,
    entries bigint NOT NULL,
    der bytea NOT NULL,
    this_update timestamp with time zone NOT NULL,
    next_update timestamp with time zone NOT NULL
);

CREATE TABLE public.desk_warnings (
    tenant_id uuid NOT NULL,
    order_id uuid NOT NULL,
    stage text NOT NULL,
    since timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    warned_at timestamp with time zone NOT NULL,
    mailbox text DEFAULT ''::text NOT NULL,
    mailed_at timestamp with time zone,
    ended_at timestamp with time zone
);

ALTER TABLE ONLY public.desk_warnings FORCE ROW LEVEL SECURITY;
CREATE TABLE public.files (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    field text NOT NULL,
    blob_key text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    width integer,
    height integer,
    sha256 bytea NOT NULL,
    phash bigint,
    findings jsonb DEFAULT '[]'::jsonb NOT NULL,
    uploaded_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    superseded_at timestamp with time zone
);

ALTER TABLE ONLY public.files FORCE ROW LEVEL SECURITY;
CREATE TABLE public.invoices (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    header_sealed bytea NOT NULL,
    amount_fen bigint NOT NULL,
    number text,
    issued_on date,
    file_id uuid,
    requested_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    issued_at timestamp with time zone,
    issued_by uuid,
    CONSTRAINT invoices_issued_check CHECK (((state = 'issued'::text) <= ((number IS NOT NULL) AND (issued_at IS NOT NULL)))),
    CONSTRAINT invoices_kind_check CHECK ((kind = ANY (ARRAY['e'::text, 'paper'::text]))),
    CONSTRAINT invoices_state_check CHECK ((state = ANY (ARRAY['requested'::text, 'issued'::text, 'withdrawn'::text])))
);

ALTER TABLE ONLY public.invoices FORCE ROW LEVEL SECURITY;
CREATE TABLE public.issuance_intents (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    item_id uuid NOT NULL,
    authority_id uuid NOT NULL,
    serial bytea NOT NULL,
    spki_sha256 bytea NOT NULL,
    profile text NOT NULL,
    tbs_sealed bytea NOT NULL,
    state text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT issuance_intents_state_check CHECK ((state = ANY (ARRAY['prepared'::text, 'issued'::text, 'abandoned'::text])))
);

ALTER TABLE ONLY public.issuance_intents FORCE ROW LEVEL SECURITY;
CREATE TABLE public.job_runs (
    name text NOT NULL,
    leased_until timestamp with time zone,
    last_start_at timestamp with time zone,
    last_success_at timestamp with time zone,
    last_error text DEFAULT ''::text NOT NULL,
    report jsonb DEFAULT '{}'::jsonb NOT NULL
);

CREATE TABLE public.letters (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    number text NOT NULL,
    digest bytea NOT NULL,
    signature bytea NOT NULL,
    values_sealed bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    voided_at timestamp with time zone,
    scan_file_id uuid,
    scan_result jsonb
);

ALTER TABLE ONLY public.letters FORCE ROW LEVEL SECURITY;
CREATE TABLE public.messages (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid,
    outbox_id uuid,
    channel text NOT NULL,
    template text NOT NULL,
    body_sealed bytea NOT NULL,
    state text NOT NULL,
    error text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    CONSTRAINT messages_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sent'::text, 'failed'::text])))
);

ALTER TABLE ONLY public.messages FORCE ROW LEVEL SECURITY;
CREATE TABLE public.order_events (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    event text NOT NULL,
    from_state public.order_state NOT NULL,
    to_state public.order_state NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    actor_name text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL
);

ALTER TABLE ONLY public.order_events FORCE ROW LEVEL SECURITY;
CREATE TABLE public.order_items (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    seq integer NOT NULL,
    old_certificate_id uuid,
    token_serial text,
    state text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    attempts_allowed integer DEFAULT 3 NOT NULL,
    done_at timestamp with time zone,
    CONSTRAINT order_items_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'issued'::text, 'done'::text, 'withdrawn'::text])))
);

ALTER TABLE ONLY public.order_items FORCE ROW LEVEL SECURITY;
CREATE TABLE public.orders (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    number text NOT NULL,
    release integer NOT NULL,
    product text NOT NULL,
    service text NOT NULL,
    state public.order_state NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    account_id uuid,
    visitor_hash bytea,
    term_years integer DEFAULT 1 NOT NULL,
    quantity integer DEFAULT 1 NOT NULL,
    answers_sealed bytea,
    mobile_index bytea,
    org_index bytea,
    code_index bytea,
    dealer_index bytea,
    old_certificate_id uuid,
    open_fields text[],
    price jsonb DEFAULT '[]'::jsonb NOT NULL,
    total_fen bigint DEFAULT 0 NOT NULL,
    saved_step text DEFAULT ''::text NOT NULL,
    agreed text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    submitted_at timestamp with time zone,
    paid_at timestamp with time zone,
    qualified_at timestamp with time zone,
    paused_at timestamp with time zone,
    due_at timestamp with time zone,
    reviewed_at timestamp with time zone,
    completed_at timestamp with time zone,
    closed_at timestamp with time zone,
    lapses_at timestamp with time zone,
    claimed_by uuid,
    claimed_at timestamp with time zone,
    forgotten_at timestamp with time zone,
    CONSTRAINT orders_completed_check CHECK (((state = 'completed'::public.order_state) <= (completed_at IS NOT NULL))),
    CONSTRAINT orders_quantity_check CHECK (((quantity >= 1) AND (quantity <= 1000))),
    CONSTRAINT orders_submitted_check CHECK (((state = ANY (ARRAY['draft'::public.order_state, 'cancelled'::public.order_state, 'lapsed'::public.order_state])) OR (submitted_at IS NOT NULL))),
    CONSTRAINT orders_total_check CHECK ((total_fen >= 0))
);

ALTER TABLE ONLY public.orders FORCE ROW LEVEL SECURITY;
CREATE TABLE public.outbox (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    ref uuid NOT NULL,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    leased_until timestamp with time zone,
    done_at timestamp with time zone,
    dead_at timestamp with time zone,
    error text DEFAULT ''::text NOT NULL
);

ALTER TABLE ONLY public.outbox FORCE ROW LEVEL SECURITY;
CREATE TABLE public.payment_events (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    channel text NOT NULL,
    event_id text NOT NULL,
    body_sealed bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    verdict text NOT NULL,
    payment_id uuid
);

ALTER TABLE ONLY public.payment_events FORCE ROW LEVEL SECURITY;
CREATE TABLE public.payments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    channel text NOT NULL,
    out_trade_no text NOT NULL,
    amount_fen bigint NOT NULL,
    payee text NOT NULL,
    state text NOT NULL,
    code text DEFAULT ''::text NOT NULL,
    pay_url text DEFAULT ''::text NOT NULL,
    trade_no text,
    settles boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    paid_at timestamp with time zone,
    closed_at timestamp with time zone,
    next_poll_at timestamp with time zone,
    polls integer DEFAULT 0 NOT NULL,
    CONSTRAINT payments_amount_check CHECK ((amount_fen > 0)),
    CONSTRAINT payments_paid_check CHECK (((state = 'paid'::text) = (paid_at IS NOT NULL))),
    CONSTRAINT payments_state_check CHECK ((state = ANY (ARRAY['created'::text, 'pending'::text, 'paid'::text, 'closed'::text, 'failed'::text])))
);

ALTER TABLE ONLY public.payments FORCE ROW LEVEL SECURITY;
CREATE TABLE public.rate_counters (
    scope text NOT NULL,
    key bytea NOT NULL,
    window_start timestamp with time zone NOT NULL,
    count bigint NOT NULL
);

CREATE TABLE public.refunds (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    out_refund_no text NOT NULL,
    amount_fen bigint NOT NULL,
    cause text NOT NULL,
    state text NOT NULL,
    requested_by text NOT NULL,
    approved_by uuid,
    created_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone,
    next_try_at timestamp with time zone,
    tries integer DEFAULT 0 NOT NULL,
    CONSTRAINT refunds_amount_check CHECK ((amount_fen > 0)),
    CONSTRAINT refunds_state_check CHECK ((state = ANY (ARRAY['proposed'::text, 'approved'::text, 'done'::text, 'failed'::text, 'declined'::text])))
);

ALTER TABLE ONLY public.refunds FORCE ROW LEVEL SECURITY;
CREATE TABLE public.reminder_links (
    tenant_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    certificate_id uuid NOT NULL,
    notice_id uuid,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    opened_at timestamp with time zone,
    used_at timestamp with time zone
);

ALTER TABLE ONLY public.reminder_links FORCE ROW LEVEL SECURITY;
CREATE TABLE public.reminder_mutes (
    tenant_id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    until timestamp with time zone NOT NULL,
    reason text NOT NULL,
    set_by text NOT NULL,
    set_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.reminder_mutes FORCE ROW LEVEL SECURITY;
CREATE TABLE public.reminder_notices (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    person bytea NOT NULL,
    channel text NOT NULL,
    day date NOT NULL,
    rung integer DEFAULT 0 NOT NULL,
    state text NOT NULL,
    error text DEFAULT ''::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    leased_until timestamp with time zone,
    settled_at timestamp with time zone,
    CONSTRAINT reminder_notices_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sent'::text, 'failed'::text, 'dropped'::text])))
);

ALTER TABLE ONLY public.reminder_notices FORCE ROW LEVEL SECURITY;
CREATE TABLE public.reminder_progress (
    tenant_id uuid NOT NULL,
    plan text NOT NULL,
    swept_on date NOT NULL,
    swept_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.reminder_progress FORCE ROW LEVEL SECURITY;
CREATE TABLE public.reminder_tasks (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    kind text NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone,
    done_by text
);

ALTER TABLE ONLY public.reminder_tasks FORCE ROW LEVEL SECURITY;
CREATE TABLE public.reminders (
    tenant_id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    offset_days integer NOT NULL,
    channel text NOT NULL,
    person bytea NOT NULL,
    due_on date NOT NULL,
    superseded_on date,
    send_from timestamp with time zone NOT NULL,
    state text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    notice_id uuid,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT reminders_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sent'::text, 'skipped'::text, 'cancelled'::text, 'undeliverable'::text])))
);

ALTER TABLE ONLY public.reminders FORCE ROW LEVEL SECURITY;
CREATE TABLE public.renewals (
    tenant_id uuid NOT NULL,
    certificate_id uuid NOT NULL,
    not_after timestamp with time zone NOT NULL,
    state text DEFAULT 'wanted'::text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    order_id uuid,
    told_fen bigint,
    tries integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT renewals_open_check CHECK (((state = ANY (ARRAY['open'::text, 'ordered'::text])) <= (order_id IS NOT NULL))),
    CONSTRAINT renewals_state_check CHECK ((state = ANY (ARRAY['wanted'::text, 'open'::text, 'ordered'::text, 'withdrawn'::text, 'failed'::text])))
);

ALTER TABLE ONLY public.renewals FORCE ROW LEVEL SECURITY;
CREATE TABLE public.reviews (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    round integer NOT NULL,
    order_version integer NOT NULL,
    reviewer_id uuid,
    verdict text NOT NULL,
    remarks_sealed bytea NOT NULL,
    answers_sealed bytea NOT NULL,
    checklist jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT reviews_verdict_check CHECK ((verdict = ANY (ARRAY['approved'::text, 'rejected'::text])))
);

ALTER TABLE ONLY public.reviews FORCE ROW LEVEL SECURITY;
CREATE TABLE public.roster_contacts (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    code_index bytea NOT NULL,
    contact_sealed bytea NOT NULL,
    set_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone
);

ALTER TABLE ONLY public.roster_contacts FORCE ROW LEVEL SECURITY;
CREATE TABLE public.schema_migrations (
    version bigint NOT NULL,
    dirty boolean NOT NULL
);

CREATE TABLE public.sessions (
    tenant_id uuid NOT NULL,
    id_hash bytea NOT NULL,
    account_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);

ALTER TABLE ONLY public.sessions FORCE ROW LEVEL SECURITY;
CREATE TABLE public.shipments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    direction text NOT NULL,
    purpose text NOT NULL,
    carrier text NOT NULL,
    waybill text NOT NULL,
    consignee_index bytea NOT NULL,
    consignee_sealed bytea NOT NULL,
    recorded_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT shipments_direction_check CHECK ((direction = ANY (ARRAY['out'::text, 'in'::text]))),
    CONSTRAINT shipments_purpose_check CHECK ((purpose = ANY (ARRAY['key'::text, 'invoice'::text])))
);

ALTER TABLE ONLY public.shipments FORCE ROW LEVEL SECURITY;
CREATE TABLE public.signing_keys (
    name text NOT NULL,
    public_key bytea NOT NULL,
    key_sealed bytea NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.staff (
    id uuid NOT NULL,
    login text NOT NULL,
    name text NOT NULL,
    password_hash text NOT NULL,
    totp_sealed bytea NOT NULL,
    totp_last_step bigint DEFAULT 0 NOT NULL,
    roles text[] NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT staff_state_check CHECK ((state = ANY (ARRAY['active'::text, 'disabled'::text])))
);

CREATE TABLE public.staff_sessions (
    id_hash bytea NOT NULL,
    staff_id uuid NOT NULL,
    verified boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);

CREATE TABLE public.tenant_keys (
    tenant_id uuid NOT NULL,
    kek_id text NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.tenant_keys FORCE ROW LEVEL SECURITY;
CREATE TABLE public.tenant_releases (
    tenant_id uuid NOT NULL,
    number integer NOT NULL,
    definition jsonb NOT NULL,
    digest bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    created_by text NOT NULL,
    published_at timestamp with time zone,
    CONSTRAINT tenant_releases_number_check CHECK ((number > 0))
);

ALTER TABLE ONLY public.tenant_releases FORCE ROW LEVEL SECURITY;
CREATE TABLE public.tenants (
    id uuid NOT NULL,
    slug text NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT tenants_state_check CHECK ((state = ANY (ARRAY['active'::text, 'suspended'::text])))
);

CREATE TABLE public.upload_tickets (
    tenant_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    order_id uuid NOT NULL,
    field text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    file_id uuid
);

ALTER TABLE ONLY public.upload_tickets FORCE ROW LEVEL SECURITY;
CREATE TABLE public.vouchers (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    payer_sealed bytea NOT NULL,
    amount_fen bigint NOT NULL,
    transferred_on date NOT NULL,
    file_id uuid NOT NULL,
    flags text[] DEFAULT '{}'::text[] NOT NULL,
    state text DEFAULT 'submitted'::text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    bank_txn_id text,
    created_at timestamp with time zone NOT NULL,
    decided_by uuid,
    seconded_by uuid,
    decided_at timestamp with time zone,
    CONSTRAINT vouchers_state_check CHECK ((state = ANY (ARRAY['submitted'::text, 'confirmed'::text, 'rejected'::text])))
);

ALTER TABLE ONLY public.vouchers FORCE ROW LEVEL SECURITY;
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_mobile_key UNIQUE (tenant_id, mobile_index);
ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT audit_entries_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.audit_seals
    ADD CONSTRAINT audit_seals_entry_key UNIQUE (tenant_id, entry_id);
ALTER TABLE ONLY public.audit_seals
    ADD CONSTRAINT audit_seals_pkey PRIMARY KEY (tenant_id, seq);
ALTER TABLE ONLY public.authorities
    ADD CONSTRAINT authorities_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT certificates_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT certificates_serial_key UNIQUE (tenant_id, authority_id, serial);
ALTER TABLE ONLY public.challenges
    ADD CONSTRAINT challenges_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.contact_changes
    ADD CONSTRAINT contact_changes_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.counters
    ADD CONSTRAINT counters_pkey PRIMARY KEY (tenant_id, name);
ALTER TABLE ONLY public.crls
    ADD CONSTRAINT crls_pkey PRIMARY KEY (authority_id, number);
ALTER TABLE ONLY public.desk_warnings
    ADD CONSTRAINT desk_warnings_pkey PRIMARY KEY (tenant_id, order_id, stage, since);
ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_blob_key UNIQUE (tenant_id, blob_key);
ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_number_key UNIQUE (tenant_id, number);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.issuance_intents
    ADD CONSTRAINT issuance_intents_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.issuance_intents
    ADD CONSTRAINT issuance_intents_serial_key UNIQUE (tenant_id, authority_id, serial);
ALTER TABLE ONLY public.job_runs
    ADD CONSTRAINT job_runs_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.letters
    ADD CONSTRAINT letters_number_key UNIQUE (tenant_id, number);
ALTER TABLE ONLY public.letters
    ADD CONSTRAINT letters_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_event_key UNIQUE (tenant_id, outbox_id, channel);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.order_items
    ADD CONSTRAINT order_items_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.order_items
    ADD CONSTRAINT order_items_seq_key UNIQUE (tenant_id, order_id, seq);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_number_key UNIQUE (tenant_id, number);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.payment_events
    ADD CONSTRAINT payment_events_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_out_trade_no_key UNIQUE (tenant_id, channel, out_trade_no);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_trade_no_key UNIQUE (tenant_id, channel, trade_no);
ALTER TABLE ONLY public.rate_counters
    ADD CONSTRAINT rate_counters_pkey PRIMARY KEY (scope, key, window_start);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_out_refund_no_key UNIQUE (tenant_id, out_refund_no);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_payment_key UNIQUE (tenant_id, payment_id);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.reminder_links
    ADD CONSTRAINT reminder_links_pkey PRIMARY KEY (tenant_id, token_hash);
ALTER TABLE ONLY public.reminder_mutes
    ADD CONSTRAINT reminder_mutes_pkey PRIMARY KEY (tenant_id, certificate_id);
ALTER TABLE ONLY public.reminder_notices
    ADD CONSTRAINT reminder_notices_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.reminder_progress
    ADD CONSTRAINT reminder_progress_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY public.reminder_tasks
    ADD CONSTRAINT reminder_tasks_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.reminders
    ADD CONSTRAINT reminders_pkey PRIMARY KEY (tenant_id, certificate_id, offset_days, channel);
ALTER TABLE ONLY public.renewals
    ADD CONSTRAINT renewals_order_key UNIQUE (tenant_id, order_id);
ALTER TABLE ONLY public.renewals
    ADD CONSTRAINT renewals_pkey PRIMARY KEY (tenant_id, certificate_id);
ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_round_key UNIQUE (tenant_id, order_id, round);
ALTER TABLE ONLY public.roster_contacts
    ADD CONSTRAINT roster_contacts_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (tenant_id, id_hash);
ALTER TABLE ONLY public.shipments
    ADD CONSTRAINT shipments_order_key UNIQUE (tenant_id, order_id, direction, purpose);
ALTER TABLE ONLY public.shipments
    ADD CONSTRAINT shipments_pkey PRIMARY KEY (tenant_id, id);
ALTER TABLE ONLY public.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_login_key UNIQUE (login);
ALTER TABLE ONLY public.staff
    ADD CONSTRAINT staff_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.staff_sessions
    ADD CONSTRAINT staff_sessions_pkey PRIMARY KEY (id_hash);
ALTER TABLE ONLY public.tenant_keys
    ADD CONSTRAINT tenant_keys_pkey PRIMARY KEY (tenant_id);
ALTER TABLE ONLY public.tenant_releases
    ADD CONSTRAINT tenant_releases_pkey PRIMARY KEY (tenant_id, number);
ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tenants
    ADD CONSTRAINT tenants_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.upload_tickets
    ADD CONSTRAINT upload_tickets_pkey PRIMARY KEY (tenant_id, token_hash);
ALTER TABLE ONLY public.vouchers
    ADD CONSTRAINT vouchers_bank_txn_key UNIQUE (tenant_id, bank_txn_id);
ALTER TABLE ONLY public.vouchers
    ADD CONSTRAINT vouchers_pkey PRIMARY KEY (tenant_id, id);
CREATE INDEX audit_entries_resource_idx ON public.audit_entries USING btree (tenant_id, resource, at);
CREATE INDEX audit_entries_xid_idx ON public.audit_entries USING btree (xid);
CREATE UNIQUE INDEX authorities_kind_key ON public.authorities USING btree (kind, algorithm);
CREATE INDEX certificates_authority_idx ON public.certificates USING btree (authority_id) WHERE (revoked_at IS NOT NULL);
CREATE INDEX certificates_expiry_idx ON public.certificates USING btree (not_after) WHERE (state = 'active'::text);
CREATE INDEX certificates_installed_idx ON public.certificates USING btree (installed_at) WHERE (state = 'active'::text);
CREATE UNIQUE INDEX certificates_live_key ON public.certificates USING btree (tenant_id, item_id) WHERE ((item_id IS NOT NULL) AND (state = ANY (ARRAY['issued'::text, 'active'::text])));
CREATE INDEX certificates_org_idx ON public.certificates USING btree (tenant_id, org_index);
CREATE INDEX certificates_revoked_idx ON public.certificates USING btree (revoked_at) WHERE (revoked_at IS NOT NULL);
CREATE INDEX certificates_spki_idx ON public.certificates USING btree (tenant_id, spki_sha256);
CREATE INDEX certificates_status_idx ON public.certificates USING btree (authority_id, serial) WHERE (authority_id IS NOT NULL);
CREATE INDEX challenges_mobile_idx ON public.challenges USING btree (tenant_id, mobile_index, sent_at DESC);
CREATE INDEX contact_changes_certificate_idx ON public.contact_changes USING btree (tenant_id, certificate_id);
CREATE UNIQUE INDEX contact_changes_open_key ON public.contact_changes USING btree (tenant_id, certificate_id) WHERE (state = ANY (ARRAY['waiting'::text, 'approved'::text]));
CREATE UNIQUE INDEX contact_changes_token_key ON public.contact_changes USING btree (tenant_id, token_hash) WHERE (token_hash IS NOT NULL);
CREATE INDEX desk_warnings_open_idx ON public.desk_warnings USING btree (stage) WHERE (ended_at IS NULL);
CREATE INDEX files_order_idx ON public.files USING btree (tenant_id, order_id, field);
CREATE INDEX files_same_idx ON public.files USING btree (tenant_id, sha256);
CREATE UNIQUE INDEX invoices_live_key ON public.invoices USING btree (tenant_id, order_id) WHERE (state <> 'withdrawn'::text);
CREATE INDEX invoices_requested_idx ON public.invoices USING btree (requested_at) WHERE (state = 'requested'::text);
CREATE INDEX issuance_intents_abandoned_idx ON public.issuance_intents USING btree (authority_id) WHERE (state = 'abandoned'::text);
CREATE UNIQUE INDEX issuance_intents_open_key ON public.issuance_intents USING btree (tenant_id, item_id) WHERE (state = 'prepared'::text);
CREATE UNIQUE INDEX letters_current_key ON public.letters USING btree (tenant_id, order_id) WHERE (voided_at IS NULL);
CREATE INDEX letters_order_idx ON public.letters USING btree (tenant_id, order_id, created_at DESC);
CREATE INDEX messages_order_idx ON public.messages USING btree (tenant_id, order_id);
CREATE INDEX order_events_order_idx ON public.order_events USING btree (tenant_id, order_id, at);
CREATE INDEX order_items_old_idx ON public.order_items USING btree (tenant_id, old_certificate_id) WHERE (old_certificate_id IS NOT NULL);
CREATE UNIQUE INDEX order_items_token_key ON public.order_items USING btree (tenant_id, token_serial, order_id) WHERE (token_serial IS NOT NULL);
CREATE INDEX orders_account_idx ON public.orders USING btree (tenant_id, account_id, created_at DESC);
CREATE INDEX orders_code_idx ON public.orders USING btree (tenant_id, code_index);
CREATE INDEX orders_forget_idx ON public.orders USING btree (closed_at) WHERE ((submitted_at IS NULL) AND (forgotten_at IS NULL) AND (closed_at IS NOT NULL));
CREATE INDEX orders_lapse_idx ON public.orders USING btree (lapses_at) WHERE (state = ANY (ARRAY['draft'::public.order_state, 'awaiting_payment'::public.order_state]));
CREATE INDEX orders_mobile_idx ON public.orders USING btree (tenant_id, mobile_index);
CREATE INDEX orders_old_closed_idx ON public.orders USING btree (closed_at) WHERE (old_certificate_id IS NOT NULL);
CREATE INDEX orders_old_idx ON public.orders USING btree (tenant_id, old_certificate_id) WHERE (old_certificate_id IS NOT NULL);
CREATE INDEX orders_old_submitted_idx ON public.orders USING btree (submitted_at) WHERE (old_certificate_id IS NOT NULL);
CREATE INDEX orders_org_idx ON public.orders USING btree (tenant_id, org_index);
CREATE INDEX orders_queue_idx ON public.orders USING btree (state, due_at);
CREATE INDEX orders_visitor_idx ON public.orders USING btree (tenant_id, visitor_hash) WHERE (visitor_hash IS NOT NULL);
CREATE INDEX outbox_due_idx ON public.outbox USING btree (due_at) WHERE ((done_at IS NULL) AND (dead_at IS NULL));
CREATE INDEX payment_events_event_idx ON public.payment_events USING btree (tenant_id, channel, event_id);
CREATE INDEX payments_poll_idx ON public.payments USING btree (next_poll_at) WHERE (next_poll_at IS NOT NULL);
CREATE UNIQUE INDEX payments_settles_key ON public.payments USING btree (tenant_id, order_id) WHERE settles;
CREATE INDEX reminder_links_certificate_idx ON public.reminder_links USING btree (tenant_id, certificate_id);
CREATE INDEX reminder_mutes_set_idx ON public.reminder_mutes USING btree (set_at);
CREATE INDEX reminder_mutes_until_idx ON public.reminder_mutes USING btree (until);
CREATE UNIQUE INDEX reminder_notices_day_key ON public.reminder_notices USING btree (tenant_id, person, channel, day) WHERE (state <> 'dropped'::text);
CREATE INDEX reminder_notices_due_idx ON public.reminder_notices USING btree (due_at) WHERE (state = 'pending'::text);
CREATE UNIQUE INDEX reminder_tasks_open_key ON public.reminder_tasks USING btree (tenant_id, certificate_id, kind) WHERE (done_at IS NULL);
CREATE INDEX reminders_notice_idx ON public.reminders USING btree (tenant_id, notice_id) WHERE (notice_id IS NOT NULL);
CREATE INDEX reminders_superseded_idx ON public.reminders USING btree (superseded_on) WHERE (state = 'pending'::text);
CREATE INDEX reminders_waiting_idx ON public.reminders USING btree (tenant_id, person, channel) WHERE ((state = 'pending'::text) AND (notice_id IS NULL));
CREATE INDEX renewals_open_idx ON public.renewals USING btree (not_after) WHERE (state = 'open'::text);
CREATE INDEX renewals_wanted_idx ON public.renewals USING btree (due_at) WHERE (state = 'wanted'::text);
CREATE INDEX roster_contacts_code_idx ON public.roster_contacts USING btree (tenant_id, code_index) WHERE (removed_at IS NULL);
CREATE INDEX shipments_waybill_idx ON public.shipments USING btree (tenant_id, carrier, waybill);
CREATE INDEX tenant_releases_index_idx ON public.tenant_releases USING gin (((definition -> 'index'::text)));
CREATE INDEX upload_tickets_order_idx ON public.upload_tickets USING btree (tenant_id, order_id, field, created_at DESC);
ALTER TABLE ONLY public.audit_seals
    ADD CONSTRAINT audit_seals_entry_fkey FOREIGN KEY (tenant_id, entry_id) REFERENCES public.audit_entries(tenant_id, id);
ALTER TABLE ONLY public.authorities
    ADD CONSTRAINT authorities_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES public.authorities(id);
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT certificates_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES public.accounts(tenant_id, id);
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT certificates_intent_fkey FOREIGN KEY (tenant_id, intent_id) REFERENCES public.issuance_intents(tenant_id, id);
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT certificates_item_fkey FOREIGN KEY (tenant_id, item_id) REFERENCES public.order_items(tenant_id, id);
ALTER TABLE ONLY public.certificates
    ADD CONSTRAINT certificates_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.contact_changes
    ADD CONSTRAINT contact_changes_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES public.certificates(tenant_id, id);
ALTER TABLE ONLY public.crls
    ADD CONSTRAINT crls_authority_id_fkey FOREIGN KEY (authority_id) REFERENCES public.authorities(id);
ALTER TABLE ONLY public.desk_warnings
    ADD CONSTRAINT desk_warnings_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_file_fkey FOREIGN KEY (tenant_id, file_id) REFERENCES public.files(tenant_id, id);
ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.issuance_intents
    ADD CONSTRAINT issuance_intents_item_fkey FOREIGN KEY (tenant_id, item_id) REFERENCES public.order_items(tenant_id, id);
ALTER TABLE ONLY public.letters
    ADD CONSTRAINT letters_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.letters
    ADD CONSTRAINT letters_scan_fkey FOREIGN KEY (tenant_id, scan_file_id) REFERENCES public.files(tenant_id, id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.order_events
    ADD CONSTRAINT order_events_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.order_items
    ADD CONSTRAINT order_items_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES public.accounts(tenant_id, id);
ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_release_fkey FOREIGN KEY (tenant_id, release) REFERENCES public.tenant_releases(tenant_id, number);
ALTER TABLE ONLY public.payment_events
    ADD CONSTRAINT payment_events_payment_fkey FOREIGN KEY (tenant_id, payment_id) REFERENCES public.payments(tenant_id, id);
ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_payment_fkey FOREIGN KEY (tenant_id, payment_id) REFERENCES public.payments(tenant_id, id);
ALTER TABLE ONLY public.reminder_links
    ADD CONSTRAINT reminder_links_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES public.certificates(tenant_id, id);
ALTER TABLE ONLY public.reminder_mutes
    ADD CONSTRAINT reminder_mutes_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES public.certificates(tenant_id, id);
ALTER TABLE ONLY public.reminder_tasks
    ADD CONSTRAINT reminder_tasks_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES public.certificates(tenant_id, id);
ALTER TABLE ONLY public.reminders
    ADD CONSTRAINT reminders_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES public.certificates(tenant_id, id);
ALTER TABLE ONLY public.renewals
    ADD CONSTRAINT renewals_certificate_fkey FOREIGN KEY (tenant_id, certificate_id) REFERENCES public.certificates(tenant_id, id);
ALTER TABLE ONLY public.renewals
    ADD CONSTRAINT renewals_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT reviews_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES public.accounts(tenant_id, id);
ALTER TABLE ONLY public.shipments
    ADD CONSTRAINT shipments_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.staff_sessions
    ADD CONSTRAINT staff_sessions_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES public.staff(id);
ALTER TABLE ONLY public.tenant_releases
    ADD CONSTRAINT tenant_releases_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id);
ALTER TABLE ONLY public.upload_tickets
    ADD CONSTRAINT upload_tickets_file_fkey FOREIGN KEY (tenant_id, file_id) REFERENCES public.files(tenant_id, id);
ALTER TABLE ONLY public.upload_tickets
    ADD CONSTRAINT upload_tickets_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.vouchers
    ADD CONSTRAINT vouchers_file_fkey FOREIGN KEY (tenant_id, file_id) REFERENCES public.files(tenant_id, id);
ALTER TABLE ONLY public.vouchers
    ADD CONSTRAINT vouchers_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders(tenant_id, id);
ALTER TABLE ONLY public.vouchers
    ADD CONSTRAINT vouchers_payment_fkey FOREIGN KEY (tenant_id, payment_id) REFERENCES public.payments(tenant_id, id);
ALTER TABLE public.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.audit_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.audit_seals ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.certificates ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.challenges ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.contact_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.counters ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.desk_warnings ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.files ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invoices ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.issuance_intents ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.order_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.order_items ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payment_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.refunds ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.reminder_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.reminder_mutes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.reminder_notices ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.reminder_progress ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.reminder_tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.reminders ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.renewals ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.reviews ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.roster_contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.shipments ENABLE ROW LEVEL SECURITY;
CREATE POLICY system ON public.accounts TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.audit_entries TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.audit_seals TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.certificates TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.challenges TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.contact_changes TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.counters TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.desk_warnings TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.files TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.invoices TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.issuance_intents TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.letters TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.messages TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.order_events TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.order_items TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.orders TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.outbox TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.payment_events TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.payments TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.refunds TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.reminder_links TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.reminder_mutes TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.reminder_notices TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.reminder_progress TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.reminder_tasks TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.reminders TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.renewals TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.reviews TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.roster_contacts TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.sessions TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.shipments TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.tenant_keys TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.tenant_releases TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.upload_tickets TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY system ON public.vouchers TO certsaas_system, certsaas_ro USING (true) WITH CHECK (true);
CREATE POLICY tenant ON public.accounts TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.audit_entries TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.audit_seals TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.certificates TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.challenges TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.contact_changes TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.counters TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.desk_warnings TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.files TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.invoices TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.issuance_intents TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.letters TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.messages TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.order_events TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.order_items TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.orders TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.outbox TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.payment_events TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.payments TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.refunds TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.reminder_links TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.reminder_mutes TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.reminder_notices TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.reminder_progress TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.reminder_tasks TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.reminders TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.renewals TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.reviews TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.roster_contacts TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.sessions TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.shipments TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.tenant_keys TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.tenant_releases TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.upload_tickets TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
CREATE POLICY tenant ON public.vouchers TO certsaas_app USING ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid)) WITH CHECK ((tenant_id = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::uuid));
ALTER TABLE public.tenant_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.tenant_releases ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.upload_tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.vouchers ENABLE ROW LEVEL SECURITY;
GRANT USAGE ON SCHEMA public TO certsaas_app;
GRANT USAGE ON SCHEMA public TO certsaas_system;
GRANT USAGE ON SCHEMA public TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.accounts TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.accounts TO certsaas_system;
GRANT SELECT ON TABLE public.accounts TO certsaas_ro;
GRANT SELECT,INSERT ON TABLE public.audit_entries TO certsaas_app;
GRANT SELECT,INSERT ON TABLE public.audit_entries TO certsaas_system;
GRANT SELECT ON TABLE public.audit_entries TO certsaas_ro;
GRANT SELECT ON TABLE public.audit_seals TO certsaas_app;
GRANT SELECT,INSERT ON TABLE public.audit_seals TO certsaas_system;
GRANT SELECT ON TABLE public.audit_seals TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.authorities TO certsaas_system;
GRANT SELECT,INSERT,UPDATE ON TABLE public.certificates TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.certificates TO certsaas_system;
GRANT SELECT ON TABLE public.certificates TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.challenges TO certsaas_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.challenges TO certsaas_system;
GRANT SELECT ON TABLE public.challenges TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.contact_changes TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.contact_changes TO certsaas_system;
GRANT SELECT ON TABLE public.contact_changes TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.counters TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.counters TO certsaas_system;
GRANT SELECT ON TABLE public.counters TO certsaas_ro;
GRANT SELECT,INSERT ON TABLE public.crls TO certsaas_system;
GRANT SELECT,INSERT ON TABLE public.desk_warnings TO certsaas_app;
GRANT SELECT,UPDATE ON TABLE public.desk_warnings TO certsaas_system;
GRANT SELECT ON TABLE public.desk_warnings TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.files TO certsaas_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.files TO certsaas_system;
GRANT SELECT ON TABLE public.files TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.invoices TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.invoices TO certsaas_system;
GRANT SELECT ON TABLE public.invoices TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.issuance_intents TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.issuance_intents TO certsaas_system;
GRANT SELECT ON TABLE public.issuance_intents TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.job_runs TO certsaas_system;
GRANT SELECT ON TABLE public.job_runs TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.letters TO certsaas_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.letters TO certsaas_system;
GRANT SELECT ON TABLE public.letters TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.messages TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.messages TO certsaas_system;
GRANT SELECT ON TABLE public.messages TO certsaas_ro;
GRANT SELECT,INSERT ON TABLE public.order_events TO certsaas_app;
GRANT SELECT,INSERT ON TABLE public.order_events TO certsaas_system;
GRANT SELECT ON TABLE public.order_events TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.order_items TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.order_items TO certsaas_system;
GRANT SELECT ON TABLE public.order_items TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.orders TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.orders TO certsaas_system;
GRANT SELECT ON TABLE public.orders TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.outbox TO certsaas_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.outbox TO certsaas_system;
GRANT SELECT ON TABLE public.outbox TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.payment_events TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.payment_events TO certsaas_system;
GRANT SELECT ON TABLE public.payment_events TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.payments TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.payments TO certsaas_system;
GRANT SELECT ON TABLE public.payments TO certsaas_ro;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.rate_counters TO certsaas_system;
GRANT SELECT,INSERT,UPDATE ON TABLE public.refunds TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.refunds TO certsaas_system;
GRANT SELECT ON TABLE public.refunds TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reminder_links TO certsaas_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.reminder_links TO certsaas_system;
GRANT SELECT ON TABLE public.reminder_links TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reminder_mutes TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reminder_mutes TO certsaas_system;
GRANT SELECT ON TABLE public.reminder_mutes TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reminder_notices TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reminder_notices TO certsaas_system;
GRANT SELECT ON TABLE public.reminder_notices TO certsaas_ro;
GRANT SELECT ON TABLE public.reminder_progress TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reminder_progress TO certsaas_system;
GRANT SELECT ON TABLE public.reminder_progress TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reminder_tasks TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reminder_tasks TO certsaas_system;
GRANT SELECT ON TABLE public.reminder_tasks TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reminders TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.reminders TO certsaas_system;
GRANT SELECT ON TABLE public.reminders TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.renewals TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.renewals TO certsaas_system;
GRANT SELECT ON TABLE public.renewals TO certsaas_ro;
GRANT SELECT,INSERT ON TABLE public.reviews TO certsaas_app;
GRANT SELECT,INSERT ON TABLE public.reviews TO certsaas_system;
GRANT SELECT ON TABLE public.reviews TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.roster_contacts TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.roster_contacts TO certsaas_system;
GRANT SELECT ON TABLE public.roster_contacts TO certsaas_ro;
GRANT SELECT ON TABLE public.schema_migrations TO certsaas_app;
GRANT SELECT ON TABLE public.schema_migrations TO certsaas_system;
GRANT SELECT ON TABLE public.schema_migrations TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.sessions TO certsaas_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sessions TO certsaas_system;
GRANT SELECT ON TABLE public.sessions TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.shipments TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.shipments TO certsaas_system;
GRANT SELECT ON TABLE public.shipments TO certsaas_ro;
GRANT SELECT,INSERT ON TABLE public.signing_keys TO certsaas_system;
GRANT SELECT,INSERT,UPDATE ON TABLE public.staff TO certsaas_system;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.staff_sessions TO certsaas_system;
GRANT SELECT,INSERT ON TABLE public.tenant_keys TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.tenant_keys TO certsaas_system;
GRANT SELECT ON TABLE public.tenant_keys TO certsaas_ro;
GRANT SELECT ON TABLE public.tenant_releases TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.tenant_releases TO certsaas_system;
GRANT SELECT ON TABLE public.tenant_releases TO certsaas_ro;
GRANT SELECT ON TABLE public.tenants TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.tenants TO certsaas_system;
GRANT SELECT ON TABLE public.tenants TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.upload_tickets TO certsaas_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.upload_tickets TO certsaas_system;
GRANT SELECT ON TABLE public.upload_tickets TO certsaas_ro;
GRANT SELECT,INSERT,UPDATE ON TABLE public.vouchers TO certsaas_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.vouchers TO certsaas_system;
GRANT SELECT ON TABLE public.vouchers TO certsaas_ro;
