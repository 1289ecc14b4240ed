//! Any text is rules or an error; a path that an exception names is never ignored.
#![no_main]

use daytona_image::ignore::IgnoreRules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (text, path) = input;
    let Ok(rules) = IgnoreRules::parse(text, "fuzz") else { return };
    let decision = rules.decide(path);
    if decision.is_ignored() {
        assert!(decision.rule().is_some_and(|rule| !rule.is_exception()));
        // All below is ignored too, unless an exception says otherwise.
        if !rules.rules().iter().any(daytona_image::ignore::Rule::is_exception) {
            assert!(rules.decide(&format!("{path}/below")).is_ignored());
        }
    }
});
