//! Threads: which mails belong together, and which answers which.

use super::headers::Headers;

/// The longest id of a mail, in bytes; a longer one is none.
const ID_LIMIT: usize = 512;

/// The most ids of earlier mails that are kept: the first, and the last ones.
const REFERENCES_LIMIT: usize = 200;

/// What a mail says of its place among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thread {
    /// The mail's own id: its Message-ID, or what stands for it.
    pub(super) own: String,
    /// Earlier mails of the thread, oldest first: never empty strings, never the mail itself.
    earlier: Vec<String>,
    /// The mail that this one answers.
    pub(super) parent: Option<String>,
}

impl Thread {
    /// Reads `References` and `In-Reply-To`.
    ///
    /// Where `References` names anything, its first id is the root, and all its ids are one
    /// thread; `In-Reply-To` adds to them only if it names one mail. Where there is none, the
    /// first id of `In-Reply-To` is all that is believed (RFC 5256). Ids that are none are
    /// skipped, and a subject never joins.
    pub(super) fn of(headers: Headers<'_>, own: String) -> Self {
        let others = |name: &str| -> Vec<String> {
            let mut ids: Vec<String> = Vec::new();
            for id in headers.raw(name).iter().flat_map(|field| ids_in(field)) {
                if id != own && !ids.contains(&id) {
                    ids.push(id);
                }
                if ids.len() > REFERENCES_LIMIT {
                    ids.remove(1);
                }
            }
            ids
        };
        let (references, answered) = (others("references"), others("in-reply-to"));
        let parent = answered
            .iter()
            .find(|id| references.is_empty() || references.contains(id) || answered.len() == 1)
            .or(references.last())
            .cloned();
        let mut earlier = references;
        match (answered.as_slice(), earlier.is_empty()) {
            ([only], false) if !earlier.contains(only) => earlier.push(only.clone()),
            ([first, ..], true) => earlier.push(first.clone()),
            _ => {}
        }
        Self { own, earlier, parent }
    }

    /// The id that names the thread.
    pub(super) fn root(&self) -> &str {
        self.earlier.first().unwrap_or(&self.own)
    }

    /// The other ids of the thread: whatever answers one of them belongs to it too.
    pub(super) fn others(&self) -> impl Iterator<Item = &str> {
        let own = (!self.earlier.is_empty()).then_some(self.own.as_str());
        self.earlier.iter().skip(1).map(String::as_str).chain(own)
    }
}

/// The mail's own Message-ID.
pub(super) fn message_id(headers: Headers<'_>) -> Option<String> {
    headers.raw("message-id").iter().find_map(|field| ids_in(field).into_iter().next())
}

/// The ids in a field, without their brackets; what is no id is skipped. A field without
/// brackets may be an id itself.
pub(super) fn ids_in(field: &str) -> Vec<String> {
    if !field.contains('<') {
        return Some(field.trim()).filter(|id| is_id(id)).map(str::to_owned).into_iter().collect();
    }
    let bracketed =
        field.split('<').skip(1).filter_map(|part| Some(part.split_once('>')?.0.trim()));
    bracketed.filter(|id| is_id(id) || is_bare_id(id)).map(str::to_owned).collect()
}

/// Whether something between brackets is an id though it has no `@`, as old servers and programs
/// write them. A word such as `unknown`, which stands in mails of strangers, is none.
fn is_bare_id(id: &str) -> bool {
    let digits = id.bytes().filter(u8::is_ascii_digit).count();
    !id.contains('@') && is_plain(id) && id.len() >= 10 && digits >= 4
}

/// Whether it may be the text of an id at all.
fn is_plain(id: &str) -> bool {
    let is_strange = |c: char| c.is_whitespace() || c.is_control() || c == '<' || c == '>';
    !id.chars().any(is_strange) && id.len() <= ID_LIMIT
}

fn is_id(id: &str) -> bool {
    let has_sides =
        id.split_once('@').is_some_and(|(left, right)| !left.is_empty() && !right.is_empty());
    has_sides && is_plain(id)
}

#[cfg(test)]
mod tests {
    use super::super::headers::{parsed, readable};
    use super::*;

    fn thread(mail: &str) -> Thread {
        let bytes = readable(mail.as_bytes()).into_owned();
        let message = parsed(&bytes).unwrap();
        let headers = Headers::of(&message);
        let own = message_id(headers).unwrap_or_else(|| "none".to_owned());
        Thread::of(headers, own)
    }

    fn others(thread: &Thread) -> Vec<&str> {
        thread.others().collect()
    }

    #[test]
    fn ids_that_are_none_are_skipped() {
        assert_eq!(ids_in("<a@b>, <no id> <@b> <c@>\t<d@e>"), ["a@b", "d@e"]);
        assert_eq!(ids_in("Your mail of Monday"), [""; 0]);
        assert_eq!(ids_in("Jan's mail of Monday from jan@example.nl"), [""; 0]);
        assert_eq!(ids_in("bare@example.nl"), ["bare@example.nl"]);
        assert_eq!(ids_in("<open@example.nl"), [""; 0]);
        assert_eq!(ids_in("<20260302091100.ABCD> <null> <unknown>, <12>"), ["20260302091100.ABCD"]);
        assert_eq!(ids_in("20260302091100"), [""; 0]);
    }

    #[test]
    fn a_first_mail_is_its_own_thread() {
        let first = thread("Message-ID: <a@x>\n\n");
        assert_eq!((first.root(), others(&first), first.parent.clone()), ("a@x", vec![], None));
    }

    #[test]
    fn a_chain_of_references_is_one_thread() {
        let reply = thread("Message-ID: <c@x>\nReferences: <a@x>\n <b@x>\nIn-Reply-To: <b@x>\n\n");
        assert_eq!(reply.root(), "a@x");
        assert_eq!(others(&reply), ["b@x", "c@x"]);
        assert_eq!(reply.parent.as_deref(), Some("b@x"));
    }

    #[test]
    fn several_ids_in_in_reply_to_join_nothing() {
        let both = thread("Message-ID: <c@x>\nIn-Reply-To: <p@x> <q@x>\nReferences: <a@x>\n\n");
        assert_eq!((both.root(), others(&both)), ("a@x", vec!["c@x"]));
        assert_eq!(both.parent.as_deref(), Some("a@x"));
        let alone = thread("Message-ID: <c@x>\nIn-Reply-To: <p@x> <q@x>\n\n");
        assert_eq!((alone.root(), others(&alone)), ("p@x", vec!["c@x"]));
        assert_eq!(alone.parent.as_deref(), Some("p@x"));
    }

    #[test]
    fn a_mail_that_names_itself_answers_nobody() {
        let odd = thread("Message-ID: <a@x>\nReferences: <a@x>\nIn-Reply-To: <a@x>\n\n");
        assert_eq!((odd.root(), others(&odd), odd.parent.clone()), ("a@x", vec![], None));
    }

    #[test]
    fn a_chain_without_end_keeps_its_root() {
        let ids: Vec<String> = (0..1000).map(|n| format!("<{n}@x>")).collect();
        let long = thread(&format!("Message-ID: <own@x>\nReferences: {}\n\n", ids.join(" ")));
        assert_eq!(long.root(), "0@x");
        assert_eq!(long.others().count(), REFERENCES_LIMIT);
        assert_eq!(long.parent.as_deref(), Some("999@x"));
    }
}
