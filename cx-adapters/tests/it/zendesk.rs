//! Zendesk: every trap of the samples.

use cx_adapters::Format::Zendesk;
use cx_core::actor::ActorType;
use cx_core::event::{Direction, Event, Visibility};
use cx_core::identifier::Assurance;

use crate::payloads::{both, data, events, golden, of, one, own, persons, problems, records};

#[test]
fn every_payload_becomes_these_events() {
    insta::assert_snapshot!(golden(Zendesk, "zendesk"));
}

#[test]
fn a_ticket_by_mail_names_its_sender_by_the_channel() {
    for payload in both("zendesk/ticket.json", "zendesk/ticket.json") {
        let events = events(Zendesk, &payload);
        let opened = one(&events, "conversation.opened");
        assert_eq!(opened.channel.name(), "email");
        let mail = opened.who.iter().find(|claim| claim.identifier().namespace().name() == "email");
        assert_eq!(mail.unwrap().assurance, Assurance::ChannelProved);
        let status = one(&events, "conversation.status");
        assert_eq!(data(status)["to"], "resolved");
    }
}

#[test]
fn the_role_decides_where_requester_and_assignee_are_one() {
    // The same person asked, typed and has it: only the role of the user tells the direction.
    let ticket = r#"{"ticket": {"id": 1, "created_at": "2026-01-01T10:00:00Z", "status": "open",
        "requester_id": 5, "submitter_id": 5, "assignee_id": 5}}
        {"ticket_id": 1, "comments": [{"id": 9, "author_id": 5, "body": "x", "public": true,
         "created_at": "2026-01-01T10:00:00Z"}]}"#;
    let role = |role: &str| {
        let users = format!(
            r#"{ticket} {{"users": [{{"id": 5, "role": "{role}", "updated_at": "2026-01-01T09:00:00Z"}}]}}"#
        );
        let events = events(Zendesk, users.as_bytes());
        let message = one(&events, "message");
        (message.direction, message.actor.kind)
    };
    assert_eq!(role("agent"), (Direction::Out, ActorType::Agent));
    assert_eq!(role("end-user"), (Direction::In, ActorType::Customer));
    // Without it whoever asked is the customer, and the event says that this is a guess.
    let events = events(Zendesk, ticket.as_bytes());
    let message = one(&events, "message");
    assert_eq!(message.direction, Direction::In);
    assert_eq!(message.extra["role_guessed"], true);
}

#[test]
fn two_comments_with_one_text_are_two() {
    for payload in both("zendesk/ticket_comments.json", "zendesk/ticket_comments.json") {
        let events = events(Zendesk, &payload);
        let messages = of(&events, "message");
        assert_eq!(messages.len(), 2);
        assert_ne!(messages[0].key, messages[1].key);
        assert_eq!(messages[0].body, messages[1].body);
    }
}

#[test]
fn a_private_comment_is_a_note_and_a_rule_changes_the_state() {
    for payload in both("zendesk/ticket_audits.json", "zendesk/ticket_audits.json") {
        let events = events(Zendesk, &payload);
        let note = one(&events, "note");
        assert_eq!((note.visibility, note.direction), (Visibility::Internal, Direction::None));
        let status = one(&events, "conversation.status");
        assert_eq!(
            (data(status)["from"].as_str(), data(status)["to"].as_str()),
            (Some("new"), Some("open"))
        );
    }
}

#[test]
fn changes_become_events_of_their_own() {
    let events = events(Zendesk, &own("zendesk/ticket_audits.json"));
    assert_eq!(data(one(&events, "conversation.tagged"))["tags"], serde_json::json!(["c"]));
    assert_eq!(data(one(&events, "conversation.untagged"))["tags"], serde_json::json!(["a"]));
    assert_eq!(data(one(&events, "conversation.field"))["name"], "360001");
    assert_eq!(data(one(&events, "message.redacted"))["target"], "zendesk:acme/comment/40002");
    assert_eq!(one(&events, "custom.zendesk.push").visibility, Visibility::Internal);
}

#[test]
fn creation_values_are_texts_or_null_and_notifications_are_no_answers() {
    for payload in
        both("zendesk/ticket_created_with_audit.json", "zendesk/ticket_created_with_audit.json")
    {
        let events = events(Zendesk, &payload);
        let message = one(&events, "message");
        assert!(message.body.as_ref().unwrap().text.starts_with('('), "not cut to ASCII");
        let queued = of(&events, "mail.queued");
        assert!(!queued.is_empty());
        for mail in queued {
            assert_eq!(mail.actor.kind, ActorType::Automation);
            assert_eq!(mail.visibility, Visibility::Internal);
            assert!(!mail.is_agent_answer());
        }
        assert!(of(&events, "conversation.status").is_empty(), "it is new, as every ticket is");
    }
}

#[test]
fn a_notification_of_agents_makes_no_customers_of_them() {
    let events = events(Zendesk, &own("zendesk/ticket_created_with_audit.json"));
    let mut who: Vec<String> = of(&events, "mail.queued").into_iter().flat_map(persons).collect();
    who.dedup();
    assert_eq!(who, ["helpdesk:zendesk:acme:802"]);
}

#[test]
fn a_user_without_a_phone_and_not_verified() {
    for payload in both("zendesk/user.json", "zendesk/user.json") {
        let events = events(Zendesk, &payload);
        let profile = one(&events, "profile.updated");
        let assurances: Vec<(&str, Assurance)> = profile
            .who
            .iter()
            .map(|claim| (claim.identifier().namespace().name(), claim.assurance))
            .collect();
        let expected = [("helpdesk", Assurance::ChannelProved), ("email", Assurance::SelfStated)];
        assert_eq!(assurances, expected);
    }
}

