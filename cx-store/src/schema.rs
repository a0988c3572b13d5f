//! The file: its marks, its settings, its schema and the way from one version to the next.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use cx_core::event::Kind;
use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction};

use crate::beside::{beside, has_hot_journal, has_journal};
use crate::compression;
use crate::encryption::{self, EncryptionKey, PAGE_SIZE};
use crate::error::StoreError;
use crate::ingest;
use crate::kept::{self, FileWatch, KeptFile};
use crate::log;
use crate::pages::Pages;
use crate::placing;
use crate::policy;
use crate::waiting;

/// "CXS1" in the file's header: whose file it is.
pub(crate) const APPLICATION_ID: u32 = 0x4358_5331;

/// One step of the schema.
enum Step {
    /// Statements.
    Statements(&'static str),
    /// Derived rows that earlier versions did not write.
    Derive(fn(&Transaction<'_>) -> Result<(), StoreError>),
}

/// The steps from an empty file to the latest schema; the n-th leads to version n.
const STEPS: &[Step] = &[
    Step::Statements(include_str!("schema/0001_facts.sql")),
    Step::Statements(include_str!("schema/0002_change.sql")),
    Step::Statements(include_str!("schema/0003_proposal.sql")),
    Step::Derive(ingest::remember_replaced),
    Step::Statements(include_str!("schema/0005_sum.sql")),
    Step::Statements(include_str!("schema/0006_retention.sql")),
    Step::Derive(hasten_answers),
    Step::Statements(include_str!("schema/0008_compression.sql")),
    Step::Derive(policy::bring_forward),
    // What is open was found anew here, as the next step does.
    Step::Statements(""),
    Step::Derive(find_anew),
];

/// The kinds of events that say what holds until further notice.
const STANDING: &[&str] = &[
    "profile.updated",
    "consent.changed",
    "mail.complained",
    "mail.resubscribed",
    "mail.unsubscribed",
];

/// Whether a kind is a signal: one that comes by itself in great numbers, such as a page that was
/// looked at, and that shall not take the room of what people said, bought and thought. Kinds that
/// cx does not know are such, too.
pub(crate) fn is_signal(kind: &str) -> bool {
    let is_known = Kind::NAMES.contains(&kind) || kind.starts_with("subscription.");
    !is_known
        || matches!(
            kind,
            "page.viewed"
                | "screen.viewed"
                | "app.event"
                | "cart.viewed"
                | "message.sent"
                | "message.delivered"
                | "message.read"
                | "mail.queued"
                | "mail.deferred"
                | "mail.delivered"
                | "mail.opened"
                | "mail.clicked"
        )
}

/// The numbers of the kinds that say what holds until further notice.
pub(crate) fn standing(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    numbers(connection, STANDING)
}

/// The numbers of kinds that every file names.
fn numbers(connection: &Connection, kinds: &[&str]) -> Result<Vec<i64>, StoreError> {
    let mut id = connection.prepare_cached("SELECT id FROM dict WHERE class = 3 AND name = ?1")?;
    kinds.iter().map(|name| Ok(id.query_row([name], |row| row.get(0))?)).collect()
}

/// That a kind is one of these, in SQL. For a list SQLite would fill a table of its own at each
/// event that comes in.
fn is_one_of(kinds: &[i64]) -> String {
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("kind = {kind}")).collect();
    format!("({})", kinds.join(" OR "))
}

/// That a kind is one of those that say what holds until further notice, in SQL.
pub(crate) fn is_standing(connection: &Connection) -> Result<String, StoreError> {
    Ok(is_one_of(&standing(connection)?))
}

/// Marks, orders and indexes by which answers cost what they tell and not what there is. A file
/// gives its kinds numbers of its own, which stand in one of the indexes.
fn hasten_answers(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute_batch(include_str!("schema/0007_answers.sql"))?;
    for name in STANDING {
        tx.execute("INSERT OR IGNORE INTO dict(class, name) VALUES(3, ?1)", [name])?;
    }
    let is_standing = is_standing(tx)?;
    tx.execute_batch(&format!(
        "CREATE INDEX event_standing ON event(bundle_id, kind, ts)
         WHERE standing = 0 AND {is_standing}"
    ))?;
    Ok(())
}

/// The kinds of events that take back or replace what was written.
const CORRECTING: &[&str] = &["message.deleted", "message.edited", "message.redacted"];

/// The corrections `e` among the events of customers `m`, in SQL, once [`correcting`] is said of them.
pub(crate) const CORRECTING_OF_MEMBERS: &str =
    "member m CROSS JOIN event e INDEXED BY event_correcting ON e.bundle_id = m.bundle_id";

/// That an event is in force and of one of the kinds that correct, in SQL.
fn is_correcting(connection: &Connection) -> Result<String, StoreError> {
    let kinds = numbers(connection, CORRECTING)?;
    Ok(format!("standing = 0 AND {}", is_one_of(&kinds)))
}

/// That an event is a correction in force, in SQL; `None` where there is none in the whole store.
pub(crate) fn correcting(connection: &Connection) -> Result<Option<String>, StoreError> {
    let is_correcting = is_correcting(connection)?;
    let mut any = connection.prepare_cached(&format!(
        "SELECT EXISTS(SELECT 1 FROM event INDEXED BY event_correcting WHERE {is_correcting})"
    ))?;
    Ok(any.query_row([], |row| row.get::<_, bool>(0))?.then_some(is_correcting))
}

/// An index by which the corrections of somebody are found, however much else there is of them.
fn index_corrections(tx: &Transaction<'_>) -> Result<(), StoreError> {
    for name in CORRECTING {
        tx.execute("INSERT OR IGNORE INTO dict(class, name) VALUES(3, ?1)", [name])?;
    }
    let is_correcting = is_correcting(tx)?;
    tx.execute_batch(&format!(
        "CREATE INDEX IF NOT EXISTS event_correcting ON event(bundle_id, ts)
         WHERE {is_correcting}"
    ))?;
    Ok(())
}

/// Who is who, and what is open, is found anew, so that versions of cx before it, which would go
/// on under their rules, refuse the file.
fn find_anew(tx: &Transaction<'_>) -> Result<(), StoreError> {
    index_corrections(tx)?;
    policy::bring_forward(tx)?;
    waiting::refold_all(tx)
}

/// The latest schema version that this version of cx knows.
pub(crate) fn latest() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// What stands at a path before anything is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing, or an empty file.
    Nothing,
    /// A cx file that this version can read; where there is a key, one that may be: its first page
    /// says so once the engine has decrypted it.
    Ours,
}

/// Refuses what the engine does not take for the name of a file: nothing, `:memory:`, a URI. What
/// is written there would be gone, or somewhere else.
pub(crate) fn file_name(path: &Path) -> Result<(), StoreError> {
    let name = path.as_os_str().as_encoded_bytes();
    let is_file = !name.is_empty() && !name.starts_with(b":") && !name.starts_with(b"file:");
    is_file.then_some(()).ok_or_else(|| StoreError::NoFileName { path: path.to_owned() })
}

/// Looks at a file before the engine opens it: nothing foreign is ever opened for writing, nothing
/// encrypted without a key, nothing plain with one, and nothing whose log would be thrown away. What
/// a process has left that was killed while it put another file in its place is settled first.
pub(crate) fn look(path: &Path, key: Option<&EncryptionKey>) -> Result<Found, StoreError> {
    file_name(path)?;
    placing::settle(path)?;
    // Where another process makes it longer meanwhile, and takes the log away, it only seems short.
    let found = look_at_head(path, key).or_else(|_| look_at_head(path, key))?;
    if !has_journal(path) {
        return Ok(found);
    }
    match found {
        Found::Ours => log::check(path, &beside(path, "-wal"))?,
        // The engine would take it away: it is all that is left of a store.
        Found::Nothing => {
            let detail = "nothing is left of it but its log, which holds what was written last";
            return Err(StoreError::Corrupt { path: path.to_owned(), detail: detail.to_owned() });
        }
    }
    Ok(found)
}

/// Looks at the first bytes of a file.
fn look_at_head(path: &Path, key: Option<&EncryptionKey>) -> Result<Found, StoreError> {
    file_name(path)?;
    if key.is_some() {
        encryption::require_engine()?;
    }
    let foreign =
        |found: &str| StoreError::NotOurs { path: path.to_owned(), found: found.to_owned() };
    let cannot = |error: std::io::Error| StoreError::CannotOpen {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(foreign("a folder")),
        Ok(metadata) if !metadata.is_file() => return Err(foreign("a device or a pipe")),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(cannot(error)),
    }
    let mut header = Vec::new();
    let mut file = KeptFile::open(path).map_err(cannot)?;
    file.by_ref().take(encryption::SAMPLE).read_to_end(&mut header).map_err(cannot)?;
    if header.is_empty() {
        return Ok(Found::Nothing);
    }
    // After its header: it gets longer, and its log is copied into it before that goes.
    let length = file.file().metadata().map_err(cannot)?.len();
    // The power failed while the file was being made: the engine takes it back to nothing.
    if header.iter().take(100).all(|byte| *byte == 0) && has_hot_journal(path) {
        return Ok(Found::Nothing);
    }
    if !header.starts_with(b"SQLite format 3\0") {
        let is_whole = length.is_multiple_of(u64::from(PAGE_SIZE));
        return match key {
            // One that was cut short is damaged, as the engine will say.
            Some(_) if encryption::looks_random(&header) => Ok(Found::Ours),
            None if is_whole && encryption::looks_random(&header) => {
                Err(StoreError::Encrypted { path: path.to_owned() })
            }
            _ => Err(foreign("something else than a database")),
        };
    }
    let number = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_be_bytes)
    };
    let (Some(application), Some(version), Some(pages)) = (number(68), number(60), number(28))
    else {
        let detail = "the header is cut short".to_owned();
        return Err(StoreError::Corrupt { path: path.to_owned(), detail });
    };
    if application != APPLICATION_ID {
        return Err(foreign("a database of another program"));
    }
    if key.is_some() {
        return Err(StoreError::NotEncrypted { path: path.to_owned() });
    }
    if version > latest() {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known: latest() });
    }
    let page =
        header.get(16..18).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_be_bytes);
    let page = if page == 1 { 65_536 } else { u64::from(page) };
    if length < page * u64::from(pages) && !has_journal(path) && !has_hot_journal(path) {
        let detail = format!("{length} bytes long where {} were written", page * u64::from(pages));
        return Err(StoreError::Corrupt { path: path.to_owned(), detail });
    }
    Ok(Found::Ours)
}

