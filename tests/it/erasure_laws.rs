//! The law of erasure (DESIGN.md 2, law 9; IDENTITY.md P5): who was erased was never seen, does
//! not come back, and is in no byte of any file.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::context::ContextOptions;
use cx_core::event::{Body, Direction, Event, Kind, TimeOrigin};
use cx_core::identifier::{Assurance, Claim, Role, Who};
use cx_core::identity::{Assertion, Policy, Subject, Verdict};
use cx_core::retention::Retention;
use cx_core::time::{Micros, Timestamp};
use cx_store::{
    Change, EraseMode, Recording, RetainOptions, SearchQuery, Store, StoreOptions, TimelineQuery,
};
use cx_tests::asking::{answers_but_for_sources, keys};
use cx_tests::story;
use cx_tests::strategies::{TENANT, asserted_world, cases};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

fn options() -> StoreOptions {
    StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() }
}

fn now() -> Timestamp {
    "2029-01-01T00:00:00Z".parse().unwrap()
}

fn recording() -> Recording {
    Recording::new(now(), "test")
}

fn told(events: &[Event], assertions: &[Assertion]) -> Store {
    let store = Store::open_in_memory_with(options()).unwrap();
    store.ingest(&recording(), events.iter().cloned()).unwrap();
    for assertion in assertions {
        drop(store.assert(assertion, now()));
    }
    store
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn p5_who_was_deleted_was_never_seen_and_does_not_come_back(
        (events, assertions) in asserted_world(20), of in any::<Index>(),
    ) {
        let store = told(&events, &assertions);
        let customers = store.customers(None, 1_000).unwrap();
        prop_assume!(!customers.is_empty());
        for customer in &customers {
            let who = Who::Customer(*customer);
            let all = store.timeline(&who, &TimelineQuery::new().limit(1_000), None).unwrap();
            let found = store.find(&who).unwrap();
            prop_assert_eq!(found.customers[0].n_events, u64::try_from(all.events.len()).unwrap());
        }
        let who = Who::Customer(customers[of.index(customers.len())]);
        prop_assert!(store.anchor(&who).unwrap().is_some());
        let erased = store.erase(&who, EraseMode::Delete, now()).unwrap();
        prop_assert_eq!(store.anchor(&who).unwrap(), None);
        let check = store.check().unwrap();
        prop_assert!(check.is_clean(), "{:#?}", check.problems);
        prop_assert!(store.find(&who).unwrap().is_erased);
        let last = store.changes(0, usize::MAX).unwrap();
        let is_told = |change: &cx_store::ChangeRecord| {
            matches!(change.change, Change::Erased { customer } if customer == erased.customer)
        };
        prop_assert!(last.iter().any(is_told), "{last:#?}");

        let left = keys(&store);
        prop_assert_eq!(events.len() - left.len(), usize::try_from(erased.events).unwrap());
        let others: Vec<Event> =
            events.iter().filter(|event| left.contains(event.key.as_str())).cloned().collect();
        let never = told(&others, &store.assertions().unwrap());
        let (after, without) = (answers_but_for_sources(&store, now()), answers_but_for_sources(&never, now()));
        for (one, other) in after.iter().zip(&without) {
            let at = one.bytes().zip(other.bytes()).position(|(a, b)| a != b).unwrap_or(0);
            let around = |text: &str| text.get(at.saturating_sub(150)..text.len().min(at + 150)).map(str::to_owned);
            prop_assert_eq!(around(one), around(other));
        }
        prop_assert_eq!(after.len(), without.len());

        let again = store.ingest(&recording(), events.iter().cloned()).unwrap();
        prop_assert_eq!(again.suppressed, erased.events);
        prop_assert_eq!((again.new, again.conflict), (0, 0));
        prop_assert_eq!(answers_but_for_sources(&store, now()), answers_but_for_sources(&never, now()));
    }

    #[test]
    fn who_became_anonymous_keeps_the_counts_and_nothing_else(
        (events, assertions) in asserted_world(20), of in any::<Index>(),
    ) {
        let store = told(&events, &assertions);
        let customers = store.customers(None, 1_000).unwrap();
        prop_assume!(!customers.is_empty());
        let who = Who::Customer(customers[of.index(customers.len())]);
        let n_open = store.conversations(now()).unwrap().len();
        let erased = store.erase(&who, EraseMode::Anonymise, now()).unwrap();
        let check = store.check().unwrap();
        prop_assert!(check.is_clean(), "{:#?}", check.problems);
        prop_assert!(store.find(&who).unwrap().is_erased);
        prop_assert_eq!(keys(&store).len(), events.len());
        // A conversation that others are in too is counted for both.
        prop_assert!(store.conversations(now()).unwrap().len() >= n_open);
        let mut times: Vec<Timestamp> = store.events().map(|event| event.unwrap().occurred_at).collect();
        let mut before: Vec<Timestamp> = events.iter().map(|event| event.occurred_at).collect();
        times.sort();
        before.sort();
        prop_assert_eq!(times, before);
        let again = store.ingest(&recording(), events.iter().cloned()).unwrap();
        prop_assert_eq!(again.suppressed, erased.events);
    }
}

const SECRETS: &[&str] = &[
    "zebedeus",
    "quackenbush",
    "31612349876",
    "12349876",
    "swordfish",
    "kumquat",
    "zq-4711",
    "marmalade",
];

/// Which secrets stand in any file of a folder, as they are, in UTF-16, or in other case.
fn found(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap().to_ascii_lowercase();
        for secret in SECRETS {
            if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                let name = path.extension().unwrap_or_default().to_string_lossy().into_owned();
                found.insert(format!("{secret} in {name}"));
            }
        }
    }
    found
}

/// A company of a few hundred people, and somebody whose name is secret: mailed, called, merged,
/// searched, revised, answered, mentioned by others.
fn company(folder: &Path) -> Store {
    let store = Store::open_with(folder.join("company.cx"), options()).unwrap();
    let secret = |key: &str, minutes: i64, channel: &str, claims: &[&str]| {
        let mut event = story::message(key, minutes, channel, "Zebedeus Quackenbush", claims);
        event.body = Some(Body::text(format!("the swordfish kumquat {key}")));
        event.extra.insert("note".to_owned(), "marmalade".into());
        event
    };
    for round in 0..6_i64 {
        let mut batch = Vec::new();
        for n in 0..80_i64 {
            let (key, mail) = (format!("o/{round}/{n}"), format!("email p{n}@example.org"));
            let mut event = story::message(&key, round * 100 + n, "email", "Piet Prins", &[&mail]);
            event.body = Some(Body::text(format!("message {n} of {round}")));
            batch.push(event);
        }
        let key = format!("s/mail/{round}");
        batch.push(story::in_conversation(
            secret(&key, round * 100, "email", &["email zebedeus@quackenbush.example"]),
            "mail/zq-4711@quackenbush.example",
        ));
        batch.push(secret(
            &format!("s/call/{round}"),
            round * 100 + 1,
            "phone",
            &["phone 06 12349876"],
        ));
        store.ingest(&recording(), batch).unwrap();
    }
    // Somebody else is told of the address, in a text and as a copy.
    let mut mention =
        story::message("o/mention", 900, "email", "Eva Bakker", &["email eva@example.org"]);
    mention.body = Some(Body::text("Please ask Zebedeus@Quackenbush.example about it"));
    store.ingest(&recording(), [mention]).unwrap();
    // One record is told anew, and one was somebody else's at first.
    let mut revised = secret("s/mail/2", 200, "email", &["email zebedeus@quackenbush.example"]);
    revised.rev = Some("2".to_owned());
    let mut corrected =
        story::message("o/0/3", 3, "email", "Piet Prins", &["email p3@example.org"]);
    corrected.rev = Some("3".to_owned());
    let mut wrong = secret("o/0/4", 4, "email", &["email zebedeus@quackenbush.example"]);
    wrong.rev = Some("1".to_owned());
    let mut right = story::message("o/0/4", 4, "email", "Piet Prins", &["email p4@example.org"]);
    right.rev = Some("2".to_owned());
    store.ingest(&recording(), [revised, corrected, wrong, right]).unwrap();
    // Mail and telephone are one person because somebody says so, and was wrong once.
    let by = |address: &str| {
        store
            .anchor(&Who::parse(address, Some("NL")).unwrap())
            .unwrap()
            .map(Subject::Observation)
            .unwrap()
    };
    let said = |verdict: Verdict, minutes: i64| Assertion {
        verdict,
        by: "agent:7".to_owned(),
        reason: Some("zebedeus said so".to_owned()),
        at: story::monday() + Micros::MINUTE.times(minutes),
    };
    let (mail, phone, other) =
        (by("zebedeus@quackenbush.example"), by("06 12349876"), by("p7@example.org"));
    let wrong = store.assert(&said(Verdict::Same(mail.clone(), other), 1), now()).unwrap();
    store.assert(&said(Verdict::Revoke(wrong.id), 2), now()).unwrap();
    store.assert(&said(Verdict::Same(mail, phone), 3), now()).unwrap();
    assert_eq!(store.search(&SearchQuery::new("swordfish")).unwrap().len(), 12);
    store
}

