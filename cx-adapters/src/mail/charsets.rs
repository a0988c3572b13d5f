//! Bytes as text, in the charset that a mail names.

use mail_parser::decoders::charsets::map::charset_decoder;

use crate::lines::windows_1252;

/// Names of charsets that programs write, and under which the parser knows them.
const CHARSETS: &[(&str, &str)] = &[
    ("cp932", "shift_jis"),
    ("ms932", "shift_jis"),
    ("ms_kanji", "shift_jis"),
    ("windows-31j", "shift_jis"),
    ("windows-932", "shift_jis"),
    ("x-sjis", "shift_jis"),
    ("x-ms-cp932", "shift_jis"),
    ("cp936", "gbk"),
    ("x-gbk", "gbk"),
    ("windows-936", "gbk"),
    ("cp949", "euc-kr"),
    ("uhc", "euc-kr"),
    ("windows-949", "euc-kr"),
    ("ks_c_5601-1987", "euc-kr"),
    ("cp950", "big5"),
    ("x-euc-jp", "euc-jp"),
    ("x-cp1250", "windows-1250"),
    ("x-cp1251", "windows-1251"),
    ("x-cp1252", "windows-1252"),
];

/// Bytes as text. Where the charset is none that is known, or UTF-8 or ASCII, the bytes tell: what is
/// not UTF-8 is read as Windows-1252, as in headers.
pub(super) fn decoded(bytes: &[u8], charset: &str) -> String {
    let known = CHARSETS.iter().find(|(name, _)| *name == charset);
    let charset = known.map_or(charset, |(_, known)| known);
    let told_by_bytes = ["", "us-ascii", "ascii", "ansi_x3.4-1968", "utf-8", "utf8"];
    match charset_decoder(charset.as_bytes()) {
        Some(decode) if !told_by_bytes.contains(&charset) => decode(bytes),
        _ => {
            let chunks = bytes.utf8_chunks();
            chunks.map(|chunk| chunk.valid().to_owned() + &windows_1252(chunk.invalid())).collect()
        }
    }
}
