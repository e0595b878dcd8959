BEGIN;
DROP INDEX invoices_requested_idx;
DROP TABLE desk_warnings;
COMMIT;
