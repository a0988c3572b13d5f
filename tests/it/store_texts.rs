//! Whatever people write comes back as it was, and breaks neither search nor the answer.

use std::path::{Path, PathBuf};

use cx_core::context::{Audience, ContextOptions};
use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::ids::ObservationId;
use cx_store::{OpenOptions, Recording, SearchQuery, Store, StoreError};
use cx_tests::story;
use serde_json::json;

const NOW: &str = "2026-03-04T10:00:00Z";

fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        "'; DROP TABLE event; --",
        "\" OR 1=1",
        "*",
        "a*b*",
        "NEAR(a b)",
        "text : x",
        "(",
        "\"unbalanced",
        "AND OR NOT",
        "^a",
        "\u{0}NUL\u{0}",
        "\u{202e}txet\u{202c}",
        "e\u{301}",
        "👩‍👩‍👧‍👦",
        "\u{feff}bom",
        "a\u{200b}b",
        "line\r\nline\ttab",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "%s%n",
        "\\u0000",
        "𝕳𝖊𝖑𝖑𝖔",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("long ".repeat(5_000));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("CX_SHARED").map(PathBuf::from).into_iter();
    let beside = ["../../shared/data", "../../../shared/data"].map(|path| here.join(path));
    let file = shared
        .chain(beside)
        .map(|root| root.join("normalisation/blns.json"))
        .find(|file| file.exists());
    match file {
        Some(file) => {
            let more: Vec<String> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            texts.extend(more);
        }
        None => println!("skipped: the big list of naughty strings is not on this machine"),
    }
    texts
}