#[test]
fn after_erasure_and_compaction_no_byte_of_the_person_is_left_in_any_file() {
    let zebedeus = Who::parse("zebedeus@quackenbush.example", None).unwrap();
    for mode in [EraseMode::Delete, EraseMode::Anonymise] {
        let folder = tempfile::tempdir().unwrap();
        let store = company(folder.path());
        // The oracle sees what is there.
        let before = found(folder.path());
        assert!(SECRETS.iter().all(|s| before.iter().any(|f| f.starts_with(s))), "{before:?}");
        let erased = store.erase(&zebedeus, mode, now()).unwrap();
        assert_eq!(
            (erased.events, erased.blacked_out, erased.compacted_at),
            (12, 1, None),
            "{erased:?}"
        );
        assert!(store.search(&SearchQuery::new("swordfish")).unwrap().is_empty());
        assert!(store.context(&zebedeus, &ContextOptions::at(now())).unwrap().customer.is_none());
        let compaction = store.compact(now()).unwrap();
        assert_eq!(compaction.erasures.len(), 1);
        assert!(store.erasures().unwrap()[0].compacted_at.is_some());
        assert_eq!(found(folder.path()), BTreeSet::new(), "{mode:?}");
        let check = store.check().unwrap();
        assert!(check.is_clean(), "{:#?}", check.problems);
        drop(store);
        assert_eq!(found(folder.path()), BTreeSet::new(), "{mode:?}, closed");
    }
}

#[test]
fn a_certificate_tells_what_went_and_that_nothing_is_left_and_holds_none_of_it() {
    let zebedeus = Who::parse("zebedeus@quackenbush.example", None).unwrap();
    for mode in [EraseMode::Delete, EraseMode::Anonymise] {
        let folder = tempfile::tempdir().unwrap();
        let store = company(folder.path());
        let certificate = store.erase_for_good(&zebedeus, mode, now()).unwrap();
        assert!(certificate.is_clean(), "{certificate}");
        let size = fs::metadata(folder.path().join("company.cx")).unwrap().len();
        assert_eq!((certificate.bytes_after, certificate.search.files["company.cx"]), (size, size));
        // The address and the number, as they are kept and as they were written.
        assert!(certificate.search.strings >= 3, "{certificate}");
        assert_eq!(certificate.search.part_of_others, 0);
        assert_eq!(certificate.erasure.compacted_at, Some(now()));
        let rows = certificate.rows.get("event").copied();
        // 12 records, one of them with two revisions, and one that was somebody else's at first.
        let expected = if mode == EraseMode::Delete { Some(14) } else { Some(2) };
        assert_eq!(rows, expected, "{mode:?}");
        let json = serde_json::to_string(&certificate).unwrap();
        for text in [certificate.to_string(), json] {
            let text = text.to_ascii_lowercase();
            assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
        }
        assert_eq!(found(folder.path()), BTreeSet::new());
    }
}

fn who(value: &str) -> Who {
    Who::parse(value, None).unwrap()
}

