//! Tolerant reading of a znode's data.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::remarks::Remarks;
use super::{Decoded, MAX_READ, draining, owner};
use crate::quoted::shorten;
use crate::{DEFAULT_WEIGHT, Endpoint, Instance, JsonType, Remark};

/// Makes an instance of an endpoint and any data.
pub(super) fn instance(endpoint: Endpoint, data: &[u8]) -> Decoded {
    let mut remarks = Remarks::default();
    let mut instance = Instance::new(endpoint);
    if let Some(mut fields) = object(data, &mut remarks) {
        instance = instance.with_weight(weight(take_field(&mut fields, "Weight"), &mut remarks));
        let mut tags = tags(take_field(&mut fields, "Tags"), &mut remarks);
        instance = instance.with_draining(draining::take(&mut tags, &mut remarks));
        if let Some(owner) = owner::take(&mut tags, &mut remarks) {
            instance = instance.with_owner(owner);
        }
        instance = instance.with_tags(tags);
        for field in fields.keys() {
            remarks.push(Remark::UnknownField { field: shorten(field) });
        }
    }
    Decoded { instance, remarks: remarks.into_vec() }
}

fn object(data: &[u8], remarks: &mut Remarks) -> Option<Map<String, Value>> {
    if data.is_empty() {
        return None;
    }
    if data.len() > MAX_READ {
        remarks.push(Remark::Oversized { len: data.len() });
        return None;
    }
    let Ok(text) = std::str::from_utf8(data) else {
        remarks.push(Remark::NotUtf8);
        return None;
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Some(fields),
        Ok(other) => {
            remarks.push(Remark::NotAnObject { found: JsonType::of(&other) });
            None
        }
        Err(error) => {
            remarks.push(Remark::NotJson { line: error.line(), column: error.column() });
            None
        }
    }
}

/// Takes a field by its name, or else by its name in another case, as readers in Go do.
fn take_field(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = fields.remove(name) {
        return Some(value);
    }
    let key = fields.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    fields.remove(&key)
}

fn weight(field: Option<Value>, remarks: &mut Remarks) -> u32 {
    let Some(value) = field else { return DEFAULT_WEIGHT };
    match value.as_u64().and_then(|weight| u32::try_from(weight).ok()) {
        Some(weight) => weight,
        None => {
            remarks.push(Remark::Weight { found: shorten(&value.to_string()) });
            DEFAULT_WEIGHT
        }
    }
}

fn tags(field: Option<Value>, remarks: &mut Remarks) -> BTreeMap<String, String> {
    let fields = match field {
        // Go writes a map that was never made as null.
        None | Some(Value::Null) => return BTreeMap::new(),
        Some(Value::Object(fields)) => fields,
        Some(other) => {
            remarks.push(Remark::Tags { found: JsonType::of(&other) });
            return BTreeMap::new();
        }
    };
    let mut tags = BTreeMap::new();
    for (key, value) in fields {
        match value {
            Value::String(value) => {
                tags.insert(key, value);
            }
            other => {
                remarks.push(Remark::TagValue { key: shorten(&key), found: JsonType::of(&other) });
            }
        }
    }
    tags
}
