//! What takes back what another record says, and so has to stay as long as that does: without its
//! unsubscription a consent would hold again, and without its redaction a text would be there again.

use std::collections::{BTreeSet, HashMap, HashSet};

use cx_core::conversation::bare;
use cx_core::event::identity::{ConsentState, Profile};
use cx_core::event::mail::Bounce;
use cx_core::event::{Event, Kind};
use cx_core::ids::ObservationId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::codec;
use crate::derived::Settings;
use crate::error::StoreError;
use crate::expiry::Limits;

/// Records that take something back, and what.
struct TakingBack {
    by: &'static [&'static str],
    taken: Taken,
}

/// What a record takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    among: Among,
    /// The kinds of the records; any where there are none.
    what: &'static [&'static str],
    when: When,
}

/// Among which records that is that they take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Among {
    /// Those of the same conversation.
    Conversation,
    /// Those of the same customer.
    Customer,
    /// Those of the same customer, and of whoever else is reached at one of the same addresses.
    Reached,
}

/// When that happened which they take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Before them.
    Before,
    /// Before or after: a conversation stays as it was left.
    Ever,
}

/// A no takes back a yes; a yes takes nothing back. `consent.changed` tells by its state which it is.
const NO: Taken = Taken {
    among: Among::Reached,
    what: &["consent.changed", "mail.resubscribed"],
    when: When::Before,
};

/// Edits, redactions and deletions are not here: they name what they take back. Nor are the blanks
/// of a profile: what they blank says what they take back.
const TAKING_BACK: &[TakingBack] = &[
    TakingBack { by: &["mail.unsubscribed", "mail.complained"], taken: NO },
    TakingBack {
        by: &[
            "conversation.status",
            "conversation.merged",
            "conversation.spam",
            "conversation.deleted",
            "conversation.restored",
        ],
        taken: Taken { among: Among::Conversation, what: &[], when: When::Ever },
    },
    TakingBack {
        by: &["conversation.untagged"],
        taken: Taken::earlier(Among::Conversation, &["conversation.tagged"]),
    },
    TakingBack {
        by: &["callback.done"],
        taken: Taken::earlier(Among::Conversation, &["callback.promised"]),
    },
    TakingBack {
        by: &["sla.met", "sla.breached"],
        taken: Taken::earlier(Among::Conversation, &["sla.applied", "sla.warned"]),
    },
    TakingBack {
        by: &["order.placed", "checkout.completed"],
        taken: Taken::earlier(
            Among::Customer,
            &["cart.updated", "cart.viewed", "cart.abandoned", "checkout.started"],
        ),
    },
    TakingBack {
        by: &["order.cancelled", "order.refunded"],
        taken: Taken::earlier(
            Among::Customer,
            &["order.placed", "order.updated", "order.paid", "order.fulfilled"],
        ),
    },
    TakingBack {
        by: &["incident.resolved"],
        taken: Taken::earlier(Among::Customer, &["incident.opened", "incident.affects"]),
    },
    TakingBack {
        by: &["feedback.closed"],
        taken: Taken::earlier(Among::Customer, &["feedback.answered"]),
    },
];

impl Taken {
    const fn earlier(among: Among, what: &'static [&'static str]) -> Self {
        Self { among, what, when: When::Before }
    }

    /// What an event takes back, but for what a correction names.
    fn by(event: &Event) -> Option<Self> {
        match &event.kind {
            Kind::ConsentChanged(word) => (word.state == ConsentState::Denied).then_some(NO),
            Kind::ProfileUpdated(profile) => {
                let what = blanked(profile)?;
                let is_pinned = profile.pinned && event.actor.kind.is_agent();
                let when = if is_pinned { When::Ever } else { When::Before };
                Some(Self { among: Among::Customer, what, when })
            }
            kind => {
                let name = kind.name();
                let rule = TAKING_BACK.iter().find(|rule| rule.by.contains(&&*name));
                rule.map(|rule| rule.taken)
            }
        }
    }

    /// Whether a record of this kind may take something back.
    fn may_be_by(kind: &str) -> bool {
        matches!(kind, "consent.changed" | "profile.updated")
            || TAKING_BACK.iter().any(|rule| rule.by.contains(&kind))
    }
}

