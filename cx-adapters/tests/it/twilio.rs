//! Twilio: every trap of the samples.

use cx_adapters::Format::Twilio;
use cx_core::actor::ActorType;
use cx_core::event::{Direction, Event, Visibility};

use crate::payloads::{both, data, events, golden, of, one, own, persons};

#[test]
fn every_payload_becomes_these_events() {
    insta::assert_snapshot!(golden(Twilio, "twilio"));
}

#[test]
fn callbacks_that_overtake_each_other_are_revisions_of_one_call() {
    for payload in
        both("twilio/voice_status_callbacks.json", "twilio/authored_voice_status_callbacks.json")
    {
        let events = events(Twilio, &payload);
        let first = &events[0];
        let told: Vec<_> = events.iter().filter(|event| event.key == first.key).collect();
        assert_eq!(told.len(), 4);
        let last = told
            .iter()
            .max_by_key(|event| event.rev.as_ref().unwrap().parse::<u32>().unwrap())
            .unwrap();
        assert_eq!(data(last)["outcome"], "answered");
        let repeated: Vec<_> = told.iter().filter(|event| event.rev == last.rev).collect();
        assert_eq!(repeated.len(), 2);
        assert_eq!(repeated[0].content_hash(), repeated[1].content_hash(), "a duplicate");
    }
}

#[test]
fn a_withheld_number_is_nobodys() {
    for payload in
        both("twilio/voice_status_callbacks.json", "twilio/authored_voice_status_callbacks.json")
    {
        let events = events(Twilio, &payload);
        let missed = events.iter().find(|event| data(event)["outcome"] == "missed").unwrap();
        assert_eq!(missed.who, []);
    }
    let events = events(Twilio, &own("twilio/voice_status_callbacks.json"));
    assert!(
        events
            .iter()
            .filter(|event| data(event)["outcome"] == "busy")
            .all(|event| event.who.is_empty())
    );
}

#[test]
fn a_call_has_its_duration_as_text_and_its_times_as_mails_write_them() {
    for payload in both("twilio/call_inbound_completed.json", "twilio/call_inbound_completed.json")
    {
        let events = events(Twilio, &payload);
        let call = one(&events, "call");
        assert!(data(call)["duration_s"].as_u64().unwrap() > 0);
        assert_eq!(data(call)["started_at"], call.occurred_at.to_string());
        assert_eq!((call.direction, call.actor.kind), (Direction::In, ActorType::Customer));
        assert!(persons(call)[0].starts_with("phone:+"));
    }
}

#[test]
fn the_call_itself_comes_after_its_callbacks() {
    let call = events(Twilio, &own("twilio/call_inbound_completed.json"));
    // Instants are later revisions than numbers: see the store's order of revisions.
    assert!(call[0].rev.as_ref().unwrap().parse::<cx_core::time::Timestamp>().is_ok());
}

#[test]
fn messages_carry_media_receipts_and_errors() {
    for payload in both("twilio/messages_page.json", "twilio/messages_page.json") {
        let events = events(Twilio, &payload);
        let with_media =
            of(&events, "message").into_iter().find(|it| !it.attachments.is_empty()).unwrap();
        assert_eq!(with_media.direction, Direction::In);
        assert!(with_media.attachments.len() >= 2);
        let failed = one(&events, "message.failed");
        assert!(data(failed)["code"].as_str().unwrap().starts_with("3000"));
        let out =
            of(&events, "message").into_iter().find(|it| it.direction == Direction::Out).unwrap();
        assert_eq!(out.actor.kind, ActorType::Integration, "no person's answer");
    }
}

#[test]
fn a_whatsapp_address_names_the_number_too() {
    let events = events(Twilio, &own("twilio/messages_page.json"));
    let message =
        of(&events, "message").into_iter().find(|it| it.channel.name() == "whatsapp").unwrap();
    assert_eq!(persons(message), ["wa_id:31687654321", "phone:+31687654321"]);
}

