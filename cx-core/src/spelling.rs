//! Spellings: how an address or a number may be written in a text, and where it is.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use caseless::Caseless;
use unicode_normalization::char::decompose_compatible;

use crate::identifier::{
    Identifier, Namespace, Start, addresses_elsewhere, written_addresses, written_numbers,
};
use crate::text::{is_invisible, latin_digit};

/// One way to write a value, in any case, width and composition of its letters, percent-encoded or
/// not; a telephone number with or without white space, dots, dashes, slashes and brackets in it.
///
/// ```
/// # use cx_core::identifier::{Identifier, Namespace};
/// # use cx_core::spelling::Spelling;
/// let number = Identifier::normalise(Namespace::Phone, "", "06 1234 5678", Some("NL"))?;
/// let all = Spelling::all(&number);
/// for text in ["0612345678", "tel:+31-6-12345678", "00 31 6 12 34 56 78", "(06) 1234.5678", r"06 1234\n5678"] {
///     let is_at = |at| all.iter().any(|it| it.at(text.as_bytes(), at).is_some());
///     assert!((0..text.len()).any(is_at), "{text}");
/// }
/// # Ok::<(), cx_core::identifier::IdentifierError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spelling(Written);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Written {
    /// A text, as it is compared.
    Text(Vec<char>),
    /// The digits of a number.
    Number(Vec<char>, Start),
}

/// So many bytes at most stand for one character of a spelling: its parts, percent-encoded.
const BYTES: usize = 24;

/// So many characters at most stand between two digits of one number: `) - `.
const GAP: usize = 4;

/// No number has so few digits.
const SHORT: usize = 4;

/// No number has more digits than these, with all that is dialled before it.
const LONGEST: usize = 24;

/// So many places are looked at where a domain may end.
const PARTS: usize = 16;

/// No name before the `@` of an address is longer.
const LOCAL: usize = 128;

impl Spelling {
    /// A text, as somebody wrote it.
    pub fn of_text(text: &str) -> Self {
        let (bytes, mut at, mut folded) = (text.as_bytes(), 0, Vec::new());
        while let Some((next, width)) = Unit::at(bytes, at) {
            next.push_to(&mut folded);
            at += width;
        }
        Self(Written::Text(folded))
    }

    /// A text, as somebody wrote it, and the same address under the other names of its provider.
    pub fn of_written(text: &str) -> Vec<Self> {
        let elsewhere = addresses_elsewhere(text);
        let mut all: Vec<Self> = elsewhere.iter().map(|text| Self::of_text(text)).collect();
        all.push(Self::of_text(text));
        all
    }

    /// All ways in which an identifier is written: an address under the Unicode and the ASCII form
    /// of its domain, a telephone number with and without its country code and the noughts before
    /// it. Of anything else its key.
    pub fn all(identifier: &Identifier) -> Vec<Self> {
        let mut all = vec![Self::of_text(identifier.key())];
        match identifier.namespace() {
            Namespace::Email => {
                all.extend(written_addresses(identifier.key()).iter().map(|it| Self::of_text(it)));
            }
            Namespace::Phone | Namespace::WaId => {
                let numbers = written_numbers(identifier.key()).into_iter();
                all.extend(
                    numbers.map(|(digits, start)| {
                        Self(Written::Number(digits.chars().collect(), start))
                    }),
                );
            }
            _ => {}
        }
        all.sort();
        all.dedup();
        all
    }

