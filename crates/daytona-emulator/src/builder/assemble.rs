//! Puts the build context together by the rules of the real runner.
//!
//! The archives are read in the order of their hashes, as plain tar. Of a member only its name, its mode and its own data
//! count: directories are dropped, links and special files become empty files. What comes later replaces what has the same
//! name, also the generated Dockerfile. An archive that cannot be read is skipped from there on.

use std::collections::HashMap;
use std::io::{self, Read};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::archive;
use super::content::Content;
use super::job::Job;
use super::path::clean;
use super::tree::{Attributes, File, Node, Tree};
use crate::storage::{Blob, Storage};

/// What a Dockerfile in an archive may be large, so that no archive fills the memory.
const LARGEST_DOCKERFILE: u64 = 1024 * 1024;

/// Files of a context, so that no archive fills the memory with names.
const LARGEST_COUNT: usize = 1_000_000;

/// Bytes of the names in a context, with those of directories.
const LARGEST_NAMES: usize = 256 * 1024 * 1024;

/// The longest name of a member, as on Linux.
const LONGEST_NAME: usize = 4096;

/// Members of all archives together.
const MOST_MEMBERS: usize = 4_000_000;

/// The context as the image builder gets it.
#[derive(Debug)]
pub(crate) struct BuildContext {
    /// The Dockerfile that is built: the generated one, unless an archive brought another.
    pub(crate) dockerfile: String,
    /// Every file, and the directories that they are in.
    pub(crate) tree: Tree,
    /// Files of the tree, and the sum of their sizes.
    pub(crate) count: usize,
    pub(crate) size: u64,
    /// What went wrong without ending the build.
    pub(crate) complaints: Vec<String>,
    /// Bytes of names so far.
    names: usize,
    members: usize,
}

/// Why the context cannot be put together.
#[derive(Debug)]
pub(crate) struct AssemblyError(pub(crate) String);

pub(super) fn assemble(job: &Job, storage: &Storage, verify_digests: bool) -> Result<BuildContext, AssemblyError> {
    let mut context = BuildContext::new(&job.dockerfile);
    // What an archive brings replaces what is there. So the last time that it is named is the one that counts.
    let last: HashMap<&str, usize> = job.hashes.iter().map(String::as_str).zip(0..).collect();
    for (number, hash) in job.hashes.iter().enumerate() {
        if last[hash.as_str()] != number {
            continue;
        }
        let failed = |cause: &str| AssemblyError(format!("failed to get tar from storage with hash {hash}: {cause}"));
        let unread = |error: io::Error| failed(&error.to_string());
        let missing = || failed("failed to read object data: The specified key does not exist.");
        let object = storage
            .open(&format!("{}/{hash}/context.tar", job.organization))
            .ok_or_else(missing)?;
        if object.size == 0 {
            return Err(failed("the object is empty"));
        }
        if verify_digests && is_sha256(hash) {
            let actual = digest(&object.blob).map_err(unread)?;
            if actual != *hash {
                return Err(failed(&format!(
                    "the SHA-256 of its bytes is {actual}: these are not the bytes that were hashed"
                )));
            }
        }
        if let Err(error) = context.read_archive(&object.blob, object.size) {
            context.complaints.push(format!(
                "failed to read the context archive {hash}, skipping the rest of it: {error}"
            ));
        }
    }
    Ok(context)
}

impl BuildContext {
    /// A context of nothing but its Dockerfile.
    pub(crate) fn new(dockerfile: &str) -> Self {
        let mut context = Self {
            dockerfile: dockerfile.to_owned(),
            tree: Tree::default(),
            count: 0,
            size: 0,
            complaints: Vec::new(),
            names: 0,
            members: 0,
        };
        context.put("Dockerfile", 0o644, Content::inline(dockerfile.as_bytes().to_vec()));
        context
    }

    fn read_archive(&mut self, blob: &Blob, size: u64) -> io::Result<()> {
        let mut reader = blob.seekable()?;
        archive::members(&mut reader, size, |member| {
            self.members += 1;
            if self.members > MOST_MEMBERS {
                return Err(too_much(MOST_MEMBERS, "members in the archives"));
            }
            if member.kind.is_dir() {
                return Ok(());
            }
            let name = clean(&String::from_utf8_lossy(&member.name));
            if name.is_empty() {
                return Ok(());
            }
            if name.len() > LONGEST_NAME {
                return Err(too_much(LONGEST_NAME, "bytes in the name of a member"));
            }
            let content = if member.kind.is_file() {
                Content::stored(blob.clone(), member.offset, member.size)
            } else {
                Content::inline(Bytes::new())
            };
            if name == "Dockerfile" && member.kind.is_file() {
                self.dockerfile = content.text(LARGEST_DOCKERFILE)?;
            }
            if self.count >= LARGEST_COUNT && self.tree.get(&name).is_none() {
                return Err(too_much(LARGEST_COUNT, "files"));
            }
            if self.names > LARGEST_NAMES {
                return Err(too_much(LARGEST_NAMES, "bytes of names"));
            }
            self.put(&name, member.mode & 0o7777, content);
            Ok(())
        })
    }

    /// Puts a file at a path, with the directories above it.
    fn put(&mut self, name: &str, mode: u32, content: Content) {
        for (end, _) in name.match_indices('/') {
            let folder = &name[..end];
            if !self.tree.is_directory(folder) {
                self.forget(folder);
                self.names += folder.len();
                self.tree
                    .insert(folder, Node::Directory(Attributes::new(0o755, None)), 0);
            }
        }
        if self.tree.is_directory(name) {
            let below: Vec<String> = self
                .tree
                .below(name)
                .map(|(below, _)| format!("{name}/{below}"))
                .collect();
            for path in below {
                self.forget(&path);
            }
            self.tree.remove(name);
        }
        self.forget(name);
        self.names += name.len();
        self.count += 1;
        self.size += content.size();
        let file = File {
            attributes: Attributes::new(mode, None),
            doubt: None,
            content,
        };
        self.tree.insert(name, Node::File(file), 0);
    }

    /// Counts a file no longer.
    fn forget(&mut self, name: &str) {
        if let Some(Node::File(file)) = self.tree.node(name) {
            self.count -= 1;
            self.size -= file.content.size();
        }
    }
}

fn too_much(limit: usize, of: &str) -> io::Error {
    io::Error::other(format!("the emulator accepts at most {limit} {of} in a context"))
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