#[test]
fn hostile_texts_come_back_byte_for_byte_and_break_nothing() {
    let texts = hostile();
    let events: Vec<Event> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| {
            serde_json::from_value(json!({
                "key": format!("k{number}{text}"), "source": {"system": "s", "id": text}, "kind": "message", "channel": "chat",
                "direction": "in", "actor": {"type": "customer", "id": text},
                "who": [{"ns": "email", "value": "jan@example.nl", "role": "from"}],
                "conversation": {"key": format!("c{number}{text}"), "subject": text},
                "occurred_at": "2026-03-02T09:00:00Z", "body": {"text": text, "whole": text}, "extra": {text: text},
            }))
            .unwrap()
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("texts.cx")).unwrap();
    let now = NOW.parse().unwrap();
    let report = store.ingest(&Recording::new(now, "test"), events.clone()).unwrap();
    assert_eq!(report.new, u64::try_from(events.len()).unwrap());
    for event in &events {
        assert_eq!(store.event(&event.key).unwrap().as_ref(), Some(event));
    }
    for text in &texts {
        drop(store.search(&SearchQuery::new(text.clone())).unwrap());
        drop(Who::parse(text, Some("NL")));
    }
    let who = Who::parse("jan@example.nl", None).unwrap();
    let context = store.context(&who, &ContextOptions::at(now)).unwrap();
    assert_eq!(context.open.len(), events.len());
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

#[test]
fn words_are_found_without_their_accents_and_notes_by_agents_only() {
    let store = Store::open_in_memory().unwrap();
    let event = |key: &str, kind: &str, visibility: &str, text: &str| -> Event {
        serde_json::from_value(json!({
            "key": key, "source": {"system": "s"}, "kind": kind, "channel": "chat", "visibility": visibility,
            "who": [{"ns": "email", "value": "jan@example.nl"}], "occurred_at": "2026-03-02T09:00:00Z", "body": {"text": text},
        }))
        .unwrap()
    };
    let events = [
        event("1", "message", "public", "Le café est fermé"),
        event("2", "note", "internal", "café owner is angry"),
    ];
    store.ingest(&Recording::new(NOW.parse().unwrap(), "test"), events).unwrap();
    let hits = |query: SearchQuery| store.search(&query).unwrap().len();
    assert_eq!(hits(SearchQuery::new("CAFE")), 2);
    assert_eq!(hits(SearchQuery::new("ferme caf*")), 1);
    assert_eq!(hits(SearchQuery::new("cafe").audience(Audience::Model)), 1);
}

#[test]
fn handles_share_a_store_and_another_process_reads_while_one_writes() {
    const fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Store>();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.cx");
    let store = Store::open(&path).unwrap();
    let batch = |from: u32| -> Vec<Event> {
        (from..from + 50)
            .map(|number| {
                serde_json::from_value(json!({
                    "key": format!("k{number}"), "source": {"system": "s"}, "kind": "message", "channel": "chat",
                    "who": [{"ns": "email", "value": format!("p{}@example.nl", number % 7)}], "occurred_at": "2026-03-02T09:00:00Z",
                }))
                .unwrap()
            })
            .collect()
    };
    let now = NOW.parse().unwrap();
    std::thread::scope(|threads| {
        for writer in 0..4 {
            let (store, batch) = (store.clone(), &batch);
            threads.spawn(move || {
                for step in 0..5 {
                    store
                        .ingest(&Recording::new(now, "test"), batch(writer * 1_000 + step * 50))
                        .unwrap();
                }
            });
        }
        for _ in 0..2 {
            let path = path.clone();
            threads.spawn(move || {
                // A handle of its own on the same file, as another process has.
                let other = Store::open_existing(&path).unwrap();
                for _ in 0..20 {
                    let (_, events) = other.counts().unwrap();
                    assert_eq!(events % 50, 0, "a batch is there as a whole or not at all");
                }
            });
        }
    });
    assert_eq!(store.counts().unwrap(), (7, 1_000));
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

#[test]
fn whoever_reads_does_not_wait_for_a_long_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("s.cx")).unwrap();
    let first = story::message("a", 1, "email", "Jan de Vries", &["email jan@example.nl"]);
    store.ingest(&Recording::new(first.occurred_at, "test"), [first.clone()]).unwrap();
    let (inside, has_begun) = std::sync::mpsc::channel();
    let (done, may_end) = std::sync::mpsc::channel::<()>();
    let writer = store.clone();
    let at = first.occurred_at;
    // The events of this batch are asked for one by one, and the second comes when we say so.
    let slow = std::thread::spawn(move || {
        let events = (0..2).map(move |n| {
            if n == 1 {
                inside.send(()).unwrap();
                may_end.recv().unwrap();
            }
            story::message(&format!("b/{n}"), 2, "email", "Eva", &["email eva@example.nl"])
        });
        writer.ingest(&Recording::new(at, "test"), events).unwrap()
    });
    has_begun.recv().unwrap();
    let who = Who::Identifier(first.who.first().unwrap().identifier().clone());
    let context = store.context(&who, &ContextOptions::at(at)).unwrap();
    assert!(context.to_json().contains("Jan de Vries"));
    assert_eq!(
        store.why(&who, &who, cx_store::Past::today()).unwrap().map(|why| why.paths.len()),
        Some(0)
    );
    done.send(()).unwrap();
    assert_eq!(slow.join().unwrap().new, 2);
}

#[test]
fn a_small_batch_behind_a_large_one_indexes_a_part_of_it_and_a_search_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.cx");
    let store = Store::open(&path).unwrap();
    let mail =
        |n: i64| story::message(&format!("m/{n}"), n, "email", "", &["email jan@example.nl"]);
    let recording = Recording::new(story::monday(), "test");
    store.ingest(&recording, (0..5_000).map(mail)).unwrap();
    store.ingest(&recording, [mail(5_000)]).unwrap();
    let indexed = || -> i64 {
        let file = rusqlite::Connection::open(&path).unwrap();
        file.query_row("SELECT count(*) FROM event_fts_docsize", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(indexed(), 2_000);
    let hits = store.search(&SearchQuery::new("5000")).unwrap();
    assert_eq!(hits.iter().map(|hit| hit.event.as_str()).collect::<Vec<_>>(), ["m/5000"]);
    assert_eq!(indexed(), 5_001);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_search_waits_for_nobody_where_everything_is_indexed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("held.cx");
    let store = Store::open(&path).unwrap();
    let mail = story::message("m/1", 0, "email", "", &["email jan@example.nl"]);
    store.ingest(&Recording::new(story::monday(), "test"), [mail]).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(store.search(&SearchQuery::new("message")).unwrap().len(), 1);
}

/// A search that would miss something says so.
#[test]
fn a_read_only_store_that_is_not_all_indexed_is_not_searched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("left.cx");
    let store = Store::open(&path).unwrap();
    let mail =
        |n: i64| story::message(&format!("m/{n}"), n, "email", "", &["email jan@example.nl"]);
    store.ingest(&Recording::new(story::monday(), "test"), (0..1_500).map(mail)).unwrap();
    let query = SearchQuery::new("message");
    let reading = OpenOptions::new().open_read_only(&path).unwrap();
    let refused = reading.search(&query).unwrap_err();
    assert!(matches!(refused, StoreError::NotIndexed { behind: 1_500, .. }), "{refused}");
    store.catch_up().unwrap();
    assert_eq!(reading.search(&query).unwrap().len(), 20);
}

