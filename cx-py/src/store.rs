//! `cx.Store`: open, take in, ask, correct, check, copy.
//!
//! Every call of the store runs without the interpreter lock.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cx_adapters::csv::{self, ColumnMap};
use cx_adapters::{Format, Options, Record};
use cx_core::channel::Channel;
use cx_core::context::{Audience, ContextOptions};
use cx_core::conversation::Conversation;
use cx_core::event::{Body, Direction, Event as CoreEvent, Visibility};
use cx_core::identifier::{Identifier, Who, is_region};
use cx_core::identity::{Assertion, Policy, Subject, Verdict};
use cx_core::ids::{AssertionId, ConversationKey, CustomerId, EventKey, IdError, ObservationId};
use cx_core::journey::{self, Definition};
use cx_core::linkage::Model;
use cx_core::measure::{self, Answer, Ces, Csat, Measured, Nps, Selection};
use cx_core::retention::Retention;
use cx_core::time::Timestamp;
use cx_store::{
    EraseMode, Fit, Lack, OpenOptions, Past, ProposeOptions, Recording, RetainOptions, ScanQuery,
    SearchQuery, StoreError, StoreOptions, TimelineQuery,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString, PyTuple};

use crate::answer::{self, Hit, Transcript};
use crate::context::Context;
use crate::convert::{
    Defaults, Zone, choice, count, texts, timestamp, timestamp_or_now, type_name,
};
use crate::error::BindingError;
use crate::event::Event;
use crate::events::{Events, Pages, Scan};
use crate::explanation::Explanation;
use crate::fields::Fields;
use crate::incoming::Incoming;
use crate::key;
use crate::link::{self, LinkModel};
use crate::progress::Progress;
use crate::report::{CheckReport, IngestReport};
use crate::scan::{self, Scan as Columns};

/// How many records are taken in at once. Each batch is kept as a whole, or not at all.
const BATCH: usize = 10_000;

/// How many events or customers are read at once.
const PAGE: usize = 1_000;

/// With so many bytes of written text a page of a table is full.
const PAGE_TEXT: usize = 64 << 20;

/// The path that means memory.
const MEMORY: &str = ":memory:";

const AUDIENCES: [(&str, Audience); 4] = [
    ("agent", Audience::Agent),
    ("marketing", Audience::Marketing),
    ("customer", Audience::Customer),
    ("model", Audience::Model),
];

/// A measure, and how it is computed.
#[derive(Clone, Copy)]
enum Measure {
    Score(fn(&[Answer], Selection, Timestamp) -> Vec<Measured>),
    Service(fn(&[Conversation], Timestamp) -> Measured),
}

const MEASURES: [(&str, Measure); 6] = [
    (
        "nps",
        Measure::Score(|answers, selection, at| {
            vec![Nps { selection, ..Nps::default() }.of(answers, at)]
        }),
    ),
    ("csat", Measure::Score(Csat::of_each)),
    ("ces", Measure::Score(|answers, selection, at| vec![Ces { selection }.of(answers, at)])),
    ("first_response", Measure::Service(measure::first_response)),
    ("first_resolution", Measure::Service(measure::first_resolution)),
    ("full_resolution", Measure::Service(measure::full_resolution)),
];

const SELECTIONS: [(&str, Selection); 3] =
    [("all", Selection::All), ("latest", Selection::Latest), ("first", Selection::First)];

/// Open the store in a file, and make it if there is none; without a path, in memory.
///
/// As long as it is open, read the file in this process with the store alone (:meth:`Store.scan`,
/// :meth:`Store.events`), or read a backup: Python's ``sqlite3`` and DuckDB bring a SQLite of their
/// own, which does not see the store's locks and takes its log away when it is closed. The store
/// refuses to write then. ``docs/operations.md`` says more.
///
/// Parameters
/// ----------
/// path : str or os.PathLike, optional
///     The file. Without one, or as ``":memory:"``, the store is gone when it is closed.
/// tenant : str, optional
///     Whose store a new one is. Of a store that is there it must be the tenant.
/// read_only : bool, default False
///     Leave the file as it is. It must be there.
/// key : str or bytes, optional
///     The key under which the store is encrypted, or will be where it is made: the text of a key
///     file (64 hexadecimal digits are a raw key, anything else is a passphrase), or the 32 bytes
///     of a raw key. cx must have been built with the feature ``encryption``.
///
/// Returns
/// -------
/// Store
///     Use it as a context manager, or call ``close()``.
///
/// Raises
/// ------
/// ForeignFileError, NewerStoreError, CorruptStoreError
///     The file is none of ours, of a newer version, or damaged. It is not touched.
/// MissingFileError
///     ``read_only`` is asked for and there is no such file.
/// TenantError
///     The file is another tenant's.
/// WrongKeyError, EncryptedStoreError, UnencryptedStoreError, NoEncryptionError
///     The key is another one; there is none, and the file is encrypted; there is one, and the file
///     is not encrypted; this build of cx cannot encrypt. Nothing was written.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> with cx.open("support.cx") as store:
/// ...     print(store)
/// Store('support.cx', customers=0, events=0)
#[pyfunction]
#[pyo3(signature = (path=None, *, tenant=None, read_only=false, key=None))]
pub(crate) fn open(
    py: Python<'_>,
    path: Option<PathBuf>,
    tenant: Option<String>,
    read_only: bool,
    key: Option<&Bound<'_, PyAny>>,
) -> Result<Store, BindingError> {
    let key = key::key(key)?;
    let options = tenant.map(|tenant| StoreOptions { tenant, ..StoreOptions::default() });
    let Some(path) = path.filter(|path| path != Path::new(MEMORY)) else {
        if read_only {
            let problem = "a store in memory is always a new one: give a path";
            return Err(BindingError::argument("read_only", "True", problem));
        }
        if key.is_some() {
            let problem = "a store in memory is not encrypted: give a path";
            return Err(BindingError::argument("key", "a key", problem));
        }
        let store = py.detach(|| cx_store::Store::open_in_memory_with(options.unwrap_or_default()));
        return Ok(Store { handle: Arc::new(Handle::new(store?, None)), read_only });
    };
    let options = OpenOptions::new().key(key).settings(options);
    let store =
        py.detach(|| if read_only { options.open_read_only(&path) } else { options.open(&path) });
    Ok(Store { handle: Arc::new(Handle::new(store?, Some(path))), read_only })
}

/// Opens the store in a file that is there: what a pickled store is read with.
#[pyfunction]
#[pyo3(name = "_reopen")]
pub(crate) fn reopen(
    py: Python<'_>,
    path: PathBuf,
    tenant: String,
    read_only: bool,
) -> Result<Store, BindingError> {
    let settings = StoreOptions { tenant, ..StoreOptions::default() };
    let options = OpenOptions::new().settings(settings);
    let open = || {
        if read_only { options.open_read_only(&path) } else { options.open_existing(&path) }
    };
    let store = py.detach(open)?;
    Ok(Store { handle: Arc::new(Handle::new(store, Some(path))), read_only })
}

/// What tables and iterators share with the store they were made from: it may be closed.
struct Handle {
    store: Mutex<Option<cx_store::Store>>,
    path: Option<PathBuf>,
    /// Where the file is, whatever the current folder becomes.
    absolute: Option<PathBuf>,
    tenant: String,
}

impl Handle {
    fn new(store: cx_store::Store, path: Option<PathBuf>) -> Self {
        let absolute = path.as_ref().and_then(|path| std::path::absolute(path).ok());
        let tenant = store.tenant();
        Self { store: Mutex::new(Some(store)), path, absolute, tenant }
    }

    /// The store, as long as it is open. A call that runs keeps it open until it is done.
    fn store(&self) -> Result<cx_store::Store, BindingError> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner).clone();
        store.ok_or_else(|| BindingError::Closed { path: self.shown_path() })
    }

    fn close(&self) {
        let closed = self.store.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(closed);
    }

    fn shown_path(&self) -> PathBuf {
        self.path.clone().unwrap_or_else(|| MEMORY.into())
    }
}

/// A store of customers' timelines in one file; see :func:`open`.
///
/// Facts go in with :meth:`ingest` and :meth:`import_file`, in any order and any number of times.
/// :meth:`context` gives everything that is known of a customer. Customers are named by what
/// people type: ``"jan@example.nl"``, ``"+31 6 1234 5678"``, a customer id (``"cus_…"``), or a
/// namespace and a value (``"order:shopify:acme:1001"``).
///
/// A store may be used from any thread. The interpreter lock is released while it works.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> with cx.open() as store:
/// ...     report = store.ingest([{
/// ...         "key": "crm/call/1", "kind": "call", "channel": "phone", "direction": "in",
/// ...         "occurred_at": "2026-03-04T10:02:00+01:00", "name": "Jan de Vries",
/// ...         "who": [{"ns": "phone", "value": "+31612345678", "role": "from"}],
/// ...     }], source="crm")
/// ...     print(report.new, store.context("+31 6 1234 5678").customer.name)
/// 1 Jan de Vries
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct Store {
    handle: Arc<Handle>,
    read_only: bool,
}

