//! What has to be the same, and what may differ: ids, times, ports, and what follows from them.

use std::collections::HashMap;

use bytes::Bytes;
use http::Response;
use serde_json::Value;

/// Puts our ids in place of the recording's.
pub(crate) trait Translate {
    /// Ours, by theirs.
    fn ids(&self) -> &HashMap<String, String>;

    fn translate(&self, text: &str) -> String {
        self.ids()
            .iter()
            .fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    }
}

/// Fields whose values are of their own each time.
const FREE: [&str; 19] = [
    "id",
    "createdAt",
    "updatedAt",
    "lastUsedAt",
    "timestamp",
    "initialRunnerId",
    "ref",
    "url",
    "accessKey",
    "secret",
    "sessionToken",
    "storageUrl",
    "bucket",
    "total",
    "totalPages",
    "value",
    "expiresAt",
    "currentSnapshotUsage",
    "totalSnapshotQuota",
];

pub(crate) fn response(stage: &impl Translate, recorded: &Value, actual: &Response<Bytes>) -> Vec<String> {
    let mut differences = Vec::new();
    let status = actual.status().as_u16();
    if recorded["status"].as_u64() != Some(status.into()) {
        differences.push(format!(
            "status {status} instead of {}: {}",
            recorded["status"],
            String::from_utf8_lossy(actual.body())
        ));
        return differences;
    }
    differences.extend(headers(recorded, actual));
    let text = String::from_utf8_lossy(actual.body()).into_owned();
    if let Some(prefix) = recorded["body_prefix"].as_str() {
        let prefix = stage.translate(prefix);
        match (lenient(&prefix), serde_json::from_str::<Ordered>(&text)) {
            (Some(wanted), Ok(actual)) => value("", &wanted, &actual, true, &mut differences),
            _ => differences.push(format!("no JSON: {text}")),
        }
        if let (Some(summary), Ok(body)) = (recorded.get("summary"), serde_json::from_str::<Value>(&text)) {
            page(summary, &body, &mut differences);
        }
        return differences;
    }
    match &recorded["body"] {
        Value::Null => {}
        // A log: what it says is the builder's; that it is text is the contract.
        Value::String(_) if text.starts_with('#') => {}
        Value::String(wanted) if *wanted == text => {}
        Value::String(wanted) => differences.push(format!("body {text:?} instead of {wanted:?}")),
        wanted => {
            let wanted = stage.translate(&wanted.to_string());
            match (
                serde_json::from_str::<Ordered>(&wanted),
                serde_json::from_str::<Ordered>(&text),
            ) {
                (Ok(wanted), Ok(actual)) => {
                    value("", &wanted, &actual, false, &mut differences);
                }
                _ => differences.push(format!("no JSON: {text}")),
            }
        }
    }
    differences
}

fn headers(recorded: &Value, actual: &Response<Bytes>) -> Vec<String> {
    let mut differences = Vec::new();
    let Some(wanted) = recorded["headers"].as_object() else {
        return differences;
    };
    for (name, wanted) in wanted {
        let wanted = wanted.as_str().unwrap_or_default();
        let found = actual.headers().get(name).and_then(|value| value.to_str().ok());
        let name = name.to_ascii_lowercase();
        match (name.as_str(), found) {
            // Framing belongs to the socket; a stream has no length.
            ("transfer-encoding" | "connection", _) => {}
            ("etag", Some(tag)) => {
                let length = actual.body().len();
                let digest = tag.strip_prefix(&format!("W/\"{length:x}-"));
                if digest
                    .and_then(|digest| digest.strip_suffix('"'))
                    .is_none_or(|digest| digest.len() != 27)
                {
                    differences.push(format!("tag {tag} where one is like {wanted}"));
                }
            }
            ("content-length", Some(length)) => {
                if *length != actual.body().len().to_string() {
                    differences.push(format!("content-length {length}"));
                }
            }
            (_, Some(found)) if found == wanted => {}
            (_, found) => differences.push(format!("header {name} is {found:?} instead of {wanted:?}")),
        }
    }
    if recorded["headers_partial"] != true {
        for name in actual.headers().keys() {
            let is_known = wanted.keys().any(|wanted| wanted.eq_ignore_ascii_case(name.as_str()));
            // Which of the first two a stream has is up to the connection; the time was left out of all recordings.
            if !is_known && !matches!(name.as_str(), "keep-alive" | "connection" | "date") && wanted.len() > 2 {
                differences.push(format!("header {name} is one too many"));
            }
        }
    }
    differences
}

