BEGIN;
DROP TABLE roster_contacts;
COMMIT;
