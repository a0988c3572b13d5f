//! SendGrid: every trap of the samples.

use cx_adapters::Format::Sendgrid;
use cx_core::event::Event;
use cx_core::outbound::OutboundFold;

use crate::payloads::{both, data, events, golden, of, one, own};

#[test]
fn every_payload_becomes_these_events() {
    insta::assert_snapshot!(golden(Sendgrid, "sendgrid"));
}

#[test]
fn events_of_one_second_stand_in_their_natural_order() {
    for payload in
        both("sendgrid/event_webhook_all_types.json", "sendgrid/event_webhook_all_types.json")
    {
        let mut events = events(Sendgrid, &payload);
        events.sort_by(Event::timeline_cmp);
        let names: Vec<String> =
            events.iter().map(|event| event.kind.name().into_owned()).take(6).collect();
        assert_eq!(
            names,
            [
                "mail.queued",
                "mail.deferred",
                "mail.delivered",
                "mail.opened",
                "mail.clicked",
                "mail.bounced"
            ]
        );
    }
}

#[test]
fn a_mail_may_be_delivered_and_bounce_and_is_one_mail() {
    for payload in
        both("sendgrid/event_webhook_all_types.json", "sendgrid/event_webhook_all_types.json")
    {
        let mut events = events(Sendgrid, &payload);
        events.sort_by(Event::timeline_cmp);
        let mut fold = OutboundFold::default();
        for event in &events {
            fold.push(event);
        }
        let mails = fold.finish();
        let mail = mails.iter().find(|mail| mail.id.contains('@')).unwrap();
        assert!(mail.delivered_at.is_some() && mail.bounced.is_some() && mail.complained);
    }
}

#[test]
fn a_program_opens_only_where_sendgrid_says_so() {
    let events = events(Sendgrid, &own("sendgrid/event_webhook_all_types.json"));
    let opened = of(&events, "mail.opened");
    assert_eq!(data(opened[0])["machine"], "yes");
    assert_eq!(data(opened[1]).get("machine"), None, "unknown is not written");
    // Without a Message-ID, the one that another event of the same mail carries.
    assert_eq!(data(opened[1])["mail_id"], "news-7@mail.acme.example");
}

#[test]
fn leaving_a_group_withdraws_consent_to_that_group() {
    for payload in
        both("sendgrid/event_webhook_all_types.json", "sendgrid/event_webhook_all_types.json")
    {
        let events = events(Sendgrid, &payload);
        let consents = of(&events, "consent.changed");
        let states: Vec<_> =
            consents.iter().map(|it| data(it)["state"].as_str().unwrap().to_owned()).collect();
        assert_eq!(states, ["denied", "denied", "granted"]);
        assert!(data(consents[0]).get("list").is_none() && data(consents[1])["list"].is_string());
        assert_eq!(data(one(&events, "mail.dropped"))["reason"], "Bounced Address");
    }
}

#[test]
fn an_opening_without_a_message_id_is_known_by_sendgrids_own() {
    let open = br#"{"email": "fleur.peters@example.nl", "timestamp": 1770100005, "event": "open", "sg_message_id": "abc.def.recvd-77-1"}"#;
    let delivered = br#"{"email": "fleur.peters@example.nl", "timestamp": 1770100001, "event": "delivered", "smtp-id": "<abc.def@geopod-1>", "sg_message_id": "abc.def.recvd-77-1", "sg_event_id": "d1"}"#;
    let mut all = events(Sendgrid, delivered);
    all.extend(events(Sendgrid, open));
    assert_eq!(data(&all[1])["mail_id"], "abc.def");
    let mut fold = OutboundFold::default();
    for event in &all {
        fold.push(event);
    }
    let mails = fold.finish();
    assert_eq!((mails.len(), mails[0].opened_by_unknown), (1, 1), "the same mail: {mails:#?}");
}

#[test]
fn an_event_that_comes_again_with_others_of_its_mail_is_a_fuller_telling() {
    let open = r#"{"email": "jan@example.nl", "timestamp": 1772445660, "event": "open", "sg_message_id": "AAA.filter0001.1", "sg_event_id": "e1"}"#;
    let queued = r#"{"email": "jan@example.nl", "timestamp": 1772445600, "event": "processed", "smtp-id": "<m1@acme.example>", "sg_message_id": "AAA.filter0001.1", "sg_event_id": "e0"}"#;
    let alone = events(Sendgrid, format!("[{open}]").as_bytes());
    let together = events(Sendgrid, format!("[{open}, {queued}]").as_bytes());
    assert_eq!(alone[0].key, together[0].key);
    assert_eq!((alone[0].rev.as_deref(), together[0].rev.as_deref()), (Some("0"), Some("1")));
    assert_eq!(data(&alone[0])["mail_id"], "AAA");
    assert_eq!(data(&together[0])["mail_id"], "m1@acme.example");
    // Whichever of them was read, the opening is of the mail that was sent.
    let queue = events(Sendgrid, format!("[{queued}]").as_bytes());
    for order in [[&queue[0], &alone[0]], [&alone[0], &queue[0]]] {
        let mut fold = OutboundFold::default();
        for event in order {
            fold.push(event);
        }
        let mails = fold.finish();
        assert_eq!(mails.len(), 1);
        assert_eq!((mails[0].id.as_str(), mails[0].opened_by_unknown), ("m1@acme.example", 1));
        assert_eq!(mails[0].sent_at, Some(queue[0].occurred_at));
    }
    // Without an id of its own it is the same event all the same.
    let bare = |text: &str| text.replace(r#", "sg_event_id": "e1""#, "");
    let alone = events(Sendgrid, bare(&format!("[{open}]")).as_bytes());
    let together = events(Sendgrid, bare(&format!("[{open}, {queued}]")).as_bytes());
    assert_eq!(alone[0].key, together[0].key);
}

#[test]
fn a_mail_to_several_has_one_own_id_and_each_its_message_id() {
    let event = |email: &str, event: &str, id: &str, smtp: &str| {
        format!(
            r#"{{"email": "{email}", "timestamp": 1772445600, "event": "{event}", "sg_event_id": "{id}", "sg_message_id": "X1.filterdrecv-1.0"{smtp}}}"#
        )
    };
    let file = format!(
        "[{}, {}, {}, {}]",
        event("a@x.example", "processed", "1", r#", "smtp-id": "<m1@x>""#),
        event("b@x.example", "processed", "2", r#", "smtp-id": "<m2@x>""#),
        event("A@x.example", "open", "3", ""),
        event("no-reply@x.example", "open", "4", ""),
    );
    let told = events(Sendgrid, file.as_bytes());
    let opened = of(&told, "mail.opened");
    assert_eq!(data(opened[0])["mail_id"], "m1@x");
    assert_eq!(
        (data(opened[1])["mail_id"].clone(), opened[1].rev.as_deref()),
        ("X1".into(), Some("0"))
    );
    assert_eq!(opened[1].extra["email"], "no-reply@x.example");
}
