//! Facts into blocks: one scan, the folds side by side, then what each audience may see.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::blocks::{
    Alert, Asked, Behaviour, CartBlock, ChannelContacts, CommerceBlock, Company, Contact, Contacts,
    Context, Customer, Due, FactBlock, FeedbackBlock, Freshness, HandoverBlock, IdentifierBlock,
    IncidentBlock, LineBlock, LoopBlock, Mail, Match, Measures, MergeBlock, MoneyBlock, NoteBlock,
    OpenMatter, Opened, OrderBlock, Other, PageBlock, PartyBlock, PartyRef, Provenance,
    RatingBlock, Said, SourceBlock, Totals,
};
use super::facts::{
    Audience, ContextFacts, ContextOptions, CustomerFacts, IdentifierFact, MergeFact,
    PossibleDuplicate, Sharing, SourceFreshness, StatedValue, Weight,
};
use super::masking;
use super::person::{self, mask};
use crate::actor::ActorType;
use crate::channel::Channel;
use crate::commerce::{CommerceFold, OpenCart, OrderState};
use crate::conversation::{
    Conversation, ConversationFold, Corrections, Missed, WaitingOn, people_talked_until,
};
use crate::event::conversation::{Party, PartyType, State};
use crate::event::kind::KindGroup;
use crate::event::talk::Call;
use crate::event::{Attachment, Direction, Event, Kind, Visibility};
use crate::feedback::{Feedback, FeedbackFold, LoopState};
use crate::identifier::{Claim, Identifier, Namespace};
use crate::ids::{ConversationKey, EventKey};
use crate::journey;
use crate::outbound::{OutboundFold, OutboundMail, Received};
use crate::profile::{Attribute, ConsentFold, Consents, Profile, ProfileFold, Ruling};
use crate::text::first_words;
use crate::time::{Micros, Timestamp};

/// Builds the answer. The same facts and options give the same bytes.
///
/// Time is O(n log n) for n events.
pub fn build(facts: &ContextFacts<'_>, options: &ContextOptions) -> Context {
    let own = facts.customer.as_ref().map_or(&[][..], |customer| &customer.identifiers);
    let view = View { options, own };
    let hearsay = if options.audience == Audience::Agent {
        BTreeSet::new()
    } else {
        carried_by_words(facts.earlier.iter().chain(facts.events))
    };
    let past = |event: &&Event| {
        event.occurred_at <= options.as_of && (hearsay.is_empty() || !hearsay.contains(&event.key))
    };
    let visible = |event: &&Event| past(event) && view.may_see(event);
    let events: Vec<&Event> = facts.events.iter().filter(visible).collect();
    let earlier: Vec<&Event> = facts.earlier.iter().filter(visible).collect();
    let mut all: Vec<&Event> = facts.events.iter().filter(past).collect();
    let is_shown = |event: &&Event| past(event) && !view.is_of_others(event);
    all.extend(facts.conversation_events.iter().filter(is_shown));
    all.sort_by(|a, b| a.timeline_cmp(b));
    all.dedup_by(|a, b| a.key == b.key);
    // What was taken out is gone also for those who may not see who did it.
    let of_others =
        |event: &&Event| past(event) && event.corrects().is_some() && view.is_of_others(event);
    let mut with_others = all.clone();
    with_others.extend(facts.conversation_events.iter().filter(of_others));
    if with_others.len() > all.len() {
        with_others.sort_by(|a, b| a.timeline_cmp(b));
        with_others.dedup_by(|a, b| a.key == b.key);
    }
    let corrections = Corrections::of(&with_others);
    all.retain(|event| view.may_see(event));
    let conversations = conversations(&all, facts, options.as_of);
    let beside: Vec<&Event> = facts.beside.iter().filter(past).collect();
    let elsewhere = self::conversations(&beside, facts, options.as_of);
    let talked = |event: &&Event| past(event) && people_talked_until(event).is_some();
    let with_them: Vec<&Event> = facts.events.iter().filter(talked).collect();
    let with_others: Vec<&Event> =
        facts.conversation_events.iter().chain(facts.beside).filter(talked).collect();
    let is_call = |event: &&Event| matches!(event.kind, Kind::Call(_) | Kind::Voicemail(_));
    let own_calls: BTreeSet<&EventKey> =
        facts.events.iter().filter(is_call).map(|event| &event.key).collect();
    let reached = |missed: &Missed| {
        let is_back = |call: &Event| missed.called_back_in(call).is_some();
        let is_theirs = own_calls.contains(&missed.event);
        with_them.iter().any(|call| (is_theirs || missed.is_from(call)) && is_back(call))
            || with_others.iter().any(|call| missed.is_from(call) && is_back(call))
    };
    let open: Vec<Conversation> = open_among(&conversations, &elsewhere, reached);
    let removed =
        |conversation: &&Conversation| matches!(conversation.state, State::Spam | State::Deleted);
    let removed: BTreeSet<&ConversationKey> =
        conversations.iter().filter(removed).map(|conversation| &conversation.key).collect();
    let is_removed = |event: &Event| {
        let of = event.conversation.as_ref().map(|it| &it.key);
        !removed.is_empty() && of.is_some_and(|key| removed.contains(&(facts.canonical)(key)))
    };
    let said = SaidAt { corrections: &corrections, only_there: only_there(&all, &corrections) };
    let mut commerce = CommerceFold::default();
    let mut outbound = OutboundFold::default();
    let mut feedback = FeedbackFold::default();
    let mut profile = ProfileFold::default();
    let mut consents = ConsentFold::default();
    // What a customer agreed to counts also where an audience may not see who wrote it down.
    for event in facts.earlier.iter().chain(facts.events).filter(past) {
        consents.push(event);
    }
    let known = facts.customer.iter().flat_map(|customer| &customer.identifiers);
    let points = known.map(|fact| &fact.identifier).collect();
    // Whose they are is nothing that the customer may learn.
    let is_told = options.audience != Audience::Customer;
    for event in facts.words_of_others.iter().filter(past).filter(|_| is_told) {
        consents.push_other(event, &points);
    }
    for event in &earlier {
        profile.push(event);
    }
    for event in &events {
        commerce.push(event);
        outbound.push(event);
        feedback.push(&in_its_thread(event, facts));
        profile.push(event);
    }
    let (profile, feedback) = (profile.finish(&options.survivorship), feedback.finish());
    let consents = consents.finish();
    let rulings = consents.rulings();
    let mails = outbound.finish();
    let mut left_out = facts.left_out.clone();
    let talk: Vec<&Event> = all.iter().copied().filter(|event| is_contact(event)).collect();
    let n_talk = talk.len();
    let talk: Vec<&Event> = talk.into_iter().filter(|event| !is_removed(event)).collect();
    if talk.len() < n_talk {
        let n = u64::try_from(n_talk - talk.len()).unwrap_or(u64::MAX);
        left_out.insert("removed".to_owned(), n);
    }
    let own_talk: Vec<&Event> =
        events.iter().copied().filter(|event| event.kind.is_talk() && !is_removed(event)).collect();
    let orders = commerce.finish();
    let seen: Vec<&Event> = earlier.iter().chain(&events).copied().collect();
    let identifiers = view.known_identifiers(facts, &seen);
    let mut context = Context {
        v: 1,
        as_of: options.as_of.to_string(),
        audience: options.audience,
        r#match: view.matched(facts),
        customer: facts
            .customer
            .as_ref()
            .map(|customer| view.customer(customer, &identifiers, &seen, &profile)),
        alerts: view.alerts(facts, &identifiers, &profile, (&consents, &rulings), &events, &mails),
        open: view.open(&open, &all, &said),
        cases: Vec::new(),
        handover: view.handover(&open, &corrections),
        contacts: view.contacts(&talk, &own_talk, facts, &corrections, &mut left_out),
        commerce: CommerceBlock {
            cart: orders.cart.map(cart),
            checkout: orders.checkout.map(cart),
            totals: Totals {
                orders: u64::try_from(orders.orders.len()).unwrap_or(u64::MAX),
                spent: orders
                    .spent
                    .iter()
                    .map(|money| MoneyBlock {
                        amount: money.amount().to_string(),
                        currency: money.currency().to_string(),
                    })
                    .collect(),
            },
            orders: cut(orders.orders, options.items, "orders", &mut left_out)
                .into_iter()
                .map(order)
                .collect(),
        },
        mails: cut(mails, options.items, "mails", &mut left_out)
            .into_iter()
            .map(|mail| view.mail(mail, &said))
            .collect(),
        feedback: view.feedback(feedback, &corrections, &mut left_out),
        incidents: incidents(&events),
        // Internal steps are among those of a journey.
        journeys: if options.audience == Audience::Customer {
            Vec::new()
        } else {
            journey::summaries(&events, &all, options.as_of)
        },
        behaviour: behaviour(&events, options.items),
        profile: person::profile(&profile, options, own, &mut left_out),
        consent: person::consent(&rulings, options, |event| view.may_see(event)),
        measures: measures(&own_talk, options.as_of),
        provenance: Provenance {
            sources: facts
                .sources
                .iter()
                .filter(|source| view.may_name(source, &seen))
                .map(|source| Freshness {
                    system: source.system.clone(),
                    instance: source.instance.clone(),
                    last_event: source.last_event.to_string(),
                    last_import: source.last_import.to_string(),
                })
                .collect(),
            merges: if view.is_inner() { view.merges(facts) } else { Vec::new() },
            left_out,
        },
    };
    if options.audience == Audience::Model {
        masking::mask(&mut context, own);
    }
    context
}

