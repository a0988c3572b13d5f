//! For a terminal: what an agent reads at a glance.

use std::fmt::Write;

use super::outline::{Line, Tone, outline};
use crate::context::Context;

/// Whether the text carries colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// Text only.
    #[default]
    Plain,
    /// ANSI escape sequences.
    Ansi,
}

const fn codes(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain | Tone::Name => "",
        Tone::Strong => "\u{1b}[1m",
        Tone::Faint => "\u{1b}[2m",
        Tone::Warning => "\u{1b}[33m",
        Tone::Good => "\u{1b}[32m",
        Tone::Quote => "\u{1b}[36m",
    }
}

/// The context as lines of text. What somebody wrote stands in quotation marks.
pub fn terminal(context: &Context, colour: Colour) -> String {
    let outline = outline(context);
    let mut text = String::new();
    paint(&mut text, Tone::Strong, &outline.headline.text, colour);
    text.push('\n');
    for line in &outline.subtitle {
        write_line(&mut text, "  ", line, colour);
    }
    for section in &outline.sections {
        text.push('\n');
        paint(&mut text, Tone::Strong, section.title, colour);
        text.push('\n');
        for line in &section.lines {
            let indent = if line.depth == 0 { "  • " } else { "      " };
            write_line(&mut text, indent, line, colour);
        }
    }
    text
}

fn write_line(text: &mut String, indent: &str, line: &Line, colour: Colour) {
    text.push_str(indent);
    for (position, piece) in line.pieces.iter().enumerate() {
        if position > 0 {
            text.push(' ');
        }
        match piece.tone {
            Tone::Quote => paint(text, Tone::Quote, &format!("“{}”", piece.text), colour),
            tone => paint(text, tone, &piece.text, colour),
        }
    }
    text.push('\n');
}

fn paint(text: &mut String, tone: Tone, words: &str, colour: Colour) {
    let start = codes(tone);
    // Writing to a string cannot fail.
    let _written = match colour {
        Colour::Ansi if !start.is_empty() => write!(text, "{start}{words}\u{1b}[0m"),
        Colour::Ansi | Colour::Plain => write!(text, "{words}"),
    };
}
