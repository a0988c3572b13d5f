//! Mail: single messages and mailboxes, ours and those of the shared samples.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a binary of tests: a panic is a failing test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cx_adapters::{Options, Record, mail};
use cx_core::actor::ActorType;
use cx_core::event::mail::{Bounce, Machine};
use cx_core::event::{Direction, Event, Kind, TimeOrigin, Visibility};
use cx_core::ids::ConversationKey;
use proptest::prelude::*;
use serde_json::Value;

fn options() -> Options {
    Options { own: vec!["acme.example".to_owned()], ..Options::of("help") }
}

/// A file that the project ships.
fn ours(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/payloads/mail/");
    std::fs::read(format!("{path}{name}")).unwrap()
}

/// A shared sample; `None`, and a line on the screen, where the samples are not here.
fn sample(name: &str) -> Option<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let roots = [
        std::env::var_os("CX_SHARED").map(PathBuf::from),
        Some(root.join("../../shared")),
        Some(root.join("../../../shared")),
    ];
    let found = roots
        .into_iter()
        .flatten()
        .map(|root| root.join("data").join(name))
        .find_map(|path| std::fs::read(path).ok());
    if found.is_none() {
        use std::io::Write as _;
        drop(writeln!(std::io::stderr(), "skipped: no shared/data/{name}"));
    }
    found
}

fn good(records: Vec<Record>) -> Vec<Event> {
    records.into_iter().map(Result::unwrap).collect()
}

fn events(bytes: &[u8]) -> Vec<Event> {
    good(mail::events(bytes, &options()).collect())
}

