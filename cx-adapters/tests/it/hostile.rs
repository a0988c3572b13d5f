//! Whatever the bytes: every format comes to an end, nothing panics, and every problem has a
//! place.

use cx_adapters::{Format, format};
use proptest::prelude::*;
use serde_json::Value;

use crate::payloads::options;

/// Payloads of every format, to be spoilt.
fn payloads() -> Vec<(Format, Vec<u8>)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/payloads");
    let mut payloads = Vec::new();
    for format in Format::ALL {
        let Ok(entries) = std::fs::read_dir(root.join(format.name())) else { continue };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        payloads.extend(files.into_iter().map(|file| (*format, std::fs::read(file).unwrap())));
    }
    payloads
}

fn check(format: Format, bytes: &[u8]) {
    for record in format::events(format, bytes, &options()) {
        match record {
            Ok(event) => {
                let text = serde_json::to_string(&event).unwrap();
                let back: cx_core::event::Event = serde_json::from_str(&text).unwrap();
                assert_eq!(back, event);
            }
            Err(error) => assert!(!error.problem.is_empty()),
        }
    }
}

/// Replaces the n-th value of a document by another one.
fn spoil(value: &mut Value, n: &mut usize, with: &Value) {
    if *n == 0 {
        *value = with.clone();
    }
    *n = n.wrapping_sub(1);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, n, with)),
        Value::Object(fields) => fields.values_mut().for_each(|field| spoil(field, n, with)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_the_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for format in Format::ALL {
            check(*format, &bytes);
        }
    }

    #[test]
    fn a_spoilt_value_spoils_no_more_than_its_record(which in any::<prop::sample::Index>(), at in 0_usize..300, with in prop_oneof![
        Just(Value::Null), Just(Value::Bool(true)), Just(Value::from(-1)), Just(Value::from("")), Just(Value::from("9999999999999999999")),
        Just(serde_json::json!([])), Just(serde_json::json!({})), Just(serde_json::json!([[null], {"id": []}])), Just(Value::from("\u{0}\u{202e}")),
    ]) {
        let payloads = payloads();
        let (format, bytes) = which.get(&payloads);
        if let Ok(mut value) = serde_json::from_slice::<Value>(bytes) {
            spoil(&mut value, &mut at.clone(), &with);
            check(*format, serde_json::to_string(&value).unwrap().as_bytes());
        }
    }

    #[test]
    fn a_file_cut_short_or_with_a_flipped_byte_is_read_to_the_end(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let payloads = payloads();
        let (format, bytes) = which.get(&payloads);
        let at = at.index(bytes.len());
        let mut bytes = bytes.clone();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        check(*format, &bytes);
    }
}
