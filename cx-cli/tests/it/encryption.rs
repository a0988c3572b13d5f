//! Files that are encrypted, from a shell.

use crate::shell::Shell;

const CALLER: &str = "jan.devries@example.nl";

#[cfg(not(feature = "encryption"))]
#[test]
fn a_build_that_cannot_encrypt_refuses_a_key_and_writes_nothing() {
    let shell = Shell::new();
    shell.write("key", "swordfish\n");
    for words in [
        &["--key-file", "key", "demo", "--into", "demo.cx"][..],
        &["context", "--key-file", "key", "demo.cx", CALLER],
    ] {
        let said = shell.cx(words);
        assert_eq!(said.code, 1, "{words:?}");
        assert!(said.err.contains("cannot encrypt"), "{}", said.err);
    }
    assert!(!shell.path("demo.cx").exists());
}

#[test]
fn a_key_file_that_holds_no_key_is_named() {
    let shell = Shell::new();
    let said = shell.cx(&["--key-file", "none", "demo", "--into", "demo.cx"]);
    assert_eq!(said.code, 1);
    assert!(said.err.starts_with("cx: none: no key can be read from it"), "{}", said.err);
    shell.write("empty", "\n");
    let said = shell.cx(&["--key-file", "empty", "demo", "--into", "demo.cx"]);
    assert_eq!(said.err, "cx: empty: no key can be read from it: the passphrase is empty\n");
    assert!(!shell.path("demo.cx").exists());
}

#[test]
fn the_environment_names_the_key_file_where_the_command_line_does_not() {
    let shell = Shell::new();
    let demo = ["demo", "--into", "demo.cx"];
    let said = shell.cx_with(&[("CX_KEY_FILE", "none")], &demo);
    assert!(said.err.starts_with("cx: none: no key can be read from it"), "{}", said.err);
    let said =
        shell.cx_with(&[("CX_KEY_FILE", "none")], &[&["--key-file", "other"], &demo[..]].concat());
    assert!(said.err.starts_with("cx: other: "), "{}", said.err);
    // An empty one is a mistake, and not taken for none.
    assert_eq!(shell.cx_with(&[("CX_KEY_FILE", "")], &demo).code, 2);
    assert!(!shell.path("demo.cx").exists());
}

#[cfg(feature = "encryption")]
#[test]
fn an_encrypted_file_is_asked_with_its_key_file_and_by_nobody_else() {
    let shell = Shell::new();
    shell.write("key", "swordfish\n");
    shell.write("other", "0f".repeat(32));
    let key = |words: &[&str]| -> String {
        let words: Vec<&str> = [&["--key-file", "key"], words].concat();
        shell.ok(&words)
    };
    key(&["demo", "--into", "demo.cx"]);
    let asked = ["context", "demo.cx", CALLER];
    assert!(key(&asked).contains("Jan de Vries"));
    assert!(key(&["check", "demo.cx"]).starts_with("demo.cx: clean"));
    let said = shell.cx(&asked);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.starts_with("cx: demo.cx: it is encrypted"), "{}", said.err);
    let said = shell.cx(&[&["--key-file", "other"], &asked[..]].concat());
    assert!(said.err.starts_with("cx: demo.cx: cannot be read with this key"), "{}", said.err);

    // Under another key, under none, and back.
    let copy = ["--key-file", "key", "backup", "demo.cx", "other.cx", "--new-key-file", "other"];
    shell.ok(&copy);
    assert!(shell.cx(&copy).err.contains("exists already"));
    let other = shell.ok(&["check", "other.cx", "--key-file", "other"]);
    assert!(other.starts_with("other.cx: clean"));
    key(&["backup", "demo.cx", "plain.cx", "--plain"]);
    assert!(shell.ok(&["check", "plain.cx"]).starts_with("plain.cx: clean"));
    let said = shell.cx(&["check", "plain.cx", "--key-file", "key"]);
    assert!(said.err.contains("not encrypted"), "{}", said.err);
    shell.ok(&["backup", "plain.cx", "again.cx", "--new-key-file", "key"]);
    assert!(key(&["check", "again.cx"]).starts_with("again.cx: clean"));

    // What cannot be saved of an encrypted file is said to be so.
    let said = shell.cx(&["--key-file", "key", "salvage", "demo.cx", "saved.cx"]);
    assert!(said.err.contains("take a backup of it"), "{}", said.err);
    assert!(!shell.path("saved.cx").exists());
}

#[cfg(feature = "encryption")]
#[test]
fn facts_are_imported_into_an_encrypted_file() {
    let shell = Shell::new();
    shell.write("key", "swordfish\n");
    shell.ok(&["demo", "--into", "demo.cx"]);
    shell.ok(&["export", "demo.cx", "--all", "--out", "facts.jsonl"]);
    let into = ["import", "facts.jsonl", "--from", "facts", "--into", "new.cx"];
    shell.ok(&[&["--key-file", "key"], &into[..]].concat());
    assert!(!std::fs::read(shell.path("new.cx")).unwrap().starts_with(b"SQLite"));
    assert!(shell.ok(&["--key-file", "key", "check", "new.cx"]).starts_with("new.cx: clean"));
}
