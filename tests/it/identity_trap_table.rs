//! The rest of the table of traps (IDENTITY.md 3), row by row, beside the stories of
//! `identity_traps`.
//!
//! Rows that are tested elsewhere: who wrote behind a forwarder or a `Reply-To`, and senders without
//! DMARC, in `cx_adapters::mail`; two stores of two tenants in `store_files`.

use cx_core::context::ContextOptions;
use cx_core::event::Event;
use cx_core::identifier::{Identifier, Who};
use cx_core::identity::{
    Assertion, Assertions, Observation, Policy, Population, Recorded, Subject, Verdict,
};
use cx_core::ids::{CustomerId, IdKey, ObservationId};
use cx_core::time::Micros;
use cx_store::{Recording, Store, StoreOptions};
use cx_tests::chance::Chance;
use cx_tests::names::Names;
use cx_tests::story::{claim, message, monday};
use cx_tests::strategies::{TENANT, recorded};

const DAY: i64 = 24 * 60;

fn population(facts: &[Recorded], said: &[Assertion]) -> Population {
    let said = Assertions::new(said.iter().cloned());
    Population::of(facts, &said, &Policy::default(), &IdKey::of_tenant(TENANT))
}

fn id(event: &Event) -> ObservationId {
    Observation::of(TENANT, event).id
}

/// Who is with whom after people have had their say, as `a b | c`; those who are nobody's stand by
/// themselves, as customers of one event do.
fn divided(events: &[Event], said: &[Assertion]) -> String {
    let sets = population(&recorded(events), said).partition();
    let keys = |set: &Vec<ObservationId>| {
        let held = events.iter().filter(|event| set.contains(&id(event)));
        held.map(|event| event.key.to_string()).collect::<Vec<_>>().join(" ")
    };
    let mut sets: Vec<String> = sets.iter().map(keys).collect();
    sets.sort();
    sets.join(" | ")
}

fn check(events: &[Event], expected: &str) {
    assert_eq!(divided(events, &[]), expected);
}

fn said(verdict: Verdict) -> Assertion {
    Assertion { verdict, by: "agent:7".to_owned(), reason: None, at: monday() }
}

fn event_of(event: &Event) -> Subject {
    Subject::Observation(id(event))
}

fn value(words: &str) -> Identifier {
    claim(words).unwrap().identifier().clone()
}

/// Whether two claims are one value: two nameless events with them are one customer.
fn meet(one: &str, other: &str) -> bool {
    let events = [message("a", 0, "web", "", &[one]), message("b", 5, "web", "", &[other])];
    assert_eq!(events.each_ref().map(|event| event.who.len()), [1, 1], "{one}, {other}");
    divided(&events, &[]) == "a b"
}

/// Invented names, no two of which could be one person's.
fn strangers(n: usize) -> Vec<String> {
    let (names, mut chance, mut found) = (Names::new(), Chance::seeded(11), Vec::new());
    let mut families = std::collections::BTreeSet::new();
    while found.len() < n {
        let family = names.family(&mut chance);
        let name = names.person(&mut chance, &family);
        if families.insert(name.family.clone()) {
            found.push(name.full());
        }
    }
    found
}

#[test]
fn a_nameless_call_from_a_shared_number_has_both_housemates_as_candidates() {
    let landline = "phone 020 624 1111";
    let options = StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() };
    let store = Store::open_in_memory_with(options).unwrap();
    let events = [
        message("a", 0, "phone", "Ann Prins", &[landline]),
        message("b", 5, "phone", "Bob Smit", &[landline]),
        message("c", 9, "phone", "", &[landline]),
    ];
    store.ingest(&Recording::new(monday(), "story"), events).unwrap();
    let found = store.find(&Who::Identifier(value(landline))).unwrap();
    let mut names: Vec<&str> = found.customers.iter().filter_map(|c| c.name.as_deref()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Ann Prins", "Bob Smit"]);
}

