//! `Store`: open, take in, ask, correct, check, copy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use cx_core::context::facts::MergeFact;
use cx_core::context::{self, Audience, Context, ContextFacts, ContextOptions};
use cx_core::conversation::Conversation;
use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::explain::{Candidate, How, Why, WhyNot};
use cx_core::identity::{Assertion, Policy, Verdict};
use cx_core::ids::{ConversationKey, CustomerId, EventKey, IdKey, ObservationId};
use cx_core::measure::Answer;
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::beside;
use crate::check::{self, CheckReport};
use crate::codec;
use crate::corrections::{self, Asserted, Preview};
use crate::derived::Settings;
use crate::edition::Edition;
use crate::encryption::{self, EncryptionKey};
use crate::erasure::{self, Compaction, EraseMode, Erased, Erasure, ErasureRecord, Whom};
use crate::error::StoreError;
use crate::explain;
use crate::export::{self, Export};
use crate::feed::{self, ChangeRecord};
use crate::history::{History, SCAN};
use crate::ingest::{self, Dictionary, Incoming, Writing};
use crate::kept::{FileWatch, KeptFile};
use crate::measured;
use crate::memory::{Memory, Recalled};
use crate::neighbourhood::Asking;
use crate::past::Past;
use crate::policy::{self, PolicyReport};
use crate::proposals::{self, Proposal, ProposeOptions, Proposed};
use crate::read::{self, Cursor, Found, TimelinePage, TimelineQuery, Transcript};
use crate::report::{IngestReport, Recording};
use crate::schema::{self, Aside};
use crate::search::{self, Hit, SearchQuery, Words};
use crate::view;
use crate::waiting::{self, Waiting};

/// How a new store is set up. An existing one keeps what it was set up with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreOptions {
    /// Whose store it is. Nothing is shared between tenants, and no id of one means anything to
    /// another. Empty for the only tenant there is.
    pub tenant: String,
    /// The key under which customer ids are issued; without one it follows from the tenant's
    /// name, so that two stores of the same facts name their customers alike.
    pub id_key: Option<IdKey>,
    /// Which identifiers link, and how strongly.
    pub policy: Policy,
}

/// Batches of up to so many events are found by a search when they are in.
const SOON: usize = 1_000;

/// A store of timelines in one SQLite file. Cloning it gives another handle on the same store;
/// handles may be used from any thread. One write runs at a time, reads run beside it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

/// A store that is open only as long as somebody else holds it.
#[derive(Clone)]
pub(crate) struct WeakStore(Weak<Inner>);

impl WeakStore {
    pub(crate) fn upgrade(&self) -> Option<Store> {
        self.0.upgrade().map(Store)
    }

    /// Whether somebody holds it now.
    pub(crate) fn is_held(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl fmt::Debug for WeakStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakStore").finish_non_exhaustive()
    }
}

struct Inner {
    path: PathBuf,
    /// The same, whatever the current folder becomes.
    file: PathBuf,
    /// The file under its name; `None` where nothing is written to one.
    named: Option<FileWatch>,
    /// Its log, likewise.
    log: Option<FileWatch>,
    place: Place,
    /// Which process opened it.
    process: u32,
    /// Under which the file is encrypted, if it is.
    key: Option<EncryptionKey>,
    /// Fields are dropped in this order: the writer goes last, and copies the log back into the
    /// file, which a connection that only reads cannot.
    readers: Mutex<Vec<Connection>>,
    known: RwLock<Known>,
    memory: Mutex<Memory>,
    writer: Mutex<Writer>,
    /// The file, and what is read beside it, closed behind all connections.
    kept: Mutex<Vec<KeptFile>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            return;
        }
        // A copy of the process leaves the file to the one that opened it: to close it would take
        // the log away.
        let readers = self.readers.get_mut().unwrap_or_else(PoisonError::into_inner);
        readers.drain(..).for_each(mem::forget);
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Ok(nothing) = Connection::open_in_memory() {
            mem::forget(mem::replace(&mut writer.connection, nothing));
        }
    }
}

/// The settings as they were last read, or written here.
struct Known {
    settings: Arc<Settings>,
    /// As of which edition of the file they were last read.
    heard: Option<Edition>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Memory,
    File,
    ReadOnlyFile,
}

struct Writer {
    connection: Connection,
    dictionary: Dictionary,
    settings: Settings,
    /// Whether a sync of the log has failed since it was last emptied.
    is_log_suspect: bool,
    /// What the file was like when it was opened, where it is read without locks.
    unlocked: Option<schema::Stamp>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Makes a store in memory, gone when the last handle is dropped.
    ///
    /// # Errors
    /// [`StoreError::Engine`] where memory runs out.
    pub fn open_in_memory() -> Result<Self, StoreError> {
        Self::open_in_memory_with(StoreOptions::default())
    }

    /// Makes a store in memory with these options.
    ///
    /// # Errors
    /// As [`Store::open_in_memory`].
    pub fn open_in_memory_with(options: StoreOptions) -> Result<Self, StoreError> {
        let connection = schema::open_in_memory()?;
        let settings = settings(&connection, Some(options), Path::new(":memory:"))?;
        Ok(Self::new(PathBuf::from(":memory:"), None, connection, settings, Place::Memory))
    }

