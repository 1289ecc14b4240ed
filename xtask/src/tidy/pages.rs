//! Rules for the pages: what they name is there.

use super::{Findings, has_extension};

/// Pages that tell of source files by their names.
const OF_THE_CODE: &str = "ARCHITECTURE.md";
/// The page that tells of all examples.
const OF_THE_EXAMPLES: &str = "examples/README.md";

impl Findings {
    /// Looks at one page. `files` are all that there are, `tasks` those of `cargo xtask`.
    pub(super) fn page(&mut self, name: &str, text: &str, files: &[String], tasks: &[String]) {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in (1..).zip(text.lines()) {
            for target in links(line).filter(|target| !is_item(name, target)) {
                let path = resolved(folder, target);
                let is_there = files
                    .iter()
                    .any(|file| *file == path || file.starts_with(&format!("{path}/")));
                if !is_there {
                    self.tell(name, number, &format!("links to `{target}`, which is not there"));
                }
            }
            for task in words_after(line, "cargo xtask ") {
                if !tasks.iter().any(|known| known == task) {
                    self.tell(
                        name,
                        number,
                        &format!("tells of `cargo xtask {task}`, which is no task"),
                    );
                }
            }
            for example in words_after(line, "--example ").filter(|word| *word != "NAME") {
                if !files.contains(&format!("examples/{example}.rs")) {
                    self.tell(
                        name,
                        number,
                        &format!("tells of the example `{example}`, which is not there"),
                    );
                }
            }
            let sources = line.split('`').skip(1).step_by(2).filter(|code| is_source(code));
            for source in sources.filter(|_| name == OF_THE_CODE) {
                let is_named = |file: &String| file == source || file.ends_with(&format!("/{source}"));
                if !files.iter().any(is_named) {
                    self.tell(name, number, &format!("tells of `{source}`, which is not there"));
                }
            }
        }
        if name.starts_with("crates/") && name.ends_with("/README.md") {
            self.items(name, text);
        }
        if name == OF_THE_EXAMPLES {
            let examples = files.iter().filter_map(|file| file.strip_prefix("examples/"));
            for example in examples.filter(|file| !file.contains('/') && is_source(file)) {
                if !text.contains(&format!("]({example})")) {
                    self.tell(name, 0, &format!("does not tell of {example}"));
                }
            }
        }
    }
}

impl Findings {
    /// Links to items in a crate's README, which has to work on the page of a registry too: there rustdoc resolves nothing.
    fn items(&mut self, name: &str, text: &str) {
        let is_defined = |link: &str| text.contains(&format!("\n{link}: https://"));
        let mut is_code = false;
        for (number, line) in (1..).zip(text.lines()) {
            is_code ^= line.starts_with("```");
            for link in shortcuts(line).filter(|link| !is_code && !is_defined(link)) {
                self.tell(
                    name,
                    number,
                    &format!("links to {link}, which only rustdoc resolves: define its address"),
                );
            }
            for target in links(line).filter(|target| is_item(name, target)) {
                self.tell(
                    name,
                    number,
                    &format!("links to `{target}`, which only rustdoc resolves: define its address"),
                );
            }
        }
    }
}

/// Links whose text is an item in code, in brackets alone.
fn shortcuts(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("[`").filter_map(|(start, _)| {
        let end = start + line[start..].find("`]")? + 2;
        let follows = line[end..].chars().next();
        (!matches!(follows, Some('(' | ':'))).then_some(&line[start..end])
    })
}

/// Targets of links to files.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains(':'))
}

/// Whether a link is one to an item: a page of a crate is its documentation.
fn is_item(page: &str, target: &str) -> bool {
    page.starts_with("crates/") && !target.contains(['.', '/'])
}

/// A relative path from a folder.
fn resolved(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The word behind each occurrence of a text.
fn words_after<'a>(line: &'a str, text: &'a str) -> impl Iterator<Item = &'a str> {
    let rests = line.split(text).skip(1);
    rests.filter_map(|rest| {
        rest.split(|character: char| !character.is_ascii_alphanumeric() && !"-_".contains(character))
            .next()
            .filter(|word| !word.is_empty() && !word.starts_with('-'))
    })
}

fn is_source(text: &str) -> bool {
    has_extension(text, &["rs"]) && !text.contains([' ', '*'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str, text: &str) -> Vec<String> {
        let files = ["README.md", "crates/x/src/a.rs", "examples/list.rs", "docs/a.md"].map(ToOwned::to_owned);
        let mut findings = Findings::default();
        findings.page(name, text, &files, &["ci".to_owned()]);
        findings.0
    }

    #[test]
    fn what_is_there_is_passed() {
        let text = "[a](docs/a.md#top) [b](crates/x) [c](#top) [d](https://x.example/y.md)\n\
                    `cargo xtask ci --full`, `cargo run --example list`, `--example NAME`\n";
        assert_eq!(page("README.md", text), <[&str; 0]>::default());
        assert_eq!(page("docs/a.md", "[up](../README.md)\n"), <[&str; 0]>::default());
        assert_eq!(page("crates/x/COOKBOOK.md", "[`c`](Item)\n"), <[&str; 0]>::default());
        let text = "[`Item`]\n```\n[`Code`]\n```\n\n[`Item`]: https://x.example/Item.html\n";
        assert_eq!(page("crates/x/README.md", text), <[&str; 0]>::default());
        assert_eq!(
            page("ARCHITECTURE.md", "`src/a.rs` and `a.rs`\n"),
            <[&str; 0]>::default()
        );
    }

    #[test]
    fn what_is_not_there_is_told_with_its_line() {
        for (name, text, part) in [
            ("README.md", "x\n[a](docs/b.md)\n", "README.md:2: links to `docs/b.md`"),
            ("docs/a.md", "[a](README.md)\n", "docs/a.md:1: links to"),
            ("docs/a.md", "[a](Item)\n", "links to `Item`"),
            ("crates/x/README.md", "[`Item`]\n", "links to [`Item`]"),
            (
                "crates/x/README.md",
                "[`c`](Item)\n",
                "links to `Item`, which only rustdoc",
            ),
            ("README.md", "`cargo xtask cd`\n", "`cargo xtask cd`"),
            ("README.md", "cargo run --example lost\n", "example `lost`"),
            ("ARCHITECTURE.md", "(`gone.rs`)\n", "tells of `gone.rs`"),
            ("examples/README.md", "none\n", "does not tell of list.rs"),
        ] {
            let found = page(name, text);
            assert!(found.len() == 1 && found[0].contains(part), "{part}: {found:?}");
        }
    }
}
