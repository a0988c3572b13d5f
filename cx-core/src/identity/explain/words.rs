//! Explanations in sentences that somebody who serves customers understands.

use super::{
    Because, ByModel, Candidate, How, Link, Obstacle, Person, Records, Relation, Rule, Said, Why,
    WhyNot,
};
use crate::identifier::{Assurance, Identifier, Namespace};
use crate::time::Timestamp;

pub(super) fn why(why: &Why, a: Option<&Identifier>, b: Option<&Identifier>) -> Vec<String> {
    let mut sentences = vec![format!("Both are {}.", person(&why.customer))];
    if why.paths.is_empty() {
        let on = records(&why.a);
        sentences.push(match (a, b) {
            (Some(a), Some(b)) if a != b => {
                let (one, other) = (proved(a, &why.a), proved(b, &why.b));
                format!("{} and {other} are on the same records: {on}.", capital(&one))
            }
            (Some(one), _) | (None, Some(one)) => {
                format!("{} is on these records: {on}.", capital(&spoken(one)))
            }
            (None, None) => format!("They are the same records: {on}."),
        });
    }
    for (position, path) in why.paths.iter().enumerate() {
        if position > 0 {
            sentences.push("Independently of that:".to_owned());
        }
        sentences.extend(path.links.iter().map(link));
        sentences
            .extend(path.words.iter().map(|said| format!("{}.", capital(&spoken_verdict(said)))));
        if !path.support.is_empty() {
            let others: Vec<String> = path.support.iter().map(records).collect();
            sentences
                .push(format!("Their names agree through further records: {}.", others.join("; ")));
        }
    }
    if why.more {
        sentences.push("There may be further ways from one to the other.".to_owned());
    }
    sentences
}

pub(super) fn why_not(why_not: &WhyNot) -> Vec<String> {
    let side = |side: &Option<Person>| {
        side.as_ref().map_or_else(|| "nobody who is known".to_owned(), person)
    };
    let mut sentences =
        vec![format!("They are two: {}, and {}.", side(&why_not.a), side(&why_not.b))];
    sentences.extend(why_not.obstacles.iter().map(obstacle));
    sentences.extend(why_not.model.iter().flat_map(by_model));
    sentences
}

pub(super) fn how(how: &How) -> Vec<String> {
    let n = how.records.len();
    let groups =
        if n == 1 { "one group of records".to_owned() } else { format!("{n} groups of records") };
    let mut sentences = vec![format!("{} is {groups}.", capital(&person(&how.customer)))];
    sentences.extend(how.records.iter().map(|told| format!("Records: {}.", records(told))));
    sentences.extend(how.joins.iter().map(link));
    for value in &how.set_aside {
        let on = records(&value.records);
        let because = because(&value.because);
        sentences.push(format!(
            "{} plays no part ({on}): {because}.",
            capital(&spoken(&value.identifier))
        ));
    }
    match how.by_time {
        0 => {}
        1 => sentences
            .push("One event on a value that several use belongs here by its time.".to_owned()),
        n => sentences
            .push(format!("{n} events on values that several use belong here by their time.")),
    }
    sentences
}

pub(super) fn candidate(candidate: &Candidate) -> Vec<String> {
    let relation = match candidate.relation {
        Relation::Possible => "may be the same person",
        Relation::Household => "seems to be of the same household",
    };
    let mut sentences = vec![format!("{} {relation}.", capital(&person(&candidate.customer)))];
    sentences.extend(candidate.evidence.iter().map(obstacle));
    sentences.extend(candidate.model.iter().flat_map(by_model));
    sentences
}

fn by_model(told: &ByModel) -> Vec<String> {
    let (bits, model) = (f64::from(told.weight) / 1000.0, short(&told.model));
    let what = match told.relation {
        Relation::Possible => "for one person",
        Relation::Household => "for people of one household",
    };
    let first = format!(
        "The model {model} took them {what} with {bits:+.1} bits on {}: {}.",
        day(told.at),
        told.sentences.join("; ")
    );
    vec![first]
}

/// Enough of a hash to know it by.
fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

fn link(link: &Link) -> String {
    let (left, right) = (records(&link.left), records(&link.right));
    if let Some(said) = &link.said {
        let what = match link.rule {
            Rule::Rekeyed => "one value has replaced the other",
            Rule::Probable => "they are probably one person",
            _ => "they are one person",
        };
        return format!("{} that {what}: {left}; and {right}.", capital(&spoken_word(said)));
    }
    let value = link.identifier.as_ref().map_or_else(|| "a value".to_owned(), spoken);
    let rule = match link.rule {
        Rule::Exclusive => "one system's own id of a person, which nobody else has",
        Rule::Strong => "a proved value is one person's where the names agree",
        Rule::Corroborating => "such a value is one person's where the names agree",
        Rule::Device => "a device is one person's where the names agree",
        Rule::Dominant => "several use it, and nearly all days of it are this person's",
        Rule::Tenancy => "several had it, one after the other, and it was this person's then",
        Rule::Time => "several use it, and the event is nearest in time to this person",
        Rule::Bridge => "events that name nobody go with it",
        Rule::Said => "a person said so",
        Rule::Rekeyed => "one value has replaced the other",
        Rule::Probable => "a model takes them for one person",
    };
    let trusted = link
        .trusted
        .as_ref()
        .map(|said| format!("; {} that it is one person's", spoken_word(said)));
    let trusted = trusted.unwrap_or_default();
    format!("{} is on both: {left}; and {right}. Rule: {rule}{trusted}.", capital(&value))
}

