//! Which table each page of a damaged file belongs to, and which pages may have held facts that
//! nobody can read any more.
//!
//! Every page is accounted for: it is in the tree of a table or of an index, a long row goes on
//! there, it is free, or it is lost.

use std::collections::BTreeSet;
use std::io;

use crate::log::number_at;
use crate::pages::{Pages, Value};

/// Tables whose rows are facts, or say what a fact means.
const KEPT: [&str; 13] = [
    "meta",
    "dict",
    "batch",
    "event",
    "assertion",
    "issued",
    "change",
    "sqlite_sequence",
    "identifier",
    "suppressed",
    "erasure",
    "retention",
    "proposal",
];

/// What the engine calls the list of all tables, which begins on the first page.
pub(crate) const LIST: &str = "sqlite_schema";

/// The page where the engine locks the file: nothing is ever written there.
const LOCKED: u32 = 0x4000_0000 / 8192 + 1;

/// What a page is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Nothing leads to it.
    Stray,
    /// Rows of a table that is kept.
    Kept(&'static str),
    /// Rows of a table or an index that is made anew.
    Derived,
    /// A long row goes on there.
    Further,
    /// Nothing.
    Free,
}

/// What all pages of a file are used for.
#[derive(Debug)]
pub(crate) struct Trees {
    uses: Vec<Use>,
    /// Pages that may have held facts, with what is wrong with them.
    pub(crate) lost: Vec<(u32, String)>,
    /// The tables of which rows may be lost.
    lost_of: BTreeSet<&'static str>,
}

impl Trees {
    pub(crate) fn read(pages: &mut Pages) -> io::Result<Self> {
        let n = usize::try_from(pages.count()).unwrap_or(usize::MAX);
        let mut trees =
            Self { uses: vec![Use::Stray; n], lost: Vec::new(), lost_of: BTreeSet::new() };
        trees.claim(LOCKED, Use::Free);
        trees.walk(pages, 1, Use::Kept(LIST))?;
        for (root, of) in trees.roots(pages)? {
            trees.walk(pages, root, of)?;
        }
        trees.free(pages)?;
        trees.strays(pages)?;
        Ok(trees)
    }

    /// What a page is used for.
    pub(crate) fn of(&self, page: u32) -> Use {
        let at = usize::try_from(page).unwrap_or(0).checked_sub(1);
        at.and_then(|at| self.uses.get(at)).copied().unwrap_or(Use::Free)
    }

    /// Whether rows of a table may be lost.
    pub(crate) fn has_lost(&self, table: &str) -> bool {
        self.lost_of.contains(table)
    }

    /// Says what a page is used for; whether it was not used for anything yet.
    fn claim(&mut self, page: u32, of: Use) -> bool {
        let at = usize::try_from(page).unwrap_or(0).checked_sub(1);
        let Some(is) = at.and_then(|at| self.uses.get_mut(at)) else { return false };
        let is_first = *is == Use::Stray;
        if is_first {
            *is = of;
        }
        is_first
    }

    fn lose(&mut self, page: u32, of: Use, what: &str) {
        if let Use::Kept(table) = of {
            self.lost.push((page, format!("{what}, so rows of \"{table}\" may be lost")));
            self.lost_of.insert(table);
        }
    }

    /// Follows a tree from its root.
    fn walk(&mut self, pages: &mut Pages, root: u32, of: Use) -> io::Result<()> {
        let mut next = vec![root];
        while let Some(page) = next.pop() {
            if !self.claim(page, of) {
                self.lose(page, of, "it is not there, or is used twice");
                continue;
            }
            let Some(node) = pages.node(page)? else {
                self.lose(page, of, "it is spoilt");
                continue;
            };
            if node.is_empty && page != root {
                self.lose(page, of, "it is empty");
            }
            next.extend(node.below);
            for (first, n) in node.further {
                if !self.follow(pages, first, n)? {
                    self.lose(page, of, "a long row of it breaks off");
                }
            }
        }
        Ok(())
    }

    /// Follows a row that goes on on so many pages; whether all of them are there.
    fn follow(&mut self, pages: &mut Pages, first: u32, n: usize) -> io::Result<bool> {
        let mut next = first;
        for _ in 0..n {
            if !self.claim(next, Use::Further) {
                return Ok(false);
            }
            next = page_number(&pages.page(next)?, 0);
        }
        Ok(next == 0)
    }

