//! The shape of the code, as `docs/architecture.md` tells it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const CRATES: &[(&str, &[&str])] = &[
    ("cx-core", &[]),
    ("cx-adapters", &["cx-core"]),
    ("cx-store", &["cx-core"]),
    ("cx-py", &["cx-adapters", "cx-core", "cx-store"]),
    ("cx-cli", &["cx-adapters", "cx-core", "cx-store"]),
];

#[test]
fn data_flows_one_way_between_the_crates() {
    for (name, allowed) in CRATES {
        let manifest = read(&format!("{name}/Cargo.toml"));
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
        let dependencies = dependencies.split("\n[").next().unwrap();
        let mut used: Vec<&str> = dependencies
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|dependency| dependency.starts_with("cx-"))
            .collect();
        used.sort_unstable();
        assert_eq!(used, *allowed, "{name}");
    }
}

/// The modules that a library declares, from the ground up.
fn modules(library: &str) -> Vec<String> {
    library
        .lines()
        .filter_map(|line| {
            let line = line.trim_start_matches("pub ").trim_start_matches("(crate) ");
            line.strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned)
        })
        .collect()
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// What a file's code names of its own crate, tests aside.
fn named(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let mut names = Vec::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for part in line.split("crate::").skip(1) {
            let name: String =
                part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                names.push(name);
            }
        }
    }
    names
}

#[test]
fn a_module_uses_only_modules_above_it() {
    for name in ["cx-core", "cx-adapters", "cx-store"] {
        let library = read(&format!("{name}/src/lib.rs"));
        let order: BTreeMap<String, usize> =
            modules(&library).into_iter().enumerate().map(|(at, module)| (module, at)).collect();
        assert!(order.len() > 5, "{name}: {order:?}");
        let folder = root().join(name).join("src");
        let mut files = Vec::new();
        sources(&folder, &mut files);
        for file in files {
            let inside = file.strip_prefix(&folder).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
            let module = first.trim_end_matches(".rs").to_owned();
            let Some(own) = order.get(&module) else { continue };
            for used in named(&std::fs::read_to_string(&file).unwrap()) {
                if let Some(at) = order.get(&used) {
                    assert!(
                        at <= own,
                        "{name}: {} uses {used}, which stands below it",
                        inside.display()
                    );
                }
            }
        }
    }
}

#[test]
fn adapters_and_core_touch_nothing_outside() {
    let outside = ["std::fs", "std::net", "std::env", "std::process", "SystemTime", "Instant::now"];
    for name in ["cx-core", "cx-adapters"] {
        let mut files = Vec::new();
        sources(&root().join(name).join("src"), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for word in outside {
                assert!(!code.contains(word), "{} uses {word}", file.display());
            }
        }
    }
}

#[test]
fn the_map_names_every_crate_and_every_module() {
    let map = read("docs/architecture.md");
    for (name, _) in CRATES {
        assert!(map.contains(&format!("`{name}`")), "docs/architecture.md does not name {name}");
    }
    for name in ["cx-core", "cx-adapters", "cx-store"] {
        for module in modules(&read(&format!("{name}/src/lib.rs"))) {
            assert!(
                map.contains(&format!("`{module}`")),
                "docs/architecture.md does not name {name}'s {module}"
            );
        }
    }
}

#[test]
fn every_document_that_is_linked_is_there() {
    let mut pages = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    for page in pages {
        let text = std::fs::read_to_string(&page)
            .unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap().split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let to = page.parent().unwrap().join(target);
            assert!(to.exists(), "{}: no {target}", page.display());
        }
    }
}
