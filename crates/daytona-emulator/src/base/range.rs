//! Ranges of numbers from outside, and the messages for numbers outside their range.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest time that can be requested: a year.
pub(crate) const LONGEST: Duration = Duration::from_hours(365 * 24);

/// An error that names the number and its range, if it is not in it.
pub(crate) fn within(name: &str, value: u64, range: RangeInclusive<u64>) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    let (from, to) = range.into_inner();
    Err(if to == u64::MAX {
        format!("{name} must be at least {from}, but is {value}")
    } else {
        format!("{name} must be from {from} to {to}, but is {value}")
    })
}

/// An error if a time is longer than [`LONGEST`].
pub(crate) fn duration(name: &str, value: Duration) -> Result<(), String> {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    within(name, milliseconds(value), 0..=milliseconds(LONGEST))
}

/// An error if a fraction is not in its range, or is not a number.
pub(crate) fn fraction(name: &str, value: f64, range: RangeInclusive<f64>) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(format!(
        "{name} must be from {} to {}, but is {value}",
        range.start(),
        range.end()
    ))
}
