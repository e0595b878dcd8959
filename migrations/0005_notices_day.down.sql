BEGIN;

DROP INDEX reminder_notices_day_key;
ALTER TABLE reminder_notices NO FORCE ROW LEVEL SECURITY;
DELETE FROM reminder_notices n USING reminder_notices other
    WHERE n.state = 'dropped' AND (other.tenant_id, other.person, other.channel, other.day) = (n.tenant_id, n.person, n.channel, n.day)
        AND other.id <> n.id AND (other.state <> 'dropped' OR other.id > n.id);
ALTER TABLE reminder_notices FORCE ROW LEVEL SECURITY;
ALTER TABLE reminder_notices ADD CONSTRAINT reminder_notices_day_key UNIQUE (tenant_id, person, channel, day);

COMMIT;
