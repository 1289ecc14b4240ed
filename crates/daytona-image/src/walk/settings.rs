//! What holds for all of a walk.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ignore::IgnoreRules;

/// What to do with what cannot be sent below a directory: a link that leads out of it, to nothing, or back to a
/// directory that it lies in, and a FIFO, socket or device.
///
/// Other links are sent as what they lead to, under their own names: the service has no links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Links {
    /// It is left out, with one warning that lists all of it. It is an error nevertheless where it is named itself. The
    /// default.
    #[default]
    Skip,
    /// It is an error.
    Strict,
}

/// What holds for all of a walk.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) shown: PathBuf,
    pub(super) links: Links,
    pub(super) rules: IgnoreRules,
    pub(super) only: Option<Arc<dyn Selection>>,
    /// Called with a path after it was looked at and before it is opened.
    #[cfg(test)]
    pub(super) meanwhile: Option<fn(&std::path::Path)>,
}

/// What a walk is after, where that is not all of a directory. Names are relative to the root and `/`-separated.
pub(crate) trait Selection: fmt::Debug + Send + Sync {
    /// Whether the file of this name is wanted, or all of the directory.
    fn takes(&self, name: &str) -> bool;

    /// Whether something below the directory of this name may be wanted. Links on the way to it are not followed.
    fn may_hold(&self, folder: &str) -> bool;
}
