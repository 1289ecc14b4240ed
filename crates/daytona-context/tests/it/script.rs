//! A store that answers by a script: what no fake of a whole store would do.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use daytona_context::s3::{HttpClient, HttpError, RequestBody, S3Config, S3Storage};
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt;

/// A request as the store saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) size: usize,
}

pub(crate) type Answer = Result<Response<Bytes>, HttpError>;

type Rule = dyn Fn(usize, &Parts, &Bytes) -> Answer + Send + Sync;

/// Answers by a function of the request and of how many there were before.
#[derive(Clone)]
pub(crate) struct Script {
    answer: Arc<Rule>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Script")
    }
}

impl Script {
    pub(crate) fn new(answer: impl Fn(usize, &Parts, &Bytes) -> Answer + Send + Sync + 'static) -> Self {
        Self {
            answer: Arc::new(answer),
            seen: Arc::default(),
        }
    }

    pub(crate) fn storage(&self) -> S3Storage {
        let config = S3Config::new("http://store.test", "bucket", "access-key-id", "very-secret-key");
        S3Storage::new(&config, Arc::new(self.clone())).unwrap()
    }

    /// What the script says, for another script.
    pub(crate) fn reply(&self, number: usize, parts: &Parts, body: &Bytes) -> Answer {
        (self.answer)(number, parts, body)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests there were with this in their first line.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.seen().iter().filter(|seen| seen.line.contains(text)).count()
    }
}

#[async_trait]
impl HttpClient for Script {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(HttpError::new)?.to_bytes();
        let number = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(Seen {
                line: format!("{} {}", parts.method, parts.uri),
                size: body.len(),
            });
            seen.len() - 1
        };
        (self.answer)(number, &parts, &body)
    }
}

pub(crate) fn answer(status: u16, text: impl Into<String>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text.into()));
    *response.status_mut() = status.try_into().unwrap();
    response
}

/// What a store answers to HEAD of an object of this size.
pub(crate) fn stored(size: u64) -> Response<Bytes> {
    let mut response = answer(200, "");
    response.headers_mut().insert("content-length", size.into());
    response
}

/// What a store answers that has taken an object, or a part of one.
pub(crate) fn tagged() -> Response<Bytes> {
    let mut response = answer(200, "");
    response.headers_mut().insert("etag", "\"tag\"".parse().unwrap());
    response
}

pub(crate) fn error(status: u16, code: &str) -> Response<Bytes> {
    answer(
        status,
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as the script says</Message></Error>"),
    )
}

/// An answer with the time of a clock that is this many minutes ahead.
pub(crate) fn dated(mut response: Response<Bytes>, minutes: i64) -> Response<Bytes> {
    let difference = Duration::from_secs(60 * minutes.unsigned_abs());
    let now = SystemTime::now();
    let date = if minutes < 0 {
        now - difference
    } else {
        now + difference
    };
    response
        .headers_mut()
        .insert("date", httpdate::fmt_http_date(date).try_into().unwrap());
    response
}
