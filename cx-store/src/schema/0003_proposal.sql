-- Schema version 3: what a model takes for one person, for people to decide.

-- Pairs of observations that name two customers, with their weight in thousandths of a bit and how
-- it adds up. Written anew by each run of a model; not facts.
CREATE TABLE proposal(
  a BLOB NOT NULL, b BLOB NOT NULL, relation TEXT NOT NULL, weight INTEGER NOT NULL,
  told TEXT NOT NULL, PRIMARY KEY(a, b)) STRICT, WITHOUT ROWID;
CREATE INDEX proposal_b ON proposal(b, a);
CREATE INDEX bundle_anchor ON bundle(anchor_oid);
