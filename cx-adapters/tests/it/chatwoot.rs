//! Chatwoot: every trap of the samples.

use cx_adapters::Format::Chatwoot;
use cx_core::actor::ActorType;
use cx_core::event::{Direction, Event, TimeOrigin, Visibility};
use cx_core::identifier::Assurance;

use crate::payloads::{both, data, events, golden, of, one, own, persons, problems};

#[test]
fn every_payload_becomes_these_events() {
    insta::assert_snapshot!(golden(Chatwoot, "chatwoot"));
}

#[test]
fn changed_attributes_are_a_list_and_each_is_an_event() {
    for payload in both(
        "chatwoot/webhook_conversation_updated.json",
        "chatwoot/webhook_conversation_updated.json",
    ) {
        let events = events(Chatwoot, &payload);
        let status = one(&events, "conversation.status");
        assert_eq!(
            (data(status)["from"].as_str(), data(status)["to"].as_str()),
            (Some("bot"), Some("open"))
        );
        assert!(data(one(&events, "conversation.assigned"))["to"]["id"].is_string());
        let handover = one(&events, "conversation.handover");
        assert_eq!(data(handover)["from"]["type"], "bot");
        assert_eq!(data(handover).get("reason"), None, "Chatwoot does not say why");
        // The payload carries no instant: it takes the one of receipt, and says so.
        assert!(events.iter().all(|event| event.occurred_at_origin == TimeOrigin::Import));
    }
}