fn is_sound(store: &Store) {
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

#[test]
fn a_longer_value_of_somebody_else_is_left_alone_and_is_no_trace() {
    for (own, other) in [
        ("email an@example.nl", "email jan@example.nl"),
        ("email an@example.nl", "email x.an@example.nl"),
        ("phone +49891234567", "phone +498912345678"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
        let mut of_other = story::message("other", 1, "email", "", &[other]);
        of_other.body = Some(Body::text(format!("I am {other}, not {own}.")));
        store
            .ingest(&recording(), [story::message("own", 0, "email", "", &[own]), of_other])
            .unwrap();
        let value = |claim: &str| claim.split_once(' ').unwrap().1.to_owned();
        let certificate =
            store.erase_for_good(&who(&value(own)), EraseMode::Delete, now()).unwrap();
        assert!(certificate.is_clean(), "{certificate}");
        assert_eq!((certificate.search.strings, certificate.search.part_of_others), (1, 1));
        assert_eq!(certificate.erasure.blacked_out, 1);
        is_sound(&store);
        let found = store.find(&who(&value(other))).unwrap();
        assert_eq!(found.customers.len(), 1, "{other}");
        let text = store.events().next().unwrap().unwrap().body.unwrap().text;
        assert_eq!(text, format!("I am {other}, not {} [erased].", own.split_once(' ').unwrap().0));
    }
}

/// An event of Jan's that has this address in one of the fields that name things.
fn named(field: &str, address: &str) -> Event {
    let mut event = story::message("other", 1, "email", "", &["email jan@example.nl"]);
    let text = || address.to_owned();
    match field {
        "rev" => event.rev = Some(text()),
        "name" => event.name = Some(format!("Jan {address}")),
        "source" => event.source.instance = text(),
        "channel" => event.channel = Channel::Other(text()),
        "actor" => event.actor.name = Some(text()),
        "who" => event.who.extend(story::claim(&format!("user_id {address}"))),
        "key" => event.key = format!("jan/{address}").parse().unwrap(),
        other => {
            assert_eq!(other, "conversation");
            event = story::in_conversation(event, &format!("mail/<{address}>"));
        }
    }
    event
}

#[test]
fn what_names_things_of_others_stays_and_the_certificate_says_where() {
    for field in ["conversation", "rev", "name", "source", "channel", "actor", "who", "key"] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
        let own = story::message("own", 0, "email", "", &["email eva@example.nl"]);
        let mut other = named(field, "eva@example.nl");
        other.body = Some(Body::text("from eva@example.nl"));
        store.ingest(&recording(), [own, other.clone()]).unwrap();
        let certificate =
            store.erase_for_good(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
        assert!(!certificate.is_clean() && certificate.search.hits > 0, "{field}: {certificate}");
        let erasure = &certificate.erasure;
        assert_eq!((erasure.blacked_out, erasure.left_in.get(field)), (1, Some(&1)), "{field}");
        assert!(certificate.to_string().contains(&format!("still in:     {field} of 1 that")));
        other.body = Some(Body::text("from [erased]"));
        assert_eq!(store.events().next().unwrap().unwrap(), other, "{field}");
        is_sound(&store);
    }
}

#[test]
fn who_was_in_copy_of_what_others_wrote_is_so_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let own = story::message("own", 0, "email", "", &["email eva@example.nl"]);
    let mut other = story::message("other", 1, "email", "", &["email jan@example.nl"]);
    let mut copy = story::claim("email Eva@Example.nl").unwrap();
    copy.role = Role::Cc;
    other.who.push(copy);
    store.ingest(&recording(), [own, other]).unwrap();
    let certificate =
        store.erase_for_good(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
    assert!(certificate.is_clean(), "{certificate}");
    assert_eq!(store.events().next().unwrap().unwrap().who.len(), 1);
    is_sound(&store);
}

#[test]
fn an_address_of_an_older_revision_goes_like_the_one_of_today() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let revision = |rev: &str, claim: &str| {
        let mut event = story::message("k", 0, "email", "", &[claim]);
        event.rev = Some(rev.to_owned());
        event
    };
    let mut other = story::message("other", 1, "email", "", &["email jan@example.nl"]);
    other.body = Some(Body::text("old.eva@example.nl is new.eva@example.nl"));
    let (old, new) =
        (revision("1", "email old.eva@example.nl"), revision("2", "email new.eva@example.nl"));
    store.ingest(&recording(), [old, other]).unwrap();
    store.ingest(&recording(), [new]).unwrap();
    let certificate =
        store.erase_for_good(&who("new.eva@example.nl"), EraseMode::Delete, now()).unwrap();
    assert!(certificate.is_clean() && certificate.search.strings == 2, "{certificate}");
    let text = store.events().next().unwrap().unwrap().body.unwrap().text;
    assert_eq!(text, "[erased] is [erased]");
    let back = story::message("back", 2, "email", "", &["email old.eva@example.nl"]);
    assert_eq!(store.ingest(&recording(), [back]).unwrap().suppressed, 1);
    is_sound(&store);
}

#[test]
fn what_is_written_otherwise_in_json_is_found_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let address = "Kerkstraat \"De Dom\" 12\nUtrecht";
    let claims = ["email eva@example.nl", &format!("address {address}")];
    let own = story::message("own", 0, "email", "", &claims);
    let mut other = story::message("other", 1, "email", "", &["email jan@example.nl"]);
    other.body = Some(Body::text(format!("Send it to {address}.")));
    store.ingest(&recording(), [own, other]).unwrap();
    let certificate =
        store.erase_for_good(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
    assert!(certificate.is_clean() && certificate.search.strings >= 2, "{certificate}");
    let text = store.events().next().unwrap().unwrap().body.unwrap().text;
    assert_eq!(text, "Send it to [erased].");
}

#[test]
fn a_number_over_two_lines_and_an_address_under_another_name_of_its_provider_go_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let claims = ["email jan.devries@gmail.com", "phone +31612345678"];
    let own = story::message("own", 0, "email", "", &claims);
    let others =
        ["06 1234\n5678", "06\t12345678", "+31 6\r\n12345678", "Jan.deVries@googlemail.com"];
    let others = others.iter().zip(1..).map(|(written, n)| {
        let key = format!("other-{n}");
        let mut other = story::message(&key, n, "email", "", &["email eva@example.nl"]);
        other.body = Some(Body::text(format!("Call {written}.")));
        other
    });
    store.ingest(&recording(), std::iter::once(own).chain(others)).unwrap();
    let certificate =
        store.erase_for_good(&who("jan.devries@gmail.com"), EraseMode::Delete, now()).unwrap();
    assert!(certificate.is_clean(), "{certificate}");
    for event in store.events() {
        assert_eq!(event.unwrap().body.unwrap().text, "Call [erased].");
    }
}

#[test]
fn where_there_is_nothing_to_look_for_nothing_is_proved() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let visit = story::message("visit", 0, "web", "", &["cookie 5f3a9c"]);
    store.ingest(&recording(), [visit]).unwrap();
    let certificate =
        store.erase_for_good(&who("cookie:5f3a9c"), EraseMode::Delete, now()).unwrap();
    assert_eq!((certificate.search.strings, certificate.is_clean()), (0, false));
    assert!(certificate.to_string().contains("nothing is proved"), "{certificate}");
}

#[test]
fn the_files_beside_the_one_that_a_link_points_at_are_searched() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real.cx"), folder.path().join("elsewhere"));
    drop(Store::open(&real).unwrap());
    fs::create_dir(&link).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&real, link.join("a.cx")).unwrap();
    #[cfg(not(unix))]
    return;
    let store = Store::open(link.join("a.cx")).unwrap();
    let own = story::message("own", 0, "email", "", &["email eva@example.nl"]);
    store.ingest(&recording(), [own]).unwrap();
    let certificate =
        store.erase_for_good(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
    assert!(certificate.search.files.contains_key("real.cx-wal"), "{certificate}");
}

#[test]
fn whoever_keeps_a_record_that_was_an_erased_persons_first_is_named_after_what_is_left() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let at = |days| Recording::new(story::monday() + Micros::DAY.times(days), "test");
    let mut first = story::message("k", 0, "email", "", &["email eva@example.nl"]);
    first.rev = Some("1".to_owned());
    let mut then = story::message("k", 0, "email", "", &["email jan@example.nl"]);
    then.rev = Some("2".to_owned());
    let own = story::message("own", 0, "email", "", &["email eva@example.nl"]);
    let between = story::message("m", 0, "email", "", &["email jan@example.nl"]);
    store.ingest(&at(0), [first, own]).unwrap();
    store.ingest(&at(1), [between]).unwrap();
    store.ingest(&at(2), [then]).unwrap();
    store.erase(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
    is_sound(&store);
}

#[test]
fn why_others_were_said_to_be_one_is_told_without_the_person_and_can_still_be_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let mails = ["eva", "jan", "j", "x"]
        .map(|name| story::message(name, 0, "email", "", &[&format!("email {name}@example.nl")]));
    store.ingest(&recording(), mails).unwrap();
    let anchor = |name: &str| Subject::Observation(store.anchor(&who(name)).unwrap().unwrap());
    let said = |verdict: Verdict, minutes: i64| Assertion {
        verdict,
        by: "agent:7".to_owned(),
        reason: Some("eva@example.nl told us".to_owned()),
        at: story::monday() + Micros::MINUTE.times(minutes),
    };
    let same = Verdict::Same(anchor("jan@example.nl"), anchor("j@example.nl"));
    let wrong = Verdict::Same(anchor("jan@example.nl"), anchor("x@example.nl"));
    store.assert(&said(same, 1), now()).unwrap();
    let wrong = store.assert(&said(wrong, 2), now()).unwrap();
    store.assert(&said(Verdict::Revoke(wrong.id), 3), now()).unwrap();
    let certificate =
        store.erase_for_good(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
    assert!(certificate.is_clean(), "{certificate}");
    let left = store.assertions().unwrap();
    assert_eq!(left.len(), 3);
    assert!(left.iter().all(|it| it.reason.as_deref() == Some("[erased] told us")), "{left:?}");
    assert_eq!(store.counts().unwrap().0, 2, "the merge holds, and so does the revocation");
    is_sound(&store);
    store.assert(&said(Verdict::Revoke(left[0].id()), 4), now()).unwrap();
    assert_eq!(store.counts().unwrap().0, 3);
    is_sound(&store);
}

