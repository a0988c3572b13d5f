//! Canonical JSON lines and CSV.

use cx_adapters::Format::{Csv, Jsonl};
use cx_adapters::{Columns, csv};
use proptest::prelude::*;

use crate::payloads::{events, options, problems, records};

#[test]
fn a_line_that_is_no_event_names_line_field_and_value() {
    let lines = concat!(
        "\u{feff}{\"key\":\"a\",\"source\":{\"system\":\"s\"},\"kind\":\"call\",\"occurred_at\":\"2026-01-01T00:00:00Z\"}\r\n",
        "\r\n",
        "{\"key\":\"b\",\"source\":{\"system\":\"s\"},\"kind\":\"call\",\"occurred_at\":\"2026-01-01\"}\n",
        "[1]\n",
        "{\"key\":\"c\",\"source\":{\"system\":\"s\"},\"kind\":\"call\",\"occurred_at\":\"2026-01-01T00:00:00Z\",\"direction\":\"up\"}",
    );
    let told: Vec<String> =
        problems(Jsonl, lines.as_bytes()).iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("3: /occurred_at: \"2026-01-01\": "), "{told:?}");
    assert!(told[1].starts_with("4: not a JSON object: "), "{told:?}");
    assert!(told[2].starts_with("5: /direction: \"up\": "), "{told:?}");
    assert_eq!(records(Jsonl, lines.as_bytes()).len(), 4);
}

#[test]
fn invalid_utf8_is_a_problem_of_its_line() {
    let told = problems(Jsonl, b"{\"key\": \"\xff\"}\n");
    assert_eq!(told[0].line, Some(1));
}

fn rows(table: &str, columns: &str) -> Vec<cx_adapters::Record> {
    let mut options = options();
    options.columns = columns.parse().unwrap();
    csv::events(table.as_bytes(), &options).collect()
}

#[test]
fn columns_may_have_other_names_and_unknown_ones_are_kept() {
    let table = "Nr,Datum,Kanaal,Mail,Telefoon,Bericht,Filiaal\n\
        7,2026-03-02 09:12:31,email,jan@example.nl,06 1234 5678,\"Hallo, waar is het?\",Utrecht\n";
    let map = "id=Nr, occurred_at=Datum, channel=Kanaal, email=Mail, phone=Telefoon, text=Bericht, zone=Europe/Amsterdam";
    let event = rows(table, map).remove(0).unwrap();
    assert_eq!(event.key.as_str(), "csv:acme/row/7");
    assert_eq!(event.occurred_at.to_string(), "2026-03-02T08:12:31Z");
    assert_eq!(event.utc_offset.unwrap().to_string(), "+01:00");
    let who: Vec<String> = event.who.iter().map(|claim| claim.identifier().to_string()).collect();
    assert_eq!(who, ["email:jan@example.nl", "phone:+31612345678"]);
    assert_eq!(event.extra["Filiaal"], "Utrecht");
    assert_eq!(event.body.unwrap().text, "Hallo, waar is het?");
}

#[test]
fn a_kinds_data_is_read_as_the_kind_wants_it() {
    let table = "id\tkind\toccurred_at\tuser_id\tdata.score\tdata.survey\tdata.order_id\tdata.scale\n\
        1\tfeedback.answered\t2026-03-02T09:00:00Z\tu1\t9\tnps\t\t\"{\"\"min\"\":0,\"\"max\"\":10}\"\n\
        2\torder.placed\t2026-03-02T09:00:00Z\tu1\t\t\t450\t\n";
    let read = rows(table, "");
    let answered = read[0].clone().unwrap().kind.to_json();
    assert_eq!(
        (answered["score"].as_i64(), answered["scale"]["max"].as_i64()),
        (Some(9), Some(10))
    );
    assert_eq!(read[1].clone().unwrap().kind.to_json()["order_id"], "450");
}

#[test]
fn a_row_without_a_key_is_the_same_row_when_it_comes_again() {
    let table = "occurred_at,email,text\n2026-03-02T09:00:00Z,a@example.nl,x\n2026-03-02T09:00:00Z,a@example.nl,x\n2026-03-02T09:00:00Z,a@example.nl,y\n";
    let keys: Vec<_> = rows(table, "").into_iter().map(|row| row.unwrap().key).collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
}

#[test]
fn a_bad_row_names_line_column_and_value_and_the_others_come() {
    let table = "id;when;mail;text\n1;soon;a@example.nl;x\n2;2026-03-02T09:00:00Z;a@example.nl\n3;2026-03-02T09:00:00Z;n/a;y\n4;;a@example.nl;x\n";
    let read = rows(table, "occurred_at=when, email=mail");
    let told: Vec<String> = read
        .iter()
        .map(|row| match row {
            Ok(event) => format!("{} {}", event.key, event.who.len()),
            Err(error) => error.to_string(),
        })
        .collect();
    assert!(told[0].starts_with("2: when: soon: "), "{told:?}");
    assert_eq!(told[1], "3: 3 fields where the header has 4");
    assert_eq!(told[2], "csv:acme/row/3 0", "a placeholder is nobody");
    assert!(told[3].starts_with("5: when: missing"), "{told:?}");
}

#[test]
fn a_column_that_is_not_there_is_told_once() {
    let told = rows("id,text\n1,x\n", "occurred_at=Date");
    assert_eq!(told.len(), 2);
    assert!(
        told[0]
            .clone()
            .unwrap_err()
            .to_string()
            .contains("no column \"Date\" for occurred_at; there are id, text")
    );
}

#[test]
fn a_map_of_columns_says_what_is_wrong_with_it() {
    let wrong = |text: &str| text.parse::<Columns>().unwrap_err().to_string();
    assert!(
        wrong("mail=Address").contains("\"mail\" is no column of cx (did you mean \"email\"?)")
    );
    assert!(wrong("zone=Mars/Olympus").contains("no time zone"));
    assert!(wrong("email").contains("not name=column"));
}

#[test]
fn times_without_an_offset_need_a_zone() {
    let read = rows("id,occurred_at,text\n1,2026-03-02 09:00,x\n", "");
    assert!(
        read[0].clone().unwrap_err().to_string().starts_with("2: occurred_at: 2026-03-02 09:00: ")
    );
    assert_eq!(events(Csv, b""), []);
}

proptest! {
    #[test]
    fn whatever_is_written_as_json_lines_reads_back(texts in proptest::collection::vec("\\PC{0,30}", 1..5)) {
        let mut lines = String::new();
        for (number, text) in texts.iter().enumerate() {
            let event = serde_json::json!({
                "key": format!("k{number}"), "source": {"system": "s"}, "kind": "message", "channel": "chat",
                "occurred_at": "2026-01-01T00:00:00Z", "body": {"text": text}, "extra": {"x": text},
            });
            lines.push_str(&format!("{event}\n"));
        }
        let read = events(Jsonl, lines.as_bytes());
        let again: String = read.iter().map(|event| format!("{}\n", serde_json::to_string(event).unwrap())).collect();
        prop_assert_eq!(events(Jsonl, again.as_bytes()), read);
    }
}
