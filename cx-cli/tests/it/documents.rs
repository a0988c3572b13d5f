//! The shell examples in the documentation: each `console` block is run, and its output compared.
//!
//! A line `...` stands for any number of lines. The blocks of one page run in one folder, from top
//! to bottom; most pages write their files with `cx demo`. A block that begins with ```` ```toml
//! FILE ```` is a file that is there from the beginning.

use std::path::{Path, PathBuf};

use crate::shell::Shell;

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![root.join("README.md")];
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    pages
}

/// The commands of a page, each with the output that is shown below it.
fn examples(text: &str) -> Vec<(String, Vec<String>)> {
    let mut examples: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            if let Some(command) = line.strip_prefix("$ ") {
                examples.push((command.to_owned(), Vec::new()));
            } else if let Some((_, output)) = examples.last_mut() {
                output.push(line.to_owned());
            }
        }
    }
    examples
}

/// The files of a page, each with what stands in it.
fn files(text: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("```toml ") {
            files.push((name.to_owned(), String::new()));
            inside = true;
        } else if line.starts_with("```") {
            inside = false;
        } else if let Some((_, lines)) = files.last_mut().filter(|_| inside) {
            lines.push_str(line);
            lines.push('\n');
        }
    }
    files
}

/// Splits a command as a shell does: at spaces, outside quotation marks.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in command.chars() {
        match (character, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(character),
            (' ', None) => words.push(String::new()),
            (c, _) => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the lines are those that are shown, `...` standing for any of them.
fn fits(shown: &[String], lines: &[&str]) -> bool {
    match (shown.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "..." => {
            fits(rest, lines) || lines.split_first().is_some_and(|(_, below)| fits(shown, below))
        }
        (Some((first, rest)), Some((line, below))) => {
            is_line(first.trim_end(), line.trim_end()) && fits(rest, below)
        }
        _ => false,
    }
}

/// Whether a line is the one that is shown; `...` at its end stands for any rest.
fn is_line(shown: &str, line: &str) -> bool {
    shown == line || shown.strip_suffix("...").is_some_and(|start| line.starts_with(start))
}

#[test]
fn the_shell_examples_of_the_documentation_say_what_they_show() {
    let mut n = 0;
    for page in pages() {
        let Ok(text) = std::fs::read_to_string(&page) else { panic!("no {}", page.display()) };
        let shell = Shell::new();
        for (name, lines) in files(&text) {
            shell.write(&name, lines);
        }
        for (command, shown) in examples(&text) {
            let words = words(&command);
            assert_eq!(words[0], "cx", "{}: {command}", page.display());
            let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
            let said = shell.cx(&args);
            let lines: Vec<&str> = said.out.lines().collect();
            assert!(
                fits(&shown, &lines),
                "{}: $ {command}\nshows\n{}\nsays\n{}{}",
                page.display(),
                shown.join("\n"),
                said.out,
                said.err
            );
            n += 1;
        }
    }
    assert!(n > 0, "no example was found");
}
