//! What the renderings show: sections of lines, in order of usefulness.

use crate::context::Context;
use crate::context::blocks::{
    Alert, AttributeBlock, CartBlock, ConsentBlock, Contact, Customer, LineBlock, Mail, OpenMatter,
    OrderBlock, PartyRef, Provenance, Said,
};
use crate::context::facts::Confidence;
use crate::conversation::{WaitingOn, goes_on};
use crate::event::identity::{Address, ConsentState};
use crate::event::talk::CallOutcome;
use crate::feedback::LoopState;
use crate::journey::Summary;
use crate::text::steers;
use crate::time::Timestamp;

/// How a piece of a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// What counts most.
    Strong,
    /// What counts least.
    Faint,
    /// What must not be overlooked.
    Warning,
    /// What is well.
    Good,
    /// What somebody wrote: data, never instructions.
    Quote,
    /// A name that somebody gave, in a line that says something of its own; data, too.
    Name,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// How it is meant.
    pub tone: Tone,
    /// Its text, without control characters.
    pub text: String,
}

/// A line, as deep as it hangs under the line above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// 0 for a line of its own, 1 for one that belongs to it.
    pub depth: usize,
    /// Its pieces, with spaces between.
    pub pieces: Vec<Piece>,
}

/// Lines under a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The title.
    pub title: &'static str,
    /// How useful it is among the others where there is no room for all: the smaller, the more.
    pub rank: usize,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A whole answer in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Who it is, and whether that is a name somebody gave or words of our own.
    pub headline: Piece,
    /// How sure, and since when.
    pub subtitle: Vec<Line>,
    /// The sections that have something to say.
    pub sections: Vec<Section>,
}

/// A text on one line: control characters and characters that turn the direction of reading are
/// gone, so that nothing written by others can steer a terminal.
fn tame(text: &str) -> String {
    let kept: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !steers(*c))
        .collect();
    kept.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

impl Line {
    const fn new(depth: usize) -> Self {
        Self { depth, pieces: Vec::new() }
    }

    fn push(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        let text = tame(text.as_ref());
        if !text.is_empty() {
            self.pieces.push(Piece { tone, text });
        }
        self
    }

    fn plain(self, text: impl AsRef<str>) -> Self {
        self.push(Tone::Plain, text)
    }

    fn strong(self, text: impl AsRef<str>) -> Self {
        self.push(Tone::Strong, text)
    }

    fn faint(self, text: impl AsRef<str>) -> Self {
        self.push(Tone::Faint, text)
    }

    fn warning(self, text: impl AsRef<str>) -> Self {
        self.push(Tone::Warning, text)
    }

    fn name(self, text: impl AsRef<str>) -> Self {
        self.push(Tone::Name, text)
    }

    fn quote(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.push(Tone::Quote, text),
            None => self,
        }
    }
}

/// The words of an answer.
pub fn outline(context: &Context) -> Outline {
    let now = context.as_of.parse().ok();
    let name = context.customer.as_ref().map(|customer| customer.name.as_deref());
    let (tone, headline) = match name {
        Some(Some(name)) => (Tone::Name, name),
        Some(None) => (Tone::Plain, "Customer without a name"),
        None if context.r#match.confidence == Confidence::Ambiguous => {
            (Tone::Plain, "Several customers may be meant")
        }
        None => (Tone::Plain, "Nobody known"),
    };
    let headline = Piece { tone, text: tame(headline) };
    let mut sections = vec![
        Section { title: "Why this is one person", rank: 14, lines: reasons(context) },
        Section { title: "Also possible", rank: 0, lines: others(context) },
        Section { title: "Recognised by", rank: 9, lines: identifiers(context) },
        Section { title: "Do not overlook", rank: 1, lines: alerts(&context.alerts) },
        Section { title: "Open matters", rank: 2, lines: open(context, now) },
        Section { title: "Already asked", rank: 3, lines: handover(context) },
        Section { title: "Cart and orders", rank: 5, lines: commerce(context) },
        Section { title: "Mails from us", rank: 10, lines: mails(&context.mails) },
        Section { title: "Last contacts", rank: 4, lines: contacts(context) },
        Section { title: "Feedback", rank: 6, lines: feedback(context) },
        Section { title: "Known problems", rank: 7, lines: incidents(context) },
        Section { title: "Journeys", rank: 11, lines: journeys(&context.journeys) },
        Section { title: "What is known", rank: 12, lines: profile(&context.profile) },
        Section { title: "Agreed to", rank: 13, lines: consent(&context.consent) },
        Section { title: "Notes", rank: 8, lines: notes(context) },
        Section {
            title: "Where this comes from",
            rank: 15,
            lines: provenance(&context.provenance),
        },
    ];
    sections.retain(|section| !section.lines.is_empty());
    Outline { headline, subtitle: subtitle(context), sections }
}