fn one(bytes: &[u8]) -> Event {
    let mut all = events(bytes);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// The records as JSON, errors as text: what the golden files hold.
fn shown(bytes: &[u8]) -> Vec<Value> {
    let options = options();
    mail::events(bytes, &options)
        .map(|record| match record {
            Ok(event) => Value::Object(event.to_json()),
            Err(error) => Value::String(error.to_string()),
        })
        .collect()
}

#[test]
fn the_mails_we_ship_give_these_events() {
    for name in [
        "support.mbox",
        "bounce.eml",
        "read_receipt.eml",
        "html_with_files.eml",
        "form.eml",
        "late_and_eight_bit.eml",
    ] {
        insta::assert_snapshot!(name, serde_json::to_string_pretty(&shown(&ours(name))).unwrap());
    }
}

/// A mail of Jan's with these headers and this body.
fn of_jan(headers: &str, body: &[u8]) -> Event {
    let start = format!(
        "From: Jan <jan@example.nl>\nTo: help@acme.example\nSubject: =?iso-2022-jp?B?GyRCQ21KOBsoQg==?=\n\
         Date: Mon, 2 Mar 2026 09:00:00 +0100\nMessage-ID: <x@example.nl>\n{headers}\n\n"
    );
    one(&[start.as_bytes(), body].concat())
}

#[test]
fn a_text_is_read_in_the_charset_it_is_in() {
    let plain = |charset: &str| format!("Content-Type: text/plain{charset}");
    for (charset, body, expected) in [
        ("; charset=gb2312", b"\xb6\xa9\xb5\xa5".as_slice(), "订单"),
        ("; charset=iso-2022-jp", b"\x1b$BCmJ8\x1b(B", "注文"),
        ("; charset=euc-kr", b"\xc1\xd6\xb9\xae", "주문"),
        ("; charset=shift_jis", b"\x92\x8d\x95\xb6", "注文"),
        ("; charset=big5", b"\xadq\xb3\xe6", "訂單"),
        ("; charset=iso-8859-1", b"Caf\xe9", "Café"),
        ("", b"Caf\xe9 \x80 5", "Café € 5"),
        ("", "Café € 5".as_bytes(), "Café € 5"),
        ("; charset=us-ascii", "Café € 5".as_bytes(), "Café € 5"),
        ("; charset=unknown-8bit", b"Caf\xe9", "Café"),
        ("; charset=utf-8", b"\xc9\xe9n caf\xe9", "Één café"),
        ("; charset=utf-8", b"Caf\xc3\xa9 \xe9", "Café é"),
        ("; charset=cp932", b"\x92\x8d\x95\xb6", "注文"),
    ] {
        let event = of_jan(&plain(charset), body);
        assert_eq!(event.body.unwrap().text, expected, "{charset}");
        assert_eq!(event.conversation.unwrap().subject.as_deref(), Some("注文"));
    }
    let quoted = of_jan("Content-Transfer-Encoding: quoted-printable", b"Caf=E9 =\n=80");
    assert_eq!(quoted.body.unwrap().text, "Café €");
    let parts = "Content-Type: multipart/alternative; boundary=B";
    let html = b"--B\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nPGI+Q2Fm6TwvYj4=\n--B--\n";
    assert_eq!(of_jan(parts, html).body.unwrap().text, "Café");
    let meta = b"<meta http-equiv=\"Content-Type\" content=\"text/html; charset=windows-1251\">\xc7\xe0\xea\xe0\xe7";
    assert_eq!(of_jan("Content-Type: text/html", meta).body.unwrap().text, "Заказ");
}

#[test]
fn a_mailbox_may_begin_with_a_mark_or_an_empty_line() {
    let mailbox = ours("support.mbox");
    let told = shown(&mailbox);
    for start in ["\u{feff}", "\n", "\r\n\n", "\u{feff}\n"] {
        let lines = u64::try_from(start.matches('\n').count()).unwrap();
        let mailbox = [start.as_bytes(), &mailbox].concat();
        let records: Vec<Record> = mail::events(&mailbox, &options()).collect();
        assert_eq!(records.len(), told.len());
        assert_eq!(records[3].as_ref().unwrap_err().line, Some(61 + lines));
    }
}

#[test]
fn an_answer_to_a_mail_whose_id_has_no_at_is_in_its_thread() {
    let mail = |headers: &str| {
        one(format!("From: jan@example.nl\nDate: Mon, 2 Mar 2026 09:00:00 +0100\n{headers}\n\nx")
            .as_bytes())
    };
    let first = mail("Message-ID: <20260302091100.ABCD>");
    let answer = mail("Message-ID: <b@example.nl>\nIn-Reply-To: <20260302091100.ABCD>");
    let (first, answer) = (first.conversation.unwrap(), answer.conversation.unwrap());
    assert_eq!(first.key, answer.key);
    assert_eq!(answer.reply_to.as_deref(), Some("mail:help/msgid/20260302091100.ABCD"));
}

#[test]
fn a_report_of_abuse_is_no_message_of_a_customer() {
    let report = |what: &str, recipient: &str| {
        let body = format!(
            "--B\nContent-Type: text/plain\n\nA report\n--B\nContent-Type: message/feedback-report\n\n\
             Feedback-Type: {what}\nUser-Agent: x/1\nVersion: 1\n{recipient}\n--B\n\
             Content-Type: message/rfc822\n\nTo: piet@example.nl\nMessage-ID: <out@acme.example>\n\nx\n--B--\n"
        );
        of_jan(
            "Content-Type: multipart/report; report-type=feedback-report; boundary=B",
            body.as_bytes(),
        )
    };
    let abuse = report("abuse", "Original-Rcpt-To: <sara@example.nl>");
    let Kind::MailComplained(data) = &abuse.kind else { panic!("{:?}", abuse.kind) };
    assert_eq!(data.mail_id.as_deref(), Some("out@acme.example"));
    assert_eq!(abuse.who[0].raw(), "sara@example.nl");
    let left = report("opt-out", "");
    assert_eq!(left.kind.name(), "mail.unsubscribed");
    assert_eq!(left.who[0].raw(), "piet@example.nl");
    let other = report("not-spam", "");
    assert_eq!((other.kind.name().as_ref(), other.actor.kind), ("message", ActorType::Automation));
}

#[test]
fn what_is_written_in_a_report_is_kept_and_a_receipt_of_ours_is_a_mail() {
    let receipt = String::from_utf8(ours("read_receipt.eml")).unwrap();
    let events = events(receipt.as_bytes());
    assert!(!events[0].body.as_ref().unwrap().text.is_empty());
    let from = receipt.lines().find(|line| line.starts_with("From:")).unwrap();
    let own = one(receipt.replace(from, "From: help@acme.example").as_bytes());
    assert_eq!((own.kind.name().as_ref(), own.actor.kind), ("message", ActorType::Automation));
}

#[test]
fn a_date_that_cannot_be_read_is_kept() {
    let options = Options { received_at: "2026-03-02T09:00:00Z".parse().ok(), ..options() };
    let mail = b"From: a@example.nl\nDate: ma, 2 mrt 2026\n\nHi";
    let event = mail::events(mail, &options).next().unwrap().unwrap();
    assert_eq!(event.extra["headers"], serde_json::json!([["Date", "ma, 2 mrt 2026"]]));
}

#[test]
fn html_that_would_break_or_fill_a_reader_is_read() {
    for html in [
        "<ol start=9223372036854775807><li>a<li>b</ol>".to_owned(),
        "<table><tr><td colspan=18446744073709551615>a</td><td colspan=2>b</td></tr></table>"
            .to_owned(),
        format!(
            "<table><tr><td>a{}</td></tr>{}</table>b",
            "x".repeat(20_000),
            "<tr><td>a</td></tr>".repeat(400)
        ),
        format!("{}a b", "<div>".repeat(100_000)),
    ] {
        let text = of_jan("Content-Type: text/html", html.as_bytes()).body.unwrap().text;
        assert!(text.contains('a') && text.contains('b') && text.len() <= html.len());
    }
}

#[test]
fn a_broken_mail_does_not_stop_the_mailbox() {
    let bytes = ours("support.mbox");
    let records: Vec<Record> = mail::events(&bytes, &options()).collect();
    assert_eq!(records.len(), 6);
    let error = records[3].as_ref().unwrap_err();
    assert_eq!(error.line, Some(61));
    assert!(records[4].is_ok() && records[5].is_ok());
}

#[test]
fn a_thread_is_one_conversation_whoever_writes() {
    let bytes = ours("support.mbox");
    let all: Vec<Event> = mail::events(&bytes, &options()).filter_map(Result::ok).collect();
    let threads = partition(&all);
    assert_eq!(threads.len(), 2, "the last mail has no references: {threads:?}");
    assert_eq!(
        all[1].conversation.as_ref().unwrap().reply_to.as_deref(),
        Some("mail:help/msgid/order-4711@example.nl")
    );
    let who: Vec<_> = all.iter().map(|event| (event.direction, event.actor.kind)).collect();
    assert_eq!(
        who,
        [
            (Direction::In, ActorType::Customer),
            (Direction::Out, ActorType::Agent),
            (Direction::In, ActorType::Customer),
            (Direction::Out, ActorType::Automation),
            (Direction::In, ActorType::Customer),
        ]
    );
}

#[test]
fn an_answer_reaches_the_same_customer_by_address_and_by_conversation() {
    let bytes = ours("support.mbox");
    let all: Vec<Event> = mail::events(&bytes, &options()).filter_map(Result::ok).collect();
    let person = |event: &Event| event.person_claims()[0].identifier().to_string();
    assert_eq!(person(&all[0]), "email:jan@example.nl");
    assert_eq!(person(&all[1]), "email:jan@example.nl");
    let bridges = |event: &Event| event.bridges().into_iter().collect::<BTreeSet<_>>();
    assert!(!bridges(&all[0]).is_disjoint(&bridges(&all[1])));
}

#[test]
fn somebody_in_copy_is_not_whom_it_is_about() {
    let bytes = ours("support.mbox");
    let first = mail::events(&bytes, &options()).next().unwrap().unwrap();
    let persons: Vec<&str> = first.person_claims().iter().map(|claim| claim.raw()).collect();
    assert_eq!(persons, ["jan@example.nl"]);
    assert!(first.who.iter().any(|claim| claim.raw() == "eva@example.com"));
}

#[test]
fn a_copy_of_a_mail_is_the_same_record() {
    let mail = "Message-ID: <1@example.nl>\nFrom: a@example.nl\nDate: Mon, 2 Mar 2026 09:00:00 +0100\nX-Topic: tables\n";
    let seen = format!(
        "X-Mozilla-Status: 0001\nStatus: RO\nReceived: by mx; Mon, 2 Mar 2026 09:00:03 +0100\n{mail}\nHi\n"
    );
    let unseen = format!("X-Mozilla-Status: 0000\nX-Gmail-Labels: Inbox\n{mail}\nHi\n");
    let (seen, unseen) = (one(seen.as_bytes()), one(unseen.as_bytes()));
    assert_eq!(seen.content_hash(), unseen.content_hash());
    assert_eq!(seen.extra["headers"], serde_json::json!([["X-Topic", "tables"]]));
}

#[test]
fn a_bounce_names_the_mail_and_the_address_it_was_for() {
    let all = events(&ours("bounce.eml"));
    let told: Vec<_> = all
        .iter()
        .map(|event| {
            let (Kind::MailBounced(data) | Kind::MailDeferred(data) | Kind::MailDelivered(data)) =
                &event.kind
            else {
                panic!("{event:?}")
            };
            assert_eq!(data.mail_id.as_deref(), Some("shipped-1@acme.example"));
            assert_eq!(data.subject.as_deref(), Some("Your order has shipped"));
            (event.kind.name().into_owned(), event.who[0].raw().to_owned(), data.bounce)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("mail.bounced".to_owned(), "gone@example.nl".to_owned(), Some(Bounce::Hard)),
            ("mail.deferred".to_owned(), "full@example.org".to_owned(), None),
            ("mail.delivered".to_owned(), "jan@example.nl".to_owned(), None),
        ]
    );
    let keys: BTreeSet<_> = all.iter().map(|event| event.key.clone()).collect();
    assert_eq!(keys.len(), 3);
    assert_eq!(
        all[0].conversation.as_ref().unwrap().key.as_str(),
        "mail:help/thread/order-4711@example.nl"
    );
}

#[test]
fn a_bounce_by_policy_is_blocked_and_one_for_now_is_soft() {
    let bounce = |status: &str| {
        let mail = String::from_utf8(ours("bounce.eml")).unwrap().replace("5.1.1\n", status);
        let Kind::MailBounced(data) = events(mail.as_bytes())[0].kind.clone() else { panic!() };
        data.bounce
    };
    assert_eq!(bounce("5.7.1\n"), Some(Bounce::Blocked));
    assert_eq!(bounce("4.4.7\n"), Some(Bounce::Soft));
    assert_eq!(bounce("\n"), Some(Bounce::Hard));
}

#[test]
fn a_read_receipt_says_that_a_person_opened_the_mail() {
    let event = one(&ours("read_receipt.eml"));
    let Kind::MailOpened(data) = &event.kind else { panic!("{event:?}") };
    assert_eq!(data.mail_id.as_deref(), Some("shipped-1@acme.example"));
    assert_eq!(data.machine, Machine::No);
    assert_eq!(event.who[0].raw(), "jan@example.nl");
}

#[test]
fn html_reads_as_text_and_files_are_referred_to() {
    let event = one(&ours("html_with_files.eml"));
    let body = event.body.unwrap();
    assert_eq!(body.text, "De cafétafel is stuk.");
    assert!(body.whole.unwrap().contains("> Did it arrive?"));
    let files: Vec<_> = event
        .attachments
        .iter()
        .map(|file| (file.name.clone().unwrap(), file.media_type.clone().unwrap(), file.size))
        .collect();
    assert_eq!(files[0], ("tafel.jpg".to_owned(), "image/jpeg".to_owned(), Some(11)));
    assert_eq!((files[1].0.as_str(), files[1].1.as_str()), ("Your receipt", "message/rfc822"));
}

#[test]
fn a_clock_that_is_wrong_gives_way_to_the_server() {
    let event = one(&ours("late_and_eight_bit.eml"));
    assert_eq!(event.occurred_at.to_string(), "2026-03-05T09:00:00Z");
    assert_eq!(event.occurred_at_origin, TimeOrigin::Received);
    assert_eq!(event.name.as_deref(), Some("Renée"));
    assert_eq!(event.conversation.unwrap().subject.as_deref(), Some("Klok verkeerd € 5"));
}

#[test]
fn a_mail_without_any_date_needs_the_time_of_import() {
    let bytes = b"From: a@example.nl\nDate: soon\n\nHi";
    let error = mail::events(bytes, &options()).next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "1: Date: soon: not a date and time");
    let at = "2026-03-02T09:00:00Z".parse().unwrap();
    let dated = Options { received_at: Some(at), ..options() };
    let event = mail::events(bytes, &dated).next().unwrap().unwrap();
    assert_eq!((event.occurred_at, event.occurred_at_origin), (at, TimeOrigin::Import));
}