#[test]
fn identities_are_verified_or_not_and_one_is_undeliverable() {
    for payload in both("zendesk/user_identities.json", "zendesk/authored_user_identities.json") {
        let events = events(Zendesk, &payload);
        let linked = of(&events, "identity.linked");
        assert_eq!(linked.len(), 4);
        let assurance = |position: usize| linked[position].who[1].assurance;
        assert_eq!(assurance(0), Assurance::ChannelProved);
        assert_eq!(assurance(1), Assurance::SelfStated);
        assert_eq!(data(linked[1])["undeliverable"], true);
        assert_eq!(linked[3].who[1].identifier().scope(), "x");
    }
}

#[test]
fn offered_is_no_answer_and_the_latest_answer_is_of_the_same_question() {
    for payload in
        both("zendesk/satisfaction_ratings.json", "zendesk/authored_satisfaction_ratings.json")
    {
        let events = events(Zendesk, &payload);
        assert_eq!(of(&events, "feedback.asked").len(), 1);
        let answers = of(&events, "feedback.answered");
        let scores: Vec<i64> =
            answers.iter().map(|it| data(it)["score"].as_i64().unwrap()).collect();
        assert_eq!(scores, [0, 1], "the first answer stays in the history");
        assert_eq!(data(answers[0])["feedback"], data(answers[1])["feedback"]);
        let mut fold = cx_core::feedback::FeedbackFold::default();
        for event in &events {
            fold.push(event);
        }
        let feedback = fold.finish();
        assert_eq!(feedback.ratings.len(), 1);
        assert_eq!(feedback.ratings[0].score, Some(1));
        assert!(feedback.open_loops.is_empty());
    }
}

#[test]
fn webhooks_write_ids_as_text_and_words_in_capitals() {
    for payload in both(
        "zendesk/webhook_ticket_comment_added.json",
        "zendesk/webhook_ticket_comment_added.json",
    ) {
        let events = events(Zendesk, &payload);
        let message = one(&events, "message");
        assert_eq!((message.direction, message.actor.kind), (Direction::Out, ActorType::Agent));
        assert!(message.key.as_str().contains("/comment/"), "the key of the comment itself");
        assert_eq!(
            message.occurred_at.as_micros() % 1_000_000 % 10,
            message.occurred_at.as_micros() % 10
        );
        assert_eq!(data(one(&events, "conversation.opened"))["priority"], "high");
    }
}

#[test]
fn one_change_of_state_is_one_event_whoever_tells_it() {
    let webhook = own("zendesk/webhook_ticket_status_changed.json");
    let told = events(Zendesk, &webhook);
    let audit = r#"{"audits": [{"id": 1, "ticket_id": 313, "author_id": 900, "created_at": "2026-01-20T16:00:00Z",
        "events": [{"id": 77, "type": "Change", "field_name": "status", "previous_value": "open", "value": "solved"}]}]}"#;
    let audited = events(Zendesk, audit.as_bytes());
    let (a, b) = (one(&told, "conversation.status"), one(&audited, "conversation.status"));
    assert_eq!((&a.key, data(a)), (&b.key, data(b)));
    assert!(a.rev < b.rev, "the audit knows what else was changed with it");
    let metrics = br#"{"ticket_metrics": [{"id": 1, "ticket_id": 313, "solved_at": "2026-01-20T16:00:00Z", "replies": 2}]}"#;
    let metrics = events(Zendesk, metrics);
    assert_eq!(metrics[0].key, a.key);
    assert!(metrics[0].rev < a.rev);
}

#[test]
fn what_a_rule_did_after_an_agent_comes_after_it() {
    let audit = br#"{"audits": [{"id": 1, "ticket_id": 5, "author_id": 9, "created_at": "2026-03-02T09:00:00Z", "events": [
        {"id": 10, "type": "Change", "field_name": "status", "value": "solved", "previous_value": "open"},
        {"id": 11, "type": "Change", "field_name": "status", "value": "open", "previous_value": "solved", "via": {"channel": "rule"}}]}]}"#;
    let mut told = events(Zendesk, audit);
    told.sort_by(Event::timeline_cmp);
    let states: Vec<_> = told.iter().map(|event| data(event)["to"].clone()).collect();
    assert_eq!(states, ["resolved", "open"]);
    let created = br#"{"audits": [{"id": 1, "ticket_id": 5, "author_id": 9, "created_at": "2026-03-02T09:00:00Z", "events": [
        {"id": 10, "type": "Create", "field_name": "status", "value": "pending"},
        {"id": 11, "type": "Change", "field_name": "status", "value": "hold", "previous_value": "pending"}]}]}"#;
    let mut told = events(Zendesk, created);
    told.sort_by(Event::timeline_cmp);
    assert_eq!(data(told.last().unwrap())["native"], "hold");
}

