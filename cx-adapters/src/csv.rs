//! Tables with a header line: an event a row.
//!
//! The columns are those of [`columns::NAMES`], or are named so by a map. A row without a key gets
//! one from its content, so that importing it again is a duplicate.

use cx_core::actor::{Actor, ActorType};
use cx_core::event::{Event, FieldError, Kind};
use serde_json::{Map, Value, json};

use crate::columns::{self, Columns};
use crate::json::{self, Moment};
use crate::{Options, Record, RecordError};

/// The events of a table. The separator is whichever of `,` `;` tab and `|` the header has most of.
///
/// ```
/// let table = "id;when;e-mail;text\n1;2026-03-02 09:12;jan@example.nl;Where is my order?";
/// let mut options = cx_adapters::Options::of("acme");
/// options.columns = "occurred_at=when, email=e-mail, zone=Europe/Amsterdam".parse()?;
/// let events: Vec<_> = cx_adapters::csv::events(table.as_bytes(), &options).collect();
/// let event = events[0].clone()?;
/// assert_eq!(event.occurred_at.to_string(), "2026-03-02T08:12:00Z");
/// assert_eq!(event.who[0].identifier().key(), "jan@example.nl");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn events<'a>(bytes: &'a [u8], options: &'a Options) -> Box<dyn Iterator<Item = Record> + 'a> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.trim_ascii().is_empty() {
        return Box::new(std::iter::empty());
    }
    let mut reader =
        ::csv::ReaderBuilder::new().delimiter(delimiter(bytes)).flexible(true).from_reader(bytes);
    let header = match reader.byte_headers() {
        Ok(header) => header.clone(),
        Err(error) => return Box::new(std::iter::once(Err(unreadable(&error)))),
    };
    let header: Vec<String> =
        header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    let mut problems = Vec::new();
    for (name, column) in options.columns.renamed() {
        if !header.iter().any(|known| known == column) {
            problems.push(Err(RecordError::new(format!(
                "no column {column:?} for {name}; there are {}",
                header.join(", ")
            ))
            .on_line(1)
            .at(column.to_owned())));
        }
    }
    let rows = reader.into_byte_records().map(move |row| {
        let row = row.map_err(|error| unreadable(&error))?;
        let line = row.position().map_or(0, ::csv::Position::line);
        let read = || {
            if row.len() != header.len() {
                return Err(RecordError::new(format!(
                    "{} fields where the header has {}",
                    row.len(),
                    header.len()
                )));
            }
            let mut fields = Map::new();
            for (name, value) in header.iter().zip(&row) {
                let text = std::str::from_utf8(value).map_err(|error| {
                    RecordError::new(format!("not UTF-8: {error}")).at(name.clone())
                })?;
                if !text.trim().is_empty() {
                    fields.insert(name.clone(), Value::String(text.to_owned()));
                }
            }
            Row { fields, options }.event()
        };
        read().map_err(|error| error.on_line(line))
    });
    Box::new(problems.into_iter().chain(rows))
}

fn unreadable(error: &::csv::Error) -> RecordError {
    let line = error.position().map(::csv::Position::line);
    RecordError { line, ..RecordError::new(format!("not a row: {error}")) }
}

fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |wanted: u8| header.split(|byte| *byte == wanted).count();
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|wanted| count(*wanted)).unwrap_or(b',')
}

/// A row: its fields that are not empty.
struct Row<'a> {
    fields: Map<String, Value>,
    options: &'a Options,
}

