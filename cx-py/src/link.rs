//! `cx.link` and `cx.LinkModel`: which rows of a table of persons are one person's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt8Array, UInt32Array};
use cx_core::linkage::model::{probability, weight_of};
use cx_core::linkage::{
    Attribute, Layout, LinkOptions, Linkage as Found, Model, Quality, ScoredPair, Table,
    TableBuilder, TrainOptions, link as link_rows, quality, train as train_rows, waterfall,
};
use cx_store::NewFile;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyFloat, PyIterator, PyMapping, PyString};

use crate::convert::{is_missing, type_name};
use crate::error::{BindingError, RowError};
use crate::explanation::Explanation;
use crate::fields::Fields;
use crate::frame::Frame;
use crate::table::rows::{Cells, as_text};

/// What a model says of how alike the records of one person are, and those of two.
///
/// Made by :meth:`shipped`, :meth:`train`, :meth:`load` or :meth:`loads`. A model is data: two
/// models with one ``hash`` weigh alike, on any machine.
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct LinkModel(Model);

#[pymethods]
impl LinkModel {
    /// The model that comes with cx: of people's names, birth dates, addresses, numbers and mail
    /// addresses.
    #[staticmethod]
    fn shipped() -> Self {
        Self(Model::shipped())
    }

    /// A model that is fitted to a table, beginning from another one.
    ///
    /// Parameters
    /// ----------
    /// frame, columns, month_first
    ///     As of :func:`link`.
    /// start : LinkModel, optional
    ///     Where to begin; the shipped one without it.
    /// threads : int, optional
    ///     As many as there are processors without it. The outcome is the same.
    ///
    /// Raises
    /// ------
    /// InvalidArgumentError
    ///     Where nothing can be learnt: fewer than two rows, or no column that says anything.
    #[staticmethod]
    #[pyo3(signature = (frame, *, start=None, columns=None, month_first=false, threads=None))]
    fn train(
        py: Python<'_>,
        frame: &Bound<'_, PyAny>,
        start: Option<&Bound<'_, Self>>,
        columns: Option<BTreeMap<String, Option<String>>>,
        month_first: bool,
        threads: Option<i64>,
    ) -> Result<Self, BindingError> {
        let asked = Asked::new(columns, month_first, None);
        let threads = threads_of(threads)?;
        let read = asked.cells(&[("frame", frame)], &[])?;
        let start = start.map_or_else(Model::shipped, |start| start.get().0.clone());
        py.detach(|| trained(&asked.persons(&read, &[])?.table, &start, threads)).map(Self)
    }

    /// The model in a JSON file, of cx or of Splink.
    #[staticmethod]
    #[expect(clippy::needless_pass_by_value, reason = "read from Python")]
    fn load(path: PathBuf) -> Result<Self, BindingError> {
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|problem| BindingError::File { path: path.clone(), problem })?;
        read_model(&text, &path.display().to_string())
    }

    /// The model that a JSON text is, of cx or of Splink.
    #[staticmethod]
    fn loads(json: &str) -> Result<Self, BindingError> {
        read_model(json, "json")
    }

    /// Writes the model as JSON to a new file.
    ///
    /// Raises
    /// ------
    /// ExistingFileError
    ///     Something stands there already.
    #[expect(clippy::needless_pass_by_value, reason = "read from Python")]
    fn save(&self, path: PathBuf) -> Result<(), BindingError> {
        write(&path, &self.0.to_json())
    }

    /// The model as JSON, as :meth:`loads` reads it.
    fn to_json(&self) -> String {
        self.0.to_json()
    }

    /// The model as settings of Splink 4 or 5, on DuckDB.
    ///
    /// Parameters
    /// ----------
    /// records : int, default 10000
    ///     Of how many records the table has that Splink is to link: its prior depends on it.
    #[pyo3(signature = (records=10_000))]
    fn to_splink(&self, records: i64) -> Result<String, BindingError> {
        let records = u32::try_from(records).map_err(|_| {
            BindingError::argument("records", records.to_string(), "not between 0 and 4294967295")
        })?;
        Ok(self.0.to_splink(records))
    }

    /// The name of the model: a hash of all it says.
    #[getter]
    fn hash(&self) -> String {
        self.0.hash()
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        Ok((py.get_type::<Self>().getattr("loads")?, (self.0.to_json(),)))
    }

    fn __repr__(&self) -> String {
        let n = self.0.comparisons.len() + self.0.conditions.len();
        format!("LinkModel({}, comparisons={n})", self.0.hash())
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.0 == other.get().0)
    }
}

