//! The definition of a snapshot, and how another one differs from it.

use std::collections::BTreeSet;

use daytona_api::{BuildInfo, CreateBuildInfo, CreateSnapshot, Snapshot};
use daytona_context::Digest;

/// The differences between an existing snapshot and a requested one. Empty if both have the same definition.
///
/// What the request does not set is not compared, and of resources only those that it sets. The order of hashes does
/// not matter, because the server does not keep it.
pub(crate) fn differences(asked: &CreateSnapshot, found: &Snapshot) -> Vec<String> {
    let mut differences = text_differences(asked, found);
    if let (Some(asked), Some(found)) = (&asked.build_info, &found.build_info)
        && !has_same_hashes(asked, found)
    {
        differences.push("the files of its context are different".to_owned());
    }
    differences
}

/// Whether the server uses the same build for both.
pub(crate) fn is_same_build(asked: &CreateSnapshot, found: &Snapshot) -> bool {
    match (&asked.build_info, &found.build_info) {
        (Some(asked), Some(found)) => {
            found.dockerfile_content.as_ref() == Some(&asked.dockerfile_content) && has_same_hashes(asked, found)
        }
        (None, None) => asked.image_name == found.image_name,
        _ => false,
    }
}

fn has_same_hashes(asked: &CreateBuildInfo, found: &BuildInfo) -> bool {
    distinct(asked.context_hashes.as_deref()) == distinct(found.context_hashes.as_deref())
}

/// The hashes without their order and without repetitions, because the same archive twice gives the same tree.
fn distinct(hashes: Option<&[String]>) -> BTreeSet<&str> {
    hashes.into_iter().flatten().map(String::as_str).collect()
}

/// The words of an entrypoint that the server keeps. It drops blank ones.
fn kept_words(entrypoint: &[String]) -> Vec<&str> {
    let words = entrypoint.iter().map(String::as_str);
    words.filter(|word| !word.trim().is_empty()).collect()
}

/// The definition of a snapshot, as [`ensure`](crate::SnapshotService::ensure) compares it.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// use daytona_sdk::{CreateSnapshotParams, Image};
///
/// let image = Image::debian_slim("3.12").add_local_dir("app", "/app");
/// let params = CreateSnapshotParams::new("web", image);
/// let definition = daytona.snapshots().definition(params).await?;
/// println!("{}", definition.hash());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Definition {
    hash: Digest,
    build_ref: Option<String>,
}

impl Definition {
    pub(crate) fn of(request: &CreateSnapshot) -> Self {
        Self {
            hash: hash(request),
            build_ref: request.build_info.as_ref().map(build_ref),
        }
    }

    /// The hash of the definition. It is the SHA-256 of the image (or the Dockerfile's text and the hashes of its
    /// files), the entrypoint, and those of the resources, the sandbox class and the region that are set. The encoding
    /// has a version, which is 1.
    ///
    /// The same definition has the same hash on every machine. The name does not count.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// The reference that the server gives to the built image, such as `daytona-<64 hex digits>:daytona`. Snapshots
    /// with the same Dockerfile and files share it, even if their resources, class or region differ. None for an image
    /// of a registry.
    pub fn build_ref(&self) -> Option<&str> {
        self.build_ref.as_deref()
    }
}

/// The name of a snapshot that is named after its content.
pub(crate) fn name_after_content(prefix: &str, request: &CreateSnapshot) -> String {
    const DIGITS: usize = 16;
    let hash = hash(request).to_string();
    format!("{prefix}-{}", &hash[..DIGITS])
}

