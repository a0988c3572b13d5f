//! The law of retention: what is over under the rules was never seen, does not come back, and is in
//! no byte of any file; what is not over stays, with every id that was ever given out.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use cx_core::actor::{Actor, ActorType};
use cx_core::context::ContextOptions;
use cx_core::event::{Event, Kind};
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Assertions, Observation, Subject, Verdict};
use cx_core::ids::CustomerId;
use cx_core::linkage::Model;
use cx_core::retention::Retention;
use cx_core::time::{Micros, Timestamp};
use cx_store::{
    Change, EraseMode, ProposeOptions, Recording, RetainOptions, Retained, SearchQuery, Store,
    StoreOptions, TimelineQuery,
};
use cx_tests::asking::{answers_but_for_sources, keys};
use cx_tests::story;
use cx_tests::strategies::{TENANT, asserted_world, cases, world};
use proptest::prelude::*;
use proptest::sample::select;

fn options() -> StoreOptions {
    StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() }
}

/// A year after the stories begin; they last a year and a half.
fn now() -> Timestamp {
    "2027-03-02T08:00:00Z".parse().unwrap()
}

fn rules(text: &str) -> Retention {
    Retention::read(text).unwrap()
}

fn recording() -> Recording {
    Recording::new(story::monday(), "test")
}

/// Told in two imports, so that who came first is not who wrote first.
fn told(events: &[Event], assertions: &[Assertion]) -> Store {
    let store = Store::open_in_memory_with(options()).unwrap();
    store.ingest(&recording(), events.iter().cloned()).unwrap();
    for assertion in assertions {
        drop(store.assert(assertion, now()));
    }
    store
}

fn retain(store: &Store, rules: &Retention, batch: usize) -> Retained {
    let options = RetainOptions { now: now(), batch };
    store.retain(rules, options, |_| ControlFlow::Continue(())).unwrap()
}

/// Every id that means somebody today, or is told to be gone; what people said may have made one
/// mean nobody.
fn sound(store: &Store) -> BTreeSet<CustomerId> {
    let (all, lost) = (ids(store), dangling(store, &ids(store)));
    all.into_iter().filter(|id| !lost.contains(id)).collect()
}

/// Every id that the feed has ever told of.
fn ids(store: &Store) -> BTreeSet<CustomerId> {
    let mut ids = BTreeSet::new();
    for record in store.changes(0, 100_000).unwrap() {
        match record.change {
            Change::Created { customer }
            | Change::Dissolved { customer }
            | Change::Erased { customer } => {
                ids.insert(customer);
            }
            Change::Merged { from, into }
            | Change::Split { from, into }
            | Change::Renamed { from, into } => ids.extend([from, into]),
            Change::Moved { from, to, .. } => ids.extend(from.into_iter().chain(to)),
            other => panic!("{other:?}"),
        }
    }
    ids
}

/// Whether each of these ids means one customer, or is told to be gone.
fn dangling(store: &Store, ids: &BTreeSet<CustomerId>) -> Vec<CustomerId> {
    let is_lost = |id: &CustomerId| {
        let found = store.find(&Who::Customer(*id)).unwrap();
        (found.customers.len() == 1) == found.is_erased
    };
    ids.iter().copied().filter(is_lost).collect()
}