impl LinkModel {
    /// The model itself.
    pub(crate) const fn inner(&self) -> &Model {
        &self.0
    }
}

/// Which rows of a table, or of two, are one person's.
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct Linkage {
    persons: Persons,
    found: Found,
    model: Model,
    quality: Option<(Quality, Quality)>,
}

/// Links the rows of a table of persons: which of them are one person's.
///
/// Columns are recognised by the usual names of exports (English, Dutch, German, French);
/// ``columns`` says otherwise. The same rows give the same answer in any order and on any number of
/// threads. Time is linear in the rows.
///
/// Parameters
/// ----------
/// frame : table of Arrow, or iterable of dict
///     A polars, pandas or pyarrow table, a DuckDB relation, or dicts: one person's record a row.
/// other : the same, optional
///     A second table: persons are then looked for across both, and none has one twice.
/// truth : str, optional
///     The column that tells which rows are one person's: see :attr:`Linkage.metrics`. It is never
///     compared. A row that says nothing there is nobody else's.
/// model : LinkModel, optional
///     What to weigh with. Without it one is trained on the table, beginning from the shipped one.
/// train : bool, default False
///     Train ``model`` further on the table first.
/// columns : dict of str to str or None, optional
///     What columns say: ``{"Naam2": "family_name", "Id": None}``. Attributes: ``given_name``,
///     ``family_name``, ``full_name``, ``birth_date``, ``street``, ``postcode``, ``city``,
///     ``phone``, ``email``, ``national_id``; any other word compares the column as it is; None
///     or ``"ignore"`` leaves it out.
/// month_first : bool, default False
///     Whether dates such as 03/04/1980 have the month first.
/// link_at, review_at : float, default 0.8 and 0.1
///     From which probability on rows are linked, and proposed.
/// threads : int, optional
///     As many as there are processors without it.
///
/// Returns
/// -------
/// Linkage
///
/// Raises
/// ------
/// InvalidArgumentError
///     For a column that is not there, a probability that is none, or a table of which no column
///     says anything.
/// InvalidEventError
///     For a table that cannot be read, with its row and column.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> people = [{"name": "Jan Smit", "dob": "1980-03-04", "email": "jan@example.nl"},
/// ...           {"name": "J. Smit", "dob": "04/03/1980", "email": "JAN@example.nl"},
/// ...           {"name": "Eva Bos", "dob": "1991-12-24", "email": "eva@example.nl"}]
/// >>> linkage = cx.link(people)
/// >>> linkage.persons.to_dicts()[1]
/// {'table': 0, 'row': 1, 'person': 0}
/// >>> linkage.columns[0]["dob"]
/// 'birth_date'
#[pyfunction]
#[pyo3(signature = (frame, other=None, *, truth=None, model=None, train=false, columns=None,
                    month_first=false, link_at=0.8, review_at=0.1, threads=None))]
