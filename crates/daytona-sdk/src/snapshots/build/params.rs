//! What a snapshot is to be made of.

use std::path::PathBuf;

use daytona_api::{GpuType, SandboxClass};
use daytona_image::{Image, ImagePlan};

/// A snapshot to create: its name, what it is made from, and what its sandboxes get.
///
/// ```
/// use daytona_sdk::{CreateSnapshotParams, Image, Resources};
///
/// let from_registry = CreateSnapshotParams::new("python-3.12", "python:3.12-slim");
/// let from_image = CreateSnapshotParams::new("my-app", Image::debian_slim("3.12").pip_install(["numpy"]))
///     .resources(Resources::new().cpu(2).memory(4).disk(8))
///     .entrypoint(["python", "-m", "http.server"]);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct CreateSnapshotParams {
    pub(crate) name: Name,
    pub(crate) source: Source,
    pub(crate) resources: Resources,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) region: Option<String>,
    pub(crate) sandbox_class: Option<SandboxClass>,
    pub(crate) index: Option<PathBuf>,
}

/// How a snapshot to create is named.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Name {
    /// This.
    Given(String),
    /// This, a dash, and the first digits of the definition's hash.
    AfterContent(String),
}

/// What a snapshot is made from.
///
/// ```
/// use daytona_sdk::{CreateSnapshotParams, Image, Source};
///
/// let params = CreateSnapshotParams::new("python", "python:3.12-slim");
/// let params = CreateSnapshotParams::new("app", Image::base("python:3.12-slim").pip_install(["flask"]));
/// // Chosen while the program runs.
/// let source = match std::env::args().nth(1) {
///     Some(dockerfile) => Source::from(Image::from_dockerfile(dockerfile)),
///     None => Source::from("python:3.12-slim"),
/// };
/// let params = CreateSnapshotParams::new("chosen", source);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Source {
    /// An image of a registry, with a tag other than `latest`, or with a digest.
    Registry(String),
    /// An image that is planned and built.
    Image(Image),
    /// An image that was planned before; it is sent as it was shown.
    Plan(ImagePlan),
}

/// The resources of a sandbox of the snapshot. The service's defaults are 1 core, 1 GB of memory and 3 GB of disk.
///
/// ```
/// use daytona_sdk::Resources;
///
/// let resources = Resources::new().cpu(2).memory(4).disk(8); // cores, GB, GB
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use]
pub struct Resources {
    pub(crate) cpu: Option<u32>,
    pub(crate) memory: Option<u32>,
    pub(crate) disk: Option<u32>,
    pub(crate) gpu: Option<u32>,
    pub(crate) gpu_types: Vec<GpuType>,
}

impl Resources {
    /// Nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// CPU cores.
    pub fn cpu(mut self, cores: u32) -> Self {
        self.cpu = Some(cores);
        self
    }

    /// Memory in GB.
    pub fn memory(mut self, gigabytes: u32) -> Self {
        self.memory = Some(gigabytes);
        self
    }

    /// Disk in GB.
    pub fn disk(mut self, gigabytes: u32) -> Self {
        self.disk = Some(gigabytes);
        self
    }

    /// GPUs, 0 or 1.
    pub fn gpu(mut self, count: u32) -> Self {
        self.gpu = Some(count);
        self
    }

    /// The type of GPU. Replaces types that were set before.
    pub fn gpu_type(self, kind: impl Into<GpuType>) -> Self {
        self.gpu_types([kind])
    }

    /// Types of GPU, any of which will do. Sent as they are: servers up to 0.190.0 take one type only. Replaces types that were
    /// set before.
    pub fn gpu_types<T: Into<GpuType>>(mut self, kinds: impl IntoIterator<Item = T>) -> Self {
        self.gpu_types = kinds.into_iter().map(Into::into).collect();
        self
    }
}

impl CreateSnapshotParams {
    /// A snapshot of this name, made from an image of a registry, an [`Image`] or an [`ImagePlan`].
    pub fn new(name: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::with_name(Name::Given(name.into()), source)
    }

