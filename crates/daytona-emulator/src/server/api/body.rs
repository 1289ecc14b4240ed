//! Bodies, as the server's parser reads them.

use std::io::Read as _;

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use serde_json::{Map, Value};

use super::answer::{Answer, no_route};
use crate::ResponseBody;
use crate::wire::body::read_limited;
use crate::wire::error::ServiceError;

mod form;

pub(super) use form::decode_pair;

/// Largest request body, as it is sent and once it is unpacked; the server answers 404 to anything over it.
const LIMIT: usize = 102_400;

/// Why the parser did not take a body.
pub(super) enum Problem {
    /// It is too large, or in a form that the parser does not know. The server says that there is no such route.
    Unread,
    InvalidJson,
}

impl Problem {
    pub(super) fn into_answer(self, parts: &Parts) -> Answer {
        match self {
            Self::Unread => no_route(parts),
            Self::InvalidJson => Answer::InvalidJson,
        }
    }
}

/// The fields of a body; one that is no object has none.
pub(super) type Read = Result<Map<String, Value>, Problem>;

/// Reads a body to its end, even if it is too large.
pub(super) async fn read(parts: &Parts, body: ResponseBody) -> Result<Read, ServiceError> {
    let bytes = read_limited(body, LIMIT).await?;
    Ok(bytes.map_or(Err(Problem::Unread), |bytes| parse(parts, bytes)))
}

fn parse(parts: &Parts, bytes: Vec<u8>) -> Read {
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    let header = |name: HeaderName| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_ascii_lowercase()
    };
    let content_type = header(CONTENT_TYPE);
    let charset = charset(&content_type);
    let bytes = || unpacked(&header(CONTENT_ENCODING), bytes).ok_or(Problem::Unread);
    match content_type.split(';').next().unwrap_or_default().trim() {
        "" | "application/json" | "text/json" => {
            let text = text(charset, &bytes()?).ok_or(Problem::Unread)?;
            json(&text).ok_or(Problem::InvalidJson)
        }
        "application/x-www-form-urlencoded" if charset == "utf-8" => {
            form::read(&String::from_utf8_lossy(&bytes()?)).ok_or(Problem::Unread)
        }
        "application/x-www-form-urlencoded" => Err(Problem::Unread),
        _ => Ok(Map::new()),
    }
}

/// The charset that a content type names.
fn charset(content_type: &str) -> &str {
    let parameters = content_type.split(';').skip(1);
    let named = parameters.filter_map(|parameter| parameter.trim().strip_prefix("charset="));
    named.last().map_or("utf-8", |charset| charset.trim_matches('"'))
}

/// A body without its encoding; `None` if that is not known, or if it is broken or too large.
fn unpacked(encoding: &str, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let (mut gzip, mut zlib) = (
        MultiGzDecoder::new(bytes.as_slice()),
        ZlibDecoder::new(bytes.as_slice()),
    );
    let packed: &mut dyn std::io::Read = match encoding {
        "" | "identity" => return Some(bytes),
        "gzip" => &mut gzip,
        "deflate" => &mut zlib,
        _ => return None,
    };
    let mut unpacked = Vec::new();
    packed.take(LIMIT as u64 + 1).read_to_end(&mut unpacked).ok()?;
    (unpacked.len() <= LIMIT).then_some(unpacked)
}

/// The text of a body, without the mark that tells the order of bytes. What is no character is replaced.
fn text(charset: &str, bytes: &[u8]) -> Option<String> {
    let units =
        |order: fn([u8; 2]) -> u16| -> Vec<u16> { bytes.as_chunks().0.iter().map(|unit| order(*unit)).collect() };
    let text = match charset {
        "utf-8" => String::from_utf8_lossy(bytes).into_owned(),
        "utf-16be" => String::from_utf16_lossy(&units(u16::from_be_bytes)),
        // Without a mark, JSON tells by its first character.
        "utf-16" if bytes.starts_with(&[0xfe, 0xff]) || bytes.first() == Some(&0) => {
            String::from_utf16_lossy(&units(u16::from_be_bytes))
        }
        "utf-16" | "utf-16le" => String::from_utf16_lossy(&units(u16::from_le_bytes)),
        _ => return None,
    };
    Some(text.strip_prefix('\u{feff}').map(ToOwned::to_owned).unwrap_or(text))
}

/// The fields of an object, none of an array. The parser takes nothing else.
fn json(text: &str) -> Option<Map<String, Value>> {
    if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with(['{', '[']) {
        return None;
    }
    match serde_json::from_str(&without_lone_surrogates(text)).ok()? {
        Value::Object(fields) => Some(fields),
        _ => Some(Map::new()),
    }
}

/// JavaScript's strings may hold half a character. It cannot be stored, no more than NUL can, and so is taken for that.
fn without_lone_surrogates(text: &str) -> String {
    let unit = |escape: Option<&str>| {
        let digits = escape?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        let (before, escape) = rest.split_at(start);
        cleaned.push_str(before);
        let (first, second) = (escape.get(..6), escape.get(6..12));
        let length = match (unit(first), unit(second)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                cleaned.push_str("\\u0000");
                rest = &escape[6..];
                continue;
            }
            // The backslash, and what it escapes.
            _ => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        cleaned.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    cleaned.push_str(rest);
    cleaned
}
