//! Who is who, from a shell: explaining, correcting, previewing, erasing, linking.

use std::fmt::Write;

use crate::shell::{NOW, Shell};

const JAN: &str = "jan.devries@example.nl";
const EVA: &str = "eva.bakker@example.nl";

fn demo() -> Shell {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    shell
}

/// Everything that is answered about both, to the byte.
fn answers(shell: &Shell) -> String {
    [JAN, EVA].map(|who| shell.ok(&["context", "demo.cx", who, "--json"])).concat()
}

#[test]
fn the_calling_number_and_the_housemate_are_explained() {
    let shell = demo();
    let why = shell.ok(&["why", "demo.cx", JAN, "+31612345678"]);
    assert!(why.starts_with("Both are Jan de Vries"), "{why}");
    let why_not = shell.ok(&["why", "demo.cx", JAN, EVA]);
    assert!(why_not.contains("the names do not agree (Jan de Vries and Eva Bakker)"), "{why_not}");
    let json: serde_json::Value =
        serde_json::from_str(&shell.ok(&["why", "demo.cx", JAN, EVA, "--json"])).unwrap();
    assert_eq!(json["obstacles"][0]["value"], "phone:+31206241111");
    assert_eq!(json["obstacles"][0]["because"]["reason"], "names");
    let how = shell.ok(&["how", "demo.cx", JAN]);
    assert!(how.contains("Order 450001 is on both"), "{how}");
    let candidates = shell.ok(&["candidates", "demo.cx"]);
    assert!(candidates.contains("of the same household"), "{candidates}");
    let before = shell.ok(&["how", "demo.cx", EVA, "--as-of", "2026-01-01T00:00:00Z"]);
    assert_eq!(before, "Nobody is known by it.\n");
}

#[test]
fn different_then_revoke_brings_back_the_same_bytes() {
    let shell = demo();
    let before = answers(&shell);
    let said = shell.ok(&["different", "demo.cx", JAN, "+31612345678"]);
    let assertion = said.split("ast_").nth(1).unwrap();
    let assertion = format!("ast_{}", &assertion[..32]);
    assert_ne!(answers(&shell), before);
    let why_not =
        shell.ok(&["why", "demo.cx", "shop:shopify:acme:7001", "helpdesk:zendesk:acme:5001"]);
    assert!(!why_not.is_empty());
    shell.ok(&["revoke", "demo.cx", &assertion]);
    assert_eq!(answers(&shell), before);
}

#[test]
fn every_assertion_can_be_previewed_and_said_and_conflicts_are_told() {
    let shell = demo();
    let before = answers(&shell);
    let event = "twilio:AC0a1/call/CA77";
    for args in [
        vec!["same", JAN, EVA],
        vec!["different", JAN, EVA],
        vec!["block", JAN],
        vec!["trust", "+31206241111"],
        vec!["rekey", JAN, "jan.new@example.nl"],
    ] {
        let mut preview = vec!["preview", "demo.cx"];
        preview.extend(&args);
        shell.ok(&preview);
        assert_eq!(answers(&shell), before, "{args:?}");
    }
    let unknown = shell.cx(&["detach", "demo.cx", event, JAN]);
    assert!(unknown.code == 1 && unknown.err.contains("is not in the store"), "{}", unknown.err);
    shell.ok(&["same", "demo.cx", JAN, EVA]);
    shell.ok(&["block", "demo.cx", JAN]);
    let said = shell.ok(&["trust", "demo.cx", JAN]);
    assert!(said.contains("conflict: "), "{said}");
    let changes = shell.ok(&["changes", "demo.cx", "--after", "8", "--limit", "1", "--json"]);
    let change: serde_json::Value = serde_json::from_str(&changes).unwrap();
    assert_eq!((change["seq"].as_u64(), change["change"].as_str()), (Some(9), Some("merged")));
    assert_eq!(change["cause"]["by"], "assertion");
    let check = shell.ok(&["check", "demo.cx"]);
    assert!(!check.contains("problem"), "{check}");
}