#[test]
fn a_mail_without_an_id_is_known_by_what_it_says() {
    let mail = |body: &str| {
        format!("From: a@example.nl\nDate: Mon, 2 Mar 2026 09:00:00 +0100\nSubject: x\n\n{body}")
    };
    let key = |text: &str| one(text.as_bytes()).key.to_string();
    assert!(key(&mail("Hi")).starts_with("mail:help/sha/"));
    assert_eq!(key(&mail("Hi\n")), key(&mail("Hi").replace('\n', "\r\n")));
    assert_ne!(key(&mail("Hi")), key(&mail("Ho")));
}

#[test]
fn other_mails_without_an_id_are_never_one() {
    let key = |text: &str| one(text.as_bytes()).key;
    // Where a date or a sender is missing, the other headers tell.
    let bare = |order: &str| format!("Subject: order\nX-Order: {order}\n\n");
    let dated = "2026-03-02T09:00:00Z".parse().unwrap();
    let options = Options { received_at: Some(dated), ..options() };
    let read = |text: String| mail::events(text.as_bytes(), &options).next().unwrap().unwrap().key;
    assert_ne!(read(bare("4711")), read(bare("4712")));
    assert_eq!(read(bare("4711")), read(format!("Received: here\n{}", bare("4711"))));
    // The key of an ordinary mail is what it always was.
    let mail = "From: a@example.nl\nDate: Mon, 2 Mar 2026 09:00:00 +0100\nSubject: x\n\nHi";
    assert_eq!(key(mail), key(&format!("X-Mailer: m\n{mail}")));
}

