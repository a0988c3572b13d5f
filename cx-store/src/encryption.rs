//! Encryption at rest: the key of a store, and how a connection is given it.
//!
//! The engine does it, page by page, where it was built with SQLCipher (cargo feature
//! `encryption`); whether it was is asked when a key is given. SQLite itself takes a key without a
//! word and writes plain text, so there a key is refused.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use crate::codec;
use crate::error::StoreError;

/// The size of a page in every file that cx makes, encrypted or not.
pub(crate) const PAGE_SIZE: u16 = 8192;

/// The longest key file that is read, in bytes.
const LONGEST_FILE: u64 = 4096;

/// The major version of SQLCipher whose form encrypted files have, whatever the engine's own
/// default is: AES-256 in CBC mode and HMAC-SHA512 for each page, 256,000 rounds of
/// PBKDF2-HMAC-SHA512 from a passphrase to a key.
const FORM: i32 = 4;

/// The key under which a store is encrypted.
///
/// It is overwritten in memory when it is dropped; the engine keeps a copy of its own for as long
/// as a connection is open. Shown with `{:?}` it tells nothing of itself.
///
/// ```
/// use cx_store::EncryptionKey;
///
/// let key = EncryptionKey::passphrase("correct horse battery staple")?;
/// assert_eq!(format!("{key:?}"), "EncryptionKey(..)");
/// // The text of a key file: 64 hexadecimal digits are a raw key, anything else is a passphrase.
/// let raw: EncryptionKey = "4f".repeat(32).parse()?;
/// # drop(raw);
/// # Ok::<(), cx_store::KeyError>(())
/// ```
#[derive(Clone)]
pub struct EncryptionKey(Secret);

#[derive(Clone)]
enum Secret {
    Passphrase(Zeroizing<String>),
    Raw(Zeroizing<[u8; 32]>),
}

/// Why something is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A passphrase without a character.
    #[error("the passphrase is empty")]
    Empty,
    /// The engine would cut the passphrase at its NUL character.
    #[error("the passphrase has a NUL character in it")]
    Nul,
    /// The engine would take the passphrase for a raw key.
    #[error("the passphrase is written as a raw key is in SQL (x'…'): give the digits alone")]
    WrittenAsRaw,
    /// The key file cannot be read, or is none.
    #[error("{}: no key can be read from it: {detail}", path.display())]
    Unreadable {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

impl EncryptionKey {
    /// A key that is derived from a passphrase, anew for each connection to the store, which takes
    /// a moment each time: a raw key does not.
    ///
    /// The passphrase is taken as it is: 64 hexadecimal digits are a passphrase here, where
    /// they are a raw key in a key file.
    ///
    /// # Errors
    /// [`KeyError`] where it is empty, has a NUL character in it, or is of the form `x'…'` with
    /// nothing but hexadecimal digits between.
    pub fn passphrase(passphrase: impl Into<String>) -> Result<Self, KeyError> {
        let passphrase = Zeroizing::new(passphrase.into());
        if passphrase.is_empty() {
            return Err(KeyError::Empty);
        }
        if passphrase.contains('\0') {
            return Err(KeyError::Nul);
        }
        let inner = passphrase.strip_prefix(['x', 'X']).and_then(|rest| rest.strip_prefix('\''));
        let inner = inner.and_then(|rest| rest.strip_suffix('\''));
        if inner.is_some_and(|inner| inner.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            return Err(KeyError::WrittenAsRaw);
        }
        Ok(Self(Secret::Passphrase(passphrase)))
    }

    /// A key of 256 bits, which should come from a source of randomness made for keys.
    pub fn raw(key: [u8; 32]) -> Self {
        Self(Secret::Raw(Zeroizing::new(key)))
    }

    /// Reads a key file: UTF-8, at most 4,096 bytes. A newline at its end is no part of the key; 64
    /// hexadecimal digits are a raw key; anything else is a passphrase.
    ///
    /// # Errors
    /// [`KeyError`] where the file cannot be read or holds no key.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let unreadable = |detail: String| KeyError::Unreadable { path: path.to_owned(), detail };
        let mut text = Zeroizing::new(String::new());
        let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
        file.take(LONGEST_FILE + 1)
            .read_to_string(&mut text)
            .map_err(|error| unreadable(error.to_string()))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > LONGEST_FILE) {
            return Err(unreadable(format!("it is longer than {LONGEST_FILE} bytes")));
        }
        text.parse().map_err(|error: KeyError| unreadable(error.to_string()))
    }

    /// The key as the engine takes it.
    pub(crate) fn as_engine_text(&self) -> Zeroizing<String> {
        match &self.0 {
            Secret::Passphrase(passphrase) => passphrase.clone(),
            Secret::Raw(key) => {
                let digits = Zeroizing::new(codec::hex(&**key));
                Zeroizing::new(format!("x'{}'", digits.as_str()))
            }
        }
    }
}

