-- Schema version 7: marks by which answers in memory are known to hold, and whose turn it is.

-- What an event's number stands for has changed: what was read under it is to be forgotten. Every
-- write leaves another mark of its own, 'written'.
CREATE TRIGGER event_rewritten AFTER UPDATE OF payload ON event BEGIN
  INSERT OR REPLACE INTO meta(k, v) VALUES('rewritten', randomblob(8));
END;
CREATE TRIGGER event_taken_out AFTER DELETE ON event BEGIN
  INSERT OR REPLACE INTO meta(k, v) VALUES('rewritten', randomblob(8));
END;

-- In which order open conversations come: those that wait for us first, then by when they are due
-- or have waited since.
ALTER TABLE open_conversation ADD COLUMN theirs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE open_conversation ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX open_turn ON open_conversation(theirs, at);
