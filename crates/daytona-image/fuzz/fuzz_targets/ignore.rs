//! Any text is rules or an error; a path that an exception names is never ignored. The last line of the input is the path.
#![no_main]

use daytona_image::ignore::{IgnoreRules, Rule};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (text, path) = text.rsplit_once('\n').unwrap_or(("", text));
    let Ok(rules) = IgnoreRules::parse(text, "fuzz") else { return };
    let decision = rules.decide(path);
    // Other paths are no names of a folder's files.
    let is_clean = path.split('/').all(|name| !matches!(name, "" | "." | ".."));
    if is_clean && decision.is_ignored() {
        assert!(decision.rule().is_some_and(|rule| !rule.is_exception()));
        // All below is ignored too, unless an exception says otherwise.
        if !rules.rules().iter().any(Rule::is_exception) {
            assert!(rules.decide(&format!("{path}/below")).is_ignored());
        }
    }
});
