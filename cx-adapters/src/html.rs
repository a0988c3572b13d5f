//! The readable text of HTML.

/// The text of an HTML fragment, without links' addresses; where it cannot be read, the HTML
/// itself with its tags cut out.
pub(crate) fn text(html: &str) -> String {
    html2text::config::plain_no_decorate()
        .string_from_read(html.as_bytes(), 100_000)
        .map_or_else(|_| without_tags(html), |text| text.trim().to_owned())
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for character in html.chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if !in_tag => text.push(character),
            _ => {}
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_reads_as_text() {
        assert_eq!(text("<p>Where is <b>my</b> order?</p>"), "Where is my order?");
        assert_eq!(text("<p>One</p><p>Two &amp; three</p>"), "One\n\nTwo & three");
        assert_eq!(without_tags("<p>One</p> <x"), "One");
    }
}
