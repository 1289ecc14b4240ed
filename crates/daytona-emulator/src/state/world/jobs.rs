//! The jobs of the runner of each region: at most one is unfinished for one subject, whichever snapshots it is for, and
//! whether or not they are still there.

use std::collections::HashMap;

use jiff::Timestamp;

/// What a job is about. Builds are told apart by their own records.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Job {
    /// Looking an image up in its registry, by its full name, in a region.
    Inspect(String, String),
    /// Pulling what a reference names, in a region.
    Pull(String, String),
}

/// The jobs that are under way, and when they end.
#[derive(Debug, Default)]
pub(super) struct Jobs(HashMap<Job, Timestamp>);

impl Jobs {
    /// Begins a job; whether there was none of the same subject.
    pub(super) fn begin(&mut self, job: Job, now: Timestamp, end: Timestamp) -> bool {
        self.0.retain(|_, end| now < *end);
        match self.0.entry(job) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(end);
                true
            }
        }
    }
}

/// An image's name with the registry and the directory that are meant where none are named.
pub(super) fn full_name(image: &str) -> String {
    let first = image.split('/').next().unwrap_or_default();
    let has_host = image.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    match (has_host, image.contains('/')) {
        (true, _) => image.to_owned(),
        (false, true) => format!("docker.io/{image}"),
        (false, false) => format!("docker.io/library/{image}"),
    }
}

#[test]
fn a_name_is_completed() {
    for (image, full) in [
        ("debian:12", "docker.io/library/debian:12"),
        ("team/app:1", "docker.io/team/app:1"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("registry.example/team/app:1", "registry.example/team/app:1"),
    ] {
        assert_eq!(full_name(image), full);
    }
}