/// The kinds of the records that say what a profile leaves blank, or whether somebody is blocked, of
/// which the last word counts; `None` where it says neither. A name stands in records of any kind.
fn blanked(profile: &Profile) -> Option<&'static [&'static str]> {
    let is_any = !profile.blanks.is_empty() || profile.fields.iter().any(|it| it.value.is_null());
    let is_name = profile.blanks.iter().any(|it| it == "name");
    let is_told = is_any || profile.blocked.is_some();
    is_told.then_some(if is_name { &[] } else { &["profile.updated"] })
}

/// The kinds that take back what one message says, which they name.
const CORRECTIONS: &[&str] = &["message.edited", "message.redacted", "message.deleted"];

/// The kinds that say that one message did not arrive, which they name.
const UNDELIVERED: &[&str] = &["message.failed", "mail.bounced"];

/// What a record names that takes back what it says, or says that it did not arrive.
fn named(event: &Event) -> Option<&str> {
    match &event.kind {
        Kind::MessageFailed(receipt) => Some(receipt.target.as_str()),
        Kind::MailBounced(mail) if mail.bounce == Some(Bounce::Hard) => mail.mail_id.as_deref(),
        _ => event.corrects(),
    }
}

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
    /// The ids that their channel gave to the messages in a place that stay for their own sake,
    /// without brackets.
    message_ids: HashMap<Place, HashSet<String>>,
}

impl<'a> Keeping<'a> {
    pub(crate) fn new(connection: &'a Connection, settings: &'a Settings) -> Self {
        Self { connection, settings, first: HashMap::new(), message_ids: HashMap::new() }
    }

