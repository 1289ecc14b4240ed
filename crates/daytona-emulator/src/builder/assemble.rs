//! Puts the build context together by the rules of the real runner.
//!
//! The archives are read in the order of their hashes, as plain tar. Of a member only its name, its mode and its own data
//! count: directories are dropped, links and special files become empty files. What comes later replaces what has the same
//! name, also the generated Dockerfile. An archive that cannot be read is skipped from there on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};

use sha2::{Digest, Sha256};

use crate::storage::Storage;

/// What a Dockerfile in an archive may be large, so that no archive fills the memory.
const LARGEST_DOCKERFILE: u64 = 1024 * 1024;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContextFile {
    pub(crate) size: u64,
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
    let size = dockerfile.len() as u64;
    let mut context = BuildContext {
        dockerfile: dockerfile.to_owned(),
        files: BTreeMap::from([("Dockerfile".to_owned(), ContextFile { size })]),
        complaints: Vec::new(),
    };
    for hash in hashes {
        let failed = |cause: &str| AssemblyError(format!("failed to get tar from storage with hash {hash}: {cause}"));
        let missing = || failed("failed to read object data: The specified key does not exist.");
        let object = storage
            .open(&format!("{organization}/{hash}/context.tar"))
            .ok_or_else(missing)?;
        if object.size == 0 {
            return Err(failed("the object is empty"));
        }
        if verify_digests && is_sha256(hash) {
            let actual = digest(object.file.try_clone().map_err(|error| failed(&error.to_string()))?);
            let actual = actual.map_err(|error| failed(&error.to_string()))?;
            if actual != *hash {
                return Err(failed(&format!(
                    "its bytes have the SHA-256 {actual}: it is not what was hashed"
                )));
            }
        }
        if let Err(error) = read_archive(object.file, &mut context) {
            context.complaints.push(format!(
                "failed to read the context archive {hash}, skipping the rest of it: {error}"
            ));
        }
    }
    Ok(context)
}

fn read_archive(file: File, context: &mut BuildContext) -> io::Result<()> {
    let mut file = file;
    io::Seek::rewind(&mut file)?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        let name = clean(&String::from_utf8_lossy(&entry.path_bytes()));
        let size = if kind.is_file() { entry.size() } else { 0 };
        if name == "Dockerfile" && kind.is_file() {
            let mut text = Vec::new();
            (&mut entry).take(LARGEST_DOCKERFILE).read_to_end(&mut text)?;
            context.dockerfile = String::from_utf8_lossy(&text).into_owned();
        }
        // Reading to the end finds out whether the archive has all of it.
        io::copy(&mut entry, &mut io::sink())?;
        context.files.insert(name, ContextFile { size });
    }
    Ok(())
}

fn digest(mut file: File) -> io::Result<String> {
    io::Seek::rewind(&mut file)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
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