/// The conversations in which somebody has to act: those who wait for us longest come first.
fn open_among(
    conversations: &[Conversation],
    elsewhere: &[Conversation],
    was_reached: impl Fn(&Missed) -> bool,
) -> Vec<Conversation> {
    let mut open: Vec<Conversation> = conversations
        .iter()
        .filter(|it| it.is_open() && !it.was_called_back(&was_reached))
        .cloned()
        .collect();
    if open.iter().any(|it| it.merged_into.is_some()) {
        let among = [conversations, elsewhere].concat();
        open = open.into_iter().map(|it| it.living_on_among(&among)).collect();
        open.retain(Conversation::is_open);
    }
    open.sort_by_key(|conversation| {
        let ours = conversation.waiting_on != Some(WaitingOn::Us);
        (ours, conversation.waiting_since, conversation.key.clone())
    });
    open
}

/// Whether a value is proved to be this customer's and nobody else's.
fn is_surely_theirs(fact: &IdentifierFact) -> bool {
    fact.weight == Weight::Links && fact.assurance.is_proved() && fact.sharing == Sharing::Own
}

/// Whether an event names nobody, so that an order, a cart, a checkout or a conversation carries it to
/// somebody.
pub fn is_carried(event: &Event) -> bool {
    let names = |claim: &Claim| !claim.identifier().namespace().is_bridge();
    let hangs = !event.who.is_empty() || event.conversation.is_some();
    hangs && !event.who.iter().any(names)
}

/// The events of a customer that name nobody and hang on orders, carts and checkouts of which the
/// customer only spoke: whoever reads a number, or guesses it, can do that. What the business's own
/// records, or a proof, put on them counts for what hangs together with it.
pub fn carried_by_words<'e>(events: impl Iterator<Item = &'e Event>) -> BTreeSet<&'e EventKey> {
    let (mut nameless, mut vouched) = (Vec::new(), Vec::new());
    for event in events {
        if event.who.iter().any(|claim| !claim.identifier().namespace().is_bridge()) {
            // What the shop itself tells is no word of the customer's.
            let is_record = event.kind.group() == KindGroup::Commerce;
            let on = event.who.iter().filter(|claim| {
                claim.identifier().namespace().is_bridge()
                    && (is_record || claim.assurance.is_proved())
            });
            vouched.extend(on.map(|claim| claim.identifier().clone()));
            if let Some(of) = &event.conversation {
                vouched.extend(std::iter::once(&of.key).chain(&of.aliases).map(Event::bridge_of));
            }
        } else if is_carried(event) {
            nameless.push((&event.key, event.bridges()));
        }
    }
    let mut on: HashMap<&Identifier, Vec<usize>> = HashMap::new();
    for (number, (_, bridges)) in nameless.iter().enumerate() {
        for bridge in bridges {
            on.entry(bridge).or_default().push(number);
        }
    }
    let mut left: BTreeSet<usize> = (0..nameless.len()).collect();
    let mut next: Vec<&Identifier> = vouched.iter().filter(|_| !left.is_empty()).collect();
    while let Some(bridge) = next.pop() {
        for number in on.remove(bridge).unwrap_or_default() {
            if left.remove(&number)
                && let Some((_, bridges)) = nameless.get(number)
            {
                next.extend(bridges);
            }
        }
    }
    left.into_iter().filter_map(|number| nameless.get(number)).map(|(key, _)| *key).collect()
}

