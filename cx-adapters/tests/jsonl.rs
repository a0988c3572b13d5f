//! cx's own format, line by line.

use cx_adapters::{LINE_LIMIT, Options, jsonl};
use cx_core::event::{Event, Kind, Source};
use cx_core::ids::EventKey;
use cx_core::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Map, Value};

fn shown(bytes: &[u8]) -> Vec<Value> {
    jsonl::events(bytes, &Options::default())
        .map(|record| match record {
            Ok(event) => Value::Object(event.to_json()),
            Err(error) => Value::String(error.to_string()),
        })
        .collect()
}

fn errors(bytes: &[u8]) -> Vec<String> {
    jsonl::events(bytes, &Options::default())
        .filter_map(Result::err)
        .map(|error| error.to_string())
        .collect()
}

#[test]
fn the_lines_we_ship_give_these_events() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/payloads/jsonl/events.jsonl");
    insta::assert_snapshot!(
        "events.jsonl",
        serde_json::to_string_pretty(&shown(&std::fs::read(path).unwrap())).unwrap()
    );
}

#[test]
fn the_event_in_the_documentation_is_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/import.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, block) = page.split_once("```json\n").unwrap();
    let line = block.split("```").next().unwrap().replace('\n', " ");
    let read = shown(line.as_bytes());
    assert_eq!(read.len(), 1);
    let mut written: Value = serde_json::from_str(&line).unwrap();
    // Instants are written in UTC, with the offset beside; what is the rule is not written.
    written["occurred_at"] = "2026-03-04T09:02:00Z".into();
    written["utc_offset"] = "+01:00".into();
    written["who"][1]["assurance"] = "channel_proved".into();
    assert_eq!(read[0], written);
}

#[test]
fn an_error_names_the_line_the_field_and_the_value() {
    let start = r#""key":"k","source":{"system":"crm"},"kind":"call""#;
    let lines = format!(
        "{{{start},\"occurred_at\":\"soon\"}}\n\n{{{start},\"occurred_at\":\"2026-03-04T10:02:00Z\",\"who\":[{{\"ns\":\"email\",\"value\":\"null\"}}]}}\n{{{start}}}\n{{\n7\n"
    );
    assert_eq!(
        errors(lines.as_bytes()),
        [
            "1: /occurred_at: \"soon\": \"soon\" is not a date and time like 2026-03-02T09:00:00+01:00",
            "3: /who/0: {\"ns\":\"email\",\"value\":\"null\"}: a placeholder or a withheld value",
            "4: /occurred_at: missing",
            "5: {: not JSON: EOF while parsing an object at column 1",
            "6: 7: not a JSON object",
        ]
    );
}

#[test]
fn a_kind_and_a_namespace_have_names_that_can_be_asked_for() {
    let line = |kind: &str, ns: &str| {
        format!(
            r#"{{"key":"k","source":{{"system":"crm"}},"kind":"{kind}","occurred_at":"2026-03-04T10:02:00Z","who":[{{"ns":"{ns}","value":"z"}}]}}"#
        )
    };
    assert_eq!(errors(line("", "crm").as_bytes()), ["1: /kind: missing"]);
    for ns in ["", "a b", "a:b"] {
        let told = format!(
            "1: /who/0/ns: {ns:?}: no name of a namespace: a word, without spaces and colons"
        );
        assert_eq!(errors(line("call", ns).as_bytes()), [told]);
    }
    assert_eq!(errors(line("call", "nonsense").as_bytes()), [""; 0]);
    for ns in ["Email", "EMAIL"] {
        let told = format!("1: /who/0/ns: {ns:?}: written \"email\"");
        assert_eq!(errors(line("call", ns).as_bytes()), [told]);
    }
}

