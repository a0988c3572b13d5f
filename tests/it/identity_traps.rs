//! The traps of identity (IDENTITY.md 3), each as a story.

use cx_core::event::Event;
use cx_core::identity::{Assertions, Observation, Policy, Population, Recorded};
use cx_core::ids::IdKey;
use cx_core::time::Micros;
use cx_tests::story::{in_conversation, message, monday};
use cx_tests::strategies::TENANT;

const DAY: i64 = 24 * 60;

/// Who is with whom, written as the keys of their events: `a b | c`. Sets of events that belong
/// to nobody stand in brackets.
fn customers(events: &[Event]) -> String {
    let facts: Vec<Recorded> = events
        .iter()
        .map(|event| Recorded {
            observation: Observation::of(TENANT, event),
            recorded_at: monday(),
        })
        .collect();
    let (policy, key) = (Policy::default(), IdKey::of_tenant(TENANT));
    let population = Population::of(&facts, &Assertions::default(), &policy, &key);
    let keys = |observations: &[cx_core::ids::ObservationId]| {
        let held = events.iter().filter(|e| observations.contains(&Observation::of(TENANT, e).id));
        held.map(|event| event.key.to_string()).collect::<Vec<_>>().join(" ")
    };
    let mut sets: Vec<String> =
        population.customers.iter().map(|customer| keys(&customer.observations)).collect();
    sets.extend(population.unattributed.iter().map(|alone| format!("({})", keys(&[*alone]))));
    sets.sort();
    sets.join(" | ")
}

fn check(events: &[Event], expected: &str) {
    assert_eq!(customers(events), expected);
    let backwards: Vec<Event> = events.iter().rev().cloned().collect();
    let mut sets: Vec<String> = customers(&backwards)
        .split(" | ")
        .map(|set| set.split(' ').rev().collect::<Vec<_>>().join(" "))
        .collect();
    sets.sort();
    assert_eq!(sets.join(" | "), expected, "in another order of arrival");
}

#[test]
fn a_housemate_on_the_same_landline_stays_another_customer() {
    let landline = "phone 020 624 1111";
    check(
        &[
            message("a", 0, "phone", "Ann Prins", &[landline]),
            message("b", 5, "phone", "Bob Smit", &[landline]),
            message("c", 9, "phone", "", &[landline]),
        ],
        "a | b | c",
    );
}

#[test]
fn fifty_senders_from_one_role_mailbox_are_fifty_customers() {
    let events: Vec<Event> = (0_u8..50)
        .map(|n| {
            let letter = char::from(b'a' + n % 26);
            let name =
                format!("{letter}{letter}{letter} S{}", "qz".repeat(usize::from(n / 26) + 1));
            message(
                &format!("m{n}"),
                i64::from(n),
                "email",
                &name,
                &["email info@bakkerij.example"],
            )
        })
        .collect();
    assert_eq!(customers(&events).split(" | ").count(), 50);
}

#[test]
fn a_placeholder_nobody_listed_joins_nothing_once_many_names_carry_it() {
    let names = [
        "Ann Prins",
        "Bob Smit",
        "Cor Vos",
        "Dirk Mol",
        "Eva Kok",
        "Fons Bos",
        "Gijs Dam",
        "Hilde Tol",
    ];
    let events: Vec<Event> = names
        .iter()
        .enumerate()
        .map(|(n, name)| message(&format!("{n}"), 0, "store", name, &["phone 020 555 5551"]))
        .collect();
    assert_eq!(customers(&events).split(" | ").count(), names.len());
}

#[test]
fn a_recycled_mobile_goes_by_date() {
    let mobile = "phone 06 12345678";
    check(
        &[
            message("a1", 0, "phone", "Ann Prins", &[mobile, "email ann@example.nl"]),
            message("a2", 20 * DAY, "phone", "", &[mobile]),
            message("a3", 30 * DAY, "phone", "Ann Prins", &[mobile]),
            message("b1", 200 * DAY, "phone", "Bob Smit", &[mobile]),
            message("b2", 210 * DAY, "phone", "", &[mobile]),
            message("b3", 230 * DAY, "phone", "Bob Smit", &[mobile]),
        ],
        "a1 a2 a3 | b1 b2 b3",
    );
}