#[test]
fn a_policy_is_checked_compared_and_tried_before_it_is_put_in_force() {
    let shell = demo();
    shell.write("strict.toml", "[namespaces.phone]\nhub_above = 1\n");
    shell.write("wrong.toml", "[namespaces.phone]\nhub_abvoe = 1\n");
    let wrong = shell.cx(&["policy", "check", "wrong.toml"]);
    assert!(wrong.code == 1 && wrong.err.contains("hub_abvoe"), "{}", wrong.err);
    let differences = shell.ok(&["policy", "diff", "demo.cx", "strict.toml"]);
    assert_eq!(differences, "namespaces.phone.hub_above: 6 -> 1\n");
    let before = answers(&shell);
    let tried = shell.ok(&["policy", "apply", "demo.cx", "strict.toml"]);
    assert!(tried.contains("3 customers would be 3, 1 shared value would be 2"), "{tried}");
    assert_eq!(answers(&shell), before);
    let done = shell.ok(&["policy", "apply", "demo.cx", "strict.toml", "--yes"]);
    assert!(done.contains("3 customers became 3, 1 shared value became 2"), "{done}");
    assert_ne!(answers(&shell), before);
    assert!(!shell.ok(&["check", "demo.cx"]).contains("problem"));
    shell.write("usual.toml", "");
    shell.ok(&["policy", "apply", "demo.cx", "usual.toml", "--yes"]);
    assert_eq!(answers(&shell), before);
    let shown = shell.ok(&["policy", "show", "demo.cx"]);
    shell.write("shown.toml", shown);
    assert_eq!(shell.ok(&["policy", "diff", "demo.cx", "shown.toml"]), "");
}

#[test]
fn the_usual_policy_is_printed_as_it_is_written() {
    let shell = Shell::new();
    let shown = shell.ok(&["policy", "show"]);
    shell.write("shown.toml", &shown);
    let checked = shell.ok(&["policy", "check", "shown.toml"]);
    assert_eq!(checked, "shown.toml: 0 differences to the default\n");
    insta::assert_snapshot!(shown);
}