    pub(crate) fn open_file(
        path: &Path,
        found: schema::Found,
        key: Option<EncryptionKey>,
        options: Option<StoreOptions>,
    ) -> Result<Self, StoreError> {
        let is_read_only = std::fs::metadata(path).is_ok_and(|file| file.permissions().readonly());
        if found == schema::Found::Ours && is_read_only {
            return Self::open_reader(path, key, options);
        }
        match schema::open_writer(path, key.as_ref()).map_err(|error| error.at(path)) {
            Ok((connection, is_log_suspect)) => {
                let settings = settings(&connection, options, path);
                let settings = encryption::sound(&connection, key.as_ref(), path, settings)?;
                let store = Self::new(path.to_owned(), key, connection, settings, Place::File);
                store.writer().is_log_suspect = is_log_suspect;
                Ok(store)
            }
            Err(StoreError::ReadOnly { .. } | StoreError::CannotOpen { .. })
                if found == schema::Found::Ours && !schema::is_writable(path) =>
            {
                Self::open_reader(path, key, options)
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn open_reader(
        path: &Path,
        key: Option<EncryptionKey>,
        options: Option<StoreOptions>,
    ) -> Result<Self, StoreError> {
        let (connection, unlocked) = schema::open_read_only(path, key.as_ref())?;
        let settings = settings(&connection, options, path);
        let settings = encryption::sound(&connection, key.as_ref(), path, settings)?;
        let store = Self::new(path.to_owned(), key, connection, settings, Place::ReadOnlyFile);
        store.writer().unlocked = unlocked;
        Ok(store)
    }

    fn new(
        path: PathBuf,
        key: Option<EncryptionKey>,
        connection: Connection,
        settings: Settings,
        place: Place,
    ) -> Self {
        let known = Known { settings: Arc::new(settings.clone()), heard: None };
        let (known, memory) = (RwLock::new(known), Mutex::new(Memory::new(Memory::MOST)));
        let dictionary = Dictionary::default();
        let writer =
            Writer { connection, dictionary, settings, is_log_suspect: false, unlocked: None };
        let (writer, readers) = (Mutex::new(writer), Mutex::new(Vec::new()));
        let kept = match place {
            Place::Memory => Vec::new(),
            Place::File | Place::ReadOnlyFile => KeptFile::open(&path).into_iter().collect(),
        };
        let kept = Mutex::new(kept);
        let process = std::process::id();
        let file = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let watch = |path| (place == Place::File).then(|| FileWatch::at(path));
        let (named, log) = (watch(file.clone()), watch(beside::beside(&file, "-wal")));
        let inner = Inner {
            path,
            file,
            named,
            log,
            place,
            process,
            key,
            readers,
            known,
            memory,
            writer,
            kept,
        };
        Self(Arc::new(inner))
    }

    pub(crate) fn downgrade(&self) -> WeakStore {
        WeakStore(Arc::downgrade(&self.0))
    }

    /// The file of the store; `:memory:` if it has none.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The same, whatever the current folder has become.
    pub(crate) fn file(&self) -> &Path {
        &self.0.file
    }

    /// Whether the file of the store is encrypted. A store in memory is not.
    pub fn is_encrypted(&self) -> bool {
        self.0.key.is_some()
    }

    /// The key under which the file is encrypted, if it is.
    pub(crate) fn key(&self) -> Option<&EncryptionKey> {
        self.0.key.as_ref()
    }

    /// Reads a file beside the store, which stays open as long as the store does.
    pub(crate) fn keep_open(&self, path: &Path) -> std::io::Result<KeptFile> {
        let file = KeptFile::open(path)?;
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if cfg!(unix) && !kept.iter().any(|other| std::ptr::eq(other.file(), file.file())) {
            kept.push(KeptFile::open(path)?);
        }
        Ok(file)
    }

    /// Whose store it is; empty for the only tenant there is.
    pub fn tenant(&self) -> String {
        self.known().tenant.clone()
    }

    /// Takes in a batch: all of it, or nothing.
    ///
    /// Events may come in any order and any number of times; the outcome is the same. Identity is
    /// derived in the same transaction. When this returns, the batch is on disk. Full text follows
    /// at once for up to 1,000 events; what more of them leave behind is caught up with by the next
    /// search, by [`Store::catch_up`], and by a part with each small batch.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::DiskFull`], [`StoreError::Locked`]; nothing of the
    /// batch is kept then.
    pub fn ingest(
        &self,
        recording: &Recording,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<IngestReport, StoreError> {
        let events: Vec<Event> = events.into_iter().collect();
        self.take_in(recording, Incoming::all(&events))
    }

    /// As [`Store::ingest`], with what is known already of the events.
    pub(crate) fn take_in(
        &self,
        recording: &Recording,
        events: Vec<Incoming<'_>>,
    ) -> Result<IngestReport, StoreError> {
        if events.is_empty() {
            return Ok(IngestReport::default());
        }
        self.write(|tx, writer| {
            let is_small = events.len() <= SOON;
            let report = ingest::ingest(tx, writer.settings, writer.dictionary, recording, events)?;
            if is_small {
                search::catch_up(tx, search::SHORT_STEP)?;
            }
            Ok(report)
        })
    }

    /// Gives an answer about a customer, as it stands at `options.as_of`.
    ///
    /// Who nobody knows gets an answer too: one that says so. Where several customers share what
    /// was asked for, none is chosen, and all are named.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn context(&self, who: &Who, options: &ContextOptions) -> Result<Context, StoreError> {
        let past = Past::today().as_of(options.as_of);
        let past = past.known_at(options.known_at.unwrap_or(Timestamp::MAX));
        let today = self.read_under(|connection, settings| {
            if !past.is_today(connection)? {
                return Ok(None);
            }
            let history = |customer| self.history(connection, customer, options.as_of);
            answer(connection, settings, who, options, history).map(Some)
        })?;
        let links = Links::of(options.audience);
        if let Some((context, joined)) = today
            && joined.suits(links)
        {
            return Ok(context);
        }
        let sources = self.read(read::sources)?;
        let view = self.view_with(std::slice::from_ref(who), past, links)?;
        let answer = view.read_under(|connection, settings| {
            let history = |customer| -> Result<_, StoreError> {
                let mut history = History::read(connection, customer, options.as_of, SCAN, None)?;
                history.sources = read::sources_then(sources, history.sources, past);
                Ok(Arc::new(history))
            };
            answer(connection, settings, who, options, history)
        })?;
        Ok(answer.0)
    }

    /// A store in memory of what was known of these then, and of all that decides whose it is:
    /// it answers everything about them as this store would have answered it.
    ///
    /// Who was who is derived anew from those facts: its cost is that of taking in the events of
    /// everybody around them, some milliseconds for a hundred events.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn view(&self, of: &[Who], past: Past) -> Result<Self, StoreError> {
        self.view_with(of, past, Links::All)
    }

    fn view_with(&self, of: &[Who], past: Past, links: Links) -> Result<Self, StoreError> {
        let (asking, mut facts) = self.read_under(|connection, settings| {
            let asking = Asking::of(settings, past);
            let facts = view::facts(connection, &asking, of)?;
            Ok((asking, facts))
        })?;
        if !links.allow_models() {
            let is_certain = |said: &Assertion| !matches!(said.verdict, Verdict::Probable(..));
            facts.assertions.retain(|(said, _)| is_certain(said));
        }
        let Asking { tenant, mut policy, id_key, .. } = asking;
        if !links.allow_words() {
            policy = policy.of_proofs();
        }
        let options = StoreOptions { tenant, policy, id_key: Some(id_key) };
        let view = Self::open_in_memory_with(options)?;
        view.write(|tx, writer| corrections::admit(tx, writer, &facts.assertions))?;
        for (recorded_at, events) in facts.events {
            view.write(|tx, writer| {
                let recording = Recording::new(recorded_at, "");
                let events = Incoming::all(&events);
                ingest::ingest(tx, writer.settings, writer.dictionary, &recording, events)
            })?;
        }
        view.write(|tx, _| view::admit_ids(tx, &facts.issued))?;
        Ok(view)
    }

    /// What is known of a customer as the file stands, from memory where it is remembered.
    fn history(
        &self,
        connection: &Connection,
        customer: i64,
        as_of: Timestamp,
    ) -> Result<Arc<History>, StoreError> {
        let edition = Edition::of(connection)?;
        let before = match self.memory().recall(customer, edition) {
            Recalled::AsItStands(history) => return Ok(history),
            // Where another thread still answers from it, it is read again.
            Recalled::Before(before) => before.and_then(Arc::into_inner),
        };
        let history = Arc::new(History::read(connection, customer, as_of, SCAN, before)?);
        self.memory().keep(customer, edition, Arc::clone(&history));
        Ok(history)
    }

    /// How many bytes of memory this handle, and its clones, may use at most to remember the
    /// customers that were asked for last: 192 MiB where nothing is said, and of a store of
    /// [`Tenants`](crate::Tenants) its share of that. Nothing is kept of a single customer who would
    /// take more than half of it, and with 0 nothing at all.
    ///
    /// What is remembered holds as long as the file stands as it stood: whatever anybody writes to
    /// it is seen by the next question.
    pub fn remember(&self, bytes: usize) {
        self.memory().clear(bytes);
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who holds an identifier, or whom an id that was once issued means today. An id that no
    /// customer ever had may be one of an answer about the past, and is looked for among all records:
    /// that takes the time of reading their keys.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn find(&self, who: &Who) -> Result<Found, StoreError> {
        self.read(|connection| read::find(connection, who))
    }

    /// A page of a customer's timeline; empty where nobody is known, or several are meant.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn timeline(
        &self,
        who: &Who,
        query: &TimelineQuery,
        after: Option<&Cursor>,
    ) -> Result<TimelinePage, StoreError> {
        self.read(|connection| match read::find(connection, who)?.chosen() {
            Some(customer) => read::timeline(connection, customer.row(), query, after),
            None => Ok(TimelinePage { events: Vec::new(), next: None }),
        })
    }

    /// A customer's whole timeline, the oldest first, read in pages of 1,000; empty where nobody is
    /// known, or several are meant. All of it is held in memory.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn whole_timeline(&self, who: &Who) -> Result<Vec<Event>, StoreError> {
        let query = TimelineQuery::new().limit(1_000);
        let (mut events, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.timeline(who, &query, cursor.as_ref())?;
            events.extend(page.events);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(events),
            }
        }
    }

    /// What others did in the conversations of these events, in timeline order: what colleagues and
    /// systems did, and what other customers said and were told. All of it is held in memory.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn beside(&self, events: &[Event]) -> Result<Vec<Event>, StoreError> {
        self.read(|connection| read::beside(connection, events))
    }

    /// What became of the words of each of these events: a timeline has events as they were
    /// written, and says of none that it was edited or taken out later.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn words(&self, events: &[Event]) -> Result<Vec<Words>, StoreError> {
        self.read(|connection| search::words(connection, events))
    }

    /// A conversation by any of its keys, with all that was said in it.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn conversation(&self, key: &ConversationKey) -> Result<Option<Transcript>, StoreError> {
        self.read(|connection| read::conversation(connection, key))
    }

    /// Where these words were written, best first.
    ///
    /// What large batches have left to be indexed is caught up with first, which is a write; where
    /// nothing is left, nobody is waited for.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read; [`StoreError::NotIndexed`] where something is
    /// left and the file cannot be written; where somebody else writes to it for long, or the disk
    /// is full, as [`Store::catch_up`].
    pub fn search(&self, query: &SearchQuery) -> Result<Vec<Hit>, StoreError> {
        self.index_what_is_left()?;
        self.read(|connection| search::search(connection, query))
    }

    /// Where one customer's events hold these words, best first; nowhere where nobody is known, or
    /// several are meant. Customers are shown nothing that only a model takes for theirs.
    ///
    /// # Errors
    /// As [`Store::search`].
    pub fn search_of(&self, who: &Who, query: &SearchQuery) -> Result<Vec<Hit>, StoreError> {
        let links = Links::of(query.is_for());
        let is_joined = !links.allow_models() && self.has_links_by_model()?
            || !links.allow_words() && self.is_joined_by_words(who)?;
        if is_joined {
            let view = self.view_with(std::slice::from_ref(who), Past::today(), links)?;
            return view.search_among(who, query, links);
        }
        self.search_among(who, query, links)
    }

    fn search_among(
        &self,
        who: &Who,
        query: &SearchQuery,
        links: Links,
    ) -> Result<Vec<Hit>, StoreError> {
        self.index_what_is_left()?;
        self.read(|connection| {
            let Some(customer) =
                read::find(connection, who)?.chosen().map(read::FoundCustomer::row)
            else {
                return Ok(Vec::new());
            };
            let mut hits = search::search(connection, &query.clone().of_customer(customer))?;
            let is_carried = |hit: &Hit| context::is_carried(&hit.found);
            if !links.allow_words() && hits.iter().any(is_carried) {
                let history = self.history(connection, customer, Timestamp::MAX)?;
                let known = || history.earlier.iter().chain(&history.events);
                let hearsay = context::carried_by_words(known());
                let told: BTreeSet<&EventKey> = known().map(|event| &event.key).collect();
                hits.retain(|hit| {
                    let key = &hit.event;
                    !is_carried(hit) || told.contains(key) && !hearsay.contains(key)
                });
            }
            Ok(hits)
        })
    }

    /// Whether anybody in the store is linked because a model says so.
    fn has_links_by_model(&self) -> Result<bool, StoreError> {
        self.read_under(|_, settings| {
            let mut said = settings.assertions.in_force();
            Ok(said.any(|(_, said)| matches!(said.verdict, Verdict::Probable(..))))
        })
    }

    /// Whether this is one customer because of what somebody stated.
    fn is_joined_by_words(&self, who: &Who) -> Result<bool, StoreError> {
        self.read_under(|connection, settings| match read::find(connection, who)?.chosen() {
            Some(customer) => {
                read::is_joined_by_words(connection, &settings.policy, customer.row())
            }
            None => Ok(false),
        })
    }

    fn index_what_is_left(&self) -> Result<(), StoreError> {
        let behind = self.read(search::behind)?;
        if behind == 0 {
            return Ok(());
        }
        if self.0.place == Place::ReadOnlyFile {
            return Err(StoreError::NotIndexed { path: self.0.path.clone(), behind });
        }
        self.catch_up()
    }

    /// All matters on all channels in which somebody has to act: those that wait for us first,
    /// and of these the one that is due, or has waited, longest. In the past they are those that
    /// were open then; whose they are is told as it is known today.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn who_is_waiting(&self, as_of: Timestamp) -> Result<Vec<Waiting>, StoreError> {
        self.first_waiting(as_of, usize::MAX)
    }

    /// The first of all matters in which somebody has to act, in the order of
    /// [`Store::who_is_waiting`], at most `limit` of them. Only these are read, unless something
    /// happened after `as_of`: then every conversation is looked at.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn first_waiting(
        &self,
        as_of: Timestamp,
        limit: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        self.read(|connection| {
            let mut matters = waiting::list(connection, as_of, limit)?;
            search::leave_what_was_taken_out(connection, &mut matters)?;
            Ok(matters)
        })
    }

    /// All answers to surveys until an instant, each with the customer who gave it: what scores are
    /// computed of. Reads every answer.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn answers(&self, as_of: Timestamp) -> Result<Vec<Answer>, StoreError> {
        self.read(|connection| measured::answers(connection, as_of))
    }

    /// All conversations as they stood at an instant, by key: what service measures are computed
    /// of. Reads and folds every conversation.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn conversations(&self, as_of: Timestamp) -> Result<Vec<Conversation>, StoreError> {
        self.read(|connection| measured::conversations(connection, as_of))
    }

    /// The customers in the order of their ids, after this one, at most `limit` of them.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn customers(
        &self,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerId>, StoreError> {
        self.read(|connection| {
            let mut rows = connection
                .prepare_cached("SELECT cid FROM customer WHERE cid > ?1 ORDER BY cid LIMIT ?2")?;
            let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = rows.query_map(params![after, limit], |row| row.get::<_, [u8; 16]>(0))?;
            Ok(rows.map(|row| row.map(CustomerId::from_bytes)).collect::<Result<_, _>>()?)
        })
    }

    /// How many customers and events there are: `(customers, events)`. Of a record with several
    /// revisions one counts.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn counts(&self) -> Result<(u64, u64), StoreError> {
        self.read(|connection| {
            let n = |sql: &str| -> Result<u64, StoreError> {
                let n: i64 = connection.query_row(sql, [], |row| row.get(0))?;
                Ok(u64::try_from(n).unwrap_or(0))
            };
            let events = n("SELECT coalesce(sum(n), 0) FROM bundle")?;
            Ok((n("SELECT count(*) FROM customer")?, events))
        })
    }

    /// All events in the order of the file, read in pages, each from a fresh snapshot.
    ///
    /// Records that are new since the reading began are not in it; an event that is revised
    /// meanwhile may stand in it twice, as it was and as it is.
    pub fn events(&self) -> Events {
        let page = Vec::new().into_iter();
        Events { store: self.clone(), after: 0, begun: None, page, done: false }
    }

    /// One event as it is shown today.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn event(&self, key: &EventKey) -> Result<Option<Event>, StoreError> {
        self.read(|connection| {
            let mut payload = connection.prepare_cached(
                "SELECT iif(packed IS NULL, payload, cx_unpack(packed))
                 FROM event WHERE key = ?1 AND standing = 0",
            )?;
            let payload: Option<String> =
                payload.query_row([key.as_str()], |row| row.get(0)).optional()?;
            payload.map(|payload| codec::event(&payload)).transpose()
        })
    }

    /// Which observation a customer id names, or which was recorded first among those of whoever
    /// holds an identifier; `None` where nobody, or several, are meant.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn anchor(&self, who: &Who) -> Result<Option<ObservationId>, StoreError> {
        self.read(|connection| {
            if let Who::Customer(id) = who {
                // Of an erased customer there is none.
                let named = corrections::named_by(connection, *id)?;
                return Ok(named.filter(|(_, key)| !key.is_empty()).map(|(named, _)| named));
            }
            let found = read::find(connection, who)?;
            let Some(customer) = found.chosen() else { return Ok(None) };
            let mut oid =
                connection.prepare_cached("SELECT anchor_oid FROM customer WHERE id = ?1")?;
            let oid = oid.query_row([customer.row()], |row| row.get(0))?;
            Ok(Some(ObservationId::from_bytes(oid)))
        })
    }

    /// Which record is meant by what is said of somebody: the one that a customer id names, or of
    /// the records with which whoever holds an identifier carries it the first that was recorded;
    /// `None` where nobody, or several, are meant.
    ///
    /// What is said of a record stays said of it, whoever else turns up with the identifier.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn meant(&self, who: &Who) -> Result<Option<ObservationId>, StoreError> {
        let Who::Identifier(identifier) = who else { return self.anchor(who) };
        let carrying = self.read(|connection| {
            let found = read::find(connection, who)?;
            let Some(customer) = found.chosen() else { return Ok(None) };
            let mut oid = connection.prepare_cached(
                "SELECT b.anchor_oid FROM identifier i JOIN bundle_claim c ON c.identifier_id = i.id
                   JOIN bundle b ON b.id = c.bundle_id JOIN member m ON m.bundle_id = b.id
                 WHERE i.hash = ?1 AND m.customer_id = ?2 AND b.n > 0
                 ORDER BY c.links DESC, b.anchor_recorded, b.anchor_oid LIMIT 1",
            )?;
            let hash = codec::identifier_hash(identifier);
            let oid = oid.query_row(params![&hash[..], customer.row()], |row| row.get(0));
            Ok(oid.optional()?.map(ObservationId::from_bytes))
        })?;
        if carrying.is_some() { Ok(carrying) } else { self.anchor(who) }
    }

    /// Records what somebody says about who is who, and derives what follows.
    ///
    /// Saying the same thing twice is saying it once. What stands against it is said at once, in
    /// [`Asserted::conflicts`]; the assertion is kept all the same, and counts as soon as nothing
    /// stands against it.
    ///
    /// # Errors
    /// [`StoreError::UnknownObservation`], [`StoreError::UnknownAssertion`], or where the file
    /// cannot be written.
    pub fn assert(
        &self,
        assertion: &Assertion,
        recorded_at: Timestamp,
    ) -> Result<Asserted, StoreError> {
        self.write(|tx, writer| corrections::assert(tx, writer, assertion, recorded_at))
    }

    /// Why two are one person: the ways from one to the other, each with its values, sources,
    /// counts and instants, and in sentences; `None` where they are not one person.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn why(&self, a: &Who, b: &Who, past: Past) -> Result<Option<Why>, StoreError> {
        self.read_under(|connection, settings| {
            explain::why(connection, &Asking::of(settings, past), a, b)
        })
    }

    /// Why two are not one person: what they have in common, and why it does not join them;
    /// `None` where they are one, or one of them is not known.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn why_not(&self, a: &Who, b: &Who, past: Past) -> Result<Option<WhyNot>, StoreError> {
        self.read_under(|connection, settings| {
            explain::why_not(connection, &Asking::of(settings, past), a, b)
        })
    }

    /// How a customer came about; one answer for each customer who holds the identifier, none
    /// where nobody does.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn how(&self, who: &Who, past: Past) -> Result<Vec<How>, StoreError> {
        self.read_under(|connection, settings| {
            explain::how(connection, &Asking::of(settings, past), who)
        })
    }

    /// Who may be the same person as this customer, with what speaks for it, the likeliest first;
    /// housemates last. Empty where nobody is known, or several hold the identifier.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn candidates(&self, who: &Who, past: Past) -> Result<Vec<Candidate>, StoreError> {
        self.read_under(|connection, settings| {
            explain::candidates(connection, &Asking::of(settings, past), who)
        })
    }

    /// The customers who have candidates, after this one in the order of ids, at most `limit` of
    /// them. Reads the customers one by one until there are enough.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn doubtful(
        &self,
        after: Option<CustomerId>,
        limit: usize,
    ) -> Result<Vec<CustomerId>, StoreError> {
        let found = self.read(|connection| explain::doubtful(connection, after, limit))?;
        Ok(found.into_iter().collect())
    }

    /// Compares all customers by a model: keeps the pairs that are probably one person as
    /// proposals, for people to decide ([`Store::candidates`] tells them), and links those that
    /// weigh at least [`ProposeOptions::link_at`], if that is said.
    ///
    /// Such a link joins last and gives way to everything: to what identifiers and people say, to
    /// limits, to [`Verdict::Different`]. It is an assertion
    /// by the model, which a person may revoke; then no model links the two again. Each run
    /// compares the customers as they are without such links, and replaces what the one before
    /// has found. `at` is when it is said and recorded.
    ///
    /// Hubs, and values that several persons carry, neither weigh nor block. Time is linear in the
    /// customers and in the pairs compared (four for each customer and rule of blocking at most);
    /// the file can be read and written meanwhile, until what was found is written.
    ///
    /// # Errors
    /// [`StoreError::NothingToLearn`], or where the file cannot be read or written.
    pub fn propose(&self, options: &ProposeOptions, at: Timestamp) -> Result<Proposed, StoreError> {
        let compared = self.read_under(|connection, settings| {
            proposals::read(connection, &Asking::of(settings, Past::today()))
        })?;
        let found = compared.run(options).map_err(|error| StoreError::NothingToLearn { error })?;
        let (model, linkage) = &found;
        self.write(|tx, writer| {
            proposals::keep(tx, writer, &compared, (model, linkage), options.most, at)
        })
    }

    /// What the last model said of a customer, the heaviest first, with how each weight adds up.
    /// Nothing where nobody is meant.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn proposals_of(&self, who: &Who) -> Result<Vec<Proposal>, StoreError> {
        self.read(|connection| {
            let found = read::find(connection, who)?;
            match found.customers.first() {
                Some(customer) => proposals::of(connection, customer.id),
                None => Ok(Vec::new()),
            }
        })
    }

    /// The pairs that the last model proposed, the heaviest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn proposals(&self, limit: usize) -> Result<Vec<Proposal>, StoreError> {
        self.read_under(|connection, settings| {
            proposals::all(connection, &settings.assertions, limit)
        })
    }

    /// What would become of whom if all this were said. Nothing is written.
    ///
    /// # Errors
    /// As [`Store::assert`].
    pub fn preview(&self, assertions: &[Assertion]) -> Result<Preview, StoreError> {
        self.try_out(|tx, writer| {
            let mut conflicts = Vec::new();
            let before = feed::last(tx)?;
            for assertion in assertions {
                let asserted = corrections::assert(tx, writer, assertion, assertion.at)?;
                conflicts.extend(asserted.conflicts);
            }
            Ok(Preview { changes: feed::after(tx, before, usize::MAX)?, conflicts })
        })
    }

    /// The policy in force: which identifiers link, and how strongly.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn policy(&self) -> Result<Policy, StoreError> {
        self.read_under(|_, settings| Ok(settings.policy.clone()))
    }

    /// What would become of whom under another policy. Nothing is written, and nobody else writes
    /// meanwhile; its cost is that of deriving everybody anew.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], or where the file cannot be read.
    pub fn preview_policy(&self, policy: &Policy) -> Result<PolicyReport, StoreError> {
        self.try_out(|tx, writer| policy::apply(tx, writer, policy, Timestamp::MIN))
    }

    /// Puts another policy in force, and derives everybody anew under it, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be written; the policy is as before then.
    pub fn set_policy(
        &self,
        policy: &Policy,
        recorded_at: Timestamp,
    ) -> Result<PolicyReport, StoreError> {
        self.write(|tx, writer| policy::apply(tx, writer, policy, recorded_at))
    }

    /// What became of customers after this place in the feed, in order, at most `limit` entries.
    /// A reader that remembers the last [`ChangeRecord::seq`] it has seen misses nothing; the
    /// feed begins after 0.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn changes(&self, after: u64, limit: usize) -> Result<Vec<ChangeRecord>, StoreError> {
        self.read(|connection| feed::after(connection, after, limit))
    }

    /// Everything that was ever said about who is who, by the time it was said.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn assertions(&self) -> Result<Vec<Assertion>, StoreError> {
        self.read(corrections::all)
    }

    /// Everything about one person: what is known, every event in every revision with what its
    /// source sent beyond it, how the records came together, what was said of them. What only a model
    /// takes for theirs is not told.
    ///
    /// # Errors
    /// [`StoreError::NobodyMeant`] where nobody, or several, are meant: also by an id whose record is
    /// nobody's without what a model links. Ask by an address or a number then. [`StoreError::Gone`]
    /// by the id of somebody who was erased.
    pub fn export(&self, who: &Who, now: Timestamp) -> Result<Export, StoreError> {
        let links = self.read_under(|connection, settings| {
            let found = read::find(connection, who)?;
            let meant = found.chosen().ok_or_else(|| nobody(who, &found))?;
            erasure::links_by_model(connection, settings, meant.row())
        })?;
        // Without what only a model says, it may be somebody else's.
        let view = if links.is_empty() {
            None
        } else {
            Some(self.view_with(std::slice::from_ref(who), Past::today(), Links::Certain)?)
        };
        let of = view.as_ref().unwrap_or(self);
        let customer = of.find(who)?.chosen().ok_or(StoreError::NobodyMeant)?.id;
        let who = Who::Customer(customer);
        let options = ContextOptions { characters: usize::MAX, ..ContextOptions::at(now) };
        let mut context = of.context(&who, &options.items(usize::MAX))?;
        let identity = of.how(&who, Past::today())?.into_iter().next();
        let identity = identity.ok_or(StoreError::NobodyMeant)?;
        let keys = of.read(|connection| {
            // Somebody may have been merged since.
            let found = read::find(connection, &who)?;
            let meant = found.chosen().ok_or(StoreError::NobodyMeant)?;
            erasure::keys(connection, meant.row(), &BTreeMap::new())
        })?;
        let parts = self.read_under(|connection, settings| {
            export::parts(connection, settings, &keys, customer, &mut context)
        })?;
        Ok(Export {
            v: 1,
            exported_at: now,
            customer,
            former_ids: parts.former_ids,
            context,
            identity,
            events: parts.events,
            conversations: parts.conversations,
            assertions: parts.assertions,
            changes: parts.changes,
        })
    }

    /// Takes a person out for good: events in all revisions, identifiers that nobody else has,
    /// names, texts, the index, what was said about them; and keeps the same records, and whatever
    /// else happened to them until now, from coming back. What happens later begins anew.
    ///
    /// Of an identifier that only records of nobody carry (an address that was only inferred, a number
    /// that is none), these are erased.
    ///
    /// What only a model takes for the person's stays with whom it is of without the model, whose
    /// links are taken back: only what is certain is erased. Of a customer id, that is the part
    /// which has the record that the id names.
    ///
    /// What was erased cannot be read any more; [`Store::compact`] takes it out of the free space
    /// of the file as well. Copies and backups are the caller's to destroy. Reads every event once,
    /// for the person's identifiers in what others wrote.
    ///
    /// # Errors
    /// [`StoreError::NobodyMeant`] where nobody, or several, are meant; [`StoreError::Gone`] by the id
    /// of somebody who was erased.
    pub fn erase(
        &self,
        who: &Who,
        mode: EraseMode,
        erased_at: Timestamp,
    ) -> Result<Erasure, StoreError> {
        Ok(self.erase_and_tell(who, mode, erased_at)?.erasure)
    }

    /// Erases somebody, and tells the strings by which the person was known.
    pub(crate) fn erase_and_tell(
        &self,
        who: &Who,
        mode: EraseMode,
        erased_at: Timestamp,
    ) -> Result<Erased, StoreError> {
        let erased = self.write(|tx, writer| {
            let found = read::find(tx, who)?;
            let is_parted = match found.chosen() {
                Some(customer) => erasure::part(tx, writer, customer.row(), erased_at)?,
                None => false,
            };
            let found = if is_parted { read::find(tx, who)? } else { found };
            let record;
            let whom = match (found.chosen(), who) {
                (Some(customer), _) => Whom::Customer(customer.row()),
                (None, _) if !found.customers.is_empty() => return Err(nobody(who, &found)),
                (None, Who::Identifier(value)) => Whom::Nobody(value),
                // Only a model took the record for somebody's that the id names.
                (None, Who::Customer(id)) if is_parted => {
                    (_, record) = corrections::named_by(tx, *id)?.ok_or(StoreError::NobodyMeant)?;
                    Whom::Record(&record, *id)
                }
                (None, Who::Customer(_)) => return Err(nobody(who, &found)),
            };
            erasure::erase(tx, writer, whom, mode, erased_at)
        })?;
        self.empty_log();
        Ok(erased)
    }

    /// Takes what was taken out of the store out of its log, too. It is gone from the store whether
    /// or not that can be done now: compaction does it again, and says so where it cannot.
    pub(crate) fn empty_log(&self) {
        let mut writer = self.writer();
        let emptied = schema::try_to_empty_log(&writer.connection);
        writer.is_log_suspect |= emptied.is_err_and(|error| error.is_failed_sync());
        drop(writer);
        self.forget();
    }

    /// Remembers nothing of what was read.
    fn forget(&self) {
        let mut memory = self.memory();
        let most = memory.most();
        memory.clear(most);
    }

    /// Whether nobody else reads, so that the file can be rewritten: a change that says nothing is
    /// taken out of the log.
    pub(crate) fn expect_to_compact(&self) -> Result<(), StoreError> {
        self.write(|tx, _| Edition::end(tx))?;
        let mut writer = self.usable_writer()?;
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let done = schema::empty_log(&writer.connection);
        writer.is_log_suspect |= done.as_ref().is_err_and(StoreError::is_failed_sync);
        self.told(&writer.connection, done)
    }

    /// Rewrites the file, so that no byte of what was erased is left in it. Needs as much free
    /// space again beside it, and as much for a temporary file without a name (of a file that is
    /// encrypted: as much memory); and nobody else reading.
    ///
    /// # Errors
    /// [`StoreError::Locked`] where somebody reads; [`StoreError::DiskFull`]. What is in the store
    /// is as before then.
    pub fn compact(&self, now: Timestamp) -> Result<Compaction, StoreError> {
        if self.0.place == Place::ReadOnlyFile {
            return Err(StoreError::ReadOnly { path: self.0.path.clone() });
        }
        self.catch_up()?;
        let mut writer = self.usable_writer()?;
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let Writer { connection, is_log_suspect, .. } = &mut *writer;
        // What is in memory, or encrypted, is not put aside on a disk as it is.
        let aside = match (self.0.place, self.key()) {
            (Place::File, None) => Aside::File,
            _ => Aside::Memory,
        };
        let done = trust_log(connection, is_log_suspect)
            .and_then(|()| erasure::compact(connection, now, aside));
        *is_log_suspect |= done.as_ref().is_err_and(StoreError::is_failed_sync);
        self.told(connection, done)
    }

    /// All erasures, the first one first: when, how, and whether the file was rewritten since.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn erasures(&self) -> Result<Vec<ErasureRecord>, StoreError> {
        self.read(erasure::all)
    }

    /// Checks the file, and everything derived in it against the facts. Reads all of it.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read at all.
    pub fn check(&self) -> Result<CheckReport, StoreError> {
        // A connection of its own: the search of one that has searched before may look at what the
        // index was then, and find it damaged.
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let report = self.read_under(check::check);
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        report
    }

    /// Brings the full text index up to date. Searching does it too.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be written.
    pub fn catch_up(&self) -> Result<(), StoreError> {
        let mut indexed = 0;
        loop {
            let n = self.write(|tx, _| search::catch_up(tx, search::STEP))?;
            indexed += n;
            if n < search::STEP {
                break;
            }
        }
        if indexed > search::SHORT_STEP {
            while self.write(|tx, _| search::merge(tx))? {}
        }
        Ok(())
    }

    /// The settings as the last write left them, as far as this handle has read since. Nobody waits
    /// for a write that is under way.
    pub(crate) fn known(&self) -> Arc<Settings> {
        Arc::clone(&self.0.known.read().unwrap_or_else(PoisonError::into_inner).settings)
    }

    /// The settings as this snapshot of the file has them: another process may have said something,
    /// or put another policy in force, and another thread may read an older snapshot.
    fn hear(&self, connection: &Connection) -> Result<Arc<Settings>, StoreError> {
        let edition = Edition::of(connection)?;
        let known = {
            let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.heard == Some(edition) {
                return Ok(Arc::clone(&known.settings));
            }
            Arc::clone(&known.settings)
        };
        let mut settings = None;
        if corrections::said(connection)? != known.said {
            let mut newer = Settings::clone(&known);
            (newer.said, newer.assertions) = corrections::in_force(connection)?;
            settings = Some(newer);
        }
        if let Some(policy) = policy::newer(connection, &known.policy)? {
            settings.get_or_insert_with(|| Settings::clone(&known)).policy = policy;
        }
        let settings = settings.map_or(known, Arc::new);
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = Known { settings: Arc::clone(&settings), heard: Some(edition) };
        Ok(settings)
    }

    /// Makes what a write has changed known to those who read.
    fn publish(&self, settings: &Settings) {
        let known = self.known();
        if known.said != settings.said || known.policy != settings.policy {
            let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
            *known = Known { settings: Arc::new(settings.clone()), heard: None };
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer, with a connection of use: what it could not read or decrypt before it may be able
    /// to now.
    /// Refuses a process that is a copy of the one that opened the store. It has none of the locks
    /// by which others know that somebody has the file open: what it wrote would be lost.
    fn expect_own_process(&self) -> Result<(), StoreError> {
        let is_own = self.0.process == std::process::id() || self.0.place == Place::Memory;
        is_own.then_some(()).ok_or_else(|| StoreError::OtherProcess { path: self.0.path.clone() })
    }

    fn usable_writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        self.expect_own_process()?;
        let mut writer = self.writer();
        if self.0.place == Place::ReadOnlyFile {
            self.look_again(&mut writer)?;
        } else {
            self.renew(&mut writer.connection)?;
        }
        Ok(writer)
    }

    /// Refuses a file that has another name by now, or none, and one whose log is gone.
    fn expect_files(&self) -> Result<(), StoreError> {
        if self.0.named.as_ref().is_some_and(|file| !file.is_there()) {
            return Err(StoreError::FileGone { path: self.0.path.clone() });
        }
        if self.0.log.as_ref().is_none_or(FileWatch::is_there) {
            return Ok(());
        }
        Err(StoreError::LogGone { path: self.0.path.clone() })
    }

    /// Runs a write in one transaction: all of it is kept, or nothing.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut Writing<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.0.place == Place::ReadOnlyFile {
            return Err(StoreError::ReadOnly { path: self.0.path.clone() });
        }
        let mut writer = self.usable_writer()?;
        let Writer { connection, dictionary, settings, is_log_suspect, .. } = &mut *writer;
        let mut before = (settings.said, Arc::clone(&settings.assertions));
        let run = || -> Result<T, StoreError> {
            self.expect_files()?;
            trust_log(connection, is_log_suspect)?;
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another process may have said something meanwhile.
            refresh(&tx, settings)?;
            before = (settings.said, Arc::clone(&settings.assertions));
            let changes = tx.total_changes();
            // What is not kept is forgotten, however the work ends.
            let mut names = mem::take(dictionary);
            let done = work(&tx, &mut Writing { dictionary: &mut names, settings })?;
            if tx.total_changes() != changes {
                Edition::end(&tx)?;
            }
            tx.commit()?;
            // Where it is gone, nobody will ever read what was just written.
            self.expect_files()?;
            *dictionary = names;
            Ok(done)
        };
        let done = run();
        *is_log_suspect |= done.as_ref().is_err_and(StoreError::is_failed_sync);
        let done = self.told(connection, done);
        if done.is_err() {
            // Whatever else the file has, the next write hears of.
            (settings.said, settings.assertions) = before;
            if self.renew(connection).is_ok()
                && let Ok(Some(policy)) = policy::newer(connection, &settings.policy)
            {
                settings.policy = policy;
            }
        }
        self.publish(settings);
        done
    }

    /// Runs a write and takes it back.
    fn try_out<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut Writing<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.0.place == Place::ReadOnlyFile {
            return Err(StoreError::ReadOnly { path: self.0.path.clone() });
        }
        let mut writer = self.usable_writer()?;
        let Writer { connection, settings, .. } = &mut *writer;
        let mut before = (settings.said, Arc::clone(&settings.assertions));
        let tried = (|| {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            refresh(&tx, settings)?;
            before = (settings.said, Arc::clone(&settings.assertions));
            let mut names = Dictionary::default();
            let tried = work(&tx, &mut Writing { dictionary: &mut names, settings })?;
            tx.rollback()?;
            Ok(tried)
        })();
        let tried = self.told(connection, tried);
        (settings.said, settings.assertions) = before;
        self.renew(connection)?;
        if let Some(policy) = policy::newer(connection, &settings.policy)? {
            settings.policy = policy;
        }
        self.publish(settings);
        tried
    }

    /// What was done on a connection of this store, and what an error means for its file.
    fn told<T>(
        &self,
        connection: &Connection,
        done: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = encryption::sound(connection, self.key(), &self.0.path, done);
        done.map_err(|error| match error.at(&self.0.path) {
            // It is not the disk.
            failed @ StoreError::DiskFailed { .. } => self.expect_files().err().unwrap_or(failed),
            other => other,
        })
    }

    /// Opens a file that is only read again where the connection is of no use any more, or where it
    /// is read without locks and somebody has written to it.
    fn look_again(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let path = &self.0.file;
        let is_current = writer.unlocked.is_none_or(|stamp| stamp.is_of(path));
        if is_current && encryption::is_of_use(&writer.connection, self.key()) {
            return Ok(());
        }
        self.forget();
        let told = |error: StoreError| error.at(&self.0.path);
        let (fresh, unlocked) = schema::open_read_only(path, self.key()).map_err(told)?;
        // Somebody may have put the store of another tenant there.
        let tenant = writer.settings.tenant.clone();
        let options = StoreOptions { tenant, ..StoreOptions::default() };
        settings(&fresh, Some(options), &self.0.path)?;
        (writer.connection, writer.unlocked) = (fresh, unlocked);
        Ok(())
    }

    /// Opens the connection of the writer again where it is of no use any more, because a page
    /// could not be read or decrypted; the next one who asks may be luckier.
    fn renew(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let (path, key) = (&self.0.file, self.key());
        if encryption::is_of_use(connection, key) {
            return Ok(());
        }
        let fresh = match self.0.place {
            Place::Memory | Place::ReadOnlyFile => return Ok(()),
            Place::File => schema::open_writer(path, key).map(|(fresh, _)| fresh),
        };
        *connection = fresh.map_err(|error| error.at(&self.0.path))?;
        Ok(())
    }

    /// Runs something on the connection of a store in memory, which has no other.
    pub(crate) fn in_memory<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Option<Result<T, StoreError>> {
        (self.0.place == Place::Memory).then(|| work(&self.writer().connection))
    }

    /// Gives the pages of the file, as its log leaves them and decrypted, all of them in memory.
    pub(crate) fn decrypted<T>(&self, work: impl FnOnce(&[u8]) -> T) -> Result<T, StoreError> {
        let mut writer = self.usable_writer()?;
        let pages = writer.connection.serialize("main");
        let done = pages.map(|pages| work(&pages)).map_err(StoreError::from);
        self.told(&writer.connection, done)
    }

    /// Whether two reads may run at the same time.
    pub(crate) fn reads_beside_itself(&self) -> bool {
        self.0.place == Place::File
    }

    /// Runs a read in one snapshot.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read_under(|connection, _| work(connection))
    }

    /// Runs a read in one snapshot, with the settings that are in force in it.
    pub(crate) fn read_under<T>(
        &self,
        work: impl FnOnce(&Connection, &Settings) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let work = |connection: &Connection| {
            let settings = self.hear(connection)?;
            work(connection, &settings)
        };
        if self.0.place != Place::File {
            let writer = self.usable_writer()?;
            let done = in_snapshot(&writer.connection, work);
            if writer.unlocked.is_some_and(|stamp| !stamp.is_of(&self.0.file)) {
                // Somebody wrote to it meanwhile, so what was read may be of before and of after.
                self.forget();
                return Err(StoreError::Locked { path: self.0.path.clone() });
            }
            let done = self.told(&writer.connection, done);
            if done.is_err() && !encryption::is_of_use(&writer.connection, self.key()) {
                // What was remembered of a page may be zeros.
                self.forget();
            }
            return done;
        }
        self.expect_own_process()?;
        let idle = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::open_reader(&self.0.file, self.key())
                .map_err(|error| error.at(&self.0.path))?,
        };
        let done = self.told(&connection, in_snapshot(&connection, work));
        if done.is_err() && !encryption::is_of_use(&connection, self.key()) {
            // What was remembered of a page may be zeros.
            self.forget();
        } else if connection.is_autocommit() {
            self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        done
    }
}