#[test]
fn one_stray_event_does_not_move_a_number() {
    let mobile = "phone 06 12345678";
    let mut events: Vec<Event> = (0..9)
        .map(|n| message(&format!("a{n}"), n * DAY, "phone", "Ann Prins", &[mobile]))
        .collect();
    events.push(message("b", 4 * DAY, "phone", "Bob Smit", &[mobile]));
    events.push(message("c", 5 * DAY, "phone", "", &[mobile]));
    assert_eq!(customers(&events), "a0 a1 a2 a3 a4 a5 a6 a7 a8 c | b");
}

#[test]
fn two_logins_on_one_browser_are_two_customers_and_visits_go_to_the_nearest() {
    check(
        &[
            message("a", 0, "web", "", &["cookie c1", "user_id ann"]),
            message("v", 10, "web", "", &["cookie c1"]),
            message("w", 300, "web", "", &["cookie c1"]),
            message("x", 595, "web", "", &["cookie c1"]),
            message("b", 600, "web", "", &["cookie c1", "user_id bob"]),
        ],
        "a v | w | x b",
    );
}

#[test]
fn an_initial_is_of_nobody_where_it_may_be_of_two() {
    let landline = "phone 020 624 1111";
    let call = |key, at, name| message(key, at, "phone", name, &[landline]);
    // Whoever was first.
    for order in [[0, 5, 9], [9, 0, 5], [5, 9, 0]] {
        let [j, jan, johanna] = order;
        let events = [
            call("j", j, "J. Bakker"),
            call("jan", jan, "Jan Bakker"),
            call("johanna", johanna, "Johanna Bakker"),
        ];
        assert_eq!(customers(&events), "j | jan | johanna");
    }
    check(&[call("j", 0, "J. Bakker"), call("jan", 5, "Jan Bakker")], "j jan");
    let one = [call("a", 0, "Jan"), call("b", 5, "Jan Bakker"), call("c", 9, "Jan Smit")];
    check(&one, "a | b | c");
    check(&[call("m", 0, "Mr Smith"), call("w", 5, "Mrs Smith")], "m | w");
    check(&[call("m", 0, "Mr Smith"), call("j", 5, "John Smith")], "m j");
}

#[test]
fn a_login_without_a_name_is_no_bridge_between_those_who_have_one() {
    for shared in ["phone 020 624 1111", "email family@example.nl"] {
        let events = [
            message("a", 0, "phone", "Jan Smit", &[shared]),
            message("u", 5, "phone", "", &[shared, "user_id u1"]),
            message("b", 9, "phone", "Eva Bos", &[shared]),
            message("c", 12, "phone", "Piet Vos", &[shared]),
        ];
        check(&events, "a | b | c | u");
        check(&events[..2], "a u");
    }
}

#[test]
fn a_number_beside_more_addresses_than_anybody_has_joins_none_of_them() {
    let guest = |n: i64| {
        let address = format!("email p{n}@example.nl");
        message(&format!("{n:03}"), n * DAY, "web", "", &[&address, "phone 06 12345678 ?"])
    };
    let two: Vec<Event> = (0..2).map(guest).collect();
    // Of two neither has shown that it is theirs.
    assert_eq!(customers(&two), "000 | 001");
    let events: Vec<Event> = (0..200).map(guest).collect();
    assert_eq!(customers(&events).split(" | ").count(), 200);
}

