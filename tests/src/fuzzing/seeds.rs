//! Inputs to begin with: the project's own fixtures, and what its documents show.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cx_adapters::{Format, format};
use cx_core::identity::Policy;
use cx_core::linkage::Model;
use cx_store::{Recording, Store, TimelineQuery};

use super::adapters::options;
use crate::story;

/// An input, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// A name for its file.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

impl Seed {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

/// The words that stand in seeds, for a dictionary: fuzzing finds fields by name only where it
/// knows the names.
pub fn words(seeds: &[Seed]) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for seed in seeds {
        let text = String::from_utf8_lossy(&seed.bytes);
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':');
        let parts = text.split(|c: char| !is_part(c));
        words.extend(parts.filter(|word| (3..=24).contains(&word.len())).map(str::to_owned));
    }
    words
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files of a folder, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    files
}

fn seed(prefix: &str, file: &Path) -> Seed {
    let name = file.file_name().unwrap().to_string_lossy();
    Seed::new(format!("{prefix}{name}"), std::fs::read(file).unwrap())
}

/// The payloads of a format, and what the demo has of it.
fn payloads(format: Format) -> Vec<Seed> {
    let name = format.name();
    let folder = files(&format!("tests/payloads/{name}"));
    let demo = files("cx-cli/demo").into_iter().filter(|file| {
        let file = file.file_name().unwrap().to_string_lossy();
        file.starts_with(name) && file.contains('.')
    });
    let folder = folder.iter().map(|file| seed("payload-", file)).collect::<Vec<_>>();
    folder.into_iter().chain(demo.map(|file| seed("demo-", &file))).collect()
}

/// The blocks of the documents in a language.
fn blocks(language: &str) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for file in files("docs") {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy();
        let fence = format!("```{language}\n");
        for (number, block) in text.split(fence.as_str()).skip(1).enumerate() {
            let block = block.split("```").next().unwrap_or_default();
            seeds.push(Seed::new(format!("docs-{name}-{number}"), block));
        }
    }
    seeds
}

fn each(texts: &[&str]) -> Vec<Seed> {
    texts.iter().enumerate().map(|(n, text)| Seed::new(format!("text-{n}"), *text)).collect()
}

pub(super) fn zendesk() -> Vec<Seed> {
    payloads(Format::Zendesk)
}

pub(super) fn chatwoot() -> Vec<Seed> {
    payloads(Format::Chatwoot)
}

pub(super) fn twilio() -> Vec<Seed> {
    payloads(Format::Twilio)
}

pub(super) fn shopify() -> Vec<Seed> {
    payloads(Format::Shopify)
}

pub(super) fn sendgrid() -> Vec<Seed> {
    payloads(Format::Sendgrid)
}

pub(super) fn mail() -> Vec<Seed> {
    payloads(Format::Mail)
}

pub(super) fn jsonl() -> Vec<Seed> {
    [payloads(Format::Jsonl), records()].concat()
}

const MAP: &str = "occurred_at=Datum, email=Klant, text=Opmerking, kind:=message, channel:=email,\n\
    direction:=in, zone:=Europe/Amsterdam, time_format:=%d-%m-%Y %H:%M, delimiter:=;\n\n";

pub(super) fn csv() -> Vec<Seed> {
    let mut seeds = payloads(Format::Csv);
    let mapped: Vec<Seed> = seeds
        .iter()
        .map(|seed| {
            let bytes = [MAP.as_bytes(), &seed.bytes].concat();
            Seed::new(format!("mapped-{}", seed.name), bytes)
        })
        .collect();
    seeds.extend(mapped);
    seeds.extend(blocks("csv"));
    seeds
}

/// The events that the adapters make of all payloads, a few of each, as lines.
pub(super) fn records() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for format in Format::ALL {
        for payload in payloads(*format) {
            let options = options();
            let events = format::events(*format, &payload.bytes, &options).flatten().take(6);
            let lines: Vec<String> =
                events.map(|event| serde_json::to_string(&event).unwrap()).collect();
            seeds.push(Seed::new(format!("{format}-{}", payload.name), lines.join("\n")));
        }
    }
    seeds
}

/// One event of each kind.
pub(super) fn event() -> Vec<Seed> {
    let mut kinds: BTreeMap<String, Seed> = BTreeMap::new();
    for seed in records() {
        for line in String::from_utf8_lossy(&seed.bytes).lines() {
            let event: cx_core::event::Event = serde_json::from_str(line).unwrap();
            let kind = event.kind.name().into_owned();
            kinds.entry(kind.clone()).or_insert_with(|| Seed::new(format!("kind-{kind}"), line));
        }
    }
    kinds.into_values().collect()
}

