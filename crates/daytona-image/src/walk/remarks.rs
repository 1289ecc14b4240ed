//! What may surprise about a walk, in words.

use std::fmt::Display;

use super::found::Walked;
use super::spelling;
use crate::escape;

/// As many are listed by name.
const SHOWN: usize = 10;

impl Walked {
    /// A sentence for each kind of thing that does not reach the build though nobody asked to leave it out. `folder` is
    /// put before names.
    pub fn remarks(&self, folder: &str) -> Vec<String> {
        let below = |name: &str| match folder {
            "" => format!("`{}`", escape::text(name)),
            folder => format!("`{}`", escape::text(&format!("{folder}/{name}"))),
        };
        let mut remarks = Vec::new();
        if let [only] = self.empty.as_slice() {
            remarks.push(format!(
                "the folder {} has no file to send and does not reach the build: put a file into it, or make it with \
                 `RUN mkdir -p`",
                below(only)
            ));
        } else if !self.empty.is_empty() {
            remarks.push(format!(
                "{} folders have no file to send and do not reach the build: {}; put a file into each, or make them with \
                 `RUN mkdir -p`",
                self.empty.len(),
                list(self.empty.iter().map(|name| below(name)))
            ));
        }
        let of_finder = self
            .files
            .iter()
            .filter(|found| found.name.rsplit('/').next() == Some(".DS_Store"));
        let of_finder: Vec<_> = of_finder.map(|found| below(&found.name)).collect();
        if !of_finder.is_empty() {
            remarks.push(format!(
                "what the Finder of macOS keeps of a folder is sent, and changes the hash: {}; leave it out with `**/.DS_Store` in \
                 `.dockerignore`",
                list(of_finder.iter())
            ));
        }
        let decomposed = self.files.iter().filter(|found| spelling::is_decomposed(&found.name));
        let decomposed: Vec<_> = decomposed.map(|found| below(&found.name)).collect();
        if !decomposed.is_empty() {
            remarks.push(format!(
                "names are written with combining characters, as disks and archives of macOS may have them: {}; they are sent so, \
                 and no rule, `COPY` or program that writes the usual form matches them: rename the files",
                list(decomposed.iter())
            ));
        }
        if !self.doubtful_rules.is_empty() {
            remarks.push(format!(
                "a backslash quotes the next character, and divides no folders but on Windows: write `/` in the ignore rule {}",
                list(self.doubtful_rules.iter())
            ));
        }
        if !self.skipped.is_empty() {
            remarks.push(format!(
                "left out, as it cannot be sent: {}; leave it out with `.dockerignore` to say so yourself, or make it an error \
                 with `links(Links::Strict)`",
                list(self.skipped.iter())
            ));
        }
        if !self.followed.is_empty() {
            remarks.push(format!(
                "links are sent as what they lead to, so that the build has files and folders in their place: {}; make them with \
                 `RUN ln -s` if they have to be links",
                list(self.followed.iter().map(|name| below(name)))
            ));
        }
        let modes: Vec<_> = self.files.iter().filter(|found| found.loses_mode()).collect();
        if !modes.is_empty() {
            let shown = modes.iter().map(|found| {
                let name = if found.name.is_empty() {
                    "it".to_owned()
                } else {
                    below(&found.name)
                };
                format!("{name} ({:04o})", found.mode.unwrap_or_default())
            });
            remarks.push(format!(
                "files arrive with the mode 0644, or 0755 where their owner may execute them, and lose another one: {}; set it \
                 with `--chmod`, `chmod(…)` or a `RUN chmod`",
                list(shown)
            ));
        }
        let by_link: Vec<_> = self.excluded.iter().filter(|excluded| excluded.by_link).collect();
        if !by_link.is_empty() {
            let shown = by_link
                .iter()
                .map(|excluded| format!("{} by {}", below(&excluded.name), excluded.rule));
            remarks.push(format!(
                "left out under the name that a link gives it, where Docker would look at the real name only: {}",
                list(shown)
            ));
        }
        remarks
    }
}

fn list<T: Display>(items: impl ExactSizeIterator<Item = T>) -> String {
    let rest = items.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = items.take(SHOWN).map(|item| item.to_string()).collect();
    if rest > 0 {
        shown.push(format!("and {rest} more"));
    }
    shown.join(", ")
}
