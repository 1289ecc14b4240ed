//! What following the instructions of a Dockerfile reads and comes to.

use std::borrow::Cow;
use std::ops::Deref;

use super::instruction::Instruction;
use super::scope::Base;
use super::sources::Wanted;
use crate::bounded::{Bounded, Place, Said};

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

/// As many problems and as many warnings of a Dockerfile are listed. The last of the list then says how many more there are.
const MAX_NOTES: usize = 100;

impl Said for Note {
    fn place(&self) -> Place {
        (self.part, Some(self.line))
    }

    fn text(&self) -> Cow<'_, str> {
        self.text.as_str().into()
    }
}

/// What is to be said of the lines of a Dockerfile.
#[derive(Debug)]
pub(crate) struct Notes(Bounded<Note>);

impl Default for Notes {
    fn default() -> Self {
        Self(Bounded::new(MAX_NOTES))
    }
}

impl Notes {
    pub(super) fn push(&mut self, note: Note) {
        self.0.push(note);
    }

    /// In the order of parts and lines. `what` they are is for the last.
    pub(super) fn finish(self, what: &str) -> Vec<Note> {
        let (mut notes, more) = self.0.into_parts();
        if let Some(&Note { part, line, .. }) = notes.last().filter(|_| more > 0) {
            let text = format!("and {more} more {what}");
            notes.push(Note { part, line, text });
        }
        notes
    }
}

/// What an instruction takes from the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taking {
    pub(crate) part: usize,
    pub(crate) line: usize,
    pub(crate) sources: Vec<Wanted>,
    /// Whether it gives what it takes a mode of its own.
    pub(crate) sets_mode: bool,
    /// Whether a source that is a link stays one in BuildKit.
    pub(crate) keeps_links: bool,
}

/// What an instruction does to the files of its stage, as far as others may meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) stage: usize,
    pub(crate) part: usize,
    pub(crate) line: usize,
    pub(crate) effect: Effect,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Copy(Copied),
    /// Makes a directory, which is named from the root on.
    Folder(String),
    /// Puts something somewhere, and takes nothing away.
    Adds,
    /// May do anything.
    Anything,
}

/// A `COPY` or `ADD` from the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copied {
    /// Its number among the takings; none if all its sources are heredocs.
    pub(crate) taking: Option<usize>,
    /// The names of the heredocs among its sources, which come last.
    pub(crate) heredocs: Vec<String>,
    /// Named from the root on; a slash at its end says that it is a directory.
    pub(crate) target: String,
    pub(crate) keeps_parents: bool,
    /// Whether a file may be an archive, of which the contents come.
    pub(crate) may_unpack: bool,
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
    /// What the stages that are needed do to their files, in their order.
    pub(crate) changes: Vec<Change>,
    /// Where each stage starts.
    pub(crate) bases: Vec<Base>,
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
    pub(super) instruction: Held<'a>,
    /// The stages that it takes from, of those whose number is in this Dockerfile.
    pub(super) sources: Vec<usize>,
}

/// An instruction as it stands in the Dockerfile, or one that was put off and read anew. There are many of the former.
#[derive(Debug)]
pub(super) enum Held<'a> {
    Written(&'a Instruction),
    PutOff(Box<Instruction>),
}

impl Deref for Held<'_> {
    type Target = Instruction;

    fn deref(&self) -> &Instruction {
        match self {
            Self::Written(instruction) => instruction,
            Self::PutOff(instruction) => instruction,
        }
    }
}
