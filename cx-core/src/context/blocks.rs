//! The blocks of the answer, in order of usefulness. Field for field the JSON that leaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::facts::{Audience, Confidence};
use super::masking::{Place, Texts};
use crate::conversation::WaitingOn;
use crate::event::conversation::{HandoverReason, State, StateCategory};
use crate::event::feedback::{Scale, Survey};
use crate::event::identity::ConsentState;
use crate::event::talk::CallOutcome;
use crate::feedback::LoopState;
use crate::identifier::Assurance;
use crate::journey::Summary;
use crate::profile::Basis;

/// Instants are RFC 3339 in UTC, ids opaque texts, money decimal texts with their currency.
macro_rules! blocks {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            impl Texts for $name {
                fn each(&mut self, _: Place, show: &mut dyn FnMut(Place, &mut String)) {
                    $(self.$field.each((stringify!($name), stringify!($field)), show);)*
                }
            }
        )*
    };
}

blocks! {
    /// Everything that is known of one customer.
    Context {
        /// The version of the shape; changes only when a field changes its meaning.
        v: u32,
        /// The instant of the answer.
        as_of: String,
        /// For whom it is.
        audience: Audience,
        /// Who was asked for, and how sure the answer is.
        r#match: Match,
        /// Who it is; null where nobody was found.
        customer: Option<Customer>,
        /// What must not be overlooked.
        alerts: Vec<Alert>,
        /// Matters on all channels in which somebody has to act, the longest waiting for us
        /// first.
        open: Vec<OpenMatter>,
        /// Matters that group conversations; empty in this version.
        cases: Vec<Case>,
        /// What a bot or a colleague already asked and got, in the latest hand-over.
        handover: Option<HandoverBlock>,
        /// The last contacts on all channels.
        contacts: Contacts,
        /// Cart and orders.
        commerce: CommerceBlock,
        /// Outbound mails and what became of them, newest first.
        mails: Vec<Mail>,
        /// What the customer thinks.
        feedback: FeedbackBlock,
        /// Known problems that touch the customer.
        incidents: Vec<IncidentBlock>,
        /// Where the customer is on the way to a goal.
        journeys: Vec<Summary>,
        /// What the customer looked at last.
        behaviour: Behaviour,
        /// What is known of the person, attribute by attribute, each value with where it comes
        /// from.
        profile: Vec<AttributeBlock>,
        /// What the customer agreed to: for the customer as such first, then by contact point.
        consent: Vec<ConsentBlock>,
        /// Counts over the customer's history.
        measures: Measures,
        /// Where all this comes from.
        provenance: Provenance,
    }

    /// Who was asked for.
    Match {
        /// What was asked for.
        by: Vec<Asked>,
        /// How sure the answer is.
        confidence: Confidence,
        /// Who else may be meant.
        others: Vec<Other>,
        /// Why the customer's records are one person, in words.
        reasons: Vec<String>,
    }

    /// Something that was asked for.
    Asked {
        /// The namespace.
        ns: String,
        /// The scope, where it has one.
        scope: Option<String>,
        /// The value.
        value: String,
    }

    /// Another customer who may be meant.
    Other {
        /// The customer's id.
        id: String,
        /// The customer's name.
        name: Option<String>,
        /// Why.
        reason: String,
    }

    /// Who the customer is.
    Customer {
        /// The customer's id.
        id: String,
        /// The customer's name.
        name: Option<String>,
        /// The language, as a BCP 47 tag.
        language: Option<String>,
        /// The time zone, as an IANA name.
        timezone: Option<String>,
        /// The instant of the answer in that zone.
        local_time: Option<String>,
        /// When the customer was first seen.
        since: String,
        /// What the customer is recognised by, strongest first.
        identifiers: Vec<IdentifierBlock>,
        /// The company.
        company: Option<Company>,
        /// Tags and segments.
        tags: Vec<String>,
        /// Fields that have no place of their own.
        fields: Vec<FieldBlock>,
        /// Notes that colleagues should see first.
        notes: Vec<NoteBlock>,
    }

    /// Something a customer is recognised by.
    IdentifierBlock {
        /// The namespace.
        ns: String,
        /// The scope, where it has one.
        scope: Option<String>,
        /// The value.
        value: String,
        /// How well it is proved.
        verified: Assurance,
        /// Whether it is the customer's main one of its kind: the best proved, latest seen.
        primary: bool,
        /// Whether other customers use it too.
        shared: bool,
        /// Whether it links records to the customer.
        links: bool,
        /// Where it was seen.
        sources: Vec<String>,
        /// When it was first seen.
        first_seen: String,
        /// When it was last seen.
        last_seen: String,
        /// On how many events.
        n_events: u64,
    }

    /// A company.
    Company {
        /// Its id at the source.
        id: Option<String>,
        /// Its name.
        name: Option<String>,
    }

    /// A field that has no place of its own.
    FieldBlock {
        /// Its name.
        name: String,
        /// Its value.
        value: serde_json::Value,
        /// Where it comes from.
        source: String,
        /// When it was said.
        at: String,
    }

    /// An attribute of the person: the value that counts, and those that lost.
    AttributeBlock {
        /// What it is: `name`, `given_name`, `family_name`, `language`, `timezone`, `company`,
        /// `birth_date`, `address`, or `fields.` and the name of a field.
        attribute: String,
        /// The value that counts: a text; an object for a company (`id`, `name`) and for an
        /// address in parts; anything for a field. Null where it is deliberately blank.
        value: serde_json::Value,
        /// Whether it is deliberately blank.
        blank: bool,
        /// Whether a steward has pinned it.
        pinned: bool,
        /// Where the telling that counts comes from.
        source: String,
        /// When it was said.
        at: String,
        /// The event that says it.
        event: String,
        /// How well that event is proved to be about the person.
        assurance: Assurance,
        /// Every source that says it.
        sources: Vec<String>,
        /// When it was first said.
        first_seen: String,
        /// When it was last said.
        last_seen: String,
        /// On how many distinct days (UTC).
        n_days: u64,
        /// On how many events.
        n_events: u64,
        /// The values that lost, best first.
        others: Vec<ValueBlock>,
    }

    /// A value that lost; its fields mean what they mean in the attribute.
    ValueBlock {
        /// The value; null where it is a deliberate blank.
        value: serde_json::Value,
        /// Whether it is a deliberate blank.
        blank: bool,
        /// Whether a steward has pinned it.
        pinned: bool,
        /// Where its best telling comes from.
        source: String,
        /// When that was said.
        at: String,
        /// The event that says it.
        event: String,
        /// How well that event is proved to be about the person.
        assurance: Assurance,
        /// Every source that says it.
        sources: Vec<String>,
        /// When it was first said.
        first_seen: String,
        /// When it was last said.
        last_seen: String,
        /// On how many distinct days (UTC).
        n_days: u64,
        /// On how many events.
        n_events: u64,
    }

    /// What holds for a contact point, a purpose, a channel and a list.
    ConsentBlock {
        /// The address at which somebody is reached; null where it holds for the customer as such.
        contact_point: Option<ContactPoint>,
        /// For what: `marketing`; null for every purpose.
        purpose: Option<String>,
        /// On which channel: `email`; null for every channel.
        channel: Option<String>,
        /// The list; null for every list.
        list: Option<String>,
        /// What holds.
        state: ConsentState,
        /// Whether a source says so, or what somebody did.
        basis: Basis,
        /// When the word that counts was said.
        at: String,
        /// Where it comes from; null where the audience may not know.
        source: Option<String>,
        /// What exactly was agreed to.
        wording: Option<String>,
        /// The event that says it; null where the audience may not know.
        event: Option<String>,
    }

    /// An address at which somebody is reached.
    ContactPoint {
        /// The namespace.
        ns: String,
        /// The scope, where it has one.
        scope: Option<String>,
        /// The value.
        value: String,
    }

    /// A note.
    NoteBlock {
        /// Its text.
        text: String,
        /// Where it comes from.
        source: String,
        /// When it was written.
        at: String,
    }

    /// Something that must not be overlooked.
    Alert {
        /// What it is: `blocked`, `do_not_contact`, `shared_identifier`, `look_alike`, `possible_duplicate`,
        /// `many_values`, `mail_bounce`, `unsubscribed`.
        kind: String,
        /// How grave it is: `info`, `warn`.
        level: String,
        /// What it is, in words.
        text: String,
        /// Since when.
        since: Option<String>,
        /// What it refers to.
        r#ref: Option<String>,
    }

    /// A matter in which somebody has to act.
    OpenMatter {
        /// The conversation's key.
        conversation: String,
        /// The case it belongs to; null in this version.
        case: Option<String>,
        /// Where it is held.
        source: SourceBlock,
        /// What it is about.
        subject: Option<String>,
        /// On which channels, in the order of first use.
        channels: Vec<String>,
        /// Who has to act.
        state: State,
        /// What the state means for those who wait.
        category: StateCategory,
        /// What the source calls it.
        native_state: Option<String>,
        /// Since when it is in that state.
        since: String,
        /// How often it was opened again.
        reopened: u32,
        /// The person who has it.
        assignee: Option<PartyBlock>,
        /// The team that has it.
        team: Option<String>,
        /// Its priority, as the source has it.
        priority: Option<String>,
        /// Why it is in that state, as the source says.
        reason: Option<String>,
        /// Its tags.
        tags: Vec<String>,
        /// Who has to act before it can go on.
        waiting_on: Option<WaitingOn>,
        /// Since when.
        waiting_since: Option<String>,
        /// Since when a call goes on whose end was not told.
        call_since: Option<String>,
        /// What is promised by when.
        due: Vec<Due>,
        /// The last thing somebody said.
        last: Option<Said>,
    }

    /// Where a record is held.
    SourceBlock {
        /// The system.
        system: String,
        /// The account in it.
        instance: String,
        /// The id there.
        id: String,
    }

    /// A person of the business.
    PartyBlock {
        /// The id at the source.
        id: Option<String>,
        /// The name.
        name: Option<String>,
    }

    /// A promise that is not kept yet.
    Due {
        /// What is promised.
        metric: String,
        /// By when.
        at: Option<String>,
        /// Whether that time is over.
        breached: bool,
        /// Who promised it.
        by: Option<String>,
    }

    /// Something that was said.
    Said {
        /// When.
        at: String,
        /// Where.
        channel: String,
        /// Which way: `in`, `out`, `none`.
        direction: String,
        /// Who, as a type.
        actor: String,
        /// Who, by name.
        name: Option<String>,
        /// The first words.
        text: Option<String>,
        /// The names of the files with it.
        attachments: Vec<String>,
        /// The event's key.
        event: String,
    }

    /// A matter that groups conversations.
    Case {
        /// Its id.
        id: String,
    }

    /// A hand-over.
    HandoverBlock {
        /// The conversation's key.
        conversation: String,
        /// When.
        at: String,
        /// From whom.
        from: Option<PartyRef>,
        /// To whom.
        to: Option<PartyRef>,
        /// Why.
        reason: Option<HandoverReason>,
        /// What was already asked and answered.
        facts: Vec<FactBlock>,
        /// What was already tried.
        tried: Vec<String>,
        /// What happened so far, in words.
        summary: Option<String>,
        /// When a person took it; null while nobody has.
        accepted_at: Option<String>,
    }

    /// One side of a hand-over.
    PartyRef {
        /// What it is: `agent`, `team`, `bot`, `ai`.
        r#type: String,
        /// The name.
        name: Option<String>,
    }

    /// Something that was asked and answered.
    FactBlock {
        /// What was asked.
        name: String,
        /// What was answered.
        value: String,
        /// The event in which it was said.
        event: Option<String>,
    }

    /// The last contacts.
    Contacts {
        /// By channel: the last contact, and how often the customer's side was in touch in 90 days.
        by_channel: BTreeMap<String, ChannelContacts>,
        /// The last contacts on all channels, newest first.
        recent: Vec<Contact>,
    }

    /// Contacts on one channel.
    ChannelContacts {
        /// The last contact, in either direction.
        last: Option<String>,
        /// How often the customer's side was in touch in the 90 days before the answer.
        count_90d: u64,
    }

    /// A contact.
    Contact {
        /// The event's key.
        event: String,
        /// When.
        at: String,
        /// What it was.
        kind: String,
        /// Where.
        channel: String,
        /// Which way.
        direction: String,
        /// Who, as a type.
        actor: String,
        /// Who, by name.
        name: Option<String>,
        /// The first words.
        text: Option<String>,
        /// The names of the files with it.
        attachments: Vec<String>,
        /// How a call ended; null of what is no call, and while it goes on or nobody told.
        outcome: Option<CallOutcome>,
        /// How long people talked in a call, or how long a spoken message is, in seconds; null
        /// where nobody told.
        duration_s: Option<u64>,
        /// The conversation's key.
        conversation: Option<String>,
        /// The source.
        source: String,
    }

    /// Cart and orders.
    CommerceBlock {
        /// The open cart.
        cart: Option<CartBlock>,
        /// The open checkout.
        checkout: Option<CartBlock>,
        /// The orders, newest first.
        orders: Vec<OrderBlock>,
        /// Sums.
        totals: Totals,
    }

    /// An open cart or checkout.
    CartBlock {
        /// Its id.
        id: Option<String>,
        /// When it last changed.
        at: String,
        /// What it all costs.
        total: Option<String>,
        /// The currency of all amounts.
        currency: Option<String>,
        /// What is in it.
        lines: Vec<LineBlock>,
    }

    /// A line of a cart or an order.
    LineBlock {
        /// The article's number.
        sku: Option<String>,
        /// Its name.
        name: String,
        /// How many.
        quantity: u64,
        /// The price of one.
        price: Option<String>,
    }

    /// An order.
    OrderBlock {
        /// Its id.
        id: String,
        /// What people call it.
        name: Option<String>,
        /// When it was placed.
        at: String,
        /// The state of payment, or `cancelled`.
        state: String,
        /// The state of delivery.
        fulfilment: Option<String>,
        /// What it all cost.
        total: Option<String>,
        /// The currency of all amounts.
        currency: Option<String>,
        /// How much was given back in the currency of the order.
        refunded: Option<String>,
        /// How much was given back in other currencies.
        refunded_in: Vec<MoneyBlock>,
        /// What was ordered.
        lines: Vec<LineBlock>,
        /// The parcels' numbers.
        tracking: Vec<String>,
    }

    /// Sums over all orders that were looked at: where `left_out` has `events`, there may be earlier
    /// ones.
    Totals {
        /// How many orders.
        orders: u64,
        /// How much was ordered and not cancelled, by currency.
        spent: Vec<MoneyBlock>,
    }

    /// An amount of money.
    MoneyBlock {
        /// The amount.
        amount: String,
        /// The currency.
        currency: String,
    }

    /// An outbound mail.
    Mail {
        /// Its id.
        id: String,
        /// Its subject line.
        subject: Option<String>,
        /// `campaign` or `message`.
        kind: String,
        /// The campaign.
        campaign: Option<String>,
        /// When it was sent.
        sent: Option<String>,
        /// Whether it arrived.
        delivered: bool,
        /// How often it was opened, and by what.
        opened: Opened,
        /// The links that were clicked.
        clicked: Vec<String>,
        /// Whether it came back.
        bounced: bool,
        /// Whether it was never sent.
        dropped: bool,
        /// Whether it made the customer want no more.
        unsubscribed: bool,
        /// The address it went to.
        address: Option<String>,
    }

    /// How often a mail was opened.
    Opened {
        /// By a person.
        human: u32,
        /// By a program.
        machine: u32,
        /// By nobody knows whom.
        unknown: u32,
        /// When last.
        last: Option<String>,
        /// Why an opening may have been a program's.
        machine_hint: Option<String>,
    }

    /// What the customer thinks.
    FeedbackBlock {
        /// The last answers, newest first.
        last: Vec<RatingBlock>,
        /// Bad answers that are not dealt with.
        open_loops: Vec<LoopBlock>,
    }

    /// An answer to a survey.
    RatingBlock {
        /// What was asked.
        survey: Survey,
        /// The answer.
        score: Option<i32>,
        /// What could be answered.
        scale: Option<Scale>,
        /// What was written besides.
        comment: Option<String>,
        /// A reason chosen from a list.
        reason: Option<String>,
        /// When.
        at: String,
        /// What it is about.
        about: Option<String>,
    }

    /// A bad answer that is not dealt with.
    LoopBlock {
        /// The feedback.
        id: String,
        /// How far it has come.
        state: LoopState,
        /// Whether the customer was told.
        told_customer: bool,
        /// When the answer came in.
        since: String,
    }

    /// A known problem.
    IncidentBlock {
        /// Its id.
        id: String,
        /// What is wrong.
        title: Option<String>,
        /// `open` or `resolved`.
        state: String,
        /// When the customer was told.
        told: Option<String>,
        /// What the customer can do meanwhile.
        workaround: Option<String>,
    }

    /// What the customer looked at.
    Behaviour {
        /// The last page.
        last_page: Option<PageBlock>,
        /// The last pages, newest first.
        recent: Vec<PageBlock>,
    }

    /// A page or screen.
    PageBlock {
        /// Its address or name.
        url: String,
        /// Its title.
        title: Option<String>,
        /// When.
        at: String,
    }

    /// Counts over the customer's history.
    Measures {
        /// Messages and calls from the customer in the 30 days before the answer.
        contacts_30d: u64,
        /// The same in 90 days.
        contacts_90d: u64,
        /// The channel the customer used most in 90 days.
        preferred_channel: Option<String>,
    }

    /// Where all this comes from.
    Provenance {
        /// The sources, and how fresh each is.
        sources: Vec<Freshness>,
        /// What people said about who is who.
        merges: Vec<MergeBlock>,
        /// What was left out, and how much of it.
        left_out: BTreeMap<String, u64>,
    }

    /// How fresh a source is.
    Freshness {
        /// The system.
        system: String,
        /// The account in it.
        instance: String,
        /// The latest event it gave, of any customer.
        last_event: String,
        /// When it last gave one.
        last_import: String,
    }

    /// What somebody said about who is who.
    MergeBlock {
        /// The assertion's id.
        id: String,
        /// What it says: `same`, `different`.
        kind: String,
        /// One side.
        a: String,
        /// The other side.
        b: String,
        /// When it was said.
        at: String,
        /// Who said it.
        by: String,
        /// Why.
        reason: Option<String>,
        /// Whether it can be revoked.
        reversible: bool,
    }
}

impl Context {
    /// The answer as JSON on one line; the same answer gives the same bytes.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The answer as JSON on many lines.
    pub fn to_json_pretty(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The JSON Schema (2020-12) of the answer.
    #[cfg(feature = "schema")]
    pub fn json_schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Self);
        schema.insert("title".to_owned(), "cx context, version 1".into());
        schema.to_value()
    }
}