/// Whether the file, and its folder, can be written to at all; where not, it is no passing failure
/// that it cannot be opened for writing.
pub(crate) fn is_writable(path: &Path) -> bool {
    let probe = beside(path, "-probe");
    let made = OpenOptions::new().write(true).create_new(true).open(&probe);
    let takes_files = match made {
        Ok(_) => fs::remove_file(&probe).is_ok(),
        Err(error) => error.kind() == ErrorKind::AlreadyExists,
    };
    takes_files && kept::is_writable(path)
}

/// Opens a connection that may write, and brings the file to the latest schema.
///
/// Says whether there is a log that was left behind and cannot be copied into the file now.
/// Whoever left it may have been told that it could not be synced, and what is appended behind a
/// gap would be lost in a power loss: it goes into the file before anything is appended.
pub(crate) fn open_writer(
    path: &Path,
    key: Option<&EncryptionKey>,
) -> Result<(Connection, bool), StoreError> {
    twice(|| open_writer_once(path, key))
}

/// Holds a file, so that nobody else can open it, as long as the connection is open. The file is
/// left as it is, its log too.
pub(crate) fn hold(path: &Path, key: Option<&EncryptionKey>) -> Result<Connection, StoreError> {
    let hold = || -> Result<Connection, StoreError> {
        let named = FileWatch::at(path.to_owned());
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        if let Some(key) = key {
            unlock(&connection, path, key)?;
        }
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        let held = connection.execute_batch("BEGIN EXCLUSIVE").map_err(StoreError::from);
        expect_name(&named, path, held)?;
        Ok(connection)
    };
    twice(hold).map_err(|error| error.at(path))
}

