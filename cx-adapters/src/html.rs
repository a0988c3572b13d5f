//! The readable text of HTML.
//!
//! What HTML a mail holds is up to whoever sends it, so it is read in one pass from its start to its
//! end: no tree is built, nothing is laid out, and time and memory grow with its length alone.

use mail_parser::decoders::html::add_html_token;

use crate::lines::windows_1252;

/// Elements that begin and end a paragraph.
const PARAGRAPHS: &[&str] = &[
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "ul",
    "ol",
    "dl",
    "pre",
    "hr",
    "figure",
    "fieldset",
];

/// Elements that begin and end a line.
const LINES: &[&str] = &[
    "div",
    "table",
    "tr",
    "li",
    "dt",
    "dd",
    "section",
    "article",
    "header",
    "footer",
    "main",
    "nav",
    "aside",
    "address",
    "center",
    "form",
    "caption",
    "figcaption",
    "details",
    "summary",
    "legend",
    "body",
    "html",
    "head",
    "thead",
    "tbody",
    "tfoot",
    "option",
];

/// Elements whose content is no HTML, and is read by nobody.
const UNSEEN: &[&str] = &["script", "style", "title", "noembed", "noframes", "iframe"];

/// Elements without an end.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"];

/// More marks of quotation are not written before a line.
const QUOTED: usize = 10;

/// Lists deeper than these are written as these are.
const LISTS: usize = 10;

/// The text of HTML: without links' addresses, quotations marked with `>`, the cells of a row with
/// a tab between them.
pub(crate) fn text(html: &str) -> String {
    let mut reader = Reader { html, at: 0, gave_up: Vec::new() };
    let mut page = Page::default();
    while let Some(next) = reader.next() {
        match next {
            Next::Text(text) => page.text(text),
            Next::Tag(tag) => page.tag(&tag),
        }
    }
    page.text.trim().to_owned()
}

/// A tag: its name, in lower case, and what stands behind it.
#[derive(Debug, Clone)]
struct Tag<'h> {
    name: String,
    is_end: bool,
    attributes: &'h str,
}

impl<'h> Tag<'h> {
    /// The value of an attribute, as it stands there; empty where it has none.
    fn attribute(&self, wanted: &str) -> Option<&'h str> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '=' || c == '/');
            let (name, behind) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
            if name.is_empty() && behind.is_empty() {
                return None;
            }
            let (value, behind) = match behind.trim_ascii_start().strip_prefix('=') {
                Some(value) => {
                    let value = value.trim_ascii_start();
                    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
                    match quote.and_then(|quote| value.get(1..)?.split_once(quote)) {
                        Some(found) => found,
                        None => value.split_at_checked(
                            value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len()),
                        )?,
                    }
                }
                None => ("", behind),
            };
            if name.eq_ignore_ascii_case(wanted) {
                return Some(value);
            }
            rest = behind;
        }
    }

    /// Whether nobody sees the element, such as the line that mail programs show in their lists.
    fn is_hidden(&self) -> bool {
        let style = self.attribute("style").unwrap_or_default();
        let style = style.to_ascii_lowercase().replace(|c: char| c.is_ascii_whitespace(), "");
        self.attribute("hidden").is_some() || style.contains("display:none")
    }
}

enum Next<'h> {
    Text(&'h str),
    Tag(Tag<'h>),
}

/// Whose end is looked for to the end of the HTML, and is given up once it was not found there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sought {
    Tag,
    QuotedTag,
    Comment,
    Hidden,
    Unseen(String),
}

/// The HTML, and how far it is read.
struct Reader<'h> {
    html: &'h str,
    at: usize,
    gave_up: Vec<Sought>,
}