#[test]
fn an_agency_that_writes_for_many_is_none_of_them() {
    let names = ["Ann Prins", "Bob Smit", "Cor Vos", "Dirk Mol", "Eva Kok"];
    let events: Vec<Event> = (0..)
        .zip(names)
        .map(|(n, name)| message(name, n, "email", name, &["email desk.nine@agency.example"]))
        .collect();
    assert_eq!(divided(&events, &[]).split(" | ").count(), names.len());
}

#[test]
fn a_placeholder_on_a_list_is_no_claim_at_all() {
    for value in [
        "phone 0000000000",
        "phone 07000000000",
        "phone +1 555 0100",
        "phone 1234567890",
        "email none@none.com",
        "email null",
        "user_id undefined",
        "user_id [object Object]",
        "user_id NaN",
        "user_id 0",
        "user_id -1",
        "user_id test",
        "user_id anonymous",
        "user_id abc123",
    ] {
        assert_eq!(claim(value), None, "{value}");
    }
}

#[test]
fn a_new_placeholder_on_ten_thousand_rows_of_a_till_joins_nothing() {
    let events: Vec<Event> = (0_i64..)
        .zip(strangers(200).iter().cycle().take(10_000))
        .map(|(n, name)| {
            // One row in four is without a name.
            let name = if n % 4 == 3 { "" } else { name };
            let own = format!("loyalty L{n}");
            message(&format!("{n}"), n, "store", name, &["phone 020 555 5551", &own])
        })
        .collect();
    let sets = population(&recorded(&events), &[]).partition();
    assert_eq!(sets.len(), events.len());
}

#[test]
fn a_number_that_changed_hands_within_a_person_carries_the_history_over() {
    let (old, new) = ("phone 06 12345678", "phone 06 87654321");
    let events = [
        message("a", 0, "phone", "Ann Prins", &[old]),
        message("b", 90 * DAY, "phone", "Ann Prins", &[new]),
        message("c", 91 * DAY, "phone", "", &[new]),
    ];
    check(&events, "a | b c");
    assert_eq!(divided(&events, &[said(Verdict::Rekey(value(old), value(new)))]), "a b c");
}

#[test]
fn the_holder_of_a_value_is_who_is_linked_by_it_and_not_who_mentioned_it() {
    let (jan, piet, eva) =
        ("email jan@example.nl", "email piet@example.nl", "email eva@example.nl");
    let identifier = |words: &str| Subject::Identifier(value(words));
    let same = said(Verdict::Same(identifier(jan), identifier(piet)));
    let mut events = [
        message("eva", 0, "email", "Eva Bakker", &[eva, "email jan@example.nl ?"]),
        message("jan", 5, "email", "Jan Smit", &[jan]),
        message("piet", 9, "email", "Piet Jansen", &[piet]),
    ];
    assert_eq!(divided(&events, std::slice::from_ref(&same)), "eva | jan piet");
    let rekey = said(Verdict::Rekey(value(jan), value(piet)));
    assert_eq!(divided(&events, &[rekey]), "eva | jan piet");
    // Nor who acted for the holder, nor a record that was taken from there.
    events[0] = message("eva", 0, "email", "Eva Bakker", &[eva, jan]);
    events[0].who[1].on_behalf_of = true;
    assert_eq!(divided(&events, std::slice::from_ref(&same)), "eva | jan piet");
    events[0] = message("eva", 0, "email", "Jan Smit", &[jan]);
    let taken = said(Verdict::Detach(id(&events[0]), value(jan)));
    assert_eq!(divided(&events, &[taken, same.clone()]), "eva | jan piet");
    // Only where nobody is linked by it, who claims it.
    events[1] = message("jan", 5, "email", "Jan Smit", &["email jan@example.nl ?"]);
    assert_eq!(divided(&events[1..], &[same]), "jan piet");
}