    /// Every address and every number that a text may have in it, as [`Spelling::all`] gives them.
    /// An address may end at each dot or dash behind its `@`.
    pub fn in_text(text: &str) -> BTreeSet<Self> {
        let (bytes, mut at, mut units) = (text.as_bytes(), 0, Vec::new());
        let mut all = BTreeSet::new();
        while let Some((unit, width)) = Unit::at(bytes, at) {
            if matches!(unit.first(), '0'..='9' | '+') {
                Self::numbers_at(bytes, at, &mut all);
            }
            units.push((at, unit));
            at += width;
        }
        for (sign, _) in units.iter().enumerate().filter(|(_, (_, unit))| unit.first() == '@') {
            let (local, domain) = units.split_at(sign);
            let domain = domain.get(1..).unwrap_or_default();
            let n = domain.iter().take_while(|(_, unit)| unit.is_of_domain()).count();
            let Some(domain_of) = domain.get(..n) else { continue };
            // It may end at each dot or dash: `jan@example.nl.pdf`.
            let is_end = |n: &usize| {
                domain_of.get(*n).is_some_and(|(_, unit)| !unit.is_joint())
                    && domain_of
                        .get(n + 1)
                        .is_none_or(|(_, unit)| unit.is_joint() || unit.is_invisible())
            };
            let ends =
                (0..n).filter(is_end).map(|n| domain.get(n + 1).map_or(text.len(), |it| it.0));
            let mut ends: Vec<usize> = ends.collect();
            // No domain has more parts: the first ones, and all of it.
            if let Some(last) = ends.last().copied().filter(|_| ends.len() > PARTS) {
                ends.truncate(PARTS);
                ends.push(last);
            }
            let mut push = |from: usize| {
                all.extend(ends.iter().filter_map(|end| text.get(from..*end)).map(Self::of_text));
            };
            let mut next: Option<usize> = None;
            for (at, unit) in local.iter().rev().take(LOCAL) {
                if let Some(next) = next.filter(|_| !unit.is_letter()) {
                    push(next);
                }
                next = Some(*at).filter(|_| !unit.is_outside());
                if next.is_none() {
                    break;
                }
            }
            if let Some(next) = next {
                push(next);
            }
        }
        all
    }

    /// The numbers that may begin here, up to each place where their digits pause.
    fn numbers_at(text: &[u8], from: usize, all: &mut BTreeSet<Self>) {
        if before(text, from).0.is_some_and(|before| before.is_ascii_digit() || before == '+') {
            return;
        }
        let is_alone = !is_behind_digits(text, from);
        let (mut digits, mut at, mut gap) = (Vec::new(), from, 0);
        while let Some((unit, width)) = Unit::at(text, at) {
            let c = unit.first();
            if c.is_ascii_digit() {
                digits.push(c);
                gap = 0;
            } else if (c == '+' && at == from) || (at > from && is_joint(c) && gap < GAP) {
                gap += 1;
            } else {
                break;
            }
            at += width;
            let goes_on = Unit::at(text, at).is_some_and(|(unit, _)| unit.first().is_ascii_digit());
            if gap == 0 && !goes_on && digits.len() > SHORT {
                all.insert(Self(Written::Number(digits.clone(), Start::Anywhere)));
                if is_alone {
                    all.insert(Self(Written::Number(digits.clone(), Start::Alone)));
                }
            }
            if digits.len() > LONGEST {
                break;
            }
        }
    }

    /// What it is, in words: two spellings are the same if these are.
    pub fn told(&self) -> (&'static str, String) {
        let what = match &self.0 {
            Written::Text(_) => "text",
            Written::Number(_, Start::Anywhere) => "number",
            Written::Number(_, Start::Alone) => "number alone",
        };
        let (Written::Text(wanted) | Written::Number(wanted, _)) = &self.0;
        (what, wanted.iter().collect())
    }

    /// Whether [`Spelling::in_text`] may give it: a number, or an address.
    pub fn is_looked_for(&self) -> bool {
        match &self.0 {
            Written::Text(wanted) => wanted.contains(&'@'),
            Written::Number(..) => true,
        }
    }

    /// Whether it is a telephone number, whose spelling says where it begins and ends.
    pub const fn is_number(&self) -> bool {
        matches!(self.0, Written::Number(..))
    }

    /// How many characters of it are compared.
    pub const fn length(&self) -> usize {
        match &self.0 {
            Written::Text(wanted) | Written::Number(wanted, _) => wanted.len(),
        }
    }

    /// More bytes than these it never takes.
    pub const fn most_bytes(&self) -> usize {
        self.length().saturating_add(1).saturating_mul(BYTES)
    }

