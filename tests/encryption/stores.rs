//! What an encrypted store is asked and told.

use std::collections::BTreeMap;
use std::path::Path;

use cx_core::context::ContextOptions;
use cx_core::event::{Body, Event};
use cx_core::identifier::Who;
use cx_core::identity::Policy;
use cx_core::time::Timestamp;
use cx_store::{
    EncryptionKey, EraseMode, OpenOptions, Recording, SearchQuery, Store, StoreError, Tenants,
};
use cx_tests::asking::answers;
use cx_tests::story;
use cx_tests::strategies::cases;
use proptest::prelude::*;

pub(crate) fn now() -> Timestamp {
    "2029-01-01T00:00:00Z".parse().unwrap()
}

/// A key that costs nothing to derive.
pub(crate) fn raw(byte: u8) -> EncryptionKey {
    EncryptionKey::raw([byte; 32])
}

pub(crate) fn under(key: EncryptionKey) -> OpenOptions {
    OpenOptions::new().key(key)
}

/// Strings that stand in the events, each of them in the bytes of a store that is not encrypted.
pub(crate) const STRINGS: [&str; 5] =
    ["p3@example.nl", "+31612340003", "Jan de Vries", "waar is mijn pakket", "swordfish"];

pub(crate) fn events() -> Vec<Event> {
    let message = |number: i64| {
        let person = number % 7;
        let claims = [format!("email p{person}@example.nl"), format!("phone 06 123400{person:02}")];
        let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
        let key = format!("k{number}");
        let mut event = story::message(&key, number, "chat", "Jan de Vries", &claims);
        event.body = Some(Body::text(format!("waar is mijn pakket {number}? swordfish")));
        // Some are longer than a page.
        if number % 29 == 0 {
            event.extra.insert("note".to_owned(), "nog niet bezorgd ".repeat(700).into());
        }
        story::in_conversation(event, &format!("c{person}"))
    };
    (0..60).map(message).collect()
}

pub(crate) fn fill(store: &Store) {
    let recording = Recording::new("2026-03-04T10:00:00Z".parse().unwrap(), "test");
    store.ingest(&recording, events()).unwrap();
}

/// What a store of these events answers, whatever it is kept in.
pub(crate) fn right_answers() -> String {
    let store = Store::open_in_memory().unwrap();
    fill(&store);
    answers(&store, now())
}

/// Every file of a folder.
pub(crate) fn bytes_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

#[test]
fn what_goes_into_an_encrypted_store_comes_out_of_it_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let keys = [raw(1), EncryptionKey::passphrase("it's a \"key\"; --").unwrap()];
    for (number, key) in keys.into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.cx"));
        let options = under(key);
        let store = options.open(&path).unwrap();
        assert!(store.is_encrypted());
        fill(&store);
        drop(store);
        for store in [options.open_existing(&path), options.open_read_only(&path)] {
            let store = store.unwrap();
            assert_eq!(answers(&store, now()), right_answers());
            assert!(store.check().unwrap().is_clean());
        }
    }
}

#[test]
fn a_database_for_a_while_is_kept_in_memory_whatever_its_size() {
    // What is derived anew for a check is plain: it is never written to a file, not even to one
    // without a name.
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    let mut options = connection.prepare("PRAGMA compile_options").unwrap();
    let options: Vec<String> =
        options.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(options.iter().any(|option| option == "TEMP_STORE=2"), "{options:?}");
}

#[test]
fn the_engine_says_which_it_is_and_encrypts_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let digits = "0a".repeat(32);
    let store = under(digits.parse().unwrap()).open(&path).unwrap();
    fill(&store);
    drop(store);
    // As docs/operations.md says to open it with the `sqlcipher` shell.
    let shell = rusqlite::Connection::open(&path).unwrap();
    shell
        .execute_batch(&format!("PRAGMA key = \"x'{digits}'\"; PRAGMA cipher_page_size = 8192;"))
        .unwrap();
    let said = |name: &str| -> String {
        shell.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(
        shell.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0)).unwrap(),
        60
    );
    assert!(said("cipher_version").starts_with("4."), "{}", said("cipher_version"));
    assert_eq!(said("cipher_provider"), "openssl");
    assert_eq!(said("cipher_hmac_algorithm"), "HMAC_SHA512");
    assert_eq!(said("cipher_kdf_algorithm"), "PBKDF2_HMAC_SHA512");
    assert_eq!(said("kdf_iter"), "256000");
    assert_eq!(said("cipher"), "AES-256-CBC");
}