#[test]
fn what_is_no_mail_is_rejected() {
    for text in [
        "X-Order: 4711\nX-Text: first\n\n".to_owned(),
        "{\"id\": 1,\n \"from\": \"a@example.nl\", \"date\": 2}\n".to_owned(),
        "\u{1f}\u{8b}:\n\nx".to_owned(),
    ] {
        let error = mail::events(text.as_bytes(), &options()).next().unwrap().unwrap_err();
        assert_eq!(
            error.problem, "no mail: it has no From, Date, Message-ID, Subject or References",
            "{text}"
        );
    }
    let error = mail::events(&vec![0; 2 << 20], &options()).next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "1: no mail: 2097152 bytes of headers; at most 1048576 are read");
}

#[test]
fn a_mail_among_colleagues_is_internal() {
    let event = one(b"From: eva@acme.example\nTo: help@acme.example\nDate: Mon, 2 Mar 2026 09:00:00 +0100\n\nLook");
    assert_eq!((event.direction, event.visibility), (Direction::None, Visibility::Internal));
    assert!(event.who.is_empty());
}

#[test]
fn an_empty_file_holds_nothing_and_junk_is_reported() {
    assert_eq!(events(b"").len(), 0);
    assert_eq!(events(b" \r\n\n").len(), 0);
    assert!(mail::events(b"\x00\x01\x02", &options()).next().unwrap().is_err());
}