/// After a sync has failed the system may have dropped what was written before it, and says so
/// only once: what is appended behind a gap in the log would be lost in a power loss, however
/// well it was synced. So nothing is appended until all of the log is in the file.
fn trust_log(connection: &Connection, is_suspect: &mut bool) -> Result<(), StoreError> {
    if *is_suspect {
        schema::empty_log(connection)?;
        *is_suspect = false;
    }
    Ok(())
}

fn in_snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // It ends with the work, however that ends.
    let snapshot = connection.unchecked_transaction()?;
    let done = work(&snapshot)?;
    snapshot.commit()?;
    Ok(done)
}

/// The answer, and how many of the links in it only a model has made.
fn answer(
    connection: &Connection,
    settings: &Settings,
    who: &Who,
    options: &ContextOptions,
    history: impl FnOnce(i64) -> Result<Arc<History>, StoreError>,
) -> Result<(Context, Joined), StoreError> {
    let found = read::find(connection, who)?;
    let asked = match who {
        Who::Identifier(identifier) => vec![identifier.clone()],
        Who::Customer(_) => Vec::new(),
    };
    let row = found.chosen().map(read::FoundCustomer::row);
    let history = row.map(history).transpose()?;
    let history = history.as_deref();
    let events = history.map_or(&[][..], |history| &history.events);
    let merges = history.map_or_else(Vec::new, |history| {
        let identifiers = &history.customer.identifiers;
        read::merges(&settings.assertions, &history.bundles, identifiers)
    });
    let is_by_model = |merge: &&MergeFact| matches!(merge.verdict, Verdict::Probable(..));
    let by_model = merges.iter().any(|merge| is_by_model(&merge));
    let by_words = match row {
        Some(row) if !Links::of(options.audience).allow_words() => {
            read::is_joined_by_words(connection, &settings.policy, row)?
        }
        _ => false,
    };
    let mut left_out = history.map(|history| history.left_out.clone()).unwrap_or_default();
    // Whose else it may be is nothing that the customer may learn.
    if found.unattributed > 0 && options.audience != Audience::Customer {
        left_out.insert("unattributed".to_owned(), found.unattributed);
    }
    let one_key = |key: &ConversationKey| {
        history.and_then(|history| history.canonical.get(key)).unwrap_or(key).clone()
    };
    let facts = ContextFacts {
        asked,
        confidence: found.confidence,
        others: read::candidates(&found, row),
        customer: history.map(|history| history.customer.clone()),
        events,
        earlier: history.map_or(&[], |history| &history.earlier),
        words_of_others: history.map_or(&[], |history| &history.of_others),
        conversation_events: history.map_or(&[], |history| &history.further),
        beside: history.map_or(&[], |history| &history.beside),
        canonical: &one_key,
        sources: match history {
            Some(history) => history.sources.clone(),
            None => read::sources(connection)?,
        },
        merges,
        at_most: settings.policy.reported(),
        left_out,
    };
    Ok((context::build(&facts, options), Joined { by_model, by_words }))
}

