//! What was recorded of images in private registries: one emulator, to which everything is sent in the order of the recording.

use daytona_emulator::Script;
use serde_json::{Value, json};

use super::stage::Stage;
use super::{label, of_section, recordings};
use crate::replay::compare::{self, Translate};

/// The address of the service's own registry, in the recording and in the emulator.
const OWN_REGISTRY: (&str, &str) = ("127.0.0.1:33016", "registry.daytona.emulator");

/// This image is looked up with credentials and pulled without. The runner of the recording let everybody pull, so that it
/// became active there. The emulator refuses the pull, as a registry does.
const PULLED_WITHOUT: &str = "private image without a host, with a Docker Hub registry";

/// The full name, without its tag, of an image that needs credentials: the runner of the recording asked for them where the name
/// says "private".
fn private_image(body: &Value) -> Option<String> {
    let dockerfile = body["buildInfo"]["dockerfileContent"].as_str().unwrap_or_default();
    let parent = dockerfile.lines().find_map(|line| line.strip_prefix("FROM "));
    let image = parent.or_else(|| body["imageName"].as_str())?;
    let (name, _tag) = image.rsplit_once(':')?;
    let (first, _) = name.split_once('/')?;
    let host = if first.contains(['.', ':']) { "" } else { "docker.io/" };
    name.contains("/private").then(|| format!("{host}{name}"))
}

/// Why it failed, without the id of the runner.
fn reason(shown: &Value) -> String {
    let reason = shown["errorReason"].as_str().unwrap_or_default();
    let words = reason.split(' ');
    let words = words.map(|word| match uuid::Uuid::parse_str(word.trim_end_matches('.')) {
        Ok(_) => "<runner>",
        Err(_) => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn images_from_registries() {
    let all = recordings(&["/api/snapshots", "/api/docker-registry"]);
    let recorded: Vec<&Value> = of_section(&all, "Images from registries").collect();
    let mut stage = Stage::new();
    stage.ids.insert(OWN_REGISTRY.0.to_owned(), OWN_REGISTRY.1.to_owned());
    let form =
        json!({"name": "ours", "url": "https://registry.private.example", "username": "good", "password": "right"});
    let (_, registry) = stage.ask("POST", "/docker-registry", &form).await;
    for exchange in &recorded {
        if let Some(image) = private_image(&exchange["request"]["body"]) {
            stage.asked.emulator.require_credentials(stage.translate(&image));
        }
    }
    let mut differences = Vec::new();
    for exchange in &recorded {
        let (base, is_get) = match label(exchange).split_once(" > get") {
            Some((base, _)) => (base, true),
            None => (label(exchange), false),
        };
        if is_get && base == PULLED_WITHOUT {
            continue;
        }
        if base == "private image, registry deleted" {
            let path = format!("/docker-registry/{}", registry["id"].as_str().unwrap());
            assert_eq!(stage.ask("DELETE", &path, &Value::Null).await.0, 204);
        }
        let get = recorded.iter().find(|other| label(other) == format!("{base} > get"));
        let size = get.and_then(|get| get["response"]["body"]["size"].as_f64());
        if let (Some(name), Some(size)) = (exchange["request"]["body"]["name"].as_str(), size) {
            stage.asked.emulator.script(Script::for_name(name).size(size));
        }
        let actual = stage.replay(exchange).await;
        differences.extend(stage.differences(exchange, &actual));
        let made: Value = serde_json::from_slice(actual.body()).unwrap();
        let wanted = &exchange["response"]["body"];
        if is_get && reason(&made) != stage.translate(&reason(wanted)) {
            differences.push(format!("{base}: {} instead of {}", reason(&made), reason(wanted)));
        }
        let Some(mut states) = exchange["states"].as_array().cloned() else {
            continue;
        };
        let id = made["id"].as_str().unwrap().to_owned();
        stage.ids.insert(wanted["id"].as_str().unwrap().to_owned(), id.clone());
        let mut seen = stage.states(&id, 3).await;
        let (_, now) = stage.ask("GET", &format!("/snapshots/{id}"), &Value::Null).await;
        let mut why = reason(states.last().unwrap());
        if base == PULLED_WITHOUT {
            states.pop();
            assert_eq!(seen.pop().as_deref(), Some("error"));
            why = "failed to pull image: unauthorized: authentication required".to_owned();
        }
        let found = compare::states(&states, &seen).into_iter();
        differences.extend(found.map(|difference| format!("{base}: {difference}")));
        if reason(&now) != stage.translate(&why) {
            differences.push(format!("{base}: {} instead of {why}", reason(&now)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(recorded.len(), 15);
}