fn obstacle(obstacle: &Obstacle) -> String {
    let because = because(&obstacle.because);
    let Some(value) = &obstacle.identifier else { return format!("{}.", capital(&because)) };
    let side = |side: &Option<Records>| side.as_ref().map_or_else(String::new, records);
    format!(
        "Both carry {} ({}; and {}), but {because}.",
        spoken(value),
        side(&obstacle.left),
        side(&obstacle.right)
    )
}

fn because(because: &Because) -> String {
    let word =
        |said: &Option<Said>| said.as_ref().map_or_else(|| "somebody said".to_owned(), spoken_word);
    match because {
        Because::Different { said } => format!("{} that they are two persons", word(said)),
        Because::Blocked { said } => format!("{} that it links nobody", word(said)),
        Because::Detached { said } => {
            format!("{} that this record is not of its holder", word(said))
        }
        Because::Hub { persons: Some(n) } => {
            format!("so many use it that it links nobody ({n} different persons were seen with it)")
        }
        Because::Hub { persons: None } => {
            "it is the address of a role, which links nobody".to_owned()
        }
        Because::NotAnIdentifier => "it is a placeholder or has no valid form".to_owned(),
        Because::Crowded => "the record claims more values than one person has".to_owned(),
        Because::NeverLinks { namespace } => {
            format!("an identifier of the kind {namespace} never links persons")
        }
        Because::SaidToBeShared => "the source says that several people use it".to_owned(),
        Because::OnBehalfOf => "somebody else acted for its holder".to_owned(),
        Because::NotProved { assurance, needs } => format!(
            "on one side it is only {}, and it links from {} on",
            proof(*assurance),
            proof(*needs)
        ),
        Because::Limit { of, left, right } => format!(
            "each has {of} of their own ({} and {}), of which a person has only one set",
            left.join(", "),
            right.join(", ")
        ),
        Because::Names { left, right } => {
            format!("the names do not agree ({} and {})", left.join(", "), right.join(", "))
        }
        Because::OnlyStated { proved: true } => {
            "one has only stated it, each has proved other things, and no whole name is on both"
                .to_owned()
        }
        Because::OnlyStated { proved: false } => {
            "both have only stated it, each has proved other things, and no whole name is on both"
                .to_owned()
        }
        Because::Contested { persons } => {
            format!("{} use it, so it joins nobody whom a name does not", n_persons(*persons))
        }
        Because::SharedDevice { persons } => format!(
            "{} use the device, and only what is near in time to one of them is theirs",
            n_persons(*persons)
        ),
        Because::Unattributed => "nothing links one of the two to anybody".to_owned(),
        Because::NothingInCommon => "there is no value that both carry".to_owned(),
    }
}

fn n_persons(n: u32) -> String {
    if n == 1 { "one person seems to".to_owned() } else { format!("{n} persons") }
}

fn person(person: &Person) -> String {
    match person.names.first() {
        Some(name) => format!("{name} ({})", person.id),
        None => format!("somebody without a name ({})", person.id),
    }
}

fn records(told: &Records) -> String {
    let name =
        told.name.as_deref().map_or_else(|| "no name".to_owned(), |name| format!("“{name}”"));
    let events =
        if told.n_events == 1 { "1 event".to_owned() } else { format!("{} events", told.n_events) };
    let proved =
        told.assurance.map(|assurance| format!(", {}", proof(assurance))).unwrap_or_default();
    let (first, last) = (day(told.first_seen), day(told.last_seen));
    let when =
        if first == last { format!("on {first}") } else { format!("from {first} to {last}") };
    let first = if told.n_events == 1 { format!(" ({})", told.event) } else { String::new() };
    format!("{name} at {}, {events}{first} {when}{proved}", told.sources.join(", "))
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// How well something is proved, as it is said of a value.
const fn proof(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Inferred => "inferred",
        Assurance::SelfStated => "stated",
        Assurance::ChannelProved => "proved by the channel",
        Assurance::Authenticated => "proved by a login",
        Assurance::StaffVerified => "checked by staff",
    }
}

fn spoken_word(said: &Said) -> String {
    let reason = said.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let weight = said.weight.map(|weight| format!(" with {:+.1} bits", f64::from(weight) / 1000.0));
    let weight = weight.unwrap_or_default();
    format!("{} said on {}{weight}{reason}, {}", said.by, day(said.at), said.assertion)
}

/// A value, and how well it is proved on these records.
fn proved(value: &Identifier, on: &Records) -> String {
    let proof = on.assurance.map(|assurance| format!(" ({})", proof(assurance)));
    format!("{}{}", spoken(value), proof.unwrap_or_default())
}

/// What somebody said about one of the records.
fn spoken_verdict(said: &Said) -> String {
    let what = match said.kind.as_str() {
        "same" => "that one of these events and another record are one person",
        "different" => "that one of these events and another record are two persons",
        "probable" => "that one of these events and another record are probably one person",
        _ => "that one of these events is not of the holder of a value",
    };
    format!("{} {what}", spoken_word(said))
}

/// A value as one speaks of it.
fn spoken(value: &Identifier) -> String {
    match value.namespace() {
        Namespace::Email => format!("the address {}", value.key()),
        Namespace::Phone | Namespace::WaId => format!("the number {}", value.key()),
        Namespace::Cookie => format!("the cookie {}", value.key()),
        Namespace::Device => format!("the device {}", value.key()),
        Namespace::Order | Namespace::Cart | Namespace::Checkout | Namespace::Conversation => {
            format!("{} {}", value.namespace().name(), value.key())
        }
        _ => value.to_string(),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
