//! How alike two short texts are.

/// Jaro–Winkler similarity of two ASCII texts, between 0 and 1; common prefixes of up to four
/// characters count extra (Winkler 1990, scaling 0.1). Longer texts count as far as 64 bytes.
pub(super) fn jaro_winkler(one: &str, other: &str) -> f64 {
    let (a, b) = (one.as_bytes(), other.as_bytes());
    let (a, b) = (a.get(..64).unwrap_or(a), b.get(..64).unwrap_or(b));
    if a == b {
        return 1.0;
    }
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let window = (a.len().max(b.len()) / 2).saturating_sub(1);
    let (mut matched_a, mut matched_b) = (0_u64, 0_u64);
    let mut matches = 0_u32;
    for (i, x) in a.iter().enumerate() {
        let (from, to) = (i.saturating_sub(window), (i + window + 1).min(b.len()));
        let candidates = b.iter().enumerate().take(to).skip(from);
        for (j, y) in candidates {
            if x == y && matched_b & (1 << j) == 0 {
                matched_a |= 1 << i;
                matched_b |= 1 << j;
                matches += 1;
                break;
            }
        }
    }
    if matches == 0 {
        return 0.0;
    }
    let mut moved = 0_usize;
    let (mut left_a, mut left_b) = (matched_a, matched_b);
    while left_a != 0 {
        let (i, j) = (left_a.trailing_zeros(), left_b.trailing_zeros());
        moved += usize::from(byte(a, i) != byte(b, j));
        left_a &= left_a - 1;
        left_b &= left_b.wrapping_sub(1);
    }
    let count = |n: usize| u32::try_from(n).map_or(f64::MAX, f64::from);
    let (m, t) = (f64::from(matches), count(moved) / 2.0);
    let jaro = (m / count(a.len()) + m / count(b.len()) + (m - t) / m) / 3.0;
    let prefix = a.iter().zip(b).take(4).take_while(|(x, y)| x == y).count();
    jaro + count(prefix) * 0.1 * (1.0 - jaro)
}

fn byte(text: &[u8], at: u32) -> Option<u8> {
    usize::try_from(at).ok().and_then(|at| text.get(at)).copied()
}

/// Jaro–Winkler similarity, where it is at least 0.8; anything below 0.8 otherwise. Most texts have
/// so few letters in common that this is seen at once.
pub(super) fn likeness(one: &str, other: &str) -> f64 {
    let (a, b) = (one.as_bytes(), other.as_bytes());
    let letters = b.iter().fold(0_u64, |set, byte| set | 1 << (byte & 63));
    let common = a.iter().filter(|byte| letters & (1 << (**byte & 63)) != 0).count();
    // With m matches Jaro is at most (m/a + m/b + 1) / 3, and the prefix adds at most 0.4 of the
    // rest: 0.8 needs a Jaro of two thirds, and so m/a + m/b of 1.
    let matches = common.min(b.len());
    if matches * (a.len() + b.len()) < a.len() * b.len() {
        return 0.0;
    }
    jaro_winkler(one, other)
}

/// Whether two texts differ by at most one character changed, left out or put in, or by two
/// neighbours swapped.
pub(super) fn one_edit(one: &str, other: &str) -> bool {
    let (a, b) = (one.as_bytes(), other.as_bytes());
    if a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (a.get(head..).unwrap_or_default(), b.get(head..).unwrap_or_default());
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let a = a.get(..a.len() - tail.min(a.len())).unwrap_or_default();
    let b = b.get(..b.len() - tail.min(b.len())).unwrap_or_default();
    let swapped = || a.len() == 2 && b.len() == 2 && a.first() == b.last() && a.last() == b.first();
    a.len().max(b.len()) <= 1 || swapped()
}

