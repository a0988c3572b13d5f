//! A hash that is quick for short texts, and the same in every release and on every machine.

use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Folds eight bytes at a time by multiplication, and mixes at the end as `SplitMix64` does
/// (Steele, Lea and Flood 2014). For look-up and grouping, not against people who seek collisions.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Mixer(u64);

/// For maps whose keys are hashes or numbers.
pub(super) type Mixed = BuildHasherDefault<Mixer>;

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Mixer {
    const fn fold(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(ODD);
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.fold(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let last = rest.iter().rev().fold(1_u64, |word, byte| word << 8 | u64::from(*byte));
            self.fold(last);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.fold(u64::from(byte));
    }

    fn write_u32(&mut self, number: u32) {
        self.fold(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.fold(number);
    }

    fn finish(&self) -> u64 {
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The hash of a value.
pub(super) fn mixed(value: &impl Hash) -> u64 {
    let mut mixer = Mixer::default();
    value.hash(&mut mixer);
    mixer.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn like_texts_have_unlike_hashes() {
        let texts = (0..20_000).flat_map(|n| [format!("{n}"), format!("jan{n}@example.nl")]);
        let hashes: BTreeSet<u64> = texts.map(|text| mixed(&text.as_str())).collect();
        assert_eq!(hashes.len(), 40_000);
        assert_ne!(mixed(&""), mixed(&"\0"));
        assert_ne!(mixed(&(1_u32, 2_u32)), mixed(&(2_u32, 1_u32)));
    }
}