/// What was read first of a file: from here on the connection has a lock on it, by which nobody puts
/// another one in its place. Where somebody has done so since it was opened, the log beside the name
/// is that of the other file.
fn expect_name<T>(
    named: &FileWatch,
    path: &Path,
    read: Result<T, StoreError>,
) -> Result<T, StoreError> {
    if named.is_there() { read } else { Err(StoreError::FileGone { path: path.to_owned() }) }
}

/// How often a file is opened again in the place of which another one was put meanwhile.
const AGAIN: u32 = 5;

/// Opens once more where the key seems to be wrong: where the disk fails as the engine reads the
/// salt of the file it takes another one, and cannot decrypt anything then. And again where another
/// file has taken the name.
fn twice<T>(open: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let mut opened = open();
    for _ in 0..AGAIN {
        if !matches!(opened, Err(StoreError::FileGone { .. })) {
            break;
        }
        opened = open();
    }
    match opened {
        Err(StoreError::WrongKey { .. }) => open(),
        opened => opened,
    }
}

fn open_writer_once(
    path: &Path,
    key: Option<&EncryptionKey>,
) -> Result<(Connection, bool), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let named = FileWatch::at(path.to_owned());
    let has_log = has_journal(path);
    let mut connection = Connection::open_with_flags(path, flags)?;
    // Where there was none, it is the one that was just made.
    expect_name(&named, path, Ok(()))?;
    // The log of a file that turns out not to be ours, or damaged, stays where it is.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
    // What stands in the log by that name is not this file's, where another one has the name.
    let leave = |connection: &Connection| {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
    };
    if let Some(key) = key {
        let unlocked = unlock(&connection, path, key);
        if !named.is_there() {
            leave(&connection)?;
        }
        expect_name(&named, path, unlocked)?;
    }
    let mut configured = || -> Result<bool, StoreError> {
        // Before anything is written, and once more where it has a log from here on.
        expect_name(&named, path, refuse_newer(&connection, path))?;
        expect_name(&named, path, configure_writer(&connection))?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        let is_suspect = has_log && try_to_empty_log(&connection).is_err();
        let aside = if key.is_none() { Aside::File } else { Aside::Memory };
        put_aside(&mut connection, aside, migrate)?;
        Ok(is_suspect)
    };
    let configured = configured();
    if matches!(configured, Err(StoreError::FileGone { .. })) {
        leave(&connection)?;
    }
    let is_suspect = encryption::sound(&connection, key, path, configured)?;
    Ok((connection, is_suspect))
}