#[test]
fn a_change_is_one_event_whoever_tells_it() {
    let audit = br#"{"audits": [{"id": 1, "ticket_id": 5, "author_id": 9, "created_at": "2026-03-02T09:00:00Z", "events": [
        {"id": 10, "type": "Change", "field_name": "assignee_id", "value": "901", "previous_value": "900"},
        {"id": 11, "type": "Change", "field_name": "priority", "value": "high", "previous_value": "low"},
        {"id": 12, "type": "Change", "field_name": "tags", "value": ["a", "b"], "previous_value": ["a"]}]}]}"#;
    let audited = events(Zendesk, audit);
    for (position, (what, event)) in [
        ("agent_assignment_changed", r#"{"previous": "900", "current": "901"}"#),
        ("priority_changed", r#"{"previous": "LOW", "current": "HIGH"}"#),
        ("tags_changed", r#"{"tags_added": ["b"], "tags_removed": []}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let webhook = format!(
            r#"{{"id": "w{position}", "type": "zen:event-type:ticket.{what}", "time": "2026-03-02T09:00:00.400Z", "event": {event},
                "detail": {{"id": "5", "requester_id": "71", "actor_id": "9", "created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-02T09:00:00Z"}}}}"#
        );
        let told = events(Zendesk, webhook.as_bytes());
        let (told, audited) = (&told[1], &audited[position]);
        assert_eq!((&told.key, data(told)), (&audited.key, data(audited)));
        assert!(told.rev < audited.rev);
    }
}

/// A page of audits in which comment 11 was written by mail by user 71.
fn mailed(audit_author: u32, metadata: &str, more: &str) -> Vec<Event> {
    let audits = format!(
        r#"{{"audits": [{{"id": 1, "ticket_id": 5, "author_id": {audit_author}, "created_at": "2026-03-02T09:00:00Z", "metadata": {metadata},
            "via": {{"channel": "email", "source": {{"from": {{"address": "x@y.example"}}}}}},
            "events": [{{"id": 10, "type": "Create", "field_name": "requester_id", "value": "71"}},
                {{"id": 11, "type": "Comment", "author_id": 71, "public": true, "body": "his credit is bad"}}]}}{more}],
            "users": [{{"id": 71, "role": "end-user", "updated_at": "2026-03-01T09:00:00Z"}}]}}"#
    );
    events(Zendesk, audits.as_bytes())
}

fn assurance_of(event: &Event, namespace: &str) -> Option<Assurance> {
    let is_it =
        |claim: &&cx_core::identifier::Claim| claim.identifier().namespace().name() == namespace;
    event.who.iter().find(is_it).map(|claim| claim.assurance)
}

#[test]
fn who_forwards_a_mail_is_not_who_wrote_it_and_a_doubted_sender_proves_nothing() {
    for kind in ["message", "conversation.opened"] {
        let of = |events: &[Event]| assurance_of(one(events, kind), "email");
        assert_eq!(of(&mailed(71, "{}", "")), Some(Assurance::ChannelProved), "{kind}");
        assert_eq!(of(&mailed(9, "{}", "")), None, "{kind}");
        let doubted = r#"{"flags": [0, 2], "flags_options": {"2": {"trusted": false}}}"#;
        assert_eq!(of(&mailed(71, doubted, "")), Some(Assurance::SelfStated), "{kind}");
        assert_eq!(of(&mailed(71, r#"{"trusted": false}"#, "")), Some(Assurance::SelfStated));
    }
    let forwarded = br#"{"ticket": {"id": 5, "requester_id": 71, "submitter_id": 9, "created_at": "2026-03-02T09:00:00Z", "status": "open",
        "via": {"channel": "email", "source": {"from": {"address": "ann@private.example"}}},
        "comments": [{"id": 11, "author_id": 71, "body": "x", "created_at": "2026-03-02T09:00:00Z", "via": {"channel": "email", "source": {"from": {"address": "ann@private.example"}}}},
            {"id": 12, "author_id": 71, "body": "y", "created_at": "2026-03-02T10:00:00Z", "via": {"channel": "email", "source": {"from": {"address": "piet@example.nl"}}}}]}}"#;
    let told = events(Zendesk, forwarded);
    let comments = of(&told, "message");
    assert_eq!(assurance_of(comments[0], "email"), None);
    assert_eq!(assurance_of(comments[1], "email"), Some(Assurance::ChannelProved));
}

#[test]
fn an_address_typed_in_a_form_proves_nothing() {
    let ticket = |channel: &str| {
        let ticket = format!(
            r#"{{"ticket": {{"id": 5, "requester_id": 71, "created_at": "2026-03-02T09:00:00Z", "status": "new",
                "via": {{"channel": "{channel}", "source": {{"from": {{"address": "claimed@x.example"}}}}}}}}}}"#
        );
        assurance_of(one(&events(Zendesk, ticket.as_bytes()), "conversation.opened"), "email")
    };
    assert_eq!(ticket("email"), Some(Assurance::ChannelProved));
    assert_eq!(ticket("web_widget"), Some(Assurance::SelfStated));
    assert_eq!(ticket("api"), Some(Assurance::SelfStated));
}

#[test]
fn what_was_made_private_is_for_colleagues_whatever_tells_it() {
    let change = r#", {"id": 2, "ticket_id": 5, "author_id": 9, "created_at": "2026-03-02T09:05:00Z", "events": [{"id": 12, "type": "CommentPrivacyChange", "comment_id": 11, "public": false}]}"#;
    let before = mailed(71, "{}", "");
    let before = one(&before, "message");
    let after = mailed(71, "{}", change);
    assert_eq!(of(&after, "message").len(), 0);
    let notes = of(&after, "note");
    assert_eq!(notes[0].body, before.body);
    let webhook = br#"{"id": "w", "type": "zen:event-type:ticket.comment_made_private", "time": "2026-03-02T09:05:00Z", "event": {"comment": {"id": "11"}},
        "detail": {"id": "5", "requester_id": "71", "created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-02T09:05:00Z"}}"#;
    let told = events(Zendesk, webhook);
    // It hides all that anybody could see, until a copy says the words as a note.
    let hidden = one(&told, "note");
    for note in notes.iter().copied().chain([hidden]) {
        assert_eq!((&note.key, note.visibility), (&before.key, Visibility::Internal));
        assert!(note.rev > before.rev);
    }
    assert!(hidden.body.is_none() && notes[0].rev > hidden.rev);
    let exported = br#"{"ticket_events": [{"id": 1, "ticket_id": 5, "created_at": "2026-03-02T09:00:00Z", "updater_id": 71, "event_type": "Audit",
        "child_events": [{"id": 11, "event_type": "Comment", "body": "x", "comment_public": false}]}]}"#;
    assert_eq!(one(&events(Zendesk, exported), "note").visibility, Visibility::Internal);
}