#[test]
fn mails_within_mails_without_end_are_read() {
    let head = "From: a@example.nl\nDate: Mon, 2 Mar 2026 09:00:00 +0100\n";
    let deep = format!("{head}{}", "Content-Type: message/rfc822\n\n".repeat(20_000));
    assert_eq!(one(deep.as_bytes()).attachments.len(), 1);
    let parts = "Content-Type: multipart/digest; boundary=b\n\n--b\n".repeat(20_000);
    assert_eq!(one(format!("{head}{parts}").as_bytes()).actor.kind, ActorType::Customer);
}

#[test]
fn html_that_is_nested_without_end_is_read() {
    let head =
        "From: a@example.nl\nDate: Mon, 2 Mar 2026 09:00:00 +0100\nContent-Type: text/html\n\n";
    for tag in ["div", "blockquote", "b", "table><tr><td", "ul><li"] {
        let mail = format!("{head}{}x", format!("<{tag}>").repeat(3_000));
        assert!(one(mail.as_bytes()).body.is_some(), "{tag}");
    }
}

// The shared samples (see their SOURCES.md).

#[test]
fn sample_a_chain_of_three_is_one_thread_and_a_second_address_is_claimed() {
    let names =
        ["thread_1_initial", "thread_2_reply_other_replyto", "thread_3_reply_to_new_address"];
    let mails: Option<Vec<_>> =
        names.iter().map(|name| sample(&format!("payloads/eml/{name}.eml"))).collect();
    let Some(mails) = mails else { return };
    let own = Options { own: vec!["jdoe@machine.example".to_owned()], ..Options::of("help") };
    let all: Vec<Event> =
        mails.iter().flat_map(|mail| good(mail::events(mail, &own).collect())).collect();
    assert_eq!(partition(&all).len(), 1);
    let who = |event: &Event| -> Vec<String> {
        event.person_claims().iter().map(|claim| claim.raw().to_owned()).collect()
    };
    assert_eq!(who(&all[0]), ["mary@example.net"]);
    assert_eq!(who(&all[1]), ["mary@example.net", "smith@home.example"]);
    assert_eq!(who(&all[2]), ["smith@home.example"]);
    assert_eq!(all[1].name.as_deref(), Some("Mary Smith"));
    // The id's domain is not the sender's, and that means nothing.
    assert_eq!(all[2].key.as_str(), "mail:help/msgid/abcd.1234@local.machine.tld");
    assert_eq!(
        all[2].conversation.as_ref().unwrap().reply_to.as_deref(),
        Some("mail:help/msgid/3456@example.net")
    );
}