fn some_rules() -> impl Strategy<Value = Retention> {
    select(vec![
        "[[rule]]\nkeep = \"2 months\"",
        "[[rule]]\nkeep = \"0 days\"",
        "[[rule]]\nchannel = \"phone\"\nkeep = \"forever\"\n[[rule]]\nkeep = \"1 month\"",
        "[[rule]]\nchannel = \"chat\"\nkeep = \"30 days\"\n[[rule]]\nkind = \"mess*\"\nkeep = \"8 months\"",
        "[[rule]]\nkind = \"order.*\"\nkeep = \"1 day\"",
    ])
    .prop_map(rules)
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn what_is_over_was_never_seen_and_does_not_come_back(
        (events, assertions) in asserted_world(16), rules in some_rules(), batch in select(vec![1, 3, 10_000]),
    ) {
        let store = told(&events, &assertions);
        let ids_before = sound(&store);
        let customers = store.customers(None, 1_000).unwrap();
        let in_force = Assertions::new(store.assertions().unwrap());
        let is_kept = |event: &Event| {
            let is_over = rules.is_over(&event.kind.name(), &event.channel.name(), event.occurred_at, now());
            !is_over || in_force.names(Observation::of(TENANT, event).id)
        };
        let others: Vec<Event> = events.iter().filter(|event| is_kept(event)).cloned().collect();
        let n_over = u64::try_from(events.len() - others.len()).unwrap();
        let keeps = |id: &CustomerId| {
            let page = store.timeline(&Who::Customer(*id), &TimelineQuery::new().limit(1_000), None);
            let mut events = page.unwrap().events.into_iter();
            events.any(|it| is_kept(&it) && !Observation::of(TENANT, &it).claims.is_empty())
        };
        let keepers: BTreeSet<CustomerId> = customers.iter().copied().filter(keeps).collect();

        let preview = store.retention_preview(&rules, now()).unwrap();
        prop_assert_eq!(preview.events, n_over);
        prop_assert_eq!(preview.due.iter().map(|due| due.events).sum::<u64>(), n_over);
        prop_assert_eq!(keys(&store).len(), events.len(), "a preview changes nothing");
        let done = retain(&store, &rules, batch);
        prop_assert_eq!((done.events, done.revisions), (n_over, n_over));
        prop_assert_eq!(store.retention_preview(&rules, now()).unwrap().events, 0);
        let check = store.check().unwrap();
        prop_assert!(check.is_clean(), "{:#?}", check.problems);

        let expected: BTreeSet<String> = others.iter().map(|event| event.key.to_string()).collect();
        prop_assert_eq!(keys(&store), expected);
        let never = told(&others, &store.assertions().unwrap());
        prop_assert_eq!(answers_but_for_sources(&store, now()), answers_but_for_sources(&never, now()));
        prop_assert_eq!(dangling(&store, &ids_before), Vec::new());
        let gone = customers.iter().filter(|id| store.find(&Who::Customer(**id)).unwrap().is_erased);
        // Of those who keep a record that names somebody, that record may be nobody's by itself.
        let gone = gone.filter(|id| !keepers.contains(id));
        // A customer may fall apart between two batches.
        if batch > events.len() {
            prop_assert_eq!(u64::try_from(gone.count()).unwrap(), preview.customers);
            prop_assert_eq!(done.customers, preview.customers);
        }

        // Nothing of it comes back, whenever the records are said to be recorded.
        let again = store.ingest(&recording(), events.iter().cloned()).unwrap();
        prop_assert_eq!((again.new, again.conflict, again.revised), (0, 0, 0));
        prop_assert!(again.expired >= n_over);
        prop_assert_eq!(answers_but_for_sources(&store, now()), answers_but_for_sources(&never, now()));

        // The facts, moved, are the same store: rules in force, ids, answers.
        let mut lines = Vec::new();
        store.export_facts(&mut lines).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (moved, report) = Store::import_facts(lines.as_slice(), folder.path().join("moved.cx")).unwrap();
        prop_assert_eq!((report.rejected, report.taken.retentions), (0, 1), "{:?}", report.problems);
        prop_assert_eq!(answers_but_for_sources(&moved, now()), answers_but_for_sources(&store, now()));
        prop_assert_eq!(moved.retentions().unwrap(), store.retentions().unwrap());
        prop_assert_eq!(dangling(&moved, &ids_before), Vec::new());
        let again = moved.ingest(&recording(), events.iter().cloned()).unwrap();
        prop_assert_eq!(again.new, 0);
    }

    #[test]
    fn an_id_whose_record_went_stays_with_its_customer_until_that_is_erased_too(
        events in world(16), rules in some_rules(),
    ) {
        let store = told(&events, &[]);
        let ids_before = sound(&store);
        retain(&store, &rules, 2);
        for customer in store.customers(None, 1_000).unwrap() {
            let means = |id: &&CustomerId| {
                store.find(&Who::Customer(**id)).unwrap().customers.first().map(|it| it.id) == Some(customer)
            };
            let names: Vec<CustomerId> = ids_before.iter().filter(means).copied().collect();
            // Who hung on somebody who was erased before may be somebody else by now.
            if store.erase(&Who::Customer(customer), EraseMode::Delete, now()).is_err() {
                continue;
            }
            prop_assert_eq!(dangling(&store, &ids_before), Vec::new());
            for id in names {
                prop_assert!(store.find(&Who::Customer(id)).unwrap().is_erased, "{}", id);
            }
        }
        let check = store.check().unwrap();
        prop_assert!(check.is_clean(), "{:#?}", check.problems);
    }

    #[test]
    fn looser_rules_let_the_same_records_in_again(
        (events, assertions) in asserted_world(16), batch in select(vec![2, 10_000]),
    ) {
        let store = told(&events, &assertions);
        let ids_before = sound(&store);
        retain(&store, &rules("[[rule]]\nkeep = \"1 month\""), batch);
        retain(&store, &Retention::default(), batch);
        store.ingest(&recording(), events.iter().cloned()).unwrap();
        prop_assert_eq!(keys(&store).len(), events.len());
        prop_assert_eq!(answers_but_for_sources(&store, now()), answers_but_for_sources(&told(&events, &store.assertions().unwrap()), now()));
        let check = store.check().unwrap();
        prop_assert!(check.is_clean(), "{:#?}", check.problems);
        prop_assert_eq!(dangling(&store, &ids_before), Vec::new());
    }
}

