//! Random projects: a folder with files, links and ignore rules, and a Dockerfile that copies some of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::words::{FILES, FLAGS, LINES, LINKS, RULES, RUNS, SOURCES, TARGETS, TOKENS};

/// A folder and its Dockerfile.
#[derive(Debug, Clone)]
pub(super) struct Project {
    files: Vec<&'static str>,
    links: Vec<(&'static str, &'static str)>,
    /// Rules, without those that every project has.
    rules: Vec<&'static str>,
    pub(super) dockerfile: String,
}

/// Stages that copy, of lines that are mostly right.
pub(super) fn any_project() -> impl Strategy<Value = Project> {
    let globals = prop::collection::vec(
        select(vec!["ARG G=dir", "ARG V=lib", "ARG B=scratch", "# escape=`", "ENV V=a"]),
        0..2,
    );
    let stages = prop::collection::vec(
        (any::<prop::sample::Index>(), prop::collection::vec(line(), 0..6)),
        1..4,
    );
    let text = (prop::option::weighted(0.2, globals), stages).prop_map(|(globals, stages)| {
        let mut lines: Vec<String> = globals.into_iter().flatten().map(ToOwned::to_owned).collect();
        for (number, (base, stage)) in stages.into_iter().enumerate() {
            // The base is an earlier stage at times.
            let base = match base.index(2 * number + 3).checked_sub(number + 3) {
                Some(stage) if stage < number => format!("s{stage}"),
                _ => "scratch".to_owned(),
            };
            lines.push(format!("FROM {base} AS s{number}"));
            lines.extend(stage);
        }
        lines.join("\n") + "\n"
    });
    (folder(), text).prop_map(|(folder, dockerfile)| Project { dockerfile, ..folder })
}

/// Texts of pieces that do not fit.
pub(super) fn noisy_project() -> impl Strategy<Value = Project> {
    let glue = select(vec![" ", " ", " ", " ", "", "\n"]);
    let noise = prop::collection::vec((select(TOKENS.to_vec()), glue), 0..6).prop_map(|pieces| {
        let pieces = pieces.into_iter().flat_map(|(token, glue)| [token, glue]);
        pieces.collect::<String>()
    });
    let keyword = select(vec![
        "COPY a.txt",
        "RUN",
        "ENV V=",
        "ENV V=a.txt",
        "LABEL",
        "CMD",
        "ARG",
        "",
    ]);
    let text = (prop::option::weighted(0.3, line()), keyword, noise, any::<bool>()).prop_map(
        |(line, keyword, noise, is_copied)| {
            let line = line.map(|line| line + "\n").unwrap_or_default();
            let end = if is_copied { "COPY $V /end" } else { "" };
            format!("FROM scratch AS s0\nENV V=dir\n{line}{keyword} {noise}\n{end}\n")
        },
    );
    (folder(), text).prop_map(|(folder, dockerfile)| Project { dockerfile, ..folder })
}

fn line() -> impl Strategy<Value = String> {
    let sources = || prop::collection::vec(select(SOURCES.to_vec()), 1..3);
    let flags = prop::collection::vec(select(FLAGS.to_vec()), 0..2);
    let flags = prop_oneof![3 => Just(Vec::new()), 2 => flags];
    let keyword = select(vec!["COPY", "COPY", "COPY", "ADD", "ONBUILD COPY"]);
    let copy = (keyword, flags, sources(), select(TARGETS.to_vec()), any::<bool>()).prop_map(
        |(keyword, flags, sources, target, is_json)| {
            let flags: String = flags.into_iter().flat_map(|flag| [flag, " "]).collect();
            let mut words = sources;
            words.push(target);
            if is_json {
                let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
                format!("{keyword} {flags}[{}]", words.join(", "))
            } else {
                format!("{keyword} {flags}{}", words.join(" "))
            }
        },
    );
    prop_oneof![
        6 => copy,
        4 => select(LINES.to_vec()).prop_map(ToOwned::to_owned),
        1 => select(RUNS.to_vec()).prop_map(ToOwned::to_owned),
    ]
}

/// Files, with links or with ignore rules: what both together mean, the emulator cannot be asked.
fn folder() -> impl Strategy<Value = Project> {
    let files = subsequence(FILES.to_vec(), 3..=FILES.len());
    let links = subsequence(LINKS.to_vec(), 0..=LINKS.len());
    let rules = prop::collection::vec(select(RULES.to_vec()), 0..5);
    (
        files,
        prop_oneof![
            links.prop_map(|links| (links, Vec::new())),
            rules.prop_map(|rules| (Vec::new(), rules))
        ],
    )
        .prop_map(|(files, (links, rules))| Project {
            files,
            links,
            rules,
            dockerfile: String::new(),
        })
}