#[test]
fn sample_two_ids_in_in_reply_to_and_another_in_references() {
    let Some(mail) = sample("payloads/eml/multiple_in_reply_to.eml") else { return };
    let event = one(&mail);
    let conversation = event.conversation.as_ref().unwrap();
    assert_eq!(
        conversation.key.as_str(),
        "mail:help/thread/4e6e35f5a38b4_479f13bb90078178@small-app-01.mail"
    );
    assert!(
        !conversation
            .aliases
            .iter()
            .any(|key| { key.as_str().contains("90078171") || key.as_str().contains("90078131") })
    );
    // A wrong weekday, a sender in mixed case, a multipart that never ends.
    assert_eq!(event.occurred_at.to_string(), "2020-04-20T08:20:20Z");
    assert_eq!(event.utc_offset.unwrap().to_string(), "-04:00");
    assert_eq!(event.who[0].identifier().to_string(), "email:sam@customer.example");
    assert_eq!(event.body.unwrap().text, "Let's talk about these images");
}

#[test]
fn sample_an_automatic_reply_is_no_answer() {
    let Some(mail) = sample("payloads/eml/auto_reply_auto_submitted.eml") else { return };
    let event = one(&mail);
    assert_eq!(event.actor.kind, ActorType::Automation);
    assert!(!event.is_from_customer());
    let ours = Options { own: vec!["customer.example".to_owned()], ..Options::of("help") };
    let event = mail::events(&mail, &ours).next().unwrap().unwrap();
    assert!(!event.is_agent_answer());
}

#[test]
fn sample_two_mails_with_one_id_are_a_conflict() {
    let names = ["multiple_in_reply_to", "auto_reply_auto_submitted"];
    let mails: Option<Vec<_>> =
        names.iter().map(|name| sample(&format!("payloads/eml/{name}.eml"))).collect();
    let Some(mails) = mails else { return };
    let (first, second) = (one(&mails[0]), one(&mails[1]));
    assert_eq!(first.key, second.key);
    assert_eq!((&first.rev, &second.rev), (&None, &None));
    assert_ne!(first.content_hash(), second.content_hash());
}

#[test]
fn sample_several_references_headers_with_an_invalid_id_and_no_date() {
    let Some(mail) = sample("payloads/eml/references_one_invalid.eml") else { return };
    let error = mail::events(&mail, &options()).next().unwrap().unwrap_err();
    assert_eq!(error.pointer.as_deref(), Some("Date"));
    let at = "2026-03-02T09:00:00Z".parse().unwrap();
    let dated = Options { received_at: Some(at), ..options() };
    let event = mail::events(&mail, &dated).next().unwrap().unwrap();
    let conversation = event.conversation.unwrap();
    assert_eq!(conversation.key.as_str(), "mail:help/thread/foo@bar.net");
    let aliases: Vec<_> = conversation.aliases.iter().map(ConversationKey::as_str).collect();
    assert_eq!(
        aliases,
        ["mail:help/thread/baz@bar.net", "mail:help/thread/105647271315.NCV17523@x263.net"]
    );
    assert_eq!(event.body.unwrap().text, "foo");
}

/// Mails, counted from 1, by conversation.
type Threads = BTreeSet<BTreeSet<usize>>;

/// Which mails, counted from 1, are one conversation: joined by keys and aliases, as the store
/// does.
fn partition(events: &[Event]) -> Threads {
    let mut of_key: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: Vec<BTreeSet<usize>> = Vec::new();
    for (position, event) in events.iter().enumerate() {
        let conversation = event.conversation.as_ref().unwrap();
        let keys = std::iter::once(&conversation.key).chain(&conversation.aliases);
        let keys: Vec<String> = keys.map(ToString::to_string).collect();
        let mut joined = BTreeSet::from([position + 1]);
        let found: BTreeSet<usize> =
            keys.iter().filter_map(|key| of_key.get(key).copied()).collect();
        for group in found {
            joined.append(&mut groups[group]);
        }
        let place = groups.len();
        groups.push(joined);
        for group in of_key.values_mut() {
            if groups[*group].is_empty() {
                *group = place;
            }
        }
        of_key.extend(keys.into_iter().map(|key| (key, place)));
    }
    groups.into_iter().filter(|group| !group.is_empty()).collect()
}

