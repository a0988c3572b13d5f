//! What takes back what another record says, and so has to stay as long as that does: without its
//! unsubscription a consent would hold again, and without its redaction a text would be there again.

use std::collections::{BTreeSet, HashMap};

use cx_core::event::{Event, Kind};
use cx_core::ids::ObservationId;
use rusqlite::{Connection, OptionalExtension};

use crate::codec;
use crate::derived::Settings;
use crate::error::StoreError;
use crate::expiry::Limits;

/// Records that take something back, and what.
struct TakingBack {
    by: &'static [&'static str],
    among: Among,
    /// Kinds of records that happened before; where there are none, whatever there is, before or
    /// after: a conversation stays as it was left.
    what: &'static [&'static str],
}

/// Among which records that is that they take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Among {
    /// Those of the same conversation.
    Conversation,
    /// Those of the same customer.
    Customer,
}

const CONSENTS: &[&str] =
    &["consent.changed", "mail.unsubscribed", "mail.resubscribed", "mail.complained"];

/// Edits, redactions and deletions are not here: they name what they take back.
const TAKING_BACK: &[TakingBack] = &[
    TakingBack { by: CONSENTS, among: Among::Customer, what: CONSENTS },
    TakingBack {
        by: &[
            "conversation.status",
            "conversation.merged",
            "conversation.spam",
            "conversation.deleted",
            "conversation.restored",
        ],
        among: Among::Conversation,
        what: &[],
    },
    TakingBack { by: &["callback.done"], among: Among::Conversation, what: &["callback.promised"] },
    TakingBack {
        by: &["sla.met", "sla.breached"],
        among: Among::Conversation,
        what: &["sla.applied", "sla.warned"],
    },
    TakingBack {
        by: &["order.cancelled", "order.refunded"],
        among: Among::Customer,
        what: &["order.placed", "order.updated", "order.paid", "order.fulfilled"],
    },
    TakingBack {
        by: &["incident.resolved"],
        among: Among::Customer,
        what: &["incident.opened", "incident.affects"],
    },
    TakingBack { by: &["feedback.closed"], among: Among::Customer, what: &["feedback.answered"] },
];

/// The kinds that take back what one message says, which they name.
const CORRECTIONS: &[&str] = &["message.edited", "message.redacted", "message.deleted"];

/// What a conversation is made of.
const TALK: &[&str] = &["message", "note", "call", "voicemail", "meeting"];

/// So many corrections of corrections are followed.
const DEPTH: usize = 16;

/// Where a record is looked for that is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place {
    /// A conversation, under all its keys.
    Conversation(i64),
    Customer(i64),
    /// What belongs to nobody.
    Bundle(i64),
}

/// A record as it is shown.
struct Shown {
    seq: i64,
    key: String,
    kind: i64,
    channel: i64,
    ts: i64,
}

/// Tells which records that are over take back something that stays.
///
/// Something stays for its own sake if it is not over, or is named by what people said, or has a
/// revision that is not over. What is kept by this very rule keeps nothing else: whatever takes it
/// back takes back what it takes back, too.
pub(crate) struct Keeping<'a> {
    connection: &'a Connection,
    settings: &'a Settings,
    /// When the first record of these kinds happened in a place that stays for its own sake.
    first: HashMap<(Place, &'static [&'static str]), Option<i64>>,
}

impl<'a> Keeping<'a> {
    pub(crate) fn new(connection: &'a Connection, settings: &'a Settings) -> Self {
        Self { connection, settings, first: HashMap::new() }
    }

    /// Whether the record in this row, which is over, takes back something that stays.
    pub(crate) fn keeps(
        &mut self,
        limits: &mut Limits<'_>,
        row: i64,
        kind: i64,
        ts: i64,
    ) -> Result<bool, StoreError> {
        if CORRECTIONS.contains(&limits.name(kind)) {
            return self.keeps_correction(limits, row);
        }
        let name = limits.name(kind);
        let Some(rule) = TAKING_BACK.iter().find(|rule| rule.by.contains(&name)) else {
            return Ok(false);
        };
        let Some(place) = self.place(row, rule.among)? else { return Ok(false) };
        self.is_there(limits, place, rule.what, ts)
    }

