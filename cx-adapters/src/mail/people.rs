//! Whom a mail is from and to, and whether a person wrote it.

use std::collections::HashSet;

use cx_core::actor::{Actor, ActorType};
use cx_core::event::{Direction, Visibility};
use cx_core::identifier::{Assurance, Claim, Identifier, IdentifierError, Namespace, Role, email};

use super::authentication::Results;
use super::headers::{Headers, Mailbox};
use crate::Options;

/// The people of a mail, seen from the business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct People {
    pub(super) direction: Direction,
    pub(super) visibility: Visibility,
    pub(super) actor: Actor,
    pub(super) who: Vec<Claim>,
    /// The name of whom the mail is about, as the display name has it.
    pub(super) name: Option<String>,
}

/// Reads the people out of the headers.
///
/// Who writes from an address of the business is an agent, and the mail goes out; a mail among
/// the business's own addresses is internal, unless somebody outside is to get the answers: then
/// a form or a group passed on what that person wrote.
pub(super) fn of<'m>(headers: Headers<'m>, options: &'m Options) -> People {
    let from = headers.mailboxes("from").into_iter().chain(headers.mailboxes("sender")).next();
    let mut recipients: Vec<(Role, Mailbox)> = Vec::new();
    for (name, role) in [("to", Role::To), ("cc", Role::Cc), ("bcc", Role::Cc)] {
        recipients.extend(headers.mailboxes(name).into_iter().map(|mailbox| (role, mailbox)));
    }
    let is_ours = |mailbox: &Mailbox| options.is_own_address(&mailbox.address);
    let outside = |name: &str| headers.mailboxes(name).into_iter().find(|it| !is_ours(it));
    // A group of ours that takes the answers itself keeps the sender in a header of its own.
    let replies = outside("reply-to")
        .or_else(|| outside("x-original-from").filter(|_| is_of_own_list(headers, options)));
    let is_outside = recipients.iter().any(|(_, mailbox)| !is_ours(mailbox));
    let results = Results::of(headers);
    let mail = Mail { headers, options, recipients, results };
    match (from, replies) {
        (Some(from), replies) if is_ours(&from) && !mail.results.deny(&from.address) => {
            match replies.filter(|_| !is_outside) {
                Some(replies) => mail.passed_on(&replies),
                None => mail.sent_by_us(from, is_outside),
            }
        }
        (Some(from), Some(replies))
            if !is_ours(&from) && is_passed_on(&from, &replies) && !mail.is_automatic() =>
        {
            mail.relayed(&from, replies)
        }
        (from, replies) => mail.sent_to_us(from, replies),
    }
}