#[test]
fn what_becomes_anonymous_stays_whatever_rules_of_retention_say() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let mails = ["eva", "jan"]
        .map(|name| story::message(name, 0, "email", "", &[&format!("email {name}@example.nl")]));
    store.ingest(&recording(), mails).unwrap();
    let anchor = |name: &str| Subject::Observation(store.anchor(&who(name)).unwrap().unwrap());
    let verdict = Verdict::Different(anchor("eva@example.nl"), anchor("jan@example.nl"));
    let said = Assertion { verdict, by: "agent:7".to_owned(), reason: None, at: story::monday() };
    store.assert(&said, now()).unwrap();
    let rules = Retention::read("[[rule]]\nkeep = \"1 month\"").unwrap();
    let options = RetainOptions::at(now());
    store.retain(&rules, options, |_| ControlFlow::Continue(())).unwrap();
    store.erase(&who("eva@example.nl"), EraseMode::Anonymise, now()).unwrap();
    assert_eq!(keys(&store).len(), 2);
}

#[test]
fn what_happens_after_an_erasure_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = company(folder.path());
    let zebedeus = Who::parse("zebedeus@quackenbush.example", None).unwrap();
    let erased_at = now();
    store.erase(&zebedeus, EraseMode::Delete, erased_at).unwrap();
    let mail = |key: &str, at: Timestamp| {
        let claims = ["email zebedeus@quackenbush.example"];
        let mut event = story::message(key, 0, "email", "Zebedeus Quackenbush", &claims);
        event.occurred_at = at;
        event
    };
    let old = store.ingest(&recording(), [mail("other/export", story::monday())]).unwrap();
    assert_eq!((old.new, old.suppressed, old.total()), (0, 1, 1));
    let new = store.ingest(&recording(), [mail("new", erased_at + Micros::DAY)]).unwrap();
    assert_eq!((new.new, new.suppressed), (1, 0));
    assert_eq!(store.find(&zebedeus).unwrap().customers.len(), 1);
}

#[test]
fn what_a_record_that_was_spoken_of_said_before_is_left_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.cx");
    let store = Store::open(&path).unwrap();
    let at = |seconds| now() + Micros::SECOND.times(seconds);
    let before = story::message("k", 0, "email", "Rosa Blom", &["email rosa.before@example.nl"]);
    let other = story::message("l", 1, "email", "", &["email piet@example.nl"]);
    store.ingest(&recording(), [before, other]).unwrap();
    let anchor = |address: &str| {
        let who = Who::parse(address, None).unwrap();
        Subject::Observation(store.anchor(&who).unwrap().unwrap())
    };
    // The record gets a home of its own, and the bundle under which it arrived is kept for it.
    let verdict = Verdict::Same(anchor("rosa.before@example.nl"), anchor("piet@example.nl"));
    let said = Assertion { verdict, by: "eva".to_owned(), reason: None, at: at(1) };
    store.assert(&said, at(1)).unwrap();
    let mut after = story::message("k", 0, "email", "Rosa Roos", &["email rosa.after@example.nl"]);
    after.rev = Some("2".to_owned());
    store.ingest(&Recording::new(at(2), "test"), [after]).unwrap();
    let rosa = Who::parse("rosa.after@example.nl", None).unwrap();
    let certificate = store.erase_for_good(&rosa, EraseMode::Delete, at(3)).unwrap();
    assert!(certificate.is_clean());
    assert!(store.check().unwrap().is_clean());
    drop(store);
    let bytes = fs::read(&path).unwrap().to_ascii_lowercase();
    for word in ["rosa.before", "rosa.after", "blom"] {
        let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!found, "{word} is left");
    }
}

/// Somebody else's event in which a person stands in odd places, and the person's own.
fn odd_places(folder: &Path, name: &str) -> Store {
    let store = Store::open(folder.join(name)).unwrap();
    let own = story::message("own", 0, "phone", "", &["phone +31612345678"]);
    let mut other = story::message("other", 1, "email", "Piet", &["email piet@example.nl"]);
    let odd = serde_json::json!({"seen": {"+31612345678": 1}, "from": ["+31612345678 called"]});
    other.extra.clone_from(odd.as_object().unwrap());
    store.ingest(&recording(), [own, other]).unwrap();
    store
}

#[test]
fn a_person_is_blacked_out_wherever_others_wrote_it_down_compressed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    for (name, is_compressed) in [("plain.cx", false), ("compressed.cx", true)] {
        let store = odd_places(folder.path(), name);
        if is_compressed {
            store.compress().unwrap();
        }
        let who = Who::parse("+31612345678", None).unwrap();
        let certificate = store.erase_for_good(&who, EraseMode::Delete, now()).unwrap();
        assert_eq!((certificate.search.hits, certificate.erasure.blacked_out), (0, 1), "{name}");
        let left = store.events().next().unwrap().unwrap();
        let extra = serde_json::to_string(&left.extra).unwrap();
        assert_eq!(extra, r#"{"from":["[erased] called"],"seen":{"[erased]":1}}"#, "{name}");
        assert!(store.check().unwrap().is_clean(), "{name}");
    }
}

#[test]
fn one_spoilt_event_keeps_nobody_from_being_erased() {
    let folder = tempfile::tempdir().unwrap();
    let store = odd_places(folder.path(), "shop.cx");
    let spoilt = story::message("spoilt", 2, "email", "", &["email eva@example.nl"]);
    store.ingest(&recording(), [spoilt]).unwrap();
    store.compress().unwrap();
    let path = store.path().to_owned();
    drop(store);
    let spoil = "UPDATE event SET packed = CAST(substr(packed, 1, length(packed) - 3) AS BLOB)
                 WHERE key = 'spoilt'";
    assert_eq!(rusqlite::Connection::open(&path).unwrap().execute(spoil, []).unwrap(), 1);
    let store = Store::open(&path).unwrap();
    let who = Who::parse("+31612345678", None).unwrap();
    assert_eq!(store.erase(&who, EraseMode::Delete, now()).unwrap().blacked_out, 1);
    let done = store.decompress().unwrap();
    assert_eq!(done.events, 1, "the spoilt one stays as it is");
}

/// A revision of a record, about these.
fn revision(rev: &str, claims: &[&str], text: &str) -> Event {
    let mut event = story::message("t", 1, "email", "", claims);
    event.rev = Some(rev.to_owned());
    event.body = Some(Body::text(text));
    event
}

