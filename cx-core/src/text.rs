//! Text: the forms in which texts and names are compared.

use unicode_normalization::UnicodeNormalization;

/// Invisible characters that change how a text looks or sorts and never what it says:
/// zero-width and directional marks, soft hyphens, byte order marks, variation selectors.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character can steer whoever shows the text: a control character, or one that turns the
/// direction of reading.
pub fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// The form in which two texts are compared: compatibility forms unified (NFKC), case folded
/// without a locale, decimal digits of any script Latin, invisible and control characters gone,
/// outer white space gone and inner runs of it one space. Idempotent.
///
/// ```
/// # use cx_core::text::folded;
/// assert_eq!(folded("  Ｊａｎ\u{200b}  de VRIES "), "jan de vries");
/// assert_eq!(folded("٠٦"), "06");
/// ```
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return folded_ascii(text);
    }
    let mut last = fold_once(text);
    // Folding may compose new sequences, which one more round settles.
    for _ in 0..4 {
        let next = fold_once(&last);
        if next == last {
            break;
        }
        last = next;
    }
    last
}

/// The same of plain letters, which most texts are: case and space are all there is to fold.
fn folded_ascii(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_ascii_whitespace() || c.is_ascii_control()) {
        if !word.is_empty() {
            if !folded.is_empty() {
                folded.push(' ');
            }
            folded.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        }
    }
    folded
}

/// Whether a word of the text has letters of several scripts that look alike: Latin beside Cyrillic
/// or Greek, as in an address that imitates another.
///
/// ```
/// # use cx_core::text::mixes_scripts;
/// assert!(mixes_scripts("p\u{430}ypal"));
/// assert!(!mixes_scripts("paypal") && !mixes_scripts("иван.petrov"));
/// ```
pub fn mixes_scripts(text: &str) -> bool {
    let script = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => Some(1_u8),
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(2),
        '\u{400}'..='\u{52f}' => Some(4),
        _ => None,
    };
    let words = text.split(|c: char| !c.is_alphanumeric());
    let of_word = |word: &str| word.chars().filter_map(script).fold(0, |all, one| all | one);
    words.map(of_word).any(|scripts: u8| scripts.count_ones() > 1)
}

/// The zeros of the scripts whose decimal digits stand one behind the other, as Unicode has them.
const ZEROS: &[u32] = &[
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xaa50, 0xabf0,
];

/// A decimal digit of any script as a Latin one; others as they are.
pub(crate) fn latin_digit(c: char) -> char {
    let code = u32::from(c);
    let zero = ZEROS.get(ZEROS.partition_point(|zero| *zero <= code).wrapping_sub(1));
    let digit = zero.and_then(|zero| char::from_digit(code.checked_sub(*zero)?, 10));
    digit.unwrap_or(c)
}

fn fold_once(text: &str) -> String {
    let visible: String = text
        .nfkc()
        .filter(|character| !is_invisible(*character))
        .map(|character| if character.is_control() { ' ' } else { latin_digit(character) })
        .collect();
    let cased: String = caseless::default_case_fold_str(&visible).nfkc().collect();
    cased.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Values that people and programs write where there is none. Compared in folded form.
const PLACEHOLDERS: &[&str] = &[
    "-",
    "--",
    "---",
    ".",
    "..",
    "...",
    "?",
    "0",
    "-1",
    "00",
    "000",
    "0000",
    "[object object]",
    "anonymous",
    "dummy",
    "empty",
    "inconnu",
    "n.a.",
    "n.v.t.",
    "n/a",
    "na",
    "nan",
    "nil",
    "no email",
    "no name",
    "no phone",
    "noemail",
    "none",
    "not available",
    "not provided",
    "not set",
    "nothing",
    "null",
    "nvt",
    "onbekend",
    "restricted",
    "test",
    "unavailable",
    "unbekannt",
    "undefined",
    "unknown",
    "void",
    "withheld",
    "xx",
    "xxx",
    "xxxx",
    "(null)",
    "<null>",
    "\\n",
    "#n/a",
    "abc123",
    "asdf",
];

/// Whether a text stands where a value is missing: `null`, `n/a`, `[object Object]`, `0`, `test`,
/// an empty text, one letter over and over. Numbers other than nought may be ids: `1` and `111` are
/// no placeholders.
///
/// ```
/// # use cx_core::text::is_placeholder;
/// assert!(is_placeholder(" NULL ") && is_placeholder("0000000") && !is_placeholder("u4711"));
/// ```
pub fn is_placeholder(text: &str) -> bool {
    let text = folded(text);
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return true };
    let repeated = text.chars().count() > 2
        && !first.is_ascii_digit()
        && characters.all(|other| other == first);
    repeated
        || PLACEHOLDERS.contains(&text.as_str())
        || text.chars().all(|c| matches!(c, '0' | '-' | '.' | ' ' | '_'))
}

/// The first words of a text, on one line: white space folded, at most `limit` characters, with
/// an ellipsis where something was cut.
pub fn first_words(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit {
        return line;
    }
    let kept: String = line.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn look_alikes_of_one_text_fold_to_the_same() {
        assert_eq!(folded("STRASSE"), folded("straße"));
        assert_eq!(folded("e\u{301}te\u{301}"), folded("ÉTÉ"));
        assert_eq!(folded("İ"), folded(&folded("İ")));
        assert_eq!(folded("ﬁn"), "fin");
    }

    #[test]
    fn a_placeholder_is_no_value() {
        for text in [
            "",
            " ",
            "null",
            "N/A",
            "[object Object]",
            "0000000000",
            "aaaa",
            "Anonymous",
            "NaN",
            "-1",
        ] {
            assert!(is_placeholder(text), "{text:?}");
        }
        for text in ["jan", "u1", "1", "42", "111", "jan@example.nl", "Nan Li", "customer"] {
            assert!(!is_placeholder(text), "{text:?}");
        }
    }

    #[test]
    fn first_words_fit_the_limit() {
        assert_eq!(first_words("Where is\n my order?", 40), "Where is my order?");
        assert_eq!(first_words("Where is my order?", 9), "Where is…");
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,60}") {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), once);
        }

        #[test]
        fn plain_letters_fold_as_all_others(text in "[ -~\\t\\r\\n\\x00\\x0b\\x1f\\x7f]{0,60}") {
            prop_assert_eq!(folded(&text), fold_once(&text));
        }

        #[test]
        fn first_words_never_exceed_the_limit(text in "\\PC{0,60}", limit in 1_usize..30) {
            prop_assert!(first_words(&text, limit).chars().count() <= limit);
        }
    }
}