#[test]
fn what_was_said_of_an_address_is_said_of_who_had_it_then() {
    let (shared, other) = ("email family@example.nl", "email eva2@example.com");
    let events = [
        message("jan", 0, "email", "Jan Smit", &[shared]),
        message("eva", 600, "email", "Eva Bakker", &[shared]),
        message("eva2", 605, "email", "Eva Bakker", &[other]),
        message("piet", 9_000, "email", "Piet Mol", &[shared]),
    ];
    let at = monday() + Micros::MINUTE.times(700);
    let identifier = |words: &str| Subject::Identifier(value(words));
    for verdict in [
        Verdict::Same(identifier(shared), identifier(other)),
        Verdict::Rekey(value(shared), value(other)),
    ] {
        // An older record of the address that comes in later changes nothing, nor does a newer one.
        let word = Assertion { at, ..said(verdict) };
        assert_eq!(divided(&events[1..3], std::slice::from_ref(&word)), "eva eva2");
        assert_eq!(divided(&events, &[word]), "eva eva2 | jan | piet");
    }
}

#[test]
fn what_is_said_of_an_address_keeps_the_record_that_was_meant() {
    let (shared, other) = ("email family@example.nl", "email eva2@example.com");
    let store = Store::open_in_memory().unwrap();
    let take = |event: Event, minute: i64| {
        let at = monday() + Micros::MINUTE.times(minute);
        store.ingest(&Recording::new(at, "story"), [event]).unwrap();
    };
    take(message("eva", 600, "email", "Eva Bakker", &[shared]), 600);
    take(message("eva2", 605, "email", "Eva Bakker", &[other]), 605);
    let who = |words: &str| Who::Identifier(value(words));
    let meant = |words: &str| store.meant(&who(words)).unwrap();
    let record = meant(shared).unwrap();
    let side = |words: &str| Subject::Observation(meant(words).unwrap());
    let word = said(Verdict::Same(side(shared), side(other)));
    store.assert(&word, monday() + Micros::MINUTE.times(610)).unwrap();
    assert_eq!(meant(shared), Some(record), "it is the same record still");
    assert_ne!(meant(other), Some(record));
    // Somebody else's mail of that address comes in, older and newer than hers.
    take(message("jan", 0, "email", "Jan Smit", &[shared]), 620);
    take(message("jan2", 615, "email", "Jan Smit", &[shared]), 621);
    let names = |words: &str| {
        let found = store.find(&who(words)).unwrap();
        found.customers.into_iter().filter_map(|one| one.name).collect::<Vec<_>>()
    };
    assert_eq!(names(other), ["Eva Bakker"]);
    assert_eq!(names(shared).len(), 2);
    assert_eq!(meant(shared), None, "of several nobody is chosen");
}

#[test]
fn two_who_are_called_different_by_an_address_are_not_split() {
    let (jan, eva) = ("email jan@example.nl", "email eva@example.nl");
    let events = [
        message("e1", 0, "email", "Eva Bakker", &[eva, "email jan@example.nl ?"]),
        message("e2", 5, "email", "Eva Bakker", &[eva]),
        message("jan", 9, "email", "Jan Smit", &[jan]),
    ];
    let identifier = |words: &str| Subject::Identifier(value(words));
    let apart = said(Verdict::Different(identifier(jan), identifier(eva)));
    assert_eq!(divided(&events, &[apart]), "e1 e2 | jan");
}

#[test]
fn whoever_is_different_is_not_somebody_by_their_time_on_a_device() {
    let events = [
        message("ann", 0, "chat", "Ann Prins", &["cookie c1", "email ann@example.nl"]),
        message("bob", 600, "chat", "Bob Smit", &["cookie c1", "email bob@example.nl"]),
        message("n", 5, "chat", "", &["cookie c1"]),
    ];
    check(&events, "ann n | bob");
    let apart = said(Verdict::Different(event_of(&events[2]), event_of(&events[0])));
    assert_eq!(divided(&events, &[apart]), "ann | bob | n");
}