impl Project {
    pub(super) fn has_links(&self) -> bool {
        !self.links.is_empty()
    }

    pub(super) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Whether a source is a pattern that looks into directories.
    pub(super) fn has_deep_pattern(&self) -> bool {
        let mut words = self.dockerfile.split([' ', ',', '\n']);
        words.any(|word| word.contains("*/") && !word.starts_with("--"))
    }

    /// The ignore file names itself, as it is sent by nobody.
    fn ignore_file(&self) -> String {
        let rules = self.rules.iter().chain([&".dockerignore"]);
        rules.flat_map(|rule| [rule, "\n"]).collect()
    }

    fn mode(name: &str) -> u32 {
        if Path::new(name).extension().is_some_and(|extension| extension == "sh") {
            0o755
        } else {
            0o644
        }
    }

    /// Writes the folder to the disk.
    pub(super) fn write_tree(&self, folder: &Path) {
        use std::os::unix::fs::PermissionsExt;

        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(Self::mode(name))).unwrap();
        };
        self.files.iter().for_each(|name| write(name, name));
        write("Dockerfile", &self.dockerfile);
        if self.has_rules() {
            write(".dockerignore", &self.ignore_file());
        }
        for (name, target) in &self.links {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        }
    }

    /// All of the folder in one archive. Links are their content, as the service has no others.
    pub(super) fn archive(&self) -> Vec<u8> {
        let mut members: BTreeMap<String, &str> = self.files.iter().map(|name| ((*name).to_owned(), *name)).collect();
        members.extend(self.linked());
        let ignore_file = self.ignore_file();
        if self.has_rules() {
            members.insert(".dockerignore".to_owned(), &ignore_file);
        }
        let mut archive = tar::Builder::new(Vec::new());
        for (name, content) in members {
            let mut header = tar::Header::new_ustar();
            header.set_mode(Self::mode(if self.files.contains(&content) { content } else { "" }));
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap()
    }

    /// What is found through links, and the file that it is. The root of the folder is `/` to them. A link that leads back to
    /// a folder that is open is not gone through.
    fn linked(&self) -> BTreeMap<String, &'static str> {
        let mut found = BTreeMap::new();
        let mut open: Vec<(String, String, Vec<String>)> = vec![(String::new(), String::new(), vec![String::new()])];
        while let Some((name, real, above)) = open.pop() {
            for entry in self.entries(&real) {
                let [name, path] = [&name, &real].map(|folder| join(folder, &entry));
                let Some(reached) = self.resolve(&path) else { continue };
                if let Some(file) = self.files.iter().find(|file| **file == reached) {
                    if name != *file {
                        found.insert(name, *file);
                    }
                } else if !above.contains(&reached) {
                    let above = above.iter().cloned().chain([reached.clone()]).collect();
                    open.push((name, reached, above));
                }
            }
        }
        found
    }

    /// The names in a folder.
    fn entries(&self, folder: &str) -> BTreeSet<String> {
        let paths = self
            .files
            .iter()
            .copied()
            .chain(self.links.iter().map(|(name, _)| *name));
        let below = paths.filter_map(|path| match folder {
            "" => Some(path),
            folder => path.strip_prefix(folder)?.strip_prefix('/'),
        });
        below
            .filter_map(|path| path.split('/').next())
            .map(ToOwned::to_owned)
            .collect()
    }

    fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || !self.entries(path).is_empty()
    }

    /// The path without links, if something is there.
    fn resolve(&self, path: &str) -> Option<String> {
        let mut rest: Vec<String> = path.split('/').rev().map(ToOwned::to_owned).collect();
        let mut real: Vec<String> = Vec::new();
        let mut followed = 0;
        while let Some(name) = rest.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    real.pop();
                    continue;
                }
                _ => real.push(name),
            }
            let at = real.join("/");
            if let Some((_, target)) = self.links.iter().find(|(link, _)| *link == at) {
                followed += 1;
                if followed > 40 {
                    return None;
                }
                real.pop();
                if target.starts_with('/') {
                    real.clear();
                }
                rest.extend(target.split('/').rev().map(ToOwned::to_owned));
            } else if !self.files.contains(&at.as_str()) && !self.is_folder(&at) {
                return None;
            }
        }
        Some(real.join("/"))
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
