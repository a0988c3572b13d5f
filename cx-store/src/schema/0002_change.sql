-- Schema version 2: the change feed, claims of revisions that are shown no longer, erasure.

-- What became of customers, in the order in which it did. Appended, never rewritten.
CREATE TABLE change(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL,
  a BLOB, b BLOB, n INTEGER NOT NULL, cause TEXT NOT NULL, cause_id BLOB, via TEXT NOT NULL) STRICT;

-- What revisions claim that are shown no longer: by it the past is found.
CREATE TABLE past_claim(
  identifier_id INTEGER NOT NULL, event_seq INTEGER NOT NULL,
  PRIMARY KEY(identifier_id, event_seq)) STRICT, WITHOUT ROWID;
CREATE INDEX past_claim_of ON past_claim(event_seq);

-- The keys of the events that assertions name.
CREATE TABLE named(oid BLOB PRIMARY KEY, event_key TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- What may not come back after an erasure, by keyed hashes: records by their keys, and whatever
-- happened to the holder of an identifier until then.
CREATE TABLE suppressed(hash BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE erasure(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, mode TEXT NOT NULL, cid BLOB NOT NULL,
  events INTEGER NOT NULL, compacted_at INTEGER) STRICT;
