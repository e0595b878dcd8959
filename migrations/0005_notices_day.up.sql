-- A message that came to nothing does not stand for the day's message.
BEGIN;

ALTER TABLE reminder_notices DROP CONSTRAINT reminder_notices_day_key;
CREATE UNIQUE INDEX reminder_notices_day_key ON reminder_notices (tenant_id, person, channel, day) WHERE state <> 'dropped';

COMMIT;