/// Whether a mail from outside is one that somebody else's program passed on, such as a contact form
/// of a shop system: answers go to another domain under another name. The second address of a person,
/// or the name beside it, has a word of the first address, which is none of those of a role.
fn is_passed_on(from: &Mailbox, replies_to: &Mailbox) -> bool {
    let parts = |mailbox: &Mailbox| {
        let (local, domain) = mailbox.address.rsplit_once('@')?;
        Some((local.to_lowercase(), domain.trim_end_matches('.').to_lowercase()))
    };
    let (Some((from, of_sender)), Some((replies, of_replies))) = (parts(from), parts(replies_to))
    else {
        return false;
    };
    let is_within = |domain: &str, other: &str| {
        domain.strip_suffix(other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let name = replies_to.name.as_deref().unwrap_or_default().to_lowercase();
    let has_word = |word: &str| {
        let mut others = words(&replies).chain(words(&name));
        word.len() > 2 && !email::is_role(word) && others.any(|other| other == word)
    };
    let is_of_one = words(&from).any(has_word)
        || is_within(&of_sender, &of_replies)
        || is_within(&of_replies, &of_sender);
    !is_of_one
}

/// The words of a name, or of what stands before the `@`.
fn words(local: &str) -> impl Iterator<Item = &str> {
    local.split(|c: char| !c.is_alphabetic())
}

struct Mail<'m> {
    headers: Headers<'m>,
    options: &'m Options,
    recipients: Vec<(Role, Mailbox)>,
    results: Results,
}

/// The claims of a mail, each once in its role.
#[derive(Default)]
struct Who {
    claims: Vec<Claim>,
    known: HashSet<(Role, Identifier)>,
}

impl Mail<'_> {
    fn sent_by_us(self, from: Mailbox, is_outside: bool) -> People {
        let is_automatic = is_automatic(self.headers)
            || first_word(self.headers, "precedence")
                .is_some_and(|word| ["auto_reply", "junk"].contains(&word.as_str()))
            || is_nobodys(&from.address);
        let kind = if is_automatic { ActorType::Automation } else { ActorType::Agent };
        let mut who = Who::default();
        // What we send to a mailbox is about whoever holds it.
        self.claim_recipients(&mut who, Assurance::ChannelProved);
        let first = self.recipients.iter().find(|(role, mailbox)| {
            *role == Role::To && !self.options.is_own_address(&mailbox.address)
        });
        let name = first.and_then(|(_, mailbox)| mailbox.name.clone());
        // Among ourselves only where we know of recipients at all: a blind copy names none.
        let is_internal = !is_outside && !self.recipients.is_empty();
        let (direction, visibility) = if is_internal {
            (Direction::None, Visibility::Internal)
        } else {
            (Direction::Out, Visibility::Public)
        };
        People { direction, visibility, actor: actor(kind, from), who: who.claims, name }
    }

    /// A mail of our own program with what somebody outside wrote, such as a form.
    fn passed_on(self, replies: &Mailbox) -> People {
        let mut who = Who::default();
        self.claim(&mut who, replies, Role::From, Assurance::SelfStated);
        People {
            direction: Direction::In,
            visibility: Visibility::Public,
            actor: actor(ActorType::Customer, replies.clone()),
            who: who.claims,
            name: replies.name.clone(),
        }
    }

    /// A mail of somebody else's program with what a person wrote. Whoever else uses that program has
    /// its address too, so it says nothing of the person, whatever proves it.
    fn relayed(self, from: &Mailbox, replies: Mailbox) -> People {
        let mut who = Who::default();
        self.claim(&mut who, &replies, Role::From, Assurance::SelfStated);
        self.claim_as(&mut who, from, Role::From, Assurance::SelfStated, Claim::shared);
        self.claim_recipients(&mut who, Assurance::SelfStated);
        // The name beside the program's address may be the shop's.
        let name = replies.name.clone();
        People {
            direction: Direction::In,
            visibility: Visibility::Public,
            actor: actor(ActorType::Customer, replies),
            who: who.claims,
            name,
        }
    }

    /// Whether a mail from outside was sent by a program of its own accord.
    fn is_automatic(&self) -> bool {
        is_automatic(self.headers)
            || suppresses_answers(self.headers)
            || is_of_a_list(self.headers, self.options)
    }

    fn sent_to_us(self, from: Option<Mailbox>, replies: Option<Mailbox>) -> People {
        let is_automatic = self.is_automatic();
        let kind = match &from {
            _ if is_automatic => ActorType::Automation,
            Some(from) if !self.options.is_own_address(&from.address) => ActorType::Customer,
            // Nobody, or somebody who is not who they say.
            Some(_) | None => ActorType::Unknown,
        };
        let mut who = Who::default();
        if let Some(from) = &from {
            let assurance = if self.is_proved(&from.address) {
                Assurance::ChannelProved
            } else {
                Assurance::SelfStated
            };
            self.claim(&mut who, from, Role::From, assurance);
        }
        // Answers to a newsletter go anywhere; a person's second address is the person's.
        if let Some(replies) = replies.filter(|_| !is_automatic) {
            self.claim(&mut who, &replies, Role::From, Assurance::SelfStated);
        }
        self.claim_recipients(&mut who, Assurance::SelfStated);
        let name = from.as_ref().and_then(|from| from.name.clone());
        let actor = from.map_or_else(|| Actor::of(kind), |from| actor(kind, from));
        let (direction, visibility) = (Direction::In, Visibility::Public);
        People { direction, visibility, actor, who: who.claims, name }
    }

    fn claim_recipients(&self, who: &mut Who, of_first: Assurance) {
        for (role, mailbox) in &self.recipients {
            let assurance = if *role == Role::To { of_first } else { Assurance::SelfStated };
            self.claim(who, mailbox, *role, assurance);
        }
    }

    /// Adds a claim, unless the address is our own, nobody's, or already claimed in that role.
    fn claim(&self, who: &mut Who, mailbox: &Mailbox, role: Role, assurance: Assurance) {
        self.claim_as(who, mailbox, role, assurance, |claim| claim);
    }

    /// The same, of a claim with more to say.
    fn claim_as(
        &self,
        who: &mut Who,
        mailbox: &Mailbox,
        role: Role,
        assurance: Assurance,
        told: impl Fn(Claim) -> Claim,
    ) {
        if self.options.is_own_address(&mailbox.address) {
            return;
        }
        let Ok(claim) = Claim::new(Namespace::Email, &mailbox.address, role, assurance) else {
            return;
        };
        if who.known.insert((claim.role, claim.identifier().clone())) {
            who.claims.push(told(claim));
        }
    }

    /// Whether the sender's domain vouches for the mail, and it has one sender only.
    fn is_proved(&self, address: &str) -> bool {
        let is_one =
            self.headers.raw("from").len() == 1 && self.headers.mailboxes("from").len() == 1;
        is_one && self.results.prove(address)
    }
}