/// How many characters changed, left out or put in make one text of the other (Levenshtein 1966),
/// if it is no more than three. Time is linear in the length.
pub(super) fn edits_up_to_3(one: &str, other: &str) -> Option<usize> {
    const MOST: usize = 3;
    let (a, b) = (one.as_bytes(), other.as_bytes());
    if a.len().abs_diff(b.len()) > MOST {
        return None;
    }
    // An edit takes at most one letter away and brings one in.
    let letters = |text: &[u8]| text.iter().fold(0_u64, |set, byte| set | 1 << (byte & 63));
    if (letters(a) ^ letters(b)).count_ones() > 6 {
        return None;
    }
    // Of each row only what lies near the diagonal is needed: seven places.
    let mut row = [MOST + 1; 2 * MOST + 1];
    for (place, cost) in row.iter_mut().enumerate().skip(MOST) {
        *cost = place - MOST;
    }
    for (i, x) in a.iter().enumerate() {
        let mut next = [MOST + 1; 2 * MOST + 1];
        for place in 0..next.len() {
            let at = |row: &[usize], place: Option<usize>| {
                place.and_then(|place| row.get(place)).copied().unwrap_or(MOST + 1)
            };
            // The place on the diagonal: column j is i + 1 + place - MOST.
            let Some(column) = (i + 1 + place).checked_sub(MOST) else { continue };
            if column > b.len() {
                continue;
            }
            let out = at(&row, place.checked_add(1)) + 1;
            let mut cost = out;
            if column > 0 {
                let differs = usize::from(b.get(column - 1) != Some(x));
                cost = cost.min(at(&row, Some(place)) + differs);
                cost = cost.min(at(&next, place.checked_sub(1)) + 1);
            }
            if let Some(slot) = next.get_mut(place) {
                *slot = cost;
            }
        }
        row = next;
        if row.iter().all(|cost| *cost > MOST) {
            return None;
        }
    }
    let place = (b.len() + MOST).checked_sub(a.len())?;
    row.get(place).copied().filter(|cost| *cost <= MOST)
}

/// The sound of a name: American Soundex, four characters; empty without letters.
pub(super) fn soundex(name: &str) -> [u8; 4] {
    let code = |byte: u8| match byte {
        b'b' | b'f' | b'p' | b'v' => b'1',
        b'c' | b'g' | b'j' | b'k' | b'q' | b's' | b'x' | b'z' => b'2',
        b'd' | b't' => b'3',
        b'l' => b'4',
        b'm' | b'n' => b'5',
        b'r' => b'6',
        _ => 0,
    };
    let mut letters = name.bytes().filter(u8::is_ascii_alphabetic).map(|b| b.to_ascii_lowercase());
    let Some(first) = letters.next() else { return [0; 4] };
    let mut sound = [first, b'0', b'0', b'0'];
    let mut last = code(first);
    let mut slots = sound.iter_mut().skip(1);
    for letter in letters {
        let this = code(letter);
        if this != 0 && this != last {
            let Some(slot) = slots.next() else { break };
            *slot = this;
        }
        // Equal codes with an h or w between them count once, with a vowel between them twice.
        if !matches!(letter, b'h' | b'w') {
            last = this;
        }
    }
    sound
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_values_come_out() {
        let near = |a: f64, b: f64| (a - b).abs() < 0.001;
        assert!(near(jaro_winkler("martha", "marhta"), 0.961));
        assert!(near(jaro_winkler("dixon", "dicksonx"), 0.813));
        assert!(near(jaro_winkler("dwayne", "duane"), 0.840));
        assert_eq!(&soundex("Robert"), b"r163");
        assert_eq!(&soundex("Rupert"), b"r163");
        assert_eq!(&soundex("Tymczak"), b"t522");
        assert_eq!(&soundex("Ashcraft"), b"a261");
    }

    #[test]
    fn one_edit_is_one_slip_of_the_hand() {
        for (a, b) in [("19650312", "19650321"), ("4711", "471"), ("4711", "4811"), ("a", "")] {
            assert!(one_edit(a, b) && one_edit(b, a), "{a} {b}");
        }
        for (a, b) in [("19650312", "19660321"), ("4711", "47"), ("abcd", "badc")] {
            assert!(!one_edit(a, b), "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn likeness_is_mutual_and_between_0_and_1(a in "[a-c]{0,9}|[a-z]{0,80}", b in "[a-c]{0,9}|[a-z]{0,80}") {
            let (one, other) = (jaro_winkler(&a, &b), jaro_winkler(&b, &a));
            prop_assert!((0.0..=1.0).contains(&one));
            prop_assert!((one - other).abs() < 0.2);
            let quick = likeness(&a, &b);
            let agrees = if one >= 0.8 { (quick - one).abs() < 1e-9 } else { quick < 0.8 };
            prop_assert!(agrees, "{} {}", one, quick);
            prop_assert_eq!(one_edit(&a, &b), one_edit(&b, &a));
            prop_assert_eq!(one_edit(&a, &b), strsim::osa_distance(&a, &b) <= 1);
            let edits = strsim::levenshtein(&a, &b);
            prop_assert_eq!(edits_up_to_3(&a, &b), (edits <= 3).then_some(edits));
        }
    }
}
