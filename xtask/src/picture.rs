//! `cargo xtask picture`: what quickstart prints, as a picture for the README. From a real run, and text all through.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::tools::{self, say};

const PICTURE: &str = "examples/quickstart.svg";

/// Lines of the run that are shown: the middle of a long one is left out.
const MOST_LINES: usize = 46;
/// Characters of a line that are shown.
const LONGEST_LINE: usize = 112;

const LINE_HEIGHT: usize = 18;
const CHARACTER_WIDTH: usize = 8;
const MARGIN: usize = 20;
const BAR: usize = 34;

pub(crate) fn run(workspace: &Path) -> io::Result<()> {
    let mut quickstart = Command::new("cargo");
    quickstart
        .args(["run", "--quiet", "--example", "quickstart"])
        .current_dir(workspace);
    let printed = tools::quiet(tools::without_account(&mut quickstart))?;
    let path = workspace.join(PICTURE);
    fs::write(&path, picture("cargo run --example quickstart", &printed))?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

/// A terminal with a command and what it printed.
fn picture(command: &str, printed: &str) -> String {
    let mut lines: Vec<&str> = printed.trim_end().lines().collect();
    if lines.len() > MOST_LINES {
        let end = lines.split_off(lines.len() - MOST_LINES / 2);
        lines.truncate(MOST_LINES / 2 - 1);
        lines.push("  ⋮");
        lines.extend(end);
    }
    let (width, height) = (
        LONGEST_LINE * CHARACTER_WIDTH + 2 * MARGIN,
        BAR + (lines.len() + 2) * LINE_HEIGHT + MARGIN,
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{command} in a terminal\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#16181d\"/>\n\
         <g fill=\"#3b404a\"><circle cx=\"20\" cy=\"17\" r=\"6\"/><circle cx=\"40\" cy=\"17\" r=\"6\"/>\
         <circle cx=\"60\" cy=\"17\" r=\"6\"/></g>\n\
         <g font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"13\" fill=\"#c9d1d9\">\n"
    );
    let mut row = |number: usize, color: &str, text: &str| {
        let y = BAR + (number + 1) * LINE_HEIGHT;
        let fill = if color.is_empty() {
            String::new()
        } else {
            format!(" fill=\"{color}\"")
        };
        // Browsers collapse blanks, and what a group says of blanks does not reach the texts in it.
        let _ = writeln!(
            svg,
            "<text xml:space=\"preserve\" x=\"{MARGIN}\" y=\"{y}\"{fill}>{}</text>",
            escaped(text)
        );
    };
    row(0, "#7ee787", &format!("$ {command}"));
    for (number, line) in (1..).zip(&lines) {
        let is_log = line.trim_start().starts_with('|');
        let is_heading = !line.starts_with(' ') && !line.is_empty();
        let color = if is_log {
            "#8b949e"
        } else if is_heading {
            "#79c0ff"
        } else {
            ""
        };
        row(number, color, line);
    }
    svg + "</g>\n</svg>\n"
}

/// At most as long as it is shown, without what XML means something by.
fn escaped(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST_LINE).collect();
    if text.chars().nth(LONGEST_LINE).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_xml_of_what_was_printed() {
        let svg = picture("run", "Plan\n  a < b & c\n  | #1 log\n");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("  a &lt; b &amp; c</text>") && svg.contains("$ run"));
        let long = picture("run", &"x".repeat(300));
        assert!(long.contains('…') && !long.contains(&"x".repeat(LONGEST_LINE)));
        let many = picture("run", &"line\n".repeat(100));
        assert_eq!(
            many.matches("<text").count(),
            many.matches("xml:space=\"preserve\"").count()
        );
        assert!(many.contains('⋮') && many.matches("<text").count() < MOST_LINES + 3);
    }
}
