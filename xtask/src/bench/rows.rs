//! What is measured: trees on lines, and what is aimed at.

use super::trees::Tree;
use crate::line::Line;

const FILE_64_MIB: Tree = tree("file of 64 MiB", 1, 64 << 20);
const FILE_1_GIB: Tree = tree("one file of 1 GiB", 1, 1 << 30);
const SMALL_10_MB: Tree = tree("1,000 files, 10 MB", 1_000, 10_000);
const SMALL_60_MB: Tree = tree("3,000 files, 60 MB", 3_000, 20_000);
const SMALL_162_MB: Tree = tree("30,000 files, 162 MB", 30_000, 5_400);
const MIDDLE_290_MB: Tree = tree("2,000 files, 290 MB", 2_000, 145_000);
const SMALL_1_GIB: Tree = tree("65,536 files, 1 GiB", 65_536, 16 << 10);

const fn tree(name: &'static str, files: u64, size: usize) -> Tree {
    Tree { name, files, size }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LineName {
    /// No line at all.
    Loopback,
    /// 80 ms there and back, 5 MB/s a connection, 25 MB/s in all.
    Long,
    /// 30 ms there and back, 2.5 MB/s in all.
    Home,
}

impl LineName {
    pub(super) const ALL: [Self; 3] = [Self::Long, Self::Home, Self::Loopback];

    pub(super) fn line(self) -> Option<Line> {
        match self {
            Self::Loopback => None,
            Self::Long => Some(Line::long()),
            Self::Home => Some(Line::home()),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Long => "long",
            Self::Home => "home",
        }
    }
}

/// One tree on one line, and which pushes of it are measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) line: LineName,
    pub(super) tree: Tree,
    /// Into an empty store. Otherwise the store is filled first, past the line.
    pub(super) first: Option<Aim>,
    /// Without a change.
    pub(super) again: Option<Aim>,
    /// After an edit of one file.
    pub(super) edit: Option<Aim>,
    /// Without a change, with a stat index.
    pub(super) index: Option<Aim>,
    /// Edits in one run with one store; otherwise one in each run.
    pub(super) edits: Option<usize>,
}

/// What our seconds shall be at most. All of it holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Aim {
    pub(super) seconds: Option<f64>,
    /// A multiple of the line's own limit, plus a number of seconds.
    pub(super) of_limit: Option<(f64, f64)>,
    /// This many times as fast as Python.
    pub(super) python: Option<f64>,
    /// Part of s5cmd's seconds.
    pub(super) s5cmd: Option<f64>,
    /// Part of the seconds of the better of both.
    pub(super) better: Option<f64>,
    /// This many times the seconds of `find`.
    pub(super) find: Option<f64>,
}

const NONE: Aim = Aim {
    seconds: None,
    of_limit: None,
    python: None,
    s5cmd: None,
    better: None,
    find: None,
};
const FIRST_ON_LONG: Option<Aim> = Some(Aim {
    of_limit: Some((1.3, 0.6)),
    better: Some(0.75),
    ..NONE
});

const fn seconds(seconds: f64) -> Aim {
    Aim {
        seconds: Some(seconds),
        ..NONE
    }
}

const fn python(times: f64) -> Aim {
    Aim {
        python: Some(times),
        ..NONE
    }
}

const fn both(python: f64, s5cmd: f64) -> Aim {
    Aim {
        python: Some(python),
        s5cmd: Some(s5cmd),
        ..NONE
    }
}

const fn row(line: LineName, tree: Tree) -> Row {
    Row {
        line,
        tree,
        first: None,
        again: None,
        edit: None,
        index: None,
        edits: None,
    }
}

/// The whole benchmark.
pub(super) const ROWS: [Row; 10] = [
    Row {
        first: FIRST_ON_LONG,
        ..row(LineName::Long, FILE_64_MIB)
    },
    Row {
        first: FIRST_ON_LONG,
        ..row(LineName::Long, SMALL_60_MB)
    },
    Row {
        first: FIRST_ON_LONG,
        ..row(LineName::Long, SMALL_162_MB)
    },
    Row {
        again: Some(seconds(1.5)),
        ..row(LineName::Long, SMALL_1_GIB)
    },
    Row {
        first: Some(Aim {
            of_limit: Some((1.1, 0.4)),
            ..NONE
        }),
        ..row(LineName::Home, SMALL_10_MB)
    },
    Row {
        edit: Some(seconds(3.5)),
        edits: Some(20),
        ..row(LineName::Home, SMALL_60_MB)
    },
    Row {
        first: Some(both(5.5, 0.65)),
        again: Some(python(3.2)),
        edit: Some(python(14.0)),
        index: Some(Aim {
            find: Some(2.0),
            ..NONE
        }),
        ..row(LineName::Loopback, SMALL_162_MB)
    },
    Row {
        first: Some(python(2.5)),
        again: Some(python(3.4)),
        edit: Some(python(13.0)),
        ..row(LineName::Loopback, MIDDLE_290_MB)
    },
    Row {
        first: Some(both(1.5, 0.8)),
        again: Some(python(2.4)),
        index: Some(seconds(0.03)),
        ..row(LineName::Loopback, FILE_1_GIB)
    },
    Row {
        again: Some(NONE),
        index: Some(NONE),
        ..row(LineName::Loopback, SMALL_1_GIB)
    },
];