#[test]
fn what_a_record_was_taken_from_vouches_for_nothing_on_it_and_no_model_brings_it_back() {
    let (mail, mobile) = ("email jan@example.nl", "phone 06 12345678");
    let events = [
        message("s1", 0, "web", "Jan Smit", &[mail, "phone 06 12345678 ?"]),
        message("s2", 5, "phone", "Jan Smit", &[mobile]),
        message("s3", 9, "email", "Jan Smit", &[mail]),
    ];
    check(&events, "s1 s2 s3");
    let taken = said(Verdict::Detach(id(&events[0]), value(mail)));
    assert_eq!(divided(&events, std::slice::from_ref(&taken)), "s1 | s2 | s3");
    let probable = said(Verdict::Probable(id(&events[0]), id(&events[2]), 15_000));
    assert_eq!(divided(&events, &[taken, probable]), "s1 | s2 | s3");
}

#[test]
fn a_new_whatsapp_id_that_replaces_an_old_one_carries_the_history_over() {
    let (old, new) = ("wa_bsuid NL.111", "wa_bsuid NL.222");
    let events = [
        message("a", 0, "whatsapp", "Ann Prins", &[old]),
        message("b", DAY, "whatsapp", "Ann Prins", &[new]),
    ];
    check(&events, "a | b");
    assert_eq!(divided(&events, &[said(Verdict::Rekey(value(old), value(new)))]), "a b");
}

#[test]
fn whatsapp_without_a_number_is_one_customer_once_the_number_comes() {
    let id = "wa_bsuid NL.111";
    let events = [
        message("a", 0, "whatsapp", "", &[id]),
        message("b", 5, "whatsapp", "Ann Prins", &[id, "wa_id 31612345678", "phone +31612345678"]),
        message("c", 9, "phone", "", &["phone 06 12345678"]),
    ];
    check(&events, "a b c");
}

#[test]
fn a_mobile_is_one_number_before_and_after_its_country_changed_the_form() {
    assert!(meet("phone +55 11 8765-4321", "phone +55 11 98765-4321"));
    assert!(meet("wa_id 551187654321", "wa_id 5511987654321"));
    assert!(meet("phone +52 1 55 1234 5678", "phone +52 55 1234 5678"));
    assert!(meet("phone +54 9 11 2345 6789", "phone +54 11 2345 6789"));
    assert!(!meet("phone +55 11 3333-4444", "phone +55 11 93333-4444"), "a landline");
}

#[test]
fn a_national_number_is_one_of_its_source_and_of_no_other_country() {
    // Stories are told by a source of the Netherlands.
    assert!(meet("phone 020 624 1111", "phone +31 20 624 1111"));
    assert!(meet("phone 0031 20 6241111", "phone (020) 6241111"));
    assert!(!meet("phone 020 7946 0000", "phone +44 20 7946 0000"), "a number of London");
    assert!(!meet("phone +31 20 624 1111 ext. 7", "phone +31 20 624 1111"), "an extension");
}

#[test]
fn short_codes_and_service_numbers_are_kept_and_join_nobody() {
    for number in ["phone 1233", "phone 0800 1234", "phone 0900 1234", "phone 12"] {
        assert!(!meet(number, number), "{number}");
    }
}

#[test]
fn a_kiosk_makes_nobody_one_of_its_users() {
    let mut events = Vec::new();
    for n in 0_i64..30 {
        let login = format!("user_id u{n}");
        events.push(message(&format!("in{n}"), n * 60, "web", "", &["cookie kiosk", &login]));
        events.push(message(&format!("at{n}"), n * 60 + 40, "web", "", &[&login]));
    }
    assert_eq!(divided(&events, &[]).split(" | ").count(), 30);
}

#[test]
fn whoever_logs_in_after_a_logout_without_a_reset_is_not_who_logged_out() {
    let events = [
        message("a", 0, "web", "Ann Prins", &["cookie c1", "email ann@example.nl"]),
        message("left", 5, "web", "", &["cookie c1"]),
        message("came", 55, "web", "", &["cookie c1"]),
        message("b", 60, "web", "Bob Smit", &["cookie c1", "email bob@example.nl"]),
        message("b2", 90, "email", "Bob Smit", &["email bob@example.nl"]),
    ];
    check(&events, "a left | came b b2");
}