#[expect(clippy::too_many_arguments, reason = "they are named in Python")]
pub(crate) fn link(
    py: Python<'_>,
    frame: &Bound<'_, PyAny>,
    other: Option<&Bound<'_, PyAny>>,
    truth: Option<String>,
    model: Option<&Bound<'_, LinkModel>>,
    train: bool,
    columns: Option<BTreeMap<String, Option<String>>>,
    month_first: bool,
    link_at: f64,
    review_at: f64,
    threads: Option<i64>,
) -> Result<Linkage, BindingError> {
    let asked = Asked::new(columns, month_first, truth);
    let threads = threads_of(threads)?;
    let (link_at, review_at) = (weight("link_at", link_at)?, weight("review_at", review_at)?);
    let given = model.map(|model| model.get().0.clone());
    let also: Vec<String> =
        given.iter().flat_map(|model| model.columns.values().cloned()).collect();
    let frames: Vec<(&'static str, &Bound<'_, PyAny>)> =
        std::iter::once(("frame", frame)).chain(other.map(|other| ("other", other))).collect();
    let read = asked.cells(&frames, &also)?;
    py.detach(|| {
        let persons = asked.persons(&read, &also)?;
        let model = match given {
            Some(model) if !train => model,
            start => trained(&persons.table, &start.unwrap_or_else(Model::shipped), threads)?,
        };
        let options = LinkOptions {
            link_at,
            review_at: review_at.min(link_at),
            threads,
            ..LinkOptions::default()
        };
        let found = link_rows(&persons.table, &model, &options);
        let quality = persons
            .truth
            .as_ref()
            .map(|truth| (quality(&found.persons, truth), quality(&found.with_possible(), truth)));
        Ok(Linkage { persons, found, model, quality })
    })
}

#[pymethods]
impl Linkage {
    /// The person of each row: ``table`` (uint8, 0 or 1), ``row`` (uint32, from 0 in its table),
    /// ``person`` (uint32: the number of the person's first row over both tables).
    #[getter]
    fn persons(&self) -> Result<Frame, BindingError> {
        let n = self.persons.table.len();
        let places: Vec<(u8, u32)> = (0..n).map(|row| self.place(row)).collect();
        let batch = RecordBatch::try_from_iter([
            ("table", column(UInt8Array::from_iter_values(places.iter().map(|at| at.0)))),
            ("row", column(UInt32Array::from_iter_values(places.iter().map(|at| at.1)))),
            ("person", column(UInt32Array::from(self.found.persons.clone()))),
        ])?;
        Ok(Frame::new("persons", batch))
    }

    /// The pairs, the heaviest first: ``verdict`` (``"linked"``, ``"possible"``,
    /// ``"household"``), ``row_a`` and ``row_b`` (uint32, each from 0 in its table), ``weight``
    /// (float64, bits) and ``probability`` (float64).
    #[getter]
    fn pairs(&self) -> Result<Frame, BindingError> {
        let kinds: [(&str, &[ScoredPair]); 3] = [
            ("linked", &self.found.links),
            ("possible", &self.found.possible),
            ("household", &self.found.households),
        ];
        let pairs = kinds.iter().flat_map(|(kind, pairs)| pairs.iter().map(move |p| (*kind, p)));
        let mut pairs: Vec<(&str, &ScoredPair)> = pairs.collect();
        pairs.sort_by_key(|(_, pair)| std::cmp::Reverse(pair.weight));
        let pairs = || pairs.iter().copied();
        let row = |row: u32| self.place(row).1;
        let batch = RecordBatch::try_from_iter([
            ("verdict", column(StringArray::from_iter_values(pairs().map(|(kind, _)| kind)))),
            ("row_a", column(UInt32Array::from_iter_values(pairs().map(|(_, p)| row(p.a))))),
            ("row_b", column(UInt32Array::from_iter_values(pairs().map(|(_, p)| row(p.b))))),
            (
                "weight",
                column(Float64Array::from_iter_values(pairs().map(|(_, p)| bits(p.weight)))),
            ),
            (
                "probability",
                column(Float64Array::from_iter_values(pairs().map(|(_, p)| probability(p.weight)))),
            ),
        ])?;
        Ok(Frame::new("pairs", batch))
    }

    /// For each table what its columns were taken for, by their names; None for what was not
    /// compared.
    #[getter]
    fn columns(&self) -> Vec<BTreeMap<String, Option<String>>> {
        let said = |(name, of): &(String, Option<Attribute>)| {
            (name.clone(), of.as_ref().map(|of| of.name().to_owned()))
        };
        self.persons.columns.iter().map(|columns| columns.iter().map(said).collect()).collect()
    }

    /// The model that weighed.
    #[getter]
    fn model(&self) -> LinkModel {
        LinkModel(self.model.clone())
    }