/// The texts of all revisions that are kept of somebody's records.
fn texts_of(store: &Store, address: &str) -> Vec<String> {
    let export = store.export(&who(address), now()).unwrap();
    export.events.iter().map(|it| it.event["body"]["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_revision_that_was_taken_out_of_somebody_elses_record_does_not_come_back() {
    for first in [&["order shop:o1"][..], &["cookie c9"], &["phone 12 34", "order shop:o1"]] {
        let store = Store::open_in_memory_with(options()).unwrap();
        let claims = [&["email eva@example.nl"], first].concat();
        let all = [
            story::message("own", 0, "email", "", &claims),
            revision("1", first, "Eva's secret"),
            revision("2", &["email jan@example.nl"], "moved to Jan"),
        ];
        store.ingest(&recording(), all.clone()).unwrap();
        store.erase(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
        assert_eq!(texts_of(&store, "jan@example.nl"), ["moved to Jan"], "{first:?}");
        let again = store.ingest(&recording(), all).unwrap();
        assert_eq!((again.suppressed, again.duplicate, again.revised), (2, 1, 0), "{first:?}");
        assert_eq!(texts_of(&store, "jan@example.nl"), ["moved to Jan"], "{first:?}");
        // What the source has corrected since is another revision.
        let new = revision("3", &["email jan@example.nl"], "moved to Jan for good");
        assert_eq!(store.ingest(&recording(), [new]).unwrap().revised, 1);
        is_sound(&store);
    }
}

#[test]
fn what_others_wrote_in_a_conversation_of_the_person_stays_theirs_in_all_revisions() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let own = story::message("own", 0, "email", "", &["email eva@example.nl", "order shop:o1"]);
    let first = revision("1", &["email jan@example.nl", "order shop:o1"], "I agree");
    let all = [
        story::in_conversation(own, "chat/1"),
        story::in_conversation(first, "chat/1"),
        story::in_conversation(revision("2", &["email jan@example.nl"], "moved"), "chat/2"),
    ];
    store.ingest(&recording(), all).unwrap();
    store.erase(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
    assert_eq!(texts_of(&store, "jan@example.nl"), ["I agree", "moved"]);
    is_sound(&store);
}

#[test]
fn a_value_that_the_policy_names_stays_there_and_the_certificate_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let own = story::message("own", 0, "email", "", &["email eva@example.nl", "user_id u1"]);
    store.ingest(&recording(), [own]).unwrap();
    let policy = Policy::read("blocked = [\"email:eva@example.nl\"]").unwrap();
    store.set_policy(&policy, now()).unwrap();
    let certificate =
        store.erase_for_good(&who("user_id:acme:u1"), EraseMode::Delete, now()).unwrap();
    assert!(!certificate.is_clean() && certificate.search.hits > 0, "{certificate}");
    assert_eq!(certificate.erasure.left_in.get("policy"), Some(&1), "{certificate}");
}

#[test]
fn an_id_that_only_the_past_gave_out_is_told_to_be_gone() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let all = (0..20).map(|n| story::message(&format!("{n}"), n, "web", "", &["cookie c1"]));
    store.ingest(&recording(), all).unwrap();
    let ids: BTreeSet<_> = (0..20)
        .map(|n| {
            let options = ContextOptions::at(story::monday() + Micros::MINUTE.times(n));
            let context = store.context(&who("cookie:c1"), &options).unwrap();
            context.customer.unwrap().id
        })
        .collect();
    assert!(ids.len() > 1, "{ids:?}");
    store.erase(&who("cookie:c1"), EraseMode::Delete, now()).unwrap();
    for id in &ids {
        assert!(store.find(&who(id)).unwrap().is_erased, "{id}");
    }
    is_sound(&store);
}

/// How others write Zebedeus's number and address.
const SPELLINGS: &[&str] = &[
    "0612349876",
    "06-1234 9876",
    "(06) 12 34 98 76",
    "+31 6 12349876",
    "0031612349876",
    "+31 (0)6 1234 9876",
    "wa.me/31612349876",
    "tel:+31-6-12349876",
    "JOSÉ.ÜNAL@MÜLLER.EXAMPLE",
    "josé.ünal@müller.example",
    "jose\u{301}.u\u{308}nal@mu\u{308}ller.example",
    "josé.ünal@xn--mller-kva.example",
    "https://example.org/?to=jos%C3%A9.%C3%BCnal%40m%C3%BCller.example&n=1",
];

#[test]
fn a_person_is_blacked_out_and_looked_for_in_every_spelling() {
    for is_compressed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
        let claims = ["email José.Ünal@müller.example", "phone 06-1234 9876"];
        let mut all = vec![story::message("own", 0, "email", "", &claims)];
        for (n, text) in SPELLINGS.iter().enumerate() {
            let key = format!("other/{n}");
            let mut other = story::message(&key, 1, "email", "", &["email jan@example.nl"]);
            other.body = Some(Body::text(format!("ask {text} about it")));
            other.extra.insert("link".to_owned(), (*text).into());
            all.push(other);
        }
        store.ingest(&recording(), all).unwrap();
        if is_compressed {
            store.compress().unwrap();
        }
        let certificate =
            store.erase_for_good(&who("+31612349876"), EraseMode::Delete, now()).unwrap();
        assert!(certificate.is_clean(), "{certificate}");
        assert_eq!(certificate.erasure.blacked_out, u64::try_from(SPELLINGS.len()).unwrap());
        for event in store.events() {
            let text = event.unwrap().body.unwrap().text;
            assert!(text.contains("[erased]"), "{text}");
            assert!(!text.contains("12") && !text.to_lowercase().contains("nal"), "{text}");
        }
        is_sound(&store);
    }
}

#[test]
fn the_certificate_finds_every_spelling_that_is_left_in_what_names_things() {
    for text in SPELLINGS {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
        let claims = ["email José.Ünal@müller.example", "phone 06-1234 9876"];
        let own = story::message("own", 0, "email", "", &claims);
        let mut other = story::message("other", 1, "email", "", &["email jan@example.nl"]);
        other.name = Some(format!("Jan {text}"));
        store.ingest(&recording(), [own, other]).unwrap();
        let certificate =
            store.erase_for_good(&who("+31612349876"), EraseMode::Delete, now()).unwrap();
        assert!(certificate.search.hits > 0, "{text}: {certificate}");
        assert_eq!(certificate.erasure.left_in.get("name"), Some(&1), "{text}");
    }
}

#[test]
fn what_others_say_anew_of_the_person_is_blacked_out_as_it_was() {
    for text in SPELLINGS {
        let store = Store::open_in_memory_with(options()).unwrap();
        let claims = ["email José.Ünal@müller.example", "phone 06-1234 9876"];
        let own = story::message("own", 0, "email", "", &claims);
        let other = |rev: &str| {
            let words = format!("ask {text} about it");
            let mut other = revision(rev, &["email jan@example.nl"], &words);
            let mut copy = story::claim("email josé.ünal@müller.example").unwrap();
            copy.role = Role::Cc;
            other.who.push(copy);
            other
        };
        store.ingest(&recording(), [own, other("1")]).unwrap();
        store.erase(&who("+31612349876"), EraseMode::Delete, now()).unwrap();
        let report = store.ingest(&recording(), [other("1"), other("2")]).unwrap();
        assert_eq!((report.duplicate, report.revised), (1, 1), "{text}");
        let report = store.ingest(&recording(), [other("2")]).unwrap();
        assert_eq!(report.duplicate, 1, "{text}");
        for text in texts_of(&store, "jan@example.nl") {
            assert!(text.contains("[erased]") && !text.contains("12"), "{text}");
        }
        let shown = store.events().next().unwrap().unwrap();
        assert_eq!((shown.rev.as_deref(), shown.who.len()), (Some("2"), 1), "{text}");
        is_sound(&store);
        // What happens later begins anew.
        let mut later = story::message("later", 2, "email", "", &["email jan@example.nl"]);
        later.occurred_at = now() + Micros::DAY;
        later.body = Some(Body::text(*text));
        store.ingest(&recording(), [later]).unwrap();
        assert!(texts_of(&store, "jan@example.nl").contains(&(*text).to_owned()));
    }
}

