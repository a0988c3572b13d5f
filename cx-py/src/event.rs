//! `cx.Event`: one thing that happened.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyDict, PyString, PyTuple, PyType};
use serde_json::{Map, Value, json};

use crate::convert::{self, Defaults, Zone};
use crate::error::BindingError;
use crate::fields::Fields;

/// One thing that happened: a message, a call, an order, an opened mail.
///
/// Events do not change. They come out of a store, or are read from the JSON of `docs/model.md`.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> event = cx.Event.from_dict({
/// ...     "key": "crm:acme/call/1", "source": {"system": "crm", "instance": "acme"},
/// ...     "kind": "call", "channel": "phone", "direction": "in",
/// ...     "occurred_at": "2026-03-04T10:02:00+01:00",
/// ...     "who": [{"ns": "phone", "value": "+31612345678"}],
/// ... })
/// >>> event.channel, event.occurred_at.isoformat(), event.who[0].value
/// ('phone', '2026-03-04T09:02:00+00:00', '+31612345678')
#[derive(Debug)]
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct Event {
    inner: Arc<cx_core::event::Event>,
}

impl Event {
    /// The event as Python sees it.
    pub(crate) fn new(inner: cx_core::event::Event) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// The event as Rust sees it.
    pub(crate) fn inner(&self) -> &cx_core::event::Event {
        &self.inner
    }
}

#[pymethods]
impl Event {
    /// Read an event from a dict of the canonical form.
    ///
    /// Parameters
    /// ----------
    /// event : Mapping[str, object]
    ///     The fields; aware datetimes are welcome wherever an instant stands.
    /// tz : str or zoneinfo.ZoneInfo, optional
    ///     The zone of datetimes that carry none.
    /// source : str, optional
    ///     The source of an event that names none: ``"crm"`` or ``"crm:acme"``.
    ///
    /// Raises
    /// ------
    /// InvalidEventError
    ///     A field is missing or malformed; ``field`` says which.
    #[classmethod]
    #[pyo3(signature = (event, *, tz=None, source=None))]
    fn from_dict(
        _class: &Bound<'_, PyType>,
        event: &Bound<'_, PyAny>,
        tz: Option<&Bound<'_, PyAny>>,
        source: Option<&str>,
    ) -> Result<Self, BindingError> {
        let defaults = Defaults::new(Zone::from_python(tz)?, source)?;
        Ok(Self::new(read(event, &defaults)?))
    }

