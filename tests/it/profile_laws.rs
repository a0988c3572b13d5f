//! Laws of what is known of a person: which value counts, and that merging never widens a consent.
//! The numbers are those of the properties in the design of identity.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::event::Event;
use cx_core::event::identity::ConsentState;
use cx_core::identifier::{Assurance, Claim, Identifier, Namespace, Role};
use cx_core::profile::{
    Attribute, ConsentFold, Consents, Content, Profile, ProfileFold, Question, Survivorship,
};
use cx_core::time::{Micros, Timestamp};
use cx_tests::story;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

fn at(quarter: i64) -> Timestamp {
    story::monday() + Micros::HOUR.times(quarter * 6)
}

fn event(key: &str, kind: &str, quarter: i64, more: &Value) -> Event {
    let mut event = json!({
        "key": key, "source": {"system": "s"}, "kind": kind, "occurred_at": at(quarter).to_string(),
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(event).unwrap()
}

fn consents<'a>(events: impl IntoIterator<Item = &'a Event>) -> Consents<'a> {
    let mut fold = ConsentFold::default();
    events.into_iter().for_each(|event| fold.push(event));
    fold.finish()
}

fn identifier(claim: &str) -> Identifier {
    story::claim(claim).unwrap().identifier().clone()
}

const PURPOSES: &[Option<&str>] =
    &[Some("marketing"), Some("profiling"), Some("sharing"), Some("surveys"), None];
const CHANNELS: &[Option<&str>] = &[Some("email"), Some("sms"), None];
const STATES: &[&str] = &["granted", "granted", "denied", "unknown"];

/// Everything that can be asked about these contact points and the customer as such.
fn questions(points: &[Identifier]) -> Vec<Question<'_>> {
    let points = points.iter().map(Some).chain([None]);
    let mut questions = Vec::new();
    for contact_point in points {
        for purpose in PURPOSES.iter().map(|purpose| purpose.unwrap_or_default()) {
            for channel in CHANNELS.iter().copied().chain([Some("letter")]) {
                questions.push(Question { contact_point, purpose, channel });
            }
        }
    }
    questions
}

/// A few events of one customer, of whom these are the identifiers and the names. The first event
/// names somebody.
fn customer(
    side: &'static str,
    claims: &'static [&'static str],
    names: &'static [&'static str],
) -> impl Strategy<Value = Vec<Event>> {
    let word =
        (select(PURPOSES), select(CHANNELS), select(STATES), select(&["", "", "l1", "l2"][..]));
    let one = (0..12_i64, 0..7_u8, subsequence(claims, 0..3), select(names), word);
    vec(one, 1..9).prop_map(move |made| {
        let mut events = Vec::new();
        for (n, (quarter, what, mut who, name, word)) in made.into_iter().enumerate() {
            let (purpose, channel, state, list) = word;
            let kind = match what {
                0 => "mail.unsubscribed",
                1 => "mail.complained",
                2 => "mail.resubscribed",
                3 => "message",
                _ => "consent.changed",
            };
            if n == 0 && who.is_empty() {
                who.push(claims[0]);
            }
            let who: Vec<Claim> = who.into_iter().filter_map(story::claim).collect();
            let data = match kind {
                "consent.changed" => json!({"purpose": purpose, "on": channel, "state": state,
                    "list": Some(list).filter(|list| !list.is_empty())}),
                _ => json!({}),
            };
            let name = Some(name).filter(|name| !name.is_empty());
            let more = json!({"who": who, "name": name, "data": data});
            events.push(event(&format!("{side}/{n}"), kind, quarter, &more));
        }
        events
    })
}

const OURS: &[&str] = &[
    "email ann@example.nl",
    "email ann@example.org",
    "email ann@example.nl ?",
    "phone 06 12345678",
    "cookie c1",
    "user_id u1",
];
const THEIRS: &[&str] = &[
    "email bob@example.nl",
    "email bob@example.nl ?",
    "phone 06 87654321",
    "cookie c2",
    "user_id u2",
];

fn all_points() -> Vec<Identifier> {
    let claims = OURS.iter().chain(THEIRS).filter(|claim| claim.starts_with(['e', 'p']));
    let points: BTreeSet<Identifier> = claims.map(|claim| identifier(claim)).collect();
    points.into_iter().collect()
}