/// The threads in a line such as `(1 (2 4)(3))(5)`: what stands in one outer bracket is one.
fn expected(line: &str) -> Threads {
    let (mut depth, mut threads, mut current, mut number) =
        (0, BTreeSet::new(), BTreeSet::new(), String::new());
    for character in line.chars() {
        if character.is_ascii_digit() {
            number.push(character);
            continue;
        }
        if let Ok(found) = number.parse() {
            current.insert(found);
        }
        number.clear();
        depth += match character {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth == 0 && !current.is_empty() {
            threads.insert(std::mem::take(&mut current));
        }
    }
    threads
}

/// The mails of an imaptest sample and its answers, in their order.
fn imaptest(name: &str) -> Option<(Vec<Event>, Vec<Threads>)> {
    let script = sample(&format!("email_threads/dovecot_imaptest/{name}"))?;
    let mailbox = sample(&format!("email_threads/dovecot_imaptest/{name}.mbox"))?;
    let script = String::from_utf8(script).unwrap().to_lowercase();
    let answers = script.lines().filter_map(|line| line.strip_prefix("* thread "));
    // One mail of `thread-orderedsubject` has no headers: that is none, and the others are read.
    let mails = mail::events(&mailbox, &options()).filter_map(Result::ok).collect();
    Some((mails, answers.map(expected).collect()))
}

/// The mails with these numbers, counted from 1.
fn of(events: &[Event], numbers: &[usize]) -> Vec<Event> {
    numbers.iter().map(|number| events[number - 1].clone()).collect()
}

#[test]
fn sample_threads_are_those_of_jwz() {
    // What is in the mailbox when each question is asked; see the scripts.
    let cases: &[(&str, &[&[usize]])] = &[
        ("thread3", &[&[1, 2]]),
        ("thread5", &[&[1, 2, 3, 4], &[3, 4], &[3, 4, 5]]),
        ("thread6", &[&[1, 2]]),
        ("thread7", &[&[1, 2, 3, 4], &[1, 3, 4]]),
        ("thread8", &[&[1, 2], &[1], &[1, 3]]),
    ];
    for (name, stages) in cases {
        let Some((all, answers)) = imaptest(name) else { return };
        assert_eq!(answers.len(), stages.len(), "{name}");
        for (numbers, answer) in stages.iter().zip(answers) {
            assert_eq!(partition(&of(&all, numbers)), answer, "{name} {numbers:?}");
        }
    }
}

/// `thread4`: a reply to a mail that never came has the subject of another one. RFC 5256 joins
/// them by that; we do not, since a subject such as "Question" would join strangers.
#[test]
fn sample_a_subject_alone_never_joins_unlike_jwz() {
    let Some((all, answers)) = imaptest("thread4") else { return };
    assert_eq!(answers, [expected("(1 2)")]);
    assert_eq!(partition(&all), expected("(1)(2)"));
    for (name, mails) in [("thread-orderedsubject", 14), ("thread-orderedsubject2", 8)] {
        let Some((all, _)) = imaptest(name) else { return };
        assert_eq!((partition(&all).len(), all.len()), (mails, mails), "{name}");
    }
}

/// `thread2`: the same mail twice. RFC 5256 shows two threads, a mailbox having two messages; for
/// us it is one record that came twice.
#[test]
fn sample_one_mail_twice_is_one_record_unlike_jwz() {
    let Some((all, answers)) = imaptest("thread2") else { return };
    assert_eq!(answers, [expected("(1)(2)")]);
    assert_eq!(partition(&all), expected("(1 2)"));
    assert_eq!((&all[0].key, all[0].content_hash()), (&all[1].key, all[1].content_hash()));
}

/// `thread`: two mails that each claim to answer the other. RFC 5256 breaks the circle and so
/// loses the mail that both descend from; we ask only what belongs together, and a circle does.
/// Without that mail the two answer alike.
#[test]
fn sample_mails_that_answer_each_other_stay_together_unlike_jwz() {
    let Some((all, answers)) = imaptest("thread") else { return };
    assert_eq!(answers, [expected("(3 2)(1)"), expected("(2 1)")]);
    assert_eq!(partition(&all), expected("(1 2 3)"));
    assert_eq!(partition(&of(&all, &[2, 3])), answers[1]);
}

/// Mails that refer to one another at random, some to mails that never come.
fn mails() -> impl Strategy<Value = Vec<Event>> {
    let mail = (
        0_u8..12,
        proptest::collection::vec(0_u8..12, 0..4),
        proptest::collection::vec(0_u8..12, 0..3),
    );
    proptest::collection::vec(mail, 1..10).prop_map(|mails| {
        let ids = |ids: &[u8]| ids.iter().map(|id| format!("<{id}@x>")).collect::<Vec<_>>().join(" ");
        let text = |(own, references, answered): &(u8, Vec<u8>, Vec<u8>)| {
            format!(
                "Message-ID: <{own}@x>\nReferences: {}\nIn-Reply-To: {}\nDate: Mon, 2 Mar 2026 09:00:00 +0100\n\nHi",
                ids(references),
                ids(answered)
            )
        };
        mails.iter().map(|mail| one(text(mail).as_bytes())).collect()
    })
}

proptest! {
    #[test]
    fn threads_are_the_same_in_any_order_of_arrival(
        (mails, order) in mails().prop_flat_map(|mails| {
            let numbers: Vec<usize> = (1..=mails.len()).collect();
            (Just(mails), Just(numbers).prop_shuffle())
        })
    ) {
        let there = partition(&mails);
        let back: Threads = partition(&of(&mails, &order))
            .into_iter()
            .map(|thread| thread.into_iter().map(|position| order[position - 1]).collect())
            .collect();
        prop_assert_eq!(there, back);
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(mail::events(&bytes, &options()).collect::<Vec<_>>());
        let mut mailbox = b"From a@b Fri Feb 22 15:06:23 2008\n".to_vec();
        mailbox.extend(bytes);
        drop(mail::events(&mailbox, &options()).collect::<Vec<_>>());
    }

    #[test]
    fn no_change_to_a_mail_breaks_the_reader(
        file in prop::sample::select(vec![
            "support.mbox", "bounce.eml", "read_receipt.eml", "html_with_files.eml", "form.eml",
        ]),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..20),
    ) {
        let mut bytes = ours(file);
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at.max(1)),
                _ => {
                    let part = bytes[at..(at + usize::from(byte)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        for event in mail::events(&bytes, &options()).filter_map(Result::ok) {
            let json = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
        }
    }
}

#[test]
fn what_became_of_our_mail_is_about_whoever_holds_the_mailbox() {
    let report = |from: &str, to: &str| {
        let report = format!(
            "From: postmaster@mx.example\nMessage-ID: <r1@mx.example>\nDate: Mon, 2 Mar 2026 09:00:00 +0100\n\
            Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\
            Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n\
            Final-Recipient: rfc822; jan@example.nl\nAction: failed\nStatus: 5.1.1\n\n--b\n\
            Content-Type: message/rfc822\n\nFrom: {from}\nTo: {to}\nMessage-ID: <o1@acme.example>\n\nHi\n--b--\n"
        );
        let event = one(report.as_bytes());
        assert!(matches!(event.kind, Kind::MailBounced(_)));
        event.who[0].assurance.is_proved()
    };
    assert!(report("Eva <eva@acme.example>", "Piet <p@example.org>, Jan <JAN@example.nl>"));
    assert!(!report("Eva <eva@acme.example>", "p@example.org"));
    assert!(!report("eva@other.example", "jan@example.nl"));
}

#[test]
fn a_server_may_name_whom_a_mail_did_not_reach_in_a_header() {
    let bounce = |from: &str| {
        let mail = format!(
            "Return-path: <>\nFrom: {from}\nTo: eva@acme.example\nX-Failed-Recipients: jan@example.nl\n\
            References: <o1@acme.example>\nDate: Mon, 2 Mar 2026 09:00:00 +0100\n\
            Message-ID: <b1@mx.example>\n\nA message that you sent could not be delivered.\n"
        );
        one(mail.as_bytes())
    };
    let event = bounce("Mail Delivery System <Mailer-Daemon@mx.acme.example>");
    assert_eq!(event.who[0].raw(), "jan@example.nl");
    let Kind::MailBounced(data) = event.kind else { panic!("{:?}", event.kind) };
    assert_eq!(
        (data.mail_id.as_deref(), data.bounce),
        (Some("o1@acme.example"), Some(Bounce::Hard))
    );
    assert!(event.body.is_some());
}

#[test]
fn a_mail_of_apple_mail_ends_where_its_length_says() {
    let mail = "From: Jan <jan@example.nl>\nDate: Mon, 2 Mar 2026 09:00:00 +0100\nMessage-ID: <a1@example.nl>\n\nHello apple\n";
    let file =
        format!("{}       \n{mail}<?xml version=\"1.0\"?>\n<plist><dict/></plist>\n", mail.len());
    assert_eq!(one(file.as_bytes()), one(mail.as_bytes()));
}

#[test]
fn a_header_whose_words_cannot_be_read_is_kept() {
    let subject = "=?iso-2022-jp?B?GyRC/////w==?=";
    let mail = format!(
        "From: Jan <jan@example.nl>\nSubject: {subject}\nDate: Mon, 02 Mar 2026 09:00:00 UT\nMessage-ID: <a1@example.nl>\n\nHi\n"
    );
    let event = one(mail.as_bytes());
    assert_eq!(event.occurred_at.to_string(), "2026-03-02T09:00:00Z");
    assert_eq!(event.key.as_str(), "mail:help/msgid/a1@example.nl");
    let is_lost = event.conversation.unwrap().subject.unwrap().contains('\u{fffd}');
    let kept = event.extra.get("headers").map(ToString::to_string).unwrap_or_default();
    assert_eq!(is_lost, kept.contains(subject), "{kept}");
}
