//! `COPY` and `ADD`: what they take, and where it goes.

use super::assemble::clean;
use super::dockerfile::{self, Heredoc, Instruction};
use super::flags::{Flags, exec_form};
use super::image::{BuiltImage, Content, Doubt, ImageFile, Node, Unknown};
use super::interpret::StageBuilder;
use super::origin::{Found, Origin};
use super::pattern;

pub(super) fn carry_out(stage: &mut StageBuilder<'_>, instruction: &Instruction) -> Result<(), String> {
    let is_add = instruction.keyword == "ADD";
    let known: &[&str] = if is_add {
        &[
            "chown",
            "chmod",
            "link",
            "checksum",
            "keep-git-dir",
            "exclude",
            "unpack",
        ]
    } else {
        &["from", "chown", "chmod", "link", "parents", "exclude"]
    };
    let (flags, rest) = Flags::read(&instruction.rest, known)?;
    let words = exec_form(rest).unwrap_or_else(|| rest.split_whitespace().map(ToOwned::to_owned).collect());
    let [sources @ .., target] = words.as_slice() else {
        return Err(format!(
            "{} requires at least two arguments, but only 0 were provided",
            instruction.keyword
        ));
    };
    if sources.is_empty() {
        return Err(format!(
            "{} requires at least two arguments, but only 1 were provided",
            instruction.keyword
        ));
    }
    let target_text = stage.process(target)?;
    let is_directory =
        target_text.ends_with('/') || matches!(target_text.as_str(), "." | "") || target_text.ends_with("/.");
    if sources.len() > 1 && !is_directory {
        return Err(format!(
            "When using {} with more than one source file, the destination must be a directory and end with a /",
            instruction.keyword
        ));
    }
    let mut copy = Copy {
        line: instruction.line,
        owner: flags.get("chown").map(|owner| stage.process(owner)).transpose()?,
        mode: flags.get("chmod").map(|mode| stage.process(mode)).transpose()?,
        excluded: flags
            .all("exclude")
            .map(|pattern| stage.process(pattern))
            .collect::<Result<_, _>>()?,
        keeps_parents: flags.is_set("parents"),
        unpacks: is_add && flags.get("unpack") != Some("false"),
        target: stage.absolute(&target_text),
        is_directory,
        is_below_unknown_workdir: !target_text.starts_with('/')
            && stage.out.image.workdir.is_none()
            && !stage.out.image.is_closed(),
        files: 0,
    };
    let from = flags.get("from").map(|from| stage.process(from)).transpose()?;
    let mut heredocs = instruction.heredocs.iter();
    for source in sources {
        if dockerfile::heredoc(source).is_some()
            && let Some(heredoc) = heredocs.next()
        {
            copy.heredoc(stage, heredoc)?;
            continue;
        }
        let source = stage.process(source)?;
        if is_add && is_remote(&source) {
            copy.remote(stage, &source)?;
            continue;
        }
        match &from {
            None => {
                let context = stage.context;
                copy.local(stage, &Origin::Context(&context.files), &source)?;
            }
            Some(from) => copy.from(stage, from, &source)?,
        }
    }
    let files = copy.files;
    if from.is_none() {
        stage.say(format!("0.001 {files} files from the context"));
    }
    Ok(())
}

fn is_remote(source: &str) -> bool {
    ["http://", "https://", "git@", "git://", "ssh://", "github.com/"]
        .iter()
        .any(|start| source.starts_with(start))
}

/// One `COPY` or `ADD`.
#[expect(clippy::struct_excessive_bools, reason = "flags of the instruction")]
pub(super) struct Copy {
    pub(super) line: usize,
    owner: Option<String>,
    mode: Option<String>,
    excluded: Vec<String>,
    keeps_parents: bool,
    unpacks: bool,
    pub(super) target: String,
    /// The target is a directory, because it says so.
    is_directory: bool,
    is_below_unknown_workdir: bool,
    files: usize,
}

impl Copy {
    fn local(&mut self, stage: &mut StageBuilder<'_>, origin: &Origin<'_>, source: &str) -> Result<(), String> {
        let path = clean(source);
        if !pattern::is_pattern(&path) {
            return self.one(stage, origin, source, &path);
        }
        // A pattern may match nothing, but its folder has to be there.
        let fixed: Vec<&str> = path.split('/').take_while(|name| !pattern::is_pattern(name)).collect();
        let fixed = fixed.join("/");
        if !origin.has_below(&fixed) && !fixed.is_empty() {
            return if origin.is_closed() {
                Err(origin.missing(&path))
            } else {
                self.unknown(stage, origin, &path)
            };
        }
        let matched = origin.matched(stage, &path, &fixed)?;
        if matched.is_empty() && !origin.is_closed() {
            return self.unknown(stage, origin, &path);
        }
        for path in matched {
            self.one(stage, origin, &path, &path)?;
        }
        Ok(())
    }