#[test]
fn what_agents_write_of_a_call_is_no_customers_word() {
    let call = |public: bool, heard: bool| {
        let call = format!(
            r#"{{"ticket_id": 5, "comments": [{{"id": 9, "type": "VoiceComment", "author_id": 71, "public": {public}, "body": "Call with Jan. Note: a known fraudster", "created_at": "2026-03-02T09:05:00Z",
                "via": {{"channel": "voice", "source": {{"rel": "inbound"}}}},
                "data": {{"from": "+31612345678", "transcription_text": "hello", "transcription_visible": {heard}}}}}],
                "users": [{{"id": 71, "role": "end-user", "updated_at": "2026-03-01T09:00:00Z"}}]}}"#
        );
        events(Zendesk, call.as_bytes())
    };
    let told = call(false, false);
    assert_eq!(one(&told, "call").body, None);
    let note = one(&told, "note");
    assert_eq!((note.visibility, note.actor.kind), (Visibility::Internal, ActorType::Agent));
    assert!(note.body.as_ref().unwrap().text.contains("fraudster"));
    let text = |events: &[Event]| one(events, "call").body.as_ref().unwrap().text.clone();
    assert_eq!(text(&call(false, true)), "hello");
    assert_eq!(
        (text(&call(true, false)), of(&call(true, false), "note").len()),
        ("hello".to_owned(), 0)
    );
    assert!(one(&call(true, false), "call").rev < one(&told, "call").rev);
}

#[test]
fn a_user_is_known_since_the_record_was_made_and_what_identifies_nobody_is_kept() {
    let user = br#"{"user": {"id": 71, "name": "Jan", "email": "noreply@x.example", "phone": "unknown", "role": "end-user", "external_id": "c-1",
        "created_at": "2026-01-01T09:00:00Z", "updated_at": "2026-05-01T09:00:00Z"}}"#;
    let told = events(Zendesk, user);
    let seen = one(&told, "identity.seen");
    assert_eq!(seen.occurred_at.to_string(), "2026-01-01T09:00:00Z");
    let profile = one(&told, "profile.updated");
    assert_eq!((&seen.who, &seen.rev), (&profile.who, &profile.rev));
    assert_eq!(profile.extra["email"], "noreply@x.example");
    assert_eq!(profile.extra["phone"], "unknown");
    assert_eq!(profile.extra.get("external_id"), None, "a claim came of it");
    let erased = br#"{"user": {"id": 71, "name": "Permanently Deleted User", "role": "end-user", "permanently_deleted": true, "updated_at": "2026-06-01T09:00:00Z"}}"#;
    let erased = events(Zendesk, erased);
    assert_eq!((&erased[0].name, data(&erased[0]).get("name")), (&None, None));
}

#[test]
fn users_that_zendesk_merged_are_one_and_a_webhook_of_an_identity_says_less_than_the_api() {
    let merged = user_webhook("merged", r#"{"user": {"id": "72"}}"#);
    assert_eq!(persons(&merged), ["helpdesk:zendesk:acme:71", "helpdesk:zendesk:acme:72"]);
    assert_eq!(merged.extra["detail"]["email"], "jan@example.nl");
    let deleted = user_webhook("deleted", "{}");
    assert!(persons(&deleted).contains(&"email:jan@example.nl".to_owned()));
    let put = user_webhook(
        "identity_created",
        r#"{"identity": {"id": "881", "type": "email", "value": "jan@example.nl"}}"#,
    );
    assert!(put.rev.unwrap().parse::<u64>().is_ok(), "a number, which comes before every instant");
}

#[test]
fn whose_ticket_it_is_may_change() {
    let webhook = br#"{"id": "w", "type": "zen:event-type:ticket.requester_changed", "time": "2026-03-03T09:00:00Z", "event": {"previous": "71", "current": "80"},
        "detail": {"id": "5", "requester_id": "80", "status": "OPEN", "created_at": "2026-03-02T09:00:00Z", "updated_at": "2026-03-03T09:00:00Z"}}"#;
    let told = events(Zendesk, webhook);
    let opened = *of(&told, "conversation.opened").last().unwrap();
    assert_eq!(persons(opened), ["helpdesk:zendesk:acme:80"]);
    let rev = opened.rev.as_deref().unwrap();
    let at: cx_core::time::Timestamp = rev.parse().unwrap();
    assert_eq!(at.to_string(), "2026-03-03T09:00:00Z");
    assert!(rev < at.to_string().as_str(), "a copy of the same instant from the API says more");
}

#[test]
fn a_rating_in_a_ticket_or_an_audit_is_an_answer() {
    let ticket = br#"{"ticket": {"id": 5, "requester_id": 71, "created_at": "2026-03-02T09:00:00Z", "updated_at": "2026-03-03T09:00:00Z", "status": "closed",
        "satisfaction_rating": {"id": 3, "score": "bad", "comment": "slow"}}}"#;
    let ticket = events(Zendesk, ticket);
    let audit = br#"{"audits": [{"id": 1, "ticket_id": 5, "author_id": 71, "created_at": "2026-03-03T09:00:00Z", "events": [{"id": 12, "type": "SatisfactionRating", "score": "bad", "body": "slow"}]}]}"#;
    let audit = events(Zendesk, audit);
    let answers = [one(&ticket, "feedback.answered"), one(&audit, "feedback.answered")];
    for answer in answers {
        assert_eq!(data(answer)["score"], 0);
        assert_eq!(data(answer)["comment"], "slow");
        assert_eq!(data(answer)["feedback"], "zendesk:acme/ticket/5#satisfaction");
    }
    assert_eq!(persons(answers[0]), ["helpdesk:zendesk:acme:71"]);
}