    /// Whether a record that is over, and not here, takes back something that is here and stays, or
    /// that may still come and would stay: such a one goes with the next retention where it did not.
    pub(crate) fn lets_in(
        &mut self,
        limits: &mut Limits<'_>,
        event: &Event,
    ) -> Result<bool, StoreError> {
        let (name, ts) = (event.kind.name(), event.occurred_at.as_micros());
        if let Some(target) = corrected(&event.kind)
            && let Some(shown) = self.shown(target)?
        {
            let is_kept = self.stays(limits, &shown)?;
            if is_kept || !CORRECTIONS.contains(&limits.name(shown.kind)) {
                return Ok(is_kept);
            }
            if self.keeps_correction(limits, shown.seq)? {
                return Ok(true);
            }
        }
        let rule = TAKING_BACK.iter().find(|rule| rule.by.contains(&&*name));
        let (amongs, what, before): (&[Among], &'static [&'static str], i64) = match rule {
            Some(rule) => (std::slice::from_ref(&rule.among), rule.what, ts),
            None if CORRECTIONS.contains(&&*name) => {
                (&[Among::Conversation, Among::Customer], &["message"], i64::MAX)
            }
            None => return Ok(false),
        };
        let channel = amongs.contains(&Among::Conversation).then(|| event.channel.name());
        let kinds = if what.is_empty() { TALK } else { what };
        if limits.leave_any(kinds, channel.as_deref(), ts) {
            return Ok(true);
        }
        for among in amongs {
            for place in self.places(event, *among)? {
                if self.is_there(limits, place, what, before)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Where that is which a record takes back that is not here.
    fn places(&self, event: &Event, among: Among) -> Result<BTreeSet<Place>, StoreError> {
        let mut places = BTreeSet::new();
        if among == Among::Conversation {
            let mut known = self
                .connection
                .prepare_cached("SELECT canonical_id FROM conversation WHERE key = ?1")?;
            let talk = event.conversation.iter();
            for key in talk.flat_map(|talk| std::iter::once(&talk.key).chain(&talk.aliases)) {
                let known = known.query_row([key.as_str()], |row| row.get(0)).optional()?;
                places.extend(known.map(Place::Conversation));
            }
            return Ok(places);
        }
        let mut holders = self.connection.prepare_cached(
            "SELECT m.customer_id, c.bundle_id FROM identifier i
               JOIN bundle_claim c ON c.identifier_id = i.id
               LEFT JOIN member m ON m.bundle_id = c.bundle_id
             WHERE i.hash = ?1 AND i.hub = 0",
        )?;
        for claim in event.person_claims() {
            let hash = codec::identifier_hash(claim.identifier());
            let mut holders = holders.query([&hash[..]])?;
            while let Some(row) = holders.next()? {
                let customer: Option<i64> = row.get(0)?;
                places.insert(match customer {
                    Some(customer) => Place::Customer(customer),
                    None => Place::Bundle(row.get(1)?),
                });
            }
        }
        Ok(places)
    }

    /// Whether the message stays that is corrected in this row. One that is named by the id that
    /// its channel gave it is not looked for: any message may be the one, whatever the clocks say.
    fn keeps_correction(&mut self, limits: &mut Limits<'_>, row: i64) -> Result<bool, StoreError> {
        let mut corrects = row;
        for _ in 0..DEPTH {
            let Some(target) = self.target(corrects)? else { return Ok(false) };
            let Some(shown) = self.shown(&target)? else { break };
            if self.stays(limits, &shown)? {
                return Ok(true);
            }
            if !CORRECTIONS.contains(&limits.name(shown.kind)) {
                return Ok(false);
            }
            corrects = shown.seq;
        }
        for among in [Among::Conversation, Among::Customer] {
            if let Some(place) = self.place(row, among)?
                && self.is_there(limits, place, &["message"], i64::MAX)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_there(
        &mut self,
        limits: &mut Limits<'_>,
        place: Place,
        what: &'static [&'static str],
        ts: i64,
    ) -> Result<bool, StoreError> {
        let first = if let Some(known) = self.first.get(&(place, what)) {
            *known
        } else {
            let first = self.first(limits, place, what)?;
            self.first.insert((place, what), first);
            first
        };
        Ok(first.is_some_and(|first| what.is_empty() || first <= ts))
    }

    fn first(
        &self,
        limits: &mut Limits<'_>,
        place: Place,
        what: &[&str],
    ) -> Result<Option<i64>, StoreError> {
        let (from, id) = match place {
            Place::Conversation(id) => (
                "SELECT e.seq, e.key, e.kind, e.channel, e.ts
                 FROM conversation c JOIN event e ON e.conversation_id = c.id
                 WHERE c.canonical_id = ?1 AND e.standing = 0",
                id,
            ),
            Place::Customer(id) => (
                "SELECT e.seq, e.key, e.kind, e.channel, e.ts
                 FROM member m JOIN event e ON e.bundle_id = m.bundle_id
                 WHERE m.customer_id = ?1 AND e.standing = 0
                   AND NOT EXISTS(SELECT 1 FROM attribution a WHERE a.event_seq = e.seq)
                 UNION ALL SELECT e.seq, e.key, e.kind, e.channel, e.ts
                 FROM member m JOIN attribution a ON a.bundle_id = m.bundle_id
                   JOIN event e ON e.seq = a.event_seq
                 WHERE m.customer_id = ?1 AND e.standing = 0",
                id,
            ),
            Place::Bundle(id) => (
                "SELECT e.seq, e.key, e.kind, e.channel, e.ts FROM event e
                 WHERE e.bundle_id = ?1 AND e.standing = 0",
                id,
            ),
        };
        let mut rows = self.connection.prepare_cached(from)?;
        let mut rows = rows.query([id])?;
        let mut first: Option<i64> = None;
        while let Some(row) = rows.next()? {
            let (kind, ts) = (row.get(2)?, row.get(4)?);
            if !(what.is_empty() || what.contains(&limits.name(kind)))
                || first.is_some_and(|first| first <= ts)
            {
                continue;
            }
            let shown =
                Shown { seq: row.get(0)?, key: row.get(1)?, kind, channel: row.get(3)?, ts };
            if self.stays(limits, &shown)? {
                first = Some(ts);
            }
        }
        Ok(first)
    }

    /// Whether a record stays for its own sake.
    fn stays(&self, limits: &mut Limits<'_>, shown: &Shown) -> Result<bool, StoreError> {
        if limits.over(shown.kind, shown.channel, shown.ts).is_none() {
            return Ok(true);
        }
        let observation = ObservationId::of(&self.settings.tenant, &codec::event_key(&shown.key)?);
        Ok(self.settings.assertions.names(observation)
            || !revisions(self.connection, limits, &shown.key)?.1)
    }

    fn place(&self, row: i64, among: Among) -> Result<Option<Place>, StoreError> {
        if among == Among::Conversation {
            let mut of = self.connection.prepare_cached(
                "SELECT c.canonical_id FROM event e JOIN conversation c ON c.id = e.conversation_id
                 WHERE e.seq = ?1",
            )?;
            return Ok(of
                .query_row([row], |row| Ok(Place::Conversation(row.get(0)?)))
                .optional()?);
        }
        let mut of = self.connection.prepare_cached(
            "SELECT m.customer_id, e.bundle_id FROM event e
               LEFT JOIN attribution a ON a.event_seq = e.seq
               LEFT JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
             WHERE e.seq = ?1",
        )?;
        let of = of.query_row([row], |row| {
            let customer: Option<i64> = row.get(0)?;
            Ok(match customer {
                Some(customer) => Place::Customer(customer),
                None => Place::Bundle(row.get(1)?),
            })
        });
        Ok(of.optional()?)
    }

    /// What the correction in this row names as what it corrects; `None` where it cannot be read.
    fn target(&self, row: i64) -> Result<Option<String>, StoreError> {
        let mut payload = self.connection.prepare_cached(
            "SELECT iif(packed IS NULL, payload, cx_unpack(packed)) FROM event WHERE seq = ?1",
        )?;
        let payload: Option<String> = payload.query_row([row], |row| row.get(0))?;
        let Some(Ok(event)) = payload.map(|payload| codec::event(&payload)) else {
            return Ok(None);
        };
        Ok(corrected(&event.kind).map(str::to_owned))
    }

    fn shown(&self, key: &str) -> Result<Option<Shown>, StoreError> {
        let mut shown = self.connection.prepare_cached(
            "SELECT seq, kind, channel, ts FROM event WHERE key = ?1 AND standing = 0",
        )?;
        let shown = shown.query_row([key], |row| {
            let (seq, kind, channel, ts) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(Shown { seq, key: key.to_owned(), kind, channel, ts })
        });
        Ok(shown.optional()?)
    }
}

/// What a correction names as what it corrects.
const fn corrected(kind: &Kind) -> Option<&str> {
    match kind {
        Kind::MessageEdited(it) | Kind::MessageRedacted(it) | Kind::MessageDeleted(it) => {
            Some(it.target.as_str())
        }
        _ => None,
    }
}

/// The rows of all revisions of a record, and whether all of them are over.
pub(crate) fn revisions(
    connection: &Connection,
    limits: &mut Limits<'_>,
    key: &str,
) -> Result<(Vec<i64>, bool), StoreError> {
    let mut rows =
        connection.prepare_cached("SELECT seq, kind, channel, ts FROM event WHERE key = ?1")?;
    let mut rows = rows.query([key])?;
    let (mut all, mut is_over) = (Vec::new(), true);
    while let Some(row) = rows.next()? {
        all.push(row.get(0)?);
        is_over &= limits.over(row.get(1)?, row.get(2)?, row.get(3)?).is_some();
    }
    Ok((all, is_over))
}
