//! What the command promises whoever uses it: its codes, files that stay as they are, words that
//! are true.

use crate::shell::{NOW, Said, Shell};

const JAN: &str = "jan.devries@example.nl";
const EVA: &str = "eva.bakker@example.nl";
const NOBODY: &str = "who.is@example.org";

fn demo() -> Shell {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    shell
}

/// A line of cx's own format.
fn line(key: &str, rest: &str) -> String {
    format!(
        "{{\"key\":\"{key}\",\"source\":{{\"system\":\"pbx\"}},\"kind\":\"call\",\
         \"occurred_at\":\"2026-03-01T10:00:00Z\"{rest}}}\n"
    )
}

fn import(shell: &Shell, files: &[&str], format: &str) -> Said {
    let mut args = vec!["--now", NOW, "import"];
    args.extend(files);
    args.extend(["--from", format, "--into", "new.cx"]);
    shell.cx(&args)
}

#[test]
fn a_question_that_finds_nobody_is_an_answer_and_an_action_is_not() {
    let shell = demo();
    for question in [
        vec!["find", "demo.cx", NOBODY],
        vec!["context", "demo.cx", NOBODY],
        vec!["timeline", "demo.cx", NOBODY],
        vec!["journey", "demo.cx", NOBODY],
        vec!["how", "demo.cx", NOBODY],
        vec!["candidates", "demo.cx", NOBODY],
        vec!["why", "demo.cx", JAN, NOBODY],
    ] {
        let said = shell.ok(&question);
        assert!(said.starts_with("No") && !said.contains("Nobody else"), "{question:?}: {said}");
    }
    assert_eq!(
        shell.ok(&["why", "demo.cx", JAN, NOBODY]),
        format!("Nobody is known by {NOBODY}.\n")
    );
    for action in [
        vec!["export", "demo.cx", NOBODY],
        vec!["erase", "demo.cx", NOBODY, "--mode", "delete", "--yes"],
        vec!["same", "demo.cx", JAN, NOBODY],
        vec!["different", "demo.cx", JAN, NOBODY],
        vec!["detach", "demo.cx", "no/such/event", JAN],
    ] {
        let said = shell.cx(&action);
        assert_eq!(said.code, 1, "{action:?}: {} {}", said.out, said.err);
    }
    let said = shell.cx(&["detach", "demo.cx", "no/such/event", JAN]);
    assert_eq!(said.err, "cx: no/such/event: this event is not in the store\n");
    for wrong in [
        vec!["search", "demo.cx", "handle", "--limit", "0"],
        vec!["search", "demo.cx", "handle", "--for", "customer"],
        vec!["timeline", "demo.cx", JAN, "--limit", "0"],
        vec!["preview", "demo.cx", "same", JAN],
        vec!["find", "demo.cx", "0612345678", "--region", "Holland"],
    ] {
        assert_eq!(shell.cx(&wrong).code, 2, "{wrong:?}");
    }
    assert!(shell.ok(&["--help"]).contains("Exit codes"));
}

#[test]
fn same_and_different_mean_the_same_two_whatever_was_said_before() {
    let shell = demo();
    let answers = || [JAN, EVA].map(|who| shell.ok(&["timeline", "demo.cx", who]));
    let apart = answers();
    let same = || shell.ok(&["same", "demo.cx", JAN, EVA]);
    let said = same();
    assert_ne!(answers(), apart);
    // Saying it once more records nothing.
    let again = shell.cx(&["--now", "2026-03-05T10:00:00Z", "same", "demo.cx", EVA, JAN]).out;
    assert!(again.contains("nothing was recorded"), "{again}");
    let id = |said: &str| {
        said.split_whitespace().find(|word| word.starts_with("ast_")).unwrap().to_owned()
    };
    assert_eq!(id(&again), id(&said));
    shell.ok(&["revoke", "demo.cx", &id(&said)]);
    assert_eq!(answers(), apart);
    // What was taken back can be said again, and gives way to the contrary.
    shell.cx(&["--now", "2026-03-06T10:00:00Z", "same", "demo.cx", JAN, EVA]);
    assert_ne!(answers(), apart);
    let different = shell.ok(&["different", "demo.cx", JAN, EVA]);
    assert!(different.contains("conflict: "), "{different}");
    assert_eq!(answers(), apart);
}