impl Row<'_> {
    fn columns(&self) -> &Columns {
        &self.options.columns
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let column = self.columns().named(name).to_owned();
        match self.fields.remove(&column) {
            Some(Value::String(text)) => Some(text.trim().to_owned()),
            _ => None,
        }
    }

    /// A problem, told with the file's own name of the column.
    fn problem(&self, name: &str, value: &str, problem: impl Into<String>) -> RecordError {
        RecordError::new(problem).at(self.columns().named(name).to_owned()).with_value(value)
    }

    fn event(mut self) -> Record {
        let digest = self.digest();
        let moment = self.moment()?;
        let mut json = Map::new();
        let system = self.take("source_system").unwrap_or_else(|| "csv".to_owned());
        let instance =
            self.take("source_instance").unwrap_or_else(|| self.options.instance.trim().to_owned());
        let object = self.take("source_object").unwrap_or_else(|| "row".to_owned());
        let id = self.take("id").unwrap_or(digest);
        let scope =
            if instance.is_empty() { system.clone() } else { format!("{system}:{instance}") };
        let key = self.take("key").unwrap_or_else(|| format!("{scope}/{object}/{id}"));
        json.insert("key".to_owned(), key.into());
        json.insert(
            "source".to_owned(),
            json!({"system": system, "instance": instance, "object": object, "id": id}),
        );
        json.insert("occurred_at".to_owned(), moment.at.to_string().into());
        if let Some(offset) = moment.offset {
            json.insert("utc_offset".to_owned(), serde_json::to_value(offset).unwrap_or_default());
        }
        for name in ["rev", "channel", "direction", "visibility", "name"] {
            if let Some(value) = self.take(name) {
                json.insert(name.to_owned(), value.into());
            }
        }
        if let Some(seq) = self.take("seq") {
            let number: u64 =
                seq.parse().map_err(|_| self.problem("seq", &seq, "not a whole number"))?;
            json.insert("seq".to_owned(), number.into());
        }
        self.who(&mut json, &scope);
        if let Some(conversation) = self.take("conversation") {
            let mut reference = json!({"key": format!("{scope}/conversation/{conversation}")});
            if let (Some(subject), Some(fields)) = (self.take("subject"), reference.as_object_mut())
            {
                fields.insert("subject".to_owned(), subject.into());
            }
            json.insert("conversation".to_owned(), reference);
        }
        let text = self.take("text");
        let kind = self.take("kind").or_else(|| text.as_ref().map(|_| "message".to_owned()));
        let kind = kind.ok_or_else(|| {
            RecordError::new("missing, and there is no text either")
                .at(self.columns().named("kind").to_owned())
        })?;
        if let Some(text) = text {
            let mut body = json!({"text": text});
            if let (Some(lang), Some(fields)) = (self.take("lang"), body.as_object_mut()) {
                fields.insert("lang".to_owned(), lang.into());
            }
            json.insert("body".to_owned(), body);
        }
        let data = self.data(&kind)?;
        json.insert("kind".to_owned(), kind.into());
        json.insert("data".to_owned(), Value::Object(data));
        self.actor(&mut json);
        json.insert("extra".to_owned(), Value::Object(std::mem::take(&mut self.fields)));
        Event::from_json(json).map_err(|error| self.named(error))
    }

    /// An error of a field, told with the column it came from.
    fn named(&self, error: FieldError) -> RecordError {
        let field = error.pointer.trim_start_matches('/').replace('/', ".");
        let known = columns::NAMES.contains(&field.as_str()) || field.starts_with("data.");
        let place = if known { self.columns().named(&field).to_owned() } else { field };
        RecordError { pointer: Some(place), ..RecordError::from(error) }
    }

    fn digest(&self) -> String {
        let text = serde_json::to_string(&self.fields).unwrap_or_default();
        blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect()
    }

    fn moment(&mut self) -> Result<Moment, RecordError> {
        let column = self.columns().named("occurred_at").to_owned();
        let text =
            self.take("occurred_at").ok_or_else(|| RecordError::new("missing").at(column))?;
        let read = json::instant(&text);
        let local = || {
            let zone = jiff::tz::TimeZone::get(self.columns().zone()?).ok()?;
            let naive = text
                .parse::<jiff::civil::DateTime>()
                .ok()
                .or_else(|| Some(text.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0)))?;
            let at = zone.to_ambiguous_zoned(naive).compatible().ok()?;
            let minutes = i16::try_from(at.offset().seconds() / 60).ok()?;
            let at = cx_core::time::Timestamp::from_micros(at.timestamp().as_microsecond()).ok()?;
            Some(Moment { at, offset: cx_core::time::UtcOffset::from_minutes(minutes) })
        };
        match read {
            Ok(moment) => Ok(moment),
            Err(problem) => local().ok_or_else(|| self.problem("occurred_at", &text, problem)),
        }
    }

    /// The claims of a row: each identifier in a column of its own.
    fn who(&mut self, json: &mut Map<String, Value>, scope: &str) {
        let role = self.take("role").unwrap_or_else(|| "subject".to_owned());
        let assurance = self.take("assurance").unwrap_or_else(|| "channel_proved".to_owned());
        let mut claims = Vec::new();
        let namespaces = ["email", "phone", "user_id", "external_id", "cookie", "wa_id", "order"];
        for namespace in namespaces {
            let Some(value) = self.take(namespace) else { continue };
            if cx_core::text::is_placeholder(&value) || self.is_own(namespace, &value) {
                self.fields.insert(namespace.to_owned(), value.into());
                continue;
            }
            let mut claim =
                json!({"ns": namespace, "value": value, "role": role, "assurance": assurance});
            if let Some(fields) = claim.as_object_mut() {
                if matches!(namespace, "user_id" | "external_id" | "order") {
                    fields.insert("scope".to_owned(), scope.into());
                }
                if let (true, Some(region)) = (namespace == "phone", &self.options.region) {
                    fields.insert("region".to_owned(), region.clone().into());
                }
            }
            claims.push(claim);
        }
        json.insert("who".to_owned(), Value::Array(claims));
    }

    fn is_own(&self, namespace: &str, value: &str) -> bool {
        namespace == "email" && self.options.is_own_address(value)
    }

    /// Who did it: as the row says, else the customer for what came in and an agent for what went
    /// out.
    fn actor(&mut self, json: &mut Map<String, Value>) {
        let direction = json.get("direction").and_then(Value::as_str).unwrap_or_default();
        let kind = match direction {
            "in" => Actor::of(ActorType::Customer),
            "out" => Actor::of(ActorType::Agent),
            _ => Actor::default(),
        };
        let mut actor = json!({"type": kind.kind.name()});
        if let Some(fields) = actor.as_object_mut() {
            for (column, field) in [("actor", "type"), ("actor_id", "id"), ("actor_name", "name")] {
                if let Some(value) = self.take(column) {
                    fields.insert(field.to_owned(), value.into());
                }
            }
        }
        json.insert("actor".to_owned(), actor);
    }

    /// The kind's data. A value is text first; where the kind wants a number or a truth value, it
    /// is read as one.
    fn data(&mut self, kind: &str) -> Result<Map<String, Value>, RecordError> {
        let renamed: Vec<(String, String)> = self
            .columns()
            .renamed()
            .filter(|(name, _)| name.starts_with("data."))
            .map(|(name, column)| (name.to_owned(), column.to_owned()))
            .collect();
        let mut data = Map::new();
        let own: Vec<String> =
            self.fields.keys().filter(|name| name.starts_with("data.")).cloned().collect();
        let own = own.into_iter().map(|name| (name.clone(), name));
        for (name, column) in renamed.into_iter().chain(own) {
            if let (Some(field), Some(value)) =
                (name.strip_prefix("data."), self.fields.remove(&column))
            {
                data.insert(field.to_owned(), value);
            }
        }
        // Each round reads one more field as JSON, so it ends.
        for _ in 0..=data.len() {
            let Err(error) = Kind::from_json(kind, data.clone()) else { break };
            let field = error
                .pointer
                .trim_start_matches("/data/")
                .split('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            let read = data
                .get(&field)
                .and_then(Value::as_str)
                .and_then(|text| serde_json::from_str(text).ok());
            match read {
                Some(value) => data.insert(field, value),
                None => return Err(self.named(error)),
            };
        }
        Ok(data)
    }
}