/// The SHA-256 of a definition. Each field is preceded by its length, so that no two definitions have one encoding.
fn hash(request: &CreateSnapshot) -> Digest {
    let mut encoding = Encoding::new("daytona snapshot definition 1");
    match &request.build_info {
        Some(build) => {
            encoding.text("build");
            encoding.text(&build.dockerfile_content);
            encoding.texts(distinct(build.context_hashes.as_deref()));
        }
        None => {
            encoding.text("image");
            encoding.text(request.image_name.as_deref().unwrap_or_default());
            encoding.optional(request.entrypoint.as_deref(), |encoding, words| {
                encoding.texts(kept_words(words));
            });
        }
    }
    for number in [request.cpu, request.memory, request.disk, request.gpu] {
        encoding.optional(number, |encoding, number| encoding.text(&number.to_string()));
    }
    let gpu_types = request.gpu_type.as_deref().filter(|kinds| !kinds.is_empty());
    encoding.optional(gpu_types, |encoding, kinds| {
        encoding.texts(kinds.iter().map(ToString::to_string).collect::<BTreeSet<_>>());
    });
    let class = request.sandbox_class.as_ref().map(ToString::to_string);
    for text in [class.as_deref(), request.region_id.as_deref()] {
        encoding.optional(text, Encoding::text);
    }
    encoding.finish()
}

/// The reference of a build, computed as the server does.
fn build_ref(build: &CreateBuildInfo) -> String {
    let mut hashes = build.context_hashes.clone().unwrap_or_default();
    hashes.sort_unstable();
    let hashed = Digest::of([build.dockerfile_content.clone(), hashes.concat()].concat().as_bytes());
    format!("daytona-{hashed}:daytona")
}

/// Fields one after the other, each with its length before it.
struct Encoding(Vec<u8>);

impl Encoding {
    fn new(version: &str) -> Self {
        let mut encoding = Self(Vec::new());
        encoding.text(version);
        encoding
    }