impl FromStr for EncryptionKey {
    type Err = KeyError;

    /// The text of a key file, as [`EncryptionKey::read`] reads it.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        raw_key(text).map_or_else(|| Self::passphrase(text), |key| Ok(Self(Secret::Raw(key))))
    }
}

/// The 32 bytes that 64 hexadecimal digits stand for.
fn raw_key(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = Zeroizing::new([0; 32]);
    for (place, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(key)
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EncryptionKey").finish_non_exhaustive()
    }
}

/// Refuses where the engine cannot encrypt.
pub(crate) fn require_engine() -> Result<(), StoreError> {
    let connection = Connection::open_in_memory()?;
    let version = connection.query_row("PRAGMA cipher_version", [], |row| row.get::<_, String>(0));
    version.optional()?.map(drop).ok_or(StoreError::NoEncryption)
}

/// Gives a connection its key, before it has read or written anything.
pub(crate) fn unlock(
    connection: &Connection,
    key: Option<&EncryptionKey>,
) -> Result<(), StoreError> {
    let Some(key) = key else { return Ok(()) };
    // It would tell of every page that it cannot read on the standard error, which is not ours.
    connection.pragma_update(None, "cipher_log_level", "none")?;
    connection.pragma_update(None, "key", key.as_engine_text().as_str())?;
    form(connection, "main")?;
    // A key that was not taken would be followed by plain text.
    if is_sound(connection)? { Ok(()) } else { Err(StoreError::NoEncryption) }
}

/// Whether a connection has a key, and has decrypted every page that it has read.
fn is_sound(connection: &Connection) -> Result<bool, StoreError> {
    let status = connection.query_row("PRAGMA cipher_status", [], |row| row.get::<_, String>(0));
    Ok(status.optional()?.as_deref() == Some("1"))
}

/// Whether a connection is of any use still: one that could not read or decrypt a page never is
/// again.
pub(crate) fn is_of_use(connection: &Connection, key: Option<&EncryptionKey>) -> bool {
    key.is_none() || is_sound(connection).unwrap_or_default()
}

/// What was done on a connection of this file, or that it is damaged: in place of a page that it
/// cannot decrypt the engine gives zeros, and fails only when it has to read or write another one.
/// So what was read last may be nothing but zeros. A page that the disk does not give counts as one
/// of these, but is no damage. The connection is of no use any more in either case.
pub(crate) fn sound<T>(
    connection: &Connection,
    key: Option<&EncryptionKey>,
    path: &Path,
    done: Result<T, StoreError>,
) -> Result<T, StoreError> {
    if key.is_some()
        && !is_sound(connection)?
        && !done.as_ref().is_err_and(StoreError::is_failed_disk)
    {
        let detail = "a page cannot be decrypted".to_owned();
        return Err(StoreError::Corrupt { path: path.to_owned(), detail });
    }
    done
}

/// Says which form the pages of an encrypted database have, once it has its key.
pub(crate) fn form(connection: &Connection, schema: &str) -> Result<(), StoreError> {
    connection.pragma_update(Some(schema), "cipher_compatibility", FORM)?;
    connection.pragma_update(Some(schema), "cipher_page_size", PAGE_SIZE)?;
    Ok(())
}