fn subtitle(context: &Context) -> Vec<Line> {
    let asked: Vec<String> = context
        .r#match
        .by
        .iter()
        .map(|asked| format!("{} {}", word(&asked.ns), asked.value))
        .collect();
    let sure = match context.r#match.confidence {
        Confidence::Certain => "certain: one customer holds it",
        Confidence::Probable => "probable: one customer holds it, others may",
        Confidence::Ambiguous => "ambiguous: several customers share it, none is chosen",
        Confidence::None => "nobody is known by it",
    };
    let mut lines = Vec::new();
    let asked = if asked.is_empty() { "somebody unnamed".to_owned() } else { asked.join(", ") };
    lines.push(Line::new(0).faint("asked for").strong(asked).faint("·").plain(sure));
    if let Some(customer) = &context.customer {
        lines.push(about(customer));
    }
    if let Some(n) = context.provenance.left_out.get("unattributed") {
        let text = match n {
            1 => "1 event with it cannot be put to anybody".to_owned(),
            n => format!("{n} events with it cannot be put to anybody"),
        };
        lines.push(Line::new(0).plain(text));
    }
    lines.push(Line::new(0).faint(format!(
        "as of {}, for {}; times are UTC",
        minute(&context.as_of),
        match context.audience.name() {
            "agent" => "agents",
            "marketing" => "marketing",
            "customer" => "the customer",
            _ => "a model",
        }
    )));
    lines
}

fn about(customer: &Customer) -> Line {
    let mut line = Line::new(0)
        .faint(&customer.id)
        .faint("·")
        .plain(format!("known since {}", day(&customer.since)));
    for (label, value) in [
        ("language", customer.language.as_deref()),
        ("local time", customer.local_time.as_deref().map(minute).as_deref()),
    ] {
        if let Some(value) = value {
            line = line.faint("·").plain(format!("{label} {value}"));
        }
    }
    if let Some(company) = customer.company.as_ref().and_then(|company| company.name.as_deref()) {
        line = line.faint("·").name(company);
    }
    if !customer.tags.is_empty() {
        line = line.faint("·").name(customer.tags.join(", "));
    }
    line
}

fn reasons(context: &Context) -> Vec<Line> {
    context.r#match.reasons.iter().map(|reason| Line::new(0).plain(reason)).collect()
}

fn others(context: &Context) -> Vec<Line> {
    let others = context.r#match.others.iter();
    others
        .map(|other| {
            let line = match &other.name {
                Some(name) => Line::new(0).name(name),
                None => Line::new(0).strong("without a name"),
            };
            line.faint(&other.id).plain(&other.reason)
        })
        .collect()
}

fn identifiers(context: &Context) -> Vec<Line> {
    let Some(customer) = &context.customer else { return Vec::new() };
    let lines = customer.identifiers.iter().map(|identifier| {
        let scope = identifier.scope.as_ref().map(|scope| format!("({scope})")).unwrap_or_default();
        let line = Line::new(0).faint(word(&identifier.ns)).strong(&identifier.value).faint(scope);
        let proof = match serde_json::to_value(identifier.verified) {
            Ok(serde_json::Value::String(name)) => name.replace('_', " "),
            _ => String::new(),
        };
        let line = line.plain(proof);
        let line = if identifier.shared { line.warning("shared with others") } else { line };
        let line = if identifier.links { line } else { line.faint("does not link") };
        line.faint(format!("from {}", identifier.sources.join(", ")))
    });
    lines.collect()
}

