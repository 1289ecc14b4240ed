//! What following the instructions of a Dockerfile reads and comes to.

use std::borrow::Cow;

use super::instruction::Instruction;
use super::sources::Wanted;

/// An instruction, and the part of the Dockerfile that it stands in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed<'a> {
    pub(crate) part: usize,
    pub(crate) instruction: &'a Instruction,
}

/// Something to be said of a line of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) part: usize,
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// What an instruction takes from the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taking {
    pub(crate) part: usize,
    pub(crate) line: usize,
    pub(crate) sources: Vec<Wanted>,
    /// Whether it gives what it takes a mode of its own.
    pub(crate) sets_mode: bool,
}

/// The image that a stage starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseImage {
    pub(crate) part: usize,
    pub(crate) line: usize,
    pub(crate) image: String,
    pub(crate) platform: Option<String>,
}

/// A variable that an instruction sets or declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) part: usize,
    pub(crate) line: usize,
    pub(crate) keyword: &'static str,
    pub(crate) name: String,
}

/// What the instructions of a Dockerfile come to.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    pub(crate) takings: Vec<Taking>,
    pub(crate) warnings: Vec<Note>,
    pub(crate) problems: Vec<Note>,
    pub(crate) images: Vec<BaseImage>,
    pub(crate) assignments: Vec<Assignment>,
    /// For each stage whether the last one needs it.
    pub(crate) needed: Vec<bool>,
    /// Whether a stage that is needed names another by its number.
    pub(crate) has_numbers: bool,
}

/// An instruction of a stage. One that was put off stands in the line of the `FROM` that sets it off.
pub(super) struct Command<'a> {
    pub(super) part: usize,
    pub(super) line: usize,
    pub(super) instruction: Cow<'a, Instruction>,
    /// The stages that it takes from, of those whose number is in this Dockerfile.
    pub(super) sources: Vec<usize>,
}
