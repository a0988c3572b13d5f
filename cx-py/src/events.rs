//! `cx.Events`: a table of events that every data library can read.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use cx_core::event::Event as CoreEvent;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList, PyString};

use crate::convert::{Defaults, Zone, to_python};
use crate::error::BindingError;
use crate::event::Event;
use crate::incoming::Incoming;
use crate::{convert, table};

/// How many events are taken from Python between two looks at whether Ctrl-C was pressed.
const TAKEN: usize = 10_000;

/// How many rows a table shows in a notebook.
const SHOWN: usize = 10;

/// Where a table's events come from. Each call of `open` begins again at the first.
pub(crate) trait Scan: Send + Sync {
    /// Reads the events page by page, in order.
    fn open(&self) -> Result<Pages, BindingError>;

    /// How many there are, where that is cheap to know.
    fn count(&self) -> Result<Option<u64>, BindingError>;

    /// What they are, in a word or two: `events of 'support.cx'`.
    fn describe(&self) -> String;
}

/// Pages of events; each is asked for without the interpreter lock.
pub(crate) type Pages = Box<dyn Iterator<Item = Result<Vec<CoreEvent>, BindingError>> + Send>;

/// A table of events, in order.
///
/// One row is one event. Any library that reads Arrow reads it, through ``__arrow_c_stream__``,
/// and may do so again and again: each reading is a fresh one. As an iterable it gives
/// :class:`Event` objects, lazily.
///
/// Stores return such tables. Made by hand, a table turns records into rows without a store.
///
/// Parameters
/// ----------
/// events : Iterable[Mapping[str, object]] or Arrow stream
///     Dicts of the canonical form, events, or a table with the columns of :attr:`columns`.
/// tz : str or zoneinfo.ZoneInfo, optional
///     The zone of times that carry none.
/// source : str, optional
///     The source of records that name none: ``"crm"`` or ``"crm:acme"``.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> table = cx.Events([{
/// ...     "key": "crm/visit/1", "kind": "custom.visit", "occurred_at": "2026-03-04T10:02:00Z",
/// ...     "who": [{"ns": "email", "value": "jan@example.nl"}],
/// ... }], source="crm")
/// >>> len(table), table.to_dicts()[0]["email"]
/// (1, 'jan@example.nl')
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct Events {
    scan: Arc<dyn Scan>,
}

impl Events {
    /// The table of what `scan` reads.
    pub(crate) fn of(scan: impl Scan + 'static) -> Self {
        Self { scan: Arc::new(scan) }
    }

    /// The table of these events.
    pub(crate) fn in_memory(events: Vec<CoreEvent>) -> Self {
        Self::of(InMemory { events: events.into() })
    }

    fn open(&self, py: Python<'_>) -> Result<Pages, BindingError> {
        py.detach(|| self.scan.open())
    }

    fn first(&self, py: Python<'_>, n: usize) -> Result<Vec<CoreEvent>, BindingError> {
        py.detach(|| {
            let mut events = Vec::new();
            for page in self.scan.open()? {
                events.extend(page?);
                if events.len() >= n {
                    break;
                }
            }
            events.truncate(n);
            Ok(events)
        })
    }
}

#[pymethods]
impl Events {
    #[new]
    #[pyo3(signature = (events, *, tz=None, source=None))]
    fn new(
        py: Python<'_>,
        events: &Bound<'_, PyAny>,
        tz: Option<&Bound<'_, PyAny>>,
        source: Option<&str>,
    ) -> Result<Self, BindingError> {
        let defaults = Defaults::new(Zone::from_python(tz)?, source)?;
        let mut incoming = Incoming::from_python(events, defaults)?;
        let mut kept = Vec::new();
        while let Some(batch) = incoming.next_batch(py, TAKEN) {
            py.check_signals()?;
            for event in batch? {
                kept.push(event?);
            }
        }
        Ok(Self::in_memory(kept))
    }

