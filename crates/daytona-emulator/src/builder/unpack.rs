//! Archives that `ADD` unpacks.

use std::io::{self, Read, Seek, SeekFrom};

use super::archive;
use super::assemble::clean;
use super::copy::{Copy, join};
use super::image::{Content, ImageFile, Node, Unknown};
use super::interpret::StageBuilder;
use crate::storage::ReadSeek;

/// What an archive that `ADD` unpacks may hold, uncompressed: it is kept in memory.
const LARGEST_UNPACKED: u64 = 64 * 1024 * 1024;

/// Compressed archives that the emulator only knows by their first bytes.
const UNREADABLE: [&[u8]; 3] = [b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];

impl Copy {
    /// `ADD` unpacks archives. Whether it was one.
    pub(super) fn unpack(&mut self, stage: &mut StageBuilder<'_>, file: &ImageFile) -> Result<bool, String> {
        let failed = |error: io::Error| format!("{}: {error}", file.path);
        let content = file.content();
        let mut start = Vec::new();
        let mut reader = content.reader().map_err(failed)?;
        reader.by_ref().take(512).read_to_end(&mut start).map_err(failed)?;
        if is_tar(&start) {
            self.members(stage, file, content)?;
            return Ok(true);
        }
        let unpacked = if start.starts_with(&[0x1f, 0x8b]) {
            gunzip(content).map_err(failed)?
        } else if UNREADABLE.iter().any(|magic| start.starts_with(magic)) {
            None
        } else {
            return Ok(false);
        };
        match unpacked {
            Some(bytes) if !is_tar(&bytes) => return Ok(false),
            Some(bytes) => {
                stage.budget.spend_bytes(bytes.len())?;
                self.members(stage, file, &Content::inline(bytes))?;
            }
            // Something comes to the target, and nothing is known of it.
            None => stage.out.image.unknown.push(Unknown::Added {
                line: self.line,
                source: file.path.clone(),
            }),
        }
        Ok(true)
    }

    fn members(&mut self, stage: &mut StageBuilder<'_>, file: &ImageFile, archive: &Content) -> Result<(), String> {
        let failed = |error: io::Error| format!("{}: {error}", file.path);
        let (blob, offset, size) = archive.parts();
        let inner = blob.seekable().map_err(failed)?;
        let mut section = Section { inner, start: offset };
        archive::members(&mut section, size, |member| {
            let name = clean(&String::from_utf8_lossy(&member.name));
            if name.is_empty() {
                return Ok(());
            }
            let target = join(&self.target, &name);
            let placed = if member.kind.is_dir() {
                stage.place(&target, Node::Directory)
            } else if member.kind.is_file() {
                let content = Content::stored(blob.clone(), offset + member.offset, member.size);
                let file = ImageFile::new(&target, member.mode & 0o7777, None, content);
                self.place(stage, &target, file)
            } else {
                let unknown = Unknown::Added {
                    line: self.line,
                    source: format!("{}: {name}", file.path),
                };
                stage.place(&target, Node::Unknown(unknown))
            };
            placed.map_err(io::Error::other)
        })
        .map_err(failed)
    }
}

/// The bytes, unless they are too many, or not compressed as they say.
fn gunzip(content: &Content) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let decoder = flate2::read::MultiGzDecoder::new(content.reader()?);
    let read = decoder.take(LARGEST_UNPACKED + 1).read_to_end(&mut bytes);
    Ok((read.is_ok() && bytes.len() as u64 <= LARGEST_UNPACKED).then_some(bytes))
}

fn is_tar(start: &[u8]) -> bool {
    start.get(257..262) == Some(b"ustar")
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