/// What was said, as corrections leave it.
struct SaidAt<'a> {
    corrections: &'a Corrections<'a>,
    /// Subjects that stand on nothing but what was taken out.
    only_there: BTreeSet<&'a str>,
}

fn only_there<'a>(events: &[&'a Event], corrections: &Corrections<'_>) -> BTreeSet<&'a str> {
    let is_out = |event: &&&Event| corrections.took_out(event.key.as_str());
    let mut only: BTreeSet<&str> =
        events.iter().filter(is_out).flat_map(|event| event.subjects()).collect();
    if !only.is_empty() {
        for event in events.iter().filter(|event| !is_out(event)) {
            event.subjects().for_each(|subject| {
                only.remove(subject);
            });
        }
    }
    only
}

/// The conversations of these events, each by its one key, in the order of the keys.
fn conversations(
    events: &[&Event],
    facts: &ContextFacts<'_>,
    as_of: Timestamp,
) -> Vec<Conversation> {
    // Most keys come again and again: each is looked up once.
    let mut place_of: HashMap<&ConversationKey, usize> = HashMap::new();
    let mut by_key: BTreeMap<ConversationKey, usize> = BTreeMap::new();
    let mut folds: Vec<ConversationFold<'_>> = Vec::new();
    for event in events {
        let Some(conversation) = &event.conversation else { continue };
        let place = *place_of.entry(&conversation.key).or_insert_with(|| {
            let key = (facts.canonical)(&conversation.key);
            *by_key.entry(key).or_insert_with_key(|key| {
                folds.push(ConversationFold::new(key.clone()));
                folds.len() - 1
            })
        });
        if let Some(fold) = folds.get_mut(place) {
            fold.push(event);
        }
    }
    let folded = folds.into_iter().filter_map(ConversationFold::finish);
    let mut folded: Vec<Conversation> = folded.map(|it| it.at(as_of)).collect();
    for conversation in &mut folded {
        let into = conversation.merged_into.as_deref().and_then(|into| into.parse().ok());
        if let Some(into) = into {
            conversation.merged_into = Some((facts.canonical)(&into).to_string());
        }
    }
    folded.sort_by(|a, b| a.key.cmp(&b.key));
    folded
}

/// An event of feedback with the one key of its conversation, by which what was asked in it is one.
fn in_its_thread<'a>(event: &'a Event, facts: &ContextFacts<'_>) -> Cow<'a, Event> {
    let is_feedback = matches!(
        event.kind,
        Kind::FeedbackAnswered(_) | Kind::FeedbackActed(_) | Kind::FeedbackClosed(_)
    );
    let named = match &event.kind {
        Kind::FeedbackActed(acted) => acted.feedback.as_ref(),
        Kind::FeedbackClosed(closed) => closed.feedback.as_ref(),
        _ => None,
    };
    let one = |key: &ConversationKey| Some((facts.canonical)(key)).filter(|one| one != key);
    let of = event.conversation.as_ref().filter(|_| is_feedback).and_then(|it| one(&it.key));
    // A follow-up may name the answer by any key of its conversation.
    let named = named.and_then(|named| one(&named.parse().ok()?)).map(|one| one.to_string());
    if of.is_none() && named.is_none() {
        return Cow::Borrowed(event);
    }
    let mut event = event.clone();
    if let (Some(conversation), Some(one)) = (&mut event.conversation, of) {
        conversation.key = one;
    }
    match &mut event.kind {
        Kind::FeedbackActed(acted) => acted.feedback = named.or_else(|| acted.feedback.take()),
        Kind::FeedbackClosed(closed) => closed.feedback = named.or_else(|| closed.feedback.take()),
        _ => {}
    }
    Cow::Owned(event)
}

fn cut<T>(
    mut items: Vec<T>,
    most: usize,
    name: &str,
    left_out: &mut BTreeMap<String, u64>,
) -> Vec<T> {
    if items.len() > most {
        let n = u64::try_from(items.len() - most).unwrap_or(u64::MAX);
        *left_out.entry(name.to_owned()).or_insert(0) += n;
        items.truncate(most);
    }
    items
}

fn cart(cart: OpenCart) -> CartBlock {
    CartBlock {
        id: cart.id,
        at: cart.at.to_string(),
        total: cart.total.map(|total| total.to_string()),
        currency: cart.currency.map(|currency| currency.to_string()),
        lines: cart.lines.iter().map(line).collect(),
    }
}

fn line(line: &crate::event::commerce::Line) -> LineBlock {
    LineBlock {
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
        price: line.price.map(|price| price.to_string()),
    }
}

fn order(order: OrderState) -> OrderBlock {
    let tracking = order.tracking.into_iter().filter_map(|parcel| parcel.number.or(parcel.url));
    OrderBlock {
        id: order.id,
        name: order.name,
        at: order.at.to_string(),
        state: order.state,
        fulfilment: order.fulfilment,
        total: order.total.map(|total| total.to_string()),
        currency: order.currency.map(|currency| currency.to_string()),
        refunded: order.refunded.map(|refunded| refunded.to_string()),
        refunded_in: order
            .refunded_in
            .into_iter()
            .map(|(currency, amount)| MoneyBlock {
                amount: amount.to_string(),
                currency: currency.to_string(),
            })
            .collect(),
        lines: order.lines.iter().map(line).collect(),
        tracking: tracking.collect(),
    }
}