#[test]
fn a_comment_has_one_key_and_the_fullest_telling_wins() {
    let of_list = r#"{"ticket_id": 5, "comments": [{"id": 9, "author_id": 1, "plain_body": "Hi", "public": true, "created_at": "2026-01-01T10:00:00Z"}]}"#;
    let of_audit = r#"{"audit": {"id": 3, "ticket_id": 5, "author_id": 1, "created_at": "2026-01-01T10:00:00Z", "events": [{"id": 9, "type": "Comment", "body": "Hi", "public": true}]}}"#;
    let (list, audit) = (events(Zendesk, of_list.as_bytes()), events(Zendesk, of_audit.as_bytes()));
    assert_eq!(list[0].key, audit[0].key);
    assert!(list[0].rev > audit[0].rev);
}

#[test]
fn a_broken_record_names_its_place_and_the_others_come() {
    let page = r#"{"tickets": [
        {"id": 1, "requester_id": 5, "created_at": "yesterday", "status": "open"},
        {"id": 2, "requester_id": 5, "created_at": "2026-01-01T10:00:00Z", "status": "new"},
        7]}
{"weather": "fine"}"#;
    let problems: Vec<String> =
        problems(Zendesk, page.as_bytes()).iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 3);
    assert!(problems[0].starts_with("1: /tickets/0/created_at: \"yesterday\": "), "{problems:?}");
    assert!(problems[1].starts_with("1: /tickets/2: 7: not an object"), "{problems:?}");
    assert!(problems[2].starts_with("5: not a Zendesk "), "{problems:?}");
    assert_eq!(records(Zendesk, page.as_bytes()).iter().filter(|record| record.is_ok()).count(), 1);
}

#[test]
fn follow_ups_and_merges_link_conversations() {
    let tickets = r#"{"tickets": [
        {"id": 8, "requester_id": 5, "created_at": "2026-01-02T10:00:00Z", "status": "open", "via": {"channel": "web", "source": {"from": {"ticket_id": 7}, "rel": "follow_up"}}},
        {"id": 9, "requester_id": 5, "created_at": "2026-01-02T10:00:00Z", "status": "closed", "tags": ["closed_by_merge"]}]}
        {"audits": [{"id": 1, "ticket_id": 8, "author_id": 900, "created_at": "2026-01-03T10:00:00Z", "via": {"channel": "web", "source": {"from": {"ticket_id": 9}, "rel": "merge"}}, "events": []}]}"#;
    let events = events(Zendesk, tickets.as_bytes());
    assert_eq!(data(one(&events, "conversation.linked"))["target"], "zendesk:acme/ticket/7");
    let merged = of(&events, "conversation.merged");
    assert_eq!(merged[0].key, merged[1].key);
    assert_eq!(data(merged[1])["into"], "zendesk:acme/ticket/8");
    assert!(merged[1].rev > merged[0].rev);
}

#[test]
fn a_call_we_made_is_about_whom_we_called() {
    let call = r#"{"ticket": {"id": 5, "requester_id": 71, "submitter_id": 71, "created_at": "2026-03-02T09:00:00Z", "status": "new",
        "via": {"channel": "voice", "source": {"rel": "outbound", "from": {"phone": "+31208080808", "name": "Acme"}, "to": {"phone": "+31612345678", "name": "Jan"}}},
        "comments": [{"id": 9, "type": "VoiceComment", "author_id": 900, "public": true, "created_at": "2026-03-02T09:05:00Z",
            "via": {"channel": "voice", "source": {"rel": "outbound", "from": {}, "to": {}}},
            "data": {"from": "+31208080808", "to": "+31612345678", "call_duration": "61", "answered_by_id": 900, "started_at": "2026-03-02 10:00:00 +0100"}}]}}"#;
    let events = events(Zendesk, call.as_bytes());
    let call = one(&events, "call");
    assert_eq!(call.direction, Direction::Out);
    assert_eq!(persons(call)[0], "phone:+31612345678");
    assert_eq!(call.occurred_at.to_string(), "2026-03-02T09:00:00Z");
    let opened = one(&events, "conversation.opened");
    assert_eq!(persons(opened), ["helpdesk:zendesk:acme:71", "phone:+31612345678"]);
    assert_eq!(opened.name.as_deref(), Some("Jan"));
}

#[test]
fn the_sender_is_the_requester_only_where_nobody_else_sent_it() {
    let ticket = r#"{"ticket": {"id": 5, "requester_id": 71, "submitter_id": 9, "created_at": "2026-03-02T09:00:00Z", "status": "new",
        "via": {"channel": "email", "source": {"from": {"address": "agent@partner.example", "name": "Agent"}}}}}"#;
    let events = events(Zendesk, ticket.as_bytes());
    let opened = one(&events, "conversation.opened");
    assert_eq!(
        (persons(opened), opened.name.as_deref()),
        (vec!["helpdesk:zendesk:acme:71".to_owned()], None)
    );
}

