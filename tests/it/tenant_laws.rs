//! Tenants side by side: nothing is shared by accident, and few stores are open at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cx_core::context::ContextOptions;
use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_store::{Recording, SearchQuery, Store, StoreError, StoreOptions, Tenants};
use cx_tests::story;
use rusqlite::Connection;

fn facts(word: &str) -> Vec<Event> {
    let message = |n: i64| {
        let claims = [format!("email p{}@example.nl", n % 5)];
        let mut event = story::message(&format!("m/{n}"), n, "chat", "Jan", &[&claims[0]]);
        event.body = Some(cx_core::event::Body::text(format!("{word} {n}")));
        event
    };
    (0..20).map(message).collect()
}

fn recording() -> Recording {
    Recording::new(story::monday(), "test")
}

#[test]
fn two_tenants_with_the_same_facts_share_no_id_and_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = Tenants::open(folder.path(), 10).unwrap();
    let (one, other) = (tenants.store("one").unwrap(), tenants.store("other").unwrap());
    one.ingest(&recording(), facts("word")).unwrap();
    other.ingest(&recording(), facts("word")).unwrap();
    let ids = |store: &Store| -> BTreeSet<_> {
        store.customers(None, 100).unwrap().into_iter().collect()
    };
    let (ids_of_one, ids_of_other) = (ids(&one), ids(&other));
    assert_eq!((ids_of_one.len(), ids_of_other.len()), (5, 5));
    assert!(ids_of_one.is_disjoint(&ids_of_other));
    let who = Who::parse("p1@example.nl", None).unwrap();
    let anchor = |store: &Store| store.anchor(&who).unwrap().unwrap();
    assert_ne!(anchor(&one), anchor(&other));
    for id in &ids_of_one {
        let found = other.find(&Who::Customer(*id)).unwrap();
        assert!(found.customers.is_empty() && !found.is_erased);
    }
    // What one is told later, by the same questions asked before, the other does not answer.
    let options = ContextOptions::at(story::monday());
    let before = other.context(&who, &options).unwrap().to_json();
    let more = story::message("more", 30, "chat", "Jan", &["email p1@example.nl"]);
    one.ingest(&recording(), [more]).unwrap();
    one.ingest(
        &recording(),
        [{
            let mut event = story::message("x", 31, "chat", "Jan", &["email x@example.nl"]);
            event.body = Some(cx_core::event::Body::text("swordfish"));
            event
        }],
    )
    .unwrap();
    assert_eq!(one.counts().unwrap(), (6, 22));
    assert_eq!(other.counts().unwrap(), (5, 20));
    assert_eq!(other.context(&who, &options).unwrap().to_json(), before);
    assert_eq!(one.search(&SearchQuery::new("swordfish")).unwrap().len(), 1);
    assert!(other.search(&SearchQuery::new("swordfish")).unwrap().is_empty());
}

#[test]
fn three_hundred_tenants_take_turns_with_twenty_open_stores() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = Tenants::open(folder.path(), 20).unwrap();
    for round in 0..2_i64 {
        for number in 0..300_i64 {
            let name = format!("Tenant/{number}");
            let store = tenants.store(&name).unwrap();
            let mail = format!("email t{number}@example.nl");
            let event = story::message(&format!("m/{round}"), round, "chat", "", &[&mail]);
            store.ingest(&recording(), [event]).unwrap();
            assert!(tenants.n_open() <= 20);
        }
    }
    assert_eq!(tenants.names().unwrap().len(), 300);
    for number in 0..300 {
        let store = tenants.existing(&format!("Tenant/{number}")).unwrap();
        assert_eq!(store.counts().unwrap(), (1, 2), "{number}");
        let who = Who::parse(&format!("t{number}@example.nl"), None).unwrap();
        assert_eq!(store.find(&who).unwrap().customers.len(), 1);
        let next = Who::parse(&format!("t{}@example.nl", (number + 1) % 300), None).unwrap();
        assert!(store.find(&next).unwrap().customers.is_empty());
    }
    assert_eq!(tenants.n_open(), 20);
    // Nothing but their files, and the logs of the open ones, stands in the folder.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with("t-_54enant_2f"), "{name}");
    }
}

