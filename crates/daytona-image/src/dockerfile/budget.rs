//! What the expansions of a Dockerfile may use up, and why a word has no value.

use std::cell::Cell;
use std::fmt;

/// How many bytes the words of one Dockerfile may expand to, all together.
pub(crate) const MAX_EXPANSION: usize = 16 * 1024 * 1024;

/// How many steps the variables of one Dockerfile may take, all together: to find them in stages, and to match the
/// patterns of `${name#pattern}` and its like.
pub(crate) const MAX_STEPS: usize = 16 * 1024 * 1024;

/// Why a word has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WordError {
    /// It depends on this variable, whose value is not known.
    Unknown(String),
    /// It is not a word, in words.
    Invalid(String),
}

impl fmt::Display for WordError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(formatter, "the value of the variable `{name}` is not known here"),
            Self::Invalid(problem) => formatter.write_str(problem),
        }
    }
}

impl WordError {
    pub(super) fn invalid<T>(problem: impl Into<String>) -> Result<T, Self> {
        Err(Self::Invalid(problem.into()))
    }
}

/// What the expansions of a Dockerfile have used up. Nothing that a Dockerfile says can make them grow without end.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    bytes: Cell<usize>,
    steps: Cell<usize>,
}

impl Budget {
    pub(super) fn take_bytes(&self, count: usize) -> Result<(), WordError> {
        self.bytes.set(self.bytes.get().saturating_add(count));
        if self.bytes.get() > MAX_EXPANSION {
            return WordError::invalid(format!(
                "the variables of this Dockerfile expand to more than {MAX_EXPANSION} bytes"
            ));
        }
        Ok(())
    }

    pub(super) fn take_steps(&self, count: usize) -> Result<(), WordError> {
        self.steps.set(self.steps.get().saturating_add(count));
        if self.steps.get() > MAX_STEPS {
            return WordError::invalid(format!(
                "the variables of this Dockerfile take more than {MAX_STEPS} steps"
            ));
        }
        Ok(())
    }

    /// Counts a step of a look-up, which cannot fail. Who looks something up calls [`take_steps`](Self::take_steps)
    /// afterwards, which fails if these were too many.
    pub(super) fn count_step(&self) {
        self.steps.set(self.steps.get().saturating_add(1));
    }
}