    /// A snapshot whose name follows from what it is made of: `prefix`, a dash, and the first 16 hex digits of its
    /// [definition's hash](crate::Definition::hash), such as `web-8a1f0c2b9d3e4f50`.
    ///
    /// Whatever changes in the definition gives another name. So [`ensure`](crate::SnapshotService::ensure) never finds another
    /// definition under the name, never waits for a name to be free, and leaves the snapshot that is in use alone.
    ///
    /// ```
    /// use daytona_sdk::{CreateSnapshotParams, Image};
    ///
    /// let params = CreateSnapshotParams::named_after_content("web", Image::debian_slim("3.12").pip_install(["flask"]));
    /// ```
    pub fn named_after_content(prefix: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::with_name(Name::AfterContent(prefix.into()), source)
    }

    fn with_name(name: Name, source: impl Into<Source>) -> Self {
        Self {
            name,
            source: source.into(),
            resources: Resources::default(),
            entrypoint: None,
            region: None,
            sandbox_class: None,
            index: None,
        }
    }

    /// The name, or the beginning of it.
    pub(crate) fn name(&self) -> &str {
        match &self.name {
            Name::Given(name) | Name::AfterContent(name) => name,
        }
    }

    /// What its sandboxes get.
    pub fn resources(mut self, resources: Resources) -> Self {
        self.resources = resources;
        self
    }

    /// What is started in a sandbox. For an [`Image`] it is added as its last step; a plan is sent as it was shown, so
    /// that its image has to have it.
    pub fn entrypoint<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.entrypoint = Some(words.into_iter().map(Into::into).collect());
        self
    }

    /// The region to create it in. Default: the client's target, else the organization's region.
    pub fn region(mut self, id: impl Into<String>) -> Self {
        self.region = Some(id.into());
        self
    }

    /// The class of sandbox that it is for. Default: `container`.
    pub fn sandbox_class(mut self, class: impl Into<SandboxClass>) -> Self {
        self.sandbox_class = Some(class.into());
        self
    }

    /// Keeps an index of what was hashed in this file, so that local files which have not changed are not read again to hash
    /// them. Off by default; it is no part of the definition.
    ///
    /// The index is a list of what the file system says of the files of each archive: names, modes, sizes, times of
    /// modification and of the status, inodes and devices. It only ever spares hashing: what is sent is hashed whatever the index
    /// says. Files that changed within two seconds of the index are hashed. An index that is broken, or that was made for other
    /// files, by another user or by another version, is ignored and replaced: give each image its own. Several processes may use
    /// one index at once; the last one's is kept.
    ///
    /// **Whoever can write the index chooses what is built.** It is a file that only its owner can read and write, and should not
    /// be shared between machines or users. It must not lie among the files that are sent.
    ///
    /// ```no_run
    /// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
    /// use daytona_sdk::{CreateSnapshotParams, Image};
    ///
    /// let image = Image::debian_slim("3.12").add_local_dir("data", "/data");
    /// let params = CreateSnapshotParams::new("my-app", image).stat_index(".cache/my-app.index");
    /// let snapshot = daytona.snapshots().ensure(params).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The call then fails with kind `LocalFile` if the index cannot be written, is not a regular file, is one of the files to
    /// send, or if the platform does not tell when the status of a file changed, as Windows does not.
    pub fn stat_index(mut self, path: impl Into<PathBuf>) -> Self {
        self.index = Some(path.into());
        self
    }
}

impl From<&str> for Source {
    fn from(image: &str) -> Self {
        Self::Registry(image.to_owned())
    }
}

impl From<String> for Source {
    fn from(image: String) -> Self {
        Self::Registry(image)
    }
}

impl From<Image> for Source {
    fn from(image: Image) -> Self {
        Self::Image(image)
    }
}

impl From<&Image> for Source {
    fn from(image: &Image) -> Self {
        Self::Image(image.clone())
    }
}

impl From<ImagePlan> for Source {
    fn from(plan: ImagePlan) -> Self {
        Self::Plan(plan)
    }
}

impl From<&ImagePlan> for Source {
    fn from(plan: &ImagePlan) -> Self {
        Self::Plan(plan.clone())
    }
}