#[test]
fn a_sender_whom_nothing_proves_reads_nobodys_history() {
    let events = [
        message("true", 0, "email", "Ann Prins", &["email ann@example.nl"]),
        message("false", 9, "email", "Ann Prins", &["email ann@example.nl ?"]),
        message("again", 12, "email", "Ann Prins", &["email ann@example.nl ?"]),
    ];
    assert!(!divided(&events, &[]).split(" | ").any(|set| set.contains("true ")));
}

#[test]
fn case_means_nothing_in_an_address() {
    assert!(meet("email User@X.example.com", "email user@x.EXAMPLE.com"));
}

#[test]
fn dots_and_tags_mean_something_where_the_provider_says_so() {
    assert!(meet("email j.doe@gmail.com", "email JDoe+shop@googlemail.com"));
    assert!(meet("email jdoe+shop@outlook.com", "email jdoe@outlook.com"));
    assert!(!meet("email j.doe@outlook.com", "email jdoe@outlook.com"));
    assert!(!meet("email jdoe+shop@corp.example", "email jdoe@corp.example"));
}

#[test]
fn scripts_widths_and_invisible_letters_do_not_divide_one_value() {
    assert!(meet("email ｊａｎ＠ｅｘａｍｐｌｅ．ｎｌ", "email jan@example.nl"));
    assert!(meet("email jan\u{200b}@example.nl", "email jan@example.nl"));
    assert!(meet("email info2@bücher.example", "email info2@xn--bcher-kva.example"));
    assert!(meet("email andre\u{301}@example.nl", "email andré@example.nl"));
    assert!(meet("phone ٠٢٠ ٦٢٤ ١١١١", "phone 020 624 1111"));
}

#[test]
fn sharp_s_folds_and_look_alike_letters_stay_apart() {
    assert!(meet("email strauß@example.de", "email STRAUSS@example.de"));
    // A Cyrillic a.
    assert!(!meet("email j\u{430}n@example.nl", "email jan@example.nl"));
    // A dotless i is another letter than i; a dotted capital I is i with its dot.
    assert!(!meet("email ılgaz@example.com", "email ilgaz@example.com"));
}

#[test]
fn an_address_with_letters_of_two_scripts_is_told_to_whoever_answers() {
    let store = Store::open_in_memory().unwrap();
    let of = |key: &str, address: &str| message(key, 1, "email", "Jan de Vries", &[address]);
    let events = [of("a", "email j\u{430}n@example.nl"), of("b", "email jan@example.org")];
    store.ingest(&Recording::new(monday(), "test"), events.clone()).unwrap();
    let alerts = |event: &Event| {
        let who = Who::Identifier(event.who[0].identifier().clone());
        let context = store.context(&who, &ContextOptions::at(events[0].occurred_at)).unwrap();
        context.alerts.iter().map(|alert| alert.kind.clone()).collect::<Vec<_>>()
    };
    assert!(alerts(&events[0]).contains(&"look_alike".to_owned()));
    assert!(!alerts(&events[1]).contains(&"look_alike".to_owned()));
}

#[test]
fn an_alias_of_a_relay_is_one_persons_and_a_shared_catch_all_nobodys() {
    let alias = "email x7k2p@privaterelay.example";
    let events = [
        message("a", 0, "commerce", "Ann Prins", &[alias]),
        message("b", 5, "commerce", "Ann Prins", &[alias]),
    ];
    check(&events, "a b");
    let names = ["Ann Prins", "Bob Smit", "Cor Vos", "Dirk Mol"];
    let shared: Vec<Event> = (0..)
        .zip(names)
        .map(|(n, name)| message(name, n, "commerce", name, &["email everyone@mail.example"]))
        .collect();
    assert_eq!(divided(&shared, &[]).split(" | ").count(), names.len());
}

