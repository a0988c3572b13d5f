//! A foreign Arrow stream, read through the C interface.
//!
//! arrow-array has such a reader too, but it refuses the null columns of polars, which come with
//! a buffer that the format does not know (polars issue 22934). A frame with a column of nothing
//! but `None` is everyday work, so the stream is read here, and those buffers are overlooked.
#![expect(unsafe_code, reason = "the Arrow C interface consists of raw pointers")]

use std::ffi::{CStr, c_int, c_void};

use arrow_array::ffi::{FFI_ArrowArray, from_ffi_and_data_type};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchOptions, StructArray};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};

use crate::error::BindingError;

/// A stream of batches that all have one schema.
pub(crate) struct Stream {
    raw: FFI_ArrowArrayStream,
    schema: SchemaRef,
}

impl Stream {
    /// Takes the stream out of a capsule; the capsule holds a released one afterwards.
    ///
    /// # Errors
    /// Where the capsule is of another kind, was used before, or its schema cannot be read.
    pub(crate) fn from_capsule(capsule: &Bound<'_, PyCapsule>) -> Result<Self, BindingError> {
        let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"))?;
        // SAFETY: the capsule has the name that the Arrow PyCapsule interface reserves for a
        // pointer to an initialised `ArrowArrayStream`, and it is alive for the whole call.
        // `from_raw` moves the stream out and leaves a released one behind, as that interface
        // asks of a consumer, so nothing is dropped twice.
        let mut raw = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr().cast()) };
        if raw.release().is_none() {
            return Err(broken("the stream was read before: ask for a fresh one").into());
        }
        let get_schema = raw.get_schema().ok_or_else(|| broken("the stream has no schema"))?;
        let mut schema = FFI_ArrowSchema::empty();
        // SAFETY: the callback belongs to this stream, which is initialised and not released;
        // `schema` is valid for writing.
        let code = unsafe { get_schema(&raw mut raw, &raw mut schema) };
        if code != 0 {
            return Err(last_error(&mut raw, code).into());
        }
        let schema = Schema::try_from(&schema)?.into();
        Ok(Self { raw, schema })
    }

    /// What every batch holds.
    pub(crate) const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let get_next = self.raw.get_next().ok_or_else(|| broken("the stream has no batches"))?;
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: the callback belongs to this stream, which is initialised and not released;
        // `array` is valid for writing.
        let code = unsafe { get_next(&raw mut self.raw, &raw mut array) };
        if code != 0 {
            return Err(last_error(&mut self.raw, code));
        }
        if array.is_released() {
            return Ok(None);
        }
        let holds = DataType::Struct(self.schema.fields().clone());
        // SAFETY: `array` was just filled by the producer according to its own schema, and
        // nothing else points to it. `RawArray` is the struct that the C interface fixes.
        unsafe { overlook_buffers_of_nulls((&raw mut array).cast::<RawArray>(), &holds) };
        // SAFETY: the producer promises arrays of its schema; that is the interface's contract.
        let data = unsafe { from_ffi_and_data_type(array, holds) }?;
        let n_rows = data.len();
        let (_, columns, _) = StructArray::from(data).into_parts();
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), columns, &options)
            .map(Some)
    }
}

impl Iterator for Stream {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// `struct ArrowArray` of the Arrow C data interface, whose layout never changes.
#[repr(C)]
struct RawArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut Self,
    dictionary: *mut Self,
    release: Option<unsafe extern "C" fn(*mut Self)>,
    private_data: *mut c_void,
}

/// Arrays of type null have no buffers. Some producers give them one that points nowhere: say
/// that it is not there. Buffers that point somewhere are left for arrow-array to refuse.
///
/// # Safety
/// `array` points to an initialised array of type `holds`, and nothing else reads or writes it.
unsafe fn overlook_buffers_of_nulls(array: *mut RawArray, holds: &DataType) {
    // SAFETY: promised by the caller.
    let Some(array) = (unsafe { array.as_mut() }) else { return };
    match holds {
        DataType::Null if array.n_buffers == 1 && !array.buffers.is_null() => {
            // SAFETY: the interface says that `buffers` holds `n_buffers` pointers.
            let nowhere = unsafe { (*array.buffers).is_null() };
            array.n_buffers = i64::from(!nowhere);
        }
        DataType::Struct(fields) => {
            for (position, field) in fields.iter().enumerate() {
                // SAFETY: `array` is initialised and of type `holds`.
                unsafe { overlook_in_child(array, position, field.data_type()) };
            }
        }
        DataType::List(field) | DataType::LargeList(field) => {
            // SAFETY: `array` is initialised and of type `holds`.
            unsafe { overlook_in_child(array, 0, field.data_type()) };
        }
        _ => {}
    }
}

/// # Safety
/// `array` is initialised, and its child at `position`, if it has that many, is of type `holds`.
unsafe fn overlook_in_child(array: &mut RawArray, position: usize, holds: &DataType) {
    let there = i64::try_from(position).is_ok_and(|position| position < array.n_children);
    if there && !array.children.is_null() {
        // SAFETY: the interface says that `children` holds `n_children` pointers to arrays that
        // belong to this one alone.
        unsafe { overlook_buffers_of_nulls(*array.children.add(position), holds) };
    }
}

/// What the producer says went wrong.
fn last_error(stream: &mut FFI_ArrowArrayStream, code: c_int) -> ArrowError {
    let said = stream.get_last_error().and_then(|get_last_error| {
        // SAFETY: the callback belongs to this stream, and the last call on it failed.
        let text = unsafe { get_last_error(stream) };
        if text.is_null() {
            return None;
        }
        // SAFETY: the producer owns the text and keeps it until the next call on the stream.
        let text = unsafe { CStr::from_ptr(text) };
        Some(text.to_string_lossy().into_owned())
    });
    broken(&said.unwrap_or_else(|| format!("the stream failed with code {code}")))
}

fn broken(problem: &str) -> ArrowError {
    ArrowError::CDataInterface(problem.to_owned())
}