#[test]
fn a_page_of_comments_tells_its_ticket_by_the_pages_beside_it() {
    let page = r#"{"comments": [{"id": 1, "author_id": 71, "body": "x", "public": true, "created_at": "2026-03-02T09:00:00Z",
        "via": {"channel": "email", "source": {"from": {"address": "jan@example.nl"}}}}],
        "next_page": "https://acme.zendesk.example/api/v2/tickets/5/comments.json?page=2"}"#;
    let events = events(Zendesk, page.as_bytes());
    let message = one(&events, "message");
    assert_eq!(message.conversation.as_ref().unwrap().key.as_str(), "zendesk:acme/ticket/5");
    assert_eq!((message.direction, message.actor.kind), (Direction::In, ActorType::Customer));
    assert!(persons(message).contains(&"email:jan@example.nl".to_owned()));
}

#[test]
fn a_webhook_never_takes_away_what_the_api_told() {
    let api = r#"{"ticket": {"id": 313, "requester_id": 804, "created_at": "2026-01-20T10:00:00Z", "updated_at": "2026-01-20T10:00:00Z", "status": "open", "via": {"channel": "email", "source": {"from": {"address": "jan@example.nl"}}}}}"#;
    let (told, webhook) = (
        events(Zendesk, api.as_bytes()),
        events(Zendesk, &own("zendesk/webhook_ticket_comment_added.json")),
    );
    let rev = |events: &[Event]| one(events, "conversation.opened").rev.clone().unwrap();
    assert!(rev(&told).parse::<cx_core::time::Timestamp>().is_ok(), "an instant");
    assert!(rev(&webhook).parse::<u64>().is_ok(), "a number, which comes before every instant");
}

#[test]
fn an_agent_in_a_webhook_is_no_customer() {
    let webhook = r#"{"type": "zen:event-type:user.created", "id": "1", "time": "2026-01-20T10:00:00Z", "subject": "zen:user:900",
        "detail": {"id": "900", "email": "eva@acme-agents.example", "role": "AGENT", "updated_at": "2026-01-20T10:00:00Z", "organization_id": "0"}, "event": {}}"#;
    let events = events(Zendesk, webhook.as_bytes());
    assert_eq!(one(&events, "profile.updated").who, []);
}

#[test]
fn what_was_blacked_out_stays_so() {
    let of = |body: &str| {
        let comments = format!(
            r#"{{"ticket_id": 5, "comments": [{{"id": 1, "author_id": 71, "body": "{body}", "public": true, "created_at": "2026-03-02T09:00:00Z"}}]}}"#
        );
        events(Zendesk, comments.as_bytes()).remove(0).rev
    };
    assert!(of("my card \u{2587}\u{2587}\u{2587}") > of("my card 4111"));
}

#[test]
fn lists_beside_those_that_are_read_are_told() {
    let page = br#"{"tickets": [{"id": 7, "created_at": "2026-03-02T09:00:00Z", "updated_at": "2026-03-02T09:00:00Z", "status": "new", "requester_id": 71}],
        "organizations": [{"id": 500, "name": "Vries BV"}], "sla_policies": [{"ticket_id": 7}, {"ticket_id": 8}], "count": 1, "links": {"next": null}}"#;
    assert_eq!(records(Zendesk, page).len(), 3);
    assert_eq!(
        problems(Zendesk, page).iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "1: /organizations: 1 record of a kind that is not read",
            "1: /sla_policies: 2 records of a kind that is not read",
        ]
    );
}

/// A page of one comment, with what else stands in it.
fn comment_page(beside: &str, public: bool) -> Vec<Event> {
    let page = format!(
        r#"{{"ticket_id": 6, {beside} "comments": [{{"id": 2002, "author_id": 90, "plain_body": "On its way", "public": {public}, "created_at": "2026-03-02T09:10:00Z", "via": {{"channel": "web"}}}}]}}"#
    );
    events(Zendesk, page.as_bytes())
        .into_iter()
        .filter(|event| event.source.object == "comment")
        .collect()
}

#[test]
fn a_comment_told_with_more_around_it_is_a_later_revision() {
    let users = r#""users": [{"id": 90, "role": "agent", "name": "Eva", "updated_at": "2026-03-01T09:00:00Z"}],"#;
    let ticket = r#""tickets": [{"id": 6, "created_at": "2026-03-02T09:00:00Z", "status": "open", "requester_id": 71, "via": {"channel": "email"}}],"#;
    let tellings = ["", ticket, users, &format!("{users}{ticket}")];
    let public = tellings.iter().map(|beside| comment_page(beside, true));
    let private = tellings.iter().map(|beside| comment_page(beside, false));
    let all: Vec<Event> = public.chain(private).flatten().collect();
    assert_eq!(all.len(), 8);
    let revs: Vec<&str> = all.iter().map(|event| event.rev.as_deref().unwrap()).collect();
    assert!(revs.is_sorted_by(|one, other| one < other), "{revs:?}");
    assert!(revs.iter().all(|rev| *rev < "4-redacted"));
}

/// A webhook about user 71.
fn user_webhook(what: &str, event: &str) -> Event {
    let webhook = format!(
        r#"{{"account_id": 1, "detail": {{"created_at": "2026-03-01T09:00:00Z", "email": "jan@example.nl", "id": "71", "role": "end-user", "updated_at": "2026-03-02T09:00:00Z"}},
            "event": {event}, "id": "u-{what}", "time": "2026-03-02T09:00:01Z", "type": "zen:event-type:user.{what}"}}"#
    );
    events(Zendesk, webhook.as_bytes()).remove(0)
}

