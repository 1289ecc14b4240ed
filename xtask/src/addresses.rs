//! The addresses on docs.rs in the crates' READMEs, checked against the documentation that was just built.

use std::fs;
use std::path::Path;

use crate::tools::PUBLISHED;

const DOCS: &str = "https://docs.rs/";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("addresses that the documentation does not have:\n{0}")]
    Missing(String),
}

/// Checks the READMEs of all published crates.
pub(crate) fn check(workspace: &Path) -> Result<(), Error> {
    let mut missing = Vec::new();
    for name in PUBLISHED {
        let path = format!("crates/{name}/README.md");
        let text = fs::read_to_string(workspace.join(&path)).map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?;
        let documentation = workspace.join("target/doc");
        let lost = addresses(&text).filter(|address| !is_there(address, &documentation));
        missing.extend(lost.map(|address| format!("  {path}: {address}")));
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Missing(missing.join("\n")))
}

/// The addresses that link definitions have.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let definitions = text.lines().filter(|line| line.starts_with('['));
    definitions.filter_map(|line| Some(&line[line.find(DOCS)?..]))
}

/// Whether rustdoc has made the page of an address such as `https://docs.rs/a/latest/a/struct.B.html#method.c`, and its anchor.
fn is_there(address: &str, documentation: &Path) -> bool {
    let Some((_, page)) = address.split_once("/latest/") else {
        return false;
    };
    let (page, anchor) = page.split_once('#').unwrap_or((page, ""));
    let Ok(text) = fs::read_to_string(documentation.join(page)) else {
        return false;
    };
    anchor.is_empty() || text.contains(&format!("id=\"{anchor}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_with_a_page_and_its_anchor_are_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/struct.B.html"), "<section id=\"method.c\">").unwrap();
        let text = "Text.\n\n[`B`]: https://docs.rs/a/latest/a/struct.B.html\n\
                    [`B::c`]: https://docs.rs/a/latest/a/struct.B.html#method.c\n\
                    [`B::d`]: https://docs.rs/a/latest/a/struct.B.html#method.d\n\
                    [`C`]: https://docs.rs/a/latest/a/struct.C.html\n[`D`]: https://docs.rs/a\n";
        let found: Vec<bool> = addresses(text)
            .map(|address| is_there(address, folder.path()))
            .collect();
        assert_eq!(found, [true, true, false, false, false]);
    }
}