#[test]
fn who_has_an_address_of_their_own_is_not_taken_apart_by_a_number() {
    let (mobile, own) = ("phone 06 12345678", "email x@example.nl");
    check(
        &[
            message("ann", 0, "phone", "Ann Prins", &[mobile]),
            message("x1", 5 * DAY, "phone", "", &[mobile, own]),
            message("bob", 200 * DAY, "phone", "Bob Smit", &[mobile]),
            message("x2", 210 * DAY, "phone", "", &[mobile, own]),
            message("x3", 211 * DAY, "email", "", &[own]),
        ],
        "ann | bob | x1 x2 x3",
    );
    let mut days: Vec<Event> = (0..10)
        .map(|n| message(&format!("a{n}"), n * DAY, "phone", "Ann Prins", &[mobile]))
        .collect();
    days.push(message("b", 4 * DAY, "phone", "Bob Smit", &[mobile]));
    days.push(message("x", 5 * DAY, "phone", "", &[mobile, own]));
    assert_eq!(customers(&days), "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 | b | x");
}

#[test]
fn an_anonymous_visit_joins_the_only_person_of_the_browser() {
    check(
        &[
            message("v", 0, "web", "", &["cookie c1"]),
            message("a", 10, "web", "Ann Prins", &["cookie c1", "email ann@example.nl"]),
        ],
        "v a",
    );
}

#[test]
fn an_address_typed_into_a_form_does_not_open_somebody_elses_history() {
    check(
        &[
            message("mail", 0, "email", "Ann Prins", &["email ann@example.nl"]),
            message("chat", 9, "chat", "Ann Prins", &["email ann@example.nl ?"]),
        ],
        "chat | mail",
    );
}

#[test]
fn a_number_stated_by_somebody_we_know_finds_the_caller() {
    check(
        &[
            message(
                "order",
                0,
                "commerce",
                "Jan de Vries",
                &["email jan@example.nl", "phone 06 12345678 ?"],
            ),
            message("call", 9, "phone", "", &["phone 06 12345678"]),
        ],
        "order call",
    );
}

#[test]
fn a_number_stated_by_nobody_we_know_joins_nobody() {
    check(
        &[
            message(
                "form",
                0,
                "web",
                "Jan de Vries",
                &["email jan@example.nl ?", "phone 06 12345678 ?"],
            ),
            message("call", 9, "phone", "", &["phone 06 12345678"]),
        ],
        "call | form",
    );
}

#[test]
fn one_login_never_holds_two_user_ids() {
    check(
        &[
            message("a", 0, "web", "Jan de Vries", &["user_id u1", "email jan@example.nl"]),
            message("b", 9, "web", "Jan de Vries", &["user_id u2", "email jan@example.nl"]),
        ],
        "a | b",
    );
}

#[test]
fn a_withheld_number_is_nobody_each_time() {
    check(
        &[
            message("a", 0, "phone", "", &["phone anonymous"]),
            message("b", 9, "phone", "", &["phone +266696687"]),
        ],
        "(a) | (b)",
    );
}

#[test]
fn what_names_nobody_goes_to_the_person_of_the_conversation() {
    check(
        &[
            in_conversation(message("a", 0, "chat", "Ann Prins", &["helpdesk 7"]), "chat/1"),
            in_conversation(message("s", 5, "system", "", &[]), "chat/1"),
            in_conversation(message("t", 9, "system", "", &[]), "chat/2"),
        ],
        "(t) | a s",
    );
}

#[test]
fn a_refund_reaches_the_buyer_through_order_and_cart() {
    check(
        &[
            message("cart", 0, "commerce", "", &["cart k1"]),
            message("order", 5, "commerce", "Ann Prins", &["cart k1", "order o1", "shop 9"]),
            message("refund", 9, "commerce", "", &["order o1"]),
        ],
        "cart order refund",
    );
}

#[test]
fn an_order_never_makes_two_people_one() {
    check(
        &[
            message("a", 0, "commerce", "Ann Prins", &["order o1", "email ann@example.nl"]),
            message("b", 5, "commerce", "Bob Smit", &["order o1", "email bob@example.nl"]),
            message("refund", 9, "commerce", "", &["order o1"]),
        ],
        "(refund) | a | b",
    );
}