impl Store {
    /// Runs a call of the store without the interpreter lock.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&cx_store::Store) -> Result<T, StoreError> + Send,
    ) -> Result<T, BindingError> {
        let store = self.handle.store()?;
        // Moved: if it was closed meanwhile, the file is closed without the lock too.
        Ok(py.detach(move || work(&store))?)
    }

    /// Runs a call that is about one customer; where nobody is meant, it is told why.
    fn with_one<T: Send>(
        &self,
        py: Python<'_>,
        typed: &str,
        region: Option<&str>,
        work: impl FnOnce(&cx_store::Store, &Who) -> Result<T, StoreError> + Send,
    ) -> Result<T, BindingError> {
        let who = who("who", typed, region)?;
        let done = self.with(py, |store| work(store, &who));
        let Err(BindingError::Store(StoreError::NobodyMeant)) = done else { return done };
        let found = self.with(py, |store| store.find(&who))?;
        let names = found.customers.iter().map(|customer| customer.id.to_string());
        let why = match found.customers.len() {
            0 if found.is_erased => "the customer who had this id was erased".to_owned(),
            0 | 1 => "nobody is known by it".to_owned(),
            _ => format!("several share it: {}", names.collect::<Vec<_>>().join(", ")),
        };
        Err(BindingError::Nobody { name: typed.to_owned(), why })
    }

    /// Compresses what events say, or undoes it.
    fn repack(
        &self,
        py: Python<'_>,
        compact: bool,
        work: fn(&cx_store::Store) -> Result<cx_store::Compression, StoreError>,
    ) -> Result<Fields, BindingError> {
        let now = timestamp_or_now("at", None)?;
        let done = self.with(py, |store| {
            let done = work(store)?;
            Ok((done, if compact { store.compact(now).err() } else { None }))
        })?;
        done_for_good(py, &done.0, done.1)
    }

    /// Which observation or identifier an assertion is about.
    fn subject(
        &self,
        py: Python<'_>,
        argument: &'static str,
        given: &Bound<'_, PyAny>,
        region: Option<&str>,
    ) -> Result<Subject, BindingError> {
        if let Ok(event) = given.cast::<Event>() {
            return Ok(Subject::Observation(self.observation(py, &event.get().inner().key)?));
        }
        let Ok(typed) = given.extract::<String>() else {
            let problem = "not text, nor an event";
            return Err(BindingError::argument(argument, type_name(given), problem));
        };
        if let Ok(observation) = typed.trim().parse() {
            return Ok(Subject::Observation(observation));
        }
        match who(argument, &typed, region)? {
            Who::Identifier(identifier) => Ok(Subject::Identifier(identifier)),
            customer @ Who::Customer(_) => {
                let anchor = self.with(py, |store| store.anchor(&customer))?;
                anchor
                    .map(Subject::Observation)
                    .ok_or(BindingError::NotFound { name: typed, place: "store" })
            }
        }
    }

    fn observation(&self, py: Python<'_>, key: &EventKey) -> Result<ObservationId, BindingError> {
        self.with(py, |store| Ok(ObservationId::of(&store.tenant(), key)))
    }

    /// Records what somebody says.
    fn say(
        &self,
        py: Python<'_>,
        verdict: Verdict,
        said: Said<'_, '_>,
    ) -> Result<String, BindingError> {
        let recorded_at = timestamp_or_now("at", None)?;
        let at = timestamp("at", said.at)?.unwrap_or(recorded_at);
        is_somebody(said.by)?;
        let (by, reason) = (said.by.to_owned(), said.reason.map(str::to_owned));
        let assertion = Assertion { verdict, by, reason, at };
        let asserted = self.with(py, |store| store.assert(&assertion, recorded_at))?;
        let id = asserted.id.to_string();
        for conflict in &asserted.conflicts {
            let against = conflict.against.map(|id| format!(" ({id})")).unwrap_or_default();
            let text =
                format!("{} does not hold: {}{against}", conflict.assertion, conflict.because);
            warn(py, &format!("{id} is recorded; {text}"), &id)?;
        }
        Ok(id)
    }

    /// An identifier that something may be said of: one that an event carries, or can carry.
    fn identifier(
        &self,
        py: Python<'_>,
        argument: &'static str,
        typed: &str,
        region: Option<&str>,
    ) -> Result<Identifier, BindingError> {
        let who = who(argument, typed, region)?;
        let Who::Identifier(identifier) = &who else {
            let problem = "a customer, where an identifier is meant";
            return Err(BindingError::argument(argument, typed, problem));
        };
        if let Some(lack) = Lack::of(identifier) {
            let found = self.with(py, |store| store.find(&who))?;
            if found.customers.is_empty() && !found.is_hub && found.unattributed == 0 {
                return Err(BindingError::argument(argument, typed, lack.to_string()));
            }
        }
        Ok(identifier.clone())
    }

    /// The two sides of an assertion, which are not one and the same.
    fn two_sides(
        &self,
        py: Python<'_>,
        a: &Bound<'_, PyAny>,
        b: &Bound<'_, PyAny>,
        region: Option<&str>,
    ) -> Result<(Subject, Subject), BindingError> {
        let (left, right) = (self.subject(py, "a", a, region)?, self.subject(py, "b", b, region)?);
        if left == right {
            let problem = format!("the same as a: both are {left}");
            return Err(BindingError::argument("b", b.to_string(), problem));
        }
        Ok((left, right))
    }

    /// The records that two sides mean today: whoever else turns up with an identifier later is not
    /// meant. Two identifiers that are on one record mean whoever comes to have them.
    fn two_meant(
        &self,
        py: Python<'_>,
        a: Subject,
        b: Subject,
    ) -> Result<(Subject, Subject), BindingError> {
        let record = |argument: &'static str, side: &Subject| match side {
            Subject::Identifier(identifier) => {
                let who = Who::Identifier(identifier.clone());
                match self.meant(py, argument, identifier, false)? {
                    None if self.with(py, |store| store.find(&who))?.customers.is_empty() => {
                        Err(nobody(side))
                    }
                    meant => Ok(meant),
                }
            }
            Subject::Observation(observation) => Ok(Some(*observation)),
        };
        let (left, right) = (record("a", &a)?, record("b", &b)?);
        if left == right {
            return Ok((a, b));
        }
        let meant = |record: Option<ObservationId>, side| record.map_or(side, Subject::Observation);
        Ok((meant(left, a), meant(right, b)))
    }

    /// The record of whoever holds an identifier, if somebody does. Of several holders nobody is
    /// chosen, and of a role's mailbox whoever writes next, unless that is as well.
    fn meant(
        &self,
        py: Python<'_>,
        argument: &'static str,
        identifier: &Identifier,
        may_be_hub: bool,
    ) -> Result<Option<ObservationId>, BindingError> {
        let who = Who::Identifier(identifier.clone());
        let found = self.with(py, |store| store.find(&who))?;
        let problem = match found.customers.len() {
            0 | 1 if found.is_hub && !may_be_hub => {
                "it links nobody, and anybody may use it: name a customer"
            }
            2.. if found.chosen().is_none() => "several customers use it: name one of them",
            _ => return self.with(py, |store| store.meant(&who)),
        };
        Err(BindingError::argument(argument, identifier.to_string(), problem))
    }
}

/// Who says something, why, and when.
#[derive(Clone, Copy)]
struct Said<'a, 'py> {
    by: &'a str,
    reason: Option<&'a str>,
    at: Option<&'a Bound<'py, PyAny>>,
}

#[pymethods]
#[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
impl Store {
    /// The file; ``None`` for a store in memory.
    #[getter]
    fn path(&self) -> Option<&Path> {
        self.handle.path.as_deref()
    }

    /// Whose store it is; empty for the only tenant there is.
    #[getter]
    fn tenant(&self, py: Python<'_>) -> Result<String, BindingError> {
        self.with(py, |store| Ok(store.tenant()))
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.handle.store().is_err()
    }

