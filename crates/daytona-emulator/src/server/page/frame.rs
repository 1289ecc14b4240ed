//! What all pages have in common.

use daytona_api::SnapshotState;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::base::clock::time;
use crate::state::world::Record;

/// What the paths of the page begin with.
pub(in crate::server) const PREFIX: &str = "/dashboard";

/// Requests, files and the like that are shown.
pub(super) const MOST_ROWS: usize = 200;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("live.js");

/// A page around its content.
pub(super) fn layout(title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="/favicon.ico";
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

/// A snapshot's state, in words and in colour.
pub(super) fn state(record: &Record) -> Markup {
    named_state(&record.state)
}

/// A state, in words and in colour.
pub(super) fn named_state(state: &SnapshotState) -> Markup {
    let kind = match state {
        SnapshotState::Active => "good",
        SnapshotState::Error | SnapshotState::BuildFailed => "bad",
        SnapshotState::Inactive | SnapshotState::Removing => "idle",
        _ => "busy",
    };
    html! { span.state.(kind) { (state) } }
}

/// A date to the second, which does not break.
pub(super) fn date(at: jiff::Timestamp) -> Markup {
    html! { time.date datetime=(time(at)) { (at.strftime("%Y-%m-%d %H:%M:%S")) } }
}

/// What is not shown of a long list.
pub(super) fn more(count: usize) -> Markup {
    html! { @if count > MOST_ROWS { p.quiet { "and " (count - MOST_ROWS) " more" } } }
}