    fn number(&mut self, number: usize) {
        self.0.extend((number as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend(text.as_bytes());
    }

    fn texts<S: AsRef<str>>(&mut self, texts: impl IntoIterator<Item = S, IntoIter: ExactSizeIterator>) {
        let texts = texts.into_iter();
        self.number(texts.len());
        for text in texts {
            self.text(text.as_ref());
        }
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.number(usize::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn finish(self) -> Digest {
        Digest::of(&self.0)
    }
}

/// The [`differences`], except those that need the files.
pub(crate) fn text_differences(asked: &CreateSnapshot, found: &Snapshot) -> Vec<String> {
    let mut differences = Vec::new();
    match (&asked.build_info, &found.build_info) {
        (Some(asked), Some(found)) => match &found.dockerfile_content {
            Some(text) if *text == asked.dockerfile_content => {}
            Some(text) => differences.push(first_line(&asked.dockerfile_content, text)),
            None => differences.push("the server does not say what its Dockerfile is".to_owned()),
        },
        (Some(_), None) => {
            let image = found.image_name.as_deref().unwrap_or_default();
            differences.push(format!("it is made from the image `{image}` instead of a Dockerfile"));
        }
        (None, Some(_)) => differences.push("it is made from a Dockerfile instead of an image".to_owned()),
        (None, None) if asked.image_name != found.image_name => {
            let image = found.image_name.as_deref().unwrap_or_default();
            differences.push(format!("its image is `{image}`"));
        }
        (None, None) => {}
    }
    if asked.build_info.is_none()
        && let Some(entrypoint) = &asked.entrypoint
    {
        let found: Vec<_> = found.entrypoint.iter().flatten().collect();
        if kept_words(entrypoint) != found {
            differences.push(format!("its entrypoint is {found:?}"));
        }
    }
    let numbers = [
        ("cpu", asked.cpu, found.cpu),
        ("memory", asked.memory, found.mem),
        ("disk", asked.disk, found.disk),
        ("gpu", asked.gpu, found.gpu),
    ];
    for (name, asked, found) in numbers {
        let (Some(asked), Some(found)) = (asked, found) else {
            continue;
        };
        if (f64::from(asked) - found).abs() > 1e-9 {
            differences.push(format!("its {name} is {found} instead of {asked}"));
        }
    }
    if let (Some(asked), Some(found)) = (asked.gpu_type.as_deref(), &found.gpu_type)
        && !asked.is_empty()
        && !asked.contains(found)
    {
        let asked: Vec<_> = asked.iter().map(ToString::to_string).collect();
        differences.push(format!("its GPU is of type {found} instead of {}", asked.join(" or ")));
    }
    if let (Some(asked), Some(found)) = (&asked.sandbox_class, &found.sandbox_class)
        && asked != found
    {
        differences.push(format!("its sandbox class is {found} instead of {asked}"));
    }
    if let (Some(asked), Some(found)) = (&asked.region_id, &found.region_ids)
        && !found.contains(asked)
    {
        differences.push(format!("its region is {} instead of {asked}", found.join(", ")));
    }
    differences
}

/// The first line in which two Dockerfiles differ.
fn first_line(asked: &str, found: &str) -> String {
    let (mut asked, mut found) = (asked.lines(), found.lines());
    let mut number = 1;
    loop {
        match (asked.next(), found.next()) {
            (Some(asked), Some(found)) if asked == found => number += 1,
            (None, None) => return "its Dockerfile has different line endings".to_owned(),
            (Some(asked), Some(found)) => {
                return format!("line {number} of its Dockerfile is `{found}` instead of `{asked}`");
            }
            (Some(asked), None) => return format!("its Dockerfile ends before line {number}, `{asked}`"),
            (None, Some(found)) => return format!("its Dockerfile continues with line {number}, `{found}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use daytona_api::SnapshotState;

    use super::*;

    fn asked() -> CreateSnapshot {
        let mut asked = CreateSnapshot::new("x");
        let mut build = CreateBuildInfo::new("FROM a:1\nRUN b\n");
        build.context_hashes = Some(vec!["1".into(), "2".into()]);
        asked.build_info = Some(build);
        asked.cpu = Some(2);
        asked
    }

    fn found(dockerfile: &str, hashes: Option<&[&str]>) -> Snapshot {
        let mut found = Snapshot::new("id", "x", SnapshotState::Active);
        let mut build = BuildInfo::new();
        build.dockerfile_content = Some(dockerfile.to_owned());
        build.context_hashes = hashes.map(|hashes| hashes.iter().map(|hash| (*hash).to_owned()).collect());
        found.build_info = Some(build);
        found.cpu = Some(2.0);
        found.mem = Some(7.0);
        found
    }

    #[test]
    fn order_and_what_was_not_asked_for_do_not_count() {
        assert!(differences(&asked(), &found("FROM a:1\nRUN b\n", Some(&["2", "1"]))).is_empty());
        let mut nothing = asked();
        nothing.build_info.as_mut().unwrap().context_hashes = Some(Vec::new());
        assert!(differences(&nothing, &found("FROM a:1\nRUN b\n", None)).is_empty());
    }

    #[test]
    fn each_difference_is_told() {
        let one = |asked: &CreateSnapshot, found: &Snapshot| {
            let all = differences(asked, found);
            assert_eq!(all.len(), 1, "{all:?}");
            all[0].clone()
        };
        let same = found("FROM a:1\nRUN b\n", Some(&["1", "2"]));
        let other_text = found("FROM a:1\nRUN c\n", Some(&["1", "2"]));
        assert!(one(&asked(), &other_text).contains("line 2") && one(&asked(), &other_text).contains("`RUN c`"));
        assert!(one(&asked(), &found("FROM a:1\n", Some(&["1", "2"]))).contains("ends before line 2, `RUN b`"));
        assert!(one(&asked(), &found("FROM a:1\nRUN b\n", Some(&["1", "3"]))).contains("context"));
        let mut more = asked();
        more.cpu = Some(4);
        assert_eq!(one(&more, &same), "its cpu is 2 instead of 4");
        let mut image = CreateSnapshot::new("x");
        image.image_name = Some("a:1".into());
        assert!(one(&image, &same).contains("Dockerfile instead of an image"));
        let mut registry = Snapshot::new("id", "x", SnapshotState::Active);
        registry.image_name = Some("a:2".into());
        assert!(one(&image, &registry).contains("`a:2`"));
        assert!(one(&asked(), &registry).contains("instead of a Dockerfile"));
        registry.image_name = Some("a:1".into());
        registry.entrypoint = Some(vec!["x".into()]);
        image.entrypoint = Some(vec!["x".into(), " ".into()]);
        assert!(differences(&image, &registry).is_empty());
        image.entrypoint = Some(vec!["y".into()]);
        assert!(one(&image, &registry).contains("entrypoint"));
    }
}