/// Gives the version of the schema as the log leaves it, where it is not a newer one: who killed the
/// process that brought a file forward has it in the log only.
fn refuse_newer(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > latest() {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: latest() });
    }
    Ok(found)
}

/// Gives a connection its key, and looks at what [`look`] could not see: whose file it is.
fn unlock(connection: &Connection, path: &Path, key: &EncryptionKey) -> Result<(), StoreError> {
    encryption::unlock(connection, Some(key))?;
    connection.busy_timeout(PATIENCE)?;
    let read = || -> rusqlite::Result<(u64, u32, u32)> {
        let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
        let pages = u64::from(number("page_count")?);
        Ok((pages, number("application_id")?, number("user_version")?))
    };
    let (pages, application, version) = read().map_err(|error| {
        let is_garbled = error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase);
        if is_garbled { StoreError::WrongKey { path: path.to_owned() } } else { error.into() }
    })?;
    if pages > 0 && application != APPLICATION_ID {
        let found = "a database of another program".to_owned();
        return Err(StoreError::NotOurs { path: path.to_owned(), found });
    }
    if version > latest() {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known: latest() });
    }
    let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let written = pages * u64::from(PAGE_SIZE);
    if length < written && !has_journal(path) && !has_hot_journal(path) {
        let detail = format!("{length} bytes long where {written} were written");
        return Err(StoreError::Corrupt { path: path.to_owned(), detail });
    }
    Ok(())
}