#[test]
fn a_store_that_somebody_holds_is_the_same_one_after_it_was_closed_for_room() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = Tenants::open(folder.path(), 1).unwrap();
    let held = tenants.store("held").unwrap();
    let other = tenants.store("other").unwrap();
    assert_eq!(tenants.n_open(), 1);
    held.ingest(&recording(), facts("word")).unwrap();
    assert_eq!(tenants.store("held").unwrap().counts().unwrap(), (5, 20));
    assert!(matches!(tenants.remove("held"), Err(StoreError::Locked { .. })));
    drop(held);
    assert!(tenants.remove("held").unwrap());
    assert!(!tenants.remove("held").unwrap());
    assert!(matches!(tenants.existing("held"), Err(StoreError::NotFound { .. })));
    assert_eq!(tenants.names().unwrap(), ["other"]);
    drop(other);
    assert!(tenants.remove("other").unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_store_that_somebody_has_open_elsewhere_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let here = Tenants::open(folder.path(), 5).unwrap();
    let there = Tenants::open(folder.path(), 5).unwrap();
    let store = here.store("acme").unwrap();
    store.ingest(&recording(), facts("word")).unwrap();
    assert!(matches!(there.remove("acme"), Err(StoreError::Locked { .. })));
    store.ingest(&recording(), [story::message("late", 1, "chat", "", &[])]).unwrap();
    drop((store, here));
    assert!(there.remove("acme").unwrap());
}

#[test]
fn nothing_of_a_tenant_that_is_removed_is_left_beside() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = Tenants::open(folder.path(), 4).unwrap();
    for tenant in ["acme", "acme.cx", "acme.cx.damaged"] {
        drop(tenants.store(tenant).unwrap());
    }
    let path = tenants.path("acme").unwrap();
    let others = [tenants.path("acme.cx").unwrap(), tenants.path("acme.cx.damaged").unwrap()];
    let name = |suffix: &str| {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        std::path::PathBuf::from(name)
    };
    let left = [
        ".put-aside",
        ".put-aside-wal",
        ".damaged",
        ".damaged-wal",
        ".damaged.part",
        ".repaired",
        ".repaired-wal",
        ".17.part",
        ".17.part-wal",
        ".17.part-shm",
        ".17-3.part",
        ".17-3.part-journal",
        "-probe",
    ];
    let stay = [".txt", ".bak", "-other", ".part", ".x.part"];
    for suffix in left.iter().chain(&stay) {
        std::fs::write(name(suffix), "of acme").unwrap();
    }
    assert!(tenants.remove("acme").unwrap());
    assert!(left.iter().all(|suffix| !name(suffix).exists()));
    assert!(stay.iter().all(|suffix| name(suffix).exists()));
    assert!(others.iter().all(|path| path.exists()));
    assert!(!tenants.remove("acme").unwrap());
    // Where the file itself is gone already.
    std::fs::write(name(".damaged"), "of acme").unwrap();
    assert!(tenants.remove("acme").unwrap());
    assert!(!name(".damaged").exists());
}

#[test]
fn a_file_under_another_tenants_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = Tenants::open(folder.path(), 2).unwrap();
    drop(tenants.store("Acme").unwrap());
    drop(tenants.store("filler").unwrap());
    drop(tenants.store("filler 2").unwrap());
    let (acme, evil) = (tenants.path("Acme").unwrap(), tenants.path("evil").unwrap());
    assert_ne!(acme, tenants.path("acme").unwrap());
    std::fs::copy(&acme, &evil).unwrap();
    let refused = tenants.store("evil").unwrap_err();
    assert!(matches!(refused, StoreError::OtherTenant { .. }), "{refused}");
    let options = StoreOptions { tenant: "acme".to_owned(), ..StoreOptions::default() };
    let refused = Store::open_with(&acme, options).unwrap_err();
    assert!(matches!(refused, StoreError::OtherTenant { .. }), "{refused}");
    for name in ["../evil", "/etc/passwd", ".."] {
        let path = tenants.path(name).unwrap();
        assert_eq!(path.parent(), Some(folder.path()));
    }
    let empty = tenants.store("").unwrap_err();
    assert!(matches!(empty, StoreError::TenantName { .. }), "{empty}");
}

