//! Archives that `ADD` unpacks.

use std::io::{self, Read, Seek, SeekFrom};

use tar::EntryType;

use super::budget::Budget;
use super::files::Files;
use super::planned::CopyPlan;
use crate::builder::archive;
use crate::builder::content::Content;
use crate::builder::doubt::Unknown;
use crate::builder::path::{clean, join, parent};
use crate::builder::tree::{Attributes, File, Node, Owner};
use crate::storage::ReadSeek;

/// What an archive that `ADD` unpacks may hold, uncompressed: it is kept in memory.
const LARGEST_UNPACKED: u64 = 64 * 1024 * 1024;

/// The longest path of a link that is kept.
const LONGEST_LINK: usize = 4096;

/// Compressed archives that the emulator only knows by their first bytes.
const UNREADABLE: [&[u8]; 3] = [b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];

/// An archive.
pub(super) enum Archive {
    Plain(Content),
    /// Compressed in a way that the emulator does not read.
    Unreadable,
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` takes it")]
fn failed(error: io::Error) -> String {
    format!("failed to read an archive: {error}")
}

/// The archive that a file is, if it is one: its first member can be read.
pub(super) fn open(content: &Content, budget: &mut Budget) -> Result<Option<Archive>, String> {
    let mut start = Vec::new();
    let mut reader = content.reader().map_err(failed)?;
    reader.by_ref().take(10).read_to_end(&mut start).map_err(failed)?;
    let plain = if start.starts_with(&[0x1f, 0x8b, 8]) {
        match gunzip(content).map_err(failed)? {
            Unzipped::All(bytes) => {
                budget.bytes(bytes.len())?;
                Content::inline(bytes)
            }
            Unzipped::TooLarge => return Ok(Some(Archive::Unreadable)),
            Unzipped::Broken => return Ok(None),
        }
    } else if UNREADABLE.iter().any(|magic| start.starts_with(magic)) {
        return Ok(Some(Archive::Unreadable));
    } else {
        content.clone()
    };
    Ok(has_member(&plain).then_some(Archive::Plain(plain)))
}

fn has_member(content: &Content) -> bool {
    let (blob, offset, size) = content.parts();
    let Ok(inner) = blob.seekable() else { return false };
    let mut section = Section { inner, start: offset };
    let mut has_one = false;
    let first = archive::members(&mut section, size, |_| {
        has_one = true;
        Err(io::Error::other("one is enough"))
    });
    drop(first);
    has_one
}

enum Unzipped {
    All(Vec<u8>),
    TooLarge,
    Broken,
}

fn gunzip(content: &Content) -> io::Result<Unzipped> {
    let mut bytes = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(content.reader()?);
    let read = decoder.take(LARGEST_UNPACKED + 1).read_to_end(&mut bytes);
    Ok(match read {
        Err(_) if bytes.is_empty() => Unzipped::Broken,
        Ok(_) if bytes.len() as u64 > LARGEST_UNPACKED => Unzipped::TooLarge,
        _ => Unzipped::All(bytes),
    })
}

/// Where an archive is unpacked to.
pub(super) struct Target<'a> {
    pub(super) plan: &'a CopyPlan,
    pub(super) files: &'a mut Files,
    pub(super) budget: &'a mut Budget,
    /// What `--chown` says.
    pub(super) owner: &'a Owner,
    /// Directories that are made on the way.
    pub(super) folders: &'a Attributes,
}

/// Unpacks an archive into the target. Its members keep their modes, whatever `--chmod` says.
pub(super) fn unpack(into: &mut Target<'_>, source: &str, archive: Archive) -> Result<(), String> {
    let target = into.files.tree().resolve("", &into.plan.target, true);
    let target = target.map_err(|astray| format!("/{source}: {astray}"))?.path;
    into.files.make_folders(&target, into.folders, into.budget)?;
    let content = match archive {
        Archive::Plain(content) => content,
        Archive::Unreadable => {
            // Something comes to the target, and nothing is known of it.
            into.files.unknown.push(Unknown::Added {
                line: into.plan.line,
                source: source.to_owned(),
            });
            return Ok(());
        }
    };
    let (blob, offset, size) = content.parts();
    let inner = blob.seekable().map_err(failed)?;
    let mut section = Section { inner, start: offset };
    archive::members(&mut section, size, |member| {
        let placed = place(into, &target, &member, |at, size| {
            Content::stored(blob.clone(), offset + at, size)
        });
        placed.map_err(io::Error::other)
    })
    .map_err(failed)
}

fn place(
    into: &mut Target<'_>,
    target: &str,
    member: &archive::Member,
    content: impl Fn(u64, u64) -> Content,
) -> Result<(), String> {
    let name = clean(&String::from_utf8_lossy(&member.name));
    if name.is_empty() {
        return Ok(());
    }
    let owner: Owner = match (into.owner, member.owner) {
        (Some(owner), _) => Some(owner.clone()),
        (None, _) if into.plan.owner.is_some() => None,
        (None, (0, 0)) => None,
        (None, (user, group)) => Some(format!("{user}:{group}").into()),
    };
    // Links on the way are followed, inside the target.
    let tree = into.files.tree();
    let above = tree
        .resolve(target, parent(&name), true)
        .map_err(|astray| format!("{name}: {astray}"))?;
    let path = join(&above.path, crate::builder::path::last(&name));
    if path.len() > LONGEST_LINK {
        return Err(format!("{name}: file name too long"));
    }
    let link = String::from_utf8_lossy(&member.link).into_owned();
    let attributes = Attributes::new(member.mode & 0o7777, owner.clone());
    let node = match member.kind {
        EntryType::Directory => Node::Directory(attributes),
        EntryType::Symlink if link.len() > LONGEST_LINK => return Err(format!("{name}: file name too long")),
        EntryType::Symlink => Node::Link {
            target: link.into(),
            owner,
        },
        EntryType::Link => {
            let other = tree
                .resolve(target, &link, false)
                .map_err(|astray| format!("{link}: {astray}"))?;
            let found = tree.node(&other.path).filter(|node| !node.is_directory());
            found
                .cloned()
                .ok_or_else(|| format!("link {link} {name}: no such file"))?
        }
        EntryType::Char | EntryType::Block | EntryType::Fifo => Node::Special(attributes),
        _ => Node::File(File {
            attributes,
            doubt: None,
            content: content(member.offset, member.size),
        }),
    };
    let folders = Attributes::new(0o755, None);
    into.files.make_folders(&above.path, &folders, into.budget)?;
    if !(node.is_directory() && into.files.tree().is_directory(&path)) {
        into.files.remove(&path, into.budget)?;
    }
    into.files.put(&path, node, into.budget)
}

/// A piece of something.
struct Section {
    inner: Box<dyn ReadSeek>,
    start: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(position) => self.inner.seek(SeekFrom::Start(self.start + position)),
            other => self.inner.seek(other),
        }
    }
}