#[test]
fn a_retention_that_was_stopped_leaves_a_whole_store_and_the_next_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("company.cx");
    let store = Store::open_with(&path, options()).unwrap();
    let events: Vec<Event> = (0..300_i64)
        .map(|n| {
            let mail = format!("email p{}@example.org", n % 40);
            let event = story::message(&format!("m/{n}"), n * 2_000, "chat", "", &[&mail]);
            story::in_conversation(event, &format!("c{}", n % 25))
        })
        .collect();
    store.ingest(&recording(), events.clone()).unwrap();
    let rules = rules("[[rule]]\nkeep = \"6 months\"");
    let due = store.retention_preview(&rules, now()).unwrap();
    assert!(due.events > 100, "{due:?}");
    let options = RetainOptions { now: now(), batch: 20 };
    let mut batches = 0;
    let half = store
        .retain(&rules, options, |so_far| {
            batches += 1;
            // Between two batches others read and write.
            assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
            assert_eq!(so_far.events, batches * 20);
            let new = story::message(&format!("new/{batches}"), 520_000, "chat", "", &[]);
            store.ingest(&recording(), [new]).unwrap();
            if batches == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(half.events, 60);
    assert_eq!(store.ingest(&recording(), events).unwrap().new, 0);
    drop(store);
    let store = Store::open_with(&path, self::options()).unwrap();
    let rest = retain(&store, &rules, 20);
    assert_eq!(half.events + rest.events, due.events);
    let n = u64::try_from(keys(&store).len()).unwrap();
    assert_eq!(n, 300 - due.events + 3);
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    assert_eq!(store.retention().unwrap(), Some(rules));
    assert_eq!(store.retentions().unwrap().len(), 2);
}

#[test]
fn the_first_rule_that_covers_a_record_decides_and_the_preview_tells_which() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let message = |key: &str, channel: &str| {
        story::message(key, 0, channel, "Jan de Vries", &["email jan@example.nl"])
    };
    store
        .ingest(&recording(), [message("a", "phone"), message("b", "chat"), message("c", "sms")])
        .unwrap();
    let rules = rules(
        "[[rule]]\nchannel = \"phone\"\nkeep = \"7 years\"\n\
         [[rule]]\nkind = \"message\"\nchannel = \"chat\"\nkeep = \"6 months\"\n\
         [[rule]]\nkeep = \"11 months\"\n",
    );
    let preview = store.retention_preview(&rules, now()).unwrap();
    assert_eq!((preview.events, preview.customers, preview.kept_named), (2, 0, 0));
    assert_eq!(preview.idle, Vec::new());
    let misspelt = self::rules(
        "[[rule]]\nkind = \"MESSAGE\"\nkeep = \"1 day\"\n\
         [[rule]]\nkind = \"mess*\"\nchannel = \"chat\"\nkeep = \"1 day\"\n",
    );
    let idle = store.retention_preview(&misspelt, now()).unwrap().idle;
    assert_eq!(idle, misspelt.rules[..1]);
    let told: Vec<String> =
        preview.due.iter().map(|due| format!("{} {} {}", due.rule, due.kind, due.events)).collect();
    assert_eq!(told, ["message on chat: 6 months message 1", "everything: 11 months message 1"]);
    assert_eq!(preview.due[0].oldest, story::monday());
    retain(&store, &rules, 10);
    assert_eq!(keys(&store), BTreeSet::from(["a".to_owned()]));
}

#[test]
fn a_record_goes_when_all_its_revisions_are_over() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let revision = |key: &str, rev: &str, minutes: i64| {
        let mut event = story::message(key, minutes, "chat", "", &["email jan@example.nl"]);
        event.rev = Some(rev.to_owned());
        event
    };
    let late = 500_000;
    let all = [
        revision("a", "1", 0),
        revision("a", "2", 1),
        revision("b", "1", late),
        revision("b", "2", 0),
    ];
    store.ingest(&recording(), all.clone()).unwrap();
    let rules = rules("[[rule]]\nkeep = \"6 months\"");
    let preview = store.retention_preview(&rules, now()).unwrap();
    assert_eq!((preview.events, preview.revisions, preview.kept_revised), (1, 2, 1));
    retain(&store, &rules, 10);
    assert_eq!(keys(&store), BTreeSet::from(["b".to_owned()]));
    assert_eq!(store.check().unwrap().events, 2);
    store.ingest(&recording(), all).unwrap();
    assert_eq!(store.check().unwrap().events, 2);
}