#[test]
fn both_ways_of_a_talk_by_message_are_one_conversation() {
    let page = r#"{"messages": [
        {"sid": "SM1", "direction": "inbound", "from": "+31687654321", "to": "+31208080808", "body": "a", "date_sent": "Tue, 03 Feb 2026 08:00:00 +0000", "status": "received"},
        {"sid": "SM2", "direction": "outbound-reply", "from": "+31208080808", "to": "+31687654321", "body": "b", "date_sent": "Tue, 03 Feb 2026 08:01:00 +0000", "status": "queued"}]}"#;
    let events = events(Twilio, page.as_bytes());
    assert_eq!(events[0].conversation, events[1].conversation);
    assert_eq!(events[1].actor.kind, ActorType::Automation);
}

#[test]
fn the_leg_of_a_call_is_no_second_contact() {
    let leg = r#"{"sid": "CA2", "parent_call_sid": "CA1", "direction": "outbound-dial", "from": "+31687654321", "to": "client:agent", "start_time": "Mon, 02 Feb 2026 14:00:01 +0000", "status": "completed"}"#;
    let events = events(Twilio, leg.as_bytes());
    let leg = one(&events, "custom.twilio.call_leg");
    assert_eq!(leg.conversation.as_ref().unwrap().key.as_str(), "twilio:acme/call/CA1");
    assert!(!leg.is_from_customer() && leg.who.is_empty());
}

#[test]
fn a_recording_is_no_second_call() {
    let callback = b"CallSid=CA1&RecordingSid=RE1&RecordingUrl=https%3A%2F%2Frec.example%2FRE1&RecordingStatus=completed";
    let events = events(Twilio, callback);
    assert_eq!(
        one(&events, "custom.twilio.call_aside").conversation.as_ref().unwrap().key.as_str(),
        "twilio:acme/call/CA1"
    );
}

#[test]
fn requests_for_what_to_do_next_are_one_call_and_conflict_with_nothing() {
    let first = b"CallSid=CA1&From=%2B31612345678&To=%2B31208080808&CallStatus=ringing&Direction=inbound&FromCity=Utrecht";
    let later = b"CallSid=CA1&From=%2B31612345678&To=%2B31208080808&CallStatus=in-progress&Direction=inbound&DialCallStatus=completed&DialCallDuration=40";
    let (first, later) = (events(Twilio, first), events(Twilio, later));
    assert_eq!((first.len(), later.len()), (1, 2));
    assert_eq!((&first[0].key, &first[0].rev), (&later[0].key, &later[0].rev));
    assert_eq!(first[0].content_hash(), later[0].content_hash());
    assert_eq!(data(&later[0]).get("answered_at"), None, "the time of import says nothing");
    let aside = one(&later, "custom.twilio.call_aside");
    assert_eq!(data(aside)["DialCallDuration"], "40");
    // An old callback without a number and an instant does tell how the call ended.
    let ended = b"CallSid=CA1&From=%2B31612345678&To=%2B31208080808&CallStatus=completed&Direction=inbound&CallDuration=40";
    let ended = events(Twilio, ended);
    assert_eq!(
        (data(&ended[0])["outcome"].clone(), ended[0].rev.as_deref()),
        ("answered".into(), Some("3"))
    );
    assert_eq!(data(&ended[0]).get("ended_at"), None);
}

#[test]
fn a_call_goes_the_way_it_went() {
    let call = |direction: &str, from: &str, to: &str| {
        let call = format!(
            r#"{{"sid": "CA9", "from": "{from}", "to": "{to}", "direction": "{direction}", "status": "completed", "start_time": "Mon, 02 Mar 2026 09:00:00 +0000"}}"#
        );
        let event = events(Twilio, call.as_bytes()).remove(0);
        (event.direction, event.who.first().map(|claim| claim.identifier().to_string()))
    };
    let theirs = Some("phone:+31612345678".to_owned());
    let (us, them) = ("+31208080808", "+31612345678");
    assert_eq!(call("trunking-terminating", us, them), (Direction::Out, theirs.clone()));
    assert_eq!(call("trunking-originating", them, us), (Direction::In, theirs.clone()));
    assert_eq!(call("inbound", them, us), (Direction::In, theirs.clone()));
    let eva = "sip:eva@acme.sip.twilio.com";
    let dialled = "sip:+31612345678@acme.sip.twilio.com:5060;transport=tls";
    assert_eq!(call("inbound", eva, dialled), (Direction::Out, theirs));
    let (way, who) = call("inbound", "sip:jan@example.nl", "sip:help@acme.sip.twilio.com");
    assert_eq!((way, who.as_deref()), (Direction::In, Some("sip:sip:jan@example.nl")));
}

