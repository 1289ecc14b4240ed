//! The context of an image: a list of archives.

use std::path::Path;

use daytona_image::ImagePlan;

use crate::archive::Archive;
use crate::digest::Digest;
use crate::error::{ContextError, ScanError};
use crate::hashing;
use crate::index::Index;
use crate::layout::{END, Entry};
use crate::read_error::ReadError;
use crate::scan::Scan;
use crate::split::split;

/// All files that an image needs, as the list of archives that the service merges into one tree.
///
/// A context of up to 8 MiB is one archive. A larger one is split between files, so that an edit re-sends only one
/// archive; [`in_one_archive`](Self::in_one_archive) turns that off. An image without local files has no archives.
///
/// ```
/// use daytona_context::Context;
/// use daytona_image::Image;
///
/// // No step copies local files.
/// let plan = Image::base("alpine:3.20").plan()?;
/// assert!(Context::from_plan(&plan).archives().is_empty());
/// # Ok::<(), daytona_image::PlanError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Context {
    archives: Vec<Archive>,
    warnings: Vec<String>,
}

impl Context {
    /// The context of a plan.
    pub fn from_plan(plan: &ImagePlan) -> Self {
        Self::from_entries(plan.members().iter().map(Entry::from_member).collect())
    }

    /// The files below a directory, under their paths in it, without those that its `.dockerignore` excludes.
    ///
    /// Takes a path, or a [`Scan`](crate::Scan) for options. Entries that cannot be sent are left out, and
    /// [`warnings`](Self::warnings) lists them.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # std::fs::write(folder.path().join("main.py"), "print()")?;
    /// let context = daytona_context::Context::scan(folder.path())?;
    /// assert_eq!(context.archives()[0].names().collect::<Vec<_>>(), ["main.py"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// This blocks.
    ///
    /// # Errors
    ///
    /// [`ScanError`] with everything that cannot be read: directories, names that are not UTF-8, and a `.dockerignore`
    /// that is not text. With [`Links::Strict`](daytona_image::Links) also entries that cannot be sent.
    pub fn scan(folder: impl Into<Scan>) -> Result<Self, ScanError> {
        let walked = folder.into().walk()?;
        let warnings = walked.remarks("");
        Ok(Self {
            warnings,
            ..Self::from_entries(walked.files.into_iter().map(Entry::from_found).collect())
        })
    }

    /// The entries that a scan left out without an ignore rule, in words.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The archives of these entries, which are sorted by their names.
    fn from_entries(entries: Vec<Entry>) -> Self {
        let sizes: Vec<(&str, u64)> = entries
            .iter()
            .map(|entry| (entry.name(), entry.size_in_archive()))
            .collect();
        let lengths = split(&sizes, END);
        let mut entries = entries.into_iter();
        let archives = lengths
            .into_iter()
            .map(|length| Archive::new(entries.by_ref().take(length).collect()));
        Self {
            archives: archives.collect(),
            warnings: Vec::new(),
        }
    }

    /// Puts the same files into one archive, whatever its size.
    #[must_use]
    pub fn in_one_archive(self) -> Self {
        let entries: Vec<Entry> = self.archives.iter().flat_map(Archive::entries).cloned().collect();
        Self {
            archives: if entries.is_empty() {
                Vec::new()
            } else {
                vec![Archive::new(entries)]
            },
            warnings: self.warnings,
        }
    }

    /// The archives, in the order that a request to create a snapshot needs.
    pub fn archives(&self) -> &[Archive] {
        &self.archives
    }

    /// The hashes of the archives, in their order. Reads all files, several archives at a time, and sends nothing.
    ///
    /// # Errors
    ///
    /// [`ReadError`], which names the file.
    pub async fn digests(&self) -> Result<Vec<Digest>, ReadError> {
        hashing::digests(&self.archives, None).await
    }

    /// Like [`digests`](Self::digests), with the index that [`Push::index`](crate::Push::index) describes: archives
    /// whose files have not changed since they were hashed for it are not read.
    ///
    /// # Errors
    ///
    /// [`ContextError::Read`], which names the file, and [`ContextError::Index`].
    pub async fn digests_with_index(&self, path: impl AsRef<Path>) -> Result<Vec<Digest>, ContextError> {
        if self.archives.is_empty() {
            return Ok(Vec::new());
        }
        let index = Index::open(path.as_ref(), &self.archives).await?;
        let digests = hashing::digests(&self.archives, Some(&index)).await?;
        index.save().await;
        Ok(digests)
    }

    /// The total size of all archives in bytes.
    pub fn size(&self) -> u64 {
        self.archives.iter().map(Archive::size).sum()
    }
}