    /// The names of the columns, in order.
    #[classattr]
    fn columns() -> Vec<&'static str> {
        table::COLUMNS.iter().map(|column| column.name).collect()
    }

    /// The Arrow C stream of the rows: a fresh one for each call.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyCapsule>, BindingError> {
        // The interface calls it a wish; there is one schema.
        drop(requested_schema);
        let batches = self.open(py)?.map(|page| -> Result<RecordBatch, ArrowError> {
            table::batch(&page.map_err(|error| ArrowError::ExternalError(Box::new(error)))?)
        });
        let schema = table::schema();
        Ok(table::stream_capsule(py, Box::new(table::Reader { schema, batches }))?)
    }

    /// The Arrow C schema of the columns.
    #[expect(clippy::unused_self, reason = "the interface asks for a method")]
    fn __arrow_c_schema__<'py>(
        &self,
        py: Python<'py>,
    ) -> Result<Bound<'py, PyCapsule>, BindingError> {
        table::schema_capsule(py)
    }

    /// The table as a ``polars.DataFrame``.
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table::hand_to(slf.as_any(), "polars", &["DataFrame"])
    }

    /// The table as a ``pandas.DataFrame``.
    ///
    /// Text is of dtype ``str``, ``occurred_at`` of ``datetime64[us, UTC]``, ``seq`` of ``UInt64``,
    /// which has missing numbers and loses no digit. Needs pyarrow.
    fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let whole = table::hand_to(slf.as_any(), "pyarrow", &["table"])?;
        let frame = table::hand_to(&whole, "pandas", &["DataFrame", "from_arrow"])?;
        let dtype = slf.py().import("pandas")?.getattr("UInt64Dtype")?.call0()?;
        let seq = dtype.call_method1("__from_arrow__", (whole.get_item("seq")?,))?;
        frame.set_item("seq", seq)?;
        Ok(frame)
    }

    /// The table as a ``pyarrow.Table``.
    fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table::hand_to(slf.as_any(), "pyarrow", &["table"])
    }

    /// The rows as plain dicts, one value for each column.
    ///
    /// ``occurred_at`` is an aware datetime in UTC; ``who``, ``data``, ``attachments``, ``extra``
    /// and ``rest`` are JSON texts, as in every other table made of this one.
    fn to_dicts<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyList>, BindingError> {
        let rows = PyList::empty(py);
        let mut pages = self.open(py)?;
        while let Some(page) = py.detach(|| pages.next()) {
            for event in page? {
                rows.append(row(py, &event)?)?;
            }
            py.check_signals()?;
        }
        Ok(rows)
    }

    fn __iter__(&self, py: Python<'_>) -> Result<EventIterator, BindingError> {
        let pages = self.open(py)?;
        Ok(EventIterator(Mutex::new(Reading { pages, page: Vec::new().into_iter() })))
    }

    fn __len__(&self, py: Python<'_>) -> Result<usize, BindingError> {
        let count = match py.detach(|| self.scan.count())? {
            Some(count) => count,
            None => py.detach(|| {
                self.scan.open()?.try_fold(0_u64, |n, page| {
                    let page = u64::try_from(page?.len()).unwrap_or(u64::MAX);
                    Ok::<_, BindingError>(n.saturating_add(page))
                })
            })?,
        };
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn __bool__(&self, py: Python<'_>) -> Result<bool, BindingError> {
        Ok(!self.first(py, 1)?.is_empty())
    }

    fn __repr__(&self, py: Python<'_>) -> Result<String, BindingError> {
        let described = self.scan.describe();
        Ok(match py.detach(|| self.scan.count()) {
            Ok(Some(count)) => format!("Events({described}, rows={count})"),
            Ok(None) => format!("Events({described})"),
            Err(BindingError::Closed { .. }) => format!("Events({described}, closed)"),
            Err(error) => return Err(error),
        })
    }

    fn _repr_html_(&self, py: Python<'_>) -> Result<String, BindingError> {
        let mut events = match self.first(py, SHOWN + 1) {
            Err(BindingError::Closed { .. }) => Vec::new(),
            events => events?,
        };
        let more = events.len() > SHOWN;
        events.truncate(SHOWN);
        Ok(html(&events, &self.__repr__(py)?, more))
    }
}