#[test]
fn a_message_that_was_not_sent_was_seen_by_nobody() {
    let message = |status: &str| {
        let message = format!(
            r#"{{"sid": "SM1", "from": "+3197010200000", "to": "+31612345678", "body": "Tomorrow", "direction": "outbound-api", "status": "{status}",
                "date_created": "Mon, 02 Mar 2026 09:00:00 +0000", "date_updated": "Mon, 02 Mar 2026 10:00:00 +0000"}}"#
        );
        events(Twilio, message.as_bytes())
    };
    let canceled = message("canceled");
    assert_eq!(canceled[0].visibility, Visibility::Internal);
    assert_eq!(data(one(&canceled, "message.failed"))["reason"], "canceled");
    assert_eq!(message("scheduled")[0].visibility, Visibility::Internal);
    assert_eq!(message("sent")[0].visibility, Visibility::Public);
    let told = |form: &str| -> Vec<String> {
        cx_adapters::twilio::events(form.as_bytes(), &crate::payloads::options())
            .map(|record| {
                record
                    .map_or_else(|error| error.to_string(), |event| event.kind.name().into_owned())
            })
            .collect()
    };
    assert_eq!(
        told("MessageSid=SM1&MessageStatus=partially_delivered&To=%2B31612345678"),
        ["message.delivered"]
    );
    assert_eq!(told("MessageSid=SM1&MessageStatus=queued&To=%2B31612345678"), [""; 0]);
    assert_eq!(
        told("MessageSid=SM1&MessageStatus=lost&To=%2B31612345678"),
        ["1: /MessageStatus: \"lost\": not a status of a message"]
    );
}

#[test]
fn who_sends_stop_wants_no_more_of_it() {
    let said = |word: &str| {
        let form = format!(
            "MessageSid=SM26&SmsStatus=received&Body={word}&From=%2B31612345678&To=12345&OptOutType={word}"
        );
        events(Twilio, form.as_bytes())
    };
    let stop = said("STOP");
    let consent = one(&stop, "consent.changed");
    assert_eq!(
        (data(consent)["on"].clone(), data(consent)["state"].clone()),
        ("sms".into(), "denied".into())
    );
    assert_eq!(consent.who, one(&stop, "message").who);
    assert_eq!(data(one(&said("START"), "consent.changed"))["state"], "granted");
    assert_eq!(said("HELP").len(), 1);
}