/// Opens a connection to a new store in memory.
pub(crate) fn open_in_memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    configure_writer(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens a connection to a new database for a while: it is kept in memory as long as it is small,
/// and in a file without a name that is gone with the connection. An engine that can encrypt keeps
/// it in memory whatever its size, so that nothing of an encrypted file is written down.
pub(crate) fn open_temporary() -> Result<Connection, StoreError> {
    let mut connection = Connection::open("")?;
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.pragma_update(None, "journal_mode", "off")?;
    connection.pragma_update(None, "synchronous", "off")?;
    configure(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens a connection that reads beside the writer.
pub(crate) fn open_reader(
    path: &Path,
    key: Option<&EncryptionKey>,
) -> Result<Connection, StoreError> {
    twice(|| open_to_read(path, key, Beside::AWriter))
}

/// Opens a connection to a file that is only read. One in a folder that cannot be written, which
/// has no log beside it, is read as it stands; with a log it is read into memory. One of an older schema is read from a copy in memory
/// that is brought forward, so it needs as much memory as the file is long.
pub(crate) fn open_read_only(
    path: &Path,
    key: Option<&EncryptionKey>,
) -> Result<(Connection, Option<Stamp>), StoreError> {
    let opened = beside_a_writer_or_nobody(path, |beside| {
        let stamp = (beside == Beside::Nobody).then(|| Stamp::of(path));
        Ok((twice(|| open_to_read(path, key, beside))?, stamp))
    });
    match opened {
        // What was killed there has left a log, which cannot be copied into the file.
        Err(StoreError::CannotOpen { .. } | StoreError::ReadOnly { .. })
            if key.is_none() && has_journal(path) && !is_writable(path) =>
        {
            let stamp = Stamp::of(path);
            Ok((open_with_its_log(path)?, Some(stamp)))
        }
        opened => opened,
    }
}

/// Opens a file that cannot be written, with the log beside it: all of it in memory.
fn open_with_its_log(path: &Path) -> Result<Connection, StoreError> {
    let cannot = |error: std::io::Error| StoreError::CannotOpen {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let mut pages = Pages::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    for number in 1..=pages.whole {
        bytes.extend(pages.page(number).map_err(cannot)?);
    }
    // In memory there is no log.
    if let Some(versions) = bytes.get_mut(18..20) {
        versions.fill(1);
    }
    let mut connection = Connection::open_in_memory()?;
    let length = bytes.len();
    connection.deserialize_read_exact("main", bytes.as_slice(), length, true)?;
    configure_reader(&connection)?;
    to_read(connection, path, None)
}

/// What a file is like that is read without locks: where it is another one, somebody wrote to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: Option<(u64, SystemTime)>,
    has_log: bool,
}

impl Stamp {
    fn of(path: &Path) -> Self {
        let file = fs::metadata(path).and_then(|file| Ok((file.len(), file.modified()?)));
        Self { file: file.ok(), has_log: has_journal(path) }
    }

    /// Whether the file is still like that.
    pub(crate) fn is_of(self, path: &Path) -> bool {
        Self::of(path) == self
    }
}

/// Reads from the log of a file that somebody has open, so that it is not begun anew meanwhile: not
/// more than once, where all of it is in the file already. `None` where there is no such log, or it
/// cannot be read.
pub(crate) fn read_log(path: &Path) -> Option<Connection> {
    if !has_journal(path) || !beside(path, "-shm").exists() {
        return None;
    }
    let connection = open_beside(path, OpenFlags::SQLITE_OPEN_READ_WRITE, Beside::AWriter).ok()?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).ok()?;
    connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").ok()?;
    Some(connection)
}

/// Opens a connection that copies a file into another one, which it can write, and leaves the
/// first one as it is, whatever its schema.
pub(crate) fn open_source(
    path: &Path,
    key: Option<&EncryptionKey>,
) -> Result<Connection, StoreError> {
    let open = |beside| {
        let named = FileWatch::at(path.to_owned());
        let connection = open_beside(path, OpenFlags::SQLITE_OPEN_READ_WRITE, beside)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        if let Some(key) = key {
            expect_name(&named, path, unlock(&connection, path, key))?;
        }
        connection.busy_timeout(PATIENCE)?;
        configure(&connection)?;
        let read = "SELECT count(*) FROM meta";
        let read = connection.query_row(read, [], |row| row.get::<_, i64>(0));
        expect_name(&named, path, read.map_err(StoreError::from))?;
        refuse_newer(&connection, path)?;
        Ok(connection)
    };
    beside_a_writer_or_nobody(path, |beside| twice(|| open(beside)))
}

fn beside_a_writer_or_nobody<T>(
    path: &Path,
    open: impl Fn(Beside) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    open(Beside::AWriter).or_else(|first| match first.at(path) {
        StoreError::CannotOpen { .. } | StoreError::ReadOnly { .. } if !has_journal(path) => {
            open(Beside::Nobody)
        }
        other => Err(other),
    })
}

/// Who else may have the file open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    AWriter,
    /// Then it is read without locks and without its log.
    Nobody,
}

/// Whether a file is of an earlier schema, or of this one under earlier rules.
fn is_behind(connection: &Connection) -> Result<bool, StoreError> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version < latest() || version == latest() && policy::is_of_earlier_rules(connection)?)
}