impl<'h> Reader<'h> {
    fn next(&mut self) -> Option<Next<'h>> {
        loop {
            let rest = self.html.get(self.at..).filter(|rest| !rest.is_empty())?;
            if !rest.starts_with('<') {
                let text = rest.get(..rest.find('<').unwrap_or(rest.len()))?;
                self.at += text.len();
                return Some(Next::Text(text));
            }
            if rest.starts_with("<!") || rest.starts_with("<?") {
                if let Some(end) = self.end_of_comment(rest) {
                    self.at += end;
                    continue;
                }
            } else if let Some((tag, end)) = self.tag(self.at) {
                self.at = end;
                if tag.is_end {
                    return Some(Next::Tag(tag));
                }
                if UNSEEN.contains(&tag.name.as_str())
                    && let Some(end) = self.end_of_unseen(&tag.name)
                {
                    self.at = end;
                    continue;
                }
                if tag.is_hidden() {
                    if VOID.contains(&tag.name.as_str()) {
                        continue;
                    }
                    if let Some(end) = self.end_of_hidden(&tag.name) {
                        self.at = end;
                        continue;
                    }
                }
                return Some(Next::Tag(tag));
            }
            // A mark that begins nothing is text.
            self.at += 1;
            return Some(Next::Text("<"));
        }
    }

    /// Looks for something, unless it was looked for in vain before.
    fn seek<T>(&mut self, what: Sought, find: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.gave_up.contains(&what) {
            return None;
        }
        let found = find(self);
        if found.is_none() {
            self.gave_up.push(what);
        }
        found
    }

    fn end_of_comment(&mut self, rest: &str) -> Option<usize> {
        let whole = rest
            .strip_prefix("<!--")
            .and_then(|inner| self.seek(Sought::Comment, |_| inner.find("-->")).map(|end| end + 7));
        whole.or_else(|| self.seek(Sought::Tag, |_| rest.find('>')).map(|end| end + 1))
    }

    /// Where the element ends whose content is no HTML.
    fn end_of_unseen(&mut self, name: &str) -> Option<usize> {
        let (html, from) = (self.html, self.at);
        self.seek(Sought::Unseen(name.to_owned()), |_| {
            let mut at = from;
            loop {
                at += html.get(at..)?.find("</")? + 2;
                let named = html.get(at..at + name.len());
                if named.is_some_and(|named| named.eq_ignore_ascii_case(name)) {
                    let end = html.get(at..)?.find('>')?;
                    return Some(at + end + 1);
                }
            }
        })
    }

    /// Where the element ends that nobody sees. What is never closed is read: it is not lost.
    fn end_of_hidden(&mut self, name: &str) -> Option<usize> {
        let from = self.at;
        self.seek(Sought::Hidden, |reader| {
            let (mut at, mut depth) = (from, 1_usize);
            loop {
                at += reader.html.get(at..)?.find('<')?;
                let Some((tag, end)) = reader.tag(at) else {
                    at += 1;
                    continue;
                };
                at = end;
                if tag.name == name {
                    depth = if tag.is_end { depth - 1 } else { depth + 1 };
                }
                if depth == 0 {
                    return Some(at);
                }
            }
        })
    }

    /// The tag that begins at a place, and where it ends. A `>` in quotation marks ends none.
    fn tag(&mut self, at: usize) -> Option<(Tag<'h>, usize)> {
        let rest = self.html.get(at + 1..)?;
        let (inner, is_end) = rest.strip_prefix('/').map_or((rest, false), |inner| (inner, true));
        if !inner.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let quoted = self.seek(Sought::QuotedTag, |_| {
            let mut quote = None;
            inner
                .bytes()
                .zip(0_usize..)
                .scan(b' ', |before, (byte, at)| {
                    let opens = quote.is_none() && matches!(byte, b'"' | b'\'') && *before == b'=';
                    if opens {
                        quote = Some(byte);
                    } else if quote == Some(byte) {
                        quote = None;
                    }
                    if !byte.is_ascii_whitespace() {
                        *before = byte;
                    }
                    Some((byte == b'>' && quote.is_none()).then_some(at))
                })
                .flatten()
                .next()
        });
        let end = quoted.or_else(|| self.seek(Sought::Tag, |_| inner.find('>')))?;
        let content = inner.get(..end)?;
        let length = content.find(|c: char| c.is_ascii_whitespace() || c == '/');
        let (name, attributes) = content.split_at_checked(length.unwrap_or(end))?;
        // No name that matters is longer.
        let name = name.get(..name.len().min(16)).unwrap_or_default().to_ascii_lowercase();
        Some((Tag { name, is_end, attributes }, at + 1 + usize::from(is_end) + end + 1))
    }
}

/// The text so far, and what comes before the next word of it.
#[derive(Debug, Default)]
struct Page {
    text: String,
    /// How many line ends.
    breaks: usize,
    /// Between two words of a line.
    gap: Option<char>,
    /// What marks an item of a list.
    mark: String,
    /// Within how many quotations the text is, and the line before it was.
    quoted: usize,
    before: usize,
    /// Where the line begins.
    line: usize,
    /// Within how many elements that keep their white space.
    kept: usize,
    /// The lists around: the number of the next item of those that count.
    lists: Vec<Option<u64>>,
}