/// Whose messages are meant is not guessed, and a model's guess is not shown to customers.
#[test]
fn a_customers_messages_are_searched_only_where_one_is_meant() {
    let store = Store::open_in_memory().unwrap();
    let mail = |key: &str, n, claims: &[&str]| story::message(key, n, "email", "", claims);
    let events = [
        mail("ann", 1, &["email ann@x.nl", "phone 06 12345678 ?"]),
        mail("bob", 2, &["email bob@x.nl", "phone 06 12345678 ?"]),
        mail("cor", 3, &["email cor@x.nl"]),
    ];
    let recording = Recording::new(story::monday(), "test");
    store.ingest(&recording, events).unwrap();
    let identifier = |words: &str| story::claim(words).unwrap().identifier().clone();
    let who = |words: &str| Who::Identifier(identifier(words));
    let say = |verdict| {
        let (by, reason, at) = ("model/test".to_owned(), None, story::monday());
        store.assert(&Assertion { verdict, by, reason, at }, at).unwrap()
    };
    let side = |words: &str| Subject::Identifier(identifier(words));
    say(Verdict::Different(side("email ann@x.nl"), side("email bob@x.nl")));
    let hits = |words: &str, audience| -> Vec<String> {
        let query = SearchQuery::new("message").audience(audience);
        let hits = store.search_of(&who(words), &query).unwrap();
        hits.iter().map(|hit| hit.event.to_string()).collect()
    };
    assert_eq!(hits("phone 06 12345678", Audience::Agent), [""; 0]);
    let observation = |key: &str| ObservationId::of("", &key.parse().unwrap());
    say(Verdict::Probable(observation("ann"), observation("cor"), 9_000));
    assert_eq!(hits("email cor@x.nl", Audience::Agent).len(), 2);
    assert_eq!(hits("email cor@x.nl", Audience::Customer), ["cor"]);
}

#[test]
fn for_customers_one_is_named_and_a_hit_says_no_more_than_what_was_said() {
    let store = Store::open_in_memory().unwrap();
    let mut said = story::message("m", 0, "email", "Jan", &["email jan@example.nl"]);
    said.extra.insert("internal_score".to_owned(), "bad payer".into());
    store.ingest(&Recording::new(story::monday(), "test"), [said]).unwrap();
    let who = Who::parse("jan@example.nl", None).unwrap();
    let customer = SearchQuery::new("message").audience(Audience::Customer);
    assert!(store.search(&customer).unwrap().is_empty());
    for query in [customer, SearchQuery::new("message").audience(Audience::Model)] {
        let hits = store.search_of(&who, &query).unwrap();
        assert_eq!(hits.len(), 1);
        let told = serde_json::to_string(&hits[0].found).unwrap();
        assert!(!told.contains("bad payer") && !told.contains("jan@example.nl"), "{told}");
        assert_eq!(hits[0].found.body.as_ref().unwrap().text, "message 0 of Jan");
    }
    let agents = store.search(&SearchQuery::new("message")).unwrap();
    assert!(!agents[0].found.extra.is_empty() && !agents[0].found.who.is_empty());
}
