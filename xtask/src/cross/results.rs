//! What a test runner said.

use std::io;

/// How many tests passed, by the lines of the test runner.
pub(super) fn counted(printed: &str) -> io::Result<String> {
    let count = |line: &str, what: &str| {
        let before = line.split_once(what)?.0;
        before.rsplit(' ').find(|word| !word.is_empty())?.parse::<usize>().ok()
    };
    let results = || printed.lines().filter(|line| line.starts_with("test result:"));
    let passed: usize = results().filter_map(|line| count(line, " passed")).sum();
    let left_out: usize = results().filter_map(|line| count(line, " filtered out")).sum();
    match (passed, left_out) {
        (0, _) => Err(io::Error::other(format!("no test ran:\n{printed}"))),
        (passed, 0) => Ok(format!("{passed} passed")),
        (passed, left_out) => Ok(format!("{passed} passed, {left_out} left out")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_by_the_runners_lines() {
        let line = |passed, left| {
            format!(
                "test result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured; {left} filtered out; finished in 0.1s\n"
            )
        };
        assert_eq!(counted(&(line(3, 0) + &line(4, 0))).unwrap(), "7 passed");
        assert_eq!(counted(&(line(3, 2) + &line(4, 1))).unwrap(), "7 passed, 3 left out");
        assert!(counted(&line(0, 7)).is_err());
    }
}