/// Holds a file as whoever repairs it does.
fn held(path: &std::path::Path) -> Connection {
    let held = Connection::open(path).unwrap();
    held.pragma_update(None, "locking_mode", "exclusive").unwrap();
    held.execute_batch("BEGIN EXCLUSIVE").unwrap();
    held
}

#[test]
fn whoever_waits_for_one_tenants_file_keeps_no_other_tenant_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = Tenants::open(folder.path(), 5).unwrap();
    for name in ["a", "b"] {
        drop(tenants.store(name).unwrap());
    }
    drop(tenants);
    let tenants = Tenants::open(folder.path(), 5).unwrap();
    let held = held(&tenants.path("a").unwrap());
    let began = Instant::now();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| tenants.store("a"))).collect();
        let removing = scope.spawn(|| tenants.remove("a"));
        std::thread::sleep(Duration::from_millis(300));
        drop(tenants.store("b").unwrap());
        drop(tenants.store("new").unwrap());
        assert_eq!(tenants.n_open(), 2);
        assert!(tenants.remove("new").unwrap());
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()), "{:?}", began.elapsed());
        for waiting in waiting {
            let refused = waiting.join().unwrap();
            assert!(matches!(refused, Err(StoreError::Locked { .. })), "{refused:?}");
        }
        assert!(matches!(removing.join().unwrap(), Err(StoreError::Locked { .. })));
    });
    // They wait together, and not one after the other.
    assert!(began.elapsed() < Duration::from_secs(18), "{:?}", began.elapsed());
    drop(held);
    assert_eq!(tenants.store("a").unwrap().counts().unwrap(), (0, 0));
}

#[test]
fn one_tenant_asked_for_by_many_at_once_is_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = Tenants::open(folder.path(), 2).unwrap();
    let asked = |number: i64| {
        let name = format!("t{}", number % 4);
        let store = tenants.store(&name).unwrap();
        let key = format!("m/{number}");
        let event = story::message(&key, number, "chat", "", &["email jan@example.nl"]);
        store.ingest(&recording(), [event]).unwrap();
    };
    std::thread::scope(|scope| {
        for number in 0..16 {
            let asked = &asked;
            scope.spawn(move || asked(number));
        }
    });
    for number in 0..4 {
        assert_eq!(tenants.store(&format!("t{number}")).unwrap().counts().unwrap(), (1, 4));
    }
    assert_eq!(tenants.n_open(), 2);
}

#[test]
fn of_two_who_make_one_file_the_second_does_not_go_on_with_settings_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.cx");
    let with = |tenant: &str| StoreOptions { tenant: tenant.to_owned(), ..StoreOptions::default() };
    drop(Store::open_with(&path, with("one")).unwrap());
    // As it stands before either has put anything into it.
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TEMP TABLE kept AS SELECT k, v FROM meta; DELETE FROM meta;
             BEGIN IMMEDIATE; INSERT INTO meta(k, v) SELECT k, v FROM kept;",
        )
        .unwrap();
    std::thread::scope(|scope| {
        let second = ["two", "one"].map(|tenant| {
            let (path, options) = (&path, with(tenant));
            scope.spawn(move || Store::open_with(path, options).map(|store| store.tenant()))
        });
        std::thread::sleep(Duration::from_millis(500));
        other.execute_batch("COMMIT").unwrap();
        let [two, one] = second.map(|second| second.join().unwrap());
        assert!(matches!(two, Err(StoreError::OtherTenant { .. })), "{two:?}");
        assert_eq!(one.unwrap(), "one");
    });
}