    /// Whether it may begin with this byte. Most bytes of a text are told apart by it.
    pub fn may_begin_with(&self, byte: u8) -> bool {
        let (Written::Text(wanted) | Written::Number(wanted, _)) = &self.0;
        let first = wanted.first().copied().unwrap_or_default();
        !byte.is_ascii()
            || matches!(byte, b'%' | b'\\')
            || first == char::from(byte.to_ascii_lowercase())
            || first == ' ' && matches!(byte, b'\t'..=b'\r')
            || self.is_number() && byte == b'+'
    }

    /// Where it stands in a text that is UTF-8 as far as it matters, if it begins at this place: a
    /// number with the sign or the bracket before it. A number never stands within a longer one.
    pub fn at(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        match &self.0 {
            Written::Text(wanted) => Self::text_at(wanted, text, at),
            Written::Number(digits, start) => Self::number_at(digits, *start, text, at),
        }
    }

    fn text_at(wanted: &[char], text: &[u8], from: usize) -> Option<Range<usize>> {
        let (mut left, mut at) = (wanted, from);
        let mut folded = Vec::new();
        let mut was_space = false;
        while !left.is_empty() {
            let (unit, width) = Unit::at(text, at)?;
            match unit {
                Unit::Plain(c) => {
                    if !(c == ' ' && was_space) {
                        left = left.strip_prefix(&[c])?;
                    }
                    was_space = c == ' ';
                }
                Unit::Other(_) => {
                    folded.clear();
                    unit.push_to(&mut folded);
                    left = left.strip_prefix(folded.as_slice())?;
                    was_space = folded.last().map_or(was_space, |last| *last == ' ');
                    if at == from && folded.is_empty() {
                        return None;
                    }
                }
            }
            at += width;
            if at - from > wanted.len().saturating_add(1).saturating_mul(BYTES) {
                return None;
            }
        }
        (at > from).then_some(from..at)
    }

    fn number_at(wanted: &[char], start: Start, text: &[u8], from: usize) -> Option<Range<usize>> {
        let (before, _) = before(text, from);
        if before.is_some_and(|before| before.is_ascii_digit() || before == '+') {
            return None;
        }
        if start == Start::Alone && is_behind_digits(text, from) {
            return None;
        }
        let (mut left, mut at, mut gap) = (wanted, from, 0);
        while !left.is_empty() {
            let (unit, width) = Unit::at(text, at)?;
            let c = unit.first();
            if let Some(rest) = left.strip_prefix(&[c]) {
                (left, gap) = (rest, 0);
            } else {
                let is_sign = c == '+' && at == from;
                let is_joint = at > from && is_joint(c) && gap < GAP;
                if !(is_sign || is_joint) {
                    return None;
                }
                gap += 1;
            }
            at += width;
        }
        if Unit::at(text, at).is_some_and(|(unit, _)| unit.first().is_ascii_digit())
            || text.get(from..at).is_some_and(is_date)
        {
            return None;
        }
        let closes = text.get(from..at)?.contains(&b')') && !text.get(from..at)?.contains(&b'(');
        let opens = from.checked_sub(1).filter(|at| closes && text.get(*at) == Some(&b'('));
        Some(opens.unwrap_or(from)..at)
    }
}

/// Several spellings, looked for at once.
#[derive(Debug, Clone, Default)]
pub struct Spellings {
    /// Which bytes any of them may begin with.
    bytes: Vec<bool>,
    /// By the character that they begin with.
    by_first: HashMap<char, Vec<Spelling>>,
    /// Those that a `+` may stand before.
    numbers: Vec<Spelling>,
}

impl Spellings {
    /// These.
    pub fn new(all: &[Spelling]) -> Self {
        let any = |byte| all.iter().any(|spelling| spelling.may_begin_with(byte));
        let bytes = (0..=u8::MAX).map(any).collect();
        let mut spellings = Self { bytes, ..Self::default() };
        for spelling in all {
            let (Written::Text(wanted) | Written::Number(wanted, _)) = &spelling.0;
            let Some(first) = wanted.first() else { continue };
            spellings.by_first.entry(*first).or_default().push(spelling.clone());
            if spelling.is_number() {
                spellings.numbers.push(spelling.clone());
            }
        }
        spellings
    }