fn incidents(events: &[&Event]) -> Vec<IncidentBlock> {
    // An id means something only within its source.
    let mut incidents: BTreeMap<(&str, String), IncidentBlock> = BTreeMap::new();
    for event in events {
        let (Kind::IncidentOpened(data)
        | Kind::IncidentAffects(data)
        | Kind::IncidentResolved(data)
        | Kind::ProactiveSent(data)) = &event.kind
        else {
            continue;
        };
        let place = (data.incident.as_str(), event.source.scope());
        let block = incidents.entry(place).or_insert_with(|| IncidentBlock {
            id: data.incident.clone(),
            title: None,
            state: "open".to_owned(),
            told: None,
            workaround: None,
        });
        block.title = data.title.clone().or_else(|| block.title.take());
        block.workaround = data.workaround.clone().or_else(|| block.workaround.take());
        match event.kind {
            Kind::IncidentResolved(_) => "resolved".clone_into(&mut block.state),
            Kind::ProactiveSent(_) => block.told = Some(event.occurred_at.to_string()),
            Kind::IncidentOpened(_) => "open".clone_into(&mut block.state),
            // It touches one more, be it solved or not.
            _ => {}
        }
    }
    incidents.into_values().collect()
}

/// The addresses that do not receive, as the last word of some source has it, as they are written
/// there, and since when it says so: unless one received a mail since.
fn undeliverable<'e>(events: &[&'e Event], received: &Received) -> Vec<(&'e str, Timestamp)> {
    type Said<'e> = (&'e str, Option<Timestamp>);
    let mut said: BTreeMap<(&Identifier, String), Said<'e>> = BTreeMap::new();
    for event in events {
        let Kind::IdentityLinked(link) = &event.kind else { continue };
        let Some(is_so) = link.undeliverable else { continue };
        // The record of the person stands beside it.
        let addresses =
            event.who.iter().filter(|it| *it.identifier().namespace() == Namespace::Email);
        for claim in addresses {
            let place = (claim.identifier(), event.source.scope());
            let (written, since) = said.entry(place).or_insert((claim.raw(), None));
            *written = claim.raw();
            *since = is_so.then(|| since.unwrap_or(event.occurred_at));
        }
    }
    let mut told: BTreeMap<&Identifier, (&str, Timestamp)> = BTreeMap::new();
    for ((address, _), (written, since)) in said {
        let Some(since) = since.filter(|since| !received.since(written, *since)) else { continue };
        let known = told.entry(address).or_insert((written, since));
        known.1 = known.1.min(since);
    }
    told.into_values().collect()
}

fn behaviour(events: &[&Event], items: usize) -> Behaviour {
    let page = |event: &&&Event| match &event.kind {
        Kind::PageViewed(view) | Kind::ScreenViewed(view) => Some(PageBlock {
            url: view.url.clone().unwrap_or_default(),
            title: view.title.clone(),
            at: event.occurred_at.to_string(),
        }),
        _ => None,
    };
    let recent: Vec<PageBlock> =
        events.iter().rev().filter_map(|event| page(&event)).take(items).collect();
    Behaviour { last_page: recent.first().cloned(), recent }
}

fn measures(events: &[&Event], as_of: Timestamp) -> Measures {
    let from = |days: i64| as_of - Micros::DAY.times(days);
    let (month, quarter) = (from(30), from(90));
    let contacts = || events.iter().filter(|event| event.is_from_customer());
    let mut counts: BTreeMap<&Channel, u64> = BTreeMap::new();
    for event in contacts().filter(|event| event.occurred_at > quarter) {
        *counts.entry(&event.channel).or_insert(0) += 1;
    }
    let within = |from: Timestamp| contacts().filter(move |event| event.occurred_at > from);
    let by_channel: BTreeMap<String, u64> =
        counts.into_iter().map(|(channel, n)| (channel.to_string(), n)).collect();
    let preferred = by_channel.iter().max_by(|a, b| (a.1, b.0).cmp(&(b.1, a.0)));
    Measures {
        contacts_30d: u64::try_from(within(month).count()).unwrap_or(u64::MAX),
        contacts_90d: u64::try_from(within(quarter).count()).unwrap_or(u64::MAX),
        preferred_channel: preferred.map(|(channel, _)| channel.clone()),
    }
}

/// What one audience may see, and how.
struct View<'a> {
    options: &'a ContextOptions,
    /// What the customer is recognised by.
    own: &'a [IdentifierFact],
}

