//! Reading and writing JSON objects field by field, with the place of whatever is wrong.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::canonical::{self, Object};
use crate::time::{Timestamp, UtcOffset};

/// What is wrong with a field of a record, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {problem}")]
pub struct FieldError {
    /// Where the field stands: a JSON pointer (RFC 6901) such as `/who/0/value`.
    pub pointer: String,
    /// The value that stands there, shortened; `None` where there is none.
    pub value: Option<String>,
    /// What is wrong with it.
    pub problem: String,
}

impl FieldError {
    /// A field that must be there and is not.
    pub fn missing(pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), value: None, problem: "missing".to_owned() }
    }

    /// A field whose value cannot be what it should be.
    pub fn malformed(
        pointer: impl Into<String>,
        value: &Value,
        problem: impl Into<String>,
    ) -> Self {
        let value = crate::text::first_words(&value.to_string(), 80);
        Self { pointer: pointer.into(), value: Some(value), problem: problem.into() }
    }
}

/// Takes fields out of an object; what is left at the end is unknown.
pub(crate) struct Reader<'a> {
    object: &'a mut Map<String, Value>,
    place: &'a str,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(object: &'a mut Map<String, Value>, place: &'a str) -> Self {
        Self { object, place }
    }

    fn pointer(&self, field: &str) -> String {
        format!("{}/{field}", self.place)
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.object.remove(field).filter(|value| !value.is_null())
    }

    pub(crate) fn required<T: DeserializeOwned>(&mut self, field: &str) -> Result<T, FieldError> {
        self.optional(field)?.ok_or_else(|| FieldError::missing(self.pointer(field)))
    }

    pub(crate) fn optional<T: DeserializeOwned>(
        &mut self,
        field: &str,
    ) -> Result<Option<T>, FieldError> {
        let Some(value) = self.take(field) else { return Ok(None) };
        read(&value, self.pointer(field)).map(Some)
    }

    pub(crate) fn list<T: DeserializeOwned>(&mut self, field: &str) -> Result<Vec<T>, FieldError> {
        match self.take(field) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .into_iter()
                .enumerate()
                .map(|(position, item)| read(&item, format!("{}/{position}", self.pointer(field))))
                .collect(),
            Some(other) => Err(FieldError::malformed(self.pointer(field), &other, "not a list")),
        }
    }

    pub(crate) fn object(&mut self, field: &str) -> Result<Map<String, Value>, FieldError> {
        match self.take(field) {
            None => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object),
            Some(other) => Err(FieldError::malformed(self.pointer(field), &other, "not an object")),
        }
    }

    pub(crate) fn instant(
        &mut self,
        field: &str,
    ) -> Result<(Timestamp, Option<UtcOffset>), FieldError> {
        let text: String = self.required(field)?;
        Timestamp::parse_with_offset(&text).map_err(|error| {
            FieldError::malformed(self.pointer(field), &Value::String(text), error.to_string())
        })
    }
}

fn read<T: DeserializeOwned>(value: &Value, pointer: String) -> Result<T, FieldError> {
    let error = match T::deserialize(value) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    // JSON knows no difference between 9 and 9.0, and tables with gaps write the latter.
    let whole = whole(value).and_then(|value| T::deserialize(value).ok());
    whole.ok_or_else(|| FieldError::malformed(pointer, value, error.to_string()))
}

/// The value with the whole numbers in it that are written as fractions as whole numbers; `None`
/// where there are none.
fn whole(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) if number.is_f64() => {
            const EXACT: f64 = 9_007_199_254_740_992.0;
            let number = number.as_f64().filter(|it| it.abs() < EXACT)?;
            // It is written without a fraction where it has none.
            number.to_string().parse::<i64>().ok().map(Value::from)
        }
        Value::Object(fields) => {
            let mut fields = fields.clone();
            let mut is_any = false;
            for field in fields.values_mut() {
                if let Some(value) = whole(field) {
                    *field = value;
                    is_any = true;
                }
            }
            is_any.then_some(Value::Object(fields))
        }
        _ => None,
    }
}

