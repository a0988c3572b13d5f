//! What the last server says of who sent a mail: the topmost `Authentication-Results` (RFC 8601).

use super::headers::Headers;

/// A result for DMARC: what it is, and of which domain.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    result: String,
    domain: Option<String>,
}

/// The results for DMARC in the topmost header.
///
/// It is the only one that the last server wrote, and what stands in it is in part up to the sender:
/// the values of properties are. So the header is read word by word, with its comments and quotation
/// marks, and what is not written as it must be says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Results {
    /// None are told.
    None,
    /// A header that cannot be read.
    Broken,
    Told(Told),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told(Vec<Found>);

impl Results {
    pub(super) fn of(headers: Headers<'_>) -> Self {
        let Some(value) = headers.raw("authentication-results").into_iter().next() else {
            return Self::None;
        };
        let Some(parts) = parts(&value) else { return Self::Broken };
        let found: Vec<Found> = parts.iter().filter_map(|words| dmarc(words)).collect();
        if found.is_empty() { Self::None } else { Self::Told(Told(found)) }
    }

    /// Whether the domain of an address vouches for the mail: every result is a pass, and none is of
    /// another domain.
    pub(super) fn prove(&self, address: &str) -> bool {
        let Self::Told(Told(found)) = self else { return false };
        found.iter().all(|one| one.result == "pass" && one.is_of(address))
    }

    /// Whether the domain of an address does not vouch for the mail, or another one does.
    pub(super) fn deny(&self, address: &str) -> bool {
        match self {
            Self::None => false,
            Self::Broken => true,
            Self::Told(Told(found)) => {
                found.iter().any(|one| one.result == "fail" || !one.is_of(address))
            }
        }
    }
}

impl Found {
    /// Whether the result is of the domain of an address, or of one above it; it may name none.
    fn is_of(&self, address: &str) -> bool {
        let Some(named) = &self.domain else { return true };
        let domain = address.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
        domain.is_some_and(|domain| {
            let above = domain.strip_suffix(named.as_str());
            above.is_some_and(|above| {
                above.is_empty() || above.ends_with('.') && named.contains('.')
            })
        })
    }
}

/// A word of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// As it is written, in lower case; quoted parts without their marks.
    Text(String),
    Equals,
}

/// The parts between semicolons, as words. `None` where a comment or a quotation never ends.
fn parts(value: &str) -> Option<Vec<Vec<Word>>> {
    let mut parts = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut characters = value.chars();
    loop {
        let next = characters.next();
        let ends = match next {
            Some('"') => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => word.push(characters.next()?),
                        other => word.push(other),
                    }
                }
                false
            }
            Some('(') => {
                let mut depth = 1_usize;
                while depth > 0 {
                    match characters.next()? {
                        '(' => depth += 1,
                        ')' => depth -= 1,
                        '\\' => drop(characters.next()?),
                        _ => {}
                    }
                }
                true
            }
            Some(';' | '=') | None => true,
            Some(c) if c.is_whitespace() => true,
            Some(c) => {
                word.get_or_insert_default().push(c);
                false
            }
        };
        if let (true, Some(word), Some(part)) = (ends, word.take_if(|_| ends), parts.last_mut()) {
            part.push(Word::Text(word.to_ascii_lowercase()));
        }
        match (next, parts.last_mut()) {
            (Some('='), Some(part)) => part.push(Word::Equals),
            (Some(';'), _) => parts.push(Vec::new()),
            (None, _) => return Some(parts),
            _ => {}
        }
    }
}

/// The result for DMARC, if a part is one: `dmarc=pass header.from=example.nl`.
fn dmarc(words: &[Word]) -> Option<Found> {
    let pairs = || {
        words.windows(3).filter_map(|three| match three {
            [Word::Text(name), Word::Equals, Word::Text(value)] => Some((name, value)),
            _ => None,
        })
    };
    let [Word::Text(method), Word::Equals, Word::Text(result), ..] = words else { return None };
    // A method may carry its version: `dmarc/1`.
    if method.split('/').next() != Some("dmarc") {
        return None;
    }
    let domain = pairs().find(|(name, _)| *name == "header.from").map(|(_, domain)| {
        let domain = domain.rsplit_once('@').map_or(domain.as_str(), |(_, domain)| domain);
        domain.trim_end_matches('.').to_owned()
    });
    Some(Found { result: result.clone(), domain })
}

#[cfg(test)]
mod tests {
    use super::super::headers::parsed;
    use super::*;

    fn results(value: &str) -> Results {
        let mail = format!("Authentication-Results: {value}\n\n");
        Results::of(Headers::of(&parsed(mail.as_bytes()).unwrap()))
    }

    #[test]
    fn a_pass_proves_its_own_domain() {
        for value in [
            "mx; dmarc=pass header.from=bank.example",
            "mx 1; spf=fail; dmarc = pass (p=reject; dmarc=fail) header.from = \"Bank.example\"",
            "spf=pass (sender IP is 1.2.3.4) smtp.mailfrom=x;dmarc=pass action=none header.from=bank.example;compauth=pass reason=100",
            "mx; dmarc=pass",
        ] {
            let results = results(value);
            assert!(
                results.prove("a@bank.example") && results.prove("a@x.bank.example"),
                "{value}"
            );
            assert!(!results.deny("a@bank.example"), "{value}");
        }
    }

    #[test]
    fn what_the_sender_writes_into_it_proves_and_hides_nothing() {
        for value in [
            "mx; spf=pass smtp.mailfrom=\"x; dmarc=pass header.from=bank.example; \"@evil.example; dmarc=fail header.from=bank.example",
            "mx; spf=pass smtp.mailfrom=\"(\"@evil.example; dmarc=fail header.from=bank.example",
            "mx; spf=pass smtp.mailfrom=\"\\\"; dmarc=pass; \"@evil.example; dmarc=fail",
            "mx; dmarc=pass header.from=evil.example",
            "mx; dmarc=pass; dmarc=fail",
            "mx; spf=pass (; dmarc=pass",
            "mx; dmarc=pass header.from=example",
        ] {
            let results = results(value);
            assert!(!results.prove("a@bank.example"), "{value}");
            assert!(results.deny("a@bank.example"), "{value}");
        }
        for value in ["mx; spf=pass", "mx; dmarc=none header.from=bank.example", "mx; x dmarc=pass"]
        {
            let results = results(value);
            assert!(!results.prove("a@bank.example") && !results.deny("a@bank.example"), "{value}");
        }
    }
}