#[test]
fn nothing_is_written_over() {
    let shell = demo();
    shell.write("people.csv", "name,email\nJan Smit,jan@example.nl\nEva Bos,eva@example.nl\n");
    shell.write("there", "stays");
    for args in [
        vec!["generate", "--events", "3", "--out", "there"],
        vec!["link", "people.csv", "--out", "there"],
        vec!["link", "people.csv", "--pairs", "there"],
        vec!["link", "people.csv", "--household", "there"],
        vec!["model", "train", "people.csv", "--out", "there"],
        vec!["export", "demo.cx", JAN, "--out", "there"],
        vec!["export", "demo.cx", "--all", "--out", "there"],
        vec!["backup", "demo.cx", "there"],
        vec!["erase", "demo.cx", JAN, "--mode", "delete", "--yes", "--certificate", "there"],
    ] {
        let said = shell.cx(&args);
        assert_eq!((said.code, said.err.as_str()), (1, "cx: there: exists already\n"), "{args:?}");
        assert_eq!(std::fs::read_to_string(shell.path("there")).unwrap(), "stays");
    }
    std::fs::create_dir(shell.path("payloads")).unwrap();
    shell.write("payloads/mail.mbox", "stays");
    assert_eq!(shell.cx(&["demo", "--write-payloads", "payloads"]).code, 1);
    let names = |folder: &str| {
        let entries = std::fs::read_dir(shell.path(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("payloads"), ["mail.mbox"]);
    assert!(!names(".").iter().any(|name| name.to_string_lossy().ends_with(".part")));
}

#[test]
fn a_file_that_is_missing_is_told_before_anything_is_taken_in() {
    let shell = Shell::new();
    shell.write("ok.jsonl", line("a", ""));
    let said = import(&shell, &["ok.jsonl", "nope.jsonl"], "jsonl");
    assert_eq!(said.code, 1);
    assert!(said.err.starts_with("cx: nope.jsonl: "), "{}", said.err);
    assert!(!shell.path("new.cx").exists());
    let nowhere = shell.cx(&["import", "ok.jsonl", "--from", "jsonl", "--into", "no/where.cx"]);
    assert_eq!(nowhere.err, "cx: no/where.cx: cannot be opened: there is no folder no\n");
}

#[test]
fn an_import_says_what_it_leaves_out() {
    let shell = Shell::new();
    let all: String = (0..25).map(|n| line(&n.to_string(), ",\"name\":\"Jan\"")).collect();
    shell.write("a.jsonl", &all);
    shell.write("b.jsonl", all.replace("Jan", "Eva"));
    let said = import(&shell, &["a.jsonl", "b.jsonl"], "jsonl");
    assert!(said.err.ends_with("… and 5 conflicts more\n"), "{}", said.err);
    assert!(said.out.ends_with("; 0 customers touched\n"), "{}", said.out);
    shell.write("facts.jsonl", "{}\n");
    let facts = shell.cx(&["import", "facts.jsonl", "--from", "facts", "--into", "moved.cx"]);
    assert!(facts.err.starts_with("cx: facts.jsonl: not the facts of a store"), "{}", facts.err);
}

#[test]
fn what_cannot_be_is_refused_by_its_option() {
    let shell = Shell::new();
    shell.write("a.jsonl", line("a", ""));
    for wrong in [
        ["--region", "XX"],
        ["--region", "Holland"],
        ["--own", "not a domain"],
        ["--own-number", "abc"],
        ["--own-number", "020 808 0808"],
    ] {
        let mut args = vec!["import", "a.jsonl", "--from", "jsonl", "--into", "a.cx"];
        args.extend(wrong);
        let said = shell.cx(&args);
        assert_eq!(said.code, 2, "{wrong:?}: {}", said.err);
        assert!(!shell.path("a.cx").exists());
    }
    let right = [
        "import",
        "a.jsonl",
        "--from",
        "jsonl",
        "--into",
        "a.cx",
        "--region",
        "nl",
        "--own",
        "shop.example",
        "--own",
        "noreply@shop.example",
        "--own-number",
        "020 808 0808",
        "--own-number",
        "14020",
    ];
    shell.ok(&right);
    let memory = shell.cx(&["import", "a.jsonl", "--from", "jsonl", "--into", ":memory:"]);
    assert!(memory.code == 1 && memory.err.contains("no name of a file"), "{}", memory.err);
}

#[test]
fn whatever_is_taken_in_can_be_asked_for() {
    let shell = Shell::new();
    shell.write("a.jsonl", line("a", ",\"who\":[{\"ns\":\"nonsense\",\"value\":\"z\"}]"));
    assert_eq!(import(&shell, &["a.jsonl"], "jsonl").code, 0);
    assert!(shell.ok(&["find", "new.cx", "nonsense:z"]).starts_with("One customer holds it."));
}

#[test]
fn whom_a_person_blocked_is_not_used_by_many() {
    let shell = demo();
    shell.ok(&["block", "demo.cx", JAN]);
    let said = shell.ok(&["find", "demo.cx", JAN]);
    assert!(said.contains("Somebody blocked it: it links nobody."), "{said}");
}

/// What somebody wrote to steer the terminal of whoever looks at it.
const STEERING: &str = concat!(
    "{\"key\":\"x/1\",\"source\":{\"system\":\"desk\"},\"kind\":\"message\",\"channel\":\"other:\\u001b[2Jzap\",",
    "\"direction\":\"in\",\"actor\":{\"type\":\"customer\"},\"occurred_at\":\"2026-03-01T09:00:00Z\",",
    "\"who\":[{\"ns\":\"email\",\"value\":\"ana@example.pt\"}],",
    "\"conversation\":{\"key\":\"desk/\\u001b[31m2\"},\"body\":{\"text\":\"evil \\u202egnp.exe a\\u007fb\\u009b2J\"}}\n",
    "{\"key\":\"x/2\",\"source\":{\"system\":\"desk\"},\"kind\":\"custom.\\u001b]0;owned\\u0007\",",
    "\"occurred_at\":\"2026-03-01T09:01:00Z\",\"who\":[{\"ns\":\"email\",\"value\":\"ana@example.pt\"}]}\n",
);

#[test]
fn nothing_that_somebody_wrote_steers_a_terminal() {
    let shell = Shell::new();
    shell.write("x.jsonl", STEERING);
    assert_eq!(import(&shell, &["x.jsonl"], "jsonl").code, 0);
    for args in [
        vec!["timeline", "new.cx", "ana@example.pt"],
        vec!["timeline", "new.cx", "ana@example.pt", "--json"],
        vec!["waiting", "new.cx"],
        vec!["search", "new.cx", "evil"],
        vec!["context", "new.cx", "ana@example.pt", "--json"],
        vec!["export", "new.cx", "ana@example.pt"],
    ] {
        let said = shell.ok(&args);
        let is_steering = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!said.contains(is_steering), "{args:?}: {said:?}");
        assert!(said.contains("zap") || said.contains("evil"), "{args:?}: {said}");
    }
}

#[test]
fn what_a_command_prints_as_json_says_what_was_taken_in() {
    let shell = Shell::new();
    shell.write("x.jsonl", STEERING);
    assert_eq!(import(&shell, &["x.jsonl"], "jsonl").code, 0);
    shell.write("again.jsonl", shell.ok(&["timeline", "new.cx", "ana@example.pt", "--json"]));
    let said = import(&shell, &["again.jsonl"], "jsonl");
    assert!(said.out.contains(": 0 new, 2 duplicate, 0 revised, 0 conflict,"), "{}", said.out);
    let printed = shell.ok(&["export", "new.cx", "ana@example.pt"]);
    shell.ok(&["export", "new.cx", "ana@example.pt", "--out", "out.json"]);
    assert_eq!(printed, std::fs::read_to_string(shell.path("out.json")).unwrap());
}

#[test]
fn who_shares_a_number_is_named_with_who_may_be_the_same() {
    let shell = demo();
    let said = shell.ok(&["candidates", "demo.cx", "+31206241111"]);
    assert!(said.starts_with("Several customers share it; none is chosen.\n"), "{said}");
    assert!(said.contains("  Jan de Vries  ") && said.contains("  Eva Bakker  "), "{said}");
    assert_eq!(said.matches("of the same household").count(), 1, "{said}");
    let then = ["candidates", "demo.cx", "+31206241111", "--as-of", "2026-01-01T00:00:00Z"];
    assert_eq!(shell.ok(&then), "Nobody else may be the same person.\n");
    // The address that somebody else only typed.
    let of = |key: &str, assurance: &str| {
        let who = format!(
            ",\"name\":\"Jan Smit\",\"who\":[{{\"ns\":\"email\",\"value\":\"jan@x.nl\",\"assurance\":\"{assurance}\"}}]"
        );
        line(key, &who)
    };
    shell.write("f.jsonl", of("s/1", "channel_proved") + &of("s/2", "self_stated"));
    assert_eq!(import(&shell, &["f.jsonl"], "jsonl").code, 0);
    let said = shell.ok(&["candidates", "new.cx", "jan@x.nl"]);
    assert!(said.contains("may be the same person") && !said.contains("Nobody"), "{said}");
}

#[test]
fn what_an_identifier_lacks_is_told() {
    let shell = demo();
    assert!(shell.ok(&["find", "demo.cx", "tel:+31612345678"]).starts_with("One customer"));
    for (typed, missing) in [
        ("0612345678", "--region"),
        ("31612345678", "--region"),
        ("helpdesk:88", "helpdesk:SCOPE:VALUE"),
        ("order:450001", "order:SCOPE:VALUE"),
        ("cookie:widget-5f21", "cookie:SITE:VALUE"),
    ] {
        let said = shell.cx(&["find", "demo.cx", typed]);
        assert_eq!((said.code, said.out.as_str()), (0, "Nobody is known by it.\n"), "{typed}");
        assert!(said.err.contains(missing), "{typed}: {}", said.err);
    }
    assert_eq!(shell.cx(&["find", "demo.cx", JAN]).err, "");
}

#[test]
fn what_can_mean_nobody_is_not_recorded() {
    let shell = demo();
    for wrong in [
        vec!["block", "demo.cx", "0612345678"],
        vec!["block", "demo.cx", "phone:nonsense"],
        vec!["rekey", "demo.cx", JAN, JAN],
        vec!["same", "demo.cx", JAN, JAN],
    ] {
        let said = shell.cx(&wrong);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{wrong:?}: {}", said.err);
    }
    for (doubtful, told) in [
        (vec!["block", "demo.cx", NOBODY], "no event carries it"),
        (vec!["trust", "demo.cx", "nosuch:thing"], "no event carries it"),
        (vec!["block", "demo.cx", "0612345678", "--region", "NL"], ""),
    ] {
        let said = shell.cx(&doubtful);
        assert_eq!(said.code, 0, "{doubtful:?}: {}", said.err);
        assert!(said.err.contains(told) && said.err.is_empty() == told.is_empty(), "{}", said.err);
    }
    shell.write("p.toml", "blocked = [\"06 12345678\"]\n");
    assert!(shell.cx(&["policy", "check", "p.toml"]).err.contains("country code"));
    // Nothing is done that a command was not asked for.
    let people = "name,email\nJan Smit,jan@example.nl\nJan Smit,jan@example.nl\n";
    shell.write("people.csv", people);
    let link = ["link", "people.csv", "--explain", "1", "2", "--out", "out.csv"];
    assert_eq!(shell.cx(&link).code, 2);
    let retained = shell.cx(&["retain", "demo.cx"]);
    assert!(retained.code == 1 && retained.err.contains("--rules"), "{}", retained.err);
}

#[test]
fn an_instant_is_read_without_seconds_and_a_day_is_none() {
    let shell = demo();
    let at = |at: &str| shell.cx(&["timeline", "demo.cx", JAN, "--until", at, "--json"]);
    assert_eq!(at("2026-03-04T10:05+01:00").out, at("2026-03-04T10:05:00+01:00").out);
    let said = at("2026-03-04");
    assert!(said.code == 2 && said.err.contains("2026-03-04T10:05:00+01:00"), "{}", said.err);
    assert!(!said.err.contains("which zone it is in"), "{}", said.err);
}

#[test]
fn a_question_leaves_a_file_of_an_earlier_schema_as_it_is() {
    let shell = Shell::new();
    let old = std::fs::read("../tests/files/schema-1.cx").unwrap();
    shell.write("old.cx", &old);
    for question in [
        vec!["find", "old.cx", NOBODY],
        vec!["waiting", "old.cx"],
        vec!["changes", "old.cx"],
        vec!["backup", "old.cx", "copy.cx"],
    ] {
        let said = shell.cx(&question);
        assert_eq!(said.code, 0, "{question:?}: {}", said.err);
        assert!(said.err.starts_with("old.cx: of an earlier schema; "), "{}", said.err);
        assert!(std::fs::read(shell.path("old.cx")).unwrap() == old, "{question:?}");
    }
    assert_eq!(shell.cx(&["check", "copy.cx"]).code, 0);
    let said = shell.cx(&["block", "old.cx", NOBODY]);
    assert!(said.err.contains("old.cx: brought forward"), "{}", said.err);
    assert_eq!(shell.cx(&["find", "old.cx", NOBODY]).err, "");
}

#[test]
fn an_import_tells_what_it_did_not_understand_and_what_links_nobody() {
    let shell = Shell::new();
    let table = "key,kind,occurred_at,phone,Status,agent\n\
        1,call,2026-03-02T09:00:00Z,0612345678,closed,Sam\n\
        2,call,2026-03-02T09:00:00Z,+31612345678,,\n";
    shell.write("calls.csv", table);
    let said = import(&shell, &["calls.csv"], "csv");
    assert!(said.err.contains("kept as they stand: Status, agent\n"), "{}", said.err);
    assert!(said.err.contains("linking nobody: 1 of phone; "), "{}", said.err);
    assert!(said.err.contains("--region"), "{}", said.err);
    let again = import(&shell, &["calls.csv"], "csv");
    assert!(!again.err.contains("linking nobody"), "duplicates link as before: {}", again.err);
}