    /// How good the result is, where ``truth`` was named; else None.
    ///
    /// ``links`` and ``with_possible`` (if all that is proposed were accepted), each with
    /// ``precision``, ``recall``, ``f05``, ``f1``, ``right``, ``found``, ``true_pairs``; counted in
    /// pairs of rows, with every pair that the persons imply.
    #[getter]
    fn metrics(&self) -> Option<Fields> {
        let (links, with_possible) = self.quality.as_ref()?;
        Some(Fields::from_json(
            serde_json::json!({ "links": links, "with_possible": with_possible }),
        ))
    }

    /// How many values of each attribute several given names use: they neither weigh nor block.
    #[getter]
    fn blanked(&self) -> BTreeMap<String, u32> {
        self.found.blanked.clone()
    }

    /// How many pairs were compared.
    #[getter]
    const fn compared(&self) -> u64 {
        self.found.compared
    }

    /// How the weight of two rows adds up.
    ///
    /// Parameters
    /// ----------
    /// row_a, row_b : int
    ///     Rows as of :attr:`pairs`: of two tables the first is of the first.
    ///
    /// Returns
    /// -------
    /// Explanation
    ///     With ``prior``, ``bars`` (``comparison``, ``a``, ``b``, ``level``, ``m``, ``u``,
    ///     ``weight``, ``term_frequency``), ``weight`` (bits) and ``probability``.
    ///
    /// Raises
    /// ------
    /// NotFoundError
    ///     Where there is no such row.
    fn explain(&self, row_a: i64, row_b: i64) -> Result<Explanation, BindingError> {
        let (first, all) = (self.persons.first, self.persons.table.len());
        let row = |row: i64| u32::try_from(row).ok();
        let b = match self.persons.columns.len() {
            2 => row(row_b).and_then(|b| first.checked_add(b)),
            _ => row(row_b),
        };
        let in_a = row(row_a).filter(|a| *a < first);
        let (Some(a), Some(b)) = (in_a, b.filter(|b| *b < all)) else {
            let name = format!("rows {row_a} and {row_b}");
            return Err(BindingError::NotFound { name, place: "table" });
        };
        let told = waterfall(&self.persons.table, &self.model, a, b);
        Ok(Explanation::new("waterfall", &told, &told.sentences))
    }

    fn __repr__(&self) -> String {
        let persons: BTreeSet<u32> = self.found.persons.iter().copied().collect();
        format!(
            "Linkage(records={}, persons={}, linked={}, possible={}, households={})",
            self.persons.table.len(),
            persons.len(),
            self.found.links.len(),
            self.found.possible.len(),
            self.found.households.len()
        )
    }

    fn _repr_html_(&self) -> String {
        let quality = self.quality.as_ref().map(|(links, _)| {
            format!(
                "<p>precision {:.4}, recall {:.4}, F0.5 {:.4}, F1 {:.4}</p>",
                links.precision, links.recall, links.f05, links.f1
            )
        });
        let quality = quality.unwrap_or_default();
        format!("<div class=\"cx-linkage\"><p>{}</p>{quality}</div>", self.__repr__())
    }
}

impl Linkage {
    /// Which table a row is of, and its number there.
    fn place(&self, row: u32) -> (u8, u32) {
        match row.checked_sub(self.persons.first) {
            Some(row) => (1, row),
            None => (0, row),
        }
    }
}

fn column(array: impl arrow_array::Array + 'static) -> ArrayRef {
    Arc::new(array)
}

fn bits(weight: i32) -> f64 {
    f64::from(weight) / 1000.0
}

/// A probability as a weight.
pub(crate) fn weight(argument: &'static str, given: f64) -> Result<i32, BindingError> {
    weight_of(given).ok_or_else(|| {
        BindingError::argument(
            argument,
            given.to_string(),
            "a probability between 0 and 1, and neither of them",
        )
    })
}