#[test]
fn an_account_that_staff_logs_into_does_not_become_staff() {
    let mut staff = message("s", 5, "web", "", &["user_id u1", "cookie staff"]);
    staff.who[0].on_behalf_of = true;
    check(
        &[
            message("a", 0, "web", "Ann Prins", &["user_id u1"]),
            staff,
            message("t", 9, "web", "", &["cookie staff"]),
        ],
        "a | s t",
    );
}

#[test]
fn the_clock_of_a_session_ends_after_half_an_hour() {
    assert_eq!(Policy::default().session.0, Micros::MINUTE.times(30));
}

#[test]
fn whoever_types_somebody_elses_number_is_not_that_one() {
    let (number, stated) = ("phone 06 12345678", "phone 06 12345678 ?");
    for (victim, attacker) in [("Jan Bos", ""), ("Jan Bos", "J. Bos"), ("", ""), ("", "Mal Lory")] {
        let events = [
            message("v", 0, "email", victim, &["email jan@example.nl", number]),
            message("m", 5, "web", attacker, &["email mal@example.com", stated]),
            message("c", 9, "phone", "", &[number]),
        ];
        check(&events, "m | v c");
    }
    // Under one whole name they are one, as in a shop's order and a mail; so is whoever has proved it.
    let own = [
        message("v", 0, "email", "Jan Bos", &["email jan@example.nl", number]),
        message("m", 5, "web", "Jan Bos", &["email jan@example.com", stated]),
    ];
    check(&own, "v m");
}

#[test]
fn nobody_is_one_with_those_who_use_the_same_kiosk_without_a_name() {
    let of = |key, at, mail| message(key, at, "web", "", &["cookie kiosk", mail]);
    check(
        &[
            of("a", 0, "email ann@example.nl"),
            of("b", 300, "email bob@example.nl"),
            message("v", 310, "web", "", &["cookie kiosk"]),
        ],
        "a | b v",
    );
    // One address is one person, and so is one name.
    check(&[of("a", 0, "email ann@example.nl"), of("b", 9, "email ann@example.nl")], "a b");
    let named = |key, mail| message(key, 0, "web", "Ann Prins", &["cookie c1", mail]);
    check(&[named("a", "email ann@example.nl"), named("b", "email prins@example.nl")], "a b");
}

#[test]
fn a_family_that_shares_a_mailbox_does_not_vanish_when_the_fourth_of_them_writes() {
    let names = ["Jan Bos", "Eva Bos", "Piet Bos", "Mia Bos", "Jan Bos"];
    let events: Vec<Event> = (0..)
        .zip(names)
        .map(|(n, name)| message(&format!("{n}"), n, "email", name, &["email bosjes@example.nl"]))
        .collect();
    assert_eq!(customers(&events), "0 4 | 1 | 2 | 3");
}

#[test]
fn relatives_on_one_landline_stay_apart_whatever_they_are_called() {
    for (one, other) in [
        ("Paul Smith", "Paula Smith"),
        ("Jean Dupont", "Jeanne Dupont"),
        ("John Smith Sr", "John Smith Jr"),
        ("María García López", "María Sánchez López"),
        ("王小明", "王大明"),
    ] {
        let landline = "phone 020 624 1111";
        let of = |key, name| message(key, 0, "phone", name, &[landline]);
        check(&[of("a", one), of("b", other)], "a | b");
    }
}

