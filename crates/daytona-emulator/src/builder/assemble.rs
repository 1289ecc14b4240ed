//! Puts the build context together by the rules of the real runner.
//!
//! The archives are read in the order of their hashes, as plain tar. Of a member only its name, its mode and its own data
//! count: directories are dropped, links and special files become empty files. What comes later replaces what has the same
//! name, also the generated Dockerfile. An archive that cannot be read is skipped from there on.

use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::archive;
use super::image::Content;
use crate::storage::{Blob, Storage};

/// What a Dockerfile in an archive may be large, so that no archive fills the memory.
const LARGEST_DOCKERFILE: u64 = 1024 * 1024;

/// Files of a context, so that no archive fills the memory with names.
const LARGEST_COUNT: usize = 1_000_000;

/// The context as the image builder gets it.
#[derive(Debug)]
pub(crate) struct BuildContext {
    /// The Dockerfile that is built: the generated one, unless an archive brought another.
    pub(crate) dockerfile: String,
    /// Every file, by its name.
    pub(crate) files: BTreeMap<String, ContextFile>,
    /// What went wrong without ending the build.
    pub(crate) complaints: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct ContextFile {
    pub(crate) mode: u32,
    pub(crate) content: Content,
}

/// Why the context cannot be put together.
#[derive(Debug)]
pub(crate) struct AssemblyError(pub(crate) String);

pub(super) fn assemble(
    organization: &str,
    hashes: &[String],
    dockerfile: &str,
    storage: &Storage,
    verify_digests: bool,
) -> Result<BuildContext, AssemblyError> {
    let generated = ContextFile {
        mode: 0o644,
        content: Content::inline(dockerfile.as_bytes().to_vec()),
    };
    let mut context = BuildContext {
        dockerfile: dockerfile.to_owned(),
        files: BTreeMap::from([("Dockerfile".to_owned(), generated)]),
        complaints: Vec::new(),
    };
    for hash in hashes {
        let failed = |cause: &str| AssemblyError(format!("failed to get tar from storage with hash {hash}: {cause}"));
        let unread = |error: io::Error| failed(&error.to_string());
        let missing = || failed("failed to read object data: The specified key does not exist.");
        let object = storage
            .open(&format!("{organization}/{hash}/context.tar"))
            .ok_or_else(missing)?;
        if object.size == 0 {
            return Err(failed("the object is empty"));
        }
        if verify_digests && is_sha256(hash) {
            let actual = digest(&object.blob).map_err(unread)?;
            if actual != *hash {
                return Err(failed(&format!(
                    "its bytes have the SHA-256 {actual}: it is not what was hashed"
                )));
            }
        }
        if let Err(error) = read_archive(&object.blob, object.size, &mut context) {
            context.complaints.push(format!(
                "failed to read the context archive {hash}, skipping the rest of it: {error}"
            ));
        }
    }
    Ok(context)
}

fn read_archive(blob: &Blob, size: u64, context: &mut BuildContext) -> io::Result<()> {
    let mut reader = blob.seekable()?;
    archive::members(&mut reader, size, |member| {
        if member.kind.is_dir() {
            return Ok(());
        }
        let name = clean(&String::from_utf8_lossy(&member.name));
        if name.is_empty() {
            return Ok(());
        }
        let content = if member.kind.is_file() {
            Content::stored(blob.clone(), member.offset, member.size)
        } else {
            Content::inline(Bytes::new())
        };
        if name == "Dockerfile" && member.kind.is_file() {
            let mut text = Vec::new();
            content.reader()?.take(LARGEST_DOCKERFILE).read_to_end(&mut text)?;
            context.dockerfile = String::from_utf8_lossy(&text).into_owned();
        }
        if context.files.len() >= LARGEST_COUNT && !context.files.contains_key(&name) {
            return Err(io::Error::other(format!(
                "the emulator takes at most {LARGEST_COUNT} files in a context"
            )));
        }
        let mode = member.mode & 0o7777;
        context.files.insert(name, ContextFile { mode, content });
        Ok(())
    })
}

fn digest(blob: &Blob) -> io::Result<String> {
    let mut reader = blob.reader(0)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn is_sha256(hash: &str) -> bool {
    hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A path without `.`, `..` and empty components; `..` stops at the root.
pub(crate) fn clean(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join("/")
}
