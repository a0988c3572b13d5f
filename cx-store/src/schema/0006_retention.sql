-- Schema version 6: retention, and ids that name another record than the one they came from.

-- Each run: the rules it put in force, and what it took out. The rules of the last one are in force.
CREATE TABLE retention(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, rules TEXT NOT NULL, events INTEGER NOT NULL,
  revisions INTEGER NOT NULL, customers INTEGER NOT NULL, compacted_at INTEGER) STRICT;

-- Derived from `issued`: by the record that an id means now, since the one it came from is gone.
CREATE TABLE heir(oid BLOB NOT NULL, cid BLOB NOT NULL, PRIMARY KEY(oid, cid)) STRICT, WITHOUT ROWID;

-- Whether a conversation is still told of by anything, in whatever revision.
CREATE INDEX event_conversation_past ON event(conversation_id)
  WHERE standing <> 0 AND conversation_id IS NOT NULL;