#[test]
fn a_revision_of_a_record_that_is_kept_comes_in_however_old_it_is() {
    let revision = |rev: &str, minutes: i64, text: &str| {
        let mut event = story::message("k", minutes, "chat", "", &["email jan@example.nl"]);
        event.rev = Some(rev.to_owned());
        event.body = Some(cx_core::event::Body::text(text));
        event
    };
    let rules = rules("[[rule]]\nkeep = \"6 months\"");
    let (new, old) = (revision("1", 500_000, "card 4111"), revision("2", 0, "card gone"));
    let after = Store::open_in_memory_with(options()).unwrap();
    after.ingest(&recording(), [new.clone(), old.clone()]).unwrap();
    retain(&after, &rules, 10);
    let between = Store::open_in_memory_with(options()).unwrap();
    between.ingest(&recording(), [new.clone()]).unwrap();
    retain(&between, &rules, 10);
    assert_eq!(between.ingest(&recording(), [old.clone()]).unwrap().revised, 1);
    let before = Store::open_in_memory_with(options()).unwrap();
    retain(&before, &rules, 10);
    assert_eq!(before.ingest(&recording(), [old, new]).unwrap().expired, 0);
    for store in [after, between, before] {
        let shown = store.events().next().unwrap().unwrap();
        assert_eq!(shown.body.unwrap().text, "card gone");
        assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn what_people_said_keeps_the_record_it_was_said_of_until_it_is_revoked() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let old = story::message("old", 0, "phone", "", &["phone 06 12345678"]);
    let call = story::message("call", 500_000, "phone", "", &["phone 06 12345678"]);
    let mail = story::message("mail", 500_000, "email", "", &["email jan@example.nl"]);
    store.ingest(&recording(), [old.clone(), call, mail.clone()]).unwrap();
    let subject = |event: &Event| Subject::Observation(Observation::of(TENANT, event).id);
    let said = |verdict| Assertion {
        verdict,
        by: "agent:7".to_owned(),
        reason: None,
        at: story::monday(),
    };
    let same = store.assert(&said(Verdict::Same(subject(&old), subject(&mail))), now()).unwrap();
    let rules = rules("[[rule]]\nkeep = \"6 months\"");
    let preview = store.retention_preview(&rules, now()).unwrap();
    assert_eq!((preview.events, preview.kept_named), (0, 1));
    assert_eq!(retain(&store, &rules, 10).events, 0);
    assert_eq!(store.counts().unwrap(), (1, 3), "the merge holds");
    store.assert(&said(Verdict::Revoke(same.id)), now()).unwrap();
    assert_eq!(retain(&store, &rules, 10).events, 1);
    assert_eq!(store.counts().unwrap(), (2, 2));
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

/// A record of this kind on this channel, of one customer in one conversation.
fn of_kind(key: &str, minutes: i64, channel: &str, kind: &str, data: &str) -> Event {
    let mut event = story::message(key, minutes, channel, "", &["email jan@example.nl"]);
    event.kind = Kind::from_json(kind, serde_json::from_str(data).unwrap()).unwrap();
    if !matches!(kind, "message" | "note" | "voicemail") {
        event.body = None;
    }
    story::in_conversation(event, "chat/1")
}

fn consents(store: &Store) -> Vec<(String, String)> {
    let who = Who::parse("jan@example.nl", None).unwrap();
    let context = store.context(&who, &ContextOptions::at(now())).unwrap();
    let context: serde_json::Value = serde_json::from_str(&context.to_json()).unwrap();
    let of = |it: &serde_json::Value, field: &str| it[field].as_str().unwrap_or("").to_owned();
    let all = context["consent"].as_array().cloned().unwrap_or_default();
    all.iter().map(|it| (of(it, "purpose"), of(it, "state"))).collect()
}

#[test]
fn what_takes_something_back_stays_as_long_as_that() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let yes = r#"{"purpose": "marketing", "on": "email", "state": "granted"}"#;
    let all = [
        of_kind("yes", 0, "web", "consent.changed", yes),
        of_kind("no", 1, "email", "mail.unsubscribed", r#"{"mail_id": "m1"}"#),
        of_kind("m", 2, "chat", "message", r#"{"message_id": "<m@chat>"}"#),
        of_kind("edit", 3, "email", "message.edited", r#"{"target": "m"}"#),
        of_kind("redaction", 4, "email", "message.redacted", r#"{"target": "<m@chat>"}"#),
        of_kind("elsewhere", 4, "email", "message.redacted", r#"{"target": "old"}"#),
        of_kind("old", 4, "email", "message", "{}"),
        of_kind("closed", 5, "email", "conversation.status", r#"{"to": "closed"}"#),
        of_kind("tag", 6, "email", "conversation.tagged", r#"{"tags": ["a"]}"#),
        of_kind("promise", 7, "chat", "callback.promised", "{}"),
        of_kind("call", 8, "email", "callback.done", "{}"),
        of_kind("order", 9, "web", "order.placed", r#"{"order_id": "1"}"#),
        of_kind("cancelled", 10, "email", "order.cancelled", r#"{"order_id": "1"}"#),
    ];
    store.ingest(&recording(), all).unwrap();
    let before = consents(&store);
    assert!(before.iter().all(|(_, state)| state == "denied") && !before.is_empty(), "{before:?}");
    let rules = rules("[[rule]]\nchannel = \"email\"\nkeep = \"6 months\"");
    let preview = store.retention_preview(&rules, now()).unwrap();
    assert_eq!((preview.events, preview.kept_corrects), (3, 6), "{preview:?}");
    assert_eq!(retain(&store, &rules, 1).events, 3);
    let left: Vec<String> = keys(&store).into_iter().collect();
    let stay = ["call", "cancelled", "closed", "edit", "m", "no", "order", "promise", "redaction"];
    assert_eq!(left, [&stay[..], &["yes"]].concat());
    assert_eq!(consents(&store), before);
    assert!(store.who_is_waiting(now()).unwrap().is_empty());
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    // With what they take back they go.
    let rules = self::rules("[[rule]]\nkeep = \"6 months\"");
    assert_eq!(store.retention_preview(&rules, now()).unwrap().kept_corrects, 0);
    assert_eq!(retain(&store, &rules, 1).events, 10);
}

#[test]
fn what_takes_something_back_comes_in_before_that() {
    let rules = rules(
        "[[rule]]\nkind = \"message.*\"\nkeep = \"1 month\"\n\
         [[rule]]\nkind = \"mail.*\"\nkeep = \"1 month\"\n\
         [[rule]]\nkind = \"conversation.*\"\nkeep = \"1 month\"\n[[rule]]\nkeep = \"9 months\"",
    );
    let yes = r#"{"purpose": "marketing", "on": "email", "state": "granted"}"#;
    let minutes = 300_000;
    let later = [
        of_kind("m", minutes, "chat", "message", "{}"),
        of_kind("yes", minutes, "web", "consent.changed", yes),
    ];
    let earlier = [
        of_kind("redaction", minutes + 1, "chat", "message.redacted", r#"{"target": "m"}"#),
        of_kind("no", minutes + 1, "email", "mail.unsubscribed", r#"{"mail_id": "m1"}"#),
        of_kind("closed", minutes + 2, "chat", "conversation.status", r#"{"to": "closed"}"#),
        // What it names may be of any time.
        of_kind("old", 0, "chat", "message.redacted", r#"{"target": "a"}"#),
        // Of this nothing could be left.
        of_kind("older", 0, "email", "mail.unsubscribed", r#"{"mail_id": "m2"}"#),
    ];
    let store = Store::open_in_memory_with(options()).unwrap();
    retain(&store, &rules, 1);
    let report = store.ingest(&recording(), earlier).unwrap();
    assert_eq!((report.new, report.expired), (4, 1));
    store.ingest(&recording(), later).unwrap();
    for gone in [1, 0] {
        assert!(store.search(&SearchQuery::new("message")).unwrap().is_empty());
        assert!(consents(&store).iter().all(|(_, state)| state == "denied"));
        assert!(store.who_is_waiting(now()).unwrap().is_empty());
        // And there they stay, but for what takes nothing back.
        assert_eq!(retain(&store, &rules, 1).events, gone);
    }
    assert_eq!(keys(&store).len(), 5);
}

/// What happened to one customer in one conversation: words on a consent, messages and what became
/// of them, and whether it is closed; each at its instant, on its channel.
fn taking_back() -> impl Strategy<Value = Vec<Event>> {
    let what = select(vec![
        ("consent.changed", r#"{"purpose": "marketing", "on": "email", "state": "granted"}"#),
        ("consent.changed", r#"{"purpose": "marketing", "on": "email", "state": "denied"}"#),
        ("mail.unsubscribed", r#"{"mail_id": "m"}"#),
        ("message", "{}"),
        ("message", r#"{"message_id": "<m>"}"#),
        ("message.redacted", r#"{"target": "0"}"#),
        ("message.deleted", r#"{"target": "1"}"#),
        ("message.redacted", r#"{"target": "<m>"}"#),
        ("message.redacted", r#"{"target": "m"}"#),
        ("note", "{}"),
        ("voicemail", "{}"),
        ("conversation.status", r#"{"to": "closed"}"#),
        ("conversation.deleted", "{}"),
    ]);
    let one = (what, select(vec!["email", "chat", "web"]), 0..500_000_i64);
    proptest::collection::vec(one, 2..8).prop_map(|mut all| {
        all.sort_by_key(|(_, _, minutes)| *minutes);
        let event = |(n, ((kind, data), channel, minutes)): (usize, _)| {
            of_kind(&n.to_string(), minutes, channel, kind, data)
        };
        all.into_iter().enumerate().map(event).collect()
    })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn nothing_that_was_taken_back_holds_again_after_a_retention(
        (events, order) in taking_back().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        batch in select(vec![1, 10_000]),
        rules in select(vec![
            "[[rule]]\nchannel = \"email\"\nkeep = \"6 months\"",
            "[[rule]]\nchannel = \"email\"\nkeep = \"1 month\"\n[[rule]]\nchannel = \"chat\"\nkeep = \"8 months\"",
            "[[rule]]\nkind = \"message.*\"\nkeep = \"1 day\"\n[[rule]]\nkind = \"message\"\nkeep = \"9 months\"",
            "[[rule]]\nkind = \"conversation.*\"\nkeep = \"1 day\"",
            "[[rule]]\nkind = \"message*\"\nkeep = \"1 day\"",
            "[[rule]]\nkind = \"message.redacted\"\nkeep = \"1 day\"",
            "[[rule]]\nkind = \"mail.*\"\nkeep = \"1 day\"\n[[rule]]\nkind = \"consent.*\"\nkeep = \"7 months\"",
        ]).prop_map(rules),
    ) {
        let store = told(&events, &[]);
        let hits = |store: &Store| -> BTreeSet<String> {
            let hits = store.search(&SearchQuery::new("message")).unwrap().into_iter();
            hits.map(|hit| hit.event.to_string()).collect()
        };
        let (consents_before, hits_before) = (consents(&store), hits(&store));
        let waiting_before = store.who_is_waiting(now()).unwrap().len();
        let due = store.retention_preview(&rules, now()).unwrap();
        prop_assert_eq!(retain(&store, &rules, batch).events, due.events);
        prop_assert_eq!(store.retention_preview(&rules, now()).unwrap().events, 0);
        let is_granted = |all: &[(String, String)]| all.iter().any(|(_, state)| state == "granted");
        prop_assert!(is_granted(&consents_before) || !is_granted(&consents(&store)));
        let appeared: Vec<String> = hits(&store).difference(&hits_before).cloned().collect();
        prop_assert_eq!(appeared, Vec::<String>::new());
        prop_assert!(store.who_is_waiting(now()).unwrap().len() <= waiting_before);
        // With the rules in force first, all of it comes in as well, told at once.
        let other = Store::open_in_memory_with(options()).unwrap();
        retain(&other, &rules, batch);
        other.ingest(&recording(), events).unwrap();
        prop_assert!(keys(&other).is_superset(&keys(&store)), "{:?} {:?}", keys(&other), keys(&store));
        // Nor one by one, in whatever order.
        let other = Store::open_in_memory_with(options()).unwrap();
        retain(&other, &rules, batch);
        for event in order {
            other.ingest(&recording(), [event]).unwrap();
        }
        prop_assert!(is_granted(&consents_before) || !is_granted(&consents(&other)));
        prop_assert!(hits(&other).is_subset(&hits_before), "{:?} {:?}", hits(&other), hits_before);
        prop_assert!(other.who_is_waiting(now()).unwrap().len() <= waiting_before);
        prop_assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn a_blank_stays_as_long_as_what_it_blanks() {
    for pinned in [false, true] {
        let store = Store::open_in_memory_with(options()).unwrap();
        let said = |key: &str, minutes: i64, kind: &str, data: &str| {
            let mut event = of_kind(key, minutes, "web", kind, data);
            event.conversation = None;
            event
        };
        let mut named = said("m", if pinned { 3 } else { 1 }, "message", "{}");
        named.name = Some("Jan de Vries".to_owned());
        let data = format!(r#"{{"blanks": ["name"], "pinned": {pinned}}}"#);
        let mut blank = said("b", 2, "profile.updated", &data);
        if pinned {
            blank.actor = Actor::of(ActorType::Agent);
        }
        let other = said("p", 2, "profile.updated", r#"{"language": "nl"}"#);
        store.ingest(&recording(), [named, blank.clone(), other]).unwrap();
        let jan = Who::parse("jan@example.nl", None).unwrap();
        let name = |store: &Store| {
            let context = store.context(&jan, &ContextOptions::at(now())).unwrap();
            context.customer.unwrap().name
        };
        assert_eq!(name(&store), None, "{pinned}");
        let rules = rules("[[rule]]\nkind = \"profile.*\"\nkeep = \"30 days\"");
        let preview = store.retention_preview(&rules, now()).unwrap();
        assert_eq!((preview.events, preview.kept_corrects), (1, 1), "{pinned}");
        retain(&store, &rules, 1);
        assert_eq!(name(&store), None, "{pinned}");
        // In the other order, too.
        let store = Store::open_in_memory_with(options()).unwrap();
        retain(&store, &rules, 1);
        assert_eq!(store.ingest(&recording(), [blank]).unwrap().new, 1, "{pinned}");
    }
}

#[test]
fn a_correction_goes_with_the_message_whenever_it_is_looked_and_in_whatever_batch() {
    let rules = rules("[[rule]]\nkeep = \"6 months\"");
    let mut deleted = of_kind("d", 2, "chat", "message.deleted", r#"{"target": "x"}"#);
    deleted.who.clear();
    let mut all = vec![
        of_kind("x", 0, "chat", "message", r#"{"message_id": "<x>"}"#),
        of_kind("e", 1, "chat", "message.edited", r#"{"target": "<x>"}"#),
        deleted,
        of_kind("y", 500_000, "chat", "message", "{}"),
    ];
    all.extend((0..20).map(|n| {
        story::message(&format!("o/{n}"), 1, "chat", "", &[&format!("email o{n}@example.nl")])
    }));
    for batch in [1, 3, 10_000] {
        let store = told(&all, &[]);
        let due = store.retention_preview(&rules, now()).unwrap();
        assert_eq!((due.events, due.kept_corrects), (23, 0));
        assert_eq!(retain(&store, &rules, batch).events, 23);
        assert_eq!(keys(&store), BTreeSet::from(["y".to_owned()]));
    }
    // Also where the message went by an earlier run.
    let store = told(&all, &[]);
    let then = now() - Micros::DAY.times(180);
    let early = self::rules("[[rule]]\nkind = \"message\"\nkeep = \"1 day\"");
    let options = RetainOptions { now: then, batch: 10 };
    store.retain(&early, options, |_| ControlFlow::Continue(())).unwrap();
    retain(&store, &rules, 10);
    assert_eq!(keys(&store), BTreeSet::from(["y".to_owned()]));
}

#[test]
fn a_no_stays_as_long_as_a_yes_of_whoever_is_reached_there() {
    let word = |key: &str, minutes: i64, channel: &str, who: &str, state: &str| {
        let claims = ["email fam@example.nl", who];
        let mut event = story::message(key, minutes, channel, who, &claims);
        let data = serde_json::json!({"purpose": "marketing", "state": state});
        let data = data.as_object().unwrap().clone();
        event.kind = Kind::from_json("consent.changed", data).unwrap();
        event.who.first_mut().unwrap().shared = true;
        event
    };
    let yes = word("yes", 0, "web", "user_id 1", "granted");
    let no = word("no", 1, "phone", "user_id 2", "denied");
    let stays = story::message("m", 2, "web", "user_id 2", &["user_id 2"]);
    let rules = rules("[[rule]]\nchannel = \"phone\"\nkeep = \"6 months\"");
    let store = told(&[yes.clone(), no.clone(), stays], &[]);
    assert_eq!(store.counts().unwrap().0, 2);
    let preview = store.retention_preview(&rules, now()).unwrap();
    assert_eq!((preview.events, preview.kept_corrects), (0, 1));
    // A yes takes nothing back.
    let again = word("again", 2, "phone", "user_id 1", "granted");
    let store = told(&[yes, no, again.clone()], &[]);
    let preview = store.retention_preview(&rules, now()).unwrap();
    assert_eq!((preview.events, preview.kept_corrects), (1, 1));
    retain(&store, &rules, 1);
    assert_eq!(store.ingest(&recording(), [again]).unwrap().expired, 1);
}

#[test]
fn what_ends_a_conversation_comes_in_before_what_is_said_in_it_later() {
    let rules = rules("[[rule]]\nkeep = \"8 months\"");
    for kind in ["conversation.spam", "conversation.deleted"] {
        let mut end = of_kind("end", 1, "api", kind, "{}");
        end.who.clear();
        let later = of_kind("later", 500_000, "email", "message", "{}");
        for all in [[end.clone(), later.clone()], [later, end]] {
            let store = Store::open_in_memory_with(options()).unwrap();
            retain(&store, &rules, 1);
            for event in all {
                store.ingest(&recording(), [event]).unwrap();
            }
            assert!(store.who_is_waiting(now()).unwrap().is_empty(), "{kind}");
        }
    }
}

#[test]
fn conversations_that_only_an_old_record_brought_together_fall_apart_with_it() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let mail = |key: &str, minutes: i64, conversation: &str, alias: Option<&str>| {
        let event = story::message(key, minutes, "email", "", &["email jan@example.nl"]);
        let mut event = story::in_conversation(event, conversation);
        if let Some(conversation) = &mut event.conversation {
            conversation.aliases.extend(alias.map(|alias| alias.parse().unwrap()));
        }
        event
    };
    let new = [mail("b", 500_000, "mail/1", None), mail("c", 500_000, "mail/2", None)];
    store.ingest(&recording(), [mail("a", 0, "mail/1", Some("mail/2"))]).unwrap();
    store.ingest(&recording(), new).unwrap();
    assert_eq!(store.conversations(now()).unwrap().len(), 1);
    retain(&store, &rules("[[rule]]\nkeep = \"6 months\""), 10);
    assert_eq!(store.conversations(now()).unwrap().len(), 2);
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

const SECRETS: &[&str] = &["zebedeus", "quackenbush", "swordfish", "marmalade", "zq-4711"];

fn found(folder: &Path) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap().to_ascii_lowercase();
        for secret in SECRETS {
            if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                found.insert(*secret);
            }
        }
    }
    found
}

#[test]
fn after_retention_and_compaction_no_byte_of_what_was_over_is_left_in_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("company.cx"), options()).unwrap();
    for round in 0..6_i64 {
        let mut batch = Vec::new();
        for n in 0..80_i64 {
            let (key, mail) = (format!("o/{round}/{n}"), format!("email p{n}@example.org"));
            batch.push(story::message(&key, 500_000 + n, "email", "Piet Prins", &[&mail]));
        }
        let claims = ["email zebedeus@example.org", "phone 06 12349876"];
        let mut old = story::message(
            &format!("zq-4711/{round}"),
            round,
            "email",
            "Zebedeus Quackenbush",
            &claims,
        );
        old.body = Some(cx_core::event::Body::text("the swordfish"));
        old.extra.insert("note".to_owned(), "marmalade".into());
        batch.push(story::in_conversation(old, "mail/zq-4711"));
        store.ingest(&recording(), batch).unwrap();
    }
    assert_eq!(found(folder.path()).len(), SECRETS.len());
    assert_eq!(store.search(&SearchQuery::new("swordfish")).unwrap().len(), 6);
    let done = retain(&store, &rules("[[rule]]\nkeep = \"6 months\""), 4);
    assert_eq!((done.events, done.customers, done.compacted_at), (6, 1, None));
    assert!(store.search(&SearchQuery::new("swordfish")).unwrap().is_empty());
    store.compact(now()).unwrap();
    assert_eq!(found(folder.path()), BTreeSet::new());
    assert_eq!(store.retentions().unwrap()[0].compacted_at, Some(now()));
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    drop(store);
    assert_eq!(found(folder.path()), BTreeSet::new(), "closed");
}

#[test]
fn a_retention_that_went_on_after_a_compaction_is_not_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let old = ["a", "b"]
        .map(|name| story::message(name, 0, "email", "", &[&format!("email {name}@example.nl")]));
    store.ingest(&recording(), old).unwrap();
    let after_batch = |so_far: &Retained| {
        if so_far.events == 1 {
            store.compact(now()).unwrap();
        }
        ControlFlow::Continue(())
    };
    let options = RetainOptions { now: now(), batch: 1 };
    let done = store.retain(&rules("[[rule]]\nkeep = \"6 months\""), options, after_batch).unwrap();
    assert_eq!((done.events, done.compacted_at), (2, None));
}

#[test]
fn what_a_model_told_of_a_record_goes_with_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let profile = |key: &str, mail: &str| {
        let data = serde_json::json!({
            "name": "Zebedeus Quackenbush", "birth_date": "1980-02-03",
            "address": {"street": "Swordfish 12", "postcode": "1234 AB", "city": "Utrecht"},
        });
        let mut event = story::message(key, 0, "email", "", &[mail]);
        event.kind = Kind::from_json("profile.updated", data.as_object().unwrap().clone()).unwrap();
        event
    };
    let new = |key: &str, mail: &str| story::message(key, 500_000, "email", "", &[mail]);
    let mut all: Vec<Event> = (0..20)
        .map(|n| {
            let (key, mail) = (format!("o/{n}"), format!("email o{n}@example.nl"));
            story::message(&key, 500_000, "email", &format!("Person {n}"), &[&mail])
        })
        .collect();
    all.extend([new("a", "email eva1@example.nl"), new("b", "email eva2@example.org")]);
    store.ingest(&recording(), all).unwrap();
    let profiles = [profile("c", "email eva1@example.nl"), profile("d", "email eva2@example.org")];
    store.ingest(&Recording::new(now(), "test"), profiles).unwrap();
    store.propose(&ProposeOptions::new(Model::shipped()), now()).unwrap();
    assert_eq!(store.proposals(10).unwrap().len(), 1);
    retain(&store, &rules("[[rule]]\nkind = \"profile.*\"\nkeep = \"6 months\""), 10);
    assert_eq!(store.proposals(10).unwrap().len(), 0);
    store.compact(now()).unwrap();
    assert_eq!(found(folder.path()), BTreeSet::new());
}

#[test]
fn a_redaction_stays_whether_or_not_it_writes_the_brackets_of_the_id() {
    for (id, target) in [("<a@x>", "a@x"), ("a@x", "<a@x>"), ("<a@x>", "<a@x>")] {
        let message = format!(r#"{{"message_id": "{id}"}}"#);
        let redaction = format!(r#"{{"target": "{target}"}}"#);
        let all = [
            of_kind("m", 0, "chat", "message", &message),
            of_kind("r", 1, "chat", "message.redacted", &redaction),
        ];
        let rules = rules("[[rule]]\nkind = \"message.redacted\"\nkeep = \"30 days\"");
        let store = told(&all, &[]);
        assert_eq!(retain(&store, &rules, 1).events, 0, "{id} {target}");
        assert!(store.search(&SearchQuery::new("message")).unwrap().is_empty(), "{id} {target}");
    }
}

#[test]
fn what_was_bought_did_not_arrive_or_is_no_longer_blocked_stays_so() {
    let bare = |key: &str, minutes: i64, channel: &str, kind: &str, data: &str| {
        let mut event = of_kind(key, minutes, channel, kind, data);
        event.conversation = None;
        event
    };
    let mut answer = of_kind("answer", 3, "chat", "message", "{}");
    answer.direction = cx_core::event::Direction::Out;
    answer.actor = Actor::of(ActorType::Agent);
    let lines = r#"{"cart_id": "ca", "lines": [{"sku": "a", "name": "A", "quantity": 1}]}"#;
    let all = [
        bare("cart", 0, "web", "cart.updated", lines),
        bare("order", 1, "email", "order.placed", r#"{"order_id": "1", "cart_id": "ca"}"#),
        of_kind("asked", 2, "chat", "message", "{}"),
        answer,
        of_kind("failed", 4, "email", "message.failed", r#"{"target": "answer"}"#),
        bare("blocked", 5, "web", "profile.updated", r#"{"blocked": true}"#),
        bare("free", 6, "email", "profile.updated", r#"{"blocked": false}"#),
    ];
    let rules = rules("[[rule]]\nchannel = \"email\"\nkeep = \"30 days\"");
    let store = told(&all, &[]);
    assert_eq!(retain(&store, &rules, 1).events, 0);
    // With what they take back they go.
    let rules = self::rules("[[rule]]\nkeep = \"30 days\"");
    assert_eq!(retain(&store, &rules, 1).events, 7);
}
