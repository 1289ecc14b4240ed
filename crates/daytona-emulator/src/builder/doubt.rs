//! What cannot be known about an image unless something is run.

use std::fmt;

/// Something that the emulator cannot know without running or opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknown {
    /// The files of an image from a registry.
    BaseImage {
        /// Its name.
        image: String,
    },
    /// The files that a `RUN` step wrote.
    Run {
        /// Its line in the Dockerfile.
        line: usize,
    },
    /// The files that `ADD` took from a remote source, or from an archive that the emulator cannot read.
    Added {
        /// Its line in the Dockerfile.
        line: usize,
        /// Where it came from.
        source: String,
    },
    /// The files that `COPY --from` copied from an unknown place.
    Copied {
        /// Its line in the Dockerfile.
        line: usize,
        /// The stage or image, and the path in it.
        source: String,
    },
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BaseImage { image } => write!(formatter, "the files of the image {image}"),
            Self::Run { line } => write!(formatter, "what RUN in line {line} wrote"),
            Self::Added { line, source } => write!(formatter, "what ADD in line {line} took from {source}"),
            Self::Copied { line, source } => write!(formatter, "what line {line} copied from {source}"),
        }
    }
}

/// A reason why a file may be different in the real image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// A later `RUN` step may have changed it.
    RunAfter {
        /// The line of the step.
        line: usize,
    },
    /// The target may be a directory of the base image, and then the file is in it.
    TargetMayBeDirectory,
    /// The target is below the working directory of the base image, which is unknown. It is shown below the root.
    WorkdirOfBaseImage,
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunAfter { line } => write!(formatter, "RUN in line {line} may have changed it"),
            Self::TargetMayBeDirectory => formatter.write_str("its path may be a directory of the base image"),
            Self::WorkdirOfBaseImage => formatter.write_str("it is below the working directory of the base image"),
        }
    }
}