#[test]
fn a_webhook_about_a_user_tells_what_changed() {
    let named = user_webhook("name_changed", r#"{"current": "Jan de Vries", "previous": "Jan"}"#);
    assert_eq!(data(&named)["name"], "Jan de Vries");
    assert_eq!(named.name.as_deref(), Some("Jan de Vries"));
    assert_eq!(persons(&named), ["helpdesk:zendesk:acme:71", "email:jan@example.nl"]);
    let other = user_webhook("alias_changed", r#"{"current": "JdV", "previous": ""}"#);
    assert_eq!(other.extra["change"]["current"], "JdV");
    assert_ne!(named.key, other.key, "two changes of one second");
}

#[test]
fn an_identity_that_was_taken_away_joins_nobody() {
    let identity = r#"{"identity": {"id": "881", "type": "phone_number", "value": "+31612345678", "primary": false}}"#;
    let put = user_webhook("identity_created", identity);
    let taken = user_webhook("identity_deleted", identity);
    assert_eq!(put.key, taken.key);
    assert!(persons(&put).contains(&"phone:+31612345678".to_owned()));
    assert_eq!(taken.kind.name(), "identity.unlinked");
    assert_eq!(persons(&taken), ["helpdesk:zendesk:acme:71"]);
    assert_eq!(taken.extra["value"], "+31612345678");
}

#[test]
fn where_a_comment_was_written_is_kept_of_an_audit_too() {
    let audit = br#"{"audits": [{"id": 1, "ticket_id": 6, "created_at": "2026-03-02T09:10:00Z", "author_id": 90, "metadata": {"system": {"client": "Firefox"}},
        "events": [{"id": 2, "type": "Change", "field_name": "priority", "value": "high", "previous_value": "low"}, {"id": 3, "type": "Comment", "plain_body": "Hi", "public": true}]}]}"#;
    let events = events(Zendesk, audit);
    assert_eq!(one(&events, "message").extra["metadata"]["system"]["client"], "Firefox");
}

#[test]
fn an_exported_ticket_event_is_the_audit_it_is() {
    let exported = br#"{"ticket_events": [{"id": 1, "ticket_id": 155, "created_at": "2026-03-02T09:00:00Z", "timestamp": 1772442000, "updater_id": 52, "via": "Web form",
        "system": {"client": "M"}, "event_type": "Audit", "child_events": [
            {"id": 103, "event_type": "Comment", "author_id": 52, "body": "Hi", "public": true},
            {"id": 104, "event_type": "Change", "status": "open", "previous_value": "new"},
            {"id": 105, "event_type": "Change", "tags": ["a", "b"], "added_tags": ["b"], "removed_tags": ["c"]},
            {"id": 106, "event_type": "Comment", "comment_present": true}]}], "count": 1, "end_of_stream": true}"#;
    let audit = br#"{"audits": [{"id": 1, "ticket_id": 155, "created_at": "2026-03-02T09:00:00Z", "author_id": 52, "via": {"channel": "web_form"}, "events": [
            {"id": 103, "type": "Comment", "author_id": 52, "body": "Hi", "public": true},
            {"id": 104, "type": "Change", "field_name": "status", "value": "open", "previous_value": "new"},
            {"id": 105, "type": "Change", "field_name": "tags", "value": ["a", "b"], "previous_value": ["a", "c"]}]}]}"#;
    let told: Vec<Event> = records(Zendesk, exported).into_iter().filter_map(Result::ok).collect();
    let same = events(Zendesk, audit);
    assert_eq!(told.len(), 4);
    for (one, other) in told.iter().zip(&same) {
        assert_eq!((&one.key, &one.rev), (&other.key, &other.rev));
        assert_eq!(one.content_hash(), other.content_hash(), "{}", one.key);
    }
    assert_eq!(told[0].extra["metadata"]["system"]["client"], "M");
    let told = problems(Zendesk, exported);
    assert!(told.len() == 1 && told[0].problem.contains("comment_events"), "{told:?}");
}

#[test]
fn a_ticket_that_the_customer_cannot_see_is_kept_from_them() {
    let ticket = |is_public: bool| {
        format!(
            r#"{{"tickets": [{{"id": 900, "created_at": "2026-03-02T09:00:00Z", "updated_at": "2026-03-02T10:00:00Z",
            "subject": "Possible fraud", "status": "open", "requester_id": 71, "submitter_id": 99, "is_public": {is_public},
            "via": {{"channel": "web"}}, "tags": ["closed_by_merge"], "metric_set": {{"solved_at": "2026-03-02T10:00:00Z"}}}}],
            "users": [{{"id": 71, "role": "end-user", "updated_at": "2026-01-01T00:00:00Z"}},
            {{"id": 99, "role": "agent", "updated_at": "2026-01-01T00:00:00Z"}}]}}"#
        )
    };
    let is_of_ticket = |event: &&Event| event.conversation.is_some();
    let hidden = events(Zendesk, ticket(false).as_bytes());
    let told: Vec<&Event> = hidden.iter().filter(is_of_ticket).collect();
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told.iter().all(|event| event.visibility == Visibility::Internal), "{told:#?}");
    assert_eq!(one(&hidden, "conversation.opened").direction, Direction::None);
    let shown = events(Zendesk, ticket(true).as_bytes());
    let mut told = shown.iter().filter(is_of_ticket);
    assert!(told.all(|event| event.visibility == Visibility::Public));
    assert_eq!(one(&shown, "conversation.opened").direction, Direction::In);
}

