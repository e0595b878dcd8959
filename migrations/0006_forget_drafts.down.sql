BEGIN;
REVOKE DELETE ON files, letters FROM certsaas_system;
DROP INDEX orders_forget_idx;
ALTER TABLE orders DROP COLUMN forgotten_at;
COMMIT;