#[test]
fn the_end_of_a_recorded_call_is_its_end_and_what_is_told_beside_it_is_not() {
    let end = b"CallSid=CA1&From=%2B31612345678&To=%2B31208080808&Direction=inbound&CallStatus=completed&CallDuration=61&SequenceNumber=0\
        &Timestamp=Wed%2C+04+Mar+2026+09%3A03%3A07+%2B0000&RecordingUrl=https%3A%2F%2Frec.example%2FRE1&RecordingSid=RE1&RecordingDuration=60";
    let told = events(Twilio, end);
    let call = one(&told, "call");
    assert_eq!(
        (data(call)["outcome"].clone(), data(call)["duration_s"].clone()),
        ("answered".into(), 61.into())
    );
    assert_eq!(call.occurred_at.to_string(), "2026-03-04T09:02:06Z");
    assert_eq!(
        call.rev.as_deref(),
        Some("3"),
        "the end, though it is the first that was asked for"
    );
    // Numbers of a conference are counted apart, and it does not say who is in it.
    let conference = b"CallSid=CA1&ConferenceSid=CF1&StatusCallbackEvent=participant-leave&SequenceNumber=6&Timestamp=Wed%2C+04+Mar+2026+09%3A03%3A07+%2B0000";
    let stream =
        b"CallSid=CA1&StreamSid=MZ1&StreamEvent=stream-stopped&Timestamp=2026-03-04T09%3A03%3A07Z";
    for aside in [&conference[..], stream] {
        let told = events(Twilio, aside);
        assert!(told.len() == 1 && told[0].kind.name() == "custom.twilio.call_aside", "{told:?}");
    }
    // What was said to a menu is the caller's.
    let turn = b"CallSid=CA1&From=%2B31612345678&To=%2B31208080808&Direction=inbound&CallStatus=in-progress&SpeechResult=Jan";
    let told = events(Twilio, turn);
    assert_eq!(persons(one(&told, "custom.twilio.call_aside")), ["phone:+31612345678"]);
    assert_eq!(data(one(&told, "call")).get("outcome"), None);
}

#[test]
fn a_call_that_still_goes_on_at_the_api_hides_no_end() {
    let call = |status: &str| {
        let call = format!(
            r#"{{"sid": "CA1", "from": "+31612345678", "to": "+31208080808", "direction": "inbound", "status": "{status}",
                "start_time": "Wed, 04 Mar 2026 09:02:06 +0000", "date_updated": "Wed, 04 Mar 2026 09:02:06 +0000"}}"#
        );
        events(Twilio, call.as_bytes()).remove(0).rev.unwrap()
    };
    assert_eq!((call("ringing").as_str(), call("in-progress").as_str()), ("01", "02"));
    assert!(call("completed").parse::<cx_core::time::Timestamp>().is_ok());
}

#[test]
fn a_machine_is_nobody() {
    let call = |answered_by: &str| {
        let call = format!(
            r#"{{"sid": "CA1", "from": "+31208080808", "to": "+31612345678", "direction": "outbound-api", "status": "completed", "answered_by": "{answered_by}",
                "start_time": "Wed, 04 Mar 2026 09:02:06 +0000"}}"#
        );
        let form = format!(
            "CallSid=CA1&From=%2B31208080808&To=%2B31612345678&Direction=outbound-api&CallStatus=completed&AnsweredBy={answered_by}&CallDuration=9&Timestamp=Wed%2C+04+Mar+2026+09%3A03%3A07+%2B0000"
        );
        let form = events(Twilio, form.as_bytes()).remove(0);
        let call = events(Twilio, call.as_bytes()).remove(0);
        assert_eq!(data(&call)["outcome"], data(&form)["outcome"]);
        assert_eq!(data(&form).get("answered_at").is_some(), answered_by == "human");
        data(&call)["outcome"].clone()
    };
    assert_eq!(call("human"), "answered");
    assert_eq!(call("machine_end_beep"), "voicemail");
    assert_eq!(call("fax"), "missed");
}

#[test]
fn who_calls_us_from_our_website_is_no_softphone_of_ours() {
    let call = |to: &str| {
        let form = format!(
            "CallSid=CA1&From=client%3Ajan_visitor&To={to}&Direction=inbound&CallStatus=ringing&Timestamp=Wed%2C+04+Mar+2026+09%3A03%3A07+%2B0000"
        );
        let call = events(Twilio, form.as_bytes()).remove(0);
        (call.direction, persons(&call))
    };
    let visitor = vec!["user_id:twilio:acme:jan_visitor".to_owned()];
    assert_eq!(call("%2B31208080808"), (Direction::In, visitor.clone()));
    assert_eq!(call(""), (Direction::In, visitor));
    assert_eq!(call("%2B31612345678"), (Direction::Out, vec!["phone:+31612345678".to_owned()]));
}