#[test]
fn a_webhook_and_an_audit_tell_that_a_ticket_is_hidden() {
    let webhook = r#"{"type": "zen:event-type:ticket.created", "id": "w1", "time": "2026-03-02T11:00:00Z",
        "detail": {"id": "950", "is_public": false, "requester_id": "71", "submitter_id": "99", "status": "OPEN",
        "subject": "Suspected fraud", "created_at": "2026-03-02T09:00:00Z", "updated_at": "2026-03-02T11:00:00Z"}, "event": {}}"#;
    let told = events(Zendesk, webhook.as_bytes());
    assert!(told.iter().all(|event| event.visibility == Visibility::Internal), "{told:#?}");
    let audit = |comments: &str| {
        let audit = format!(
            r#"{{"audits": [{{"id": 1, "ticket_id": 5, "created_at": "2026-03-02T09:00:00Z", "author_id": 99, "events": [
            {{"id": 2, "type": "Create", "field_name": "subject", "value": "Fraud"}},
            {{"id": 3, "type": "Create", "field_name": "requester_id", "value": "71"}},
            {{"id": 4, "type": "Create", "field_name": "status", "value": "open"}}, {comments}]}}]}}"#
        );
        let events = events(Zendesk, audit.as_bytes());
        let status = one(&events, "conversation.status");
        let opened = one(&events, "conversation.opened");
        assert_eq!(status.visibility, opened.visibility);
        (opened.visibility, status.rev.clone().unwrap())
    };
    let comment = |public: bool| {
        format!(r#"{{"id": 1{public}, "type": "Comment", "body": "x", "public": {public}}}"#)
            .replace("1false", "10")
            .replace("1true", "11")
    };
    // Should it be shown later, the same telling comes after this one.
    assert_eq!(audit(&comment(false)), (Visibility::Internal, "02".to_owned()));
    let both = format!("{}, {}", comment(false), comment(true));
    assert_eq!(audit(&both), (Visibility::Public, "3".to_owned()));
}

#[test]
fn what_was_said_in_a_chat_is_messages() {
    let audit = r#"{"audits": [{"id": 2001, "ticket_id": 901, "created_at": "2026-03-02T09:00:00Z", "author_id": 71, "events": [
        {"id": 2002, "type": "ChatStartedEvent", "value": {"visitor_id": "v1", "chat_id": "2603.1", "history": [
            {"type": "ChatJoin", "timestamp": 1772442000000, "actor_name": "Jan", "actor_type": "end-user"},
            {"type": "ChatMessage", "timestamp": 1772442005000, "actor_name": "Jan", "actor_id": 71, "actor_type": "end-user", "message": "It explodes"}]}},
        {"id": 2003, "type": "Create", "field_name": "requester_id", "value": "71"},
        {"id": 2006, "type": "ChatEndedEvent", "value": {"chat_id": "2603.1", "history": [
            {"type": "ChatMessage", "timestamp": 1772442005000, "actor_name": "Jan", "actor_id": 71, "actor_type": "end-user", "message": "It explodes"},
            {"type": "ChatMessage", "timestamp": 1772442065000, "actor_name": "Eva", "actor_id": 99, "actor_type": "agent", "message": "Unplug it"}]}}]}],
        "tickets": [{"id": 901, "created_at": "2026-03-02T09:00:00Z", "requester_id": 71}]}"#;
    let told = events(Zendesk, audit.as_bytes());
    let messages = of(&told, "message");
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[0].content_hash(), messages[1].content_hash(), "one message, told twice");
    assert!(messages[0].is_from_customer());
    assert_eq!(persons(messages[0]), ["helpdesk:zendesk:acme:71"]);
    assert_eq!(messages[0].occurred_at.to_string(), "2026-03-02T09:00:05Z");
    assert_eq!((messages[2].direction, messages[2].actor.kind), (Direction::Out, ActorType::Agent));
    assert_eq!(messages[2].body.as_ref().unwrap().text, "Unplug it");
    let webhook = |kind: &str, id: &str| {
        let webhook = format!(
            r#"{{"type": "zen:event-type:messaging_ticket.message_added", "id": "mm", "time": "2026-03-02T11:00:00Z",
            "detail": {{"id": "951"}}, "event": {{"actor": {{"id": "{id}", "name": "Jan", "type": "{kind}"}},
            "message": {{"id": "m1", "body": "my words"}}, "conversation_id": "c1"}}}}"#
        );
        let events = events(Zendesk, webhook.as_bytes());
        let message = one(&events, "message");
        assert_eq!(message.conversation.as_ref().unwrap().key.as_str(), "zendesk:acme/ticket/951");
        (message.direction, message.actor.kind, persons(message))
    };
    let jan = vec!["helpdesk:zendesk:acme:71".to_owned()];
    assert_eq!(webhook("end_user", "71"), (Direction::In, ActorType::Customer, jan));
    let bot = webhook("system", "zd:answerBot");
    assert_eq!(bot, (Direction::Out, ActorType::Automation, Vec::new()));
}

#[test]
fn a_call_without_its_ticket_is_the_authors() {
    let call = r#"{"ticket_id": 902, "comments": [{"id": 3001, "type": "VoiceComment", "author_id": 71, "body": "Inbound call",
        "public": true, "data": {"from": "+31612345678", "to": "+31208080808", "started_at": "2026-03-02T09:00:00Z",
        "call_duration": 0, "answered_by_id": null}, "via": {"channel": "voice", "source": {"rel": "inbound"}},
        "created_at": "2026-03-02T09:00:30Z"}],
        "users": [{"id": 71, "role": "end-user", "updated_at": "2026-01-01T00:00:00Z"}]}"#;
    let events = events(Zendesk, call.as_bytes());
    let call = one(&events, "call");
    assert_eq!(persons(call), ["phone:+31612345678", "helpdesk:zendesk:acme:71"]);
    assert_eq!(data(call)["outcome"], "missed");
}
