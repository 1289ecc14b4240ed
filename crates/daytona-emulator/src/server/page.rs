//! The status page: what the emulator holds, for a person with a browser. It shows no key, and changes nothing.

use std::sync::Arc;

use daytona_api::{SnapshotId, SnapshotState};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::admin;
use crate::ResponseBody;
use crate::base::clock::time;
use crate::builder::{self, bytes};
use crate::state::core::Core;
use crate::state::log_stream::{End, follow};
use crate::state::world::Record;
use crate::wire::address::segments_below;
use crate::wire::body::full;
use crate::wire::sender::{PeerAddress, is_from_elsewhere, names_this_machine};

/// What the paths of the page begin with.
pub(super) const PREFIX: &str = "/dashboard";

/// Requests, files and the like that are shown.
const MOST_ROWS: usize = 200;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/live.js");

pub(super) async fn answer(core: &Arc<Core>, parts: &Parts) -> Response<ResponseBody> {
    // It shows Dockerfiles and logs without a key.
    let is_local = PeerAddress::is_local(parts) && names_this_machine(parts) && !is_from_elsewhere(parts);
    if !is_local && !admin::has_key(core, parts) {
        let text = "the page is shown on this machine only, under localhost or an address of the loopback";
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
        [""] => Some(overview(core)),
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

fn layout(title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Daytona emulator" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    a href={ (PREFIX) "/" } { "Daytona emulator" }
                    nav aria-label="Sections" {
                        a href={ (PREFIX) "/#snapshots" } { "Snapshots" }
                        a href={ (PREFIX) "/#objects" } { "Contexts" }
                        a href={ (PREFIX) "/#faults" } { "Faults" }
                        a href={ (PREFIX) "/#requests" } { "Requests" }
                    }
                }
                main id="main" tabindex="-1" { (main) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

fn overview(core: &Core) -> Markup {
    let main = html! {
        h1 { "What this emulator holds" }
        p.quiet { "Its time is " time { (time(core.clock.now())) } ". RUN steps are not executed." }
        (snapshots(core))
        (objects(core))
        (faults(core))
        (requests(core))
    };
    layout("Overview", &main)
}

fn snapshots(core: &Core) -> Markup {
    let world = core.world();
    html! {
        section id="snapshots" aria-labelledby="snapshots-title" {
            h2 id="snapshots-title" { "Snapshots " small { (world.snapshots.len()) } }
            @if world.is_under_maintenance { p.warning { "Under maintenance: every request is refused." } }
            @if world.snapshots.is_empty() { p.quiet { "None yet. Create one, and it appears here." } }
            @else {
                div.scroll tabindex="0" role="region" aria-labelledby="snapshots-title" {
                    table {
                        thead { tr { th scope="col" { "Name" } th scope="col" { "State" } th scope="col" { "Made from" } th scope="col" { "Created" } } }
                        tbody {
                            @for record in world.snapshots.iter().rev().take(MOST_ROWS) {
                                tr {
                                    th scope="row" { a href={ (PREFIX) "/snapshots/" (record.id.as_str()) } { (record.name) } }
                                    td { (state(record)) }
                                    td { (made_from(record)) }
                                    td { time { (time(record.created)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn state(record: &Record) -> Markup {
    let kind = match record.state {
        SnapshotState::Active => "good",
        SnapshotState::Error | SnapshotState::BuildFailed => "bad",
        SnapshotState::Inactive | SnapshotState::Removing => "idle",
        _ => "busy",
    };
    html! { span.state.(kind) { (record.state) } }
}

fn made_from(record: &Record) -> Markup {
    match &record.build {
        None => html! { code { (record.image) } },
        Some(info) => {
            let first = info
                .dockerfile
                .lines()
                .find(|line| line.to_ascii_uppercase().starts_with("FROM "));
            html! { code { (first.unwrap_or("a Dockerfile")) } }
        }
    }
}

fn objects(core: &Core) -> Markup {
    let objects = core.storage.objects();
    html! {
        section id="objects" aria-labelledby="objects-title" {
            h2 id="objects-title" { "Context archives " small { (objects.len()) } }
            @if objects.is_empty() { p.quiet { "Nothing was uploaded." } }
            @else {
                ul.plain {
                    @for object in objects.iter().take(MOST_ROWS) { li { code { (object.key) } " " span.quiet { (bytes(object.size)) } } }
                }
                (more(objects.len()))
            }
        }
    }
}

fn faults(core: &Core) -> Markup {
    let faults = core.faults.list();
    let scripts = core.world().scripts.0.clone();
    let shown = |value: serde_json::Result<String>| value.unwrap_or_default();
    html! {
        section id="faults" aria-labelledby="faults-title" {
            h2 id="faults-title" { "Faults and scripts in force " small { (faults.len() + scripts.len()) } }
            @if faults.is_empty() && scripts.is_empty() { p.quiet { "None: everything works as it should." } }
            ul.plain {
                @for fault in &faults { li { code { (shown(serde_json::to_string(fault))) } } }
                @for script in &scripts { li { code { (shown(serde_json::to_string(script))) } } }
            }
        }
    }
}

fn requests(core: &Core) -> Markup {
    let requests = core.remembered();
    html! {
        section id="requests" aria-labelledby="requests-title" {
            h2 id="requests-title" { "Last requests " small { (requests.len()) } }
            @if requests.len() == 0 { p.quiet { "None yet." } }
            @else {
                div.scroll tabindex="0" role="region" aria-labelledby="requests-title" {
                    table {
                        thead { tr { th scope="col" { "Time" } th scope="col" { "Status" } th scope="col" { "Took" } th scope="col" { "Request" } } }
                        tbody {
                            @for request in requests.iter().rev().take(50) {
                                tr {
                                    td { time { (time(request.time)) } }
                                    td { (request.status.map_or_else(|| "broken".to_owned(), |status| status.to_string())) }
                                    td { (format!("{:.1} ms", request.took.as_secs_f64() * 1e3)) }
                                    td { code { (request.method) " " (request.address) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn more(count: usize) -> Markup {
    html! { @if count > MOST_ROWS { p.quiet { "and " (count - MOST_ROWS) " more" } } }
}

async fn snapshot(core: &Arc<Core>, id: &str) -> Option<Markup> {
    let (record, log) = {
        let world = core.world();
        let record = world.snapshots.iter().find(|record| record.id.as_str() == id)?.clone();
        let log = world.build(&record).and_then(|build| build.log.clone());
        (record, log)
    };
    let contexts = contexts(core, &record).await;
    let main = html! {
        p { a href={ (PREFIX) "/" } { "All snapshots" } }
        h1 { (record.name) " " (state(&record)) }
        @if let Some(reason) = &record.error { p.warning { (reason) } }
        dl {
            dt { "Id" } dd { code { (record.id.as_str()) } }
            @if !record.image.is_empty() { dt { "Image" } dd { code { (record.image) } } }
            dt { "Entrypoint" } dd { code { (record.entrypoint.clone().unwrap_or_default().join(" ")) } }
            dt { "Updated" } dd { time { (time(record.updated)) } }
            dt { "Resources" }
            dd { "CPU " (record.resources.cpu) ", " (record.resources.memory) " GB of memory, " (record.resources.disk) " GB of disk" }
        }
        @if record.build.is_some() {
            section aria-labelledby="log-title" {
                h2 id="log-title" { "Build log" }
                pre id="log" tabindex="0" role="log" aria-labelledby="log-title" data-live={ (PREFIX) "/snapshots/" (record.id.as_str()) "/log" } {
                    (String::from_utf8_lossy(log.as_deref().unwrap_or_default()))
                }
            }
        }
        @if let Some(info) = &record.build {
            section aria-labelledby="dockerfile-title" {
                h2 id="dockerfile-title" { "Dockerfile" }
                pre tabindex="0" aria-labelledby="dockerfile-title" { (info.dockerfile) }
            }
        }
        @for (hash, files) in &contexts { (context(hash, files)) }
        (image(core, id))
    };
    Some(layout(&record.name, &main))
}

/// The files of a context archive, or why they cannot be shown.
type Files = Result<Vec<builder::ContextEntry>, String>;

async fn contexts(core: &Arc<Core>, record: &Record) -> Vec<(String, Files)> {
    let hashes = record
        .build
        .as_ref()
        .and_then(|info| info.hashes.clone())
        .unwrap_or_default();
    let (storage, organization) = (core.storage.clone(), record.organization.clone());
    let read = tokio::task::spawn_blocking(move || {
        let files = hashes.into_iter().map(|hash| {
            let files = builder::list_archive(&storage, &organization, &hash).map_err(|error| error.to_string());
            (hash, files)
        });
        files.collect()
    });
    read.await.unwrap_or_default()
}

fn context(hash: &str, files: &Files) -> Markup {
    html! {
        section {
            h2 { "Context " code.short { (hash) } }
            @match files {
                Err(reason) => { p.warning { (reason) } }
                Ok(files) => {
                    details open[files.len() <= 20] {
                        summary { (files.len()) " files, " (bytes(files.iter().map(|file| file.size).sum())) }
                        ul.plain {
                            @for file in files.iter().take(MOST_ROWS) {
                                li { code { (format!("{:04o}", file.mode)) " " (file.name) } " " span.quiet { (bytes(file.size)) } }
                            }
                        }
                        (more(files.len()))
                    }
                }
            }
        }
    }
}

fn image(core: &Core, id: &str) -> Markup {
    let Some(image) = core.image(id) else { return html! {} };
    let files: Vec<_> = image.files().collect();
    html! {
        section aria-labelledby="image-title" {
            h2 id="image-title" { "What is known of the image" }
            @for unknown in image.unknown() { p.quiet { "Not known: " (unknown) "." } }
            details open[files.len() <= 20] {
                summary { (files.len()) " files" }
                ul.plain {
                    @for file in files.iter().take(MOST_ROWS) {
                        li {
                            code { (format!("{:04o}", file.mode)) " " (file.path) } " " span.quiet { (bytes(file.size())) }
                            @if let Some(doubt) = &file.doubt { " " span.quiet { "(" (doubt) ")" } }
                        }
                    }
                    @for (path, unknown) in image.unknown_paths() { li { code { (path) } " " span.quiet { (unknown) } } }
                }
                (more(files.len()))
            }
        }
    }
}
