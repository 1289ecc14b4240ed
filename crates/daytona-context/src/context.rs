//! The context of an image: a list of archives.

use std::path::Path;

use daytona_image::ImagePlan;
use daytona_image::ignore::IgnoreRules;
use daytona_image::walk::{DOCKERIGNORE, Walk, read_rules};

use crate::archive::Archive;
use crate::digest::Digest;
use crate::error::ScanError;
use crate::hashing;
use crate::layout::{END, Entry};
use crate::read_error::ReadError;
use crate::split::split;

/// All files that an image needs, as the list of archives that the service merges into one tree.
///
/// A context of up to 8 MiB is one archive. A larger one is split between files, so that an edit re-sends one archive and not
/// all of them; [`in_one_archive`](Self::in_one_archive) turns that off. An image without local files has none.
#[derive(Debug, Clone, Default)]
pub struct Context {
    archives: Vec<Archive>,
}

impl Context {
    /// The context of a plan.
    pub fn from_plan(plan: &ImagePlan) -> Self {
        Self::from_entries(plan.members().iter().map(Entry::from_member).collect())
    }

    /// The files below a folder, under their paths in it. Its `.dockerignore` is obeyed, if it has one.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # std::fs::write(folder.path().join("main.py"), "print()")?;
    /// let context = daytona_context::Context::scan(folder.path())?;
    /// assert_eq!(context.archives()[0].names().collect::<Vec<_>>(), ["main.py"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Blocks.
    ///
    /// # Errors
    ///
    /// [`ScanError`] with everything that cannot be sent: links out of the folder, broken links, special files, names that
    /// are not UTF-8, and a `.dockerignore` that cannot be read.
    pub fn scan(folder: impl AsRef<Path>) -> Result<Self, ScanError> {
        let folder = folder.as_ref();
        let walked = Walk::new(folder).rules(ignore_rules(folder)?).run();
        if !walked.problems.is_empty() {
            return Err(ScanError::new(walked.problems));
        }
        Ok(Self::from_entries(
            walked.files.into_iter().map(Entry::from_found).collect(),
        ))
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
        }
    }

    /// The same files in one archive, whatever its size.
    #[must_use]
    pub fn in_one_archive(self) -> Self {
        let entries: Vec<Entry> = self.archives.iter().flat_map(Archive::entries).cloned().collect();
        Self {
            archives: if entries.is_empty() {
                Vec::new()
            } else {
                vec![Archive::new(entries)]
            },
        }
    }

    /// The archives, in the order in which their hashes belong into the request.
    pub fn archives(&self) -> &[Archive] {
        &self.archives
    }

    /// The hashes of the archives, in their order. Reads all files, some archives at a time; sends nothing.
    ///
    /// # Errors
    ///
    /// [`ReadError`], naming the file.
    pub async fn digests(&self) -> Result<Vec<Digest>, ReadError> {
        hashing::digests(&self.archives).await
    }

    /// Bytes of all archives together.
    pub fn size(&self) -> u64 {
        self.archives.iter().map(Archive::size).sum()
    }
}

fn ignore_rules(folder: &Path) -> Result<IgnoreRules, ScanError> {
    let rules = read_rules(folder, Path::new(DOCKERIGNORE), &folder.join(DOCKERIGNORE));
    rules
        .map(Option::unwrap_or_default)
        .map_err(|problem| ScanError::new(vec![problem]))
}
