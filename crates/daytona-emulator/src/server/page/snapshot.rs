//! The page of a snapshot: how it was made, and what is known of its image.

use std::sync::Arc;

use maud::{Markup, html};

use super::frame::{MOST_ROWS, PREFIX, date, layout, more, state};
use crate::builder::{self, bytes};
use crate::state::core::Core;
use crate::state::world::Record;

/// Lines of the log of a failed build that are shown beside its reason.
const LAST_LINES: usize = 5;

pub(super) async fn snapshot(core: &Arc<Core>, id: &str) -> Option<Markup> {
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
        @if let Some(reason) = &record.error {
            p.warning { (reason) }
            (last_lines(log.as_deref().unwrap_or_default()))
        }
        dl {
            dt { "Id" } dd { code { (record.id.as_str()) } }
            @if !record.image.is_empty() { dt { "Image" } dd { code { (record.image) } } }
            @if let Some(words) = &record.entrypoint { dt { "Entrypoint" } dd { code { (words.join(" ")) } } }
            dt { "Created" } dd { (date(record.created)) }
            dt { "Updated" } dd { (date(record.updated)) ", " (elapsed(core, &record)) }
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

/// What the build said last, for whoever wants to know why it failed.
fn last_lines(log: &[u8]) -> Markup {
    let log = String::from_utf8_lossy(log);
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    html! { @if !last.is_empty() { pre tabindex="0" aria-label="The end of the build log" { (last.join("\n")) } } }
}

/// What it took from the creation to the last change, or has taken until now.
fn elapsed(core: &Core, record: &Record) -> String {
    let (end, what) = if record.is_under_way() {
        (core.clock.now(), "in progress for")
    } else {
        (record.updated, "after")
    };
    let seconds = end.duration_since(record.created).as_secs_f64().max(0.0);
    format!("{what} {seconds:.1} s")
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
    let unknown_paths: Vec<_> = image.unknown_paths().collect();
    html! {
        section aria-labelledby="image-title" {
            h2 id="image-title" { "What is known about the image" }
            @for unknown in image.unknown() { p.quiet { "Not known: " (unknown) "." } }
            @if !files.is_empty() || !unknown_paths.is_empty() {
                details open[files.len() <= 20] {
                    summary { (files.len()) " files" }
                    ul.plain {
                        @for file in files.iter().take(MOST_ROWS) {
                            li {
                                code { (format!("{:04o}", file.mode)) " " (file.path) } " " span.quiet { (bytes(file.size())) }
                                @if let Some(doubt) = &file.doubt { " " span.quiet { "(" (doubt) ")" } }
                            }
                        }
                        @for (path, unknown) in &unknown_paths { li { code { (path) } " " span.quiet { (unknown) } } }
                    }
                    (more(files.len()))
                }
            }
        }
    }
}