fn alerts(alerts: &[Alert]) -> Vec<Line> {
    let lines = alerts.iter().map(|alert| {
        let line = Line::new(0);
        if alert.level == "warn" { line.warning(&alert.text) } else { line.plain(&alert.text) }
    });
    lines.collect()
}

fn open(context: &Context, now: Option<Timestamp>) -> Vec<Line> {
    context.open.iter().flat_map(|matter| matter_lines(matter, now)).collect()
}

fn matter_lines(matter: &OpenMatter, now: Option<Timestamp>) -> Vec<Line> {
    let channels: Vec<String> = matter.channels.iter().map(|channel| word(channel)).collect();
    let what =
        if channels.is_empty() { word(&matter.source.system) } else { channels.join(" → ") };
    let line = Line::new(0).strong(what);
    let line = match &matter.subject {
        Some(subject) => line.push(Tone::Quote, subject),
        None => line,
    };
    let state = match serde_json::to_value(matter.state) {
        Ok(serde_json::Value::String(name)) => name.replace('_', " "),
        _ => String::new(),
    };
    let is_other = |native: &&String| native.to_lowercase().replace('_', " ") != state;
    let native = matter.native_state.as_ref().filter(is_other);
    let line = line.faint("·").plain(&state);
    let line = match native {
        Some(native) => line.faint("as the source says:").name(native),
        None => line,
    };
    let line = match &matter.reason {
        Some(reason) => line.faint("because of").name(reason),
        None => line,
    };
    let since = matter.waiting_since.as_deref();
    let how_long = since.map(|since| format!("since {}{}", minute(since), ago(since, now)));
    let how_long = how_long.unwrap_or_default();
    let line = match matter.waiting_on {
        Some(WaitingOn::Us) => line.faint("·").warning(format!("waits for us {how_long}")),
        Some(WaitingOn::Customer) => {
            line.faint("·").plain(format!("waits for the customer {how_long}"))
        }
        Some(WaitingOn::Third) => {
            line.faint("·").plain(format!("waits for somebody else {how_long}"))
        }
        None => line,
    };
    let line = line.faint("·");
    let line = match (&matter.assignee, &matter.team) {
        (Some(person), _) => {
            let named = person.name.as_deref().or(person.id.as_deref()).unwrap_or("somebody");
            line.plain("with").name(named)
        }
        (None, Some(team)) => line.plain("with team").name(team),
        (None, None) => line.plain("nobody has it"),
    };
    let call = matter.call_since.as_deref().and_then(|since| since.parse::<Timestamp>().ok());
    let line = match call {
        Some(since) if now.is_none_or(|now| goes_on(since, now)) => {
            line.faint("·").push(Tone::Good, "on the phone now")
        }
        Some(_) => line.faint("· the end of the call was not told"),
        None => line,
    };
    let line = match &matter.priority {
        Some(priority) => line.faint("· priority").name(priority),
        None => line,
    };
    let line = if matter.tags.is_empty() {
        line
    } else {
        line.faint("· tags").name(matter.tags.join(", "))
    };
    let line = if matter.reopened > 0 {
        line.faint(format!("· reopened {}×", matter.reopened))
    } else {
        line
    };
    let mut lines = vec![line];
    for due in &matter.due {
        let when = due.at.as_deref().map(|at| format!(" by {}", minute(at)));
        let text = format!("promised: {}{}", due.metric, when.unwrap_or_default());
        let line = Line::new(1);
        lines.push(if due.breached {
            line.warning(format!("{text} (missed)"))
        } else {
            line.plain(text)
        });
    }
    let says = |last: &&Said| last.text.is_some() || !last.attachments.is_empty();
    lines.extend(matter.last.as_ref().filter(says).map(said));
    lines
}

fn said(said: &Said) -> Line {
    let line = Line::new(1).faint(minute(&said.at));
    let line = match &said.name {
        Some(name) => line.name(format!("{name}:")),
        None => line.plain(format!("{}:", word(&said.actor))),
    };
    files(line.quote(said.text.as_deref()), &said.attachments)
}