/// What makes one customer of a customer's records, beside proofs and people's words on who is who.
#[derive(Debug, Clone, Copy)]
struct Joined {
    by_model: bool,
    by_words: bool,
}

impl Joined {
    const fn suits(self, links: Links) -> bool {
        (links.allow_models() || !self.by_model) && (links.allow_words() || !self.by_words)
    }
}

/// Which links count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Links {
    /// All of them.
    All,
    /// None that only a model has made.
    Certain,
    /// None that rests on what somebody only stated: whoever types the number of another would be
    /// told of them.
    Proved,
    /// Neither: a customer is shown nothing that a model, or a word of theirs, takes for theirs.
    Theirs,
}

impl Links {
    const fn of(audience: Audience) -> Self {
        match audience {
            Audience::Agent | Audience::Marketing => Self::All,
            Audience::Model => Self::Proved,
            Audience::Customer => Self::Theirs,
        }
    }

    const fn allow_models(self) -> bool {
        matches!(self, Self::All | Self::Proved)
    }

    const fn allow_words(self) -> bool {
        matches!(self, Self::All | Self::Certain)
    }
}

/// All events of a store in the order of its file.
#[derive(Debug)]
pub struct Events {
    store: Store,
    after: i64,
    /// The last place of the file when the reading began.
    begun: Option<i64>,
    page: std::vec::IntoIter<Event>,
    done: bool,
}