/// Whether a file, which is left as it is, is brought forward when it is opened for writing.
pub(crate) fn is_earlier(path: &Path, key: Option<&EncryptionKey>) -> Result<bool, StoreError> {
    let open = |beside| -> Result<Connection, StoreError> {
        let connection = open_as_it_is(path, key, beside)?;
        connection.pragma_query(None, "user_version", |_| Ok(()))?;
        Ok(connection)
    };
    let connection = beside_a_writer_or_nobody(path, |beside| twice(|| open(beside)))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version > 0 && is_behind(&connection)?)
}

fn open_to_read(
    path: &Path,
    key: Option<&EncryptionKey>,
    beside: Beside,
) -> Result<Connection, StoreError> {
    to_read(open_as_it_is(path, key, beside)?, path, key)
}

/// A connection that reads a file, or a copy of it at the latest schema.
fn to_read(
    connection: Connection,
    path: &Path,
    key: Option<&EncryptionKey>,
) -> Result<Connection, StoreError> {
    connection.query_row("SELECT count(*) FROM meta", [], |row| row.get::<_, i64>(0))?;
    refuse_newer(&connection, path)?;
    if is_behind(&connection)? { brought_forward(&connection, path, key) } else { Ok(connection) }
}

fn open_as_it_is(
    path: &Path,
    key: Option<&EncryptionKey>,
    beside: Beside,
) -> Result<Connection, StoreError> {
    let named = FileWatch::at(path.to_owned());
    let connection = open_beside(path, OpenFlags::SQLITE_OPEN_READ_ONLY, beside)?;
    if let Some(key) = key {
        expect_name(&named, path, unlock(&connection, path, key))?;
    }
    configure_reader(&connection)?;
    let read = connection.pragma_query(None, "user_version", |_| Ok(()));
    expect_name(&named, path, read.map_err(StoreError::from))?;
    Ok(connection)
}

fn open_beside(path: &Path, flags: OpenFlags, beside: Beside) -> Result<Connection, StoreError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if beside == Beside::AWriter {
        return Ok(Connection::open_with_flags(path, flags)?);
    }
    // A path that begins with two slashes would name a machine.
    let name = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = "file:".to_owned();
    if name.has_root() {
        uri.push_str("//");
    }
    for byte in name.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                uri.push(char::from(*byte));
            }
            byte => write!(uri, "%{byte:02x}").unwrap_or_default(),
        }
    }
    uri.push_str("?immutable=1");
    Ok(Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?)
}

