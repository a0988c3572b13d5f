//! The key of an encrypted store, as Python gives it.

use cx_store::EncryptionKey;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::convert::type_name;
use crate::error::BindingError;

/// The text of a key file, or the 32 bytes of a raw key. No error shows what was given.
pub(crate) fn key(given: Option<&Bound<'_, PyAny>>) -> Result<Option<EncryptionKey>, BindingError> {
    let wrong = |what: &str, problem: String| BindingError::argument("key", what, problem);
    let Some(given) = given else { return Ok(None) };
    if let Ok(bytes) = given.cast::<PyBytes>() {
        let bytes = bytes.as_bytes();
        let Ok(raw) = <[u8; 32]>::try_from(bytes) else {
            let problem = format!("a raw key has 32 bytes, not {}", bytes.len());
            return Err(wrong("bytes", problem));
        };
        return Ok(Some(EncryptionKey::raw(raw)));
    }
    if let Ok(text) = given.cast::<PyString>() {
        let key = text.to_str()?.parse();
        return key.map(Some).map_err(|error: cx_store::KeyError| wrong("str", error.to_string()));
    }
    let problem = format!("a key is a str or 32 bytes, not {}", type_name(given));
    Err(PyTypeError::new_err(problem).into())
}