pub(crate) fn threads_of(given: Option<i64>) -> Result<NonZeroUsize, BindingError> {
    match given {
        Some(n) => usize::try_from(n)
            .ok()
            .and_then(NonZeroUsize::new)
            .ok_or_else(|| BindingError::argument("threads", n.to_string(), "at least 1")),
        None => Ok(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
    }
}

fn trained(table: &Table, start: &Model, threads: NonZeroUsize) -> Result<Model, BindingError> {
    let options = TrainOptions { threads, ..TrainOptions::default() };
    train_rows(table, start, &options).map_err(|error| {
        let (n, error) = (table.len(), error.to_string());
        let problem = format!(
            "{error}: a model that is there already needs no more, as in \
                model=LinkModel.shipped()"
        );
        BindingError::argument("frame", format!("{n} rows"), problem)
    })
}

fn read_model(json: &str, place: &str) -> Result<LinkModel, BindingError> {
    let model = if Model::is_splink(json) {
        Model::from_splink(json).map_err(|error| error.to_string())
    } else {
        Model::read(json).map_err(|error| error.to_string())
    };
    model.map(LinkModel).map_err(|problem| BindingError::argument("model", place, problem))
}

fn write(path: &Path, text: &str) -> Result<(), BindingError> {
    let mut file = NewFile::create(path)?;
    let unwritten = |problem| BindingError::File { path: path.to_owned(), problem };
    file.write_all(text.as_bytes()).map_err(unwritten)?;
    Ok(file.finish()?)
}

/// How tables are to be read.
struct Asked {
    columns: BTreeMap<String, Option<String>>,
    month_first: bool,
    truth: Option<String>,
}

/// A table with what is remembered of its columns and rows.
struct Persons {
    table: Table,
    columns: Vec<Vec<(String, Option<Attribute>)>>,
    truth: Option<Vec<u32>>,
    /// How many rows the first table has.
    first: u32,
}

impl Asked {
    fn new(
        columns: Option<BTreeMap<String, Option<String>>>,
        month_first: bool,
        truth: Option<String>,
    ) -> Self {
        // As on the command line.
        let said = |said: Option<String>| said.filter(|said| said != "ignore");
        let columns = columns.unwrap_or_default().into_iter();
        Self { columns: columns.map(|(name, of)| (name, said(of))).collect(), month_first, truth }
    }

    /// Reads what is to be compared of the tables.
    fn cells(
        &self,
        frames: &[(&'static str, &Bound<'_, PyAny>)],
        also: &[String],
    ) -> Result<Vec<Cells>, BindingError> {
        let is_wanted = |name: &str| {
            self.truth.as_deref() == Some(name) || self.attribute(name, also).is_some()
        };
        frames.iter().map(|(argument, frame)| cells(argument, frame, &is_wanted)).collect()
    }

    /// Makes a table of them; needs no interpreter.
    fn persons(&self, all: &[Cells], also: &[String]) -> Result<Persons, BindingError> {
        let mut columns = Vec::new();
        for cells in all {
            columns.push(self.recognised(&cells.names, also)?);
        }
        let is_there = |name: &&String| all.iter().any(|cells| cells.names.contains(name));
        if let Some(name) = self.columns.keys().find(|name| !is_there(name)) {
            return Err(BindingError::argument("columns", name.clone(), "there is no such column"));
        }
        let said = |columns: &Vec<(String, Option<Attribute>)>| {
            columns.iter().map(|(_, of)| of.clone()).collect()
        };
        let layout = Layout::of(&columns.iter().map(said).collect::<Vec<_>>());
        let mut builder = TableBuilder::new(layout.places());
        if self.month_first {
            builder = builder.month_first();
        }
        let mut known: HashMap<&str, u32> = HashMap::new();
        let mut truths = Vec::new();
        let mut next = 0_u32;
        let mut first = 0;
        for (position, cells) in all.iter().enumerate() {
            if position == 1 {
                builder.second_table();
            }
            let truth = self.truth.as_ref();
            let truth_at = truth.and_then(|truth| cells.names.iter().position(|n| n == truth));
            for row in &cells.rows {
                builder.push(&layout.row(position, row.iter().map(String::as_str)));
                if let Some(truth) = truth_at.and_then(|at| row.get(at)) {
                    // Whose row it is that says nothing is not known: it is nobody else's.
                    let one = match truth.trim() {
                        "" => next,
                        said => *known.entry(said).or_insert(next),
                    };
                    truths.push(one);
                    next = next.saturating_add(u32::from(one == next));
                }
            }
            if position == 0 {
                first = u32::try_from(cells.rows.len()).unwrap_or(u32::MAX);
            }
        }
        let truth = self.truth.as_ref().map(|_| truths);
        Ok(Persons { table: builder.finish(), columns, truth, first })
    }

    /// What each column says.
    fn recognised(
        &self,
        names: &[String],
        also: &[String],
    ) -> Result<Vec<(String, Option<Attribute>)>, BindingError> {
        if let Some(truth) = self.truth.as_ref().filter(|truth| !names.contains(truth)) {
            let there = format!("there is no such column; there are: {}", names.join(", "));
            return Err(BindingError::argument("truth", truth.clone(), there));
        }
        Ok(names.iter().map(|name| (name.clone(), self.attribute(name, also))).collect())
    }

    /// What a column says; `None` where it is not compared.
    fn attribute(&self, name: &str, also: &[String]) -> Option<Attribute> {
        match self.columns.get(name) {
            Some(said) => said.as_deref().map(Attribute::from_name),
            None if Some(name) == self.truth.as_deref() => None,
            None => Attribute::of_header(name).or_else(|| {
                also.iter().any(|also| also == name).then(|| Attribute::Other(name.to_owned()))
            }),
        }
    }
}

/// The cells of a frame as text, empty where there is nothing.
fn cells(
    argument: &'static str,
    frame: &Bound<'_, PyAny>,
    is_wanted: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Cells, BindingError> {
    if let Some(export) = frame.getattr_opt("__arrow_c_stream__")? {
        let capsule = export.call0()?;
        let capsule = capsule.cast::<PyCapsule>().map_err(PyErr::from)?;
        return Cells::from_capsule(capsule, is_wanted);
    }
    let refuse =
        |problem: &str| Err(BindingError::argument(argument, type_name(frame), problem.to_owned()));
    if frame.is_instance_of::<PyDict>() || frame.is_instance_of::<PyString>() {
        return refuse("a table of Arrow, or a list of dicts, is wanted");
    }
    match type_name(frame).as_str() {
        "LazyFrame" => refuse("a lazy frame: call .collect() first"),
        "DataFrame" => refuse("a frame without Arrow: install pyarrow"),
        _ => match frame.try_iter() {
            Ok(records) => of_dicts(&records),
            Err(_) => refuse("a table of Arrow, or a list of dicts, is wanted"),
        },
    }
}

fn is_float(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyFloat>()
        || matches!(type_name(value).as_str(), "float16" | "float32" | "longdouble")
}

/// Dicts, and mappings of other kinds, may have other keys each; the columns come in the order in which they are first seen.
fn of_dicts(records: &Bound<'_, PyIterator>) -> Result<Cells, BindingError> {
    let mut names: Vec<String> = Vec::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (row, record) in (0_u64..).zip(records.clone()) {
        let record = record?;
        let wrong = |field: &str, problem: &str| RowError {
            row: Some(row),
            field: field.to_owned(),
            value: None,
            problem: problem.to_owned(),
        };
        let Ok(record) = record.cast::<PyMapping>() else {
            return Err(wrong("", "not a dict").into());
        };
        let mut cells = vec![String::new(); names.len()];
        for pair in record.items()? {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
            let Ok(name) = name.extract::<String>() else {
                return Err(wrong("", "a name of a column is no text").into());
            };
            if is_missing(&value) {
                continue;
            }
            let at = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name.clone());
                cells.push(String::new());
                names.len() - 1
            });
            if let Some(cell) = cells.get_mut(at) {
                // As in a frame: whole numbers are floats as soon as one is missing.
                *cell = if is_float(&value) {
                    as_text(serde_json::json!(value.extract::<f64>()?))
                } else {
                    value.str()?.to_string_lossy().into_owned()
                };
            }
        }
        rows.push(cells);
    }
    for row in &mut rows {
        row.resize(names.len(), String::new());
    }
    Ok(Cells { names, rows })
}
