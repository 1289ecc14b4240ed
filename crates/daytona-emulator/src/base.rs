//! What every part needs: time, ranges of numbers, files.

pub(crate) mod clock;
pub(crate) mod data_dir;
pub(crate) mod random;
pub(crate) mod range;
