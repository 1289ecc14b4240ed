//! Which part of the emulator a request is for.

use http::Method;
use http::header::{ACCEPT, AUTHORIZATION};
use http::request::Parts;

use super::{admin, api, page};
use crate::storage::BUCKET;
use crate::wire::operation::Operation;

/// Which part of the emulator a request is for.
pub(super) enum Target {
    Api(api::Route),
    /// A browser's question before it sends a request to the API from a page of another origin.
    Preflight,
    Log {
        id: String,
    },
    Storage,
    Admin,
    Page,
    Elsewhere,
}

impl Target {
    pub(super) fn of(parts: &Parts) -> Self {
        let path = parts.uri.path();
        let (start, rest) = path.split_at_checked(4).unwrap_or((path, ""));
        if start.eq_ignore_ascii_case("/api") && (rest.is_empty() || rest.starts_with('/')) {
            return match parts.method {
                Method::OPTIONS => Self::Preflight,
                _ => Self::Api(api::Route::of(&parts.method, rest)),
            };
        }
        if path.starts_with(admin::PREFIX) {
            return Self::Admin;
        }
        // A browser gets the page; anybody else what the real server answers.
        let wants_html = parts
            .headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        if is_read && (path.starts_with(page::PREFIX) || path == page::ICON_PATH || path == "/" && wants_html) {
            return Self::Page;
        }
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        if let ["snapshots", id, "build-logs"] = segments.as_slice() {
            return Self::Log { id: (*id).to_owned() };
        }
        let authorization = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let is_signed = authorization.starts_with("AWS4-")
            || parts.uri.query().is_some_and(|query| query.contains("X-Amz-Signature"));
        if is_signed || segments.first() == Some(&BUCKET) {
            Self::Storage
        } else {
            Self::Elsewhere
        }
    }

    /// Whether it is the emulator's own, which the real server does not have. Faults do not affect it, so that they can
    /// always be removed, and it is not recorded.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Admin | Self::Page)
    }

    pub(super) fn operation(&self, parts: &Parts) -> Operation {
        match self {
            Self::Api(route) => route.operation(),
            Self::Log { .. } => Operation::ReadBuildLog,
            Self::Storage => {
                Operation::of_storage(&parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default())
            }
            Self::Preflight | Self::Admin | Self::Page | Self::Elsewhere => Operation::Unknown,
        }
    }

    /// The id or name of the snapshot of the request, for faults that depend on its state.
    pub(super) fn snapshot(&self) -> Option<&str> {
        match self {
            Self::Api(route) => route.snapshot(),
            _ => None,
        }
    }
}

/// The number of the part that a request uploads.
pub(super) fn part_number(parts: &Parts) -> Option<u32> {
    let query = parts.uri.query()?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == "partNumber")?.1.parse().ok()
}