fn actor(kind: ActorType, mailbox: Mailbox) -> Actor {
    Actor::of(kind).with_id(mailbox.address).with_name(mailbox.name.unwrap_or_default())
}

/// Whether an address is one that nobody reads: what is sent from `noreply@` is sent by a program.
fn is_nobodys(address: &str) -> bool {
    let read = Identifier::normalise(Namespace::Email, "", address, None);
    matches!(read, Err(IdentifierError::Nobody))
}

/// The first word of a header's value, in lower case.
fn first_word(headers: Headers<'_>, name: &str) -> Option<String> {
    let value = headers.raw(name).into_iter().next()?.to_ascii_lowercase();
    Some(value.split([';', ' ', '(']).next().unwrap_or_default().trim().to_owned())
}

/// Whether the mail says that a program sent it of its own accord.
pub(super) fn is_automatic(headers: Headers<'_>) -> bool {
    let is_submitted_so = first_word(headers, "auto-submitted").is_some_and(|word| word != "no");
    let answers_by_itself = ["x-autoreply", "x-autorespond", "x-autoresponder"]
        .iter()
        .any(|name| first_word(headers, name).is_some_and(|word| word != "no"));
    let has_no_sender = first_word(headers, "return-path").is_some_and(|path| path == "<>");
    let is_of_a_server = headers.mailboxes("from").first().is_some_and(|from| {
        let name = from.address.split('@').next().unwrap_or_default().to_ascii_lowercase();
        matches!(name.as_str(), "mailer-daemon" | "postmaster")
    });
    // Reports are written by programs, also those that are not understood.
    let is_report = headers.raw("content-type").first().is_some_and(|told| {
        told.get(..16).is_some_and(|start| start.eq_ignore_ascii_case("multipart/report"))
    });
    is_submitted_so || answers_by_itself || has_no_sender || is_of_a_server || is_report
}

/// Whether a mail from outside asks programs not to answer it. Helpdesks put that on what their
/// people write, and `Precedence: bulk` too, so neither says anything of our own mails.
fn suppresses_answers(headers: Headers<'_>) -> bool {
    first_word(headers, "x-auto-response-suppress")
        .is_some_and(|word| !word.is_empty() && word != "none")
}

/// Whether the mail went to many. A list of our own, such as a group that is a shared mailbox, is
/// one way to reach us, and says nothing of who wrote.
fn is_of_a_list(headers: Headers<'_>, options: &Options) -> bool {
    let precedence = first_word(headers, "precedence").unwrap_or_default();
    let is_of_any = !headers.raw("list-id").is_empty()
        || ["bulk", "junk", "list", "auto_reply"].contains(&precedence.as_str());
    is_of_any && !is_of_own_list(headers, options)
}

/// Whether the mail went through a list of our own.
fn is_of_own_list(headers: Headers<'_>, options: &Options) -> bool {
    let list = headers.raw("list-id").into_iter().next();
    list.is_some_and(|list| {
        let id = list.rsplit_once('<').map_or(list.as_str(), |(_, id)| id).trim_end_matches('>');
        // `support.acme.example` is the list `support` of `acme.example`.
        id.split_once('.')
            .is_some_and(|(name, domain)| options.is_own_address(&format!("{name}@{domain}")))
    })
}

