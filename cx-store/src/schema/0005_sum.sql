-- Schema version 5: a sum over everything in an event's row that nothing else can be compared with.

-- Empty in rows of earlier versions.
ALTER TABLE event ADD COLUMN sum INTEGER;
