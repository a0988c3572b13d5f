//! The main job, end to end.

use crate::shell::{NOW, Shell, payload};

#[test]
fn the_demo_tells_who_is_calling_and_what_is_known() {
    let shell = Shell::new();
    insta::assert_snapshot!(shell.ok(&["demo", "--into", "demo.cx"]));
    assert!(shell.ok(&["check", "demo.cx"]).contains("clean"));
}

#[test]
fn the_demo_a_second_time_changes_nothing() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let before = shell.ok(&["context", "demo.cx", "+31612345678", "--json"]);
    let again = shell.ok(&["demo", "--into", "demo.cx"]);
    assert!(!again.contains(" 1 new") && again.contains("0 new, 9 duplicate"), "{again}");
    assert_eq!(shell.ok(&["context", "demo.cx", "+31612345678", "--json"]), before);
}

const FILES: &[(&str, &str)] = &[
    ("shopify_orders.json", "shopify"),
    ("mail.mbox", "mail"),
    ("sendgrid_events.json", "sendgrid"),
    ("shopify_carts.json", "shopify"),
    ("shopify_checkouts.json", "shopify"),
    ("zendesk.jsonl", "zendesk"),
    ("chatwoot_webhooks.jsonl", "chatwoot"),
    ("twilio_callbacks.txt", "twilio"),
];

fn import(shell: &Shell, file: &str, format: &str, into: &str) -> String {
    shell.ok(&[
        "import",
        &payload(file),
        "--from",
        format,
        "--into",
        into,
        "--instance",
        "acme",
        "--region",
        "nl",
        "--own",
        "acme.example",
        "--own-number",
        "+31 20 808 0808",
    ])
}

#[test]
fn the_order_of_imports_does_not_matter_to_the_byte() {
    let shell = Shell::new();
    for (file, format) in FILES {
        import(&shell, file, format, "forwards.cx");
    }
    for (file, format) in FILES.iter().rev() {
        import(&shell, file, format, "backwards.cx");
    }
    for who in
        ["jan.devries@example.nl", "eva.bakker@example.nl", "+31206241111", "info@bakkerij.example"]
    {
        for form in ["--json", "--markdown", "--html"] {
            let forwards = shell.ok(&["context", "forwards.cx", who, form]);
            assert_eq!(shell.ok(&["context", "backwards.cx", who, form]), forwards, "{who} {form}");
        }
    }
    for file in ["forwards.cx", "backwards.cx"] {
        assert!(shell.ok(&["check", file]).contains("clean"));
    }
}

#[test]
fn the_housemate_is_another_customer_and_the_landline_is_nobodys_alone() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let landline = shell.ok(&["context", "demo.cx", "+31 20 624 1111"]);
    assert!(landline.starts_with("Several customers may be meant\n"), "{landline}");
    assert!(landline.contains("Eva Bakker") && landline.contains("Jan de Vries"));
    let eva = shell.ok(&["context", "demo.cx", "eva.bakker@example.nl"]);
    assert!(eva.starts_with("Eva Bakker\n") && !eva.contains("#1001"), "{eva}");
    let bakery = shell.ok(&["context", "demo.cx", "info@bakkerij.example"]);
    assert!(!bakery.contains("Jan"), "{bakery}");
}

#[test]
fn a_human_may_say_otherwise_and_take_it_back() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let ask = || shell.ok(&["context", "demo.cx", "jan.devries@example.nl", "--json"]);
    let before = ask();
    let said = shell.ok(&[
        "same",
        "demo.cx",
        "jan.devries@example.nl",
        "eva.bakker@example.nl",
        "--reason",
        "told on the phone",
    ]);
    let id = said.split_whitespace().find(|word| word.starts_with("ast_")).unwrap();
    let joined = ask();
    assert!(joined.contains("#995") && joined.contains("told on the phone"), "{joined}");
    shell.ok(&["revoke", "demo.cx", id]);
    assert_eq!(ask(), before);
    shell.ok(&["different", "demo.cx", "jan.devries@example.nl", "eva.bakker@example.nl"]);
    assert!(shell.ok(&["check", "demo.cx"]).contains("clean"));
}

#[test]
fn an_earlier_instant_knows_nothing_later() {
    let shell = Shell::new();
    shell.ok(&["demo", "--into", "demo.cx"]);
    let monday = shell.ok(&[
        "context",
        "demo.cx",
        "jan.devries@example.nl",
        "--as-of",
        "2026-03-02T10:00:00+01:00",
    ]);
    assert!(monday.contains("e-mail “Order #1001: the handle is broken”"), "{monday}");
    assert!(!monday.contains("open cart") && !monday.contains("Already asked"), "{monday}");
    let _same_instant = shell.ok(&["context", "demo.cx", "jan.devries@example.nl", "--as-of", NOW]);
}