    /// A file or the contents of a directory.
    fn one(
        &mut self,
        stage: &mut StageBuilder<'_>,
        origin: &Origin<'_>,
        source: &str,
        path: &str,
    ) -> Result<(), String> {
        if self.is_excluded(path) {
            return Ok(());
        }
        let unescaped = unescape(path);
        let path = if origin.exists(path) { path } else { unescaped.as_str() };
        match origin.get(path) {
            Some(Found::File(file)) => {
                let kept = self.kept_parents(source, path);
                if self.unpacks && self.unpack(stage, &file)? {
                    self.files += 1;
                    return Ok(());
                }
                let target = match kept {
                    Some(kept) => join(&self.target, &kept),
                    None => self.file_target(stage, path)?,
                };
                self.files += 1;
                self.place(stage, &target, file)
            }
            Some(Found::Unknown(unknown)) => {
                let target = self.file_target(stage, path)?;
                stage.place(&target, Node::Unknown(unknown))
            }
            Some(Found::Directory) => self.directory(stage, origin, source, path),
            None if path.is_empty() || origin.has_below(path) => self.directory(stage, origin, source, path),
            None if origin.is_closed() => Err(origin.missing(path)),
            None => self.unknown(stage, origin, path),
        }
    }

    fn directory(
        &mut self,
        stage: &mut StageBuilder<'_>,
        origin: &Origin<'_>,
        source: &str,
        path: &str,
    ) -> Result<(), String> {
        let target = match self.kept_parents(source, path) {
            Some(kept) => join(&self.target, &kept),
            None => self.target.clone(),
        };
        if !target.is_empty() {
            match stage.out.image.nodes.get(target.as_str()) {
                Some(Node::File(_)) => return Err(format!("cannot copy to non-directory: /{target}")),
                Some(_) => {}
                None => stage.place(&target, Node::Directory)?,
            }
        }
        let members = origin.below(path);
        stage.budget.spend(members.len())?;
        for (name, found) in members {
            if self.is_excluded(&name) || self.is_excluded(&join(path, &name)) {
                continue;
            }
            let target = join(&target, &name);
            match found {
                Found::File(file) => {
                    self.files += 1;
                    self.place(stage, &target, file)?;
                }
                Found::Directory => stage.place(&target, Node::Directory)?,
                Found::Unknown(unknown) => stage.place(&target, Node::Unknown(unknown))?,
            }
        }
        if let Origin::Image { image, name } = origin
            && !image.is_closed()
        {
            // There may be more in that directory than is known.
            stage.out.image.unknown.push(Unknown::Copied {
                line: self.line,
                source: format!("{name}:/{path}"),
            });
        }
        Ok(())
    }

    /// From another stage, or from an image, of which nothing is known.
    fn from(&mut self, stage: &mut StageBuilder<'_>, from: &str, source: &str) -> Result<(), String> {
        if let Some(built) = stage.built_stage(from) {
            stage.budget.spend(1)?;
            return self.local(
                stage,
                &Origin::Image {
                    name: from,
                    image: &built.image,
                },
                source,
            );
        }
        let mut image = BuiltImage::default();
        image.unknown.push(Unknown::BaseImage { image: from.to_owned() });
        self.local(
            stage,
            &Origin::Image {
                name: from,
                image: &image,
            },
            source,
        )
    }

    /// Something that nothing is known of comes to the target.
    fn unknown(&mut self, stage: &mut StageBuilder<'_>, origin: &Origin<'_>, path: &str) -> Result<(), String> {
        let Origin::Image { name, .. } = origin else {
            return Ok(());
        };
        let unknown = Unknown::Copied {
            line: self.line,
            source: format!("{name}:/{path}"),
        };
        self.place_unknown(stage, path, unknown)
    }

    fn place_unknown(&mut self, stage: &mut StageBuilder<'_>, path: &str, unknown: Unknown) -> Result<(), String> {
        if self.is_directory || stage.out.image.has_below(&self.target) || self.target.is_empty() {
            // It may be a file with that name, or a directory whose contents come here.
            stage.out.image.unknown.push(unknown.clone());
            let name = path.rsplit('/').next().unwrap_or_default();
            if !name.is_empty() && !pattern::is_pattern(name) {
                let target = join(&self.target, name);
                if !stage.out.image.nodes.contains_key(target.as_str()) {
                    stage.place(&target, Node::Unknown(unknown))?;
                }
            }
            return Ok(());
        }
        let target = self.target.clone();
        stage.place(&target, Node::Unknown(unknown))
    }