impl View<'_> {
    /// Whether the audience may see what is internal.
    const fn is_inner(&self) -> bool {
        match self.options.audience {
            Audience::Agent | Audience::Model => true,
            Audience::Customer | Audience::Marketing => false,
        }
    }

    /// `internal` never reaches the customer, nor those who write campaigns.
    fn may_see(&self, event: &Event) -> bool {
        self.is_inner()
            || (event.visibility == Visibility::Public && !matches!(event.kind, Kind::Note(_)))
    }

    /// Whether an event of a conversation is about others alone. Anybody who knows the id of a mail can
    /// answer it, and write any address beside, so to be in one conversation is no leave to read what
    /// others wrote there, nor is a value that was only stated, or that others have, too; only those
    /// who work for the business may.
    fn is_of_others(&self, event: &Event) -> bool {
        let is_meant = |identifier: &Identifier| {
            self.own.iter().any(|fact| fact.identifier == *identifier && is_surely_theirs(fact))
        };
        let named = event.who.iter().map(Claim::identifier);
        let mut named = named.filter(|it| !it.namespace().is_bridge()).peekable();
        let says_nobody = named.peek().is_none();
        let is_by_somebody = matches!(event.actor.kind, ActorType::Customer | ActorType::Contact);
        self.options.audience != Audience::Agent
            && !named.any(is_meant)
            && (!says_nobody || is_by_somebody)
    }

    /// Whether a source may be named: to the customer only one from which something came that the
    /// customer may see.
    fn may_name(&self, source: &SourceFreshness, seen: &[&Event]) -> bool {
        let named = (&source.system, &source.instance);
        self.options.audience != Audience::Customer
            || seen.iter().any(|event| (&event.source.system, &event.source.instance) == named)
    }

    /// Since when the customer is known, as far as the audience may know.
    fn since(&self, customer: &CustomerFacts, seen: &[&Event]) -> Timestamp {
        if self.is_inner() {
            return customer.since;
        }
        let first = seen.iter().map(|event| event.occurred_at).chain(customer.public_since).min();
        first.unwrap_or(self.options.as_of)
    }

    /// What the customer is recognised by: all of it, or what stands on the events that the
    /// audience may see, as it stands there.
    fn known_identifiers<'f>(
        &self,
        facts: &'f ContextFacts<'_>,
        seen: &[&Event],
    ) -> Cow<'f, [IdentifierFact]> {
        let known = facts.customer.as_ref().map_or(&[][..], |customer| &customer.identifiers);
        if self.is_inner() {
            return Cow::Borrowed(known);
        }
        let mut of_known: BTreeMap<&Identifier, (&IdentifierFact, Option<IdentifierFact>)> =
            known.iter().map(|fact| (&fact.identifier, (fact, None))).collect();
        for event in seen {
            let (at, source) = (event.occurred_at, event.source.scope());
            let mut counted: BTreeSet<&Identifier> = BTreeSet::new();
            for claim in event.person_claims() {
                let Some((whole, told)) = of_known.get_mut(claim.identifier()) else { continue };
                let told = told.get_or_insert_with(|| IdentifierFact {
                    assurance: claim.assurance,
                    first_seen: at,
                    last_seen: at,
                    sources: Vec::new(),
                    n_events: 0,
                    ..whole.clone()
                });
                told.assurance = told.assurance.max(claim.assurance);
                told.first_seen = told.first_seen.min(at);
                told.last_seen = told.last_seen.max(at);
                if let Err(place) = told.sources.binary_search(&source) {
                    told.sources.insert(place, source.clone());
                }
                told.n_events += u64::from(counted.insert(claim.identifier()));
            }
        }
        of_known.into_values().filter_map(|(_, told)| told).collect()
    }

    /// What people said of who is who.
    fn merges(&self, facts: &ContextFacts<'_>) -> Vec<MergeBlock> {
        let written = |identifier: &Identifier| person::written(identifier, self.options.audience);
        let block = |merge: &MergeFact| {
            let (a, b) = merge.verdict.sides_with(&written);
            MergeBlock {
                id: merge.assertion.to_string(),
                kind: merge.verdict.name().to_owned(),
                a,
                b,
                at: merge.at.to_string(),
                by: merge.by.clone(),
                reason: merge.reason.clone(),
                reversible: true,
            }
        };
        facts.merges.iter().map(block).collect()
    }

    /// A text that somebody wrote, shortened; none for marketing.
    fn text(&self, text: Option<&str>) -> Option<String> {
        match self.options.audience {
            Audience::Marketing => None,
            Audience::Agent | Audience::Customer | Audience::Model => {
                text.map(|text| first_words(text, self.options.characters))
            }
        }
    }

    /// What a message says, as corrections leave it, shortened: nothing where an edit tells it
    /// that the audience may not see.
    fn said(
        &self,
        message: &EventKey,
        written: Option<&str>,
        corrections: &Corrections<'_>,
    ) -> Option<String> {
        let Some(now) = corrections.of_message(message) else { return self.text(written) };
        self.text(now.filter(|edit| self.may_see(edit)).and_then(words))
    }

    /// The names of the files with it; none for marketing, nor where it was taken out.
    fn attachments(&self, event: &Event, corrections: &Corrections<'_>) -> Vec<String> {
        let is_out = corrections.took_out(event.key.as_str());
        if is_out || self.options.audience == Audience::Marketing {
            return Vec::new();
        }
        let name = |file: &Attachment| file.name.clone().or_else(|| file.media_type.clone());
        let names = event.attachments.iter().filter_map(name);
        names.map(|name| first_words(&name, self.options.characters)).collect()
    }

    fn value(&self, value: &str) -> String {
        match self.options.audience {
            Audience::Model => mask(value),
            Audience::Agent | Audience::Marketing | Audience::Customer => value.to_owned(),
        }
    }

    /// What somebody noted of the customer: for a model without addresses and numbers.
    fn as_noted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.options.audience {
            Audience::Model => person::masked_text(text, self.own).into(),
            Audience::Agent | Audience::Marketing | Audience::Customer => text.into(),
        }
    }

    /// The key of a conversation.
    fn key(&self, key: &str) -> String {
        match self.options.audience {
            Audience::Model => person::masked_key(key, self.own),
            Audience::Agent | Audience::Marketing | Audience::Customer => key.to_owned(),
        }
    }

    fn matched(&self, facts: &ContextFacts<'_>) -> Match {
        let is_customer = self.options.audience == Audience::Customer;
        let asked = |identifier: &Identifier| Asked {
            ns: identifier.namespace().to_string(),
            scope: scope(identifier),
            value: self.value(identifier.key()),
        };
        let reasons = facts.customer.as_ref().map(|customer| customer.reasons.clone());
        // Who else there is, and why, is nobody else's business.
        let private = self.options.audience != Audience::Agent;
        let is_named = self.is_inner();
        let others = facts.others.iter().map(|other| Other {
            id: other.id.to_string(),
            name: other.name.clone().filter(|_| is_named),
            reason: if private { String::new() } else { other.reason.clone() },
        });
        Match {
            by: facts.asked.iter().map(asked).collect(),
            confidence: facts.confidence,
            others: if is_customer { Vec::new() } else { others.collect() },
            reasons: if private { Vec::new() } else { reasons.unwrap_or_default() },
        }
    }

    fn customer(
        &self,
        customer: &CustomerFacts,
        identifiers: &[IdentifierFact],
        seen: &[&Event],
        profile: &Profile,
    ) -> Customer {
        let inner = self.is_inner();
        let text = |attribute| profile.text(&attribute).map(str::to_owned);
        let timezone = text(Attribute::Timezone);
        let notes = profile.notes.iter().map(|note| NoteBlock {
            text: first_words(&self.as_noted(&note.value), self.options.characters),
            source: note.source.clone(),
            at: note.at.to_string(),
        });
        Customer {
            id: customer.id.to_string(),
            name: text(Attribute::Name),
            language: text(Attribute::Language),
            local_time: timezone.as_deref().and_then(|zone| local(self.options.as_of, zone)),
            timezone,
            since: self.since(customer, seen).to_string(),
            identifiers: self.identifiers(identifiers),
            company: profile
                .company()
                .map(|company| Company { id: company.id.clone(), name: company.name.clone() }),
            tags: if inner { profile.tags.clone() } else { Vec::new() },
            fields: if inner {
                person::fields(profile, self.options.audience, self.own)
            } else {
                Vec::new()
            },
            notes: if inner { notes.collect() } else { Vec::new() },
        }
    }

    fn identifiers(&self, facts: &[IdentifierFact]) -> Vec<IdentifierBlock> {
        let mut facts: Vec<&IdentifierFact> = facts.iter().collect();
        facts.sort_by(|a, b| {
            let strength = |fact: &IdentifierFact| {
                (fact.weight == Weight::Links, fact.assurance, fact.last_seen)
            };
            strength(b).cmp(&strength(a)).then_with(|| a.identifier.cmp(&b.identifier))
        });
        let mut seen: BTreeSet<&Namespace> = BTreeSet::new();
        let mut blocks = Vec::new();
        for fact in facts {
            let first = seen.insert(fact.identifier.namespace());
            blocks.push(IdentifierBlock {
                ns: fact.identifier.namespace().to_string(),
                scope: scope(&fact.identifier),
                value: self.value(fact.identifier.key()),
                verified: fact.assurance,
                primary: first && fact.weight == Weight::Links,
                // Who else there is is nobody else's business.
                shared: fact.sharing != Sharing::Own && self.options.audience != Audience::Customer,
                links: fact.weight == Weight::Links,
                sources: fact.sources.clone(),
                first_seen: fact.first_seen.to_string(),
                last_seen: fact.last_seen.to_string(),
                n_events: fact.n_events,
            });
        }
        blocks
    }

    fn alerts(
        &self,
        facts: &ContextFacts<'_>,
        identifiers: &[IdentifierFact],
        profile: &Profile,
        (consents, rulings): (&Consents<'_>, &[Ruling<'_>]),
        events: &[&Event],
        mails: &[OutboundMail],
    ) -> Vec<Alert> {
        let mut alerts = Vec::new();
        if self.options.audience == Audience::Customer {
            return alerts;
        }
        if let Some(blocked) = profile.blocked.as_ref().filter(|blocked| blocked.value) {
            let text = format!("blocked in {}", blocked.source);
            alerts.push(alert("blocked", "warn", text, Some(blocked.at), None));
        }
        alerts.extend(person::refusals(rulings, self.options, |event| self.may_see(event)));
        for fact in identifiers {
            let value = self.value(fact.identifier.key());
            if fact.identifier.mixes_scripts() {
                let text = format!("{value} mixes letters that look alike: it may imitate another");
                alerts.push(alert("look_alike", "warn", text, None, Some(value.clone())));
            }
            let text = match fact.sharing {
                Sharing::Own => continue,
                Sharing::Shared(1) => format!("{value} is also used by another customer"),
                Sharing::Shared(n) => format!("{value} is also used by {n} other customers"),
                Sharing::Hub => format!("{value} is used by so many that it links nobody"),
            };
            alerts.push(alert("shared_identifier", "info", text, None, Some(value)));
        }
        for (namespace, at_most) in &facts.at_most {
            let of = |fact: &&IdentifierFact| {
                fact.identifier.namespace().name() == namespace && fact.weight == Weight::Links
            };
            let n = identifiers.iter().filter(of).count();
            if u32::try_from(n).is_ok_and(|n| n > *at_most) {
                let text = format!(
                    "{n} values of {namespace}, of which one person seldom has more than {at_most}: \
                     several persons may be joined"
                );
                alerts.push(alert("many_values", "warn", text, None, Some(namespace.clone())));
            }
        }
        let possible = facts.customer.iter().flat_map(|customer| &customer.possible);
        alerts.extend(possible.filter_map(|other| self.duplicate(other, identifiers)));
        let received = Received::of(mails);
        for mail in mails.iter().filter(|mail| received.is_undeliverable(mail)) {
            let address = self.value(mail.address.as_deref().unwrap_or("an address"));
            let text = if mail.bounced.is_some() {
                format!("mail to {address} bounces")
            } else {
                format!("mail to {address} is not sent")
            };
            if !alerts.iter().any(|alert| alert.text == text) {
                alerts.push(alert(
                    "mail_bounce",
                    "warn",
                    text,
                    mail.failed_at,
                    Some(mail.id.clone()),
                ));
            }
        }
        // Whoever agreed again since then wants it again.
        let is_refused =
            |mail: &&OutboundMail| person::refuses_mail(consents, mail.address.as_deref());
        let mut refused = mails.iter().filter(|mail| mail.unsubscribed || mail.complained);
        if let Some(mail) = refused.find(is_refused) {
            let text = "wants no more campaign mail".to_owned();
            alerts.push(alert("unsubscribed", "warn", text, mail.sent_at, Some(mail.id.clone())));
        }
        for (address, since) in undeliverable(events, &received) {
            let text = format!("mail to {} does not arrive", self.value(address));
            alerts.push(alert("mail_bounce", "warn", text, Some(since), None));
        }
        alerts
    }

    /// That another customer may be the same person; why, for those inside. Nothing where nothing
    /// that the audience may know of speaks for it.
    fn duplicate(&self, other: &PossibleDuplicate, known: &[IdentifierFact]) -> Option<Alert> {
        let is_known =
            |value: &&StatedValue| known.iter().any(|fact| fact.identifier == value.identifier);
        let reasons = other.stated.iter().filter(is_known).map(|value| {
            let written = person::written(&value.identifier, self.options.audience);
            if value.here {
                format!("stated {written}, which is the other's")
            } else {
                format!("the other stated {written}, without proof")
            }
        });
        let reasons: Vec<String> = reasons.collect();
        if reasons.is_empty() {
            return None;
        }
        let mut text = "possibly also ".to_owned();
        text.push_str(other.name.as_deref().unwrap_or("a customer without a name"));
        if self.is_inner() {
            text.push_str(": ");
            text.push_str(&reasons.join("; "));
        }
        Some(alert("possible_duplicate", "info", text, None, Some(other.id.to_string())))
    }

    fn open<'e>(
        &self,
        open: &[Conversation],
        events: &[&'e Event],
        said: &SaidAt<'_>,
    ) -> Vec<OpenMatter> {
        // A promised call has words of its own, others the name of a metric.
        let call = |event: &&'e Event| match &event.kind {
            Kind::CallbackPromised(call) => call.text.as_deref(),
            _ => None,
        };
        let calls: BTreeSet<&str> = events.iter().filter_map(call).collect();
        let last: BTreeSet<&EventKey> =
            open.iter().filter_map(|it| it.last.as_ref()).map(|last| &last.event).collect();
        let last = events.iter().filter(|event| last.contains(&event.key));
        let last: HashMap<&EventKey, &Event> = last.map(|event| (&event.key, *event)).collect();
        // Whoever answered is known to the customer by name.
        let names: BTreeSet<&str> = events
            .iter()
            .filter(|event| event.is_agent_answer())
            .filter_map(|event| event.actor.name.as_deref())
            .collect();
        let spoke = |party: &Party| party.name.as_deref().is_some_and(|name| names.contains(name));
        open.iter()
            .map(|conversation| {
                let words = conversation.last.as_ref().and_then(|it| last.get(&it.event).copied());
                self.matter(conversation, words, &calls, spoke, said)
            })
            .collect()
    }

    fn matter(
        &self,
        conversation: &Conversation,
        words: Option<&Event>,
        calls: &BTreeSet<&str>,
        spoke: impl Fn(&Party) -> bool,
        said: &SaidAt<'_>,
    ) -> OpenMatter {
        let is_marketing = self.options.audience == Audience::Marketing;
        let due = conversation.promises.iter().map(|promise| Due {
            metric: if is_marketing && calls.contains(promise.what.as_str()) {
                "call back".to_owned()
            } else {
                promise.what.clone()
            },
            at: promise.due_at.map(|at| at.to_string()),
            breached: promise.is_breached_by(self.options.as_of),
            by: promise.by.clone(),
        });
        // How the desk sorts and names its work is its own affair.
        let inner = self.is_inner();
        let party = |party: &Party| PartyBlock {
            id: party.id.clone().filter(|_| inner),
            name: party.name.clone(),
        };
        OpenMatter {
            conversation: self.key(conversation.key.as_str()),
            case: None,
            source: SourceBlock {
                system: conversation.source.system.clone(),
                instance: conversation.source.instance.clone(),
                id: self.key(&conversation.source.id),
            },
            subject: self.subject(conversation.subject.as_deref(), said),
            channels: conversation.channels.iter().map(ToString::to_string).collect(),
            state: conversation.state,
            category: conversation.state.category(),
            native_state: conversation.native_state.clone().filter(|_| inner),
            since: conversation.since.to_string(),
            reopened: conversation.reopened,
            assignee: conversation.assignee.as_ref().filter(|it| inner || spoke(it)).map(party),
            team: conversation
                .team
                .as_ref()
                .filter(|_| inner)
                .and_then(|team| team.name.clone().or_else(|| team.id.clone())),
            priority: conversation.priority.clone().filter(|_| inner),
            reason: conversation.reason.clone().filter(|_| self.is_inner()),
            tags: if self.is_inner() { conversation.tags.clone() } else { Vec::new() },
            waiting_on: conversation.waiting_on,
            waiting_since: conversation.waiting_since.map(|since| since.to_string()),
            call_since: conversation.call_since.map(|since| since.to_string()),
            due: if self.options.audience == Audience::Customer {
                Vec::new()
            } else {
                due.collect()
            },
            last: conversation.last.as_ref().map(|last| Said {
                at: last.at.to_string(),
                channel: last.channel.to_string(),
                direction: last.direction.name().to_owned(),
                actor: last.actor.name().to_owned(),
                name: last.actor_name.clone(),
                text: self.said(&last.event, last.text.as_deref(), said.corrections),
                attachments: words
                    .map(|event| self.attachments(event, said.corrections))
                    .unwrap_or_default(),
                event: last.event.to_string(),
            }),
        }
    }

    /// The latest hand-over among open matters; nobody shall be asked twice.
    fn handover(
        &self,
        open: &[Conversation],
        corrections: &Corrections<'_>,
    ) -> Option<HandoverBlock> {
        if matches!(self.options.audience, Audience::Customer | Audience::Marketing) {
            return None;
        }
        let handed = open.iter().filter_map(|conversation| {
            conversation.handover.as_ref().map(|handover| (handover.at, conversation, handover))
        });
        let (_, conversation, handed) =
            handed.max_by(|a, b| (a.0, &a.1.key).cmp(&(b.0, &b.1.key)))?;
        let party = |party: &Party| PartyRef {
            r#type: match party.kind {
                PartyType::Agent => "agent",
                PartyType::Team => "team",
                PartyType::Bot => "bot",
                PartyType::Ai => "ai",
            }
            .to_owned(),
            name: party.name.clone().or_else(|| party.id.clone()),
        };
        let handover = &handed.handover;
        Some(HandoverBlock {
            conversation: self.key(conversation.key.as_str()),
            at: handed.at.to_string(),
            from: handover.from.as_ref().map(party),
            to: handover.to.as_ref().map(party),
            reason: handover.reason,
            facts: handover
                .facts
                .iter()
                .filter(|fact| !fact.event.as_ref().is_some_and(|key| corrections.took_out(key)))
                .map(|fact| FactBlock {
                    name: fact.name.clone(),
                    value: first_words(&self.as_noted(&fact.value), self.options.characters),
                    event: fact.event.clone(),
                })
                .collect(),
            tried: handover.tried.iter().map(|it| self.as_noted(it).into_owned()).collect(),
            summary: self.text(handover.summary.as_deref().map(|it| self.as_noted(it)).as_deref()),
            accepted_at: handed
                .accepted_at
                .filter(|at| *at <= self.options.as_of)
                .map(|at| at.to_string()),
        })
    }

    fn contacts(
        &self,
        talk: &[&Event],
        own_talk: &[&Event],
        facts: &ContextFacts<'_>,
        corrections: &Corrections<'_>,
        left_out: &mut BTreeMap<String, u64>,
    ) -> Contacts {
        let from = self.options.as_of - Micros::DAY.times(90);
        let mut by_channel: BTreeMap<&Channel, ChannelContacts> = BTreeMap::new();
        let mut recent = Vec::new();
        let none = ChannelContacts { last: None, count_90d: 0 };
        for event in talk.iter().rev() {
            // What we send by itself is told among the mails.
            if !is_automatic(event) {
                let channel = by_channel.entry(&event.channel).or_insert_with(|| none.clone());
                channel.last.get_or_insert_with(|| event.occurred_at.to_string());
            }
            if !is_automatic(event) || !is_mail(event) {
                recent.push(*event);
            }
        }
        let is_counted = |event: &&&Event| event.is_from_customer() && event.occurred_at > from;
        for event in own_talk.iter().filter(is_counted) {
            let channel = by_channel.entry(&event.channel).or_insert_with(|| none.clone());
            channel.count_90d += 1;
        }
        let by_channel =
            by_channel.into_iter().map(|(channel, told)| (channel.to_string(), told)).collect();
        let recent = cut(recent, self.options.items, "contacts", left_out);
        let contact = |event: &Event| Contact {
            event: event.key.to_string(),
            at: event.occurred_at.to_string(),
            kind: event.kind.name().into_owned(),
            channel: event.channel.to_string(),
            direction: event.direction.name().to_owned(),
            actor: event.actor.kind.name().to_owned(),
            name: event.actor.name.clone(),
            text: self.said(&event.key, words(event), corrections),
            attachments: self.attachments(event, corrections),
            outcome: ended_call(event, self.options.as_of).and_then(|call| call.outcome),
            duration_s: spoken_s(event, self.options.as_of),
            conversation: event
                .conversation
                .as_ref()
                .map(|conversation| self.key((facts.canonical)(&conversation.key).as_str())),
            source: event.source.scope(),
        };
        Contacts { by_channel, recent: recent.into_iter().map(contact).collect() }
    }

    /// A subject as it was written, unless it stands on nothing but what was taken out.
    fn subject(&self, subject: Option<&str>, said: &SaidAt<'_>) -> Option<String> {
        self.text(subject.filter(|subject| !said.only_there.contains(subject)))
    }

    fn mail(&self, mail: OutboundMail, said: &SaidAt<'_>) -> Mail {
        Mail {
            kind: if mail.campaign.is_some() { "campaign" } else { "message" }.to_owned(),
            subject: match self.options.audience {
                // The subject of a campaign is marketing's own; that of an answer is not.
                Audience::Marketing if mail.campaign.is_none() => None,
                Audience::Agent | Audience::Marketing | Audience::Customer | Audience::Model => {
                    mail.subject.filter(|subject| !said.only_there.contains(subject.as_str()))
                }
            },
            id: mail.id,
            campaign: mail.campaign,
            sent: mail.sent_at.map(|at| at.to_string()),
            delivered: mail.delivered_at.is_some(),
            opened: Opened {
                human: mail.opened_by_human,
                machine: mail.opened_by_machine,
                unknown: mail.opened_by_unknown,
                last: mail.last_opened_at.map(|at| at.to_string()),
                machine_hint: mail.machine_hint,
            },
            clicked: mail.clicked,
            bounced: mail.bounced.is_some(),
            dropped: mail.dropped,
            unsubscribed: mail.unsubscribed,
            address: mail.address.map(|address| self.value(&address)),
        }
    }

    fn feedback(
        &self,
        feedback: Feedback,
        corrections: &Corrections<'_>,
        left_out: &mut BTreeMap<String, u64>,
    ) -> FeedbackBlock {
        let loops = feedback.open_loops.into_iter().map(|open| LoopBlock {
            id: open.id,
            state: open.state,
            told_customer: match open.state {
                LoopState::Received | LoopState::Acted => false,
            },
            since: open.since.to_string(),
        });
        let loops: Vec<LoopBlock> =
            if self.options.audience == Audience::Customer { Vec::new() } else { loops.collect() };
        let last = cut(feedback.ratings, self.options.items, "ratings", left_out);
        let rating = |rating: crate::feedback::Rating| RatingBlock {
            survey: rating.survey,
            score: rating.score,
            scale: rating.scale,
            comment: self.said(&rating.event, rating.comment.as_deref(), corrections),
            reason: self.text(rating.reason.as_deref()),
            at: rating.at.to_string(),
            about: rating.about,
        };
        FeedbackBlock { last: last.into_iter().map(rating).collect(), open_loops: loops }
    }
}