impl Iterator for Events {
    type Item = Result<Event, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(event) = self.page.next() {
            return Some(Ok(event));
        }
        if self.done {
            return None;
        }
        let begun = self.begun;
        let page = self.store.read(|connection| {
            let begun = begun.map_or_else(|| read::last_place(connection), Ok)?;
            Ok((begun, read::scan(connection, self.after, begun, 1_000)?))
        });
        let page = page.map(|(begun, page)| {
            self.begun = Some(begun);
            page
        });
        match page {
            Ok((events, Some(last))) => {
                self.after = last;
                self.page = events.into_iter();
                self.page.next().map(Ok)
            }
            Ok((_, None)) => {
                self.done = true;
                None
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}

/// Reads the settings of a store, or writes them if it is new.
fn settings(
    connection: &Connection,
    options: Option<StoreOptions>,
    path: &Path,
) -> Result<Settings, StoreError> {
    let is_made = || Ok::<_, StoreError>(codec::tenant(connection)?.is_some());
    let (said, assertions) = corrections::in_force(connection)?;
    if let Some((tenant, id_key)) = codec::tenant(connection)? {
        if let Some(options) = &options
            && options.tenant != tenant
        {
            let (found, asked) = (tenant, options.tenant.clone());
            return Err(StoreError::OtherTenant { path: path.to_owned(), found, asked });
        }
        let policy: Vec<u8> = codec::setting(connection, "policy")?.unwrap_or_default();
        let policy = serde_json::from_slice(&policy)
            .map_err(|error| StoreError::malformed("policy", error))?;
        return Ok(Settings { tenant, id_key, policy, assertions, said });
    }
    let is_new: bool = connection.query_row(
        "SELECT NOT EXISTS(SELECT 1 FROM event) AND NOT EXISTS(SELECT 1 FROM issued)",
        [],
        |row| row.get(0),
    )?;
    if !is_new {
        if is_made()? {
            // Another process has made it meanwhile, and taken something in.
            return settings(connection, options, path);
        }
        let detail = "it does not say whose store it is".to_owned();
        return Err(StoreError::Corrupt { path: path.to_owned(), detail });
    }
    let tx = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    if is_made()? {
        // Another process has made it meanwhile.
        drop(tx);
        return settings(connection, options, path);
    }
    let options = options.unwrap_or_default();
    let id_key = options.id_key.unwrap_or_else(|| IdKey::of_tenant(&options.tenant));
    policy::keep(&tx, &options.policy)?;
    let mut put = tx.prepare("INSERT OR REPLACE INTO meta(k, v) VALUES(?1, ?2)")?;
    put.execute(params!["id_key", &id_key.as_bytes()[..]])?;
    put.execute(params!["tenant", options.tenant.as_bytes()])?;
    drop(put);
    tx.commit()?;
    Ok(Settings { tenant: options.tenant, id_key, policy: options.policy, said, assertions })
}

/// Brings the settings up to date with what another process may have written.
fn refresh(tx: &Connection, settings: &mut Settings) -> Result<(), StoreError> {
    if let Some(policy) = policy::newer(tx, &settings.policy)? {
        settings.policy = policy;
    }
    if corrections::said(tx)? != settings.said {
        (settings.said, settings.assertions) = corrections::in_force(tx)?;
    }
    Ok(())
}

/// Why nobody is chosen.
fn nobody(who: &Who, found: &Found) -> StoreError {
    match who {
        Who::Customer(customer) if found.is_erased => StoreError::Gone { customer: *customer },
        _ => StoreError::NobodyMeant,
    }
}
