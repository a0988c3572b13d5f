//! Everything about one person: what is told of them is what the store tells.

use std::collections::BTreeSet;

use cx_core::event::Body;
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::ids::CustomerId;
use cx_store::{Change, ChangeRecord, Recording, Store, StoreOptions};
use cx_tests::story;
use cx_tests::strategies::{TENANT, asserted_world, cases};
use proptest::prelude::*;

/// Whom an entry of the feed names.
fn named(change: &Change) -> Vec<CustomerId> {
    match change {
        Change::Merged { from, into }
        | Change::Renamed { from, into }
        | Change::Split { from, into } => vec![*from, *into],
        Change::Created { customer }
        | Change::Dissolved { customer }
        | Change::Erased { customer } => vec![*customer],
        Change::Moved { from, to, .. } => from.iter().chain(to).copied().collect(),
        other => panic!("{other:?}"),
    }
}

fn is_by_model(said: &Assertion) -> bool {
    matches!(said.verdict, Verdict::Probable(..))
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn what_became_of_a_person_is_told_as_the_feed_tells_it((events, said) in asserted_world(30)) {
        let options = StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() };
        let store = Store::open_in_memory_with(options).unwrap();
        let (first, rest) = events.split_at(events.len() / 2);
        for part in [rest, first] {
            store.ingest(&Recording::new(story::monday(), "test"), part.to_vec()).unwrap();
        }
        for said in &said {
            // What names nothing that is there is refused, and not said.
            drop(store.assert(said, said.at));
        }
        // What only a model links is told of nobody.
        prop_assume!(!said.iter().any(is_by_model));
        let feed = store.changes(0, usize::MAX).unwrap();
        let all: BTreeSet<CustomerId> = feed.iter().flat_map(|it| named(&it.change)).collect();
        for id in store.customers(None, 1_000).unwrap() {
            let export = store.export(&Who::Customer(id), story::monday()).unwrap();
            let means = |id: &CustomerId| {
                let found = store.find(&Who::Customer(*id)).unwrap();
                found.customers.first().map(|it| it.id) == Some(export.customer)
            };
            let theirs: BTreeSet<CustomerId> = all.iter().copied().filter(means).collect();
            let told = feed.iter().filter(|it| named(&it.change).iter().any(|id| theirs.contains(id)));
            prop_assert_eq!(&export.changes, &told.cloned().collect::<Vec<ChangeRecord>>());
            let former = export.former_ids.into_iter().chain([export.customer]).collect();
            prop_assert_eq!(theirs, former);
        }
    }
}

#[test]
fn who_was_once_merged_and_parted_again_is_told_nothing_of_the_other() {
    let store = Store::open_in_memory().unwrap();
    let mut jan = story::message("jan", 0, "email", "", &["email jan@example.nl"]);
    jan = story::in_conversation(jan, "t1");
    let mut eva = story::message("eva", 1, "email", "", &["email eva@example.nl"]);
    eva.extra.insert("note".to_owned(), "a secret".into());
    eva.body = Some(Body::text("I am eva@example.nl, not jan@example.nl"));
    eva = story::in_conversation(eva, "t1");
    store.ingest(&Recording::new(story::monday(), "test"), [jan, eva]).unwrap();
    let who = |name: &str| Who::parse(&format!("{name}@example.nl"), None).unwrap();
    let side = |name: &str| match who(name) {
        Who::Identifier(it) => Subject::Identifier(it),
        Who::Customer(_) => panic!("{name}"),
    };
    let say = |verdict: Verdict| {
        let reason = Some("eva@example.nl said so".to_owned());
        let said = Assertion { verdict, by: "agent:7".to_owned(), reason, at: story::monday() };
        store.assert(&said, story::monday()).unwrap().id
    };
    let same = say(Verdict::Same(side("jan"), side("eva")));
    say(Verdict::Revoke(same));
    let ids = ["jan", "eva"].map(|name| store.find(&who(name)).unwrap().customers[0].id);
    for (name, id, other) in [("jan", ids[0], "eva"), ("eva", ids[1], "jan")] {
        let export = store.export(&who(name), story::monday()).unwrap();
        assert_eq!(export.customer, id, "{name}");
        assert!(export.former_ids.is_empty(), "{name}: {:?}", export.former_ids);
        let kinds: Vec<&str> = export.assertions.iter().map(|it| it.kind.as_str()).collect();
        assert_eq!(kinds.len(), 2, "{name}: {kinds:?}");
        assert!(kinds.contains(&"revoke"), "{name}");
        let told = serde_json::to_string(&(&export.assertions, &export.conversations)).unwrap();
        assert!(!told.contains(&format!("{other}@example.nl")), "{name}: {told}");
        assert!(!told.contains("a secret"), "{name}: {told}");
    }
}

#[test]
fn a_person_is_given_neither_the_addresses_of_others_nor_what_they_took_back() {
    let store = Store::open_in_memory().unwrap();
    let said = |key: &str, minutes: i64, claims: &[&str], text: &str| {
        let mut event = story::message(key, minutes, "email", "", claims);
        event.body = Some(Body::text(text));
        story::in_conversation(event, "t1")
    };
    let mut jan = said("jan", 0, &["email jan@example.nl", "phone +31611112222 ?"], "I am Jan");
    let mut copy = story::claim("email truus@private.example").unwrap();
    copy.role = cx_core::identifier::Role::Cc;
    jan.who.push(copy);
    let piet = said("piet", 1, &["email piet@example.nl"], "write to piet@example.nl");
    let secret = said("secret", 2, &["email piet@example.nl"], "it is hunter2");
    let mut redaction = said("r", 3, &[], "");
    redaction.kind = cx_core::event::Kind::from_json(
        "message.redacted",
        serde_json::json!({"target": "secret"}).as_object().unwrap().clone(),
    )
    .unwrap();
    redaction.body = None;
    let mut kees = story::message(
        "kees",
        4,
        "phone",
        "Kees Geheim",
        &["phone +31611112222", "email kees@secret.example"],
    );
    kees.who.rotate_left(1);
    store
        .ingest(&Recording::new(story::monday(), "test"), [jan, piet, secret, redaction, kees])
        .unwrap();
    let who = Who::parse("jan@example.nl", None).unwrap();
    let export = store.export(&who, story::monday() + cx_core::time::Micros::DAY).unwrap();
    let told = serde_json::to_string(&export).unwrap();
    for secret in ["truus@", "piet@", "hunter2", "Kees Geheim"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    assert!(told.contains("jan@example.nl") && told.contains("write to [somebody else]"));
}