fn files(line: Line, names: &[String]) -> Line {
    if names.is_empty() { line } else { line.faint("with").name(names.join(", ")) }
}

fn handover(context: &Context) -> Vec<Line> {
    let Some(handover) = &context.handover else { return Vec::new() };
    let side = |line: Line, side: &Option<PartyRef>, nobody: &str, end: &str| match side {
        Some(PartyRef { name: Some(name), .. }) => line.name(format!("{name}{end}")),
        Some(party) => line.plain(format!("the {}{end}", party.r#type)),
        None => line.plain(format!("{nobody}{end}")),
    };
    let accepted = match &handover.accepted_at {
        Some(at) => format!("taken {}", minute(at)),
        None => "nobody took it".to_owned(),
    };
    let line = side(Line::new(0).plain("by"), &handover.from, "somebody", ",");
    let line = side(line.plain("handed to"), &handover.to, "the team", "");
    let line = line.faint(minute(&handover.at)).faint("·");
    let line =
        if handover.accepted_at.is_some() { line.plain(accepted) } else { line.warning(accepted) };
    let mut lines = vec![line];
    for fact in &handover.facts {
        lines.push(
            Line::new(1)
                .faint(format!("{}:", fact.name.replace('_', " ")))
                .push(Tone::Quote, &fact.value),
        );
    }
    for tried in &handover.tried {
        lines.push(Line::new(1).faint("already tried:").push(Tone::Quote, tried));
    }
    if let Some(summary) = &handover.summary {
        lines.push(Line::new(1).push(Tone::Quote, summary));
    }
    lines
}

fn commerce(context: &Context) -> Vec<Line> {
    let commerce = &context.commerce;
    let mut lines = Vec::new();
    if let Some(cart) = &commerce.cart {
        lines.push(basket("open cart", cart));
    }
    if let Some(checkout) = &commerce.checkout {
        lines.push(basket("open checkout", checkout));
    }
    lines.extend(commerce.orders.iter().map(order));
    if !commerce.totals.spent.is_empty() && commerce.totals.orders > 1 {
        let spent: Vec<String> = commerce
            .totals
            .spent
            .iter()
            .map(|money| format!("{} {}", money.amount, money.currency))
            .collect();
        lines.push(Line::new(0).faint(format!(
            "{} orders, {} in all",
            commerce.totals.orders,
            spent.join(" and ")
        )));
    }
    // Of a longer history only the latest events were looked at.
    if context.provenance.left_out.contains_key("events") {
        lines.push(Line::new(0).faint("earlier orders, if there are any, were not looked at"));
    }
    lines
}

fn basket(what: &str, basket: &CartBlock) -> Line {
    let line =
        Line::new(0).strong(what).plain(money(basket.total.as_deref(), basket.currency.as_deref()));
    let goods = goods(&basket.lines);
    line.name(goods).faint(format!("changed {}", minute(&basket.at)))
}

fn goods(lines: &[LineBlock]) -> String {
    let lines = lines.iter().map(|line| format!("{} × {}", line.quantity, line.name));
    lines.collect::<Vec<_>>().join(", ")
}

fn money(amount: Option<&str>, currency: Option<&str>) -> String {
    match (amount, currency) {
        (Some(amount), Some(currency)) => format!("{amount} {currency}"),
        (Some(amount), None) => amount.to_owned(),
        (None, _) => String::new(),
    }
}

fn order(order: &OrderBlock) -> Line {
    let name = order.name.as_deref().unwrap_or(&order.id);
    let mut line = Line::new(0)
        .strong(format!("order {name}"))
        .plain(money(order.total.as_deref(), order.currency.as_deref()))
        .name(goods(&order.lines))
        .faint("·")
        .plain(&order.state);
    if let Some(fulfilment) = &order.fulfilment {
        let text = fulfilment.replace('_', " ");
        line = if text.starts_with("fail") {
            line.warning(format!("delivery: {text}"))
        } else {
            line.plain(text)
        };
    }
    let others = order.refunded_in.iter().map(|it| money(Some(&it.amount), Some(&it.currency)));
    let back = order.refunded.clone().into_iter().chain(others).collect::<Vec<_>>().join(" and ");
    if !back.is_empty() {
        line = line.plain(format!("refunded {back}"));
    }
    if !order.tracking.is_empty() {
        line = line.faint(format!("parcel {}", order.tracking.join(", ")));
    }
    line.faint(day(&order.at))
}

fn mails(mails: &[Mail]) -> Vec<Line> {
    let lines = mails.iter().map(|mail| {
        let title = mail.subject.as_deref().or(mail.campaign.as_deref()).unwrap_or(&mail.id);
        let line = Line::new(0).push(Tone::Quote, title);
        let line = match &mail.sent {
            Some(sent) => line.faint(format!("sent {}", minute(sent))),
            None => line,
        };
        let line = if mail.dropped {
            line.warning("never sent")
        } else if mail.bounced {
            line.warning("came back")
        } else if mail.delivered {
            line.plain("delivered")
        } else {
            line
        };
        let mut opened = Vec::new();
        for (count, by) in [
            (mail.opened.human, "by a person"),
            (mail.opened.unknown, "by a person or a program"),
            (mail.opened.machine, "by a program only"),
        ] {
            if count > 0 {
                opened.push(format!(
                    "opened {by}{}",
                    if count > 1 { format!(" {count}×") } else { String::new() }
                ));
            }
        }
        // Of a mail that nobody follows, or that never arrived, there is nothing to say.
        let is_followed = mail.delivered && !mail.bounced && mail.clicked.is_empty();
        let line = if opened.is_empty() && is_followed {
            line.faint("no opening seen")
        } else if opened.is_empty() {
            line
        } else {
            line.plain(opened.join(", "))
        };
        let line = match &mail.opened.machine_hint {
            Some(hint) => line.faint(format!("({hint})")),
            None => line,
        };
        let line = if mail.clicked.is_empty() {
            line
        } else {
            line.push(Tone::Good, format!("clicked {}", mail.clicked.join(", ")))
        };
        if mail.unsubscribed { line.warning("unsubscribed") } else { line }
    });
    lines.collect()
}

fn contacts(context: &Context) -> Vec<Line> {
    let mut lines: Vec<Line> = context
        .contacts
        .recent
        .iter()
        .map(|contact| {
            let arrow = match contact.direction.as_str() {
                "in" => "→ us",
                "out" => "← us",
                _ => "internal",
            };
            let line =
                Line::new(0).faint(minute(&contact.at)).strong(word(&contact.channel)).faint(arrow);
            let line = match &contact.name {
                Some(name) => line.name(name),
                None => line.plain(word(&contact.actor)),
            };
            let line = match contact.kind.as_str() {
                "message" => line,
                kind => match spoken(contact) {
                    Some(how) => line.plain(format!("({kind}, {how})")),
                    None => line.plain(format!("({kind})")),
                },
            };
            files(line.quote(contact.text.as_deref()), &contact.attachments)
        })
        .collect();
    let by_channel: Vec<String> = context
        .contacts
        .by_channel
        .iter()
        .filter(|(_, channel)| channel.count_90d > 0)
        .map(|(name, channel)| format!("{} {}", word(name), channel.count_90d))
        .collect();
    if !by_channel.is_empty() {
        lines.push(Line::new(0).faint(format!("in 90 days: {}", by_channel.join(", "))));
    }
    lines
}

/// How a call ended, or how long people spoke.
fn spoken(contact: &Contact) -> Option<String> {
    let how = match contact.outcome {
        None | Some(CallOutcome::Answered) => {
            return contact.duration_s.map(|seconds| match seconds {
                ..60 => format!("{seconds} s"),
                _ => span(i64::try_from(seconds).unwrap_or(i64::MAX)),
            });
        }
        Some(CallOutcome::Missed) => "missed",
        Some(CallOutcome::Busy) => "the line was busy",
        Some(CallOutcome::Failed) => "failed",
        Some(CallOutcome::Voicemail) => "went to voicemail",
        Some(CallOutcome::Abandoned) => "hung up before anybody answered",
    };
    Some(how.to_owned())
}

fn feedback(context: &Context) -> Vec<Line> {
    let mut lines = Vec::new();
    for rating in &context.feedback.last {
        let survey = match serde_json::to_value(rating.survey) {
            Ok(serde_json::Value::String(name)) => name.to_uppercase(),
            _ => String::new(),
        };
        let score = match (rating.score, rating.scale) {
            (Some(score), Some(scale)) => format!("{score} on {} to {}", scale.min, scale.max),
            (Some(score), None) => score.to_string(),
            (None, _) => "no score".to_owned(),
        };
        let line = Line::new(0).strong(survey).plain(score).faint(minute(&rating.at));
        let line = match &rating.reason {
            Some(reason) => line.push(Tone::Quote, reason),
            None => line,
        };
        lines.push(line.quote(rating.comment.as_deref()));
    }
    for open in &context.feedback.open_loops {
        let how_far = match open.state {
            LoopState::Received => "is not dealt with",
            LoopState::Acted => "was dealt with, and the customer was not told",
        };
        lines.push(
            Line::new(0).warning(format!("a bad answer since {} {how_far}", day(&open.since))),
        );
    }
    lines
}

fn incidents(context: &Context) -> Vec<Line> {
    let mut lines = Vec::new();
    for incident in &context.incidents {
        let line = Line::new(0)
            .strong(incident.title.as_deref().unwrap_or(&incident.id))
            .plain(&incident.state);
        lines.push(match &incident.told {
            Some(told) => line.plain(format!("told {}", minute(told))),
            None => line.warning("not told yet"),
        });
        if let Some(workaround) = &incident.workaround {
            lines.push(Line::new(1).faint("what helps:").push(Tone::Quote, workaround));
        }
    }
    lines
}

fn journeys(journeys: &[Summary]) -> Vec<Line> {
    let lines = journeys.iter().map(|journey| {
        let line = Line::new(0).strong(&journey.name).plain(journey.outcome.replace('_', " "));
        let line = match &journey.phase {
            Some(phase) => line.faint("·").plain(format!("in {}", phase.replace('_', " "))),
            None => line,
        };
        let line = line.faint(format!("· since {}", minute(&journey.started)));
        let line = match &journey.last_step {
            Some(step) => {
                line.faint("·").plain(format!("last {}", step.touchpoint.replace('_', " ")))
            }
            None => line,
        };
        let line = if journey.switches > 0 {
            let path: Vec<String> = journey.channels.iter().map(|channel| word(channel)).collect();
            line.faint("·").plain(path.join(" → "))
        } else {
            line
        };
        let waited = journey.customer_waited_s;
        if waited >= 60 { line.faint("·").plain(format!("waited {}", span(waited))) } else { line }
    });
    lines.collect()
}

/// Each value with where it comes from, and under it those that lost.
fn profile(attributes: &[AttributeBlock]) -> Vec<Line> {
    let origin = |sources: &[String], at: &str| format!("{}, {}", sources.join(" and "), day(at));
    let mut lines = Vec::new();
    for known in attributes {
        let name = known.attribute.strip_prefix("fields.").unwrap_or(&known.attribute);
        let line = Line::new(0).strong(name.replace('_', " "));
        let line = line.push(Tone::Quote, in_words(&known.value));
        let line = if known.pinned { line.push(Tone::Good, "pinned") } else { line };
        lines.push(line.faint(origin(&known.sources, &known.at)));
        for other in &known.others {
            lines.push(
                Line::new(1)
                    .faint("also said:")
                    .push(Tone::Quote, in_words(&other.value))
                    .faint(origin(&other.sources, &other.at)),
            );
        }
    }
    lines
}

/// A value as people read it; null is a deliberate blank.
fn in_words(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "deliberately blank".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(parts) => {
            let part = |name: &str| parts.get(name).and_then(Value::as_str);
            let company = part("name").or_else(|| part("id")).map(str::to_owned);
            let address = || serde_json::from_value::<Address>(value.clone()).ok();
            company
                .or_else(|| address().map(|address| address.line()).filter(|line| !line.is_empty()))
                .unwrap_or_else(|| value.to_string())
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

fn consent(consents: &[ConsentBlock]) -> Vec<Line> {
    let lines = consents.iter().map(|consent| {
        let line = Line::new(0);
        let line = match consent.state {
            ConsentState::Granted => line.push(Tone::Good, "yes"),
            ConsentState::Denied => line.warning("no"),
            ConsentState::Unknown => line.plain("not known"),
        };
        let purpose = consent.purpose.as_deref().unwrap_or("anything");
        let line = line.plain("to").strong(purpose);
        let line = match &consent.channel {
            Some(channel) => line.plain(format!("by {}", word(channel))),
            None => line,
        };
        let line = match &consent.contact_point {
            Some(point) => line.plain(format!("at {}", point.value)),
            None => line.plain("for the customer as such"),
        };
        let line = match &consent.list {
            Some(list) => line.plain(format!("(list {list})")),
            None => line,
        };
        let source = consent.source.as_deref().unwrap_or_default();
        let line = line.faint(format!("{} {source}", minute(&consent.at)));
        line.quote(consent.wording.as_deref())
    });
    lines.collect()
}

fn notes(context: &Context) -> Vec<Line> {
    let Some(customer) = &context.customer else { return Vec::new() };
    let lines = customer.notes.iter();
    lines.map(|note| Line::new(0).push(Tone::Quote, &note.text).faint(&note.source)).collect()
}

fn provenance(provenance: &Provenance) -> Vec<Line> {
    let mut lines: Vec<Line> = provenance
        .sources
        .iter()
        .map(|source| {
            let name = if source.instance.is_empty() {
                source.system.clone()
            } else {
                format!("{}:{}", source.system, source.instance)
            };
            Line::new(0).plain(name).faint(format!("latest event {}", minute(&source.last_event)))
        })
        .collect();
    for merge in &provenance.merges {
        let said = format!("{} said {}: {} and {}", merge.by, merge.kind, merge.a, merge.b);
        let line = Line::new(0).plain(said).faint(&merge.id);
        lines.push(match &merge.reason {
            Some(reason) => line.push(Tone::Quote, reason),
            None => line,
        });
    }
    if !provenance.left_out.is_empty() {
        let parts: Vec<String> = provenance
            .left_out
            .iter()
            .map(|(what, n)| {
                let what = what.replace('_', " ");
                let one = what.strip_suffix('s').filter(|_| *n == 1);
                format!("{n} {}", one.unwrap_or(&what))
            })
            .collect();
        lines.push(Line::new(0).faint(format!("left out: {}", parts.join(", "))));
    }
    lines
}

/// A name of a namespace, channel or actor as people say it.
fn word(name: &str) -> String {
    match name {
        "email" => "e-mail".to_owned(),
        "sms" => "SMS".to_owned(),
        "whatsapp" => "WhatsApp".to_owned(),
        "x" => "X".to_owned(),
        "wa_id" => "WhatsApp number".to_owned(),
        "wa_bsuid" => "WhatsApp id".to_owned(),
        "ai" => "AI".to_owned(),
        other => other.replace('_', " "),
    }
}

/// `2026-03-02 09:12` out of an RFC 3339 text.
fn minute(text: &str) -> String {
    text.get(..16).unwrap_or(text).replace('T', " ")
}

/// `2026-03-02` out of an RFC 3339 text.
fn day(text: &str) -> String {
    text.get(..10).unwrap_or(text).to_owned()
}

fn ago(since: &str, now: Option<Timestamp>) -> String {
    let since: Option<Timestamp> = since.parse().ok();
    match (since, now) {
        (Some(since), Some(now)) => format!(", {}", span(now.since(since).as_seconds())),
        _ => String::new(),
    }
}

/// Seconds as a person reads them: `2 d 3 h`.
fn span(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else {
        format!("{} min", minutes.max(0))
    }
}