/// A store with something in most tables, as lines; and fewer of them.
pub(super) fn facts() -> Vec<Seed> {
    let store = Store::open_in_memory().unwrap();
    let options = options();
    for format in [Format::Zendesk, Format::Jsonl] {
        for seed in payloads(format) {
            let events = format::events(format, &seed.bytes, &options).flatten();
            store.ingest(&Recording::new(story::monday(), format.name()), events).unwrap();
        }
    }
    let mut lines = Vec::new();
    store.export_facts(&mut lines).unwrap();
    let kept = std::fs::read(root().join("tests/files/kept.jsonl")).unwrap();
    let all = String::from_utf8(lines).unwrap();
    let mut few: Vec<&str> = Vec::new();
    for fact in ["store", "assertion", "event", "change", "issued", "end"] {
        let mark = format!("\"fact\":\"{fact}\"");
        few.extend(all.lines().filter(|line| line.contains(&mark)).take(3));
    }
    let more = [
        r#"{"fact":"proposal","a":"obs_00000000000000000000000000000001","b":"obs_00000000000000000000000000000002","relation":"same","weight":3000,"told":"{}"}"#,
        r#"{"fact":"suppressed","hash":"00000000000000000000000000000001","until":"2027-01-01T00:00:00Z"}"#,
        r#"{"fact":"erasure","at":"2026-03-02T08:00:00Z","mode":"delete","customer":"cus_00000000000080008000000000000001","events":3}"#,
    ];
    let erased = [few.join("\n"), more.join("\n")].join("\n");
    let head = few.first().copied().unwrap_or_default();
    vec![
        Seed::new("few", few.join("\n")),
        Seed::new("erased", erased),
        Seed::new("head", head),
        Seed::new("kept", [head.as_bytes(), b"\n", &kept].concat()),
    ]
}

pub(super) fn cursor() -> Vec<Seed> {
    let store = Store::open_in_memory().unwrap();
    let message =
        |n| story::message(&format!("k/{n}"), n, "chat", "Jan", &["email jan@example.nl"]);
    store.ingest(&Recording::new(story::monday(), "story"), (0..3).map(message)).unwrap();
    let who = "jan@example.nl".parse().unwrap();
    let page = store.timeline(&who, &TimelineQuery::new().limit(2), None).unwrap();
    let mut seeds = each(&["", "1...", "1.0.0.6b", "1.-5.7.", "2.0.0.6b"]);
    seeds.extend(page.next.map(|next| Seed::new("page", next.to_string())));
    seeds
}

pub(super) fn search() -> Vec<Seed> {
    each(&[
        "pakket",
        "mijn pak*",
        "\"waar is\" AND NOT order",
        "text:pakket OR {subject}: (a NEAR/2 b)",
        "où déjà 注文",
        "^top 👍🏽 -- ' ; DROP",
    ])
}

pub(super) fn who() -> Vec<Seed> {
    each(&[
        "jan@example.nl",
        "\"j d\"@[127.0.0.1]",
        "+31 6 1234 5678",
        "020-624 1111",
        "tel:+1-212-555-0100;ext=5",
        "helpdesk:zendesk:acme:123",
        "cookie:site:c1",
        "cus_00000000000080008000000000000001",
        "j\u{430}n@ex\u{e4}mple.nl",
        "wa_id:31612345678",
    ])
}

pub(super) fn values() -> Vec<Seed> {
    each(&[
        "2026-03-04T10:02:00.123456+01:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "-05:30",
        "14d",
        "1h30m",
        "1234.50",
        "-0.000000000001",
        "EUR",
        "13 months",
        "forever",
    ])
}

pub(super) fn policy() -> Vec<Seed> {
    let mut seeds = blocks("toml");
    seeds.push(Seed::new("default-toml", Policy::default().to_toml()));
    seeds.push(Seed::new("default-json", serde_json::to_string(&Policy::default()).unwrap()));
    seeds
}

pub(super) fn journey() -> Vec<Seed> {
    let mut seeds: Vec<Seed> =
        files("cx-core/journeys").iter().map(|file| seed("shipped-", file)).collect();
    let shipped = cx_core::journey::shipped();
    seeds.extend(shipped.iter().map(|definition| {
        Seed::new(format!("{}-json", definition.id), serde_json::to_string(definition).unwrap())
    }));
    seeds.extend(blocks("toml"));
    seeds
}

pub(super) fn retention() -> Vec<Seed> {
    each(&[
        "[[rule]]\nkind = \"order.*\"\nkeep = \"7 years\"\n\n[[rule]]\nchannel = \"web\"\nkeep = \"13 months\"\n",
        "{\"rule\": [{\"kind\": \"message\", \"channel\": \"chat\", \"keep\": \"30 days\"}, {\"keep\": \"forever\"}]}",
    ])
}

pub(super) fn model() -> Vec<Seed> {
    let shipped = Model::shipped();
    vec![
        Seed::new("shipped", shipped.to_json()),
        Seed::new("shipped-splink", shipped.to_splink(1_000)),
        seed("splink-", &root().join("cx-core/src/linkage/splink/model.json")),
    ]
}

/// Choices: the bytes of a short text are as good as any.
pub(super) fn store() -> Vec<Seed> {
    let mut chance = crate::chance::Chance::seeded(4);
    let life = |n: usize, chance: &mut crate::chance::Chance| -> Vec<u8> {
        (0..n).map(|_| u8::try_from(chance.below(256)).unwrap_or(0)).collect()
    };
    (1..=12).map(|n| Seed::new(format!("life-{n}"), life(n * 24, &mut chance))).collect()
}

/// A flipped bit in every other page, a page cut, and nothing at all.
pub(super) fn damaged() -> Vec<Seed> {
    let mut seeds =
        vec![Seed::new("whole", ""), Seed::new("cut", [0x80, 0]), Seed::new("none", [0, 0])];
    for page in 0..32_usize {
        let at = page * 16_384 + 37 * page + 100;
        let place = [(at >> 16) & 0xff, (at >> 8) & 0xff, at & 0xff];
        let mut bytes: Vec<u8> = place.iter().map(|byte| u8::try_from(*byte).unwrap()).collect();
        bytes.extend([1, 1 << (page % 8)]);
        seeds.push(Seed::new(format!("page-{page}"), bytes));
    }
    seeds
}