#[test]
fn who_is_erased_is_in_no_file_and_does_not_come_back() {
    let shell = demo();
    let asked = shell.cx(&["erase", "demo.cx", EVA, "--mode", "delete"]);
    assert!(asked.code == 1 && asked.out.contains("Eva Bakker"), "{}", asked.out);
    shell.ok(&["export", "demo.cx", EVA, "--out", "eva.json"]);
    let export: serde_json::Value =
        serde_json::from_slice(&std::fs::read(shell.path("eva.json")).unwrap()).unwrap();
    assert!(export["events"].as_array().unwrap().len() > 3, "{export}");
    let found = shell.ok(&["find", "demo.cx", EVA]);
    let id = found.split_whitespace().find(|word| word.starts_with("cus_")).unwrap();
    assert!(!shell.ok(&["find", "demo.cx", id]).contains("  0 events"));
    let said = shell.ok(&["erase", "demo.cx", EVA, "--mode", "delete", "--yes"]);
    assert!(said.contains("of the person in 3 files: found 0 times"), "{said}");
    for name in ["demo.cx", "demo.cx-wal", "demo.cx-shm"] {
        let bytes = std::fs::read(shell.path(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!text.contains("eva.bakker") && !text.contains("eva bakker"), "{name}");
    }
    let again = shell.ok(&["demo", "--into", "demo.cx"]);
    assert!(again.contains("left out") || !again.contains("Eva"), "{again}");
    assert!(shell.ok(&["find", "demo.cx", EVA]).contains("Nobody"));
    assert_eq!(shell.ok(&["find", "demo.cx", id]), "The customer who had this id was erased.\n");
    let never = format!("cus_{}", "0".repeat(32));
    assert!(shell.ok(&["find", "demo.cx", &never]).contains("Nobody"));
}

#[test]
fn a_table_of_persons_is_linked_and_measured() {
    let shell = Shell::new();
    let mut table = "Nr,Voornaam,Achternaam,Geboortedatum,E-mail,Plaats,wie\n".to_owned();
    let given =
        ["Anna", "Bram", "Carla", "Dirk", "Els", "Frank", "Greet", "Hugo", "Ineke", "Joost"];
    let family = ["Smit", "de Boer", "Visser", "Mulder", "Bos", "Vos", "Peters", "Dekker"];
    for n in 0..80 {
        let (g, f) = (given[n % 10], family[n / 10]);
        let born = format!("19{:02}-0{}-1{}", 40 + n / 2, 1 + n % 9, n % 9);
        let mail = format!("p{n}@example.nl");
        writeln!(table, "{n},{g},{f},{born},{mail},Ons Dorp,{n}").unwrap();
        if n % 2 == 0 {
            let slip = format!("{f}x");
            writeln!(table, "{n}b,{g},{slip},{born},,Ons Dorp,{n}").unwrap();
        }
    }
    // Whose these two are nobody has said.
    table += "81,Xander,Zwart,1930-01-21,x@example.nl,Elders,\n";
    table += "82,Yara,Wit,1951-12-02,y@example.org,Verweg, \n";
    shell.write("personen.csv", table + "\"torn\n");
    let said = shell.cx(&[
        "--now",
        NOW,
        "link",
        "personen.csv",
        "--truth",
        "wie",
        "--out",
        "out.csv",
        "--pairs",
        "pairs.csv",
    ]);
    assert!(
        said.out.contains("Geboortedatum: birth_date, E-mail: email, Plaats: city, wie: -"),
        "{}",
        said.out
    );
    let quality = said.out.lines().find(|line| line.starts_with("links: ")).unwrap();
    assert!(quality.starts_with("links: precision 1.0000, recall 1.0000"), "{quality}");
    let rows = std::fs::read_to_string(shell.path("out.csv")).unwrap();
    assert!(rows.starts_with("person,row,table,Nr,Voornaam"), "{rows}");
    let explained =
        shell.cx(&["link", "personen.csv", "--column", "wie=ignore", "--explain", "1", "2"]).out;
    assert!(explained.contains("family name: \"smit\" and \"smitx\", one edit"), "{explained}");
    for bad in [vec!["link", "none.csv"], vec!["link", "personen.csv", "--truth", "who"]] {
        assert_eq!(shell.cx(&bad).code, 1, "{bad:?}");
    }
    shell.write("empty.csv", "a,b\n");
    assert_eq!(shell.cx(&["link", "empty.csv"]).code, 2);
    shell.cx(&["model", "train", "personen.csv", "--out", "model.json"]);
    let again = shell.cx(&["link", "personen.csv", "--model", "model.json", "--truth", "wie"]).out;
    assert!(again.contains("recall 1.0000"), "{again}");
}

#[test]
fn what_was_said_before_and_does_not_hold_is_not_told_as_if_it_did() {
    let shell = demo();
    for verdict in ["same", "different"] {
        shell.ok(&[verdict, "demo.cx", JAN, EVA]);
    }
    let again = shell.ok(&["same", "demo.cx", JAN, EVA]);
    assert!(again.starts_with("It does not hold that "), "{again}");
    assert!(again.contains("nothing was recorded") && again.contains("different"), "{again}");
    let json: serde_json::Value =
        serde_json::from_str(&shell.ok(&["same", "demo.cx", JAN, EVA, "--json"])).unwrap();
    assert_eq!(json["conflicts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_timeline_shows_no_words_that_were_taken_out() {
    let shell = Shell::new();
    let event = |key: &str, kind: &str, minute: u8, text: &str, data: &str| {
        format!(
            r#"{{"key": "{key}", "source": {{"system": "chat"}}, "kind": "{kind}", "channel": "chat",
            "direction": "in", "occurred_at": "2026-03-01T10:0{minute}:00Z",
            "who": [{{"ns": "email", "value": "{JAN}"}}], "body": {{"text": "{text}"}}, "data": {data}}}"#
        )
        .replace('\n', " ")
    };
    let lines = [
        event("a", "message", 0, "secretword", r#"{"message_id": "<a>"}"#),
        event("b", "message", 1, "oldword", "{}"),
        event("c", "message.edited", 2, "newword", r#"{"target": "b"}"#),
        event("d", "message.redacted", 3, "", r#"{"target": "<a>"}"#),
    ];
    shell.write("a.jsonl", lines.join("\n"));
    shell.ok(&["import", "--from", "jsonl", "--into", "a.cx", "a.jsonl"]);
    let told = shell.ok(&["timeline", "a.cx", JAN]);
    assert!(!told.contains("secretword") && !told.contains("oldword"), "{told}");
    assert!(told.contains("(edited) newword") && told.contains("(taken out)"), "{told}");
    assert!(shell.ok(&["timeline", "a.cx", JAN, "--json"]).contains("secretword"));
}