/// The contact points that events name.
fn named(events: &[Event]) -> BTreeSet<Identifier> {
    events.iter().flat_map(|event| &event.who).map(|claim| claim.identifier().clone()).collect()
}

proptest! {
    #[test]
    fn p13_merging_customers_never_widens_a_consent(
        ours in customer("a", OURS, &["", "Ann Bakker", "A. Bakker"]),
        theirs in customer("b", THEIRS, &["", "Bob Smit", "Ann Bakker"]),
    ) {
        let (a, b, both) = (consents(&ours), consents(&theirs), consents(ours.iter().chain(&theirs)));
        let (our_points, their_points) = (named(&ours), named(&theirs));
        let points = all_points();
        for asked in questions(&points) {
            let merged = both.state(asked);
            let holds = |side: &BTreeSet<Identifier>| {
                asked.contact_point.is_none_or(|point| side.contains(point))
            };
            for (side, points, name) in [(&a, &our_points, "ours"), (&b, &their_points, "theirs")] {
                if holds(points) {
                    prop_assert!(merged <= side.state(asked), "{asked:?}: {merged:?} of {name} {:?}", side.state(asked));
                }
            }
            // Where each said yes to another list, neither said yes to both.
            let has_lists = ours.iter().chain(&theirs).any(|event| event.kind.to_json().contains_key("list"));
            if asked.contact_point.is_none() && !has_lists {
                prop_assert_eq!(merged, a.state(asked).min(b.state(asked)), "{:?}", asked);
            }
        }
        // An unmerge needs no repair: each side is what it was.
        prop_assert_eq!(consents(&ours).rulings(), a.rulings());
    }

    #[test]
    fn p13_of_a_contact_point_that_two_people_use_every_no_stands(
        ours in customer("a", OURS, &["Ann Bakker"]),
        theirs in customer("b", OURS, &["Bob Smit"]),
    ) {
        let (a, b, both) = (consents(&ours), consents(&theirs), consents(ours.iter().chain(&theirs)));
        let points = all_points();
        for asked in questions(&points) {
            let (one, other, merged) = (a.state(asked), b.state(asked), both.state(asked));
            if one.min(other) == ConsentState::Denied {
                prop_assert_eq!(merged, ConsentState::Denied, "{:?}", asked);
            }
            if asked.contact_point.is_none() {
                prop_assert!(merged <= one.min(other), "{asked:?}: {merged:?} of {one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn p13_order_repetition_and_batches_change_no_consent(
        events in customer("a", OURS, &["", "Ann Bakker", "Bob Smit"]),
        order in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let once = consents(&events);
        let again: Vec<&Event> =
            order.iter().map(|index| index.get(&events)).chain(events.iter().rev()).collect();
        prop_assert_eq!(consents(again).rulings(), once.rulings());
    }

    #[test]
    fn p13_one_more_no_never_allows_more(
        events in customer("a", OURS, &["", "Ann Bakker"]),
        quarter in 0..12_i64, purpose in select(PURPOSES), channel in select(CHANNELS), claim in select(OURS),
    ) {
        let no = event("no", "consent.changed", quarter, &json!({
            "who": [story::claim(claim)], "data": {"purpose": purpose, "on": channel, "state": "denied"}}));
        let (before, after) = (consents(&events), consents(events.iter().chain([&no])));
        // A word that names a new part of the person may only narrow; one that joins parts is told
        // apart by the others.
        let points = all_points();
        for asked in questions(&points).into_iter().filter(|asked| asked.contact_point.is_some()) {
            prop_assert!(after.state(asked) <= before.state(asked), "{asked:?}");
        }
    }
}

#[test]
fn p13_people_may_opt_in_again_but_strangers_may_not_do_it_for_them() {
    let jan = identifier("email jan@example.nl");
    let asked =
        Question { contact_point: Some(&jan), purpose: "marketing", channel: Some("email") };
    let said = |quarter, state: &str, name: Option<&str>, claim: &str| {
        let key = format!("{quarter}{state}{name:?}{claim}");
        let data = json!({"purpose": "Marketing", "on": "email", "state": state});
        let more = json!({"who": [story::claim(claim)], "name": name, "data": data});
        event(&key, "consent.changed", quarter, &more)
    };
    let proved = "email jan@example.nl";
    let no = said(1, "denied", Some("Jan de Vries"), proved);
    let check = |second: &Event, expected| {
        assert_eq!(consents([&no, second]).state(asked), expected, "{second:?}");
    };
    check(&said(2, "granted", Some("J. de Vries"), proved), ConsentState::Granted);
    check(&said(2, "granted", None, proved), ConsentState::Granted);
    check(&said(1, "granted", None, proved), ConsentState::Denied);
    check(&said(0, "granted", None, proved), ConsentState::Denied);
    check(&said(2, "unknown", None, proved), ConsentState::Denied);
    check(&said(2, "granted", Some("Eva Bakker"), proved), ConsentState::Denied);
    check(&said(2, "granted", None, "email jan@example.nl ?"), ConsentState::Denied);
}

/// One thing a source says of a person.
type Said = (i64, &'static str, Assurance, &'static str, Value);

const SOURCES: &[&str] = &["crm", "shop", "desk"];
const ASSURANCES: &[Assurance] =
    &[Assurance::SelfStated, Assurance::ChannelProved, Assurance::StaffVerified];

fn data() -> impl Strategy<Value = Value> {
    let name = select(
        &[
            None,
            Some("Jan de Vries"),
            Some("jan de vries"),
            Some("J. de Vries"),
            Some("Jan"),
            Some("null"),
            Some("Visitor"),
            Some("jan@example.nl"),
        ][..],
    );
    let language = select(&[None, Some("nl"), Some("NL"), Some("en"), Some("fr"), Some("n/a")][..]);
    let address = select(vec![
        Value::Null,
        json!("Kerkstraat 1"),
        json!({"street": "Kerkstraat 1"}),
        json!({"city": "Utrecht", "floor": 3}),
    ]);
    let field = select(vec![Value::Null, json!("gold"), json!(1), json!("")]);
    let blanks = select(vec![vec![], vec![], vec!["name"], vec!["language", "fields.tier"]]);
    (name, language, address, field, blanks, prop::bool::weighted(0.1)).prop_map(
        |(name, language, address, field, blanks, pinned)| {
            json!({"name": name, "language": language, "address": address, "blanks": blanks,
                "pinned": pinned, "fields": [{"name": "tier", "value": field}]})
        },
    )
}

fn told() -> impl Strategy<Value = Vec<Event>> {
    let one: (_, _, _, _, _) =
        (0..12_i64, select(SOURCES), select(ASSURANCES), select(&["agent", "system"][..]), data());
    vec(one, 1..10).prop_map(|said: Vec<Said>| {
        let made =
            said.into_iter().enumerate().map(|(n, (quarter, source, assurance, actor, data))| {
                let claim =
                    Claim::new(Namespace::Email, "jan@example.nl", Role::Subject, assurance)
                        .unwrap();
                let more = json!({"source": {"system": source, "instance": "acme"}, "who": [claim],
                "actor": {"type": actor}, "data": data});
                event(&format!("p/{n}"), "profile.updated", quarter, &more)
            });
        made.collect()
    })
}

fn rules() -> impl Strategy<Value = Survivorship> {
    let listed = || subsequence(SOURCES, 0..3).prop_shuffle();
    (listed(), listed()).prop_map(|(some, all)| {
        let names =
            |names: Vec<&str>| names.into_iter().map(|name| format!("{name}:acme")).collect();
        let priorities = [("language".to_owned(), names(some)), ("*".to_owned(), names(all))];
        Survivorship { priorities: BTreeMap::from(priorities) }
    })
}

fn profile<'e, E: IntoIterator<Item = &'e Event>>(events: E, rules: &Survivorship) -> Profile {
    let mut fold = ProfileFold::default();
    events.into_iter().for_each(|event| fold.push(event));
    fold.finish(rules)
}

proptest! {
    #[test]
    fn p14_any_order_repetition_and_batching_of_events_gives_the_same_values(
        events in told(), rules in rules(), order in vec(any::<prop::sample::Index>(), 0..20), cut in any::<prop::sample::Index>(),
    ) {
        let once = profile(&events, &rules);
        let again: Vec<&Event> =
            order.iter().map(|index| index.get(&events)).chain(events.iter().rev()).collect();
        prop_assert_eq!(&profile(again.iter().copied(), &rules), &once);
        let cut = cut.index(events.len());
        let batch = |events: &[&'_ Event]| {
            let events: Vec<Event> = events.iter().map(|event| (*event).clone()).collect();
            events
        };
        let (early, late) = (batch(&events.iter().take(cut).collect::<Vec<_>>()), batch(&again));
        for (first, second) in [(&early, &late), (&late, &early)] {
            let mut one = ProfileFold::default();
            let mut other = ProfileFold::default();
            for event in first {
                one.push(event);
            }
            for event in second {
                other.push(event);
            }
            one.absorb(other);
            prop_assert_eq!(&one.finish(&rules), &once);
        }
    }

    #[test]
    fn p14_the_greatest_under_the_order_wins_and_no_value_is_lost(events in told(), rules in rules()) {
        let known = profile(&events, &rules);
        let listed = &rules.priorities["language"];
        let mut ranks: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for event in &events {
            let data = event.kind.to_json();
            let pinned = data.get("pinned") == Some(&json!(true)) && event.actor.kind.is_agent();
            let source = event.source.scope();
            let priority = listed.iter().rev().position(|name| *name == source).map_or(0, |place| place + 1);
            let rank = (pinned, priority, event.who[0].assurance, event.occurred_at);
            let blanks = data.get("blanks").and_then(Value::as_array);
            if blanks.is_some_and(|blanks| blanks.contains(&json!("language"))) {
                ranks.entry(String::new()).or_default().push(rank);
            }
            match data.get("language").and_then(Value::as_str) {
                None | Some("n/a") => {}
                Some(language) => ranks.entry(language.to_lowercase()).or_default().push(rank),
            }
        }
        let mut expected: Vec<_> = ranks.into_iter().map(|(form, ranks)| {
            let days: BTreeSet<i64> = ranks.iter().map(|rank| rank.3.utc_day()).collect();
            (*ranks.iter().max().unwrap(), days.len(), std::cmp::Reverse(form), ranks.len())
        }).collect();
        expected.sort();
        expected.reverse();
        let found: Vec<_> = known.values.get(&Attribute::Language).into_iter()
            .flat_map(|known| [&known.value].into_iter().chain(&known.others)).collect();
        prop_assert_eq!(found.len(), expected.len());
        for (value, (rank, days, form, n)) in found.into_iter().zip(expected) {
            let shown = match &value.content {
                Content::Text(text) => text.to_lowercase(),
                _ => String::new(),
            };
            prop_assert_eq!(shown, form.0);
            prop_assert_eq!((value.pinned, value.assurance, value.at), (rank.0, rank.2, rank.3));
            prop_assert_eq!((value.n_days, value.n_events), (u64::try_from(days).unwrap(), u64::try_from(n).unwrap()));
        }
    }

    #[test]
    fn p14_values_that_lose_have_no_say_in_who_wins(events in told(), rules in rules(), leave in any::<u64>()) {
        let known = profile(&events, &rules);
        let Some(language) = known.values.get(&Attribute::Language) else { return Ok(()) };
        let said = |event: &Event| {
            let data = event.kind.to_json();
            let text = data.get("language").and_then(Value::as_str).map(str::to_lowercase);
            let blanks = data.get("blanks").and_then(Value::as_array).cloned().unwrap_or_default();
            match &language.value.content {
                Content::Text(winner) => text == Some(winner.to_lowercase()),
                _ => blanks.contains(&json!("language")),
            }
        };
        let is_kept = |(n, event): &(usize, &Event)| said(event) || leave >> n & 1 == 1;
        let rest = events.iter().enumerate().filter(is_kept).map(|(_, event)| event);
        let again = profile(rest, &rules);
        prop_assert_eq!(&again.values[&Attribute::Language].value, &language.value);
    }
}
