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
    assert!(said.out.ends_with(" touched, counted in each of 2 batches\n"), "{}", said.out);
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
