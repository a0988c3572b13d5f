//! Every command: what it answers, and how it fails.

use crate::shell::{NOW, Shell, payload};

#[test]
fn a_broken_record_is_told_with_its_place_and_ends_with_1() {
    let shell = Shell::new();
    shell.write("calls.jsonl", concat!(
        "{\"key\":\"a\",\"source\":{\"system\":\"pbx\"},\"kind\":\"call\",\"channel\":\"phone\",\"occurred_at\":\"2026-03-01T10:00:00Z\"}\n",
        "{\"key\":\"b\",\"source\":{\"system\":\"pbx\"},\"kind\":\"call\",\"channel\":\"phone\",\"occurred_at\":\"soon\"}\n",
    ));
    let said =
        shell.cx(&["--now", NOW, "import", "calls.jsonl", "--from", "jsonl", "--into", "new.cx"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.out,
        "1 file → new.cx: 1 new, 0 duplicate, 0 revised, 0 conflict, 1 rejected; 0 customers touched\n"
    );
    assert!(
        said.err.starts_with("rejected: calls.jsonl:2: /occurred_at: \"soon\": "),
        "{}",
        said.err
    );
}

#[test]
fn the_events_of_a_company_that_does_not_exist_can_be_imported() {
    let shell = Shell::new();
    shell.ok(&["generate", "--events", "300", "--seed", "7", "--out", "company.jsonl"]);
    let import =
        || shell.cx(&["import", "company.jsonl", "--from", "jsonl", "--into", "company.cx"]);
    let first = import();
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.out.contains(", 0 revised, 0 conflict, 0 rejected"), "{}", first.out);
    assert!(import().out.contains(": 0 new, 300 duplicate,"));
    shell.ok(&["check", "company.cx"]);
    let again = shell.ok(&["generate", "--events", "300", "--seed", "7", "--out", "-"]);
    let other = shell.ok(&["generate", "--events", "300", "--seed", "8", "--out", "-"]);
    assert_eq!(again.lines().count(), 300);
    assert_ne!(again, other);
}

#[test]
fn a_table_is_read_by_a_map_of_its_columns() {
    let shell = Shell::new();
    shell.write(
        "klachten.csv",
        "Datum;Klant;Zaak;Bericht\n2026-03-02 09:12;jan@example.nl;Z1;Waar is mijn pakket?\n",
    );
    let map = "occurred_at=Datum, email=Klant, conversation=Zaak, text=Bericht, kind:=message, direction:=in, channel:=email, zone:=Europe/Amsterdam";
    shell.ok(&["import", "klachten.csv", "--from", "csv", "--into", "a.cx", "--columns", map]);
    let context = shell.ok(&["context", "a.cx", "jan@example.nl"]);
    assert!(
        context.contains("“Waar is mijn pakket?”")
            && context.contains("waits for us since 2026-03-02 08:12"),
        "{context}"
    );
    let wrong = shell.cx(&[
        "import",
        "klachten.csv",
        "--from",
        "csv",
        "--into",
        "a.cx",
        "--columns",
        "mail=Klant",
    ]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    for args in [
        vec!["import", "x", "--from", "fax", "--into", "a.cx"],
        vec!["context", "demo.cx", "???"],
        vec!["context", "demo.cx", "jan@example.nl", "--as-of", "yesterday"],
        vec!["fly"],
    ] {
        let said = shell.cx(&args);
        assert_eq!(said.code, 2, "{args:?}: {} {}", said.out, said.err);
        assert!(!said.err.is_empty());
    }
}

#[test]
fn a_file_that_cannot_be_used_is_told_apart() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let bytes = std::fs::read(shell.path("demo.cx")).unwrap();
    shell.write("notes.txt", "milk, bread");
    shell.write("cut.cx", &bytes[..bytes.len() / 2]);
    let mut newer = bytes.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    shell.write("newer.cx", newer);
    let mut broken = bytes;
    for byte in &mut broken[8_192..60_000] {
        *byte = 0x5a;
    }
    shell.write("broken.cx", broken);
    for (file, told) in [
        ("notes.txt", "not a cx file"),
        ("cut.cx", "damaged"),
        ("newer.cx", "newer cx"),
        ("broken.cx", "damaged"),
        ("missing.cx", "no such file"),
    ] {
        let before = std::fs::read(shell.path(file)).ok();
        let said = shell.cx(&["--now", NOW, "context", file, "jan.devries@example.nl"]);
        assert_eq!(said.code, 1, "{file}: {} {}", said.out, said.err);
        assert!(
            said.err.starts_with(&format!("cx: {file}: ")) && said.err.contains(told),
            "{file}: {}",
            said.err
        );
        assert_eq!(std::fs::read(shell.path(file)).ok(), before, "{file} is left as it is");
    }
}

