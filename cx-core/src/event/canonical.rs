//! JSON as text with the fields of every object in alphabetical order, written in one pass.
//!
//! The same text as `serde_json::to_string(&serde_json::to_value(value)?)`, at a fraction of the
//! cost: there is no tree of values in between.

use std::borrow::Cow;
use std::ops::Range;

use serde::ser::{self, Error as _, Impossible, Serialize, Serializer};
use serde_json::Error;

/// The name under which `serde_json` hands over a number that is kept as it was written.
const NUMBER: &str = "$serde_json::private::Number";

/// Writes a value behind what stands in the text.
///
/// # Errors
/// Where a value refuses to be written, or the name of a field is no text.
pub(super) fn write<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    value.serialize(Writer { text })
}

/// Writes a text in quotes; most have nothing in them that has to be escaped.
fn write_text(text: &mut Vec<u8>, value: &str) -> Result<(), Error> {
    let is_escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // Not until the first one: without branches it is many bytes at a time.
    if value.bytes().fold(false, |any, byte| any | is_escaped(byte)) {
        return serde_json::to_writer(text, value);
    }
    put_in_quotes(text, value);
    Ok(())
}

fn put_in_quotes(text: &mut Vec<u8>, value: &str) {
    text.reserve(value.len() + 2);
    text.push(b'"');
    text.extend_from_slice(value.as_bytes());
    text.push(b'"');
}

/// Most objects have no more fields than this.
const FEW: usize = 8;

/// A field of an object: its name, and where it stands with it: `"name":value`.
pub(super) type Placed = (Cow<'static, str>, Range<usize>);

/// An object that is being written.
pub(crate) struct Object<'a> {
    text: &'a mut Vec<u8>,
    start: usize,
    fields: Vec<Placed>,
    is_sorted: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(text: &'a mut Vec<u8>) -> Self {
        let start = text.len();
        text.push(b'{');
        Self { text, start, fields: Vec::new(), is_sorted: true }
    }

    /// Writes a field.
    pub(super) fn field<T: Serialize + ?Sized>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: &T,
    ) -> Result<(), Error> {
        self.field_unless(name.into(), b"", |text| write(text, value))
    }

    /// Writes a field whose value writes itself, unless the value is this text, or refuses to be
    /// written.
    pub(super) fn unless(
        &mut self,
        name: Cow<'static, str>,
        empty: &[u8],
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) {
        let before = self.text.len();
        if self.field_unless(name, empty, value).is_err() {
            self.text.truncate(before);
        }
    }

    fn field_unless(
        &mut self,
        name: Cow<'static, str>,
        empty: &[u8],
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let before = self.text.len();
        if !self.fields.is_empty() {
            self.text.push(b',');
        }
        let start = self.text.len();
        match &name {
            // Names that stand in the code have nothing in them that would have to be escaped.
            Cow::Borrowed(name) => put_in_quotes(self.text, name),
            Cow::Owned(name) => write_text(self.text, name)?,
        }
        self.text.push(b':');
        let value_start = self.text.len();
        value(self.text)?;
        if self.text.get(value_start..) == Some(empty) {
            self.text.truncate(before);
            return Ok(());
        }
        self.is_sorted &= self.fields.last().is_none_or(|(last, _)| *last < name);
        // Many objects stay empty, and are not written at all.
        if self.fields.is_empty() {
            self.fields.reserve(FEW);
        }
        self.fields.push((name, start..self.text.len()));
        Ok(())
    }

    /// Closes the object; gives its fields in order. Of two with one name the last one counts.
    pub(super) fn end(mut self) -> Vec<Placed> {
        self.close();
        self.fields
    }

    fn close(&mut self) {
        if !self.is_sorted {
            self.sort();
        }
        self.text.push(b'}');
    }

    fn sort(&mut self) {
        self.fields.sort_by(|(a, at), (b, other)| a.cmp(b).then(other.start.cmp(&at.start)));
        self.fields.dedup_by(|later, earlier| later.0 == earlier.0);
        let mut sorted = Vec::with_capacity(self.text.len() - self.start);
        for (_, place) in &mut self.fields {
            if !sorted.is_empty() {
                sorted.push(b',');
            }
            let start = self.start + 1 + sorted.len();
            sorted.extend_from_slice(self.text.get(place.clone()).unwrap_or_default());
            *place = start..self.start + 1 + sorted.len();
        }
        self.text.truncate(self.start + 1);
        self.text.extend_from_slice(&sorted);
    }
}

struct Writer<'a> {
    text: &'a mut Vec<u8>,
}

/// Hands a value to `serde_json`, which writes it as it stands in any order of fields.
macro_rules! as_it_is {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<(), Error> {
            serde_json::to_writer(self.text, &value)
        })*
    };
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    as_it_is! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char, serialize_bytes: &[u8],
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        write_text(self.text, value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.text.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = Object::begin(self.text);
        object.field(variant, value)?;
        object.end();
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<List<'a>, Error> {
        self.text.push(b'[');
        Ok(List { text: self.text, is_empty: true, end: "]" })
    }

    fn serialize_tuple(self, length: usize) -> Result<List<'a>, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _name: &'static str, length: usize) -> Result<List<'a>, Error> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<List<'a>, Error> {
        begin_variant(self.text, variant);
        self.text.push(b'[');
        Ok(List { text: self.text, is_empty: true, end: "]}" })
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Fields<'a>, Error> {
        Ok(Fields::Object { object: Object::begin(self.text), name: None, end: "" })
    }

    fn serialize_struct(self, name: &'static str, _length: usize) -> Result<Fields<'a>, Error> {
        if name == NUMBER {
            return Ok(Fields::Number { text: self.text });
        }
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Fields<'a>, Error> {
        begin_variant(self.text, variant);
        Ok(Fields::Object { object: Object::begin(self.text), name: None, end: "}" })
    }
}

