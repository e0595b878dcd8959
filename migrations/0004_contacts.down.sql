BEGIN;
ALTER TABLE certificates DROP COLUMN contact_at;
DROP TABLE contact_changes, roster_contacts;
COMMIT;