/// Puts fields into an object; empty ones are left out. Of two with one name the last one counts.
pub(crate) enum Writer<'a> {
    /// Into a tree of values.
    Tree(&'a mut Map<String, Value>),
    /// Into a text.
    Text(Object<'a>),
}

impl Writer<'_> {
    pub(crate) fn value<T: Serialize + ?Sized>(&mut self, field: &'static str, value: &T) {
        match self {
            Self::Tree(tree) => match serde_json::to_value(value) {
                Ok(Value::Null) | Err(_) => {}
                Ok(value) => {
                    tree.insert(field.to_owned(), value);
                }
            },
            Self::Text(object) => {
                object.unless(field.into(), b"null", |text| canonical::write(text, value));
            }
        }
    }

    pub(crate) fn unless_default<T: Serialize + Default + PartialEq>(
        &mut self,
        field: &'static str,
        value: &T,
    ) {
        if *value != T::default() {
            self.value(field, value);
        }
    }

    pub(crate) fn unless_empty<T: Serialize>(&mut self, field: &'static str, values: &[T]) {
        if !values.is_empty() {
            self.value(field, values);
        }
    }

    /// Puts all fields of a map into the object, whatever they are.
    pub(crate) fn all(&mut self, of: &Map<String, Value>) {
        for (name, value) in of {
            match self {
                Self::Tree(tree) => {
                    tree.insert(name.clone(), value.clone());
                }
                Self::Text(object) => {
                    object.unless(name.clone().into(), b"", |text| canonical::write(text, value));
                }
            }
        }
    }

    /// Puts an object into the object, unless nothing is put into it.
    pub(crate) fn object(&mut self, field: &'static str, put: impl FnOnce(&mut Writer<'_>)) {
        match self {
            Self::Tree(tree) => {
                let mut object = Map::new();
                put(&mut Writer::Tree(&mut object));
                if !object.is_empty() {
                    tree.insert(field.to_owned(), Value::Object(object));
                }
            }
            Self::Text(object) => object.unless(field.into(), b"{}", |text| {
                let mut writer = Writer::Text(Object::begin(text));
                put(&mut writer);
                if let Writer::Text(object) = writer {
                    object.end();
                }
                Ok(())
            }),
        }
    }
}

/// A field of an event's data: how it is read where it is missing, and written where it is empty.
pub(crate) trait Field: Sized {
    fn take(reader: &mut Reader<'_>, name: &str) -> Result<Self, FieldError>;
    fn put(&self, writer: &mut Writer<'_>, name: &'static str);
    /// What stands next in a text; `None` for null.
    fn next<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Self>, A::Error>;
    /// What it is where nothing is written; `None` where something must be.
    fn absent() -> Option<Self>;
}

/// The data of a kind, read straight from a text: the same as through a tree of values, or an
/// error where that may find another, or none.
pub(crate) trait Data: Sized {
    fn read<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

/// Reads the data of a kind from its text; none is as good as an empty object.
pub(crate) fn read_data<T: Data>(text: Option<&RawValue>) -> Result<T, serde_json::Error> {
    struct Reading<T>(PhantomData<T>);
    impl<'de, T: Data> Visitor<'de> for Reading<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::read(map)
        }
    }
    let text = text.map_or("{}", RawValue::get);
    serde_json::Deserializer::from_str(text).deserialize_map(Reading(PhantomData))
}

/// A text that is only looked at: borrowed wherever nothing in it is escaped.
pub(crate) struct Glance<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Glance<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Looking;
        impl<'de> Visitor<'de> for Looking {
            type Value = Glance<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Glance(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Glance(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Looking)
    }
}

/// Puts what stands next into its place. A field that is written twice is left to the tree, in
/// which the last one counts.
pub(crate) fn fill<'de, A: MapAccess<'de>, T: Field>(
    place: &mut Option<T>,
    map: &mut A,
) -> Result<(), A::Error> {
    if place.is_some() {
        return Err(serde::de::Error::custom("written twice"));
    }
    *place = T::next(map)?;
    Ok(())
}

/// What was found of a field, or what it is without.
pub(crate) fn or_absent<T: Field, E: serde::de::Error>(found: Option<T>) -> Result<T, E> {
    found.or_else(T::absent).ok_or_else(|| E::custom("missing"))
}

impl<T: DeserializeOwned + Serialize> Field for Option<T> {
    fn take(reader: &mut Reader<'_>, name: &str) -> Result<Self, FieldError> {
        reader.optional(name)
    }

