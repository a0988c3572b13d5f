//! Smaller answers of a store: who was found, who waits, what was said where.

use cx_core::conversation::{Conversation, LastMessage};
use cx_core::event::conversation::Party;
use cx_core::identity::Assertion;
use cx_core::time::Timestamp;
use cx_store::Waiting;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use serde_json::{Value, json};

use crate::event::Event;
use crate::events::Events;
use crate::fields::Fields;

/// A place where words were found.
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct Hit {
    event: Py<Event>,
    customer: Option<String>,
    snippet: String,
}

impl Hit {
    /// The hit as Python sees it.
    pub(crate) fn new(py: Python<'_>, hit: cx_store::Hit) -> PyResult<Self> {
        let event = Py::new(py, Event::new(hit.found))?;
        let customer = hit.customer.map(|customer| customer.to_string());
        Ok(Self { event, customer, snippet: hit.snippet })
    }
}

#[pymethods]
impl Hit {
    /// The whole event; for other audiences than agents what it is and what was said.
    #[getter]
    fn event(&self, py: Python<'_>) -> Py<Event> {
        self.event.clone_ref(py)
    }

    /// The customer it belongs to; ``None`` where nobody is known.
    #[getter]
    fn customer(&self) -> Option<&str> {
        self.customer.as_deref()
    }

    /// The words around the hit; what was found stands between ``[`` and ``]``.
    #[getter]
    fn snippet(&self) -> &str {
        &self.snippet
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, PickledHit)> {
        let told = (self.event.clone_ref(py), self.customer.clone(), self.snippet.clone());
        Ok((py.import("cxcontext._native")?.getattr("_hit")?, told))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let key = PyString::new(py, self.event.get().inner().key.as_str()).repr()?;
        Ok(format!("Hit({key}, {})", PyString::new(py, &self.snippet).repr()?))
    }
}

/// What a hit is made of.
type PickledHit = (Py<Event>, Option<String>, String);

/// The hit that was pickled.
#[pyfunction]
#[pyo3(name = "_hit")]
pub(crate) const fn unpickled_hit(
    event: Py<Event>,
    customer: Option<String>,
    snippet: String,
) -> Hit {
    Hit { event, customer, snippet }
}

/// A conversation with all that was said in it.
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct Transcript {
    key: String,
    aliases: Vec<String>,
    conversation: Py<Fields>,
    events: Py<Events>,
    n_events: usize,
}

impl Transcript {
    /// The transcript as Python sees it.
    pub(crate) fn new(
        py: Python<'_>,
        transcript: cx_store::Transcript,
        as_of: Timestamp,
    ) -> PyResult<Self> {
        let conversation = Fields::from_json(conversation_json(&transcript.conversation, as_of));
        let n_events = transcript.events.len();
        Ok(Self {
            key: transcript.key.to_string(),
            aliases: transcript.aliases.iter().map(ToString::to_string).collect(),
            conversation: Py::new(py, conversation)?,
            events: Py::new(py, Events::in_memory(transcript.events))?,
            n_events,
        })
    }
}

#[pymethods]
impl Transcript {
    /// The one key of the conversation.
    #[getter]
    fn key(&self) -> &str {
        &self.key
    }

    /// The other keys by which it is known, sorted.
    #[getter]
    fn aliases<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.aliases)
    }

    /// How it stands: ``state``, ``waiting_on``, ``assignee`` and so on.
    #[getter]
    fn conversation(&self, py: Python<'_>) -> Py<Fields> {
        self.conversation.clone_ref(py)
    }

    /// Its events in timeline order.
    #[getter]
    fn events(&self, py: Python<'_>) -> Py<Events> {
        self.events.clone_ref(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let key = PyString::new(py, &self.key).repr()?;
        let state = self.conversation.get().value().and_then(|json| json.get("state")?.as_str());
        Ok(format!("Transcript({key}, {}, events={})", state.unwrap_or_default(), self.n_events))
    }
}

/// Who was found, as JSON.
pub(crate) fn found_json(found: &cx_store::Found) -> Value {
    let customers = found.customers.iter().map(|customer| {
        json!({
            "id": customer.id.to_string(),
            "name": customer.name,
            "links": customer.weight == cx_core::context::facts::Weight::Links,
            "n_events": customer.n_events,
        })
    });
    json!({
        "confidence": found.confidence,
        "customers": customers.collect::<Vec<_>>(),
        "is_hub": found.is_hub,
        "unattributed": found.unattributed,
        "is_erased": found.is_erased,
    })
}

/// A matter in which somebody has to act, as JSON.
pub(crate) fn waiting_json(waiting: &Waiting, as_of: Timestamp) -> Value {
    let mut json = conversation_json(&waiting.conversation, as_of);
    if let Value::Object(map) = &mut json {
        let customer = waiting.customer.map(|customer| customer.to_string());
        map.insert("customer".to_owned(), customer.into());
    }
    json
}

/// An assertion, as JSON.
pub(crate) fn assertion_json(assertion: &Assertion) -> Value {
    let (a, b) = assertion.verdict.sides();
    json!({
        "id": assertion.id().to_string(),
        "kind": assertion.verdict.name(),
        "a": a,
        "b": b,
        "by": assertion.by,
        "reason": assertion.reason,
        "at": assertion.at.to_string(),
    })
}

/// How a conversation stands, under the names of the context's open matters.
fn conversation_json(conversation: &Conversation, as_of: Timestamp) -> Value {
    let due = conversation.promises.iter().map(|promise| {
        json!({
            "metric": promise.what,
            "at": text(promise.due_at),
            "breached": promise.is_breached_by(as_of),
            "by": promise.by,
        })
    });
    json!({
        "conversation": conversation.key.to_string(),
        "source": {
            "system": conversation.source.system,
            "instance": conversation.source.instance,
            "id": conversation.source.id,
        },
        "subject": conversation.subject,
        "channels": conversation.channels.iter().map(|channel| channel.name()).collect::<Vec<_>>(),
        "state": conversation.state.name(),
        "category": conversation.state.category(),
        "native_state": conversation.native_state,
        "since": conversation.since.to_string(),
        "reason": conversation.reason,
        "opened_at": conversation.opened_at.to_string(),
        "reopened": conversation.reopened,
        "assignee": conversation.assignee.as_ref().map(party_json),
        "team": conversation.team.as_ref().map(|team| team.name.as_ref().or(team.id.as_ref())),
        "priority": conversation.priority,
        "tags": conversation.tags,
        "waiting_on": conversation.waiting_on,
        "waiting_since": text(conversation.waiting_since),
        "call_since": text(conversation.call_since),
        "due": due.collect::<Vec<_>>(),
        "last": conversation.last.as_ref().map(last_json),
        "merged_into": conversation.merged_into,
        "n_contacts": conversation.n_contacts,
    })
}

fn party_json(party: &Party) -> Value {
    json!({"id": party.id, "name": party.name})
}

fn last_json(last: &LastMessage) -> Value {
    json!({
        "at": last.at.to_string(),
        "channel": last.channel.name(),
        "direction": last.direction.name(),
        "actor": last.actor.name(),
        "name": last.actor_name,
        "text": last.text,
        "event": last.event.to_string(),
    })
}

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}
