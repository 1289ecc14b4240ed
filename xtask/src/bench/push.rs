//! Our upload against the official Python SDK's and s5cmd's, with the same local S3 server, on three lines.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use super::error::{Error, about, output};
use super::figures::{Figures, table};
use super::programs::{Programs, Pushed};
use super::rows::{Aim, LineName, ROWS, Row};
use super::trees::{Edit, edits};
use crate::line::{Relay, check};
use crate::tools::{Server, say};

/// Edits after which Python pushes too: it sends everything again, and that takes long on a slow line.
const EDITS_OF_PYTHON: usize = 3;

#[derive(Debug, clap::Args)]
#[group(id = "push")]
pub(crate) struct Arguments {
    /// Runs of each; the figures are their medians.
    #[arg(long, default_value_t = 5)]
    runs: usize,

    /// Only these lines.
    #[arg(long, value_enum)]
    line: Vec<LineName>,

    /// Only trees with this in their name, as `64 MiB`.
    #[arg(long, value_name = "PART", default_value = "")]
    tree: String,

    /// Only our own pushes.
    #[arg(long)]
    ours: bool,
}

pub(super) fn run(arguments: &Arguments, workspace: &Path, target: &Path) -> Result<Value, Error> {
    let is_chosen = |row: &&Row| {
        let is_on_line = arguments.line.is_empty() || arguments.line.contains(&row.line);
        is_on_line && row.tree.name.contains(&arguments.tree)
    };
    let rows: Vec<&Row> = ROWS.iter().filter(is_chosen).collect();
    if rows.is_empty() {
        return Err(Error::NoRow);
    }
    let mut lines = Vec::new();
    for name in LineName::ALL
        .iter()
        .filter(|name| rows.iter().any(|row| row.line == **name))
    {
        lines.extend(checked(*name)?);
    }
    let scratch = target.join("bench");
    fs::create_dir_all(&scratch).map_err(about("the scratch folder"))?;
    let bench = Bench {
        programs: Programs::install(workspace, target, &scratch)?,
        folder: scratch.join("tree/d"),
        tar: scratch.join("tree.tar"),
        store: scratch.join("store"),
        index: scratch.join("index"),
        runs: arguments.runs,
        has_peers: !arguments.ours,
    };
    let mut figures = Vec::new();
    for row in rows {
        say(&format!("{}: {} …", row.line.name(), row.tree.name));
        figures.extend(bench.measure(row)?);
    }
    for folder in [scratch.join("tree"), scratch.join("store")] {
        drop(fs::remove_dir_all(folder));
    }
    drop(fs::remove_file(&bench.tar));
    say(&table(&figures));
    Ok(json!({"runs": arguments.runs, "lines": lines, "rows": figures}))
}

/// Whether a line keeps its figures on this machine.
fn checked(name: LineName) -> Result<Option<Value>, Error> {
    let Some(line) = name.line() else { return Ok(None) };
    let figures = check::check(&line).map_err(about(name.name()))?;
    let milliseconds = figures.round_trip.as_secs_f64() * 1e3;
    let (one, many) = (figures.one / 1e6, figures.many / 1e6);
    say(&format!(
        "line {}: measured {milliseconds:.1} ms there and back, {one:.2} MB/s a connection, {many:.2} MB/s in all",
        name.name()
    ));
    Ok(Some(
        json!({"line": name.name(), "round_trip_ms": milliseconds, "one_mb_s": one, "all_mb_s": many}),
    ))
}

struct Bench {
    programs: Programs,
    folder: PathBuf,
    tar: PathBuf,
    store: PathBuf,
    index: PathBuf,
    runs: usize,
    has_peers: bool,
}

/// A store, and the way to it.
struct Way {
    _server: Server,
    _relay: Option<Relay>,
    /// Past the line.
    near: SocketAddr,
    /// Over the line.
    far: SocketAddr,
}