    /// Whether any of them begins at this place of a text, as [`Spelling::at`] finds it.
    pub fn any_at(&self, text: &[u8], at: usize) -> bool {
        let byte = text.get(at).copied().map(usize::from);
        if !byte.and_then(|byte| self.bytes.get(byte)).is_some_and(|may| *may) {
            return false;
        }
        let Some((unit, _)) = Unit::at(text, at) else { return false };
        let first = match unit {
            Unit::Plain(c) => c,
            Unit::Other(_) => {
                let mut folded = Vec::new();
                unit.push_to(&mut folded);
                let Some(first) = folded.first() else { return false };
                *first
            }
        };
        let those = self.by_first.get(&first).into_iter().flatten();
        let signed = (first == '+').then_some(&self.numbers).into_iter().flatten();
        those.chain(signed).any(|spelling| spelling.at(text, at).is_some())
    }
}

/// What one or more bytes of a text stand for, as it is compared.
#[derive(Clone, Copy)]
enum Unit {
    /// An ASCII character, small, any white space a space.
    Plain(char),
    /// One that folds to others, or to nothing.
    Other(char),
}

impl Unit {
    /// The next one, and how many bytes it takes; `None` at the end.
    fn at(text: &[u8], at: usize) -> Option<(Self, usize)> {
        let first = *text.get(at)?;
        if first == b'%'
            && let Some((c, width)) = encoded(text, at)
        {
            return Some((Self::of(c), width));
        }
        if first == b'\\'
            && let Some((c, width)) = escaped(text, at)
        {
            return Some((Self::of(c), width));
        }
        if first.is_ascii() {
            return Some((Self::of(char::from(first)), 1));
        }
        let (c, width) = decoded(text.get(at..)?);
        Some((Self::of(c), width))
    }

    const fn of(c: char) -> Self {
        match c {
            '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => Self::Plain(' '),
            // Domains are written with the full stops of other scripts, too.
            '\u{3002}' | '\u{ff0e}' | '\u{ff61}' => Self::Plain('.'),
            _ if c.is_ascii() => Self::Plain(c.to_ascii_lowercase()),
            _ => Self::Other(c),
        }
    }

    fn push_to(self, folded: &mut Vec<char>) {
        match self {
            Self::Plain(' ') if folded.last() == Some(&' ') => {}
            Self::Plain(c) => folded.push(c),
            Self::Other(c) => decompose_compatible(c, |part| {
                for folds in std::iter::once(part).default_case_fold() {
                    decompose_compatible(folds, |part| {
                        if !is_invisible(part) {
                            folded.push(latin_digit(part));
                        }
                    });
                }
            }),
        }
    }

    /// Whether a word goes on with it: one before it begins no word.
    fn is_letter(self) -> bool {
        matches!(self, Self::Plain(c) | Self::Other(c) if c.is_alphanumeric())
    }

    fn is_of_domain(self) -> bool {
        self.is_letter()
            || self.is_joint()
            || matches!(self, Self::Other('\u{300}'..='\u{36f}'))
            || self.is_invisible()
    }

    fn is_invisible(self) -> bool {
        matches!(self, Self::Other(c) if is_invisible(c))
    }

    const fn is_joint(self) -> bool {
        matches!(self, Self::Plain('.' | '-'))
    }

    /// Whether no address has it before its `@`.
    fn is_outside(self) -> bool {
        matches!(self, Self::Plain(c) | Self::Other(c) if c.is_whitespace() || c.is_control() || "<>()[]\",;:@".contains(c))
    }

    /// What it is as a part of a number.
    fn first(self) -> char {
        match self {
            Self::Plain(c) => c,
            Self::Other(c) => {
                let mut folded = Vec::new();
                self.push_to(&mut folded);
                // What is invisible stands between two digits as white space does.
                let dash = matches!(c, '\u{2010}'..='\u{2015}').then_some('-');
                dash.unwrap_or_else(|| folded.first().copied().unwrap_or(' '))
            }
        }
    }
}