#[test]
fn a_record_without_an_instant_is_the_same_whenever_it_is_imported() {
    let payload = own("chatwoot/webhook_conversation_updated.json");
    let at = |received: &str| {
        let mut options = crate::payloads::options();
        options.received_at = Some(received.parse().unwrap());
        cx_adapters::chatwoot::events(&payload, &options)
            .map(|event| {
                event.map(|event| (event.key.clone(), event.rev.clone(), event.content_hash()))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(at("2026-03-04T10:00:00Z"), at("2026-03-05T10:00:00Z"));
}

#[test]
fn a_record_without_any_instant_is_a_problem_that_names_the_field() {
    let payload = own("chatwoot/webhook_conversation_updated.json");
    let options = cx_adapters::Options::of("acme");
    let records: Vec<_> = cx_adapters::chatwoot::events(&payload, &options).collect();
    assert_eq!(records[0].clone().unwrap_err().to_string(), "1: /updated_at: missing");
}

#[test]
fn the_contact_is_the_person_where_the_sender_is_the_agent() {
    for payload in
        both("chatwoot/webhook_message_created.json", "chatwoot/webhook_message_created.json")
    {
        let events = events(Chatwoot, &payload);
        let message = one(&events, "message");
        assert_eq!((message.direction, message.actor.kind), (Direction::In, ActorType::Customer));
        assert_eq!(message.channel.name(), "chat", "it came through the widget in a browser");
        assert!(persons(message)[0].starts_with("helpdesk:chatwoot:acme:"));
        let flat = serde_json::to_string(message).unwrap();
        assert!(!flat.contains("agent@example.com") && !flat.contains("five@acme.example"));
        assert!(
            message
                .conversation
                .as_ref()
                .unwrap()
                .key
                .as_str()
                .starts_with("chatwoot:acme/conversation/")
        );
    }
}

#[test]
fn a_nested_message_has_numbers_where_the_outer_one_has_words() {
    for payload in both(
        "chatwoot/webhook_message_created_nested.json",
        "chatwoot/webhook_message_created_nested.json",
    ) {
        let events = events(Chatwoot, &payload);
        let message = one(&events, "message");
        assert_eq!(message.direction, Direction::In);
        assert_eq!(message.occurred_at.as_micros() % 1_000_000, 0, "seconds since the epoch");
        assert!(message.rev.as_ref().unwrap().ends_with("640000"));
        assert!(persons(message)[0].starts_with("helpdesk:chatwoot:acme:"));
    }
}

/// A webhook of a message in a web chat.
fn message(fields: &str) -> String {
    format!(
        r#"{{"event": "message_created", "id": 5, "content": "x", "created_at": "2026-02-03T10:00:00Z", {fields},
        "conversation": {{"id": 7, "channel": "Channel::WebWidget",
            "contact_inbox": {{"source_id": "w-1", "inbox_id": 3}},
            "meta": {{"hmac_verified": true, "sender": {{"id": 12, "name": "Noor", "email": "noor@example.nl", "identifier": "u-1"}}}}}}}}"#
    )
}

#[test]
fn who_speaks_is_told_by_the_type_of_message_and_sender() {
    let cases = [
        (r#""message_type": 0"#, ActorType::Customer, Direction::In),
        (
            r#""message_type": "outgoing", "sender": {"id": 5, "type": "user"}"#,
            ActorType::Agent,
            Direction::Out,
        ),
        (
            r#""message_type": 1, "sender": {"id": 5, "type": "agent_bot"}"#,
            ActorType::Bot,
            Direction::Out,
        ),
        (
            r#""message_type": 1, "sender_type": "Captain::Assistant", "sender_id": 4"#,
            ActorType::Ai,
            Direction::Out,
        ),
        (r#""message_type": 1"#, ActorType::Automation, Direction::Out),
        (r#""message_type": 3"#, ActorType::Automation, Direction::Out),
    ];
    for (fields, actor, direction) in cases {
        let events = events(Chatwoot, message(fields).as_bytes());
        let message = one(&events, "message");
        assert_eq!((message.actor.kind, message.direction), (actor, direction), "{fields}");
    }
}

#[test]
fn private_messages_are_notes_and_activity_is_internal() {
    let note = events(
        Chatwoot,
        message(r#""message_type": 1, "private": true, "sender": {"id": 5, "type": "user"}"#)
            .as_bytes(),
    );
    assert_eq!(one(&note, "note").visibility, Visibility::Internal);
    let activity = events(Chatwoot, message(r#""message_type": "activity""#).as_bytes());
    assert_eq!(one(&activity, "custom.activity").visibility, Visibility::Internal);
}

#[test]
fn a_signed_contact_is_proved_and_a_typed_one_is_not() {
    let signed = events(Chatwoot, message(r#""message_type": 0"#).as_bytes());
    let typed = message(r#""message_type": 0"#)
        .replace("\"hmac_verified\": true", "\"hmac_verified\": false");
    let typed = events(Chatwoot, typed.as_bytes());
    let email = |events: &[Event]| {
        let claims = &events[0].who;
        claims
            .iter()
            .find(|claim| claim.identifier().namespace().name() == "email")
            .unwrap()
            .assurance
    };
    assert_eq!(email(&signed), Assurance::Authenticated);
    assert_eq!(email(&typed), Assurance::SelfStated);
    assert!(persons(&signed[0]).contains(&"cookie:chatwoot:acme/inbox/3:w-1".to_owned()));
}

#[test]
fn an_updated_message_gives_receipts_answers_ratings_and_removals() {
    let updated = |fields: &str| {
        let text = message(fields).replace("message_created", "message_updated");
        events(Chatwoot, text.as_bytes())
    };
    assert_eq!(of(&updated(r#""message_type": 1, "status": "read""#), "message.read").len(), 1);
    assert_eq!(of(&updated(r#""message_type": 1, "status": "failed""#), "message.failed").len(), 1);
    let deleted = updated(r#""message_type": 0, "content_attributes": {"deleted": true}"#);
    assert_eq!(data(one(&deleted, "message.deleted"))["target"], "chatwoot:acme/message/5");
    let form = updated(
        r#""message_type": 1, "content_type": "form", "content_attributes": {"submitted_values": [{"name": "order", "value": "1001"}]}"#,
    );
    let answer = of(&form, "message").into_iter().find(|it| it.direction == Direction::In).unwrap();
    assert_eq!(answer.body.as_ref().unwrap().text, "order: 1001");
    let rated = updated(
        r#""message_type": 3, "content_type": "input_csat", "content_attributes": {"submitted_values": {"csat_survey_response": {"rating": 4, "feedback_message": "fine"}}}"#,
    );
    assert_eq!(data(one(&rated, "feedback.answered"))["score"], 4);
    assert_eq!(
        data(one(&rated, "feedback.answered"))["feedback"],
        data(one(&rated, "feedback.asked"))["feedback"]
    );
}

#[test]
fn typing_is_dropped_and_what_nobody_knows_is_a_problem() {
    let typing = br#"{"event": "conversation_typing_on", "conversation": {"id": 1}}"#;
    assert_eq!(events(Chatwoot, typing), []);
    let strange = br#"{"event": "moon_landed"}"#;
    assert_eq!(problems(Chatwoot, strange)[0].pointer.as_deref(), Some("/event"));
}

#[test]
fn copies_of_a_message_are_revisions_and_the_webhook_of_its_own_wins() {
    let own = message(r#""message_type": 0"#);
    let nested = r#"{"event": "conversation_updated", "id": 7, "updated_at": 1770112900.5, "changed_attributes": [],
        "messages": [{"id": 5, "content": "x", "message_type": 0, "created_at": 1770112800, "updated_at": "2026-02-03T10:00:00.163Z"}]}"#;
    let changed = message(
        r#""message_type": 0, "source_id": "wamid.1", "updated_at": "2026-02-03T10:05:00Z""#,
    )
    .replace("message_created", "message_updated");
    let copies: Vec<_> = [own.as_str(), nested, changed.as_str()]
        .iter()
        .flat_map(|payload| events(Chatwoot, payload.as_bytes()))
        .filter(|event| event.key.as_str() == "chatwoot:acme/message/5")
        .collect();
    let revs: Vec<&str> = copies.iter().map(|copy| copy.rev.as_deref().unwrap()).collect();
    assert_eq!(revs, ["2026-02-03T10:00:00Z", "1770112800163000", "2026-02-03T10:05:00Z"]);
}

#[test]
fn lists_and_single_answers_of_the_api_are_read() {
    let contact = br#"{"payload": {"contact": {"id": 5, "name": "Noor", "email": null, "phone_number": "+31687654321"}}}"#;
    assert_eq!(of(&events(Chatwoot, contact), "profile.updated").len(), 1);
    let list = br#"{"data": {"meta": {"all_count": 1}, "payload": [{"id": 7, "status": "open", "created_at": 1770112800, "meta": {"channel": "Channel::Email", "sender": {"id": 5, "email": "noor@example.nl"}}}]}}"#;
    let events = events(Chatwoot, list);
    assert_eq!(one(&events, "conversation.opened").channel.name(), "email");
}

#[test]
fn where_a_contact_lives_is_part_of_the_profile_and_stays_verbatim() {
    let payload = br#"{"event": "contact_updated", "id": 7, "name": "Jan de Vries",
        "email": "jan@example.nl", "updated_at": "2026-03-02T08:00:00Z",
        "additional_attributes": {"city": "Utrecht", "country": "Netherlands", "country_code": "NL"}}"#;
    let events = events(Chatwoot, payload);
    let profile = one(&events, "profile.updated");
    assert_eq!(data(profile)["address"]["city"], "Utrecht");
    assert_eq!(data(profile)["address"]["country"], "NL");
    assert_eq!(profile.extra["additional_attributes"]["country"], "Netherlands");
}

#[test]
fn a_conversation_from_the_api_tells_the_state_it_is_in_and_not_the_one_it_began_in() {
    let page = br#"{"data": {"meta": {}, "payload": [{"id": 11, "status": "resolved", "channel": "Channel::WebWidget", "created_at": 1772442000, "updated_at": 1772445000.5, "messages": []}]}}"#;
    let events = events(Chatwoot, page);
    assert_eq!(data(one(&events, "conversation.opened")).get("state"), None);
    let status = one(&events, "conversation.status");
    assert_eq!(
        (data(status)["to"].clone(), status.occurred_at_origin),
        ("resolved".into(), TimeOrigin::Received)
    );
    assert_eq!(status.occurred_at.to_string(), "2026-03-02T09:50:00.500Z");
}

#[test]
fn a_message_that_is_gone_is_gone_wherever_that_is_read() {
    let page = br#"{"payload": [{"id": 181, "content": "This message was deleted", "conversation_id": 11, "message_type": 1, "content_attributes": {"deleted": true}, "created_at": 1772443200, "private": false}]}"#;
    let events = events(Chatwoot, page);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].key.as_str(), "chatwoot:acme/message/181#deleted");
    assert_eq!(data(&events[0])["target"], "chatwoot:acme/message/181");
}

#[test]
fn a_message_in_a_list_says_less_than_its_webhook() {
    let message = |beside: &str, at: &str| {
        let message = format!(
            r#"{{{beside} "id": 174, "content": "Hi", "message_type": "incoming", "created_at": {at}, "conversation_id": 11, "sender": {{"id": 12, "name": "Jan", "type": "contact"}}}}"#
        );
        events(Chatwoot, message.as_bytes()).remove(0)
    };
    let webhook = message(
        r#""event": "message_created", "conversation": {"id": 11, "channel": "Channel::WebWidget"},"#,
        r#""2026-03-02 09:00:00 UTC""#,
    );
    let listed = message("", "1772442000");
    assert_eq!(webhook.key, listed.key);
    assert_eq!(webhook.rev.as_deref(), Some("2026-03-02T09:00:00Z"));
    assert_eq!(listed.rev.as_deref(), Some("1772442000"));
}

#[test]
fn two_webhooks_of_one_change_tell_it_alike() {
    let webhook = |event: &str, at: &str, changed_at: &str| {
        let webhook = format!(
            r#"{{"event": "{event}", "id": 11, "status": "open", "updated_at": "{at}",
                "changed_attributes": [{{"status": {{"previous_value": "pending", "current_value": "open"}}}}{changed_at}]}}"#
        );
        events(Chatwoot, webhook.as_bytes())
    };
    let same = |one: Vec<Event>, other: Vec<Event>| {
        for (one, other) in one.iter().zip(&other) {
            assert_eq!((&one.key, one.content_hash()), (&other.key, other.content_hash()));
        }
        assert_eq!((one.len(), other.len()), (2, 2));
    };
    same(
        webhook("conversation_status_changed", "2026-03-02T09:00:00.100Z", ""),
        webhook("conversation_updated", "2026-03-02T09:00:00.200Z", ""),
    );
    let own = r#", {"updated_at": {"previous_value": "2026-03-02T08:00:00Z", "current_value": "2026-03-02T09:00:00.050Z"}}"#;
    same(
        webhook("conversation_status_changed", "2026-03-02T09:00:00.900Z", own),
        webhook("conversation_updated", "2026-03-02T09:00:01.100Z", own),
    );
}

#[test]
fn a_contact_is_known_since_its_record_was_made_and_what_identifies_nobody_is_kept() {
    let contact = br#"{"event": "contact_updated", "id": 12, "name": "Jan", "email": "jan@example.nl", "identifier": "undefined",
        "created_at": "2026-01-01T09:00:00Z", "updated_at": "2026-05-01T09:00:00Z"}"#;
    let told = events(Chatwoot, contact);
    let profile = one(&told, "profile.updated");
    assert_eq!(profile.extra["identifier"], "undefined");
    let seen = one(&told, "identity.seen");
    assert_eq!(
        (seen.occurred_at.to_string().as_str(), &seen.who),
        ("2026-01-01T09:00:00Z", &profile.who)
    );
}

#[test]
fn what_a_rule_sends_is_read_as_what_it_is_of() {
    let sent = br#"{"event": "automation_event.contact_created", "id": 12, "email": "jan@example.nl", "updated_at": "2026-05-01T09:00:00Z"}"#;
    assert_eq!(events(Chatwoot, sent)[0].kind.name(), "profile.updated");
}

#[test]
fn whoever_sent_what_came_in_is_the_contact() {
    let webhook = |kind: &str| {
        let webhook = format!(
            r#"{{"event": "message_created", "id": "201", "content": "Hi", "message_type": "{kind}",
            "created_at": "2026-03-02T09:00:00Z", "sender": {{"id": "12", "name": "Jan", "email": "jan@example.nl"}},
            "conversation": {{"id": "81", "display_id": "81"}}, "account": {{"id": "1"}}}}"#
        );
        let events = events(Chatwoot, webhook.as_bytes());
        persons(one(&events, "message")).join(" ")
    };
    assert!(webhook("incoming").contains("email:jan@example.nl"), "{}", webhook("incoming"));
    assert_eq!(webhook("outgoing"), "");
}
