//! As HTML: a fragment for sidebars and notebooks. Everything is escaped; no script, no address
//! of another machine; readable at 320 pixels, in light and in dark.

use super::outline::{Line, Tone, outline};
use crate::context::Context;

const STYLE: &str = "<style>\
.cx{font:14px/1.45 system-ui,sans-serif;max-width:60em;overflow-wrap:anywhere;color-scheme:light dark}\
.cx h1{font-size:1.25em;margin:0 0 .2em}.cx h2{font-size:1em;margin:1em 0 .2em}\
.cx ul{margin:0;padding-left:1.2em}.cx li{margin:.15em 0}.cx li.under{list-style:none}\
.cx p{margin:.1em 0}.cx .faint{opacity:.65}.cx .warning{color:light-dark(#9a3412,#fdba74);font-weight:600}\
.cx .good{color:light-dark(#166534,#86efac)}.cx q{font-style:italic;quotes:'“' '”'}\
</style>";

/// The context as an HTML fragment: one `article` of class `cx` with its own style.
pub fn html(context: &Context) -> String {
    let outline = outline(context);
    let mut text = String::from(STYLE);
    text.push_str("<article class=\"cx\"><header><h1>");
    text.push_str(&escape(&outline.headline.text));
    text.push_str("</h1>");
    for line in &outline.subtitle {
        text.push_str("<p>");
        write_pieces(&mut text, line);
        text.push_str("</p>");
    }
    text.push_str("</header>");
    for section in &outline.sections {
        text.push_str("<section><h2>");
        text.push_str(&escape(section.title));
        text.push_str("</h2><ul>");
        for line in &section.lines {
            text.push_str(if line.depth == 0 { "<li>" } else { "<li class=\"under\">" });
            write_pieces(&mut text, line);
            text.push_str("</li>");
        }
        text.push_str("</ul></section>");
    }
    text.push_str("</article>");
    text
}

fn write_pieces(text: &mut String, line: &Line) {
    for (position, piece) in line.pieces.iter().enumerate() {
        if position > 0 {
            text.push(' ');
        }
        let (open, close) = match piece.tone {
            Tone::Plain | Tone::Name => ("", ""),
            Tone::Strong => ("<strong>", "</strong>"),
            Tone::Faint => ("<span class=\"faint\">", "</span>"),
            Tone::Warning => ("<span class=\"warning\">", "</span>"),
            Tone::Good => ("<span class=\"good\">", "</span>"),
            Tone::Quote => ("<q>", "</q>"),
        };
        text.push_str(open);
        text.push_str(&escape(&piece.text));
        text.push_str(close);
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