#[test]
fn what_everybody_writes_is_blacked_out_nowhere() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let claims = [
        "email eva@example.nl",
        "phone 10012",
        "national_id 12345",
        "address Utrecht",
        "address Kerkstraat 12, Utrecht",
        "national_id 111222333",
    ];
    let own = story::message("own", 0, "email", "", &claims);
    let mut other = story::message("other", 1, "email", "", &["email jan@example.nl"]);
    let words = "order 10012 of invoice 12345 goes to Utrecht";
    other.body = Some(Body::text(format!("{words}: Kerkstraat 12, Utrecht, 111222333")));
    other.extra.insert("order".to_owned(), 10012.into());
    store.ingest(&recording(), [own, other]).unwrap();
    store.erase(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
    let left = store.events().next().unwrap().unwrap();
    assert_eq!(left.body.unwrap().text, format!("{words}: [erased], [erased]"));
    assert_eq!(left.extra["order"], 10012);
}

#[test]
fn what_only_a_model_takes_for_the_persons_is_neither_handed_out_nor_erased() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let mail = |name: &str| {
        let claim = format!("email {name}@example.nl");
        story::message(name, 0, "email", "Jan de Vries", &[&claim])
    };
    store.ingest(&recording(), [mail("jan"), mail("other"), mail("wife")]).unwrap();
    let anchor = |name: &str| store.anchor(&who(&format!("{name}@example.nl"))).unwrap().unwrap();
    let said = |verdict: Verdict| Assertion {
        verdict,
        by: "model".to_owned(),
        reason: None,
        at: story::monday(),
    };
    let (jan, other) = (anchor("jan"), anchor("other"));
    store.assert(&said(Verdict::Probable(jan, other, 20_000)), now()).unwrap();
    assert_eq!(store.counts().unwrap().0, 2);
    let export = store.export(&who("jan@example.nl"), now()).unwrap();
    assert_eq!(export.events.len(), 1);
    assert!(!serde_json::to_string(&export.context).unwrap().contains("other@example.nl"));
    let erased = store.erase(&who("jan@example.nl"), EraseMode::Delete, now()).unwrap();
    assert_eq!(erased.events, 1);
    assert_eq!(store.find(&who("other@example.nl")).unwrap().customers.len(), 1);
    assert_eq!(keys(&store), BTreeSet::from(["other".to_owned(), "wife".to_owned()]));
    is_sound(&store);
}

#[test]
fn records_of_nobody_are_erased_by_what_they_carry() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let inferred = |key: &str, address: &str| {
        let mut event = story::message(key, 0, "email", "Eva", &[&format!("email {address}")]);
        for claim in &mut event.who {
            claim.assurance = Assurance::Inferred;
        }
        event
    };
    let all = [inferred("v/1", "eva@example.nl"), inferred("v/2", "other@example.nl")];
    store.ingest(&recording(), all.clone()).unwrap();
    let found = store.find(&who("eva@example.nl")).unwrap();
    assert_eq!((found.customers.len(), found.unattributed), (0, 1));
    let erased = store.erase(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
    assert_eq!(erased.events, 1);
    assert_eq!(keys(&store), BTreeSet::from(["v/2".to_owned()]));
    is_sound(&store);
    assert_eq!(store.ingest(&recording(), all).unwrap().suppressed, 1);
    let nobody = store.erase(&who("eva@example.nl"), EraseMode::Delete, now());
    assert!(matches!(nobody, Err(cx_store::StoreError::NobodyMeant)), "{nobody:?}");
}

#[test]
fn an_address_goes_where_a_dot_joins_it_to_the_next_word() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let own = story::message("own", 0, "email", "", &["email eva@example.nl"]);
    let longer = story::message("longer", 0, "email", "", &["email eva@example.nl.uk"]);
    let mut other = story::message("other", 1, "email", "", &["email jan@example.nl"]);
    other.body = Some(Body::text("eva@example.nl.pdf, eva@example.nl.Thanks, eva@example.nl.uk"));
    store.ingest(&recording(), [own, longer, other.clone()]).unwrap();
    let certificate =
        store.erase_for_good(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
    assert!(certificate.is_clean(), "{certificate}");
    assert_eq!(certificate.search.part_of_others, 1);
    let left = "[erased].pdf, [erased].Thanks, eva@example.nl.uk";
    assert_eq!(texts_of(&store, "jan@example.nl"), [left]);
    // So it is as it comes in again.
    other.rev = Some("2".to_owned());
    store.ingest(&recording(), [other]).unwrap();
    assert_eq!(texts_of(&store, "jan@example.nl"), [left, left]);
    is_sound(&store);
}

#[test]
fn what_is_left_within_a_longer_word_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let own = story::message("own", 0, "email", "", &["email eva@example.nl"]);
    let mut other = story::message("other", 1, "email", "", &["email jan@example.nl"]);
    other.body = Some(Body::text("neeva@example.nl"));
    store.ingest(&recording(), [own, other]).unwrap();
    let certificate =
        store.erase_for_good(&who("eva@example.nl"), EraseMode::Delete, now()).unwrap();
    assert_eq!(certificate.erasure.left_in.get("body"), Some(&1), "{certificate}");
    assert!(certificate.search.hits > 0);
}

#[test]
fn what_others_said_before_of_themselves_stays_though_the_person_had_a_value_of_it() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let line = "phone 020 1234567";
    let call = story::message("call", 2, "phone", "", &["email jan@example.nl", line]);
    let first = revision("1", &["email eva@example.nl", line], "first");
    let then = revision("2", &["email eva@example.nl"], "ask 020 1234567");
    store.ingest(&recording(), [call, first, then]).unwrap();
    assert_eq!(store.export(&who("eva@example.nl"), now()).unwrap().events.len(), 2);
    let erased = store.erase(&who("jan@example.nl"), EraseMode::Delete, now()).unwrap();
    assert_eq!((erased.events, erased.identifiers, erased.shared), (1, 2, 0));
    // What it names is told.
    assert_eq!(erased.left_in.get("who"), Some(&1));
    assert_eq!(store.export(&who("eva@example.nl"), now()).unwrap().events.len(), 2);
    assert_eq!(texts_of(&store, "eva@example.nl"), ["first", "ask [erased]"]);
    is_sound(&store);
}