    /// Close the store; closing twice is closing once.
    ///
    /// Calls that run in other threads go on: the file is closed when the last of them is done.
    /// Tables that are being read end with a :class:`StoreClosedError`.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.handle.close());
    }

    fn __enter__(slf: Py<Self>) -> Result<Py<Self>, BindingError> {
        slf.get().handle.store()?;
        Ok(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) {
        self.close(py);
    }

    fn __repr__(&self, py: Python<'_>) -> Result<String, BindingError> {
        let path = self.handle.shown_path();
        let path = PyString::new(py, &path.to_string_lossy()).repr()?;
        if self.closed() {
            return Ok(format!("Store({path}, closed)"));
        }
        let (customers, events) = self.with(py, cx_store::Store::counts)?;
        let read_only = if self.read_only { ", read_only=True" } else { "" };
        Ok(format!("Store({path}, customers={customers}, events={events}{read_only})"))
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let Some(path) = &self.handle.absolute else {
            let why = "a store in memory lives in this process only: open one in a file";
            return Err(PyTypeError::new_err(why));
        };
        // Not `open`, which would make an empty store where the file is no longer there.
        let reopen = py.import("cxcontext._native")?.getattr("_reopen")?;
        let told = (path, &self.handle.tenant, self.read_only);
        Ok((reopen, told.into_pyobject(py)?))
    }

    /// How many customers and events there are: ``customers``, ``events``.
    ///
    /// Of a record with several revisions one counts.
    fn counts(&self, py: Python<'_>) -> Result<Fields, BindingError> {
        let (customers, events) = self.with(py, cx_store::Store::counts)?;
        Ok(Fields::from_json(serde_json::json!({"customers": customers, "events": events})))
    }

    /// Take in events: dicts of the canonical form, :class:`Event` objects, or a table.
    ///
    /// Events may come in any order and any number of times; the outcome is the same. Every
    /// 10,000 records are written as one batch, which is kept as a whole or not at all; of a table
    /// a batch has no more than that either.
    ///
    /// Parameters
    /// ----------
    /// events : Iterable[Mapping[str, object]], or Arrow stream
    ///     Records, or anything that has ``__arrow_c_stream__`` (polars, pandas, pyarrow, DuckDB)
    ///     with the columns of ``Events.columns``; ``key``, ``kind`` and ``occurred_at`` must be
    ///     there. Text may be of any string type or categorical, instants of any unit. What a table
    ///     that cx did not write leaves out is taken as from a table in a file (``docs/import.md``):
    ///     names and words in any case, identifiers and fields of the kind in columns of their own
    ///     (``loyalty``, ``data.duration_s``), the actor ``customer`` where ``direction`` is
    ///     ``in`` and ``agent`` where it is ``out``. A key that is no whole one is one within its
    ///     source: ``17`` of ``source="crm:acme"`` is ``crm:acme/row/17``, and a conversation
    ///     ``42`` is ``crm:acme/conversation/42``. All other columns are kept in ``extra``, as is
    ///     what identifies nobody (``n/a``, ``noreply@…``). A table or a scan that cx wrote is read
    ///     to the letter. Dicts say everything themselves, as lines of JSON do, and their keys stay
    ///     as they are; where the first has columns of tables instead (``email``, ``text``,
    ///     ``actor`` as a text), all are read as rows of a table.
    /// recorded_at : datetime or str, optional
    ///     When the facts are recorded. Now, if left out.
    /// adapter : str, default "python"
    ///     What made the events.
    /// tz : str, zoneinfo.ZoneInfo or datetime.timezone, optional
    ///     The zone of times that carry none: a name, or an offset such as ``"+01:00"``. Without it
    ///     such a time is refused.
    /// source : str, optional
    ///     The source of records that name none: ``"crm"`` or ``"crm:acme"``.
    /// region : str, optional
    ///     The region, such as ``"NL"``, of numbers in the column ``phone`` of a table that have no
    ///     country code. Without one they are kept and link nobody.
    /// errors : {"report", "raise"}, default "report"
    ///     Whether a record that is no event is counted and told in the report, or ends the
    ///     import with an :class:`InvalidEventError`; earlier batches stay.
    /// progress : bool or Callable[[int, int | None], object], optional
    ///     ``True`` shows a bar of tqdm. A callable is called after every batch with how many
    ///     records were read, and how many there are, if that is known.
    ///
    /// Returns
    /// -------
    /// IngestReport
    ///     How many records were new, duplicate, revised, in conflict and rejected.
    ///
    /// Examples
    /// --------
    /// >>> import cxcontext as cx
    /// >>> visit = {"key": "till/1", "kind": "custom.visit", "occurred_at": "2026-03-04T10:02:00"}
    /// >>> store = cx.open()
    /// >>> store.ingest([visit], source="till").problems[0]
    /// 'row 0: occurred_at: a time without a zone names no instant: ...'
    /// >>> store.ingest([visit], source="till", tz="Europe/Amsterdam")
    /// IngestReport(new=1, duplicate=0, revised=0, conflict=0, rejected=0)
    #[pyo3(signature = (
        events, *, recorded_at=None, adapter="python", tz=None, source=None, region=None,
        errors="report", progress=None,
    ))]
    fn ingest(
        &self,
        py: Python<'_>,
        events: &Bound<'_, PyAny>,
        recorded_at: Option<&Bound<'_, PyAny>>,
        adapter: &str,
        tz: Option<&Bound<'_, PyAny>>,
        source: Option<&str>,
        region: Option<&str>,
        errors: &str,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> Result<IngestReport, BindingError> {
        let recording = Recording::new(timestamp_or_now("recorded_at", recorded_at)?, adapter);
        let on_error = choice("errors", errors, &ON_ERROR)?;
        let defaults = Defaults::new(Zone::from_python(tz)?, source)?;
        let defaults = defaults.with_region(self::region(region)?);
        let progress = Progress::from_python(py, progress, || length(events))?;
        self.handle.store()?;
        let mut incoming = Incoming::from_python(events, defaults)?;
        let mut report = cx_store::IngestReport::default();
        while let Some(batch) = incoming.next_batch(py, BATCH) {
            let mut events = Vec::new();
            for event in batch? {
                match (event, on_error) {
                    (Ok(event), _) => events.push(event),
                    (Err(problem), OnError::Report) => report.reject(problem),
                    (Err(problem), OnError::Raise) => return Err(problem.into()),
                }
            }
            report.add(self.with(py, |store| store.ingest(&recording, events))?);
            progress.tell(py, report.total())?;
        }
        self.with(py, cx_store::Store::catch_up)?;
        progress.close(py)?;
        Ok(IngestReport::new(report, incoming.unmapped()))
    }

    /// Take in a file of another system's records.
    ///
    /// Parameters
    /// ----------
    /// path : str or os.PathLike
    ///     The file.
    /// source : str
    ///     Whose records they are: ``"zendesk"``, ``"chatwoot"``, ``"mail"``, ``"twilio"``,
    ///     ``"shopify"``, ``"sendgrid"``, ``"jsonl"`` (cx's own events) or ``"csv"``.
    /// instance : str, optional
    ///     The account or shop they come from; all mailboxes of one business are one.
    /// region : str, optional
    ///     The region, such as ``"NL"``, of telephone numbers without a country code. Without
    ///     one they are kept and link nobody.
    /// own : str or Iterable[str], optional
    ///     The business's own domains and addresses: nobody's identifiers.
    /// own_numbers : str or Iterable[str], optional
    ///     The business's own telephone numbers.
    /// columns : Mapping[str, str], optional
    ///     Of a table (``source="csv"``): what it calls cx's columns, as in
    ///     ``{"occurred_at": "Date", "email": "E-mail"}``. ``docs/import.md`` lists them.
    /// constants : Mapping[str, str], optional
    ///     Of a table: what is the same in all rows, as in ``{"kind": "call"}``, and ``zone``,
    ///     ``time_format`` and ``delimiter``.
    /// received_at : datetime or str, optional
    ///     The instant of records that carry none. ``recorded_at``, if left out.
    /// recorded_at : datetime or str, optional
    ///     When the facts are recorded. Now, if left out.
    /// errors : {"report", "raise"}, default "report"
    ///     As of :meth:`ingest`; what stands before the record in the file stays.
    /// progress : bool or Callable[[int, int | None], object], optional
    ///     As of :meth:`ingest`.
    ///
    /// Returns
    /// -------
    /// IngestReport
    ///     Records that could not become events are counted, and told with their places.
    ///
    /// Raises
    /// ------
    /// MissingFileError
    ///     There is no such file.
    #[pyo3(signature = (
        path, *, source, instance="", region=None, own=None, own_numbers=None, columns=None,
        constants=None, received_at=None, recorded_at=None, errors="report", progress=None,
    ))]
    fn import_file(
        &self,
        py: Python<'_>,
        path: PathBuf,
        source: &str,
        instance: &str,
        region: Option<&str>,
        own: Option<&Bound<'_, PyAny>>,
        own_numbers: Option<&Bound<'_, PyAny>>,
        columns: Option<&Bound<'_, PyAny>>,
        constants: Option<&Bound<'_, PyAny>>,
        received_at: Option<&Bound<'_, PyAny>>,
        recorded_at: Option<&Bound<'_, PyAny>>,
        errors: &str,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> Result<IngestReport, BindingError> {
        let on_error = choice("errors", errors, &ON_ERROR)?;
        let format: Format = choice(
            "source",
            source,
            &Format::ALL.iter().map(|format| (format.name(), *format)).collect::<Vec<_>>(),
        )?;
        let mut options = Options::of(instance);
        options.region = self::region(region)?;
        options.own = texts("own", own)?;
        if let Some(own) = options.own.iter().find(|own| !Options::may_be_own(own)) {
            let problem = "no domain and no address: one is shop.example, or help@shop.example";
            return Err(BindingError::argument("own", own, problem));
        }
        options.own_numbers = texts("own_numbers", own_numbers)?;
        let may_be =
            |number: &&String| Options::may_be_own_number(number, options.region.as_deref());
        if let Some(number) = options.own_numbers.iter().find(|number| !may_be(number)) {
            let problem = "no telephone number; without a country code it needs region=";
            return Err(BindingError::argument("own_numbers", number, problem));
        }
        let recorded_at = timestamp_or_now("recorded_at", recorded_at)?;
        options.received_at = timestamp("received_at", received_at)?.or(Some(recorded_at));
        let recording = Recording::new(recorded_at, format.name());
        let columns = column_map(format, columns, constants)?;
        let import = Import { format, columns, options, recording, on_error };
        let progress = Progress::from_python(py, progress, || Ok(None))?;
        let told = &progress;
        let (report, unmapped) = py.detach(move || {
            let report = self.import(&path, &import, told)?;
            Ok::<_, BindingError>((report, unmapped(&path, &import)))
        })?;
        progress.close(py)?;
        Ok(IngestReport::new(report, unmapped))
    }

    /// Everything that is known of one customer.
    ///
    /// Who nobody knows gets an answer too: one that says so. Where several customers share what
    /// was asked for, none is chosen, and all are named in ``context.match.others``.
    ///
    /// Parameters
    /// ----------
    /// who : str
    ///     An address, a number, a customer id, or ``NAMESPACE:VALUE``.
    /// as_of : datetime or str, optional
    ///     The instant of the answer: nothing later is in it. Now, if left out.
    /// known_at : datetime or str, optional
    ///     Only what had been recorded by this instant, in the revision that was known then.
    /// audience : {"agent", "marketing", "customer", "model"}, default "agent"
    ///     For whom it is. Internal notes are for agents; for models identifiers are masked.
    /// items : int, default 10
    ///     How many contacts, mails, orders and ratings there are at most, each.
    /// characters : int, default 280
    ///     How many characters of a text there are at most.
    /// region : str, optional
    ///     The region of a number without a country code.
    #[pyo3(signature = (
        who, *, as_of=None, known_at=None, audience="agent", items=10, characters=280, region=None,
    ))]
    fn context(
        &self,
        py: Python<'_>,
        who: &str,
        as_of: Option<&Bound<'_, PyAny>>,
        known_at: Option<&Bound<'_, PyAny>>,
        audience: &str,
        items: i64,
        characters: i64,
        region: Option<&str>,
    ) -> Result<Context, BindingError> {
        let (items, characters) = (count("items", items)?, count("characters", characters)?);
        let who = self::who("who", who, region)?;
        let known_at = timestamp("known_at", known_at)?;
        let mut options = ContextOptions::at(timestamp_or_now("as_of", as_of)?).items(items);
        options.audience = choice("audience", audience, &AUDIENCES)?;
        options.characters = characters;
        options.known_at = known_at;
        Ok(Context::new(self.with(py, |store| store.context(&who, &options))?))
    }

    /// Who holds an identifier, or whom an id that was once issued means today.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     ``customers`` (``id``, ``name``, ``links``, ``n_events``; surest first),
    ///     ``confidence``, ``is_hub``, ``unattributed``, ``is_erased`` (whether it is the id of a
    ///     customer who was erased).
    #[pyo3(signature = (who, *, region=None))]
    fn find(
        &self,
        py: Python<'_>,
        who: &str,
        region: Option<&str>,
    ) -> Result<Fields, BindingError> {
        let who = self::who("who", who, region)?;
        let found = self.with(py, |store| store.find(&who))?;
        Ok(Fields::from_json(answer::found_json(&found)))
    }

    /// A customer's events in order, read page by page; none where nobody, or several, are meant.
    ///
    /// Parameters
    /// ----------
    /// who : str
    ///     An address, a number, a customer id, or ``NAMESPACE:VALUE``.
    /// since, until : datetime or str, optional
    ///     Nothing before, and nothing after, that instant.
    /// channel, kind : str or Iterable[str], optional
    ///     Only these; at least one, if any. The kind ``"mail"`` means all kinds of mail.
    /// direction : {"in", "out", "none"}, optional
    ///     Only what went this way.
    /// visibility : {"public", "internal"}, optional
    ///     Only what is visible to these.
    /// order : {"oldest", "newest"}, default "oldest"
    ///     Which end comes first.
    /// limit : int, optional
    ///     At most that many.
    /// region : str, optional
    ///     The region of a number without a country code.
    ///
    /// Returns
    /// -------
    /// Events
    ///     A table, and an iterable of :class:`Event`.
    #[pyo3(signature = (
        who, *, since=None, until=None, channel=None, kind=None, direction=None, visibility=None,
        order="oldest", limit=None, region=None,
    ))]
    fn timeline(
        &self,
        who: &str,
        since: Option<&Bound<'_, PyAny>>,
        until: Option<&Bound<'_, PyAny>>,
        channel: Option<&Bound<'_, PyAny>>,
        kind: Option<&Bound<'_, PyAny>>,
        direction: Option<&str>,
        visibility: Option<&str>,
        order: &str,
        limit: Option<i64>,
        region: Option<&str>,
    ) -> Result<Events, BindingError> {
        let limit = limit.map(|limit| count("limit", limit)).transpose()?;
        let asked = who.to_owned();
        let who = self::who("who", who, region)?;
        let mut query = TimelineQuery::new().limit(PAGE);
        if let Some(since) = timestamp("since", since)? {
            query = query.since(since);
        }
        if let Some(until) = timestamp("until", until)? {
            query = query.until(until);
        }
        for channel in filter("channel", channel)? {
            query = query.channel(Channel::from_name(&channel));
        }
        for kind in filter("kind", kind)? {
            query = query.kind(kind);
        }
        if let Some(direction) = direction {
            let known = [("in", Direction::In), ("out", Direction::Out), ("none", Direction::None)];
            query = query.direction(choice("direction", direction, &known)?);
        }
        if let Some(visibility) = visibility {
            let known = [("public", Visibility::Public), ("internal", Visibility::Internal)];
            query = query.visibility(choice("visibility", visibility, &known)?);
        }
        let known = [("oldest", Newest::Last), ("newest", Newest::First)];
        if choice("order", order, &known)? == Newest::First {
            query = query.newest_first();
        }
        self.handle.store()?;
        let handle = Arc::clone(&self.handle);
        Ok(Events::of(Timeline { handle, who, query, limit, asked }))
    }

    /// All events, batch by batch in the order in which they were first recorded; those that came in
    /// one batch in no order that says anything. Their own order is ``occurred_at``, ``seq``,
    /// ``key``.
    ///
    /// Returns
    /// -------
    /// Events
    ///     A table with the columns of ``Events.columns``, read page by page; each reading is a
    ///     fresh one. Records that are new since a reading began are not in it; an event that is
    ///     revised meanwhile may be in it twice, as it was and as it is. Taken in again it is
    ///     nothing but duplicates.
    ///
    /// Examples
    /// --------
    /// >>> import cxcontext as cx
    /// >>> len(cx.open().events())
    /// 0
    fn events(&self) -> Result<Events, BindingError> {
        self.handle.store()?;
        Ok(Events::of(AllEvents { handle: Arc::clone(&self.handle) }))
    }

    /// Columns of all events, as they stand in the file: for analysis of millions of events.
    ///
    /// Nothing is decoded, and only what is asked for is read, so that this costs a tenth of
    /// :meth:`events`. The rows are in the same order.
    ///
    /// Parameters
    /// ----------
    /// columns : str or Iterable[str], optional
    ///     Which columns, in this order; all of them, if left out:
    ///
    ///     =============== ================================ ========================================
    ///     name            Arrow type                       what stands in it
    ///     =============== ================================ ========================================
    ///     `key`           `string`                         the event's key
    ///     `occurred_at`   `timestamp[us, UTC]`             when it happened
    ///     `kind`          `dictionary<int32, string>`      what it is, such as ``"message"``
    ///     `channel`       `dictionary<int32, string>`      where, such as ``"email"``
    ///     `direction`     `dictionary<int32, string>`      ``"in"``, ``"out"`` or ``"none"``
    ///     `visibility`    `dictionary<int32, string>`      ``"public"`` or ``"internal"``
    ///     `source`        `dictionary<int32, string>`      who said so, such as ``"zendesk:acme"``
    ///     `conversation`  `string`, may be null            the key of the conversation
    ///     `customer`      `string`, may be null            whose it is: the customer's id of today
    ///     `rev`           `string`, may be null            which revision of the record it is
    ///     `json`          `string`                         the whole event
    ///     =============== ================================ ========================================
    /// since, until : datetime or str, optional
    ///     Nothing before, nothing after. All events are read all the same.
    ///
    /// Returns
    /// -------
    /// Scan
    ///     A table that is read batch by batch, each from a fresh snapshot: however long that
    ///     takes, it holds up nobody. Each reading is a fresh one. Records that are new since a
    ///     reading began are not in it; an event that is revised meanwhile may stand in it twice,
    ///     as it was and as it is.
    ///
    /// Raises
    /// ------
    /// InvalidArgumentError
    ///     There is no such column.
    ///
    /// Examples
    /// --------
    /// >>> import cxcontext as cx
    /// >>> store = cx.open()
    /// >>> _ = store.ingest([{
    /// ...     "key": "crm/call/1", "kind": "call", "channel": "phone", "direction": "in",
    /// ...     "occurred_at": "2026-03-04T10:02:00Z",
    /// ...     "who": [{"ns": "phone", "value": "+31612345678", "role": "from"}],
    /// ... }], source="crm")
    /// >>> store.scan(columns=("key", "kind", "source")).to_dicts()
    /// [{'key': 'crm/call/1', 'kind': 'call', 'source': 'crm'}]
    #[pyo3(signature = (columns=None, *, since=None, until=None))]
    fn scan(
        &self,
        columns: Option<&Bound<'_, PyAny>>,
        since: Option<&Bound<'_, PyAny>>,
        until: Option<&Bound<'_, PyAny>>,
    ) -> Result<Columns, BindingError> {
        let mut query = ScanQuery::new().columns(scan::columns(columns)?);
        if let Some(since) = timestamp("since", since)? {
            query = query.since(since);
        }
        if let Some(until) = timestamp("until", until)? {
            query = query.until(until);
        }
        self.handle.store()?;
        let shown = self.handle.shown_path().display().to_string();
        let handle = Arc::clone(&self.handle);
        Ok(Columns::new(move || handle.store(), query, shown))
    }

    /// One event by its key, as it is shown today.
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     There is no such event.
    fn event(&self, py: Python<'_>, key: &str) -> Result<Event, BindingError> {
        let asked = event_key("key", key)?;
        let event = self.with(py, |store| store.event(&asked))?;
        event
            .map(Event::new)
            .ok_or_else(|| BindingError::NotFound { name: key.to_owned(), place: "store" })
    }

    /// A conversation by any of its keys, with all that was said in it.
    ///
    /// Parameters
    /// ----------
    /// key : str
    ///     Any of its keys.
    /// as_of : datetime or str, optional
    ///     The instant by which promises that are not kept are ``breached``; nothing that was
    ///     said later is left out. Now, if left out.
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     There is no such conversation.
    #[pyo3(signature = (key, *, as_of=None))]
    fn conversation(
        &self,
        py: Python<'_>,
        key: &str,
        as_of: Option<&Bound<'_, PyAny>>,
    ) -> Result<Transcript, BindingError> {
        let asked = ConversationKey::new(key).map_err(|error| malformed_id("key", key, &error))?;
        let as_of = timestamp_or_now("as_of", as_of)?;
        match self.with(py, |store| store.conversation(&asked))? {
            Some(transcript) => Ok(Transcript::new(py, transcript, as_of)?),
            None => Err(BindingError::NotFound { name: key.to_owned(), place: "store" }),
        }
    }

    /// Where these words were written, best first.
    ///
    /// Parameters
    /// ----------
    /// text : str
    ///     All these words must be there; a ``*`` behind a word stands for any ending. Accents
    ///     and case do not matter.
    /// who : str, optional
    ///     Only what belongs to this customer.
    /// audience : {"agent", "marketing", "customer", "model"}, default "agent"
    ///     Who will see it. Internal notes are found for agents alone, and for others than agents an
    ///     event says no more than what it is and what was said. For a customer ``who`` is asked for.
    /// since, until : datetime or str, optional
    ///     Nothing before, and nothing after, that instant.
    /// limit : int, default 20
    ///     At most that many.
    /// region : str, optional
    ///     The region of a number without a country code.
    #[pyo3(signature = (
        text, *, who=None, audience="agent", since=None, until=None, limit=20, region=None,
    ))]
    fn search(
        &self,
        py: Python<'_>,
        text: &str,
        who: Option<&str>,
        audience: &str,
        since: Option<&Bound<'_, PyAny>>,
        until: Option<&Bound<'_, PyAny>>,
        limit: i64,
        region: Option<&str>,
    ) -> Result<Vec<Hit>, BindingError> {
        let limit = count("limit", limit)?;
        let who = who.map(|who| self::who("who", who, region)).transpose()?;
        let for_whom = choice("audience", audience, &AUDIENCES)?;
        if for_whom == Audience::Customer && who.is_none() {
            let problem = "for a customer only what is theirs is found: tell who";
            return Err(BindingError::argument("audience", audience, problem));
        }
        let mut query = SearchQuery::new(text).audience(for_whom).limit(limit);
        if let Some(since) = timestamp("since", since)? {
            query = query.since(since);
        }
        if let Some(until) = timestamp("until", until)? {
            query = query.until(until);
        }
        let hits = self.with(py, |store| match &who {
            Some(who) => store.search_of(who, &query),
            None => store.search(&query),
        })?;
        Ok(hits.into_iter().map(|hit| Hit::new(py, hit)).collect::<PyResult<_>>()?)
    }

    /// All matters on all channels in which somebody has to act.
    ///
    /// Those that wait for us come first, and of these the one that is due, or has waited,
    /// longest.
    ///
    /// Parameters
    /// ----------
    /// as_of : datetime or str, optional
    ///     The instant of asking. Now, if left out.
    /// limit : int, optional
    ///     At most so many, the first ones; only these are read. All, if left out.
    ///
    /// Returns
    /// -------
    /// list[Fields]
    ///     With ``customer``, ``conversation``, ``subject``, ``state``, ``waiting_on``,
    ///     ``waiting_since``, ``assignee``, ``due``, ``last`` and more.
    #[pyo3(signature = (*, as_of=None, limit=None))]
    fn who_is_waiting(
        &self,
        py: Python<'_>,
        as_of: Option<&Bound<'_, PyAny>>,
        limit: Option<i64>,
    ) -> Result<Vec<Fields>, BindingError> {
        let limit = limit.map(|limit| count("limit", limit)).transpose()?;
        let as_of = timestamp_or_now("as_of", as_of)?;
        let waiting =
            self.with(py, |store| store.first_waiting(as_of, limit.unwrap_or(usize::MAX)))?;
        let matter = |waiting| Fields::from_json(answer::waiting_json(waiting, as_of));
        Ok(waiting.iter().map(matter).collect())
    }

    /// The ids of all customers, in order, read page by page.
    fn customers(&self) -> Result<CustomerIterator, BindingError> {
        self.handle.store()?;
        let handle = Arc::clone(&self.handle);
        let (page, last) = (Vec::new().into_iter(), None);
        Ok(CustomerIterator { handle, reading: Mutex::new(Reading { page, last }) })
    }

    /// Where a customer is on the way to a goal: of each journey that was begun, how it went the
    /// last time. All times stand in what the command ``cx journey`` tells.
    ///
    /// All events of the customer are read, also those that :meth:`context` leaves out.
    ///
    /// Parameters
    /// ----------
    /// who : str
    ///     An address, a number, a customer id, or ``NAMESPACE:VALUE``.
    /// definition : str, optional
    ///     A definition of your own: TOML or JSON. Those that come with cx, if left out. See
    ///     ``docs/journeys.md``.
    /// as_of : datetime or str, optional
    ///     The instant of asking: the customer is who was known then. Now, if left out.
    /// region : str, optional
    ///     The region of a number without a country code.
    ///
    /// Returns
    /// -------
    /// list[Fields]
    ///     With ``definition``, ``key``, ``outcome``, ``phase``, ``started``, ``ended``,
    ///     ``channels`` and more, as in the journeys of :meth:`context`.
    #[pyo3(signature = (who, *, definition=None, as_of=None, region=None))]
    fn journeys(
        &self,
        py: Python<'_>,
        who: &str,
        definition: Option<&str>,
        as_of: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<Vec<Fields>, BindingError> {
        let who = self::who("who", who, region)?;
        // Who was who then is known of what had happened by then.
        let past = timestamp("as_of", as_of)?.map(|as_of| Past::today().as_of(as_of));
        let as_of = timestamp_or_now("as_of", as_of)?;
        let own = definition.map(Definition::from_text).transpose().map_err(|error| {
            BindingError::argument("definition", definition.unwrap_or_default(), error.to_string())
        })?;
        let (events, beside) = self.with(py, |store| {
            let view = past.map(|past| store.view(std::slice::from_ref(&who), past)).transpose()?;
            let store = view.as_ref().unwrap_or(store);
            let events = store.whole_timeline(&who)?;
            let beside = store.beside(&events)?;
            Ok((events, beside))
        })?;
        let journeys = py.detach(|| {
            let events: Vec<&CoreEvent> = events.iter().collect();
            let beside: Vec<&CoreEvent> = beside.iter().collect();
            match &own {
                Some(own) => journey::summaries_of(own, &events, &beside, as_of),
                None => journey::summaries(&events, &beside, as_of),
            }
        });
        let journeys = journeys.iter().filter_map(|journey| serde_json::to_value(journey).ok());
        Ok(journeys.map(Fields::from_json).collect())
    }

    /// A measure over all customers, as the command ``cx measure`` tells it. ``docs/measures.md``
    /// says how each is computed.
    ///
    /// Parameters
    /// ----------
    /// measure : str
    ///     ``"nps"``, ``"csat"``, ``"ces"``, ``"first_response"``, ``"first_resolution"`` or
    ///     ``"full_resolution"``.
    /// answers : str, default "all"
    ///     Which of a customer's answers count: ``"all"``, ``"latest"`` or ``"first"``.
    /// as_of : datetime or str, optional
    ///     As things stood at this instant. Now, if left out.
    ///
    /// Returns
    /// -------
    /// list[Fields]
    ///     One result; of ``"csat"`` one for each scale on which it was asked. With ``value``,
    ///     ``n``, ``definition``, ``parameters``, ``parts``, ``counts`` and ``excluded``; times are
    ///     in seconds.
    ///
    /// Examples
    /// --------
    /// >>> import cxcontext as cx
    /// >>> [nps] = cx.open().measure("nps")
    /// >>> nps.n, nps.value
    /// (0, None)
    #[pyo3(signature = (measure, *, answers="all", as_of=None))]
    fn measure(
        &self,
        py: Python<'_>,
        measure: &str,
        answers: &str,
        as_of: Option<&Bound<'_, PyAny>>,
    ) -> Result<Vec<Fields>, BindingError> {
        let measure = choice("measure", measure, &MEASURES)?;
        let selection = choice("answers", answers, &SELECTIONS)?;
        let as_of = timestamp_or_now("as_of", as_of)?;
        let measured = self.with(py, |store| {
            Ok(match measure {
                Measure::Score(of) => of(&store.answers(as_of)?, selection, as_of),
                Measure::Service(of) => vec![of(&store.conversations(as_of)?, as_of)],
            })
        })?;
        let measured = measured.iter().filter_map(|result| serde_json::to_value(result).ok());
        Ok(measured.map(Fields::from_json).collect())
    }

    /// Say that two are one person.
    ///
    /// Parameters
    /// ----------
    /// a, b : str or Event
    ///     A customer id, an identifier (whoever holds it today), an observation (``"obs_…"``), or
    ///     an event (whoever it is about).
    /// by : str
    ///     Who says so: ``"agent:7"``.
    /// reason : str, optional
    ///     Why.
    /// at : datetime or str, optional
    ///     When it was said. Now, if left out. Saying the same at one instant is saying it once.
    /// region : str, optional
    ///     The region of numbers without a country code.
    ///
    /// Returns
    /// -------
    /// str
    ///     The id of what was said, for :meth:`revoke`. Where something stands against it, it is
    ///     recorded all the same, and a :class:`ConflictWarning` says so.
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     Nobody is known by one of them: it may be mistyped. Nothing is recorded.
    /// InvalidArgumentError
    ///     Several customers use one of them, or it links nobody.
    ///
    /// Examples
    /// --------
    /// >>> import cxcontext as cx
    /// >>> store = cx.open()
    /// >>> _ = store.ingest([
    /// ...     {"key": of, "kind": "note", "occurred_at": "2026-03-02T09:00:00Z",
    /// ...      "who": [{"ns": of, "value": value}]}
    /// ...     for of, value in [("email", "jan@example.nl"), ("phone", "+31612345678")]
    /// ... ], source="crm")
    /// >>> said = store.same("jan@example.nl", "+31612345678", by="agent:7", reason="he said so")
    /// >>> _ = store.revoke(said, by="agent:8", reason="that was his brother")
    /// >>> for assertion in store.assertions():
    /// ...     print(assertion.kind, assertion.by)
    /// same agent:7
    /// revoke agent:8
    #[pyo3(signature = (a, b, *, by, reason=None, at=None, region=None))]
    fn same(
        &self,
        py: Python<'_>,
        a: &Bound<'_, PyAny>,
        b: &Bound<'_, PyAny>,
        by: &str,
        reason: Option<&str>,
        at: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<String, BindingError> {
        let (a, b) = self.two_sides(py, a, b, region)?;
        is_somebody(by)?;
        let (a, b) = self.two_meant(py, a, b)?;
        self.say(py, Verdict::Same(a, b), Said { by, reason, at })
    }

    /// Say that two are different persons, whatever they share. Parameters as of :meth:`same`.
    #[pyo3(signature = (a, b, *, by, reason=None, at=None, region=None))]
    fn different(
        &self,
        py: Python<'_>,
        a: &Bound<'_, PyAny>,
        b: &Bound<'_, PyAny>,
        by: &str,
        reason: Option<&str>,
        at: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<String, BindingError> {
        let (a, b) = self.two_sides(py, a, b, region)?;
        is_somebody(by)?;
        let (a, b) = self.two_meant(py, a, b)?;
        self.say(py, Verdict::Different(a, b), Said { by, reason, at })
    }

    /// Say that an event does not belong to whoever holds an identifier.
    ///
    /// ``event`` is an :class:`Event` or the key of one. The others as of :meth:`same`.
    #[pyo3(signature = (event, identifier, *, by, reason=None, at=None, region=None))]
    fn detach(
        &self,
        py: Python<'_>,
        event: &Bound<'_, PyAny>,
        identifier: &str,
        by: &str,
        reason: Option<&str>,
        at: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<String, BindingError> {
        let key = match event.cast::<Event>() {
            Ok(event) => event.get().inner().key.clone(),
            Err(_) => event_key("event", &event.extract::<String>()?)?,
        };
        let observation = self.observation(py, &key)?;
        let identifier = self.identifier(py, "identifier", identifier, region)?;
        self.say(py, Verdict::Detach(observation, identifier), Said { by, reason, at })
    }

    /// Say that an identifier links nobody, as a shared mailbox. The others as of :meth:`same`.
    ///
    /// Raises
    /// ------
    /// InvalidArgumentError
    ///     No event carries it or can carry it: a number without its country code where no
    ///     ``region`` is named, or a value without its scope. :meth:`trust`, :meth:`rekey` and
    ///     :meth:`detach` refuse it, too.
    #[pyo3(signature = (identifier, *, by, reason=None, at=None, region=None))]
    fn block(
        &self,
        py: Python<'_>,
        identifier: &str,
        by: &str,
        reason: Option<&str>,
        at: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<String, BindingError> {
        let identifier = self.identifier(py, "identifier", identifier, region)?;
        self.say(py, Verdict::Block(identifier), Said { by, reason, at })
    }

    /// Say that an identifier is one person's, however many names were seen with it.
    ///
    /// The others as of :meth:`same`.
    #[pyo3(signature = (identifier, *, by, reason=None, at=None, region=None))]
    fn trust(
        &self,
        py: Python<'_>,
        identifier: &str,
        by: &str,
        reason: Option<&str>,
        at: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<String, BindingError> {
        let identifier = self.identifier(py, "identifier", identifier, region)?;
        self.say(py, Verdict::Trust(identifier), Said { by, reason, at })
    }

    /// Say that who held one identifier holds another now, such as a new number.
    ///
    /// The others as of :meth:`same`.
    #[pyo3(signature = (old, new, *, by, reason=None, at=None, region=None))]
    fn rekey(
        &self,
        py: Python<'_>,
        old: &str,
        new: &str,
        by: &str,
        reason: Option<&str>,
        at: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<String, BindingError> {
        let old = self.identifier(py, "old", old, region)?;
        let new = self.identifier(py, "new", new, region)?;
        for (argument, identifier) in [("old", &old), ("new", &new)] {
            self.meant(py, argument, identifier, true)?;
        }
        self.say(py, Verdict::Rekey(old, new), Said { by, reason, at })
    }

    /// Say that something that was said holds no longer; it stays in the history.
    ///
    /// Parameters
    /// ----------
    /// assertion : str
    ///     The id that :meth:`same` and the others returned (``"ast_…"``).
    /// by, reason, at
    ///     As of :meth:`same`.
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     Nothing with this id was said.
    #[pyo3(signature = (assertion, *, by, reason=None, at=None))]
    fn revoke(
        &self,
        py: Python<'_>,
        assertion: &str,
        by: &str,
        reason: Option<&str>,
        at: Option<&Bound<'_, PyAny>>,
    ) -> Result<String, BindingError> {
        let id: AssertionId = assertion
            .parse()
            .map_err(|error: IdError| malformed_id("assertion", assertion, &error))?;
        self.say(py, Verdict::Revoke(id), Said { by, reason, at })
    }

    /// Why two are one person; ``None`` where they are not.
    ///
    /// Parameters
    /// ----------
    /// a, b : str
    ///     An address, a number, a customer id, or ``NAMESPACE:VALUE``.
    /// as_of, known_at : datetime or str, optional
    ///     Only what had happened, and only what had been recorded, by that instant.
    /// region : str, optional
    ///     The region of numbers without a country code.
    ///
    /// Returns
    /// -------
    /// Explanation or None
    ///     ``customer``, ``a``, ``b``, ``paths`` (each with ``links``, ``support``, ``words``),
    ///     ``more``.
    #[pyo3(signature = (a, b, *, as_of=None, known_at=None, region=None))]
    fn why(
        &self,
        py: Python<'_>,
        a: &str,
        b: &str,
        as_of: Option<&Bound<'_, PyAny>>,
        known_at: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<Option<Explanation>, BindingError> {
        let (a, b, past) = (who("a", a, region)?, who("b", b, region)?, past(as_of, known_at)?);
        let why = self.with(py, |store| store.why(&a, &b, past))?;
        Ok(why.map(|why| Explanation::new("why", &why, &why.sentences)))
    }

    /// Why two are not one person; ``None`` where they are, or one of them is not known.
    ///
    /// Parameters as of :meth:`why`.
    ///
    /// Returns
    /// -------
    /// Explanation or None
    ///     ``a``, ``b``, ``obstacles`` (each with ``value``, ``left``, ``right``, ``because``).
    #[pyo3(signature = (a, b, *, as_of=None, known_at=None, region=None))]
    fn why_not(
        &self,
        py: Python<'_>,
        a: &str,
        b: &str,
        as_of: Option<&Bound<'_, PyAny>>,
        known_at: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<Option<Explanation>, BindingError> {
        let (a, b, past) = (who("a", a, region)?, who("b", b, region)?, past(as_of, known_at)?);
        let why = self.with(py, |store| store.why_not(&a, &b, past))?;
        Ok(why.map(|why| Explanation::new("why_not", &why, &why.sentences)))
    }

    /// How a customer came about, one answer for each customer who holds the identifier.
    ///
    /// Parameters as of :meth:`why`.
    ///
    /// Returns
    /// -------
    /// list[Explanation]
    ///     ``customer``, ``records``, ``joins``, ``set_aside``, ``by_time``.
    #[pyo3(signature = (who, *, as_of=None, known_at=None, region=None))]
    fn how(
        &self,
        py: Python<'_>,
        who: &str,
        as_of: Option<&Bound<'_, PyAny>>,
        known_at: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<Vec<Explanation>, BindingError> {
        let (who, past) = (self::who("who", who, region)?, past(as_of, known_at)?);
        let all = self.with(py, |store| store.how(&who, past))?;
        Ok(all.iter().map(|how| Explanation::new("how", how, &how.sentences)).collect())
    }

    /// Who may be the same person, the likeliest first; housemates last.
    ///
    /// Parameters as of :meth:`why`.
    ///
    /// Returns
    /// -------
    /// list[Explanation]
    ///     ``customer``, ``relation`` (``"possible"`` or ``"household"``), ``evidence``.
    #[pyo3(signature = (who, *, as_of=None, known_at=None, region=None))]
    fn candidates(
        &self,
        py: Python<'_>,
        who: &str,
        as_of: Option<&Bound<'_, PyAny>>,
        known_at: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<Vec<Explanation>, BindingError> {
        let (who, past) = (self::who("who", who, region)?, past(as_of, known_at)?);
        let all = self.with(py, |store| store.candidates(&who, past))?;
        Ok(all.iter().map(|one| Explanation::new("candidate", one, &one.sentences)).collect())
    }

    /// What would become of whom if something were said. Nothing is written.
    ///
    /// Parameters
    /// ----------
    /// verdict : {"same", "different", "detach", "block", "trust", "rekey", "revoke"}
    ///     What would be said.
    /// a : str or Event
    ///     What the method of that name takes first.
    /// b : str or Event, optional
    ///     What it takes second; ``block``, ``trust`` and ``revoke`` take one only.
    /// region : str, optional
    ///     The region of numbers without a country code.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     ``changes`` as of :meth:`changes`, ``conflicts`` (``assertion``, ``against``,
    ///     ``because``).
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     Nobody has or had this customer id, or nothing with this id was said. Of an identifier that
    ///     nobody has yet, ``changes`` are none.
    #[pyo3(signature = (verdict, a, b=None, *, region=None))]
    fn preview(
        &self,
        py: Python<'_>,
        verdict: &str,
        a: &Bound<'_, PyAny>,
        b: Option<&Bound<'_, PyAny>>,
        region: Option<&str>,
    ) -> Result<Fields, BindingError> {
        let names = ["same", "different", "detach", "block", "trust", "rekey", "revoke"];
        let known: Vec<(&str, &str)> = names.iter().map(|name| (*name, *name)).collect();
        let verdict = choice("verdict", verdict, &known)?;
        let two =
            || b.ok_or_else(|| BindingError::argument("b", "None", format!("{verdict} takes two")));
        if let (Some(b), "block" | "trust" | "revoke") = (b, verdict) {
            return Err(BindingError::argument("b", type_name(b), format!("{verdict} takes one")));
        }
        let value = |argument: &'static str, given: &Bound<'_, PyAny>| {
            self.identifier(py, argument, &given.extract::<String>()?, region)
        };
        let verdict = match verdict {
            "same" | "different" => {
                let (a, b) = self.two_sides(py, a, two()?, region)?;
                let (a, b) = self.two_meant(py, a, b)?;
                if verdict == "same" { Verdict::Same(a, b) } else { Verdict::Different(a, b) }
            }
            "detach" => {
                let key = match a.cast::<Event>() {
                    Ok(event) => event.get().inner().key.clone(),
                    Err(_) => event_key("a", &a.extract::<String>()?)?,
                };
                Verdict::Detach(self.observation(py, &key)?, value("b", two()?)?)
            }
            "block" => Verdict::Block(value("a", a)?),
            "trust" => Verdict::Trust(value("a", a)?),
            "rekey" => Verdict::Rekey(value("a", a)?, value("b", two()?)?),
            _ => {
                let id: String = a.extract()?;
                let malformed = |error: IdError| malformed_id("a", &id, &error);
                Verdict::Revoke(id.parse().map_err(malformed)?)
            }
        };
        let at = timestamp_or_now("at", None)?;
        let assertion = Assertion { verdict, by: "preview".to_owned(), reason: None, at };
        let preview = self.with(py, |store| store.preview(&[assertion]))?;
        Ok(Fields::from_json(serde_json::to_value(&preview).unwrap_or_default()))
    }

    /// Compare all customers by a model, and keep who may be one person as proposals.
    ///
    /// Nobody is linked, unless ``link_at`` says from which probability on. Such links join last,
    /// give way to identifiers, people and limits, and are taken back by :meth:`revoke` or by the
    /// next run that does not make them. A customer is never shown what only a model takes for
    /// theirs.
    ///
    /// Parameters
    /// ----------
    /// model : LinkModel, optional
    ///     What to weigh with; the one that comes with cx without it.
    /// train : bool, default False
    ///     Fit the model to the customers first.
    /// review_at : float, default 0.5
    ///     From which probability on customers are proposed.
    /// link_at : float, optional
    ///     From which probability on they are linked.
    /// most : int, default 100000
    ///     At most that many proposals are kept, the likeliest first.
    /// threads : int, optional
    ///     As many as there are processors without it. The outcome is the same.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     ``model``, ``customers``, ``compared``, ``possible``, ``households``, ``linked``,
    ///     ``taken_back``, ``refused``, ``changes``.
    #[pyo3(signature = (model=None, *, train=false, review_at=0.5, link_at=None, most=100_000, threads=None))]
    #[expect(clippy::too_many_arguments, reason = "they are named in Python")]
    fn propose(
        &self,
        py: Python<'_>,
        model: Option<&Bound<'_, LinkModel>>,
        train: bool,
        review_at: f64,
        link_at: Option<f64>,
        most: i64,
        threads: Option<i64>,
    ) -> Result<Fields, BindingError> {
        let model = model.map_or_else(Model::shipped, |model| model.get().inner().clone());
        let mut options = ProposeOptions::new(model);
        options.fit = if train { Fit::ToTheCustomers } else { Fit::AsItIs };
        options.review_at = link::weight("review_at", review_at)?;
        options.link_at = link_at.map(|at| link::weight("link_at", at)).transpose()?;
        options.most = count("most", most)?;
        options.threads = link::threads_of(threads)?;
        let at = timestamp_or_now("at", None)?;
        let done = self.with(py, |store| store.propose(&options, at))?;
        Ok(Fields::from_json(serde_json::to_value(&done).unwrap_or_default()))
    }

    /// The pairs that the last run of :meth:`propose` found, the likeliest first.
    ///
    /// Returns
    /// -------
    /// list[Fields]
    ///     With ``a``, ``b`` (customers' ids), ``relation``, ``weight`` (thousandths of a bit),
    ///     ``model``, ``at``, ``waterfall`` (as of :meth:`Linkage.explain`).
    #[pyo3(signature = (*, limit=100))]
    fn proposals(&self, py: Python<'_>, limit: i64) -> Result<Vec<Fields>, BindingError> {
        let limit = count("limit", limit)?;
        let all = self.with(py, |store| store.proposals(limit))?;
        let json = |proposal| serde_json::to_value(proposal).unwrap_or_default();
        Ok(all.iter().map(json).map(Fields::from_json).collect())
    }

    /// What became of customers after a place in the feed, in order.
    ///
    /// Parameters
    /// ----------
    /// after : int, default 0
    ///     The ``seq`` of the last entry that was seen; 0 for the beginning.
    /// limit : int, default 1000
    ///     At most that many.
    ///
    /// Returns
    /// -------
    /// list[Fields]
    ///     With ``seq``, ``at``, ``change`` (``"created"``, ``"merged"``, ``"split"``, ``"moved"``,
    ///     ``"renamed"``, ``"erased"``), the customers, and ``cause``.
    #[pyo3(signature = (after=0, *, limit=1_000))]
    fn changes(&self, py: Python<'_>, after: i64, limit: i64) -> Result<Vec<Fields>, BindingError> {
        let limit = count("limit", limit)?;
        let after = u64::try_from(after)
            .map_err(|_| BindingError::argument("after", after.to_string(), "not 0 or more"))?;
        let changes = self.with(py, |store| store.changes(after, limit))?;
        let json = |change| serde_json::to_value(change).unwrap_or_default();
        Ok(changes.iter().map(json).map(Fields::from_json).collect())
    }

    /// The policy in force, as TOML: which identifiers link, and how strongly.
    fn policy(&self, py: Python<'_>) -> Result<String, BindingError> {
        self.with(py, |store| Ok(store.policy()?.to_toml()))
    }

    /// Put a policy in force, or see what it would change.
    ///
    /// Parameters
    /// ----------
    /// policy : str
    ///     TOML or JSON; what it does not say is as in the default. See ``docs/identity.md``.
    /// preview : bool, default False
    ///     Only tell what would become of whom.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     ``customers_before``, ``customers_after``, ``hubs_before``, ``hubs_after``, ``changes``
    ///     (counts by kind), ``first`` (the first 1,000 of them).
    ///
    /// Raises
    /// ------
    /// InvalidArgumentError
    ///     The policy makes no sense; the message names the place.
    #[pyo3(signature = (policy, *, preview=false))]
    fn set_policy(
        &self,
        py: Python<'_>,
        policy: &str,
        preview: bool,
    ) -> Result<Fields, BindingError> {
        let read = Policy::read(policy)
            .map_err(|error| BindingError::argument("policy", policy, error.to_string()))?;
        let now = timestamp_or_now("at", None)?;
        let report = self.with(py, |store| {
            if preview { store.preview_policy(&read) } else { store.set_policy(&read, now) }
        })?;
        Ok(Fields::from_json(serde_json::to_value(&report).unwrap_or_default()))
    }

    /// Everything about one person, as a data-subject request asks for it.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     ``customer``, ``former_ids``, ``context``, ``identity``, ``events`` (every revision, with
    ///     ``recorded_at``), ``conversations``, ``assertions``, ``changes``.
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     Nobody is known by it, or several are meant.
    #[pyo3(signature = (who, *, region=None))]
    fn export(
        &self,
        py: Python<'_>,
        who: &str,
        region: Option<&str>,
    ) -> Result<Fields, BindingError> {
        let now = timestamp_or_now("at", None)?;
        let export = self.with_one(py, who, region, |store, who| store.export(who, now))?;
        Ok(Fields::from_json(serde_json::to_value(&export).unwrap_or_default()))
    }

    /// Take a person out for good, and keep the same records from coming back.
    ///
    /// Parameters
    /// ----------
    /// who : str
    ///     An address, a number, a customer id, or ``NAMESPACE:VALUE``.
    /// mode : {"anonymise", "delete"}
    ///     Whether times, kinds and counts stay, or nothing does.
    /// compact : bool, default True
    ///     Rewrite the file, so that no byte of the person is left in it; :meth:`compact` does it
    ///     later. Where only that fails (another process reads the file, the disk is full), the
    ///     person is out all the same: ``compacted_at`` is ``None``, and a
    ///     :class:`NotCompactedWarning` tells why.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     ``customer``, ``events``, ``identifiers``, ``shared``, ``blacked_out``, ``left_in`` (fields
    ///     that name things and in which some of it still stands, with how often), ``assertions``,
    ///     ``erased_at``, ``compacted_at``.
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     Nobody is known by it, or several are meant.
    #[pyo3(signature = (who, *, mode, compact=true, region=None))]
    fn erase(
        &self,
        py: Python<'_>,
        who: &str,
        mode: &str,
        compact: bool,
        region: Option<&str>,
    ) -> Result<Fields, BindingError> {
        let modes = [("anonymise", EraseMode::Anonymise), ("delete", EraseMode::Delete)];
        let mode = choice("mode", mode, &modes)?;
        let now = timestamp_or_now("at", None)?;
        let erasure = self.with_one(py, who, region, |store, who| {
            let mut erasure = store.erase(who, mode, now)?;
            let mut failed = None;
            if compact {
                match store.compact(now) {
                    Ok(done) => erasure.compacted_at = Some(done.compacted_at),
                    Err(error) => failed = Some(error),
                }
            }
            Ok((erasure, failed))
        })?;
        done_for_good(py, &erasure.0, erasure.1)
    }

    /// Take a person out for good, rewrite the file, and search its bytes for the strings by which
    /// the person was known.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     The certificate: ``erasure`` (as :meth:`erase` returns), ``rows`` (how many fewer there
    ///     are in each table), ``bytes_before``, ``bytes_after``, ``search`` (``strings``, ``hits``,
    ///     ``files``), and ``text``, the same for people to read. It holds no value of the person.
    ///     Where ``strings`` is 0 there was nothing to look for, and nothing is proved.
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     Nobody is known by it, or several are meant.
    #[pyo3(signature = (who, *, mode, region=None))]
    fn erase_for_good(
        &self,
        py: Python<'_>,
        who: &str,
        mode: &str,
        region: Option<&str>,
    ) -> Result<Fields, BindingError> {
        let modes = [("anonymise", EraseMode::Anonymise), ("delete", EraseMode::Delete)];
        let mode = choice("mode", mode, &modes)?;
        let now = timestamp_or_now("at", None)?;
        let certificate =
            self.with_one(py, who, region, |store, who| store.erase_for_good(who, mode, now))?;
        let mut json = serde_json::to_value(&certificate).unwrap_or_default();
        if let Some(fields) = json.as_object_mut() {
            fields.insert("text".to_owned(), certificate.to_string().into());
        }
        Ok(Fields::from_json(json))
    }

    /// All erasures, the first one first: whom, when, how, and whether the file was rewritten since.
    ///
    /// Returns
    /// -------
    /// list[Fields]
    ///     With ``customer``, ``mode``, ``erased_at``, ``events``, ``compacted_at``.
    fn erasures(&self, py: Python<'_>) -> Result<Vec<Fields>, BindingError> {
        let all = self.with(py, cx_store::Store::erasures)?;
        let json = all.iter().map(|it| serde_json::to_value(it).unwrap_or_default());
        Ok(json.map(Fields::from_json).collect())
    }

    /// What rules of retention would take out.
    ///
    /// Parameters
    /// ----------
    /// rules : str
    ///     Rules in TOML or JSON.
    /// now : datetime or str, optional
    ///     The instant at which records are looked at; the clock's by default.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     ``now``, ``events``, ``revisions``, ``customers`` (who would have nothing left),
    ///     ``kept_named``, ``kept_revised``, ``kept_corrects``, ``due``: ``rule``, ``kind``,
    ///     ``channel``, ``events``, ``oldest``, ``newest``; and ``idle``, the rules for a kind or a
    ///     channel that no record ever had.
    ///
    /// Examples
    /// --------
    /// >>> store = cx.open()
    /// >>> rules = '[[rule]]\nchannel = "web"\nkeep = "13 months"'
    /// >>> store.retention_preview(rules).events
    /// 0
    #[pyo3(signature = (rules, *, now=None))]
    fn retention_preview(
        &self,
        py: Python<'_>,
        rules: &str,
        now: Option<&Bound<'_, PyAny>>,
    ) -> Result<Fields, BindingError> {
        let (rules, now) = (retention_rules(rules)?, timestamp_or_now("now", now)?);
        let preview = self.with(py, |store| store.retention_preview(&rules, now))?;
        Ok(Fields::from_json(serde_json::to_value(&preview).unwrap_or_default()))
    }

    /// Take out what is too old under rules of retention, and put them in force: what is too old
    /// does not come in again.
    ///
    /// Parameters
    /// ----------
    /// rules : str, optional
    ///     Rules in TOML or JSON; those in force by default.
    /// now : datetime or str, optional
    ///     The instant at which records are looked at; the clock's by default.
    /// compact : bool, default True
    ///     Rewrite the file, so that no byte of what went is left in it. Where only that fails, it
    ///     is told as of :meth:`erase`.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     ``retained_at``, ``rules``, ``events``, ``revisions``, ``customers``, ``compacted_at``.
    ///
    /// Raises
    /// ------
    /// InvalidArgumentError
    ///     The rules cannot be read, or none are given and none are in force.
    #[pyo3(signature = (rules=None, *, now=None, compact=true))]
    fn retain(
        &self,
        py: Python<'_>,
        rules: Option<&str>,
        now: Option<&Bound<'_, PyAny>>,
        compact: bool,
    ) -> Result<Fields, BindingError> {
        let now = timestamp_or_now("now", now)?;
        let rules = match rules {
            Some(rules) => retention_rules(rules)?,
            None => self.with(py, cx_store::Store::retention)?.ok_or_else(|| {
                BindingError::argument("rules", "None", "none are given, and none are in force")
            })?,
        };
        let options = RetainOptions::at(now);
        let mut stopped = None;
        let done = self.with(py, |store| {
            // Ctrl-C ends it between two batches.
            let mut done = store.retain(&rules, options, |_| {
                let heard = Python::attach(|py| -> PyResult<()> {
                    py.check_signals()?;
                    Ok(())
                });
                match heard {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        stopped = Some(error);
                        ControlFlow::Break(())
                    }
                }
            })?;
            let mut failed = None;
            if compact && stopped.is_none() {
                match store.compact(now) {
                    Ok(compacted) => done.compacted_at = Some(compacted.compacted_at),
                    Err(error) => failed = Some(error),
                }
            }
            Ok((done, failed))
        })?;
        if let Some(error) = stopped {
            return Err(error.into());
        }
        done_for_good(py, &done.0, done.1)
    }

    /// All retentions, the first one first: when, by which rules, and how much went.
    ///
    /// Returns
    /// -------
    /// list[Fields]
    ///     As :meth:`retain` returns.
    fn retentions(&self, py: Python<'_>) -> Result<Vec<Fields>, BindingError> {
        let all = self.with(py, cx_store::Store::retentions)?;
        let json = all.iter().map(|it| serde_json::to_value(it).unwrap_or_default());
        Ok(json.map(Fields::from_json).collect())
    }

    /// Everything that was ever said about who is who, by the time it was said.
    ///
    /// Returns
    /// -------
    /// list[Fields]
    ///     With ``id``, ``kind``, ``a``, ``b``, ``by``, ``reason``, ``at``.
    fn assertions(&self, py: Python<'_>) -> Result<Vec<Fields>, BindingError> {
        let assertions = self.with(py, cx_store::Store::assertions)?;
        Ok(assertions.iter().map(answer::assertion_json).map(Fields::from_json).collect())
    }

    /// Rewrite the file, so that no byte is left in it of what was erased or taken out.
    ///
    /// What :meth:`erase` and :meth:`retain` were told not to do (``compact=False``) is done by it.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     ``compacted_at``, ``bytes_before``, ``bytes_after``, ``erasures`` (as of :meth:`erasures`) of
    ///     which nothing is left.
    fn compact(&self, py: Python<'_>) -> Result<Fields, BindingError> {
        let now = timestamp_or_now("at", None)?;
        let done = self.with(py, |store| store.compact(now))?;
        Ok(Fields::from_json(serde_json::to_value(done).unwrap_or_default()))
    }

    /// Compress what events say, from now on also of those that come in. No answer changes; the
    /// dictionary comes with cx, and nothing of what customers wrote is kept in it.
    ///
    /// Parameters
    /// ----------
    /// compact : bool, default True
    ///     Rewrite the file, by which it becomes shorter. Where only that fails, a
    ///     :class:`NotCompactedWarning` tells why.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     ``events``, how many were rewritten; ``bytes_before`` and ``bytes_after``, of what they
    ///     say.
    #[pyo3(signature = (*, compact=true))]
    fn compress(&self, py: Python<'_>, compact: bool) -> Result<Fields, BindingError> {
        self.repack(py, compact, cx_store::Store::compress)
    }

    /// Undo :meth:`compress`: what events say stands in the file as JSON again.
    ///
    /// Parameters
    /// ----------
    /// compact : bool, default True
    ///     Rewrite the file, so that no free space is left in it. Where only that fails, it is told
    ///     as of :meth:`compress`.
    ///
    /// Returns
    /// -------
    /// Fields
    ///     As :meth:`compress` returns.
    #[pyo3(signature = (*, compact=true))]
    fn decompress(&self, py: Python<'_>, compact: bool) -> Result<Fields, BindingError> {
        self.repack(py, compact, cx_store::Store::decompress)
    }

    /// Whether what events say is compressed as they come in.
    #[getter]
    fn is_compressed(&self, py: Python<'_>) -> Result<bool, BindingError> {
        self.with(py, cx_store::Store::is_compressed)
    }

    /// Say how much memory this store may use to remember the customers it was asked about last.
    ///
    /// What is remembered holds as long as the file stands as it stood: whatever anybody writes to
    /// it is seen by the next question. Nothing is kept of a single customer who would take more
    /// than half. A store that nothing was said of may use 192 MiB, one of :class:`Tenants` an even
    /// share of that.
    ///
    /// Parameters
    /// ----------
    /// max_bytes : int
    ///     The most bytes it may use; with 0 nothing is remembered. What was remembered so far goes.
    fn remember(&self, py: Python<'_>, max_bytes: i64) -> Result<(), BindingError> {
        let max_bytes = count("max_bytes", max_bytes)?;
        self.with(py, |store| {
            store.remember(max_bytes);
            Ok(())
        })
    }

    /// Check the file, and everything derived in it against the facts. Reads all of it.
    fn check(&self, py: Python<'_>) -> Result<CheckReport, BindingError> {
        Ok(CheckReport::new(self.with(py, cx_store::Store::check)?))
    }

    /// Write a consistent copy of the store to a new file, while others read and write. It is
    /// encrypted under the same key, or as little as the store is.
    ///
    /// Raises
    /// ------
    /// ExistingFileError
    ///     Something stands there already.
    fn backup(&self, py: Python<'_>, path: PathBuf) -> Result<(), BindingError> {
        self.with(py, |store| store.backup(path))
    }

    /// Write a consistent copy of the store to a new file, encrypted under this key, or not at all
    /// with ``None``: so a store is encrypted, decrypted, or given another key.
    ///
    /// Parameters
    /// ----------
    /// path : str or os.PathLike
    ///     Where the copy goes; nothing may be there.
    /// key : str or bytes or None
    ///     As for :func:`open`.
    ///
    /// Raises
    /// ------
    /// ExistingFileError
    ///     Something stands there already.
    /// NoEncryptionError
    ///     This build of cx cannot encrypt.
    #[pyo3(signature = (path, *, key))]
    fn backup_under(
        &self,
        py: Python<'_>,
        path: PathBuf,
        key: Option<&Bound<'_, PyAny>>,
    ) -> Result<(), BindingError> {
        let key = key::key(key)?;
        self.with(py, |store| store.backup_under(path, key.as_ref()))
    }

    /// Whether the file of the store is encrypted.
    #[getter]
    fn is_encrypted(&self) -> Result<bool, BindingError> {
        Ok(self.handle.store()?.is_encrypted())
    }
}

impl Store {
    /// A store that is open already.
    pub(crate) fn of(store: cx_store::Store) -> Self {
        let path = store.path().to_owned();
        Self { handle: Arc::new(Handle::new(store, Some(path))), read_only: false }
    }

    /// Reads a file and takes it in batch by batch; runs without the interpreter lock, and takes
    /// it between batches only.
    fn import(
        &self,
        path: &Path,
        import: &Import,
        progress: &Progress,
    ) -> Result<cx_store::IngestReport, BindingError> {
        let store = self.handle.store()?;
        let unreadable = |problem| BindingError::File { path: path.to_owned(), problem };
        let opened = std::fs::File::open(path).map_err(unreadable)?;
        // A folder opens, and only reading from it fails.
        if opened.metadata().map_err(unreadable)?.is_dir() {
            return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
        }
        let reader = BufReader::with_capacity(1 << 20, opened);
        let records: Box<dyn Iterator<Item = Record>> = match &import.columns {
            Some(columns) => Box::new(csv::read(reader, columns.clone(), &import.options)),
            None => cx_adapters::format::read(import.format, reader, &import.options),
        };
        let name = path.display().to_string();
        let refused = RefCell::new(None);
        // One that may not be reported ends the file there.
        let records = records.map_while(|record| match record.map_err(|it| it.in_file(&name)) {
            Err(problem) if import.on_error == OnError::Raise => {
                refused.replace(Some(problem));
                None
            }
            record => Some(record),
        });
        let mut stopped = None;
        let report = store.import(&import.recording, records, |so_far| {
            match Python::attach(|py| progress.tell(py, so_far.total())) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    stopped = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(problem) = refused.into_inner() {
            stopped.get_or_insert(BindingError::Record(problem));
        }
        stopped.map_or(Ok(report), Err)
    }
}

/// How many records there are, where they say so without being read: a table that has to be run to
/// be counted, as a relation of DuckDB or a table of cx, may be one that is read only once.
fn length(events: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    // A frame is in memory.
    let is_frame = type_name(events) == "DataFrame" || events.hasattr("__dataframe__")?;
    let is_read = events.hasattr("__arrow_c_stream__")? && !is_frame;
    if is_read || !events.hasattr("__len__")? { Ok(None) } else { events.len().map(Some) }
}

fn retention_rules(text: &str) -> Result<Retention, BindingError> {
    Retention::read(text).map_err(|error| BindingError::argument("rules", text, error.to_string()))
}

/// The columns of a table in a file that cx does not know. A pipe cannot be read again for them.
fn unmapped(path: &Path, import: &Import) -> Vec<String> {
    let is_table = import.format == Format::Csv && path.is_file();
    match std::fs::File::open(path) {
        Ok(file) if is_table => {
            csv::unknown_columns(BufReader::new(file), import.columns.clone().unwrap_or_default())
        }
        _ => Vec::new(),
    }
}

/// What is imported, and as what.
struct Import {
    format: Format,
    columns: Option<ColumnMap>,
    options: Options,
    recording: Recording,
    on_error: OnError,
}

/// Reads `columns=` and `constants=` of a table.
fn column_map(
    format: Format,
    columns: Option<&Bound<'_, PyAny>>,
    constants: Option<&Bound<'_, PyAny>>,
) -> Result<Option<ColumnMap>, BindingError> {
    let mut text = String::new();
    for (argument, given, sign) in [("columns", columns, "="), ("constants", constants, ":=")] {
        let Some(given) = given else { continue };
        if format != Format::Csv {
            let problem = "only tables have them: source=\"csv\"";
            return Err(BindingError::argument(argument, given.to_string(), problem));
        }
        let pairs = given.cast::<PyMapping>().map_err(|_| {
            BindingError::argument(argument, type_name(given), "not a mapping of text to text")
        })?;
        for pair in pairs.items()? {
            let (name, value): (String, String) = pair.extract()?;
            if name.contains(['"', ',', '\n', '=']) || value.contains('"') {
                let problem = "a quotation mark, comma or sign that a map of columns cannot hold";
                return Err(BindingError::argument(argument, format!("{name}: {value}"), problem));
            }
            let _infallible = writeln!(text, "{name}{sign}\"{value}\"");
        }
    }
    if text.is_empty() {
        return Ok(None);
    }
    let map = text.parse::<ColumnMap>();
    map.map(Some).map_err(|error| {
        BindingError::argument("columns", text.trim().replace('\n', ", "), error.to_string())
    })
}

const ON_ERROR: [(&str, OnError); 2] = [("report", OnError::Report), ("raise", OnError::Raise)];

/// What becomes of a record that is no event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnError {
    Report,
    Raise,
}

/// Where the newest event of a timeline stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Newest {
    First,
    Last,
}

/// The ids of a store's customers.
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct CustomerIterator {
    handle: Arc<Handle>,
    reading: Mutex<Reading>,
}

struct Reading {
    page: std::vec::IntoIter<CustomerId>,
    last: Option<CustomerId>,
}

#[pymethods]
impl CustomerIterator {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> Result<Option<String>, BindingError> {
        py.detach(|| {
            let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
            let mut next = reading.page.next();
            if next.is_none() {
                let page = self.handle.store()?.customers(reading.last, PAGE)?;
                reading.page = page.into_iter();
                next = reading.page.next();
            }
            reading.last = next.or(reading.last);
            Ok(next.map(|id| id.to_string()))
        })
    }
}

/// A customer's events.
struct Timeline {
    handle: Arc<Handle>,
    who: Who,
    query: TimelineQuery,
    limit: Option<usize>,
    asked: String,
}

impl Scan for Timeline {
    fn open(&self) -> Result<Pages, BindingError> {
        let (handle, who) = (Arc::clone(&self.handle), self.who.clone());
        let page = self.query.clone();
        let mut left = self.limit.unwrap_or(usize::MAX);
        let mut after = None;
        let mut is_over = false;
        handle.store()?;
        Ok(Box::new(std::iter::from_fn(move || {
            if is_over || left == 0 {
                return None;
            }
            let query = page.clone().limit(PAGE.min(left));
            let read = handle
                .store()
                .and_then(|store| Ok(store.timeline(&who, &query, after.as_ref())?));
            Some(match read {
                Ok(read) => {
                    left = left.saturating_sub(read.events.len());
                    is_over = read.next.is_none();
                    after = read.next;
                    Ok(read.events)
                }
                Err(error) => {
                    is_over = true;
                    Err(error)
                }
            })
        })))
    }

    fn count(&self) -> Result<Option<u64>, BindingError> {
        Ok(None)
    }

    fn describe(&self) -> String {
        format!("of '{}' in '{}'", self.asked, self.handle.shown_path().display())
    }
}

/// So many events, or fewer with so much text that a column of Arrow can hold no more of them.
fn full_page(reading: &mut cx_store::Events) -> Result<Vec<CoreEvent>, StoreError> {
    let (mut page, mut n_bytes) = (Vec::new(), 0);
    while page.len() < 8 * PAGE && n_bytes < PAGE_TEXT {
        let Some(event) = reading.next().transpose()? else { break };
        n_bytes += event.body.as_ref().map_or(0, Body::bytes);
        page.push(event);
    }
    Ok(page)
}

/// All events of a store.
struct AllEvents {
    handle: Arc<Handle>,
}

impl Scan for AllEvents {
    fn open(&self) -> Result<Pages, BindingError> {
        let handle = Arc::clone(&self.handle);
        let mut events = Some(handle.store()?.events());
        Ok(Box::new(std::iter::from_fn(move || {
            let reading = events.as_mut()?;
            if let Err(closed) = handle.store() {
                events = None;
                return Some(Err(closed));
            }
            match full_page(reading) {
                Ok(page) if page.is_empty() => {
                    events = None;
                    None
                }
                Ok(page) => Some(Ok(page)),
                Err(error) => {
                    events = None;
                    Some(Err(error.into()))
                }
            }
        })))
    }

    fn count(&self) -> Result<Option<u64>, BindingError> {
        Ok(Some(self.handle.store()?.counts()?.1))
    }

    fn describe(&self) -> String {
        format!("of '{}'", self.handle.shown_path().display())
    }
}

/// What was done for good, with a warning where only the file could not be rewritten. An error would
/// say that nothing was done, and what was done would be told nowhere.
fn done_for_good(
    py: Python<'_>,
    done: &impl serde::Serialize,
    failed: Option<StoreError>,
) -> Result<Fields, BindingError> {
    let told = || Fields::from_json(serde_json::to_value(done).unwrap_or_default());
    if let Some(failed) = failed {
        let text = format!(
            "it is done, but the file could not be rewritten, and what went may be read in its \
             bytes until compact() is called: {}",
            BindingError::from(failed)
        );
        let category = py.import("cxcontext.exceptions")?.getattr("NotCompactedWarning")?;
        let warning = category.call1((text, told()))?;
        py.import("warnings")?.getattr("warn")?.call1((warning,))?;
    }
    Ok(told())
}

/// Tells the caller that what was recorded does not hold. Where warnings are errors, it carries the
/// id that is not returned then.
fn warn(py: Python<'_>, text: &str, assertion: &str) -> Result<(), BindingError> {
    let category = py.import("cxcontext.exceptions")?.getattr("ConflictWarning")?;
    let warning = category.call1((text, assertion))?;
    py.import("warnings")?.getattr("warn")?.call1((warning,))?;
    Ok(())
}

/// Reads an argument that says which ones are wanted: none at all is no answer.
fn filter(
    argument: &'static str,
    given: Option<&Bound<'_, PyAny>>,
) -> Result<Vec<String>, BindingError> {
    let names = texts(argument, given)?;
    if given.is_some() && names.is_empty() {
        return Err(BindingError::argument(argument, "[]", "name at least one, or leave it out"));
    }
    Ok(names)
}

/// Which facts an answer may know of.
fn past(
    as_of: Option<&Bound<'_, PyAny>>,
    known_at: Option<&Bound<'_, PyAny>>,
) -> Result<Past, BindingError> {
    let past = Past::today();
    let past = timestamp("as_of", as_of)?.map_or(past, |as_of| past.as_of(as_of));
    Ok(timestamp("known_at", known_at)?.map_or(past, |known_at| past.known_at(known_at)))
}

/// Reads an argument that says whom is meant.
fn who(argument: &'static str, typed: &str, region: Option<&str>) -> Result<Who, BindingError> {
    let region = self::region(region)?;
    Who::parse(typed, region.as_deref()).map_err(|error| {
        let form = "no customer id, address, number or NAMESPACE:VALUE";
        let problem = match error.reason {
            Some(reason) => format!("{form} ({reason})"),
            None => form.to_owned(),
        };
        BindingError::argument(argument, typed, problem)
    })
}

/// Refuses what nobody says.
fn is_somebody(by: &str) -> Result<(), BindingError> {
    if by.trim().is_empty() {
        let problem = "say who says so, as in by=\"agent:7\"";
        return Err(BindingError::argument("by", by, problem));
    }
    Ok(())
}

/// A side of which something was to be said, and nobody is known by it: it may be mistyped.
fn nobody(side: &Subject) -> BindingError {
    BindingError::Nobody { name: side.to_string(), why: "nobody is known by it".to_owned() }
}

/// Reads `region=`: two letters of ISO 3166.
fn region(given: Option<&str>) -> Result<Option<String>, BindingError> {
    let Some(given) = given else { return Ok(None) };
    let region = given.trim().to_ascii_uppercase();
    if is_region(&region) {
        return Ok(Some(region));
    }
    Err(BindingError::argument("region", given, "no region of ISO 3166, such as \"NL\" or \"GB\""))
}

fn event_key(argument: &'static str, key: &str) -> Result<EventKey, BindingError> {
    EventKey::new(key).map_err(|error| malformed_id(argument, key, &error))
}

fn malformed_id(argument: &'static str, given: &str, error: &IdError) -> BindingError {
    BindingError::argument(argument, given, error.to_string())
}
