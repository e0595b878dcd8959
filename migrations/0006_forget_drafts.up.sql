-- Drafts that nobody handed in lose what was typed and uploaded a month after they ended.
BEGIN;

ALTER TABLE orders ADD COLUMN forgotten_at timestamptz;
CREATE INDEX orders_forget_idx ON orders (closed_at) WHERE submitted_at IS NULL AND forgotten_at IS NULL AND closed_at IS NOT NULL;
GRANT DELETE ON files, letters TO certsaas_system;

COMMIT;