#[test]
fn a_name_of_ours_in_other_letters_and_a_region_that_is_none_are_errors() {
    let line = |kind: &str, channel: &str, claim: &str| {
        let line = format!(
            r#"{{"key":"k","source":{{"system":"crm"}},"kind":"{kind}","channel":"{channel}","occurred_at":"2026-03-04T10:02:00Z","who":[{{{claim}}}]}}"#
        );
        errors(line.as_bytes())
    };
    let email = r#""ns":"email","value":"jan@example.nl""#;
    assert_eq!(line("Message", "email", email), ["1: /kind: \"Message\": written \"message\""]);
    assert_eq!(line("message", "Email", email), ["1: /channel: \"Email\": written \"email\""]);
    let large = r#""ns":"Email","value":"jan@example.nl""#;
    assert_eq!(line("message", "email", large), ["1: /who/0/ns: \"Email\": written \"email\""]);
    let phone = |region: &str| format!(r#""ns":"phone","value":"07911123456","region":"{region}""#);
    assert_eq!(
        line("message", "email", &phone("UK")),
        ["1: /who/0/region: \"UK\": no region; one is NL"]
    );
    assert_eq!(line("message", "email", &phone("GB")), [""; 0]);
    assert_eq!(line("Own.Kind", "Own", email), [""; 0]);
}

#[test]
fn what_is_nested_too_deeply_is_reported() {
    let line = |depth: usize| {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!(
            r#"{{"key":"k","source":{{"system":"crm"}},"kind":"call","occurred_at":"2026-03-04T10:02:00Z","extra":{{"x":{deep},"y":"[[[["}}}}"#
        )
    };
    assert_eq!(errors(line(60).as_bytes()), [""; 0]);
    assert_eq!(errors(line(64).as_bytes()), ["1: nested more than 64 levels deep"]);
}

#[test]
fn a_document_over_several_lines_is_told_how_it_should_stand() {
    let told = errors(b"[\n  {\n    \"key\": \"k\"\n  }\n]\n");
    assert!(told[0].contains("an event stands on one line: `jq -c .`"), "{told:?}");
    assert!(!told[1..].concat().contains("jq"), "{told:?}");
}

#[test]
fn bytes_that_are_no_text_are_reported_with_their_line() {
    assert_eq!(
        errors(b"\n{\"key\": \"\xff\"}"),
        ["2: {\"key\": \"\u{fffd}\"}: not UTF-8 at byte 10"]
    );
}

#[test]
fn a_line_above_the_limit_is_reported_and_the_next_is_read() {
    let mut lines = vec![b' '; LINE_LIMIT + 1];
    lines.extend(b"\n7\n");
    assert_eq!(
        errors(&lines),
        ["1: a line of 16777218 bytes; at most 16777216 are read", "2: 7: not a JSON object"]
    );
}

#[test]
fn of_a_field_that_stands_twice_the_last_counts() {
    let line = br#"{"key":"a","key":"b","source":{"system":"crm"},"kind":"call","occurred_at":"2026-03-04T10:02:00Z"}"#;
    assert_eq!(shown(line)[0]["key"], "b");
}

#[test]
fn json_nested_without_end_is_reported() {
    assert_eq!(errors("[".repeat(100_000).as_bytes()).len(), 1);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        texts in proptest::collection::vec(("\\PC{1,20}", "\\PC{0,20}", 0_i64..4_000_000_000_000_000), 0..6),
    ) {
        let events: Vec<Event> = texts
            .into_iter()
            .map(|(key, text, micros)| {
                let kind = Kind::from_json("message", Map::new()).unwrap();
                let at = Timestamp::from_micros(micros).unwrap();
                let mut event = Event::new(EventKey::new(key).unwrap(), Source::default(), kind, at);
                event.extra.insert("text".to_owned(), Value::String(text));
                event
            })
            .collect();
        let lines: Vec<String> =
            events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let read: Vec<Event> = jsonl::events(lines.join("\r\n").as_bytes(), &Options::default())
            .map(Result::unwrap)
            .collect();
        prop_assert_eq!(read, events);
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(shown(&bytes));
    }
}