    fn put(&self, writer: &mut Writer<'_>, name: &'static str) {
        writer.value(name, self);
    }

    fn next<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Self>, A::Error> {
        Ok(map.next_value::<Self>()?.map(Some))
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: DeserializeOwned + Serialize> Field for Vec<T> {
    fn take(reader: &mut Reader<'_>, name: &str) -> Result<Self, FieldError> {
        reader.list(name)
    }

    fn put(&self, writer: &mut Writer<'_>, name: &'static str) {
        writer.unless_empty(name, self);
    }

    fn next<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Self>, A::Error> {
        map.next_value()
    }

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

/// Types of fields that must be there.
macro_rules! required_fields {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::event::fields::Field for $type {
            fn take(
                reader: &mut $crate::event::fields::Reader<'_>,
                name: &str,
            ) -> Result<Self, $crate::event::FieldError> {
                reader.required(name)
            }

            fn put(&self, writer: &mut $crate::event::fields::Writer<'_>, name: &'static str) {
                writer.value(name, self);
            }

            fn next<'de, A: serde::de::MapAccess<'de>>(
                map: &mut A,
            ) -> Result<Option<Self>, A::Error> {
                map.next_value()
            }

            fn absent() -> Option<Self> {
                None
            }
        })*
    };
}

required_fields!(String);

/// Types of fields that have a value where nothing is written, and are then not written.
macro_rules! defaulted_fields {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::event::fields::Field for $type {
            fn take(
                reader: &mut $crate::event::fields::Reader<'_>,
                name: &str,
            ) -> Result<Self, $crate::event::FieldError> {
                Ok(reader.optional(name)?.unwrap_or_default())
            }

            fn put(&self, writer: &mut $crate::event::fields::Writer<'_>, name: &'static str) {
                writer.unless_default(name, self);
            }

            fn next<'de, A: serde::de::MapAccess<'de>>(
                map: &mut A,
            ) -> Result<Option<Self>, A::Error> {
                map.next_value()
            }

            fn absent() -> Option<Self> {
                Some(Self::default())
            }
        })*
    };
}

defaulted_fields!(bool);

/// Declares the data of a kind: public fields, and `other` for the fields that cx does not know.
macro_rules! data {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Default)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
                /// Fields that this version of cx does not know, verbatim.
                pub other: serde_json::Map<String, serde_json::Value>,
            }

            impl $name {
                /// Reads the data from a JSON object.
                ///
                /// # Errors
                /// The place and the problem of the first field that is missing or malformed.
                pub fn from_json(
                    mut json: serde_json::Map<String, serde_json::Value>,
                ) -> Result<Self, $crate::event::FieldError> {
                    #[allow(unused_mut, unused_variables, clippy::allow_attributes, reason = "some kinds have no fields")]
                    let mut reader = $crate::event::fields::Reader::new(&mut json, "/data");
                    $(let $field = $crate::event::fields::Field::take(&mut reader, stringify!($field))?;)*
                    json.retain(|_, value| !value.is_null());
                    Ok(Self { $($field,)* other: json })
                }

                /// The data as a JSON object; empty fields are left out.
                pub fn to_json(&self) -> serde_json::Map<String, serde_json::Value> {
                    let mut json = serde_json::Map::new();
                    self.put(&mut $crate::event::fields::Writer::Tree(&mut json));
                    json
                }

                pub(crate) fn put(&self, writer: &mut $crate::event::fields::Writer<'_>) {
                    writer.all(&self.other);
                    $($crate::event::fields::Field::put(&self.$field, writer, stringify!($field));)*
                }
            }

            impl $crate::event::fields::Data for $name {
                fn read<'de, A: serde::de::MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
                    $(let mut $field: Option<$type> = None;)*
                    let mut other = serde_json::Map::new();
                    while let Some($crate::event::fields::Glance(name)) = map.next_key()? {
                        $(if name == stringify!($field) {
                            $crate::event::fields::fill(&mut $field, &mut map)?;
                            continue;
                        })*
                        other.insert(name.into_owned(), map.next_value()?);
                    }
                    other.retain(|_, value: &mut serde_json::Value| !value.is_null());
                    Ok(Self { $($field: $crate::event::fields::or_absent($field)?,)* other })
                }
            }
        )*
    };
}

pub(crate) use {data, defaulted_fields, required_fields};