fn begin_variant(text: &mut Vec<u8>, variant: &'static str) {
    text.push(b'{');
    put_in_quotes(text, variant);
    text.push(b':');
}

struct List<'a> {
    text: &'a mut Vec<u8>,
    is_empty: bool,
    end: &'static str,
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_empty) {
            self.text.push(b',');
        }
        write(self.text, value)
    }

    fn close(self) {
        self.text.extend_from_slice(self.end.as_bytes());
    }
}

macro_rules! lists {
    ($($trait:ident: $method:ident),*) => {
        $(impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        })*
    };
}

lists!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

enum Fields<'a> {
    Object {
        object: Object<'a>,
        name: Option<String>,
        end: &'static str,
    },
    /// A number as it was written: its one field is its digits.
    Number {
        text: &'a mut Vec<u8>,
    },
}

impl Fields<'_> {
    fn put<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        match self {
            Self::Object { object, .. } => object.field(name, value),
            Self::Number { text } => {
                let digits = value.serialize(Name)?;
                text.extend_from_slice(digits.as_bytes());
                Ok(())
            }
        }
    }

    fn close(self) {
        if let Self::Object { mut object, end, .. } = self {
            object.close();
            object.text.extend_from_slice(end.as_bytes());
        }
    }
}

impl ser::SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        if let Self::Object { name, .. } = self {
            *name = Some(key.serialize(Name)?);
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let Self::Object { object, name, .. } = self else { return Ok(()) };
        let name = name.take().ok_or_else(|| Error::custom("a value without a name"))?;
        object.field(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.put(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl ser::SerializeStructVariant for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.put(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

/// The name of a field: a text, or what is written as one.
struct Name;

fn no_name() -> Error {
    Error::custom("the name of a field must be a text")
}

macro_rules! names {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<String, Error> {
            Ok(value.to_string())
        })*
    };
}

impl Serializer for Name {
    type Ok = String;
    type Error = Error;
    type SerializeSeq = Impossible<String, Error>;
    type SerializeTuple = Impossible<String, Error>;
    type SerializeTupleStruct = Impossible<String, Error>;
    type SerializeTupleVariant = Impossible<String, Error>;
    type SerializeMap = Impossible<String, Error>;
    type SerializeStruct = Impossible<String, Error>;
    type SerializeStructVariant = Impossible<String, Error>;

    names! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_char: char,
        serialize_str: &str,
    }

    fn serialize_f32(self, _: f32) -> Result<String, Error> {
        Err(no_name())
    }

    fn serialize_f64(self, _: f64) -> Result<String, Error> {
        Err(no_name())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<String, Error> {
        Err(no_name())
    }

    fn serialize_none(self) -> Result<String, Error> {
        Err(no_name())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<String, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<String, Error> {
        Err(no_name())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<String, Error> {
        Err(no_name())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<String, Error> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<String, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, Error> {
        Err(no_name())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Err(no_name())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Err(no_name())
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        Err(no_name())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(no_name())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Err(no_name())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Error> {
        Err(no_name())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(no_name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::{Map, Value, json};

    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Pair(i8, f64),
        Fields { z: char, a: Option<u8> },
    }

    #[derive(Serialize)]
    struct Everything {
        zeta: Shape,
        alpha: Vec<Shape>,
        middle: BTreeMap<u16, (bool, f32)>,
        #[serde(flatten)]
        further: Map<String, Value>,
        big: u128,
        nothing: Option<()>,
    }

    fn check<T: Serialize>(value: &T) {
        let mut text = b"before".to_vec();
        super::write(&mut text, value).unwrap();
        let expected = serde_json::to_string(&serde_json::to_value(value).unwrap()).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), format!("before{expected}"));
    }

    #[test]
    fn whatever_is_written_is_what_a_sorted_tree_of_values_gives() {
        let further =
            json!({"alpha2": 1.50, "zz\"": {"b": [], "a": {}}, "Alpha": null, "é": "\u{7}"});
        let shapes = vec![Shape::Unit, Shape::New(3), Shape::Pair(-1, f64::NAN)];
        check(&Everything {
            zeta: Shape::Fields { z: '"', a: None },
            alpha: shapes,
            middle: [(10, (true, 0.1)), (9, (false, f32::INFINITY))].into(),
            further: further.as_object().unwrap().clone(),
            big: u128::MAX,
            nothing: None,
        });
        let number: Value = serde_json::from_str("123456789012345678901234567890.10e-3").unwrap();
        check(&number);
    }

    #[test]
    fn of_two_fields_with_one_name_the_last_one_counts() {
        let further = json!({"zeta": 1, "alpha": 2});
        let shapes = || vec![Shape::New(1)];
        check(&Everything {
            zeta: Shape::Unit,
            alpha: shapes(),
            middle: BTreeMap::new(),
            further: further.as_object().unwrap().clone(),
            big: 0,
            nothing: Some(()),
        });
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_is_written_as_serde_json_writes_it(value in values()) {
            check(&value);
        }
    }
}