/// What counts as a contact: what people said to each other, and notes about it.
const fn is_contact(event: &Event) -> bool {
    event.kind.is_talk() || matches!(event.kind, Kind::Note(_))
}

/// Whether we sent it by itself.
fn is_automatic(event: &Event) -> bool {
    event.actor.kind == ActorType::Automation && event.direction == Direction::Out
}

/// Whether it is a mail that stands among the mails.
fn is_mail(event: &Event) -> bool {
    matches!(&event.kind, Kind::Message(message) if message.message_id.is_some())
        && event.channel == Channel::Email
}

/// The call, once it is over.
fn ended_call(event: &Event, as_of: Timestamp) -> Option<&Call> {
    match &event.kind {
        Kind::Call(call) if call.end(event.occurred_at) <= as_of => Some(call),
        _ => None,
    }
}

/// How long people talked in a call that is over, or a spoken message is, in seconds.
fn spoken_s(event: &Event, as_of: Timestamp) -> Option<u64> {
    match &event.kind {
        Kind::Voicemail(voicemail) => voicemail.duration_s,
        _ => ended_call(event, as_of).and_then(|call| call.talked_s(event.occurred_at)),
    }
}

/// What an event says as it was written.
fn words(event: &Event) -> Option<&str> {
    event.body.as_ref().map(|body| body.text.as_str())
}

fn scope(identifier: &Identifier) -> Option<String> {
    (!identifier.scope().is_empty()).then(|| identifier.scope().to_owned())
}

fn alert(
    kind: &str,
    level: &str,
    text: String,
    since: Option<Timestamp>,
    r#ref: Option<String>,
) -> Alert {
    let since = since.map(|since| since.to_string());
    Alert { kind: kind.to_owned(), level: level.to_owned(), text, since, r#ref }
}

fn local(at: Timestamp, zone: &str) -> Option<String> {
    let instant = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    let zoned = instant.in_tz(zone).ok()?;
    Some(zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}
