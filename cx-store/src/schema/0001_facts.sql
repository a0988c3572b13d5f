-- Schema version 1. What each table is for, and which are facts and which are derived, is told in
-- docs/file-format.md.

CREATE TABLE meta(k TEXT PRIMARY KEY, v BLOB NOT NULL) STRICT, WITHOUT ROWID;

-- Small numbers for names that stand in every row: 1 source, 2 channel, 3 kind, 4 namespace.
CREATE TABLE dict(
  id INTEGER PRIMARY KEY, class INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE(class, name)) STRICT;

CREATE TABLE batch(
  id INTEGER PRIMARY KEY, recorded_at INTEGER NOT NULL, adapter TEXT NOT NULL,
  adapter_version TEXT NOT NULL) STRICT;

-- Facts: what happened. Appended, never rewritten; only `standing` says which revision counts.
CREATE TABLE event(
  seq INTEGER PRIMARY KEY, bundle_id INTEGER NOT NULL, ts INTEGER NOT NULL, src_seq INTEGER,
  key TEXT NOT NULL, source INTEGER NOT NULL, channel INTEGER NOT NULL, kind INTEGER NOT NULL,
  direction INTEGER NOT NULL, visibility INTEGER NOT NULL, conversation_id INTEGER,
  batch INTEGER NOT NULL, rev TEXT, hash BLOB NOT NULL, standing INTEGER NOT NULL,
  codec INTEGER NOT NULL, payload TEXT NOT NULL) STRICT;
CREATE INDEX event_timeline ON event(bundle_id, ts, src_seq, key) WHERE standing = 0;
CREATE INDEX event_key ON event(key);
CREATE INDEX event_conversation ON event(conversation_id, ts)
  WHERE standing = 0 AND conversation_id IS NOT NULL;

-- Facts: what people said about who is who.
CREATE TABLE assertion(
  aid BLOB PRIMARY KEY, kind TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, said_by TEXT NOT NULL,
  reason TEXT, said_at INTEGER NOT NULL, recorded_at INTEGER NOT NULL) STRICT;

-- Every customer id that was ever given out, with the observation it names.
CREATE TABLE issued(cid BLOB PRIMARY KEY, oid BLOB NOT NULL, event_key TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Derived: identifiers, bundles, and who carries what.
CREATE TABLE identifier(
  id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, ns INTEGER NOT NULL, scope TEXT NOT NULL,
  key TEXT NOT NULL, linkable INTEGER NOT NULL, hub INTEGER NOT NULL DEFAULT 0,
  contested INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE bundle(
  id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, name_key TEXT, name TEXT,
  first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, n INTEGER NOT NULL,
  anchor_recorded INTEGER NOT NULL, anchor_oid BLOB NOT NULL, anchor_key TEXT NOT NULL,
  registered INTEGER NOT NULL DEFAULT 0, nobody INTEGER NOT NULL DEFAULT 0,
  resolved_first_seen INTEGER, resolved_anchor BLOB) STRICT;
CREATE TABLE bundle_claim(
  bundle_id INTEGER NOT NULL, identifier_id INTEGER NOT NULL, assurance INTEGER NOT NULL,
  caveat INTEGER NOT NULL, links INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(bundle_id, identifier_id)) STRICT, WITHOUT ROWID;
CREATE INDEX claim_of ON bundle_claim(identifier_id, bundle_id);
CREATE TABLE bundle_bridge(
  identifier_id INTEGER NOT NULL, bundle_id INTEGER NOT NULL, first_seen INTEGER NOT NULL,
  n INTEGER NOT NULL, PRIMARY KEY(identifier_id, bundle_id)) STRICT, WITHOUT ROWID;
CREATE INDEX bridge_of ON bundle_bridge(bundle_id, identifier_id);
CREATE TABLE seen_with(
  identifier_id INTEGER NOT NULL, what TEXT NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY(identifier_id, what)) STRICT, WITHOUT ROWID;

-- Derived: customers.
CREATE TABLE customer(
  id INTEGER PRIMARY KEY, cid BLOB NOT NULL UNIQUE, anchor_recorded INTEGER NOT NULL,
  anchor_oid BLOB NOT NULL) STRICT;
CREATE TABLE member(bundle_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL) STRICT;
CREATE INDEX member_of ON member(customer_id, bundle_id);
-- Single events that hang on another bundle than the one they arrived under.
CREATE TABLE attribution(
  event_seq INTEGER PRIMARY KEY, bundle_id INTEGER NOT NULL, home_id INTEGER NOT NULL,
  by_time INTEGER NOT NULL) STRICT;
CREATE INDEX attribution_of ON attribution(bundle_id);
CREATE INDEX attribution_home ON attribution(home_id);

-- Derived: conversations and what is open in them.
CREATE TABLE conversation(
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, canonical_id INTEGER NOT NULL) STRICT;
CREATE INDEX conversation_canonical ON conversation(canonical_id);
CREATE TABLE conversation_alias(
  alias_id INTEGER NOT NULL, of_id INTEGER NOT NULL, PRIMARY KEY(alias_id, of_id)) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_alias_of ON conversation_alias(of_id, alias_id);
CREATE TABLE open_conversation(
  conversation_id INTEGER PRIMARY KEY, waiting_since INTEGER, due_at INTEGER) STRICT;

-- Derived: counts.
CREATE TABLE bundle_stat(
  bundle_id INTEGER NOT NULL, channel INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY(bundle_id, channel)) STRICT, WITHOUT ROWID;
CREATE TABLE source_stat(
  source INTEGER PRIMARY KEY, last_event INTEGER NOT NULL, last_import INTEGER NOT NULL,
  n INTEGER NOT NULL) STRICT;

-- Full text over what was written, caught up behind ingest.
CREATE VIEW event_text(seq, text, subject) AS
  SELECT seq, json_extract(payload, '$.body.text'),
         coalesce(json_extract(payload, '$.conversation.subject'), json_extract(payload, '$.data.subject'))
  FROM event;
CREATE VIRTUAL TABLE event_fts USING fts5(
  text, subject, content='event_text', content_rowid='seq', tokenize="unicode61 remove_diacritics 2");
INSERT INTO event_fts(event_fts, rank) VALUES('secure-delete', 1);
