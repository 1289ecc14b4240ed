//! Lists of objects, in either version of the operation.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::SystemTime;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{
    CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object, ObjectStorageClass, Timestamp,
};
use s3s::{S3Result, s3_error};

use super::stored::Stored;

/// Entries of one answer.
const MOST_ENTRIES: usize = 1000;

/// What stays as it is in keys that are to be encoded.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A part of a list.
struct Page {
    contents: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
    /// Where the next part begins, if there is one.
    next: Option<Place>,
}

/// A place in a list: after a key, or after all keys that begin with a prefix.
enum Place {
    Key(String),
    Prefix(String),
}

impl Place {
    /// As a token, which means nothing to clients.
    fn token(&self) -> String {
        match self {
            Self::Key(key) => format!("k{}", hex::encode(key)),
            Self::Prefix(prefix) => format!("p{}", hex::encode(prefix)),
        }
    }

    fn of_token(token: &str) -> Option<Self> {
        let text = |digits: &str| String::from_utf8(hex::decode(digits).ok()?).ok();
        if let Some(digits) = token.strip_prefix('k') {
            return text(digits).map(Self::Key);
        }
        text(token.strip_prefix('p')?).map(Self::Prefix)
    }
}

struct Wanted<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    after: Option<Place>,
    most: usize,
    is_encoded: bool,
}

impl Wanted<'_> {
    fn encode(&self, text: &str) -> String {
        if self.is_encoded {
            utf8_percent_encode(text, KEY).to_string()
        } else {
            text.to_owned()
        }
    }

    fn page(&self, objects: &BTreeMap<String, Stored>) -> Page {
        let mut page = Page {
            contents: Vec::new(),
            prefixes: Vec::new(),
            next: None,
        };
        let (mut last, mut folded): (Option<Place>, Option<String>) = (None, None);
        let begin = match &self.after {
            Some(Place::Key(key)) if key.as_str() >= self.prefix => Bound::Excluded(key.as_str()),
            Some(Place::Prefix(prefix)) => {
                folded = Some(prefix.clone());
                Bound::Included(prefix.as_str())
            }
            _ => Bound::Included(self.prefix),
        };
        for (key, stored) in objects.range::<str, _>((begin, Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(self.prefix) else {
                break;
            };
            if folded.as_ref().is_some_and(|folded| key.starts_with(folded.as_str())) {
                continue;
            }
            if page.contents.len() + page.prefixes.len() == self.most {
                page.next = last;
                return page;
            }
            let end = self
                .delimiter
                .and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
            if let Some(end) = end {
                let prefix = format!("{}{}", self.prefix, &rest[..end]);
                page.prefixes.push(CommonPrefix {
                    prefix: Some(self.encode(&prefix)),
                });
                last = Some(Place::Prefix(prefix.clone()));
                folded = Some(prefix);
                continue;
            }
            page.contents.push(Object {
                key: Some(self.encode(key)),
                size: i64::try_from(stored.size).ok(),
                e_tag: Some(ETag::Strong(stored.etag.clone())),
                last_modified: Some(modified(stored)),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Object::default()
            });
            last = Some(Place::Key(key.clone()));
        }
        page
    }
}

/// When an object was put, for S3.
pub(super) fn modified(stored: &Stored) -> Timestamp {
    let since = std::time::Duration::from_millis(u64::try_from(stored.modified.as_millisecond()).unwrap_or_default());
    Timestamp::from(SystemTime::UNIX_EPOCH + since)
}

/// How many entries are wanted; none if there is no such number.
fn most(given: Option<i32>) -> S3Result<usize> {
    match given.map(usize::try_from) {
        None => Ok(MOST_ENTRIES),
        Some(Ok(most)) => Ok(most.min(MOST_ENTRIES)),
        Some(Err(_)) => Err(s3_error!(
            InvalidArgument,
            "Argument max-keys must be an integer between 0 and 2147483647"
        )),
    }
}

fn is_url(encoding: Option<&EncodingType>) -> bool {
    encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL)
}

pub(super) fn second_version(
    objects: &BTreeMap<String, Stored>,
    input: ListObjectsV2Input,
) -> S3Result<ListObjectsV2Output> {
    let after = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => {
            let place = Place::of_token(token);
            Some(place.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))?)
        }
        (None, Some(key)) => Some(Place::Key(key.clone())),
        (None, None) => None,
    };
    let wanted = Wanted {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()),
        after,
        most: most(input.max_keys)?,
        is_encoded: is_url(input.encoding_type.as_ref()),
    };
    let page = wanted.page(objects);
    Ok(ListObjectsV2Output {
        prefix: Some(wanted.encode(wanted.prefix)),
        delimiter: wanted.delimiter.map(|delimiter| wanted.encode(delimiter)),
        start_after: input.start_after.as_deref().map(|key| wanted.encode(key)),
        key_count: i32::try_from(page.contents.len() + page.prefixes.len()).ok(),
        max_keys: i32::try_from(wanted.most).ok(),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.map(|place| place.token()),
        contents: Some(page.contents),
        common_prefixes: Some(page.prefixes),
        name: Some(input.bucket),
        continuation_token: input.continuation_token,
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}

pub(super) fn first_version(
    objects: &BTreeMap<String, Stored>,
    input: ListObjectsInput,
) -> S3Result<ListObjectsOutput> {
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    // A marker that was given as the next one of a list may be a prefix, and then stands for all below it.
    let after = input.marker.as_deref().map(|marker| match delimiter {
        Some(delimiter) if marker.ends_with(delimiter) => Place::Prefix(marker.to_owned()),
        _ => Place::Key(marker.to_owned()),
    });
    let wanted = Wanted {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter,
        after,
        most: most(input.max_keys)?,
        is_encoded: is_url(input.encoding_type.as_ref()),
    };
    let page = wanted.page(objects);
    Ok(ListObjectsOutput {
        prefix: Some(wanted.encode(wanted.prefix)),
        delimiter: wanted.delimiter.map(|delimiter| wanted.encode(delimiter)),
        marker: Some(
            input
                .marker
                .as_deref()
                .map(|key| wanted.encode(key))
                .unwrap_or_default(),
        ),
        max_keys: i32::try_from(wanted.most).ok(),
        is_truncated: Some(page.next.is_some()),
        next_marker: page.next.map(|place| match place {
            Place::Key(text) | Place::Prefix(text) => wanted.encode(&text),
        }),
        contents: Some(page.contents),
        common_prefixes: Some(page.prefixes),
        name: Some(input.bucket),
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    })
}
