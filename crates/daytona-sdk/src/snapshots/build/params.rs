//! What a snapshot is to be made of.

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

/// What a sandbox of a snapshot gets. What is not set is the service's choice: 1 core, 1 GB of memory, 3 GB of disk.
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