    /// Read an event from its JSON.
    ///
    /// Raises
    /// ------
    /// InvalidEventError
    ///     The text is not JSON, or a field is missing or malformed.
    #[classmethod]
    fn from_json(_class: &Bound<'_, PyType>, text: &str) -> Result<Self, BindingError> {
        let json: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| cx_core::event::FieldError {
                pointer: String::new(),
                value: None,
                problem: format!("not a JSON object: {error}"),
            })?;
        Ok(Self::new(cx_core::event::Event::from_json(json)?))
    }

    /// What makes two deliveries of one record the same event.
    #[getter]
    fn key(&self) -> &str {
        self.inner.key.as_str()
    }

    /// The version of the object at its source, if it can change.
    #[getter]
    fn rev(&self) -> Option<&str> {
        self.inner.rev.as_deref()
    }

    /// What happened: ``message``, ``order.placed``, ``custom.visit``.
    #[getter]
    fn kind(&self) -> String {
        self.inner.kind.name().into_owned()
    }

    /// Where it happened: ``email``, ``phone``, ``chat``.
    #[getter]
    fn channel(&self) -> String {
        self.inner.channel.name().into_owned()
    }

    /// ``in`` from the customer, ``out`` to the customer, or ``none``.
    #[getter]
    fn direction(&self) -> &'static str {
        self.inner.direction.name()
    }

    /// ``public``, or ``internal`` where the customer could not see it.
    #[getter]
    fn visibility(&self) -> &'static str {
        match self.inner.visibility {
            cx_core::event::Visibility::Public => "public",
            cx_core::event::Visibility::Internal => "internal",
        }
    }

    /// When it happened: an aware datetime in UTC.
    #[getter]
    fn occurred_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        convert::datetime(py, self.inner.occurred_at)
    }

    /// The offset from UTC with which that instant was written, such as ``+01:00``.
    #[getter]
    fn utc_offset(&self) -> Option<String> {
        self.inner.utc_offset.map(|offset| offset.to_string())
    }

    /// The order among events of one source that carry the same instant.
    #[getter]
    fn seq(&self) -> Option<u64> {
        self.inner.seq
    }

    /// The name of the person it is about, as written.
    #[getter]
    fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// What was written or said; ``None`` where there is no text.
    #[getter]
    fn text(&self) -> Option<&str> {
        self.inner.body.as_ref().map(|body| body.text.as_str())
    }

    /// Where the record comes from: ``system``, ``instance``, ``object``, ``id``.
    #[getter]
    fn source(&self) -> Fields {
        let source = serde_json::to_value(&self.inner.source);
        let empty = json!({"system": "", "instance": "", "object": "", "id": ""});
        whole(source.unwrap_or_default(), empty)
    }

    /// Who did it: ``type``, ``id``, ``name``.
    #[getter]
    fn actor(&self) -> Fields {
        let actor = serde_json::to_value(&self.inner.actor);
        whole(actor.unwrap_or_default(), json!({"type": "unknown", "id": null, "name": null}))
    }

    /// The conversation it belongs to: ``key``, ``subject``, ``reply_to``, ``aliases``.
    #[getter]
    fn conversation(&self) -> Option<Fields> {
        let conversation = serde_json::to_value(self.inner.conversation.as_ref()?);
        let empty = json!({"key": "", "subject": null, "reply_to": null, "aliases": []});
        Some(whole(conversation.unwrap_or_default(), empty))
    }

    /// What was written or said: ``text``, ``whole``, ``html_ref``, ``lang``, ``truncated``.
    #[getter]
    fn body(&self) -> Option<Fields> {
        let body = serde_json::to_value(self.inner.body.as_ref()?);
        let empty = json!({
            "text": "", "whole": null, "html_ref": null, "lang": null, "truncated": false,
        });
        Some(whole(body.unwrap_or_default(), empty))
    }

    /// Whom it is about: identifiers with ``ns``, ``scope``, ``value``, ``role``, ``assurance``.
    #[getter]
    fn who<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let claims = self.inner.who.iter().map(|claim| {
            let claim = serde_json::to_value(claim).unwrap_or_default();
            let empty =
                json!({"scope": "", "region": null, "shared": false, "on_behalf_of": false});
            whole(claim, empty)
        });
        PyTuple::new(py, claims.collect::<Vec<_>>())
    }

    /// The files that came with it: ``name``, ``media_type``, ``size``, ``sha256``, ``url``.
    #[getter]
    fn attachments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let files = self.inner.attachments.iter().map(|file| {
            let file = serde_json::to_value(file).unwrap_or_default();
            let empty = json!({
                "name": null, "media_type": null, "size": null, "sha256": null, "url": null,
            });
            whole(file, empty)
        });
        PyTuple::new(py, files.collect::<Vec<_>>())
    }

    /// The fields that only such a kind has, as a new dict.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        convert::object_to_python(py, &self.inner.kind.to_json())
    }

    /// What the source had beyond all this, verbatim, as a new dict.
    #[getter]
    fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        convert::object_to_python(py, &self.inner.extra)
    }

    /// The event in its canonical form, as plain Python that ``json.dumps`` takes.
    ///
    /// Python spells some numbers otherwise than they were written (1.10 is 1.1), and the spelling
    /// is part of what a record says: take in the event itself, or :meth:`to_json`, where it is to
    /// be the same record. An integer with more digits than Python reads is a text.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        convert::object_to_python(py, &self.inner.to_json())
    }

    /// The event in its canonical form, as JSON on one line.
    fn to_json(&self) -> String {
        Value::Object(self.inner.to_json()).to_string()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let event = &*self.inner;
        let direction = match event.direction {
            cx_core::event::Direction::None => String::new(),
            direction @ (cx_core::event::Direction::In | cx_core::event::Direction::Out) => {
                format!(" {}", direction.name())
            }
        };
        let key = PyString::new(py, event.key.as_str()).repr()?;
        let (kind, channel) = (event.kind.name(), event.channel.name());
        Ok(format!("Event({key}, {kind} {channel}{direction}, {})", event.occurred_at))
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.inner == other.get().inner)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.inner.key.hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        Ok((py.get_type::<Self>().getattr("from_json")?, (self.to_json(),)))
    }
}

/// Reads one record that Python hands over: an [`Event`] or a dict of the canonical form.
pub(crate) fn read(
    record: &Bound<'_, PyAny>,
    defaults: &Defaults,
) -> Result<cx_core::event::Event, cx_core::event::FieldError> {
    if let Ok(event) = record.cast::<Event>() {
        return Ok(event.get().inner().clone());
    }
    of_object(convert::object(record, defaults.zone.as_ref())?, defaults)
}

/// Reads an event in the canonical form.
pub(crate) fn of_object(
    mut json: Map<String, Value>,
    defaults: &Defaults,
) -> Result<cx_core::event::Event, cx_core::event::FieldError> {
    convert::localise(&mut json, defaults.zone.as_ref())?;
    defaults.fill(&mut json);
    let event = cx_core::event::Event::from_json(json)?;
    event.check_names()?;
    Ok(event)
}

/// The part with every field it can have: what is not said stands as in `empty`.
fn whole(part: Value, empty: Value) -> Fields {
    match (part, empty) {
        (Value::Object(part), Value::Object(mut fields)) => {
            fields.extend(part);
            Fields::of(Arc::new(Value::Object(fields)))
        }
        (part, _) => Fields::of(Arc::new(part)),
    }
}
