//! What a snapshot is made of, and how another one differs from it.

use daytona_api::{BuildInfo, CreateBuildInfo, CreateSnapshot, Snapshot};

/// How a snapshot that is there differs from one that was asked for; nothing if it is made of the same.
///
/// What was not asked for is not compared, and of resources only those that were given. Hashes are compared without their
/// order, in which the server does not keep them either.
pub(crate) fn differences(asked: &CreateSnapshot, found: &Snapshot) -> Vec<String> {
    let mut differences = text_differences(asked, found);
    if let (Some(asked), Some(found)) = (&asked.build_info, &found.build_info)
        && !has_same_hashes(asked, found)
    {
        differences.push("the files of its context are others".to_owned());
    }
    differences
}

/// Whether the server makes both by the same build.
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
    let sorted = |hashes: &Option<Vec<String>>| {
        let mut hashes = hashes.clone().unwrap_or_default();
        hashes.sort_unstable();
        // The same archive twice is the same tree.
        hashes.dedup();
        hashes
    };
    sorted(&asked.context_hashes) == sorted(&found.context_hashes)
}

/// [`differences`] but for those that only the files can show.
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
        // The server leaves blank words out.
        let entrypoint: Vec<_> = entrypoint.iter().filter(|word| !word.trim().is_empty()).collect();
        let found: Vec<_> = found.entrypoint.iter().flatten().collect();
        if entrypoint != found {
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
    if let (Some([asked]), Some(found)) = (asked.gpu_type.as_deref(), &found.gpu_type)
        && asked != found
    {
        differences.push(format!("its GPU is of type {found} instead of {asked}"));
    }
    if let (Some(asked), Some(found)) = (&asked.sandbox_class, &found.sandbox_class)
        && asked != found
    {
        differences.push(format!("its sandbox class is {found} instead of {asked}"));
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
            (None, None) => return "its Dockerfile has other line ends".to_owned(),
            (Some(asked), Some(found)) => {
                return format!("line {number} of its Dockerfile is `{found}` instead of `{asked}`");
            }
            (Some(asked), None) => return format!("its Dockerfile ends before line {number}, `{asked}`"),
            (None, Some(found)) => return format!("its Dockerfile goes on with line {number}, `{found}`"),
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