/// A character and its bytes; what is not UTF-8 is one that stands in no spelling.
fn decoded(bytes: &[u8]) -> (char, usize) {
    for width in 2..=4 {
        let text = bytes.get(..width).map(std::str::from_utf8);
        if let Some(c) = text.and_then(Result::ok).and_then(|text| text.chars().next()) {
            return (c, width);
        }
    }
    (char::REPLACEMENT_CHARACTER, 1)
}

/// A character that stands here as it does between the quotation marks of JSON, and how many bytes
/// it takes.
fn escaped(text: &[u8], at: usize) -> Option<(char, usize)> {
    if text.get(at) != Some(&b'\\') {
        return None;
    }
    match text.get(at + 1)? {
        b'n' => Some(('\n', 2)),
        b'r' => Some(('\r', 2)),
        b't' => Some(('\t', 2)),
        b'u' => {
            let digits = text.get(at + 2..at.checked_add(6)?)?;
            let digit = |sum: u32, byte: &u8| Some(sum * 16 + char::from(*byte).to_digit(16)?);
            let code = digits.iter().try_fold(0, digit)?;
            Some((char::from_u32(code)?, 6))
        }
        _ => None,
    }
}

/// The character that stands before a place in a text percent-encoded, or as between the quotation
/// marks of JSON, and in how many bytes.
pub fn encoded_before(text: &str, at: usize) -> Option<(char, usize)> {
    let text = text.as_bytes();
    if let Some(byte) = at.checked_sub(3).and_then(|start| encoded_byte(text, start)) {
        return Some((char::from(byte), 3));
    }
    [2, 6].into_iter().find_map(|width| {
        let escaped = escaped(text, at.checked_sub(width)?)?;
        (escaped.1 == width).then_some(escaped)
    })
}

/// A character that stands percent-encoded here, and how many bytes it takes.
fn encoded(text: &[u8], at: usize) -> Option<(char, usize)> {
    let first = encoded_byte(text, at)?;
    let width = match first {
        0..0x80 => return Some((char::from(first), 3)),
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return None,
    };
    let mut bytes = [first, 0, 0, 0];
    for (n, byte) in bytes.iter_mut().enumerate().take(width).skip(1) {
        *byte = encoded_byte(text, at + 3 * n)?;
    }
    let c = std::str::from_utf8(bytes.get(..width)?).ok()?.chars().next()?;
    Some((c, 3 * width))
}

fn encoded_byte(text: &[u8], at: usize) -> Option<u8> {
    let [b'%', high, low] = text.get(at..at.checked_add(3)?)? else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The character before a place, percent-encoded or not, and where it begins. What is not ASCII is
/// told by its last byte alone: it is no digit.
fn before(text: &[u8], at: usize) -> (Option<char>, usize) {
    if let Some(start) = at.checked_sub(3)
        && let Some(byte) = encoded_byte(text, start)
    {
        return (Some(char::from(byte)), start);
    }
    if let Some(start) = at.checked_sub(6)
        && let Some((c, 6)) = escaped(text, start)
    {
        return (Some(c), start);
    }
    let start = at.checked_sub(1);
    let byte = start.and_then(|start| text.get(start));
    (byte.map(|byte| char::from(*byte)), start.unwrap_or(0))
}

/// Whether there are digits before a place, with nothing but a joint or two between.
fn is_behind_digits(text: &[u8], mut at: usize) -> bool {
    for _ in 0..=2 {
        let (c, start) = before(text, at);
        match c {
            Some(c) if c.is_ascii_digit() => return true,
            Some(c) if is_joint(c) => at = start,
            _ => return false,
        }
    }
    false
}

/// What people put between the digits of one number.
const fn is_joint(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '/' | '(' | ')')
}

/// Whether digits are a date: `2026-03-04`, `04.03.2026`.
fn is_date(text: &[u8]) -> bool {
    let lengths: Vec<usize> =
        text.split(|byte| matches!(byte, b'-' | b'.' | b'/')).map(<[u8]>::len).collect();
    text.iter().all(|byte| matches!(byte, b'-' | b'.' | b'/' | b'0'..=b'9'))
        && matches!(lengths.as_slice(), [4, 2, 2] | [2, 2, 4])
}
