BEGIN;
DROP INDEX certificates_installed_idx, certificates_revoked_idx, orders_old_idx, orders_old_submitted_idx, orders_old_closed_idx, order_items_old_idx;
DROP TABLE reminder_progress, reminder_tasks, reminder_mutes, reminder_links, renewals, reminder_notices, reminders;
COMMIT;