#[test]
fn the_number_of_ours_and_one_that_names_nobody_are_kept() {
    let call = b"CallSid=CA1&From=anonymous&To=%2B31208080808&Direction=inbound&CallStatus=ringing&Timestamp=Wed%2C+04+Mar+2026+09%3A03%3A07+%2B0000";
    let call = events(Twilio, call).remove(0);
    assert_eq!(
        (&call.extra["From"], &call.extra["To"]),
        (&"anonymous".into(), &"+31208080808".into())
    );
    let message = b"MessageSid=SM1&SmsStatus=received&Body=Hi&From=whatsapp%3ANL.1234567890&To=whatsapp%3A%2B31208080808";
    let message = events(Twilio, message).remove(0);
    assert_eq!(persons(&message), ["wa_bsuid:twilio:acme:NL.1234567890"]);
    assert!(message.conversation.is_some());
    assert_eq!(message.extra["To"], "whatsapp:+31208080808");
    assert_eq!(message.extra.get("From"), None, "a claim came of it");
}

#[test]
fn the_name_of_a_sender_outlives_the_copy_from_the_api() {
    let said = |sid: &str| {
        let form = format!(
            "MessageSid={sid}&SmsStatus=received&Body=Hi&From=whatsapp%3A%2B31612345678&To=whatsapp%3A%2B31208080808&ProfileName=Jan+de+Vries"
        );
        events(Twilio, form.as_bytes())
    };
    let (one_message, another) = (said("SM1"), said("SM2"));
    let profile = one(&one_message, "profile.updated");
    assert_eq!(profile.name.as_deref(), Some("Jan de Vries"));
    assert_eq!(profile.who, one(&one_message, "message").who);
    assert_eq!(profile.key, one(&another, "profile.updated").key, "told with every message");
}

#[test]
fn what_became_of_our_message_is_no_message_of_theirs() {
    let form =
        b"MessageSid=SM1&MessageStatus=sent&From=%2B31208080808&To=%2B31612345678&Body=our+text";
    let told = events(Twilio, form);
    assert_eq!(told.len(), 1);
    let receipt = one(&told, "message.sent");
    assert_eq!(persons(receipt), ["phone:+31612345678"]);
    assert_eq!(receipt.extra["Body"], "our text");
}