#[test]
fn a_read_only_file_answers_and_takes_nothing_in() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let mut permissions = std::fs::metadata(shell.path("demo.cx")).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(shell.path("demo.cx"), permissions).unwrap();
    assert!(shell.ok(&["context", "demo.cx", "+31612345678"]).starts_with("Jan de Vries"));
    let said = shell.cx(&[
        "--now",
        NOW,
        "import",
        &payload("mail.mbox"),
        "--from",
        "mail",
        "--into",
        "demo.cx",
    ]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (1, "cx: demo.cx: read-only, so nothing can be written\n")
    );
}

#[test]
fn whoever_is_unknown_gets_an_answer() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    assert!(shell.ok(&["context", "demo.cx", "who.is@example.org"]).starts_with("Nobody known\n"));
    assert!(
        shell.ok(&["timeline", "demo.cx", "who.is@example.org"]).starts_with("Nothing is known")
    );
    assert_eq!(shell.ok(&["find", "demo.cx", "who.is@example.org"]), "Nobody is known by it.\n");
    assert!(shell.ok(&["journey", "demo.cx", "who.is@example.org"]).starts_with("Nobody is"));
}

#[test]
fn a_person_is_named_as_people_type() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let answer = |who: &[&str]| {
        let mut args = vec!["find", "demo.cx"];
        args.extend(who);
        shell.ok(&args).lines().nth(1).unwrap_or_default().to_owned()
    };
    let jan = answer(&["jan.devries@example.nl"]);
    let id = jan.split_whitespace().next().unwrap().to_owned();
    for who in [
        vec!["+31 6 1234 5678"],
        vec!["0031612345678"],
        vec!["06-12345678", "--region", "NL"],
        vec!["JAN.DEVRIES@EXAMPLE.NL"],
        vec![id.as_str()],
        vec!["shop:shopify:acme:7001"],
        vec!["cookie:chatwoot:acme/inbox/3:widget-5f21"],
    ] {
        assert!(answer(&who).starts_with(&id), "{who:?}: {}", answer(&who));
    }
}

#[test]
fn a_timeline_is_paged_without_loss() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let whole =
        shell.ok(&["timeline", "demo.cx", "jan.devries@example.nl", "--json", "--limit", "1000"]);
    let mut pages = String::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut args = vec![
            "--now",
            NOW,
            "timeline",
            "demo.cx",
            "jan.devries@example.nl",
            "--json",
            "--limit",
            "4",
        ];
        if let Some(cursor) = &cursor {
            args.extend(["--after", cursor]);
        }
        let said = shell.cx(&args);
        pages.push_str(&said.out);
        match said.err.trim().strip_prefix("more with --after ") {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(pages, whole);
    let calls = shell.ok(&["timeline", "demo.cx", "jan.devries@example.nl", "--kind", "call"]);
    assert_eq!(calls.lines().count(), 1, "{calls}");
}

#[test]
fn what_goes_out_as_lines_comes_in_as_duplicates() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let lines =
        shell.ok(&["timeline", "demo.cx", "jan.devries@example.nl", "--json", "--limit", "1000"]);
    let n = lines.lines().count();
    shell.write("jan.jsonl", &lines);
    let again = shell.ok(&["import", "jan.jsonl", "--from", "jsonl", "--into", "demo.cx"]);
    assert!(
        again.contains(&format!("0 new, {n} duplicate, 0 revised, 0 conflict, 0 rejected")),
        "{again}"
    );
}

#[test]
fn words_are_found_and_notes_only_by_agents() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    assert_eq!(shell.ok(&["search", "demo.cx", "broken", "handle"]).lines().count(), 3);
    assert_eq!(shell.ok(&["search", "demo.cx", "supplier"]).lines().count(), 1);
    assert!(shell.ok(&["search", "demo.cx", "supplier", "--for", "model"]).starts_with("Nothing"));
    assert!(
        shell
            .ok(&["search", "demo.cx", "handle", "--who", "eva.bakker@example.nl"])
            .starts_with("Nothing")
    );
}

