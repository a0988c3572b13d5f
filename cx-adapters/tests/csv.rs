//! Tables.

#![expect(clippy::unwrap_used, reason = "a test that panics fails, as it should")]

use cx_adapters::csv::{self, ColumnMap};
use cx_adapters::{Options, RecordError};
use cx_core::event::{Direction, Event, Kind, Visibility};
use proptest::prelude::*;
use serde_json::Value;

fn options() -> Options {
    Options {
        region: Some("NL".to_owned()),
        own: vec!["acme.example".to_owned()],
        own_numbers: vec!["020 555 0199".to_owned()],
        ..Options::of("pbx")
    }
}

fn read(table: &[u8], map: &str) -> Vec<Result<Event, RecordError>> {
    csv::read(table, map.parse::<ColumnMap>().unwrap(), &options()).collect()
}

fn shown(table: &[u8], map: &str) -> Vec<Value> {
    let json = |record: Result<Event, RecordError>| match record {
        Ok(event) => Value::Object(event.to_json()),
        Err(error) => Value::String(error.to_string()),
    };
    read(table, map).into_iter().map(json).collect()
}

fn one(table: &str, map: &str) -> Event {
    let mut all = read(table.as_bytes(), map);
    assert_eq!(all.len(), 1);
    all.remove(0).unwrap()
}

fn error(table: &str, map: &str) -> String {
    read(table.as_bytes(), map).remove(0).unwrap_err().to_string()
}

fn ours(name: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/payloads/csv/");
    std::fs::read(format!("{path}{name}")).unwrap()
}

const NL: &str = "occurred_at=Datum, email=Klant, data.order_id=Nummer, zone:=Europe/Amsterdam, \
    time_format:=%d-%m-%Y %H:%M, kind:=order.placed, channel:=store, source_system:=till";

#[test]
fn what_has_no_place_in_the_event_is_kept() {
    let row = "key,kind,occurred_at,Subject,lang,reply_to,conversation,text\n\
        1,call,2026-03-02T09:00:00Z,About the parcel,nl,m:1,";
    let event = one(&format!("{row},"), "");
    let expected =
        serde_json::json!({"Subject": "About the parcel", "lang": "nl", "reply_to": "m:1"});
    assert_eq!(Value::Object(event.extra), expected);
    let event = one(&format!("{row}42,Hi"), "");
    assert!(event.extra.is_empty());
    let conversation = event.conversation.unwrap();
    assert_eq!(conversation.subject.as_deref(), Some("About the parcel"));
    assert_eq!(conversation.reply_to.as_deref(), Some("m:1"));
    assert_eq!(event.body.unwrap().lang.as_deref(), Some("nl"));
    let event = one(&format!("{},", row.replace("call", "message")), "");
    assert!(!event.extra.contains_key("Subject"));
    assert!(matches!(event.kind, Kind::Message(message) if message.subject.is_some()));
}

#[test]
fn the_tables_we_ship_give_these_events() {
    insta::assert_snapshot!(
        "calls.csv",
        serde_json::to_string_pretty(&shown(&ours("calls.csv"), "")).unwrap()
    );
    insta::assert_snapshot!(
        "orders_nl.csv",
        serde_json::to_string_pretty(&shown(&ours("orders_nl.csv"), NL)).unwrap()
    );
}

