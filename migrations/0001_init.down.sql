BEGIN;
DROP TABLE audit_seals, audit_entries, job_runs, outbox, messages, invoices, shipments, crls, certificates, issuance_intents,
    authorities, signing_keys, reviews, refunds, vouchers, payment_events, payments, letters, upload_tickets, files, order_items, order_events,
    orders, staff_sessions, staff, rate_counters, challenges, sessions, accounts, counters, tenant_keys, tenant_releases, tenants;
DROP TYPE order_state;
REVOKE USAGE ON SCHEMA public FROM certsaas_app, certsaas_system, certsaas_ro;
COMMIT;
