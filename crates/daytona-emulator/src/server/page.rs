//! The status page: what the emulator holds, for a person with a browser. It shows no key, and changes nothing.

use std::sync::Arc;

use daytona_api::SnapshotId;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use maud::html;

use super::admin;
use crate::ResponseBody;
use crate::state::core::Core;
use crate::state::log_stream::{End, follow};
use crate::wire::address::segments_below;
use crate::wire::body::full;
use crate::wire::sender::{PeerAddress, is_from_elsewhere, names_this_machine};

mod frame;
mod overview;
mod snapshot;

pub(super) use frame::PREFIX;
use frame::layout;
use overview::overview;
use snapshot::snapshot;

/// The picture of its tab.
pub(super) const ICON_PATH: &str = "/favicon.ico";
const ICON: &str = include_str!("page/icon.svg");

pub(super) async fn answer(core: &Arc<Core>, parts: &Parts) -> Response<ResponseBody> {
    if parts.uri.path() == ICON_PATH {
        return response(StatusCode::OK, "image/svg+xml", full(ICON), Some(ICON.len()));
    }
    // It shows Dockerfiles and logs without a key.
    let is_local = PeerAddress::is_local(parts) && names_this_machine(parts) && !is_from_elsewhere(parts);
    if !is_local && !admin::has_key(core, parts) {
        let text =
            "the page is shown only on this machine, under localhost or a loopback address, or with the admin key";
        return response(
            StatusCode::FORBIDDEN,
            "text/plain; charset=utf-8",
            full(text),
            Some(text.len()),
        );
    }
    core.settle().await;
    let segments = segments_below(PREFIX, parts.uri.path());
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let page = match segments.as_slice() {
        [""] => Some(overview(core, parts)),
        ["snapshots", id] => snapshot(core, id).await,
        ["snapshots", id, "log"] => {
            if let Some(body) = follow_log(core, id) {
                return response(StatusCode::OK, "text/plain; charset=utf-8", body, None);
            }
            None
        }
        _ => None,
    };
    let (status, page) = match page {
        Some(page) => (StatusCode::OK, page),
        None => (
            StatusCode::NOT_FOUND,
            layout("Not found", &html! { p { "There is nothing here." } }),
        ),
    };
    let text = page.into_string();
    let length = text.len();
    response(status, "text/html; charset=utf-8", full(text), Some(length))
}

/// The log of a snapshot's build, to the end of the build.
fn follow_log(core: &Arc<Core>, id: &str) -> Option<ResponseBody> {
    let id = SnapshotId::from(id);
    {
        let world = core.world();
        let record = world.snapshots.iter().find(|record| record.id == id)?;
        world.build(record)?;
    }
    Some(follow(core, id, End::Over))
}

fn response(
    status: StatusCode,
    kind: &'static str,
    body: ResponseBody,
    length: Option<usize>,
) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        "Content-Security-Policy",
        HeaderValue::from_static("default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"),
    );
    headers.insert("X-Content-Type-Options", HeaderValue::from_static("nosniff"));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