/// The events of a table, one after the other.
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct EventIterator(Mutex<Reading>);

struct Reading {
    pages: Pages,
    page: std::vec::IntoIter<CoreEvent>,
}

#[pymethods]
impl EventIterator {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> Result<Option<Event>, BindingError> {
        let next = py.detach(|| {
            let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(event) = reading.page.next() {
                    return Ok::<_, BindingError>(Some(event));
                }
                match reading.pages.next() {
                    Some(page) => reading.page = page?.into_iter(),
                    None => return Ok(None),
                }
            }
        });
        Ok(next?.map(Event::new))
    }
}

/// Events that are in memory anyway.
struct InMemory {
    events: Arc<[CoreEvent]>,
}

impl Scan for InMemory {
    fn open(&self) -> Result<Pages, BindingError> {
        let events = Arc::clone(&self.events);
        let mut from = 0;
        Ok(Box::new(std::iter::from_fn(move || {
            let page: Vec<CoreEvent> = events.iter().skip(from).take(8_192).cloned().collect();
            from += page.len();
            (!page.is_empty()).then_some(Ok(page))
        })))
    }

    fn count(&self) -> Result<Option<u64>, BindingError> {
        Ok(u64::try_from(self.events.len()).ok())
    }

    fn describe(&self) -> String {
        "in memory".to_owned()
    }
}

/// One row of the table as a dict.
fn row<'py>(py: Python<'py>, event: &CoreEvent) -> PyResult<Bound<'py, PyDict>> {
    let mut cells = table::flat(event);
    let row = PyDict::new(py);
    for column in &table::COLUMNS {
        let cell = match column.holds {
            table::Holds::Instant => convert::datetime(py, event.occurred_at)?.into_any(),
            table::Holds::Count => event.seq.into_pyobject(py)?.into_any(),
            table::Holds::Text | table::Holds::Json => match cells.remove(column.name) {
                Some(json @ (serde_json::Value::Array(_) | serde_json::Value::Object(_))) => {
                    PyString::new(py, &json.to_string()).into_any()
                }
                Some(value) => to_python(py, &value)?,
                None => py.None().into_bound(py),
            },
        };
        row.set_item(column.name, cell)?;
    }
    Ok(row)
}

/// The first rows for a notebook: no script, and nothing from outside.
fn html(events: &[CoreEvent], title: &str, more: bool) -> String {
    let mut out = String::from(
        "<div class=\"cx-events\"><style>\
         .cx-events table{border-collapse:collapse;font-size:.9em}\
         .cx-events th,.cx-events td{text-align:left;padding:.2em .6em;\
         border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent)}\
         .cx-events td.cx-text{max-width:32em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}\
         </style><table><thead><tr>",
    );
    for heading in ["occurred_at", "kind", "channel", "direction", "who", "text"] {
        let _infallible = write!(out, "<th>{heading}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for event in events {
        let who = event.person_claims().first().map(|claim| claim.identifier().to_string());
        let text = event.body.as_ref().map(|body| cx_core::text::first_words(&body.text, 80));
        let _infallible = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"cx-text\">{}</td></tr>",
            event.occurred_at,
            escaped(&event.kind.name()),
            escaped(&event.channel.name()),
            event.direction.name(),
            escaped(&who.unwrap_or_default()),
            escaped(&text.unwrap_or_default()),
        );
    }
    let more = if more { "… " } else { "" };
    let _infallible = write!(out, "</tbody></table><p>{more}{}</p></div>", escaped(title));
    out
}

/// Text that cannot be mistaken for HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