#[test]
fn a_short_form_in_ones_own_mail_makes_nobody_somebody_else() {
    let shared = "phone 020 624 1111";
    let (mine, yours) = ("email a@example.nl", "email b@example.com");
    for (one, short, other) in [
        ("Jan Bakker", "J. Bakker", "Johanna Bakker"),
        ("Piet Bos", "Mr Bos", "Kees Bos"),
        ("Jan Mol", "Jan", "Jan Bos"),
        ("Christopher Smith", "Chris Smith", "Christina Smith"),
    ] {
        for on in [shared, "cookie pc", "email home@example.nl"] {
            let events = [
                message("a1", 0, "email", one, &[mine]),
                message("a2", 1, "email", short, &[mine]),
                message("a3", 2, "email", one, &[mine, on]),
                message("b1", 3, "email", other, &[yours, on]),
                message("b2", 4, "email", other, &[yours]),
            ];
            check(&events, "a1 a2 a3 | b1 b2");
        }
    }
    // Nor does it vouch for who only typed a number.
    let events = [
        message("v", 0, "email", "Jan Bos", &["email jan@example.nl", shared]),
        message("m1", 5, "web", "Jan Mol", &[yours, "phone 020 624 1111 ?"]),
        message("m2", 6, "email", "Jan", &[yours]),
    ];
    check(&events, "m1 m2 | v");
}

#[test]
fn those_who_only_typed_one_number_or_card_are_not_one() {
    for (shared, names) in [
        ("phone 06 12345678 ?", ["", "", ""]),
        ("phone 06 12345678 ?", ["Jan", "Jan", "Jan"]),
        ("loyalty 123 ?", ["", "", ""]),
    ] {
        let events: Vec<Event> = (0..)
            .zip(names)
            .map(|(n, name)| {
                let own = format!("email p{n}@example.nl");
                message(&format!("{n}"), n, "web", name, &[&own, shared])
            })
            .collect();
        check(&events, "0 | 1 | 2");
    }
    // Under one whole name they are, be its given name a short form of several.
    for name in ["Jan Bos", "Sam Jones", "Alex Smith", "Frank Bos"] {
        let events = [
            message("a", 0, "web", name, &["email a@example.nl", "phone 06 12345678 ?"]),
            message("b", 5, "web", name, &["email b@example.nl", "phone 06 12345678 ?"]),
        ];
        check(&events, "a b");
        let proved = [
            message("a", 0, "web", name, &["email a@example.nl", "phone 06 12345678"]),
            events[1].clone(),
        ];
        check(&proved, "a b");
    }
    // Nor is whoever typed the number of a card that somebody has.
    let events = [
        message("a", 0, "store", "", &["loyalty 123", "email a@example.nl"]),
        message("b", 5, "web", "", &["loyalty 123 ?", "email b@example.nl"]),
    ];
    check(&events, "a | b");
}

#[test]
fn strangers_under_a_placeholder_or_under_one_name_that_is_nobodys_are_not_one() {
    for shared in ["phone 06 12345678 ?", "cookie kiosk"] {
        for name in ["Guest User", "null null", "Unknown Caller"] {
            let events: Vec<Event> = (0..2)
                .map(|n| {
                    let own = format!("email p{n}@example.nl");
                    message(&format!("{n}"), n, "web", name, &[&own, shared])
                })
                .collect();
            check(&events, "0 | 1");
        }
        // A name that nobody listed: one person has not so many addresses.
        let events: Vec<Event> = (0..40)
            .map(|n| {
                let own = format!("email p{n}@example.nl");
                message(&format!("{n:02}"), n, "web", "Beste Koper", &[&own, shared])
            })
            .collect();
        assert_eq!(customers(&events).split(" | ").count(), 40, "{shared}");
    }
}

#[test]
fn a_person_whose_mail_client_says_more_stays_one_customer() {
    let names = ["Jan de Vries (Acme)", "Jan de Vries | Sales", "Jan de Vries", "Jan de Vries MBA"];
    let events: Vec<Event> = (0..)
        .zip(names)
        .map(|(n, name)| message(&format!("{n}"), n, "email", name, &["email jdv@example.nl"]))
        .collect();
    assert_eq!(customers(&events), "0 1 2 3");
}

#[test]
fn a_card_that_a_couple_pays_with_does_not_make_them_one() {
    let of = |key, name, mail| message(key, 0, "store", name, &["payment_token tok_1", mail]);
    let events =
        [of("a", "Jan Bos", "email jan@example.nl"), of("b", "Eva Smit", "email eva@example.nl")];
    check(&events, "a | b");
}