/// What a page of a list says of itself has to fit together, and the names have to be those of the recording.
fn page(summary: &Value, body: &Value, differences: &mut Vec<String>) {
    let names: Vec<&str> = body["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item["name"].as_str())
        .collect();
    for (key, actual) in [
        ("items", Value::from(names.len())),
        ("total", body["total"].clone()),
        ("page", body["page"].clone()),
        ("totalPages", body["totalPages"].clone()),
    ] {
        if summary[key] != actual {
            differences.push(format!("{key} is {actual} instead of {}", summary[key]));
        }
    }
    let wanted: Vec<&str> = summary["first_names"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !names.starts_with(&wanted) {
        differences.push(format!("the names are {names:?} instead of {wanted:?}"));
    }
}

pub(crate) fn states(recorded: &[Value], seen: &[String]) -> Vec<String> {
    let wanted: Vec<String> = recorded
        .iter()
        .map(|step| match step["state"].as_str() {
            Some(state) => state.to_owned(),
            None => step["status"].to_string(),
        })
        .collect();
    // The first poll of the recording may have come a little later than ours, so that a state is missing there.
    let mut rest = seen.iter();
    let is_in_order = wanted.iter().all(|state| rest.any(|seen| seen == state));
    let allowed = |state: &String| wanted.contains(state) || state == "pending" || state == "pulling";
    if is_in_order && seen.last() == wanted.last() && seen.iter().all(allowed) {
        Vec::new()
    } else {
        vec![format!("states {seen:?} instead of {wanted:?}")]
    }
}

/// JSON with the order of its fields.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ordered {
    Scalar(Value),
    List(Vec<Ordered>),
    Fields(Vec<(String, Ordered)>),
}

impl<'de> serde::Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Ordered;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Ordered, E> {
                Ok(Ordered::Scalar(Value::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Ordered, E> {
                Ok(Ordered::Scalar(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Ordered, E> {
                Ok(Ordered::Scalar(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Ordered, E> {
                Ok(Ordered::Scalar(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Ordered, E> {
                Ok(Ordered::Scalar(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Ordered, E> {
                Ok(Ordered::Scalar(value.into()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Ordered, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Ordered::List(list))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Ordered, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    fields.push(entry);
                }
                Ok(Ordered::Fields(fields))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// The beginning of a JSON text, as far as it is whole.
pub(super) fn lenient(prefix: &str) -> Option<Ordered> {
    // The longest beginning that can be closed into JSON.
    let ends: Vec<usize> = prefix
        .char_indices()
        .map(|(index, _)| index)
        .chain([prefix.len()])
        .collect();
    ends.iter().rev().find_map(|end| {
        let text = &prefix[..*end];
        let text = text.trim_end_matches(',');
        let (mut open, mut in_string, mut escaped) = (Vec::new(), false, false);
        for character in text.chars() {
            match character {
                _ if escaped => escaped = false,
                '\\' if in_string => escaped = true,
                '"' => in_string = !in_string,
                '{' if !in_string => open.push('}'),
                '[' if !in_string => open.push(']'),
                '}' | ']' if !in_string => drop(open.pop()),
                _ => {}
            }
        }
        if in_string || text.is_empty() {
            return None;
        }
        let whole: String = text.chars().chain(open.into_iter().rev()).collect();
        serde_json::from_str(&whole).ok()
    })
}

/// Compares the form, and the values of what is not free. Of a beginning the fields that are missing do not count.
fn value(place: &str, wanted: &Ordered, actual: &Ordered, is_beginning: bool, differences: &mut Vec<String>) {
    match (wanted, actual) {
        (Ordered::Fields(wanted), Ordered::Fields(actual)) => {
            let names = |fields: &[(String, Ordered)]| fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            let (wanted_names, actual_names) = (names(wanted), names(actual));
            let is_same = if is_beginning {
                actual_names.starts_with(&wanted_names)
            } else {
                let sorted = |mut names: Vec<String>| {
                    names.sort();
                    names
                };
                sorted(wanted_names.clone()) == sorted(actual_names.clone())
            };
            if !is_same {
                differences.push(format!("{place}: fields {actual_names:?} instead of {wanted_names:?}"));
            }
            for (name, wanted) in wanted {
                let found = actual.iter().find(|(other, _)| other == name);
                if let Some((_, actual)) = found {
                    value(&format!("{place}.{name}"), wanted, actual, is_beginning, differences);
                }
            }
        }
        (Ordered::List(wanted), Ordered::List(actual)) => {
            if !is_beginning && wanted.len() != actual.len() {
                differences.push(format!("{place}: {} instead of {}", actual.len(), wanted.len()));
            }
            for (index, (wanted, actual)) in wanted.iter().zip(actual).enumerate() {
                value(&format!("{place}[{index}]"), wanted, actual, is_beginning, differences);
            }
        }
        (Ordered::Scalar(wanted), Ordered::Scalar(actual)) => {
            let name = place.rsplit(['.', '[']).next().unwrap_or_default();
            let kind = |value: &Value| std::mem::discriminant(value);
            let is_same = if FREE.contains(&name) {
                kind(wanted) == kind(actual)
            } else {
                wanted == actual
                    || wanted.as_f64().is_some() && wanted.as_f64() == actual.as_f64()
                    || destroyed(wanted).is_some() && destroyed(wanted) == destroyed(actual)
            };
            if !is_same {
                differences.push(format!("{place}: {actual} instead of {wanted}"));
            }
        }
        _ => differences.push(format!("{place}: another form")),
    }
}

/// The name that a sandbox had before its deletion: the rest of the new one is a time.
fn destroyed(name: &Value) -> Option<&str> {
    let (name, time) = name.as_str()?.strip_prefix("DESTROYED_")?.rsplit_once('_')?;
    time.parse::<u64>().is_ok().then_some(name)
}

#[test]
fn a_beginning_is_read_as_far_as_it_goes() {
    let read = lenient(r#"{"a":[1,{"b":"x","c":"unfin"#).unwrap();
    let wanted: Ordered = serde_json::from_str(r#"{"a":[1,{"b":"x"}]}"#).unwrap();
    assert_eq!(read, wanted);
    let mut differences = Vec::new();
    let actual: Ordered = serde_json::from_str(r#"{"a":[1,{"c":"x","b":2}],"d":0}"#).unwrap();
    value("", &wanted, &actual, true, &mut differences);
    assert_eq!(differences.len(), 2, "{differences:?}");
}
