-- Schema version 8: payloads may be compressed; the timeline does without the keys of its events.

-- The payload compressed, as told in docs/file-format.md; `payload` is empty then.
ALTER TABLE event ADD COLUMN packed BLOB;

-- What an event means changes with its sum. Whether it is compressed changes nothing.
DROP TRIGGER event_rewritten;
CREATE TRIGGER event_rewritten AFTER UPDATE OF sum ON event BEGIN
  INSERT OR REPLACE INTO meta(k, v) VALUES('rewritten', randomblob(8));
END;

DROP INDEX event_timeline;
CREATE INDEX event_timeline ON event(bundle_id, ts, src_seq) WHERE standing = 0;

DROP VIEW event_text;
CREATE VIEW event_text(seq, text, subject) AS
  SELECT seq, json_extract(whole, '$.body.text'),
         coalesce(json_extract(whole, '$.conversation.subject'), json_extract(whole, '$.data.subject'))
  FROM (SELECT seq, iif(packed IS NULL, payload, cx_unpack(packed)) AS whole FROM event);
