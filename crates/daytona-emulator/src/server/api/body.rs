//! Bodies, as the server's parser reads them.

use http::header::CONTENT_TYPE;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::answer::{Answer, no_route};
use crate::ResponseBody;
use crate::wire::body::read_limited;
use crate::wire::error::ServiceError;

/// Largest request body; the server answers 404 to anything over it.
const LIMIT: usize = 102_400;

/// Why the parser did not take a body.
pub(super) enum Problem {
    TooLarge,
    InvalidJson,
}

impl Problem {
    pub(super) fn into_answer(self, parts: &Parts) -> Answer {
        match self {
            Self::TooLarge => no_route(parts),
            Self::InvalidJson => Answer::InvalidJson,
        }
    }
}

/// The fields of a body; one that is no object has none.
pub(super) type Read = Result<Map<String, Value>, Problem>;

/// Reads a body to its end, even if it is too large.
pub(super) async fn read(parts: &Parts, body: ResponseBody) -> Result<Read, ServiceError> {
    let Some(bytes) = read_limited(body, LIMIT).await? else {
        return Ok(Err(Problem::TooLarge));
    };
    let content_type = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let value = match content_type.split(';').next().unwrap_or_default().trim() {
        _ if bytes.is_empty() => Value::Null,
        "" | "application/json" => match serde_json::from_slice(&bytes) {
            Ok(value) => value,
            Err(_) => return Ok(Err(Problem::InvalidJson)),
        },
        "application/x-www-form-urlencoded" => form(&bytes),
        _ => Value::Null,
    };
    Ok(Ok(match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }))
}

fn form(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter(|pair| pair.contains('=')).map(decode_pair);
    Value::Object(pairs.map(|(name, value)| (name, Value::String(value))).collect())
}

/// A pair of a form or a query.
pub(super) fn decode_pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    (decode(name), decode(value))
}