/// A copy in memory, at the latest schema.
fn brought_forward(
    old: &Connection,
    path: &Path,
    key: Option<&EncryptionKey>,
) -> Result<Connection, StoreError> {
    let mut copy = Connection::open_in_memory()?;
    // The engine copies pages between two databases with a key, or between two without.
    encryption::unlock(&copy, key)?;
    Backup::new(old, &mut copy)?.run_to_completion(1_000, Duration::ZERO, None)?;
    encryption::sound(old, key, path, Ok(()))?;
    configure(&copy)?;
    migrate(&mut copy)?;
    configure_reader(&copy)?;
    Ok(copy)
}

fn configure_writer(connection: &Connection) -> Result<(), StoreError> {
    // The page size counts only before the first table.
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.busy_timeout(PATIENCE)?;
    // The mark goes into the file itself before there is a log beside it: a file whose log was
    // never copied back, because the process was killed, is still known as ours.
    let mark: u32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if mark != APPLICATION_ID {
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -262_144)?;
    connection.pragma_update(None, "wal_autocheckpoint", 8192)?;
    connection.pragma_update(None, "journal_size_limit", 67_108_864)?;
    connection.pragma_update(None, "secure_delete", true)?;
    configure(connection)
}

/// How long a connection waits for another one that holds the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// Copies all of the log into the file and empties it; waits for those who read from it.
pub(crate) fn empty_log(connection: &Connection) -> Result<(), StoreError> {
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy == 0 {
        return Ok(());
    }
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    Err(rusqlite::Error::SqliteFailure(code, None).into())
}

/// Copies the log into the file and empties it, if nobody reads from it right now: whoever waits
/// for readers here keeps all writers waiting. Says whether it is empty.
pub(crate) fn try_to_empty_log(connection: &Connection) -> Result<bool, StoreError> {
    connection.busy_timeout(Duration::ZERO)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    connection.busy_timeout(PATIENCE)?;
    let busy: i64 = busy?;
    Ok(busy == 0)
}

fn configure_reader(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "query_only", true)?;
    configure(connection)
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    // Without it SQLite looks at bound values to see whether a partial index fits, and prepares
    // such a statement again each time a value is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(128);
    compression::teach(connection)?;
    Ok(())
}

/// Where the engine puts aside what it makes on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    Memory,
    /// A file without a name, where temporary files are kept.
    File,
}

/// Does what may put aside as much as the whole file is long.
pub(crate) fn put_aside<T>(
    connection: &mut Connection,
    aside: Aside,
    work: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if aside == Aside::File {
        connection.pragma_update(None, "temp_store", "file")?;
    }
    let done = work(connection);
    let back = connection.pragma_update(None, "temp_store", "memory");
    let done = done?;
    back?;
    Ok(done)
}

/// Takes the file forward, each step in a transaction of its own. What was derived under earlier
/// rules is derived anew.
fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    loop {
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let position = usize::try_from(version).unwrap_or(usize::MAX);
        let Some(step) = STEPS.get(position) else {
            if version == latest() && policy::is_of_earlier_rules(connection)? {
                let now = rusqlite::TransactionBehavior::Immediate;
                let tx = connection.transaction_with_behavior(now)?;
                policy::bring_forward(&tx)?;
                tx.commit()?;
            }
            return Ok(());
        };
        let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another process may have taken the step meanwhile.
        if tx.pragma_query_value::<u32, _>(None, "user_version", |row| row.get(0))? == version {
            take(&tx, step, version + 1)?;
        }
        tx.commit()?;
    }
}

fn take(tx: &Transaction<'_>, step: &Step, to: u32) -> Result<(), StoreError> {
    match step {
        Step::Statements(sql) => tx.execute_batch(sql)?,
        Step::Derive(work) => work(tx)?,
    }
    tx.pragma_update(None, "user_version", to)?;
    Ok(())
}
