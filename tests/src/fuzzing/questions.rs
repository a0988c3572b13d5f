//! Questions: cursors, searches and what a person types to name somebody.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use cx_core::context::Audience;
use cx_core::event::{Body, Event, Visibility};
use cx_core::identifier::{Identifier, Namespace, Who};
use cx_store::{Cursor, Recording, SearchQuery, Store, StoreError, TimelineQuery};

use super::is_told;
use crate::story;

/// A cursor that is read is written as it was, and a page goes on behind it.
pub(super) fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Cursor>() {
        Ok(cursor) => {
            assert_eq!(cursor.to_string(), text);
            let who = Who::parse("jan@example.nl", None).unwrap();
            for query in [TimelineQuery::new(), TimelineQuery::new().newest_first()] {
                let page = written().timeline(&who, &query.limit(3), Some(&cursor)).unwrap();
                assert!(page.events.len() <= 3);
            }
        }
        Err(StoreError::MalformedCursor { text: told }) => assert_eq!(told, text),
        Err(other) => panic!("{other:?}"),
    }
}

/// What was written, and its words in small letters without marks.
const WRITTEN: &[(&str, &str)] = &[
    ("Waar is mijn pakket?", "waar is mijn pakket"),
    ("Mijn pakket is stuk :-(", "mijn pakket is stuk"),
    ("Où est ma commande? C'est déjà la 2e fois", "ou est ma commande c est deja la 2e fois"),
    ("Grüezi aus München", "gruezi aus munchen"),
    ("注文はどこですか", ""),
    ("order 1001 AND order 1002", "order 1001 and order 1002"),
    ("e-mail: eva@example.nl", "e mail eva example nl"),
    ("\"quoted\" words* (near) NOT {here}", "quoted words near not here"),
    ("İstanbul'dan selamlar", ""),
    ("👍🏽 top!", "top"),
    ("", ""),
];

/// A small store with texts in it, some of them for agents only.
fn written() -> &'static Store {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(|| {
        let store = Store::open_in_memory().unwrap();
        let events = WRITTEN.iter().enumerate().map(|(number, (text, _))| {
            let number = i64::try_from(number).unwrap();
            let claims = ["email jan@example.nl"];
            let mut event = story::message(&format!("k/{number}"), number, "chat", "Jan", &claims);
            event.body = (!text.is_empty()).then(|| Body::text(*text));
            if number % 4 == 3 {
                event.visibility = Visibility::Internal;
            }
            event
        });
        let events: Vec<Event> = events.collect();
        store.ingest(&Recording::new(story::monday(), "story"), events).unwrap();
        store
    })
}

/// Any text is searched for, and what is found holds its words.
pub(super) fn search(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let found = |query: &SearchQuery| {
        let hits = written().search(query).unwrap();
        hits.into_iter().map(|hit| (hit.event.to_string(), hit.found)).collect::<Vec<_>>()
    };
    let query = SearchQuery::new(text.as_ref());
    let all = found(&query);
    assert_eq!(all, found(&query), "twice is the same");
    let for_customers = found(&query.clone().audience(Audience::Customer));
    assert!(for_customers.iter().all(|(_, event)| event.visibility == Visibility::Public));
    let keys: BTreeSet<&String> = all.iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), all.len(), "each once");
    assert!(for_customers.iter().all(|(key, _)| keys.contains(key)));
    assert!(found(&query.limit(1)).len() <= 1);
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !text.is_empty() {
        let wanted: BTreeSet<String> = holding(&text.to_ascii_lowercase());
        let ascii: BTreeSet<String> =
            keys.into_iter().filter(|key| is_known(key)).cloned().collect();
        assert_eq!(ascii, wanted, "{text}");
    }
}

/// The messages with this word in them.
fn holding(word: &str) -> BTreeSet<String> {
    let with = WRITTEN.iter().enumerate();
    let with = with.filter(|(_, (_, words))| words.split(' ').any(|other| other == word));
    with.map(|(number, _)| format!("k/{number}")).collect()
}

fn is_known(key: &str) -> bool {
    let number: usize = key.trim_start_matches("k/").parse().unwrap();
    !WRITTEN[number].1.is_empty()
}

/// Whom a text names is named by what is written of it too.
pub(super) fn who(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for region in [None, Some("NL"), Some("US"), Some("nowhere")] {
        match Who::parse(text, region) {
            Ok(Who::Customer(id)) => {
                assert_eq!(Who::parse(&id.to_string(), None).unwrap(), Who::Customer(id));
            }
            Ok(Who::Identifier(identifier)) => is_named_by_itself(&identifier),
            Err(error) => {
                is_told(&error);
                assert_eq!(error.text, text);
            }
        }
    }
    written().find(&Who::parse(text, None).unwrap_or(unknown())).unwrap();
    for namespace in Namespace::NAMED {
        for scope in ["", "acme"] {
            match Identifier::normalise(namespace.clone(), scope, text, Some("NL")) {
                Ok(identifier) => is_normal(&identifier),
                Err(error) => is_told(&error),
            }
        }
    }
}

fn unknown() -> Who {
    Who::parse("stranger@example.org", None).unwrap()
}

fn is_named_by_itself(identifier: &Identifier) {
    is_normal(identifier);
    // What a colon stands in can be written in two ways.
    if !identifier.key().contains(':') && !identifier.scope().contains(':') {
        let again = Who::parse(&identifier.to_string(), None).unwrap();
        assert_eq!(again, Who::Identifier(identifier.clone()));
    }
}

/// A normal form is its own normal form.
fn is_normal(identifier: &Identifier) {
    let namespace = identifier.namespace().clone();
    let again = Identifier::normalise(namespace, identifier.scope(), identifier.key(), None);
    assert_eq!(again.as_ref(), Ok(identifier));
}