#[test]
fn junior_and_senior_on_one_landline_are_two_once_somebody_says_so() {
    let landline = "phone 020 624 1111";
    let events = [
        message("senior", 0, "phone", "Jan de Vries sr", &[landline, "loyalty 1"]),
        message("junior", 5, "phone", "Jan de Vries jr", &[landline, "loyalty 2"]),
        message("later", 9, "store", "Jan de Vries", &["loyalty 2"]),
    ];
    let apart = said(Verdict::Different(event_of(&events[0]), event_of(&events[1])));
    assert_eq!(divided(&events, &[apart]), "junior later | senior");
}

#[test]
fn nicknames_initials_swapped_fields_and_slips_are_one_persons_name() {
    for name in ["Bob Smit", "R. Smit", "Smit Robert", "Smit, Robert", "ROBERT SMIT", "Robret Smit"]
    {
        let mobile = "phone 06 12345678";
        let events = [
            message("a", 0, "phone", "Robert Smit", &[mobile]),
            message("b", 5, "phone", name, &[mobile]),
        ];
        assert_eq!(divided(&events, &[]), "a b", "{name}");
    }
}

#[test]
fn a_wedding_does_not_make_two_people_of_one_login() {
    let events = [
        message("a", 0, "web", "Ann Prins", &["user_id u1", "email ann@example.nl"]),
        message("b", 5, "web", "Ann de Boer", &["user_id u1", "email ann@example.nl"]),
    ];
    check(&events, "a b");
}

#[test]
fn an_event_with_two_exclusive_ids_joins_neither_to_the_other() {
    let events = [
        message("a", 0, "web", "", &["user_id u1"]),
        message("b", 5, "web", "", &["user_id u2"]),
        message("both", 9, "web", "", &["user_id u1", "user_id u2"]),
    ];
    let sets = divided(&events, &[]);
    assert!(!sets.contains("a b"), "{sets}");
    check(&events, "a | b | both");
}

#[test]
fn late_doubled_and_shuffled_events_give_the_same_customers() {
    let mut events: Vec<Event> = (0..40)
        .map(|n| {
            let (who, at) = (n % 5, (n * 7 % 40) * DAY);
            let name = ["Ann Prins", "Bob Smit", "", "Cor Vos", ""][usize::try_from(who).unwrap()];
            let claims =
                [format!("phone 06 1234567{}", n % 3), format!("email p{}@example.nl", n % 4)];
            let claims: Vec<&str> =
                claims.iter().take(if who % 2 == 0 { 1 } else { 2 }).map(String::as_str).collect();
            message(&format!("e{n}"), at, "email", name, &claims)
        })
        .collect();
    let expected = population(&recorded(&events), &[]).partition();
    events.extend(events.clone());
    for seed in 0..20 {
        Chance::seeded(seed).shuffle(&mut events);
        assert_eq!(population(&recorded(&events), &[]).partition(), expected);
    }
}

#[test]
fn a_customer_merged_with_itself_stays_as_it_was() {
    let events = [
        message("a", 0, "email", "Ann Prins", &["email ann@example.nl"]),
        message("b", 5, "email", "Ann Prins", &["email ann@example.nl"]),
    ];
    let same = |a: &Event, b: &Event| said(Verdict::Same(event_of(a), event_of(b)));
    assert_eq!(divided(&events, &[same(&events[0], &events[0])]), "a b");
    assert_eq!(divided(&events, &[same(&events[0], &events[1])]), "a b");
    let mail = Subject::Identifier(value("email ann@example.nl"));
    assert_eq!(divided(&events, &[said(Verdict::Same(mail.clone(), mail))]), "a b");
}

#[test]
fn in_a_chain_the_weakest_link_gives_way() {
    let events = [
        message("a", 0, "email", "", &["email ann@example.nl"]),
        message("b", 5, "email", "", &["email ann@example.nl", "phone 06 12345678"]),
        message("c", 9, "phone", "", &["phone 06 12345678"]),
    ];
    check(&events, "a b c");
    let apart = said(Verdict::Different(event_of(&events[0]), event_of(&events[2])));
    assert_eq!(divided(&events, &[apart]), "a b | c");
}

