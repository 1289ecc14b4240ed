//! Adds a hint if an image may need credentials for its registry.

use std::time::Duration;

use daytona_api::{ListRegistries, Registry, Snapshot};
use daytona_image::dockerfile::Dockerfile;

use super::scope::Scope;
use crate::error::Error;

/// The host of images whose names have none.
const DOCKER_HUB: &str = "docker.io";

/// How long the report of a failure waits for the list of registries.
const PATIENCE: Duration = Duration::from_secs(10);

/// Parts of the messages of registries and runners if the credentials for an image are missing or wrong.
const REFUSALS: [&str; 7] = [
    "unauthorized",
    "authentication required",
    "access denied",
    "denied: ",
    "forbidden",
    "no basic auth credentials",
    "failed to inspect in registry",
];

/// Names the registry without credentials, if that may be why a snapshot failed.
pub(crate) async fn explain(scope: &Scope, error: Error, failed: &Snapshot) -> Error {
    let reason = error.reason().unwrap_or_default().to_ascii_lowercase();
    if error.has_hint() || !REFUSALS.iter().any(|part| reason.contains(part)) {
        return error;
    }
    let mut images = images(failed);
    if failed.build_info.is_some() {
        // Any step of a build may be refused something. Only the reason names an image that could not be pulled.
        images.retain(|image| reason.contains(host(image).unwrap_or(image).to_ascii_lowercase().as_str()));
    }
    // If this fails, the failure is reported without it.
    let request = ListRegistries::new();
    let registries = tokio::select! {
        registries = scope.deadline.bound(scope.client.call(&request)) => registries,
        () = scope.client.clock().sleep(PATIENCE) => None,
    };
    match registries {
        Some(Ok(registries)) => match hint(&images, &registries) {
            Some(hint) => error.with_hint(hint),
            None => error,
        },
        _ => error,
    }
}

/// The names of the images that a snapshot is made from: its own, and those that its Dockerfile pulls.
fn images(snapshot: &Snapshot) -> Vec<String> {
    let image = snapshot.image_name.iter().filter(|image| !image.is_empty()).cloned();
    let build = snapshot.build_info.as_ref();
    let text = build.and_then(|build| build.dockerfile_content.as_deref());
    // What the service has built was sent as it is, so errors are no reason to stop here.
    let (dockerfile, _) = Dockerfile::read(text.unwrap_or_default());
    let mut stages = Vec::new();
    let mut pulled = Vec::new();
    let mut pull = |name: &str, stages: &[String]| {
        let is_stage = stages.contains(&name.to_ascii_lowercase()) || name.bytes().all(|byte| byte.is_ascii_digit());
        if !is_stage && name != "scratch" && !name.contains('$') {
            pulled.push(name.to_owned());
        }
    };
    for instruction in dockerfile.instructions() {
        if instruction.keyword() == "FROM" {
            if let Some(parent) = instruction.words().first() {
                pull(parent, &stages);
            }
            stages.extend(instruction.words().get(2).map(|stage| stage.to_ascii_lowercase()));
        }
        if let Some(name) = instruction.flag("from") {
            pull(name, &stages);
        }
        let fields = instruction.flag_values("mount").flat_map(|mount| mount.split(','));
        for name in fields.filter_map(|field| field.strip_prefix("from=")) {
            pull(name, &stages);
        }
    }
    image.chain(pulled).collect()
}

fn hint(images: &[String], registries: &[Registry]) -> Option<String> {
    let covers = |image: &str| registries.iter().any(|registry| is_for(registry, image));
    let bare = images.iter().find(|image| {
        // The service looks it up with the credentials, but pulls it without them.
        host(image).is_none() && image.contains('/') && covers(&format!("{DOCKER_HUB}/{image}"))
    });
    if let Some(image) = bare {
        return Some(format!(
            "the service pulls `{image}` without the credentials for {DOCKER_HUB}, as the name has no host: write \
             `{DOCKER_HUB}/{image}`"
        ));
    }
    let lacking = images.iter().find(|image| match host(image) {
        Some(_) => !covers(image),
        None => !covers(&format!("{DOCKER_HUB}/{image}")),
    })?;
    let host = host(lacking).unwrap_or(DOCKER_HUB);
    Some(format!(
        "check the name `{lacking}`; if the image is private, the service has no credentials for {host}: add them with \
         `registries().add`"
    ))
}

/// The host at the beginning of an image's name, if there is one.
fn host(image: &str) -> Option<&str> {
    let (first, _) = image.split_once('/')?;
    (first.contains(['.', ':']) || first == "localhost").then_some(first)
}

/// Whether a registry's credentials are for an image: the image's name begins with the address, followed by a slash or
/// a colon.
fn is_for(registry: &Registry, image: &str) -> bool {
    let address = registry
        .url
        .split_once("://")
        .map_or(registry.url.as_str(), |(_, rest)| rest);
    let rest = image.strip_prefix(address.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.starts_with(['/', ':']))
}

#[cfg(test)]
mod tests {
    use daytona_api::BuildInfo;

    use super::*;

    fn hint_of(image: &str, urls: &[&str]) -> Option<String> {
        let registries: Vec<_> = urls.iter().map(|url| Registry::new("1", "r", *url)).collect();
        hint(&[image.to_owned()], &registries)
    }

    #[test]
    fn the_host_without_credentials_is_named() {
        let hint = hint_of("registry.example/team/app:1", &["https://other.example"]).unwrap();
        assert!(hint.contains("no credentials for registry.example:"), "{hint}");
        assert_eq!(
            hint_of("registry.example/team/app:1", &["https://registry.example/"]),
            None
        );
        let evil = hint_of("registry.example.evil.example/app:1", &["registry.example"]).unwrap();
        assert!(evil.contains("registry.example.evil.example"), "{evil}");
        let hub = hint_of("team/app:1", &[]).unwrap();
        assert!(hub.contains("no credentials for docker.io"), "{hub}");
        let trap = hint_of("team/app:1", &["docker.io"]).unwrap();
        assert!(trap.contains("write `docker.io/team/app:1`"), "{trap}");
        assert_eq!(hint_of("docker.io/team/app:1", &["docker.io"]), None);
    }

    #[test]
    fn a_build_pulls_what_its_dockerfile_names() {
        let mut snapshot = Snapshot::new("1", "x", "error");
        snapshot.image_name = Some(String::new());
        let mut build = BuildInfo::new();
        build.dockerfile_content = Some(
            "# FROM no/comment:1\nfrom --platform=linux/amd64 \\\n  r.example/a:1 AS Base\nFROM base\nFROM scratch\nFROM $X\n\
             RUN FROM\nCOPY --from=r.example/b:1 /b /b\nCOPY --from=0 /c /c\nCOPY --from=BASE /c /c\n\
             RUN --mount=type=bind,from=r.example/d:1,target=/d true\n"
                .to_owned(),
        );
        snapshot.build_info = Some(build);
        assert_eq!(images(&snapshot), ["r.example/a:1", "r.example/b:1", "r.example/d:1"]);
    }
}
