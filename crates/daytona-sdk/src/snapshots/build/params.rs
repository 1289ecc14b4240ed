//! The parameters of a creation.

use std::path::PathBuf;

use daytona_api::{GpuType, SandboxClass};
use daytona_image::{Image, ImagePlan};

/// A snapshot to create: its name, its source, and the resources of its sandboxes.
///
/// ```
/// use daytona_sdk::{CreateSnapshotParams, Image, Resources};
///
/// let from_registry = CreateSnapshotParams::new("python-3.12", "python:3.12-slim");
/// let image = Image::debian_slim("3.12").pip_install(["numpy"]);
/// let from_image = CreateSnapshotParams::new("my-app", image)
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

/// The name of a snapshot to create.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Name {
    /// Exactly this name.
    Given(String),
    /// This text, a dash, and the first digits of the definition's hash.
    AfterContent(String),
}

/// The source of a snapshot.
///
/// ```
/// use daytona_sdk::{CreateSnapshotParams, Image, Source};
///
/// let params = CreateSnapshotParams::new("python", "python:3.12-slim");
/// let image = Image::base("python:3.12-slim").pip_install(["flask"]);
/// let params = CreateSnapshotParams::new("app", image);
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
    /// An image in a registry, with a tag other than `latest`, or with a digest.
    Registry(String),
    /// An image that is first planned and then built.
    Image(Image),
    /// An image that is planned already. The SDK sends exactly what the plan has shown.
    Plan(ImagePlan),
}

/// The resources of each sandbox that starts from the snapshot. The service's defaults are 1 core, 1 GB of memory and 3
/// GB of disk.
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
    /// Resources that all have the service's defaults.
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

    /// The number of GPUs, 0 or 1. Default: 0.
    pub fn gpu(mut self, count: u32) -> Self {
        self.gpu = Some(count);
        self
    }

    /// The type of GPU. Replaces types that were set before.
    pub fn gpu_type(self, kind: impl Into<GpuType>) -> Self {
        self.gpu_types([kind])
    }

    /// Types of GPU, any of which will do. They are sent as given; servers up to 0.190.0 accept only one. Replaces
    /// types that were set before.
    pub fn gpu_types<T: Into<GpuType>>(mut self, kinds: impl IntoIterator<Item = T>) -> Self {
        self.gpu_types = kinds.into_iter().map(Into::into).collect();
        self
    }
}

impl CreateSnapshotParams {
    /// A snapshot with this name. The source is the name of an image in a registry, an [`Image`], or an [`ImagePlan`].
    pub fn new(name: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::with_name(Name::Given(name.into()), source)
    }

    /// A snapshot whose name follows from its definition: `prefix`, a dash, and the first 16 hex digits of the
    /// [definition's hash](crate::Definition::hash), such as `web-8a1f0c2b9d3e4f50`.
    ///
    /// Every change of the definition gives another name. So [`ensure`](crate::SnapshotService::ensure) never finds
    /// another definition under the name, never waits for a name to become free, and does not touch the snapshot that
    /// is in use.
    ///
    /// ```
    /// use daytona_sdk::{CreateSnapshotParams, Image};
    ///
    /// let image = Image::debian_slim("3.12").pip_install(["flask"]);
    /// let params = CreateSnapshotParams::named_after_content("web", image);
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

    /// The resources of its sandboxes.
    pub fn resources(mut self, resources: Resources) -> Self {
        self.resources = resources;
        self
    }

    /// The command that a sandbox starts. For an [`Image`] it is added as the last step. A plan is sent unchanged, so
    /// its image must already have this entrypoint.
    pub fn entrypoint<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.entrypoint = Some(words.into_iter().map(Into::into).collect());
        self
    }

    /// The region of the snapshot. Default: the client's target, or else the organization's region.
    pub fn region(mut self, id: impl Into<String>) -> Self {
        self.region = Some(id.into());
        self
    }

    /// The class of its sandboxes. Default: `container`.
    pub fn sandbox_class(mut self, class: impl Into<SandboxClass>) -> Self {
        self.sandbox_class = Some(class.into());
        self
    }

    /// Keeps an index of hashes in this file, so that local files which have not changed need not be read again for
    /// hashing. The index is not a part of the definition. Default: no index.
    ///
    /// The index lists what the file system says about the files of each archive: names, modes, sizes, times of
    /// modification and of status changes, inodes and devices. It only saves hashing: everything that is sent is hashed
    /// anyway. Files that changed within two seconds of the index are hashed. An index that is broken, or that belongs
    /// to other files, another user or another version, is ignored and replaced, so give each image its own. Several
    /// processes may use one index at the same time; the last one to finish writes it.
    ///
    /// **Whoever can write the index decides what is built.** Only its owner can read and write the file. Do not share
    /// it between machines or users, and do not keep it among the files that are sent.
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
    /// The call fails with kind `LocalFile` if the index cannot be written, is not a regular file, or is one of the
    /// files to send. It also fails on platforms that do not record when the status of a file changed, such as Windows.
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