    fn remote(&mut self, stage: &mut StageBuilder<'_>, source: &str) -> Result<(), String> {
        let unknown = Unknown::Added {
            line: self.line,
            source: source.to_owned(),
        };
        let path = source.split(['?', '#']).next().unwrap_or(source);
        let is_git = !source.starts_with("http") || path.rsplit('.').next() == Some("git");
        let path = path.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        let name = path.and_then(|(_, path)| path.rsplit('/').next()).unwrap_or_default();
        if is_git || name.is_empty() {
            // Of many files, or of one without a name, the target is not known.
            stage.out.image.unknown.push(unknown);
            return Ok(());
        }
        let target = self.file_target(stage, name)?;
        stage.place(&target, Node::Unknown(unknown))
    }

    fn heredoc(&mut self, stage: &mut StageBuilder<'_>, heredoc: &Heredoc) -> Result<(), String> {
        let text = if heredoc.expands {
            stage.process_heredoc(&heredoc.body)?
        } else {
            heredoc.body.clone()
        };
        stage.budget.spend_bytes(text.len())?;
        let target = self.file_target(stage, &heredoc.name)?;
        let file = ImageFile::new(&target, 0o644, None, Content::inline(text.into_bytes()));
        self.place(stage, &target, file)
    }

    /// Where a file goes.
    fn file_target(&self, stage: &StageBuilder<'_>, path: &str) -> Result<String, String> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let image = &stage.out.image;
        let is_known_directory = self.target.is_empty()
            || matches!(image.nodes.get(self.target.as_str()), Some(Node::Directory))
            || image.has_below(&self.target);
        let target = if self.is_directory || is_known_directory {
            join(&self.target, name)
        } else {
            self.target.clone()
        };
        if self.is_directory && matches!(image.nodes.get(self.target.as_str()), Some(Node::File(_))) {
            return Err(format!("cannot copy to non-directory: /{}", self.target));
        }
        if matches!(image.nodes.get(target.as_str()), Some(Node::Directory)) || image.has_below(&target) {
            return Err(format!("cannot replace to directory /{target} with file"));
        }
        Ok(target)
    }

    pub(super) fn place(
        &mut self,
        stage: &mut StageBuilder<'_>,
        target: &str,
        mut file: ImageFile,
    ) -> Result<(), String> {
        file.path = format!("/{target}");
        file.owner = self.owner.clone().or(file.owner);
        if let Some(mode) = &self.mode {
            match u32::from_str_radix(mode, 8) {
                Ok(mode) => file.mode = mode & 0o7777,
                Err(_) => file.doubt = Some(Doubt::Mode),
            }
        }
        let is_certain = self.is_directory || stage.out.image.is_closed() || target != self.target;
        let is_known = stage.out.image.nodes.contains_key(target);
        if self.is_below_unknown_workdir {
            file.doubt.get_or_insert(Doubt::WorkdirOfBaseImage);
        } else if !is_certain && !is_known {
            file.doubt.get_or_insert(Doubt::TargetMayBeDirectory);
        }
        stage.place(target, Node::File(file))
    }

    /// The path that `--parents` keeps: all of it, or what comes after `/./`.
    fn kept_parents(&self, source: &str, path: &str) -> Option<String> {
        if !self.keeps_parents {
            return None;
        }
        match source.split_once("/./") {
            Some((root, _)) => {
                let root = clean(root);
                Some(
                    path.strip_prefix(&root)
                        .unwrap_or(path)
                        .trim_start_matches('/')
                        .to_owned(),
                )
            }
            None => Some(path.to_owned()),
        }
    }

    fn is_excluded(&self, path: &str) -> bool {
        self.excluded.iter().any(|pattern| {
            let pattern = clean(pattern);
            let parents = path.match_indices('/').map(|(index, _)| &path[..index]);
            parents.chain([path]).any(|path| pattern::matches_deep(&pattern, path))
        })
    }
}

/// A path without the escapes of a pattern.
fn unescape(path: &str) -> String {
    let mut result = String::new();
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => result.extend(characters.next()),
            character => result.push(character),
        }
    }
    result
}

pub(super) fn join(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}