#[test]
fn a_call_that_an_agent_dials_in_the_browser_goes_to_the_customer() {
    let parent = |from: &str, to: &str| {
        format!(
            r#"{{"sid": "CA1", "parent_call_sid": null, "from": "{from}", "to": "{to}", "direction": "inbound",
            "status": "completed", "start_time": "Wed, 04 Mar 2026 09:00:00 +0000", "duration": "300"}}"#
        )
    };
    let child = |from: &str, to: &str| {
        format!(
            r#"{{"sid": "CA2", "parent_call_sid": "CA1", "from": "{from}", "to": "{to}", "direction": "outbound-dial",
            "status": "completed", "start_time": "Wed, 04 Mar 2026 09:00:03 +0000", "duration": "297"}}"#
        )
    };
    let dialled = child("+31208080808", "+31612345678");
    for page in [
        format!(r#"{{"calls": [{}, {dialled}]}}"#, parent("client:agent_eva", "")),
        format!(r#"{{"calls": [{dialled}, {}]}}"#, parent("client:agent_eva", "APabc")),
        format!("{dialled}\n{}", parent("sip:eva@acme.sip.example", "")),
    ] {
        let events = events(Twilio, page.as_bytes());
        let call = one(&events, "call");
        assert_eq!((call.direction, call.actor.kind), (Direction::Out, ActorType::Agent));
        assert_eq!(call.key.as_str(), "twilio:acme/call/CA2");
        assert_eq!(persons(call), ["phone:+31612345678"]);
        let leg = one(&events, "custom.twilio.call_leg");
        assert!(leg.who.is_empty());
        assert_eq!(leg.conversation, call.conversation);
    }
    let forms = b"CallSid=CA1&From=client%3Aagent_eva&To=&CallStatus=ringing&Direction=inbound\nCallSid=CA2&ParentCallSid=CA1&From=%2B31208080808&To=%2B31612345678&CallStatus=completed&Direction=outbound-dial&SequenceNumber=3&CallDuration=61&Timestamp=Wed%2C+04+Mar+2026+09%3A03%3A07+%2B0000";
    let told = events(Twilio, forms);
    assert_eq!(persons(one(&told, "call")), ["phone:+31612345678"]);
    // A customer's call that is passed on to a colleague, and a visitor's from the website.
    for (from, to) in [("+31612345678", "+31208080808"), ("client:visitor", "+31208080808")] {
        let page = format!("[{}, {}]", parent(from, to), child("+31208080808", "+31687654321"));
        let events = events(Twilio, page.as_bytes());
        assert_eq!(one(&events, "call").direction, Direction::In);
        assert_eq!(one(&events, "custom.twilio.call_leg").who, []);
    }
}

#[test]
fn who_leaves_the_list_by_a_word_and_whom_twilio_refuses_said_no() {
    let message = |sid: &str, direction: &str, text: &str, more: &str| {
        let (from, to) = match direction {
            "inbound" => (r#""+31612345678""#, "+31208080808"),
            _ => ("null", "+31612345678"),
        };
        let message = format!(
            r#"{{"sid": "{sid}", "body": "{text}", "direction": "{direction}", "from": {from}, "to": "{to}",
            "date_sent": "Wed, 04 Mar 2026 09:00:00 +0000", {more}}}"#
        );
        events(Twilio, message.as_bytes())
    };
    let answer = |events: &[Event]| {
        let found = of(events, "consent.changed");
        found.first().map(|consent| {
            assert_eq!(persons(consent), ["phone:+31612345678"]);
            data(consent)["state"].clone()
        })
    };
    let received = r#""status": "received""#;
    for (text, state) in [
        ("STOP", Some("denied")),
        (" stopall ", Some("denied")),
        ("Start", Some("granted")),
        ("YES", None),
        ("Please stop", None),
        ("STOP that noise", None),
    ] {
        let events = message("SM1", "inbound", text, received);
        assert_eq!(answer(&events), state.map(Into::into), "{text}");
    }
    let refused = r#""status": "failed", "error_code": 21610, "error_message": "Attempt to send to unsubscribed recipient""#;
    let events = message("SM2", "outbound-api", "STOP", refused);
    assert_eq!(answer(&events), Some("denied".into()));
    assert_eq!(data(one(&events, "message.failed"))["code"], "21610");
    let callback = b"MessageSid=SM3&MessageStatus=failed&ErrorCode=21610&To=%2B31612345678&From=%2B31208080808";
    assert_eq!(answer(&crate::payloads::events(Twilio, callback)), Some("denied".into()));
    let callback = b"MessageSid=SM4&Body=stop&To=%2B31208080808&From=%2B31612345678";
    assert_eq!(answer(&crate::payloads::events(Twilio, callback)), Some("denied".into()));
    // What is sent says nothing of what the customer wants.
    assert_eq!(answer(&message("SM5", "outbound-api", "STOP", r#""status": "sent""#)), None);
}

#[test]
fn what_arrived_has_arrived_and_the_code_nought_is_no_error() {
    for (status, code, kind) in [
        ("delivered", "0", "message.delivered"),
        ("delivered", "30008", "message.delivered"),
        ("read", "63018", "message.read"),
        ("sent", "0", "message.sent"),
        ("undelivered", "0", "message.failed"),
        ("failed", "30003", "message.failed"),
    ] {
        let message = format!(
            r#"{{"sid": "SM3", "body": "x", "direction": "outbound-api", "from": "ACME", "to": "+31612345678",
            "status": "{status}", "date_sent": "Wed, 04 Mar 2026 10:00:01 +0000", "error_code": {code}}}"#
        );
        let events = events(Twilio, message.as_bytes());
        assert_eq!(events[1].kind.name(), kind, "{status} {code}");
    }
}