impl Page {
    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let mut width = c.len_utf8();
            if c == '&' {
                let (read, length) = entity(rest);
                read.chars().for_each(|c| self.push(c));
                width = length;
            } else {
                self.push(c);
            }
            rest = rest.get(width..).unwrap_or_default();
        }
    }

    fn push(&mut self, c: char) {
        match c {
            '\r' | '\0' => {}
            '\n' if self.kept > 0 => self.breaks += 1,
            ' ' | '\t' if self.kept > 0 => {
                self.begin();
                self.text.push(c);
            }
            ' ' | '\t' | '\n' | '\u{c}' | '\u{a0}' => {
                self.gap = self.gap.or(Some(' '));
            }
            _ => {
                self.begin();
                self.text.push(c);
            }
        }
    }

    /// Whatever comes before the next word.
    fn begin(&mut self) {
        let is_first = self.text.is_empty();
        if self.breaks > 0 && !is_first {
            // Two dashes and a space begin a signature.
            if self.gap.is_some() && self.text.get(self.line..) == Some("--") {
                self.text.push(' ');
            }
            self.text.push('\n');
            let between = self.quoted.min(self.before).min(QUOTED);
            for _ in 1..self.breaks {
                self.text.push_str(&"> ".repeat(between));
                self.text.truncate(self.text.trim_end_matches(' ').len());
                self.text.push('\n');
            }
        }
        if self.breaks > 0 || is_first {
            self.text.push_str(&"> ".repeat(self.quoted.min(QUOTED)));
            self.before = self.quoted;
            self.line = self.text.len();
        } else if let Some(gap) = self.gap {
            self.text.push(gap);
        }
        self.text.push_str(&std::mem::take(&mut self.mark));
        (self.breaks, self.gap) = (0, None);
    }

    fn is_at_start(&self) -> bool {
        self.text.is_empty() || self.breaks > 0
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        let name = tag.name.as_str();
        if PARAGRAPHS.contains(&name) {
            // A list within a list is no paragraph.
            let is_within =
                matches!(name, "ul" | "ol") && self.lists.len() > usize::from(tag.is_end);
            self.breaks = self.breaks.max(if is_within { 1 } else { 2 });
        } else if LINES.contains(&name) {
            self.breaks = self.breaks.max(1);
        }
        match (name, tag.is_end) {
            ("br", _) => self.breaks += 1,
            ("hr", false) => {
                self.begin();
                self.text.push_str("---");
                self.breaks = 2;
            }
            ("blockquote", false) => self.quoted += 1,
            ("blockquote", true) => self.quoted = self.quoted.saturating_sub(1),
            ("pre", false) => self.kept += 1,
            ("pre", true) => self.kept = self.kept.saturating_sub(1),
            ("td" | "th", false) if !self.is_at_start() => self.gap = Some('\t'),
            ("ul", false) if self.lists.len() < LISTS => self.lists.push(None),
            ("ol", false) if self.lists.len() < LISTS => {
                let start = tag.attribute("start").and_then(|start| start.parse().ok());
                self.lists.push(Some(start.unwrap_or(1)));
            }
            ("ul" | "ol", true) => drop(self.lists.pop()),
            ("li", false) => {
                let indent = "  ".repeat(self.lists.len().saturating_sub(1));
                self.mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let mark = format!("{indent}{number}. ");
                        *number = number.saturating_add(1);
                        mark
                    }
                    Some(None) | None => format!("{indent}* "),
                };
            }
            ("li", true) => self.mark.clear(),
            ("img", false) => {
                if let Some(text) = tag.attribute("alt") {
                    self.text(text);
                }
            }
            _ => {}
        }
    }
}