    /// The roots of all tables and indexes, as far as the list of them can be read.
    fn roots(&self, pages: &mut Pages) -> io::Result<Vec<(u32, Use)>> {
        let mut roots = Vec::new();
        for page in 1..=pages.count() {
            if self.of(page) != Use::Kept(LIST) {
                continue;
            }
            for row in pages.rows(page)?.0 {
                let [Value::Text(kind), Value::Text(name), _, Value::Integer(root), _] =
                    row.columns.as_slice()
                else {
                    continue;
                };
                let Some(root) = u32::try_from(*root).ok().filter(|root| *root > 0) else {
                    continue;
                };
                let table = KEPT.iter().find(|table| *table == name && kind == "table");
                roots.push((root, table.map_or(Use::Derived, |table| Use::Kept(table))));
            }
        }
        Ok(roots)
    }

    /// Follows the list of free pages.
    fn free(&mut self, pages: &mut Pages) -> io::Result<()> {
        let mut next = page_number(&pages.page(1)?, 32);
        while next != 0 && self.claim(next, Use::Free) {
            let list = pages.page(next)?;
            let n = usize::try_from(page_number(&list, 4)).unwrap_or(usize::MAX);
            for at in (8..list.len()).step_by(4).take(n) {
                self.claim(page_number(&list, at), Use::Free);
            }
            next = page_number(&list, 0);
        }
        Ok(())
    }

    /// Looks at what nothing leads to: a whole page gives its rows all the same.
    fn strays(&mut self, pages: &mut Pages) -> io::Result<()> {
        let mut spoilt = Vec::new();
        for page in 1..=pages.count() {
            if self.of(page) != Use::Stray {
                continue;
            }
            if page > pages.whole {
                self.claim(page, Use::Free);
            } else if let Some(node) = pages.node(page)? {
                for (first, n) in node.further {
                    self.follow(pages, first, n)?;
                }
            } else {
                spoilt.push(page);
            }
        }
        for page in spoilt {
            if self.of(page) == Use::Stray {
                let what = "it is spoilt, and nothing tells what was on it";
                self.lost.push((page, what.to_owned()));
            }
        }
        Ok(())
    }
}

fn page_number(page: &[u8], at: usize) -> u32 {
    number_at(page, at, 4).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use rusqlite::Connection;

    use super::*;

    fn filled(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(
                "PRAGMA page_size = 8192; PRAGMA journal_mode = wal; PRAGMA secure_delete = on;
                 CREATE TABLE event(seq INTEGER PRIMARY KEY, text TEXT);
                 CREATE INDEX event_text ON event(text);
                 CREATE TABLE issued(cid TEXT PRIMARY KEY) WITHOUT ROWID;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
                   INSERT INTO event SELECT i, hex(zeroblob(i * i % 13000)) || i FROM n;
                 INSERT INTO issued SELECT text FROM event;",
            )
            .unwrap();
        connection
    }

    fn rows(path: &Path) -> (BTreeSet<i64>, Trees) {
        let mut pages = Pages::open(path).unwrap();
        let trees = Trees::read(&mut pages).unwrap();
        let mut found = BTreeSet::new();
        for page in 1..=pages.count() {
            if !matches!(trees.of(page), Use::Free | Use::Further) {
                found.extend(pages.rows(page).unwrap().0.iter().filter_map(|row| row.number));
            }
        }
        (found, trees)
    }

    #[test]
    fn every_page_of_a_sound_file_is_accounted_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = filled(&path);
        connection.execute_batch("DELETE FROM event WHERE seq % 3 = 0 OR seq > 400").unwrap();
        let (_, trees) = rows(&path);
        assert_eq!(trees.lost, []);
        assert!(!trees.uses.contains(&Use::Stray));
        for of in [Use::Kept("event"), Use::Kept("issued"), Use::Derived, Use::Further, Use::Free] {
            assert!(trees.uses.contains(&of), "{of:?}");
        }
    }

    #[test]
    fn what_was_there_before_the_file_was_made_shorter_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let connection = filled(&path);
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM sqlite_schema").unwrap();
        connection.execute_batch("DELETE FROM event WHERE seq > 9; VACUUM").unwrap();
        // Nothing of the log is in the file yet.
        for suffix in ["", "-wal"] {
            let from = folder.path().join(format!("a.db{suffix}"));
            std::fs::copy(from, folder.path().join(format!("b.db{suffix}"))).unwrap();
        }
        let (found, trees) = rows(&copy);
        assert_eq!(trees.lost, []);
        assert_eq!(found.into_iter().max(), Some(9));
        assert_eq!(trees.of(u32::try_from(trees.uses.len()).unwrap()), Use::Free);
    }
}