    /// Whether the record in this row, which is over, takes back something that stays.
    pub(crate) fn keeps(
        &mut self,
        limits: &mut Limits<'_>,
        row: i64,
        kind: i64,
        ts: i64,
    ) -> Result<bool, StoreError> {
        if CORRECTIONS.contains(&limits.name(kind)) || UNDELIVERED.contains(&limits.name(kind)) {
            return self.keeps_correction(limits, row);
        }
        if !Taken::may_be_by(limits.name(kind)) {
            return Ok(false);
        }
        let Some(event) = self.event(row)? else { return Ok(false) };
        let Some(taken) = Taken::by(&event) else { return Ok(false) };
        let mut places: BTreeSet<Place> = self.place(row, taken.among)?.into_iter().collect();
        if taken.among == Among::Reached {
            places.extend(self.places(&event, taken.among)?);
        }
        for place in places {
            if self.is_there(limits, place, taken, ts)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a record that is over, and not here, takes back something that is here and stays, or
    /// that may still come and would stay: such a one goes with the next retention where it did not.
    /// On whatever channel, since what comes first must not decide.
    pub(crate) fn lets_in(
        &mut self,
        limits: &mut Limits<'_>,
        event: &Event,
    ) -> Result<bool, StoreError> {
        let ts = event.occurred_at.as_micros();
        if let Some(target) = event.corrects() {
            // What is not here may still come, be of any kind, and have happened at any time.
            let Some(shown) = self.shown(target)? else { return Ok(true) };
            let is_correction = CORRECTIONS.contains(&limits.name(shown.kind));
            return Ok(is_correction || self.stays(limits, &shown)?);
        }
        if let Some(target) = named(event) {
            if let Some(shown) = self.shown(target)? {
                return self.stays(limits, &shown);
            }
            if limits.leave_any(&["message"], ts) {
                return Ok(true);
            }
            let mut places = self.places(event, Among::Conversation)?;
            places.extend(self.places(event, Among::Customer)?);
            for place in places {
                if self.has_message(limits, place, target)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let Some(taken) = Taken::by(event) else { return Ok(false) };
        // What happens later may stay, whenever this happened.
        if taken.when == When::Ever || limits.leave_any(taken.what, ts) {
            return Ok(true);
        }
        for place in self.places(event, taken.among)? {
            if self.is_there(limits, place, taken, ts)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where that is which a record takes back, by what the record says.
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
        // A no counts also at the mailbox of a role.
        let mut holders = self.connection.prepare_cached(
            "SELECT m.customer_id, c.bundle_id FROM identifier i
               JOIN bundle_claim c ON c.identifier_id = i.id
               LEFT JOIN member m ON m.bundle_id = c.bundle_id
             WHERE i.hash = ?1 AND (i.hub = 0 OR ?2
               AND i.ns = (SELECT id FROM dict WHERE class = 4 AND name = 'email'))",
        )?;
        for claim in event.person_claims() {
            let hash = codec::identifier_hash(claim.identifier());
            let mut holders = holders.query(params![&hash[..], among == Among::Reached])?;
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

    /// Whether the message stays that is corrected in this row: by its key, or by the id that its
    /// channel gave it, in the same conversation or of the same customer.
    fn keeps_correction(&mut self, limits: &mut Limits<'_>, row: i64) -> Result<bool, StoreError> {
        let mut corrects = row;
        for _ in 0..DEPTH {
            let Some(event) = self.event(corrects)? else { return Ok(false) };
            let Some(target) = named(&event) else { return Ok(false) };
            let Some(shown) = self.shown(target)? else {
                for among in [Among::Conversation, Among::Customer] {
                    if let Some(place) = self.place(row, among)?
                        && self.has_message(limits, place, target)?
                    {
                        return Ok(true);
                    }
                }
                return Ok(false);
            };
            if self.stays(limits, &shown)? {
                return Ok(true);
            }
            if !CORRECTIONS.contains(&limits.name(shown.kind)) {
                return Ok(false);
            }
            corrects = shown.seq;
        }
        Ok(false)
    }

    fn is_there(
        &mut self,
        limits: &mut Limits<'_>,
        place: Place,
        taken: Taken,
        ts: i64,
    ) -> Result<bool, StoreError> {
        let what = taken.what;
        let first = if let Some(known) = self.first.get(&(place, what)) {
            *known
        } else {
            let mut first: Option<i64> = None;
            for shown in self.all(place)? {
                if (what.is_empty() || what.contains(&limits.name(shown.kind)))
                    && first.is_none_or(|first| first > shown.ts)
                    && self.stays(limits, &shown)?
                {
                    first = Some(shown.ts);
                }
            }
            self.first.insert((place, what), first);
            first
        };
        Ok(first.is_some_and(|first| taken.when == When::Ever || first <= ts))
    }

    /// Whether a message with this id is in a place, and stays.
    fn has_message(
        &mut self,
        limits: &mut Limits<'_>,
        place: Place,
        id: &str,
    ) -> Result<bool, StoreError> {
        if let Some(known) = self.message_ids.get(&place) {
            return Ok(known.contains(bare(id)));
        }
        let mut ids = HashSet::new();
        for shown in self.all(place)? {
            if limits.name(shown.kind) == "message"
                && self.stays(limits, &shown)?
                && let Some(Event { kind: Kind::Message(message), .. }) = self.event(shown.seq)?
            {
                ids.extend(message.message_id.map(|id| bare(&id).to_owned()));
            }
        }
        Ok(self.message_ids.entry(place).or_insert(ids).contains(bare(id)))
    }

    /// The records in a place.
    fn all(&self, place: Place) -> Result<Vec<Shown>, StoreError> {
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
        let shown = rows.query_map([id], |row| {
            let (seq, key, kind) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Shown { seq, key, kind, channel: row.get(3)?, ts: row.get(4)? })
        })?;
        Ok(shown.collect::<Result<_, _>>()?)
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

    /// The event in this row; `None` where it cannot be read.
    fn event(&self, row: i64) -> Result<Option<Event>, StoreError> {
        let mut payload = self.connection.prepare_cached(
            "SELECT iif(packed IS NULL, payload, cx_unpack(packed)) FROM event WHERE seq = ?1",
        )?;
        let payload: Option<String> = payload.query_row([row], |row| row.get(0))?;
        Ok(payload.and_then(|payload| codec::event(&payload).ok()))
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