/// What the character reference stands for with which a text begins, and how long it is; the mark
/// itself where it is none.
fn entity(text: &str) -> (String, usize) {
    let bytes = text.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
    let length = bytes.iter().skip(1).take(40).take_while(|byte| is_part(byte)).count();
    let name = text.get(1..=length).unwrap_or_default();
    let is_closed = bytes.get(length + 1) == Some(&b';');
    let whole = length + 1 + usize::from(is_closed);
    if let Some(number) = name.strip_prefix('#') {
        let read = match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
            None => number.parse(),
        };
        let character = read.ok().and_then(char::from_u32).filter(|c| *c != '\0');
        let read = match character {
            // Those that HTML has in no other way than as bytes of Windows.
            Some(c @ '\u{80}'..='\u{9f}') => u8::try_from(c).map(|byte| windows_1252(&[byte])).ok(),
            Some(c) => Some(c.to_string()),
            None => None,
        };
        return read.map_or_else(|| ("&".to_owned(), 1), |read| (read, whole));
    }
    let is_old = ["nbsp", "amp", "lt", "gt", "quot"].contains(&name);
    if name.is_empty() || !(is_closed || is_old) {
        return ("&".to_owned(), 1);
    }
    let mut read = String::new();
    add_html_token(&mut read, format!("&{name};").as_bytes(), false);
    (read, whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn html_reads_as_text() {
        for (html, expected) in [
            ("<p>Where is <b>my</b> order?</p>", "Where is my order?"),
            ("<p>One</p>\n<p>Two &amp; three</p>", "One\n\nTwo & three"),
            ("a<br>b<br/><br />c", "a\nb\n\nc"),
            ("<div>a<br></div><div><br></div><div>b</div>", "a\n\nb"),
            ("<p class=MsoNormal>a</p><p>&nbsp;</p><p>b&nbsp;c</p>", "a\n\nb c"),
            ("<img alt=logo><a href='https://x.example/?a>b'>link</a>", "logolink"),
            ("<a href=\"mailto:a@b.example\">a@b.example</a>&gt; wrote:", "a@b.example> wrote:"),
            ("<s>old</s> <del>price</del>", "old price"),
            (
                "<ul><li>a<li>b<ol start=3><li>c</li><li>d</ol></ul>e",
                "* a\n* b\n  3. c\n  4. d\n\ne",
            ),
            (
                "<ol start=18446744073709551615><li>a<li>b",
                "18446744073709551615. a\n18446744073709551615. b",
            ),
            ("<ol start=99999999999999999999999><li>a", "1. a"),
            ("<pre>a\n  b\n\nc</pre>", "a\n  b\n\nc"),
            ("a<hr>b", "a\n\n---\n\nb"),
            ("<span>-- </span><br>Jan", "-- \nJan"),
            ("1 < 2 &lt; 3 & &unknown; &#8364;&#x20ac;&#150;&#0;", "1 < 2 < 3 & &unknown; €€–&#0;"),
            ("<!-- a > b -->c<!doctype x><?xml y?>d<![endif]-->", "cd"),
        ] {
            assert_eq!(text(html), expected, "of {html}");
        }
    }

    #[test]
    fn rows_are_lines_and_cells_have_a_tab_between_them() {
        let rows = "<table><tr><td colspan=18446744073709551615>Order</td><td></td><td>1001</td></tr>\n\
            <tr> <td>Total</td> <td>54,00</td></tr></table>";
        assert_eq!(text(rows), "Order\t1001\nTotal\t54,00");
        let layout = "<table><tr><td>Hello Jan,</td></tr><tr><td>&nbsp;</td></tr>\
            <tr><td><p>Where is it?</p></td></tr></table>";
        assert_eq!(text(layout), "Hello Jan,\n\nWhere is it?");
    }

    #[test]
    fn quotations_are_marked() {
        assert_eq!(
            text("a<blockquote>b<p>c</p><blockquote>d</blockquote></blockquote>e"),
            "a\n\n> b\n>\n> c\n>\n> > d\n\ne"
        );
    }

    #[test]
    fn what_nobody_sees_is_left_out_and_what_never_ends_is_read() {
        for (html, expected) in [
            ("<title>t</title><style>p{}</style><script>a<b</SCRIPT >x", "x"),
            ("<div style='color:red; display: NONE'>in <div>your</div> list</div>Hi", "Hi"),
            ("<div style='display:none'>a", "a"),
            ("<style>p{} <p>a</p>", "p{}\n\na"),
            ("<!-- a <p>b</p>", "b"),
            ("a <b href=\"x>c</b> d", "a c d"),
            ("a <b", "a <b"),
            ("<img style=display:none alt=x>a", "a"),
        ] {
            assert_eq!(text(html), expected, "of {html}");
        }
    }

    #[test]
    fn time_and_memory_grow_with_the_length_alone() {
        const TIMES: usize = 20_000;
        for part in [
            "<div>",
            "<blockquote>",
            "<b>",
            "<table><tr><td>",
            "<ul><li>",
            "<style>",
            "<!--",
            "<a b=\"",
            "<a ",
            "<div style=display:none>",
            "<span hidden>x",
            "<blockquote>x",
            "<",
            "&",
            "</style",
            "<title><!--",
            "<a b=\"x\" ",
        ] {
            let html = format!("{}x", part.repeat(TIMES));
            let read = text(&html);
            assert!(read.len() <= 6 * html.len(), "{part}: {}", read.len());
        }
        let wide = format!(
            "<table><tr><td>{}</td></tr>{}</table>",
            "x".repeat(20_000),
            "<tr><td>a</td></tr>".repeat(400)
        );
        assert!(text(&wide).len() < wide.len());
        let many = (0..TIMES).fold(String::new(), |all, n| all + " a" + &n.to_string() + "=b");
        assert_eq!(text(&format!("<p{many} style=display:none>a</p>b")), "b");
    }

    proptest! {
        #[test]
        fn any_html_is_read(parts in proptest::collection::vec(prop_oneof![
            "\\PC{0,8}", Just("<".to_owned()), Just(">".to_owned()), Just("<!--".to_owned()), Just("-->".to_owned()),
            Just("<a b=\"".to_owned()), Just("\"".to_owned()), Just("</".to_owned()), Just("<li>".to_owned()),
            Just("<pre>".to_owned()), Just("</ul>".to_owned()), Just("<div hidden>".to_owned()), Just("&#x".to_owned()),
            Just("<style>".to_owned()), Just("</style".to_owned()), Just("<td>".to_owned()), Just("é=".to_owned()),
        ], 0..30)) {
            drop(text(&parts.concat()));
        }
    }
}