#[test]
fn what_became_of_a_conversation_stays_with_the_others_who_are_in_it() {
    for mode in [EraseMode::Delete, EraseMode::Anonymise] {
        let store = Store::open_in_memory_with(options()).unwrap();
        let said = |key: &str, minutes: i64, claims: &[&str], kind: &str, data: &str| {
            let mut event = story::message(key, minutes, "email", "", claims);
            event.kind = Kind::from_json(kind, serde_json::from_str(data).unwrap()).unwrap();
            if claims.is_empty() {
                event.direction = Direction::Out;
                event.actor = Actor::of(ActorType::Agent);
            }
            story::in_conversation(event, "t1")
        };
        let jan = said("jan", 0, &["email jan@example.nl"], "message", "{}");
        let edit = said("edit", 1, &[], "message.edited", r#"{"target": "jan"}"#);
        let others = [
            said("eva", 2, &["email eva@example.nl"], "message", "{}"),
            said("status", 3, &[], "conversation.status", r#"{"to": "resolved"}"#),
            said("note", 4, &[], "note", "{}"),
        ];
        store.ingest(&recording(), [jan, edit]).unwrap();
        store.ingest(&recording(), others.clone()).unwrap();
        assert!(store.who_is_waiting(now()).unwrap().is_empty());
        let erased = store.erase(&who("jan@example.nl"), mode, now()).unwrap();
        assert_eq!(erased.events, 2, "{mode:?}");
        assert!(store.who_is_waiting(now()).unwrap().is_empty(), "{mode:?}");
        assert_eq!(store.conversations(now()).unwrap().len(), 1, "{mode:?}");
        let left = keys(&store);
        assert!(["eva", "note", "status"].iter().all(|key| left.contains(*key)), "{left:?}");
        is_sound(&store);
        if mode == EraseMode::Delete {
            assert_eq!(left.len(), 3);
            let never = told(&others, &[]);
            assert_eq!(
                answers_but_for_sources(&store, now()),
                answers_but_for_sources(&never, now())
            );
        }
    }
}

#[test]
fn who_was_only_in_copy_or_in_texts_of_others_can_be_erased() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
    let mut mail = story::message("mail", 0, "email", "", &["email jan@example.nl"]);
    let mut copy = story::claim("email piet@example.nl").unwrap();
    copy.role = Role::Cc;
    mail.who.push(copy);
    mail.body = Some(Body::text("my friend piet@example.nl"));
    store.ingest(&recording(), [mail.clone()]).unwrap();
    let nobody = store.erase(&who("kees@example.nl"), EraseMode::Delete, now());
    assert!(matches!(nobody, Err(cx_store::StoreError::NobodyMeant)), "{nobody:?}");
    let piet = who("piet@example.nl");
    let certificate = store.erase_for_good(&piet, EraseMode::Delete, now()).unwrap();
    assert!(certificate.is_clean(), "{certificate}");
    assert_eq!((certificate.erasure.events, certificate.erasure.blacked_out), (0, 1));
    assert_eq!(texts_of(&store, "jan@example.nl"), ["my friend [erased]"]);
    let id = certificate.erasure.customer;
    assert!(store.find(&Who::Customer(id)).unwrap().is_erased);
    let gone = store.export(&Who::Customer(id), now());
    assert!(matches!(gone, Err(cx_store::StoreError::Gone { customer }) if customer == id));
    mail.rev = Some("2".to_owned());
    store.ingest(&recording(), [mail]).unwrap();
    assert_eq!(texts_of(&store, "jan@example.nl"), ["my friend [erased]"; 2]);
    is_sound(&store);
}

#[test]
fn a_list_without_instants_brings_nobody_back() {
    let store = Store::open_in_memory_with(options()).unwrap();
    let row = |city: &str, at: Timestamp| {
        let mut row = story::message("row", 0, "web", "Jan", &["email jan@example.nl"]);
        row.occurred_at = at;
        row.occurred_at_origin = TimeOrigin::Import;
        row.key = format!("row/{city}").parse().unwrap();
        row.extra.insert("city".to_owned(), city.into());
        row
    };
    store.ingest(&recording(), [row("Utrecht", now())]).unwrap();
    store.erase(&who("jan@example.nl"), EraseMode::Delete, now()).unwrap();
    let later = now() + Micros::DAY;
    let report = store.ingest(&recording(), [row("Gouda", later)]).unwrap();
    assert_eq!((report.new, report.suppressed), (0, 1));
    // What the source dates later is new.
    let mut mail = row("Delft", later);
    mail.occurred_at_origin = TimeOrigin::Event;
    assert_eq!(store.ingest(&recording(), [mail]).unwrap().new, 1);
}

/// Somebody's record in one conversation of Jan and Piet: by nobody where no address is given.
fn in_their_talk(key: &str, minutes: i64, of: &str, kind: &str, data: &serde_json::Value) -> Event {
    let claims = [format!("email {of}")];
    let claims: Vec<&str> = claims.iter().map(String::as_str).filter(|_| !of.is_empty()).collect();
    let mut event = story::message(key, minutes, "chat", "", &claims);
    event.kind = Kind::from_json(kind, data.as_object().unwrap().clone()).unwrap();
    if kind != "message" {
        (event.actor, event.body) = (Actor::of(ActorType::Agent), None);
        event.direction = Direction::Out;
    }
    story::in_conversation(event, "chat/1")
}

const JAN: &str = "jan@example.nl";
const PIET: &str = "piet@example.nl";

fn told_of(store: &Store, address: &str) -> String {
    let options = ContextOptions::at(now());
    store.context(&who(address), &options).unwrap().to_json()
}

#[test]
fn what_was_taken_back_of_others_stays_so_when_whoever_it_names_is_erased() {
    for mode in [EraseMode::Delete, EraseMode::Anonymise] {
        for target in ["piet", "<m@chat>", "m@chat"] {
            for is_in_talk in [true, false] {
                let mut message =
                    in_their_talk("piet", 0, PIET, "message", &json!({"message_id": "<m@chat>"}));
                message.body = Some(Body::text("the password is swordfish"));
                let jan = in_their_talk("jan", 1, JAN, "message", &json!({}));
                let mut redaction =
                    in_their_talk("r", 2, JAN, "message.redacted", &json!({"target": target}));
                if !is_in_talk {
                    redaction.conversation = None;
                }
                let closed = in_their_talk(
                    "closed",
                    3,
                    JAN,
                    "conversation.status",
                    &json!({"to": "closed"}),
                );
                let all = [message, jan, redaction, closed];
                let store = told(&all, &[]);
                if is_in_talk {
                    assert!(!told_of(&store, PIET).contains("swordfish"));
                }
                assert!(store.who_is_waiting(now()).unwrap().is_empty());
                store.erase(&who(JAN), mode, now()).unwrap();
                let case = format!("{mode:?} {target} {is_in_talk}");
                assert!(!told_of(&store, PIET).contains("swordfish"), "{case}");
                let hits = store.search(&SearchQuery::new("swordfish")).unwrap();
                assert!(hits.is_empty(), "{case}");
                assert!(store.who_is_waiting(now()).unwrap().is_empty(), "{case}");
                if mode == EraseMode::Delete {
                    let of_jan = store.events().filter(|event| {
                        event.as_ref().unwrap().who.iter().any(|claim| claim.raw().contains("jan"))
                    });
                    assert_eq!(of_jan.count(), 0, "{case}");
                }
                // Nor does it come in a second time.
                let again = store.ingest(&recording(), all.clone()).unwrap();
                assert_eq!((again.suppressed, again.new), (3, 0), "{case}");
                is_sound(&store);
            }
        }
    }
}

#[test]
fn an_edit_of_what_the_person_wrote_goes_with_or_without_the_brackets_of_its_id() {
    for mode in [EraseMode::Delete, EraseMode::Anonymise] {
        for (id, target) in [("<j@x>", "j@x"), ("j@x", "<j@x>"), ("<j@x>", "<j@x>")] {
            let message = in_their_talk("jan", 1, JAN, "message", &json!({"message_id": id}));
            let mut edit = in_their_talk("e", 2, "", "message.edited", &json!({"target": target}));
            edit.body = Some(Body::text("I am Jan Kumquat"));
            let piet = in_their_talk("piet", 0, PIET, "message", &json!({}));
            let store = told(&[piet, message, edit], &[]);
            store.erase(&who(JAN), mode, now()).unwrap();
            assert!(
                store.search(&SearchQuery::new("kumquat")).unwrap().is_empty(),
                "{mode:?} {id}"
            );
            let texts: Vec<String> =
                store.events().map(|it| serde_json::to_string(&it.unwrap()).unwrap()).collect();
            assert!(!texts.concat().contains("Kumquat"), "{mode:?} {id} {texts:?}");
            if mode == EraseMode::Anonymise {
                // It is still the edit of that message.
                let events: Vec<Event> = store.events().map(Result::unwrap).collect();
                let named = events.iter().find_map(|event| match &event.kind {
                    Kind::Message(it) => it.message_id.clone(),
                    _ => None,
                });
                let corrects = events.iter().find_map(|event| event.corrects().map(str::to_owned));
                assert_eq!(named, corrects, "{id} {target}");
            }
        }
    }
}

#[test]
fn what_the_person_answered_becomes_nobody_elses() {
    let mut jan = in_their_talk("jan", 0, JAN, "message", &json!({}));
    jan.name = Some("Zeno Quix".to_owned());
    let answered = json!({
        "survey": "csat", "score": 1, "scale": {"min": 1, "max": 5}, "comment": "my knee hurts",
    });
    let mut answered = in_their_talk("answer", 1, "", "feedback.answered", &answered);
    answered.actor = Actor::of(ActorType::Customer);
    answered.actor.name = Some("Zeno Quix".to_owned());
    answered.direction = Direction::In;
    let mut closed =
        in_their_talk("closed", 2, "", "conversation.status", &json!({"to": "closed"}));
    closed.name = Some("zeno quix".to_owned());
    let all = [jan, answered, closed, in_their_talk("piet", 3, PIET, "message", &json!({}))];
    for mode in [EraseMode::Delete, EraseMode::Anonymise] {
        let store = told(&all, &[]);
        let erased = store.erase(&who(JAN), mode, now()).unwrap();
        assert_eq!(erased.events, 2, "{mode:?}");
        let context = told_of(&store, PIET);
        assert!(!context.contains("my knee"), "{mode:?} {context}");
        let texts: Vec<String> =
            store.events().map(|it| serde_json::to_string(&it.unwrap()).unwrap()).collect();
        let texts = texts.concat().to_lowercase();
        assert!(!texts.contains("quix") && !texts.contains("my knee"), "{mode:?} {texts}");
        assert!(keys(&store).contains("closed"));
        is_sound(&store);
        let again = store.ingest(&recording(), all.clone()).unwrap();
        assert_eq!((again.suppressed, again.new, again.conflict), (3, 0, 0), "{mode:?} {again:?}");
    }
}

#[test]
fn the_key_of_a_conversation_is_no_longer_value_of_somebody_else() {
    for talk in ["chat_jan@example.nl", "chat-jan@example.nl", "group.jan@example.nl"] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_with(folder.path().join("a.cx"), options()).unwrap();
        let said = |key: &str, of: &str| {
            story::in_conversation(story::message(key, 0, "chat", "", &[of]), talk)
        };
        let all = [said("jan", "email jan@example.nl"), said("piet", "email piet@example.nl")];
        store.ingest(&recording(), all).unwrap();
        let certificate = store.erase_for_good(&who(JAN), EraseMode::Delete, now()).unwrap();
        assert!(!certificate.is_clean(), "{talk} {certificate}");
        let left = &certificate.erasure.left_in;
        assert_eq!(left.get("conversation"), Some(&1), "{talk} {left:?}");
    }
}