#[test]
fn the_table_and_the_map_in_the_documentation_are_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/import.md");
    let page = std::fs::read_to_string(path).unwrap();
    let block = |start: &str| {
        let (_, block) = page.split_once(start).unwrap();
        block.split("```").next().unwrap().to_owned()
    };
    let events = read(block("```csv\n").as_bytes(), "");
    assert!(events.len() == 2 && events.iter().all(Result::is_ok));
    assert_eq!(block("```text\n").parse::<ColumnMap>().unwrap(), NL.parse().unwrap());
    for name in csv::Column::NAMES {
        assert!(page.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

#[test]
fn an_error_names_the_line_the_column_and_the_value() {
    let errors: Vec<String> = read(&ours("calls.csv"), "")
        .into_iter()
        .filter_map(Result::err)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(
        errors,
        [
            "5: occurred_at: 2026-03-04T11:02:00: has no offset: add Z or one like +01:00, or say which zone it is in",
            "6: direction: sideways: unknown variant `sideways`, expected one of `in`, `out`, `none`",
            "9: data.duration_s: long: invalid type: string \"long\", expected u64",
            "10: 23 call phone in 2026-03-04T11:05:00Z surplus: 15 cells, and the header line has 14",
        ]
    );
}

#[test]
fn columns_of_other_names_need_a_map() {
    let all = read(&ours("orders_nl.csv"), NL);
    let first = all[0].as_ref().unwrap();
    let Kind::OrderPlaced(order) = &first.kind else { panic!("{first:?}") };
    assert_eq!(order.order_id, "450789469");
    assert_eq!(first.extra["Opmerking"], "cadeau");
    assert!(all[1].is_ok(), "a time that the clocks skip");
    assert!(all[2].is_err(), "the 31st of February");
}

#[test]
fn a_map_that_names_no_column_of_the_table_is_refused() {
    assert_eq!(
        error("a;b\n1;2\n", "kind:=call, occurred_at=Datum"),
        "1: Datum: no such column, for occurred_at"
    );
}

#[test]
fn a_header_in_which_nothing_is_known_or_that_has_a_name_twice_is_an_error() {
    let table = "17,call,+31612345678\n18,call,+31612345679\n";
    assert!(error(table, "").starts_with("1: 17 call +31612345678: no column that cx knows"));
    assert_eq!(read(table.as_bytes(), "").len(), 1);
    assert_eq!(
        error("kind,Email,email\ncall,a@example.nl,\n", ""),
        "1: email: two columns have this name"
    );
}

#[test]
fn what_is_missing_is_named_by_the_tables_own_word() {
    assert_eq!(error("Wanneer\n\"\",\n", "kind:=call, occurred_at=Wanneer"), "2: Wanneer: missing");
    assert_eq!(error("occurred_at\n2026-03-04T10:02:00Z\n", ""), "2: kind: missing");
}

#[test]
fn a_row_without_a_key_is_known_by_what_it_says() {
    let table = "kind,occurred_at,text\ncall,2026-03-04T10:02:00Z,a\n";
    let key = |table: &str| one(table, "").key.to_string();
    assert!(key(table).starts_with("csv:pbx/row/sha/"), "{}", key(table));
    assert_eq!(key(table), key(&table.replace(',', ";")));
    assert_ne!(key(table), key(&table.replace(",a", ",b")));
}

#[test]
fn keys_and_conversations_stay_within_their_source() {
    let table = "kind,occurred_at,key,conversation\ncall,2026-03-04T10:02:00Z,7,42\n";
    let event = one(table, "source_system:=pbx, source_object:=call");
    assert_eq!(event.key.as_str(), "pbx:pbx/call/7");
    assert_eq!(event.conversation.unwrap().key.as_str(), "pbx:pbx/conversation/42");
    let whole = one(&table.replace(",7,42", ",crm:a/call/7,zendesk:a/ticket/42"), "");
    assert_eq!(whole.key.as_str(), "crm:a/call/7");
    assert_eq!(whole.conversation.unwrap().key.as_str(), "zendesk:a/ticket/42");
    let numbered = one(&table.replace(",7,42", ",2026/17,12:30/a"), "");
    assert_eq!(numbered.key.as_str(), "csv:pbx/row/2026/17");
    assert_eq!(numbered.conversation.unwrap().key.as_str(), "csv:pbx/conversation/12:30/a");
    let within = one(&table.replace(",7,42", ",csv:pbx/row/7,csv:pbx/conversation/42"), "");
    assert_eq!(within.key.as_str(), "csv:pbx/row/7");
}

#[test]
fn a_table_may_have_several_columns_of_an_identifier() {
    let table = "kind,occurred_at,email,E-mail 2,Phone,Mobile\ncall,2026-03-04T10:02:00Z,a@example.nl,b@example.nl,+31612345678,+31 6 12345678\n";
    let event = one(table, "email=E-mail 2, phone=Phone, phone=Mobile");
    let who: Vec<&str> = event.who.iter().map(cx_core::identifier::Claim::raw).collect();
    assert_eq!(who, ["a@example.nl", "b@example.nl", "+31612345678", "+31 6 12345678"]);
}

#[test]
fn columns_without_a_name_are_kept() {
    let event = one("kind,occurred_at,,\ncall,2026-03-04T10:02:00Z,lost,found\n", "");
    assert_eq!(
        (&event.extra["column 3"], &event.extra["column 4"]),
        (&"lost".into(), &"found".into())
    );
}

#[test]
fn a_row_without_its_time_is_not_of_now() {
    let options = Options { received_at: "2026-03-05T00:00:00Z".parse().ok(), ..options() };
    let read = |table: &str| -> Vec<bool> {
        let map = ColumnMap::default();
        csv::read(std::io::Cursor::new(table.to_owned()), map, &options)
            .map(|it| it.is_ok())
            .collect()
    };
    assert_eq!(read("kind,occurred_at,text\nnote,2026-03-04T10:02:00Z,a\nnote\n"), [true, false]);
    assert_eq!(read("kind,text\nnote,a\n"), [true]);
}

#[test]
fn numbers_are_read_as_the_table_writes_them() {
    let table = "kind;occurred_at;data.order_id;data.total;data.currency\norder.placed;2026-03-04T10:02:00Z;17;1.234,50;EUR\n";
    let event = one(table, "decimal:=\",\"");
    let total = serde_json::to_value(&event).unwrap()["data"]["total"].to_string();
    assert_eq!(total.trim_matches('"'), "1234.50");
    let told = error(&table.replace("1.234,50", "1.234"), "");
    assert!(told.starts_with("2: data.total: 1.234: "), "{told}");
}

#[test]
fn identifiers_have_the_scope_of_the_source_unless_they_say_another() {
    let table = "kind,occurred_at,email,external_id,loyalty@acme,user_id,helpdesk\ncall,2026-03-04T10:02:00Z,J@example.nl,9,8,7,6\n";
    let event = one(table, "direction:=in, assurance:=self stated");
    let who: Vec<String> = event
        .who
        .iter()
        .map(|claim| format!("{} {}", claim.role.name(), claim.identifier()))
        .collect();
    assert_eq!(
        who,
        [
            "from email:j@example.nl",
            "from user_id:7",
            "from external_id:csv:pbx:9",
            "from helpdesk:csv:pbx:6",
            "from loyalty:acme:8",
        ]
    );
    assert!(event.who.iter().all(|claim| !claim.assurance.is_proved()));
}

#[test]
fn what_identifies_nobody_is_kept_and_claims_nothing() {
    let table =
        "kind;occurred_at;email;phone\ncall;2026-03-04T10:02:00Z;help@acme.example;+31205550199\n";
    let event = one(table, "");
    assert_eq!(event.who, []);
    assert_eq!(event.extra["email"], "help@acme.example");
    assert_eq!(event.extra["phone"], "+31205550199");
}

#[test]
fn a_note_is_internal_and_words_may_be_written_large() {
    let event = one("Kind,Occurred_At,Direction\nNote,2026-03-04T10:02:00Z,Inbound\n", "");
    assert_eq!((event.visibility, event.direction), (Visibility::Internal, Direction::In));
}

#[test]
fn talk_goes_the_way_of_whoever_says_it() {
    let table = "kind,occurred_at,actor\nmessage,2026-03-04T10:02:00Z,customer\nmessage,2026-03-04T10:03:00Z,agent\n";
    let ways: Vec<Direction> =
        read(table.as_bytes(), "").into_iter().map(|row| row.unwrap().direction).collect();
    assert_eq!(ways, [Direction::In, Direction::Out]);
}

#[test]
fn a_table_that_is_no_utf_8_says_so() {
    let table = b"kind,occurred_at,name\ncall,2026-03-04T10:02:00Z,Ren\xe9\n";
    let error = read(table, "").remove(0).unwrap_err().to_string();
    assert_eq!(error, "2: column 3: Ren\u{fffd}: not UTF-8: save the table as UTF-8");
}

#[test]
fn without_a_header_line_that_can_be_read_no_row_is_taken_for_one() {
    let rows = b"call,2026-03-04T10:02:00Z,Jan\ncall,2026-03-04T10:03:00Z,Ren\xe9\n";
    for (header, problem) in [
        (&b"kind,occurred_at,pr\xe9nom\n"[..], "not UTF-8"),
        (b"kind,occurred_at,\"name\n", "never closed"),
    ] {
        let table = [header, &rows[..]].concat();
        let told: Vec<String> =
            read(&table, "").into_iter().map(|record| record.unwrap_err().to_string()).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("1: ") && told[0].contains(problem), "{told:?}");
    }
}

#[test]
fn a_header_line_alone_and_an_empty_file_hold_nothing() {
    assert!(read(b"", "").is_empty() && read(b"kind,email\n", "").is_empty());
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(shown(&bytes, ""));
        let mut table = b"key,kind,occurred_at,phone,data.x\n".to_vec();
        table.extend(bytes);
        drop(shown(&table, "zone:=Europe/Amsterdam"));
    }

    #[test]
    fn every_row_gives_one_record(cells in proptest::collection::vec("[ -~]{0,12}", 1..12)) {
        let mut table = String::from("kind,occurred_at,text\n");
        for cell in &cells {
            let quoted = cell.replace('"', "\"\"");
            table.extend(["message,2026-03-04T10:02:00Z,\"", &quoted, "\"\n"]);
        }
        let texts: Vec<String> = read(table.as_bytes(), "")
            .into_iter()
            .map(|record| record.unwrap().body.map(|body| body.text).unwrap_or_default())
            .collect();
        let expected: Vec<String> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
        prop_assert_eq!(texts, expected);
    }
}