#[cfg(test)]
mod tests {
    use super::super::headers::parsed;
    use super::*;

    fn people(mail: &str) -> People {
        let bytes = format!("{mail}\n\n");
        let message = parsed(bytes.as_bytes()).unwrap();
        let options = Options { own: vec!["acme.example".to_owned()], ..Options::of("help") };
        of(Headers::of(&message), &options)
    }

    fn check(mail: &str, expected: &str) {
        let people = people(mail);
        let who = people.who.iter().map(|claim| {
            let proved = if claim.assurance.is_proved() { "!" } else { "" };
            let proved = if claim.shared { "?" } else { proved };
            format!(" {}={}{proved}", claim.role.name(), claim.raw())
        });
        let who: String = who.collect();
        let found = format!("{} {}{who}", people.direction.name(), people.actor.kind.name());
        assert_eq!(found, expected, "of {mail}");
    }

    #[test]
    fn a_mail_sent_to_us_is_from_a_customer() {
        check(
            "From: Jan <jan@example.nl>\nTo: help@acme.example",
            "in customer from=jan@example.nl",
        );
        assert_eq!(people("From: Jan <jan@example.nl>").name.as_deref(), Some("Jan"));
        check("Subject: nobody", "in unknown");
        check("From: noreply@example.nl", "in customer");
    }

    #[test]
    fn a_mail_sent_by_us_is_from_an_agent() {
        check(
            "From: Eva <eva@acme.example>\nTo: Jan <jan@example.nl>\nCc: b@example.nl, help@acme.example",
            "out agent to=jan@example.nl! cc=b@example.nl",
        );
        check("From: eva@acme.example\nTo: help@acme.example", "none agent");
    }

    #[test]
    fn a_mail_that_only_says_it_is_from_us_is_from_nobody() {
        let forged =
            "From: eva@acme.example\nTo: jan@example.nl\nAuthentication-Results: mx; dmarc=fail";
        check(forged, "in unknown to=jan@example.nl");
        let answered = format!("{forged}\nReply-To: x@evil.example");
        assert_eq!(people(&answered).actor.kind, ActorType::Unknown);
    }

    #[test]
    fn a_form_of_ours_passes_on_what_a_customer_wrote() {
        check(
            "From: web@acme.example\nTo: help@acme.example\nReply-To: Jan <jan@example.nl>",
            "in customer from=jan@example.nl",
        );
    }

    #[test]
    fn a_group_of_ours_passes_on_what_a_customer_wrote() {
        check(
            "From: \"'Jan de Vries' via Support\" <support@acme.example>\nTo: support@acme.example\n\
             Reply-To: support@acme.example\nX-Original-From: Jan <jan@example.nl>\nList-Id: <support.acme.example>",
            "in customer from=jan@example.nl",
        );
        check(
            "From: web@acme.example\nTo: help@acme.example\nReply-To: help@acme.example, jan@example.nl",
            "in customer from=jan@example.nl",
        );
        let name = people("From: \"'Jan de Vries' via Support\" <jan@example.nl>").name;
        assert_eq!(name.as_deref(), Some("Jan de Vries"));
    }

    #[test]
    fn a_sender_of_ours_beside_one_that_passed_is_from_nobody() {
        check(
            "From: boss@acme.example\nFrom: x@evil.example\nTo: help@acme.example\n\
             Authentication-Results: mx; dmarc=pass header.from=evil.example",
            "in unknown",
        );
    }

    #[test]
    fn time_grows_with_the_recipients_alone() {
        let to: Vec<String> = (0..20_000).map(|n| format!("{n}@example.nl")).collect();
        assert_eq!(people(&format!("From: a@example.nl\nTo: {}", to.join(", "))).who.len(), 20_001);
    }