/// How many bytes at the beginning of a file tell whether it may be encrypted.
pub(crate) const SAMPLE: u64 = 4096;

/// Whether bytes look as if each was drawn by lot: an encrypted file does from its first byte on.
/// So do compressed ones; nothing else that is likely to be taken for a store does.
pub(crate) fn looks_random(bytes: &[u8]) -> bool {
    if u64::try_from(bytes.len()).is_ok_and(|length| length < SAMPLE) {
        return false;
    }
    let mut counts = [0_u64; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length: u64 = counts.iter().sum();
    let squares: u64 = counts.iter().map(|count| count * count).sum();
    // Pearson's chi-squared with 255 degrees of freedom: 255 is expected, with a standard deviation
    // of 23. Ten of them above it no random bytes come; a text has tens of thousands.
    let chi_squared = (256 * squares / length).saturating_sub(length);
    chi_squared < 480
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_file_is_a_raw_key_or_a_passphrase() {
        let text = |text: &str| text.parse::<EncryptionKey>().map(|key| key.as_engine_text());
        let digits = "00ff".repeat(16);
        assert_eq!(*text(&digits).unwrap(), format!("x'{digits}'"));
        assert_eq!(*text(&format!("{}\n", digits.to_uppercase())).unwrap(), format!("x'{digits}'"));
        assert_eq!(*text(&format!("{digits}\r\n")).unwrap(), format!("x'{digits}'"));
        // One newline, and nothing else, is no part of it.
        assert_eq!(*text("  two words \n\n").unwrap(), "  two words \n");
        assert_eq!(*text(&format!("{digits}0")).unwrap(), format!("{digits}0"));
        assert_eq!(*text(&format!(" {digits}")).unwrap(), format!(" {digits}"));
        assert_eq!(text("\n").unwrap_err(), KeyError::Empty);
        assert_eq!(text("a\0b").unwrap_err(), KeyError::Nul);
        assert_eq!(text(&format!("X'{digits}'")).unwrap_err(), KeyError::WrittenAsRaw);
    }

    #[test]
    fn a_raw_key_is_its_digits() {
        let key = EncryptionKey::raw([0xa7; 32]);
        assert_eq!(*key.as_engine_text(), format!("x'{}'", "a7".repeat(32)));
    }

    #[test]
    fn a_key_shows_nothing_of_itself() {
        let key = EncryptionKey::passphrase("swordfish").unwrap();
        let options = crate::OpenOptions::new().key(key);
        assert!(!format!("{options:?} {options:#?}").contains("swordfish"));
    }

    #[test]
    fn a_key_file_that_cannot_be_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let wrong = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            EncryptionKey::read(&path).unwrap_err().to_string()
        };
        for bytes in [b"".as_slice(), b"\n", b"a\0", b"\xff", &[b'a'; 4097]] {
            let said = wrong(bytes);
            assert!(said.starts_with(&format!("{}: ", path.display())), "{said}");
        }
        assert!(EncryptionKey::read(folder.path().join("none")).is_err());
        std::fs::write(&path, [b'a'; 4096]).unwrap();
        assert_eq!(EncryptionKey::read(&path).unwrap().as_engine_text().len(), 4096);
    }

    #[test]
    fn texts_and_databases_do_not_look_random() {
        assert!(!looks_random(&[]));
        assert!(!looks_random(&[0; 4096]));
        assert!(!looks_random("Jan de Vries ordered two of them. ".repeat(200).as_bytes()));
        let every: Vec<u8> = (0..8192_u32).map(|n| u8::try_from(n / 32).unwrap()).collect();
        assert!(looks_random(&every), "as many of each byte");
        assert!(!looks_random(&every[..4096]), "half the bytes never");
    }

    proptest! {
        #[test]
        fn random_bytes_look_random(seed in any::<[u8; 32]>()) {
            let mut bytes = vec![0; 4096];
            blake3::Hasher::new().update(&seed).finalize_xof().fill(&mut bytes);
            prop_assert!(looks_random(&bytes));
        }
    }
}