#[test]
fn what_names_nobody_of_the_persons_orders_and_conversations_does_not_come_in_later() {
    for mode in [EraseMode::Delete, EraseMode::Anonymise] {
        let first = in_their_talk("jan", 0, JAN, "message", &json!({}));
        let store = told(&[first], &[]);
        store.erase(&who(JAN), mode, now()).unwrap();
        let mut line = in_their_talk("line", 1, "", "message", &json!({}));
        line.body = Some(Body::text("my name is Jan"));
        let of_piet = in_their_talk("piet", 2, PIET, "message", &json!({}));
        let mut later = line.clone();
        later.key = "later".parse().unwrap();
        later.occurred_at = now() + Micros::MINUTE;
        let report = store.ingest(&recording(), [line, of_piet, later]).unwrap();
        assert_eq!((report.suppressed, report.new), (1, 2), "{mode:?}");
        is_sound(&store);
    }
}

#[test]
fn a_number_without_its_country_code_is_the_persons_too() {
    let number = |key: &str, value: &str, region: Option<&str>| {
        let mut event = story::message(key, 0, "phone", "Jan Jansen", &[]);
        let claim = Claim::phone(value, region, Role::Subject, Assurance::SelfStated).unwrap();
        event.who = vec![claim];
        event
    };
    let mut other = number("other", "0201234567", None);
    other.name = None;
    let all =
        [number("call", "06 12345678", Some("NL")), number("bare", "06 12345678", None), other];
    let store = told(&all, &[]);
    let erased = store.erase(&who("+31612345678"), EraseMode::Delete, now()).unwrap();
    assert_eq!(erased.events, 2);
    assert_eq!(erased.left_in, std::collections::BTreeMap::new());
    let again = number("again", "0612345678", None);
    let report = store.ingest(&recording(), [again]).unwrap();
    assert_eq!((report.suppressed, report.new), (1, 0));
    assert_eq!(keys(&store), BTreeSet::from(["other".to_owned()]));
}

/// Messages of Jan and of Piet, and corrections of them that name either or nobody.
fn corrected_talk() -> impl Strategy<Value = Vec<Event>> {
    let kind = prop_oneof![
        Just("message"),
        Just("message.edited"),
        Just("message.redacted"),
        Just("message.deleted")
    ];
    let of = prop_oneof![Just(JAN), Just(PIET), Just("")];
    let one = (kind, of, any::<Index>(), any::<bool>(), any::<bool>(), any::<bool>());
    proptest::collection::vec(one, 2..9).prop_map(|all| {
        type One = (&'static str, &'static str, Index, bool, bool, bool);
        let n_all = all.len();
        let all = all.into_iter().enumerate();
        let event = |(n, (kind, of, target, by_id, brackets, is_in_talk)): (usize, One)| {
            let id = |n: usize, brackets: bool| {
                if brackets { format!("<m{n}@x>") } else { format!("m{n}@x") }
            };
            let target = target.index(n_all);
            let data = if kind == "message" {
                json!({"message_id": id(n, brackets)})
            } else {
                json!({"target": if by_id { id(target, brackets) } else { format!("k{target}") }})
            };
            let minutes = i64::try_from(n).unwrap();
            let mut event = in_their_talk(&format!("k{n}"), minutes, of, kind, &data);
            event.body = Some(Body::text(format!("said text{n}x")));
            if kind != "message" && !is_in_talk && !of.is_empty() {
                event.conversation = None;
            }
            event
        };
        all.map(event).collect()
    })
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn no_erasure_brings_back_what_was_taken_back(
        events in corrected_talk(),
        mode in prop_oneof![Just(EraseMode::Delete), Just(EraseMode::Anonymise)],
    ) {
        let store = told(&events, &[]);
        prop_assume!(!store.find(&who(JAN)).unwrap().customers.is_empty());
        let texts = |store: &Store| -> BTreeSet<String> {
            let hits = store.search(&SearchQuery::new("said").limit(100)).unwrap().into_iter();
            hits.filter_map(|hit| hit.found.body).map(|body| body.text).collect()
        };
        let before = texts(&store);
        store.erase(&who(JAN), mode, now()).unwrap();
        let after = texts(&store);
        prop_assert!(after.is_subset(&before), "{:?} {:?}", after, before);
        let context = told_of(&store, PIET);
        for n in 0..events.len() {
            let text = format!("said text{n}x");
            prop_assert!(before.contains(&text) || !context.contains(&text), "{} {}", text, context);
        }
        let waiting = store.who_is_waiting(now()).unwrap();
        for text in waiting.iter().filter_map(|it| it.conversation.last.as_ref()?.text.clone()) {
            prop_assert!(before.contains(&text), "{}", text);
        }
        prop_assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    }
}