#[test]
fn a_merge_of_two_long_histories_is_undone_to_the_letter() {
    let history = |who: &str, name: &str| -> Vec<Event> {
        let mail = format!("email {who}@example.nl");
        (0..5_000).map(|n| message(&format!("{who}{n}"), n, "email", name, &[&mail])).collect()
    };
    let events = [history("ann", "Ann Prins"), history("bob", "Bob Smit")].concat();
    let facts = recorded(&events);
    let before = population(&facts, &[]);
    assert_eq!(before.customers.len(), 2);
    let merge = said(Verdict::Same(event_of(&events[42]), event_of(&events[7_042])));
    let merged = population(&facts, std::slice::from_ref(&merge));
    assert_eq!(merged.customers.len(), 1);
    assert_eq!(merged.customers[0].observations.len(), 10_000);
    let undo = said(Verdict::Revoke(merge.id()));
    assert_eq!(population(&facts, &[merge, undo]), before);
}

#[test]
fn one_fact_of_two_tenants_is_two_facts_of_two_customers() {
    let event = message("a", 0, "email", "Ann Prins", &["email ann@example.nl"]);
    let ids = ["acme", "apex"].map(|tenant| {
        let observation = Observation::of(tenant, &event);
        (CustomerId::issue(&IdKey::of_tenant(tenant), observation.id), observation.id)
    });
    assert_ne!(ids[0].0, ids[1].0);
    assert_ne!(ids[0].1, ids[1].1);
}

#[test]
fn an_id_cannot_be_guessed_without_the_key_and_says_nothing() {
    let event = message("ann@example.nl", 0, "email", "Ann Prins", &["email ann@example.nl"]);
    let of = |key: &IdKey| CustomerId::issue(key, id(&event));
    let issued = of(&IdKey::new([7; 32]));
    assert_ne!(issued, of(&IdKey::new([8; 32])));
    assert!(!issued.to_string().contains("ann"), "{issued}");
}

#[test]
fn what_is_wrong_with_a_value_is_said_without_the_value() {
    let long = format!("jan{}@example.nl", "x".repeat(600));
    for value in ["noreply@example.nl", "null", &long] {
        let namespace = cx_core::identifier::Namespace::Email;
        let error = Identifier::normalise(namespace, "", value, None).unwrap_err();
        assert!(!error.to_string().contains(value), "{error}");
    }
}

#[test]
fn one_name_at_one_address_is_no_proof() {
    let home = "address Dorpsstraat 1, 1234 AB Ons Dorp";
    let events = [
        message("senior", 0, "commerce", "Jan de Vries", &[home]),
        message("junior", 5, "commerce", "Jan de Vries", &[home]),
    ];
    assert_eq!(divided(&events, &[]), "junior | senior");
}

#[test]
fn one_name_behind_one_network_address_is_no_proof() {
    let events = [
        message("a", 0, "web", "Jan de Vries", &["ip 10.0.0.1"]),
        message("b", 5, "web", "Jan de Vries", &["ip 10.0.0.1"]),
    ];
    assert_eq!(divided(&events, &[]), "a | b");
}

#[test]
fn a_login_that_many_people_share_joins_none_of_them() {
    let events: Vec<Event> = (0_i64..)
        .zip(strangers(12))
        .map(|(n, name)| {
            let mail = format!("email p{n}@example.nl");
            message(&format!("{n}"), n, "web", &name, &["user_id qa-account", &mail])
        })
        .collect();
    assert_eq!(divided(&events, &[]).split(" | ").count(), 12);
}

#[test]
fn two_of_one_name_who_gave_a_placeholder_that_nobody_listed_are_two() {
    let mut events: Vec<Event> = (0_i64..)
        .zip(strangers(20))
        .map(|(n, name)| message(&format!("{n}"), n, "store", &name, &["phone 020 555 5551"]))
        .collect();
    events.push(message("jan", 50, "store", "Jan de Vries", &["phone 020 555 5551"]));
    events.push(message("other", 60, "store", "Jan de Vries", &["phone 020 555 5551"]));
    assert_eq!(divided(&events, &[]).split(" | ").count(), 22);
}