#[test]
fn who_waits_journeys_and_measures_are_told() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    insta::assert_snapshot!("waiting", shell.ok(&["waiting", "demo.cx"]));
    insta::assert_snapshot!("journey", shell.ok(&["journey", "demo.cx", "jan.devries@example.nl"]));
    insta::assert_snapshot!("measure", shell.ok(&["measure", "demo.cx"]));
    for line in shell.ok(&["measure", "demo.cx", "csat", "nps", "first-response", "--json"]).lines()
    {
        let result: serde_json::Value = serde_json::from_str(line).unwrap();
        for field in ["definition", "n", "value", "excluded", "as_of", "parameters"] {
            assert!(result.get(field).is_some(), "{field}: {line}");
        }
    }
}

#[test]
fn a_definition_of_ones_own_is_used_and_a_wrong_one_is_told() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let own = include_str!("../../../cx-core/journeys/service.toml")
        .replace("id = \"service\"", "id = \"care\"")
        .replace("name = \"Service\"", "name = \"Care\"");
    shell.write("care.toml", &own);
    assert!(
        shell
            .ok(&["journey", "demo.cx", "jan.devries@example.nl", "--definition", "care.toml"])
            .starts_with("Care 1")
    );
    shell.write("wrong.toml", own.replace("inactivity", "patience"));
    let said =
        shell.cx(&["journey", "demo.cx", "jan.devries@example.nl", "--definition", "wrong.toml"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("wrong.toml") && said.err.contains("patience"), "{}", said.err);
}

#[test]
fn a_kind_that_may_be_misspelt_is_warned_of() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let own = include_str!("../../../cx-core/journeys/service.toml");
    shell.write("care.toml", own.replace("conversation.spam", "conversation.spma"));
    let asked = ["journey", "demo.cx", "jan.devries@example.nl", "--definition", "care.toml"];
    let said = shell.cx(&asked);
    assert_eq!(said.code, 0);
    let warning = "warning: exit: kind \"conversation.spma\" is none that cx knows\n";
    assert_eq!(said.err, warning);
}

#[test]
fn a_journey_of_then_is_of_whom_was_known_then() {
    let shell = Shell::new();
    let lines = [
        r#"{"key":"v","source":{"system":"web"},"kind":"page.viewed","channel":"web","occurred_at":"2026-03-01T09:00:00Z","who":[{"ns":"cookie","value":"c1"}],"data":{"url":"/x"}}"#,
        r#"{"key":"o","source":{"system":"web"},"kind":"order.placed","channel":"web","occurred_at":"2026-03-02T09:00:00Z","who":[{"ns":"email","value":"jan@x.nl","assurance":"authenticated"}],"data":{"order_id":"1"}}"#,
        r#"{"key":"i","source":{"system":"web"},"kind":"identity.seen","channel":"web","occurred_at":"2026-03-03T09:00:00Z","who":[{"ns":"cookie","value":"c1"},{"ns":"email","value":"jan@x.nl","assurance":"authenticated"}],"data":{}}"#,
    ];
    let journey = |lines: &[&str], file: &str| {
        shell.write("web.jsonl", lines.join("\n"));
        shell.ok(&["import", "web.jsonl", "--from", "jsonl", "--into", file]);
        let as_of = "2026-03-02T10:00:00Z";
        shell.ok(&["journey", file, "jan@x.nl", "--json", "--as-of", as_of])
    };
    assert_eq!(journey(&lines, "today.cx"), journey(&lines[..2], "then.cx"));
}

#[test]
fn a_backup_is_a_store_and_never_overwrites() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    shell.ok(&["backup", "demo.cx", "copy.cx"]);
    let ask = |file: &str| shell.ok(&["context", file, "+31612345678", "--json"]);
    assert_eq!(ask("copy.cx"), ask("demo.cx"));
    let again = shell.cx(&["backup", "demo.cx", "copy.cx"]);
    assert_eq!((again.code, again.err.as_str()), (1, "cx: copy.cx: exists already\n"));
}

