//! The overview: snapshots, archives, faults and requests.

use std::collections::BTreeMap;

use http::request::Parts;
use maud::{Markup, html};
use percent_encoding::percent_decode_str;

use super::frame::{MOST_ROWS, PREFIX, date, layout, more, named_state, state};
use crate::base::clock::time;
use crate::builder::bytes;
use crate::state::core::Core;
use crate::state::world::{Record, World};
use crate::wire::address::base_url;

/// Which snapshots are wanted.
#[derive(Default)]
struct Filter {
    name: String,
    state: String,
}

impl Filter {
    fn of(parts: &Parts) -> Self {
        let mut filter = Self::default();
        for pair in parts.uri.query().unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8_lossy().into_owned();
            match name {
                "name" => filter.name = value,
                "state" => filter.state = value,
                _ => {}
            }
        }
        filter
    }

    fn is_set(&self) -> bool {
        !self.name.is_empty() || !self.state.is_empty()
    }

    fn wants(&self, record: &Record) -> bool {
        record.name.contains(&self.name) && (self.state.is_empty() || record.state.as_str() == self.state)
    }
}

pub(super) fn overview(core: &Core, parts: &Parts) -> Markup {
    let main = html! {
        h1 { "State of this emulator" }
        p.quiet {
            "Its time is " time { (time(core.clock.now())) } @if core.clock.is_held() { ", and it is held" } ". " (runs(core))
        }
        (snapshots(core, parts))
        (objects(core))
        (faults(core))
        (requests(core))
    };
    layout("Overview", &main)
}

fn runs(core: &Core) -> String {
    match core.build_options.engine {
        None => "RUN steps are not executed.".to_owned(),
        Some(engine) => format!("{engine} builds."),
    }
}

fn snapshots(core: &Core, parts: &Parts) -> Markup {
    let filter = Filter::of(parts);
    let world = core.world();
    let mut wanted: Vec<&Record> = world.snapshots.iter().filter(|record| filter.wants(record)).collect();
    wanted.sort_by_key(|record| std::cmp::Reverse(record.created));
    html! {
        section id="snapshots" aria-labelledby="snapshots-title" {
            h2 id="snapshots-title" { "Snapshots " small { (world.snapshots.len()) } }
            @if world.is_under_maintenance { p.warning { "Under maintenance: every request is refused." } }
            @if world.snapshots.is_empty() { (how_to_begin(parts)) }
            @else {
                (choice(&world, &filter))
                @if wanted.is_empty() { p.quiet { "No snapshot matches." } }
                @else { (table(&wanted)) (more(wanted.len())) }
            }
        }
    }
}

/// What to do with an emulator that holds nothing. The keys are not shown: whoever started it has them.
fn how_to_begin(parts: &Parts) -> Markup {
    let address = base_url(parts);
    html! {
        p { "No snapshots yet. Connect a client to this address, with the key that the emulator printed when it started:" }
        pre tabindex="0" { "DAYTONA_API_URL=" (address) "/api\nDAYTONA_API_KEY=…" }
        p.quiet { "Tests in any language set faults, scripts and the time by the " a href="/_emulator/openapi.json" { "admin routes" } ", with " code { "DAYTONA_EMULATOR_ADMIN_KEY" } " as a bearer token." }
    }
}

/// How many there are in each state, and a way to see only some.
fn choice(world: &World, filter: &Filter) -> Markup {
    let mut counts = BTreeMap::new();
    for record in &world.snapshots {
        counts.entry(record.state.as_str()).or_insert((&record.state, 0)).1 += 1;
    }
    html! {
        ul.counts {
            @for (name, (state, count)) in &counts {
                li { a href={ (PREFIX) "/?state=" (name) "#snapshots" } { (named_state(state)) " " (count) } }
            }
            @if filter.is_set() { li { a href={ (PREFIX) "/#snapshots" } { "all" } } }
        }
        form.filter action={ (PREFIX) "/#snapshots" } role="search" {
            label { "Name contains " input name="name" value=(filter.name) autocomplete="off"; }
            @if !filter.state.is_empty() { input type="hidden" name="state" value=(filter.state); }
            button { "Show" }
        }
    }
}

fn table(records: &[&Record]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="snapshots-title" {
            table.snapshots {
                thead { tr { th scope="col" { "Name" } th scope="col" { "State" } th scope="col" { "Made from" } th scope="col" { "Created" } } }
                tbody {
                    @for record in records.iter().take(MOST_ROWS) {
                        tr {
                            th scope="row" { a href={ (PREFIX) "/snapshots/" (record.id.as_str()) } { (record.name) } }
                            td { (state(record)) @if let Some(reason) = &record.error { div.reason { (first_line(reason)) } } }
                            td { (made_from(record)) }
                            td { (date(record.created)) }
                        }
                    }
                }
            }
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
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
            @if faults.is_empty() && scripts.is_empty() { p.quiet { "None." } }
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
                    table.requests {
                        thead { tr { th scope="col" { "Time" } th scope="col" { "Status" } th scope="col" { "Took" } th scope="col" { "Request" } } }
                        tbody {
                            @for request in requests.iter().rev().take(50) {
                                tr {
                                    td { (date(request.time)) }
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