#[test]
fn who_is_erased_from_an_encrypted_store_is_searched_for_in_its_decrypted_pages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = under(raw(1)).open(&path).unwrap();
    fill(&store);
    let who = Who::parse("p3@example.nl", None).unwrap();
    let certificate = store.erase_for_good(&who, EraseMode::Delete, now()).unwrap();
    assert!(certificate.is_clean(), "{certificate}");
    assert_eq!(certificate.search.files["a.cx"], std::fs::metadata(&path).unwrap().len());
    assert!(store.search(&SearchQuery::new("p3")).unwrap().is_empty());
    assert!(store.check().unwrap().is_clean());
    drop(store);
    let store = under(raw(1)).open_existing(&path).unwrap();
    store.compact(now()).unwrap();
    assert_eq!(store.counts().unwrap().0, 6);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn several_handles_read_and_write_one_encrypted_store_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let (one, other) = (under(raw(1)).open(&path).unwrap(), under(raw(1)).open(&path).unwrap());
    let who = Who::parse("p3@example.nl", None).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for event in events() {
                one.ingest(&Recording::new(story::monday(), "test"), [event]).unwrap();
            }
        });
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20 {
                    other.context(&who, &ContextOptions::at(now())).unwrap();
                    one.context(&who, &ContextOptions::at(now())).unwrap();
                }
            });
        }
        writer.join().unwrap();
    });
    assert_eq!(answers(&one, now()), answers(&other, now()));
    assert_eq!(other.counts().unwrap(), (7, 60));
    assert!(other.check().unwrap().is_clean());
}

#[test]
fn all_stores_of_a_folder_of_tenants_are_encrypted_under_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let open = |key| Tenants::open_under(folder.path(), 1, Policy::default(), key).unwrap();
    let tenants = open(Some(raw(1)));
    for tenant in ["one", "other"] {
        fill(&tenants.store(tenant).unwrap());
    }
    // Only one is kept open: the first is opened again.
    assert_eq!(tenants.existing("one").unwrap().counts().unwrap(), (7, 60));
    drop(tenants);
    for bytes in bytes_in(folder.path()).into_values() {
        assert!(found_in(&bytes).is_empty());
    }
    assert!(matches!(open(Some(raw(2))).store("one"), Err(StoreError::WrongKey { .. })));
    assert!(matches!(open(None).store("one"), Err(StoreError::Encrypted { .. })));
}

/// Which of the strings stand in these bytes.
pub(crate) fn found_in(bytes: &[u8]) -> Vec<&'static str> {
    let is_in = |string: &&str| {
        let string = string.as_bytes();
        memchr(bytes, string)
    };
    STRINGS.into_iter().chain(["SQLite format 3"]).filter(is_in).collect()
}

fn memchr(bytes: &[u8], string: &[u8]) -> bool {
    bytes.windows(string.len()).any(|window| window == string)
}

/// Passphrases as people and programs make them.
fn passphrase() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{1,40}",
        "[ -~]{1,20}",
        "['\"`;\\-\\\\%?]{1,8}",
        "[0-9a-f]{64}",
        "x'[0-9a-f]{1,3}[g-z]'",
        "[éß漢字🔑]{1,12}",
        "[ \t\r\n]{1,4}",
    ]
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn any_passphrase_opens_what_it_wrote_and_no_other_does(one in passphrase(), other in passphrase()) {
        prop_assume!(one != other);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cx");
        let options = |text: &str| under(EncryptionKey::passphrase(text).unwrap());
        drop(options(&one).open(&path).unwrap());
        prop_assert!(options(&one).open_existing(&path).is_ok());
        let refused = options(&other).open_existing(&path);
        let is_refused = matches!(refused, Err(StoreError::WrongKey { .. }));
        prop_assert!(is_refused, "{refused:?}");
    }
}