#[test]
fn a_copy_takes_the_place_of_a_file_where_that_is_said() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    shell.ok(&["backup", "demo.cx", "copy.cx"]);
    shell.ok(&["erase", "demo.cx", "eva.bakker@example.nl", "--mode", "delete", "--yes"]);
    let before = shell.ok(&["check", "demo.cx"]);
    let asked = shell.cx(&["restore", "copy.cx", "demo.cx"]);
    assert_eq!(asked.code, 1);
    assert!(asked.out.contains("--yes"), "{}", asked.out);
    assert_eq!(shell.ok(&["check", "demo.cx"]), before);
    assert_eq!(shell.ok(&["restore", "copy.cx", "demo.cx", "--yes"]), "copy.cx → demo.cx\n");
    assert_eq!(shell.ok(&["restore", "copy.cx", "new.cx"]), "copy.cx → new.cx\n");
    let ask = |file: &str| shell.ok(&["context", file, "eva.bakker@example.nl", "--json"]);
    assert_eq!(ask("demo.cx"), ask("copy.cx"));
    assert_eq!(ask("new.cx"), ask("copy.cx"));
    // The log may be all that is left of a store.
    std::fs::write(shell.path("lone.cx-wal"), "what was written last").unwrap();
    assert!(shell.cx(&["restore", "copy.cx", "lone.cx"]).out.contains("--yes"));
    assert!(shell.path("lone.cx-wal").exists() && !shell.path("lone.cx").exists());
}

#[test]
fn facts_that_are_not_whole_are_told_and_end_with_code_1() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    shell.ok(&["export", "demo.cx", "--all", "--out", "facts.jsonl"]);
    let text = std::fs::read_to_string(shell.path("facts.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let import = |name: &str, lines: &[&str]| {
        shell.write(name, lines.join("\n"));
        shell.cx(&["import", name, "--from", "facts", "--into", &format!("{name}.cx")])
    };
    let whole = import("whole", &lines);
    assert_eq!((whole.code, whole.err.as_str()), (0, ""));
    let cut = import("cut", &lines[..50]);
    assert_eq!(cut.code, 1);
    assert!(cut.err.starts_with("incomplete: cut: cut short"), "{}", cut.err);
    let without = import("without", &[&lines[..5], &lines[6..]].concat());
    assert_eq!(without.code, 1);
    assert!(without.err.starts_with("incomplete: without: by its last line"), "{}", without.err);
    let head = lines[0].replacen("\"v\":2", "\"v\":1", 1);
    let older = import("older", &[&[head.as_str()], &lines[1..lines.len() - 1]].concat());
    assert_eq!(older.code, 0);
    assert!(older.err.starts_with("warning: older: of a version"), "{}", older.err);
}

#[test]
fn folders_are_read_and_payloads_can_be_written_out() {
    let shell = Shell::new();
    shell.ok(&["demo", "--write-payloads", "payloads"]);
    assert_eq!(
        std::fs::read(shell.path("payloads/mail.mbox")).unwrap(),
        std::fs::read(payload("mail.mbox")).unwrap()
    );
    std::fs::create_dir(shell.path("in")).unwrap();
    for name in ["shopify_orders.json", "shopify_carts.json"] {
        std::fs::copy(shell.path("payloads").join(name), shell.path("in").join(name)).unwrap();
    }
    let said = shell.ok(&["import", "in", "--from", "shopify", "--into", "a.cx"]);
    assert!(said.starts_with("2 files → a.cx: 11 new"), "{said}");
}

#[cfg(unix)]
#[test]
fn the_folders_of_a_maildir_are_read_and_nothing_that_is_on_its_way() {
    let shell = Shell::new();
    for (folder, id) in [("cur", 1), ("new", 2), ("tmp", 3), (".Sent/cur", 4), (".Sent/tmp", 5)] {
        let folder = shell.path("md").join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mail = format!(
            "From: jan@example.nl\nDate: Mon, 2 Mar 2026 09:00:00 +0100\nMessage-ID: <{id}@x.example>\n\nHi\n"
        );
        std::fs::write(folder.join("1"), mail).unwrap();
    }
    std::fs::write(shell.path("md/.hidden"), "no mail").unwrap();
    std::os::unix::fs::symlink("..", shell.path("md/cur/loop")).unwrap();
    let said = shell.ok(&["import", "md", "--from", "mail", "--into", "a.cx"]);
    assert!(said.starts_with("3 files → a.cx: 3 new"), "{said}");
}

#[test]
fn completions_are_printed_for_every_shell() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(shell.ok(&["completions", name]).contains("import"), "{name}");
    }
}