impl Bench {
    fn measure(&self, row: &Row) -> Result<Vec<Figures>, Error> {
        row.tree.make(&self.folder).map_err(about("the tree"))?;
        let limit = |bytes| row.line.line().map(|line| line.limit(bytes));
        let figures = |push, bytes| Figures {
            line: row.line.name(),
            tree: row.tree.name,
            push,
            limit: limit(bytes),
            ..Figures::default()
        };
        let mut first = figures("first", row.tree.bytes());
        let mut again = figures("again", 0);
        let mut edit = figures("edit", row.tree.size as u64);
        let mut index = figures("index", 0);
        if row.first.is_some() && self.has_peers {
            let folder = self.folder.parent().unwrap_or(&self.folder);
            output(
                Command::new("tar")
                    .arg("-cf")
                    .arg(&self.tar)
                    .arg("-C")
                    .arg(folder)
                    .arg("d"),
            )?;
        }
        let runs = if row.edits.is_some() { 1 } else { self.runs };
        let mut way = self.open(row)?;
        for run in 0..runs {
            // A push without a change leaves everything as it was.
            if run > 0 && (row.first.is_some() || row.edit.is_some()) {
                drop(way);
                way = self.open(row)?;
            }
            if row.first.is_some() {
                self.pushes(way.far, &mut first, true)?;
                if self.has_peers {
                    first.s5cmd.push(self.programs.s5cmd(&self.tar, way.far)?);
                }
            } else if run == 0 || row.edit.is_some() {
                self.pushes(way.near, &mut figures("", 0), row.edit.is_none() || self.has_peers)?;
            }
            if row.again.is_some() {
                self.pushes(way.far, &mut again, true)?;
            }
            if row.index.is_some() && self.programs.has_index {
                self.with_index(&way, &mut index)?;
            }
            if row.edit.is_some() {
                for (number, change) in edits(run).take(row.edits.unwrap_or(1)).enumerate() {
                    self.edit(row, change)?;
                    self.pushes(way.far, &mut edit, number < EDITS_OF_PYTHON)?;
                }
            }
        }
        let measured = [
            (first, row.first),
            (again, row.again),
            (edit, row.edit),
            (index, row.index),
        ];
        Ok(measured
            .into_iter()
            .filter_map(|(figures, aim)| judged(figures, aim))
            .collect())
    }

    fn open(&self, row: &Row) -> Result<Way, Error> {
        let server = self.programs.start_store(&self.store)?;
        let near = server.address;
        let relay = row.line.line().map(|line| Relay::start(line, &[near])).transpose();
        let relay = relay.map_err(about("the line"))?;
        Ok(Way {
            far: relay.as_ref().map_or(near, |relay| relay.address(0)),
            near,
            _server: server,
            _relay: relay,
        })
    }

    /// Ours, and Python's.
    fn pushes(&self, store: SocketAddr, figures: &mut Figures, python_too: bool) -> Result<(), Error> {
        note(figures, &self.programs.ours(&self.folder, store, None)?);
        if python_too && self.has_peers {
            figures.python.push(self.programs.python(&self.folder, store)?.seconds);
        }
        Ok(())
    }

    /// Ours with an index that a push before has written, and the walk of `find`, which asks for the size of every file.
    fn with_index(&self, way: &Way, figures: &mut Figures) -> Result<(), Error> {
        self.programs.ours(&self.folder, way.near, Some(&self.index))?;
        note(figures, &self.programs.ours(&self.folder, way.far, Some(&self.index))?);
        let begun = Instant::now();
        output(Command::new("find").arg(&self.folder).args(["-size", "-1"]))?;
        figures.find.push(begun.elapsed().as_secs_f64());
        Ok(())
    }

    fn edit(&self, row: &Row, change: Edit) -> Result<(), Error> {
        row.tree.edit(&self.folder, change).map_err(about("the edit"))
    }
}

fn note(figures: &mut Figures, pushed: &Pushed) {
    figures.ours.push(pushed.seconds);
    figures.sent = pushed.sent;
    figures.peak_kib = figures.peak_kib.max(pushed.peak_kib);
}

fn judged(mut figures: Figures, aim: Option<Aim>) -> Option<Figures> {
    figures.judge(&aim.filter(|_| !figures.ours.is_empty())?);
    Some(figures)
}