    #[test]
    fn another_address_for_answers_is_the_same_person_without_proof() {
        check(
            "From: jan@example.nl\nReply-To: jan@example.com\nAuthentication-Results: mx; dmarc=pass header.from=example.nl",
            "in customer from=jan@example.nl! from=jan@example.com",
        );
        check(
            "From: Jan.deVries@example.nl\nReply-To: jan.thuis@example.com",
            "in customer from=Jan.deVries@example.nl from=jan.thuis@example.com",
        );
        check(
            "From: Mary Smith <mary@example.net>\nReply-To: \"Mary Smith: Home\" <smith@home.example>",
            "in customer from=mary@example.net from=smith@home.example",
        );
        check(
            "From: jan@mail.example.nl\nReply-To: info@example.nl",
            "in customer from=jan@mail.example.nl from=info@example.nl",
        );
        check(
            "From: news@example.com\nReply-To: jan@example.com\nPrecedence: bulk",
            "in automation from=news@example.com",
        );
    }

    #[test]
    fn a_form_of_somebody_else_passes_on_what_a_customer_wrote() {
        let proved = "Authentication-Results: mx; dmarc=pass header.from=shopify.com";
        let shop = "From: \"Acme Shop (Shopify)\" <mailer@shopify.com>\nTo: help@acme.example";
        check(
            &format!("{proved}\n{shop}\nReply-To: jan@example.nl"),
            "in customer from=jan@example.nl from=mailer@shopify.com?",
        );
        let people = people(&format!("{proved}\n{shop}\nReply-To: Jan <jan@example.nl>"));
        assert_eq!(people.name.as_deref(), Some("Jan"));
        assert_eq!(people.actor.id.as_deref(), Some("jan@example.nl"));
        check(
            &format!("{proved}\nFrom: info@shopify.com\nReply-To: info@example.nl"),
            "in customer from=info@example.nl from=info@shopify.com?",
        );
        // Answers to the shop itself.
        check(
            &format!("{proved}\n{shop}\nReply-To: help@acme.example"),
            "in customer from=mailer@shopify.com!",
        );
    }

    #[test]
    fn what_a_program_sent_is_from_a_program() {
        for header in [
            "Auto-Submitted: auto-replied (vacation)",
            "Precedence: junk",
            "X-Auto-Response-Suppress: All",
            "X-Autoreply: yes",
            "Return-Path: <>",
            "List-Id: News <news.example.com>",
        ] {
            check(&format!("From: a@example.com\n{header}"), "in automation from=a@example.com");
        }
        for header in [
            "Auto-Submitted: no",
            "X-Auto-Response-Suppress: None",
            "Return-Path: <a@example.com>",
            "List-Id: Help <help.acme.example>\nPrecedence: list",
        ] {
            check(&format!("From: a@example.com\n{header}"), "in customer from=a@example.com");
        }
        check(
            "From: eva@acme.example\nTo: a@example.com\nX-Auto-Response-Suppress: All",
            "out agent to=a@example.com!",
        );
        for program in
            ["From: noreply@acme.example", "From: eva@acme.example\nPrecedence: auto_reply"]
        {
            check(&format!("{program}\nTo: a@example.com"), "out automation to=a@example.com!");
        }
        check(
            "From: eva@acme.example\nTo: a@example.com\nPrecedence: bulk",
            "out agent to=a@example.com!",
        );
        check(
            "From: eva@acme.example\nTo: a@example.com\nAuto-Submitted: auto-generated",
            "out automation to=a@example.com!",
        );
    }

    #[test]
    fn only_the_topmost_results_prove_and_only_this_domain() {
        let with = |results: &str| format!("{results}\nFrom: a@example.com");
        check(
            &with(
                "Authentication-Results: mx; spf=pass; dmarc=pass (p=NONE) header.from=example.com",
            ),
            "in customer from=a@example.com!",
        );
        for results in [
            "Authentication-Results: mx; dmarc=fail\nAuthentication-Results: mx; dmarc=pass",
            "Authentication-Results: mx; dmarc=pass header.from=evil.example",
            "Authentication-Results: mx; spf=pass (dmarc=pass; dmarc=pass)",
            "Authentication-Results: mx; dmarc=pass\nFrom: b@example.com",
        ] {
            let direction = "in customer from=";
            let people = people(&with(results));
            assert!(
                people.who.iter().all(|claim| !claim.assurance.is_proved()),
                "{direction}{results}"
            );
        }
    }
}
