//! Marks the sandbox of a verification, with the time until which it is needed: in its name and its labels.

use std::collections::BTreeMap;
use std::time::Duration;

use daytona_api::Sandbox;
use jiff::Timestamp;

use super::cleanup;

/// The prefix of the names of these sandboxes.
const PREFIX: &str = "daytona-sdk-verify-";

/// The label that all of them have.
const PURPOSE: (&str, &str) = ("daytona-sdk/purpose", "verify");

/// The label with the time after which nobody needs the sandbox.
const UNTIL: &str = "daytona-sdk/until";

/// How long after the end of a call the call itself may still delete its sandbox. If a server does not tell its time,
/// this also covers a difference between two clocks.
const MARGIN: Duration = cleanup::LIMIT;

/// A sandbox whose call has no deadline counts as left behind after this time.
const LONGEST: Duration = Duration::from_hours(24);

/// A name that no other sandbox has.
pub(crate) fn name() -> String {
    format!("{PREFIX}{}", uuid::Uuid::new_v4().simple())
}

/// The labels of a sandbox that is needed for at most this time. `now` is the server's time.
pub(crate) fn labels(now: Timestamp, limit: Option<Duration>) -> BTreeMap<String, String> {
    let until = now
        .checked_add(limit.unwrap_or(LONGEST).min(LONGEST) + MARGIN)
        .unwrap_or(now);
    let [purpose, until] =
        [PURPOSE, (UNTIL, &until.to_string())].map(|(name, value)| (name.to_owned(), value.to_owned()));
    BTreeMap::from([purpose, until])
}

/// The filter of a list request that finds all of them, as a JSON object.
pub(crate) fn filter() -> String {
    let (name, value) = PURPOSE;
    serde_json::json!({ name: value }).to_string()
}

/// Whether nobody needs the sandbox of a verification any more. `now` is the server's time.
pub(crate) fn is_left_behind(sandbox: &Sandbox, now: Timestamp) -> bool {
    let label = |name: &str| sandbox.labels.as_ref()?.get(name).map(String::as_str);
    let is_ours = sandbox.name.starts_with(PREFIX) && label(PURPOSE.0) == Some(PURPOSE.1);
    let until = label(UNTIL).and_then(|text| text.parse::<Timestamp>().ok());
    is_ours && until.is_some_and(|until| until < now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_and_past_its_time_is_left_behind() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let minute = Duration::from_mins(1);
        let mut sandbox = Sandbox::new("1", name(), "started");
        sandbox.labels = Some(labels(now, Some(minute)));
        let later = |minutes: u32| now.checked_add(minute * minutes).unwrap();
        assert!(!is_left_behind(&sandbox, later(2)), "clocks may differ");
        assert!(is_left_behind(&sandbox, later(12)));
        let mut other = sandbox.clone();
        other.name = "web".to_owned();
        assert!(!is_left_behind(&other, later(12)), "a copy of our labels");
        sandbox.labels.as_mut().unwrap().remove(UNTIL);
        assert!(!is_left_behind(&sandbox, later(12)), "its time is not known");
        sandbox.labels = None;
        assert!(!is_left_behind(&sandbox, later(12)));
        assert_eq!(filter(), r#"{"daytona-sdk/purpose":"verify"}"#);
    }
}
