//! What was recorded around snapshots, as far as it is about snapshots and keys, against the emulator.
//!
//! Every operation in every state; then creations of one definition some time after another; keys and registries have files of
//! their own. What is left out is listed with its reason.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use daytona_emulator::{ApiKey, Organization, Region, Script, SeededSnapshot};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::replay::compare;
use crate::support::Asked;
use stage::Stage;

mod keys;
mod registries;
mod stage;

/// The key with all permissions.
pub(crate) const FULL_KEY: &str = "dtn_EXAMPLE_FULL_KEY";
pub(crate) const OWN: &str = "09e9eadb-5d05-46a9-b236-0e20cf929657";
pub(crate) const OTHER: &str = "34e19012-2b33-4aa7-b038-13ec6ca900c8";

/// What was recorded of snapshots and keys.
fn exchanges() -> Vec<Value> {
    recordings(&["/api/snapshots", "/api/api-keys", "/api/object-storage"])
}

/// The recordings of paths that begin with one of these: those beside the repository if they are there, else the copy in it.
pub(crate) fn recordings(concerned: &[&str]) -> Vec<Value> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/wire/exchanges-neighbours.json");
    let text = std::fs::read_to_string(beside).unwrap_or_else(|_| {
        let packed = include_bytes!("../fixtures/exchanges-neighbours.json.gz");
        let mut text = String::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_string(&mut text)
            .unwrap();
        text
    });
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    let is_ours = |exchange: &Value| {
        let path = exchange["request"]["path"].as_str().unwrap_or_default();
        concerned.iter().any(|start| path.starts_with(start))
    };
    all.into_iter().filter(is_ours).collect()
}

fn of_section<'a>(exchanges: &'a [Value], section: &'a str) -> impl Iterator<Item = &'a Value> {
    exchanges.iter().filter(move |exchange| exchange["section"] == section)
}

pub(crate) fn label(exchange: &Value) -> &str {
    exchange["label"].as_str().unwrap_or_default()
}

/// An emulator with the organizations of the recordings, and the key with all permissions.
pub(crate) fn with_organizations() -> Asked {
    let asked = Asked::new();
    let emulator = &asked.emulator;
    emulator.put_organization(Organization::new("own").id(OWN));
    emulator.put_organization(Organization::new("other").id(OTHER));
    emulator.add_api_key(ApiKey::new(OWN).value(FULL_KEY).name("full").user("user-one"));
    asked
}

/// Sends a request with the headers of a recording.
pub(crate) async fn send(asked: &Asked, method: &str, path: &str, headers: &Value, body: String) -> Response<Bytes> {
    let root = asked.emulator.api_url().replace("/api", "");
    let mut request = Request::builder().method(method).uri(format!("{root}{path}"));
    for (name, value) in headers.as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    asked.send(request.body(body).unwrap()).await.unwrap()
}

/// Brings a snapshot into the state that a label names, and returns its id.
async fn bring_into(stage: &Stage, state: &str, form: &Value) -> String {
    let emulator = &stage.asked.emulator;
    let image = form["imageName"].as_str().filter(|image| !image.is_empty());
    let image = image.unwrap_or("docker.io/library/some:1.0");
    let dockerfile = form["buildInfo"]["dockerfileContent"]
        .as_str()
        .unwrap_or("FROM a:1\nRUN x\n");
    let name = form["name"].as_str().unwrap_or("some:1");
    let mut script = Script::for_name(name).times(1);
    if let Some(size) = form["size"].as_f64() {
        script = script.size(size);
    }
    if let Some(region) = form["regionIds"][0].as_str() {
        emulator.put_region(Region::shared(region));
    }
    let mut body = match state {
        "building" | "build_failed" => json!({"name": name, "buildInfo": {"dockerfileContent": dockerfile}}),
        _ => json!({"name": name, "imageName": image}),
    };
    let long = Duration::from_secs(12);
    match state {
        "error" => script = script.not_in_registry(),
        "pulling" | "building" => script = script.takes(long),
        "build_failed" => {
            emulator.script(Script::for_name("twin").takes(Duration::from_mins(1)));
            let mut twin = body.clone();
            twin["name"] = json!("twin");
            stage.ask("POST", "/snapshots", &twin).await;
        }
        "pending, its image being inspected" => script = script.inspection_takes(Duration::from_secs(4)),
        "pending, no runner there" => emulator.set_runner(false),
        _ => {}
    }
    body["regionId"] = form["regionIds"][0].clone();
    emulator.script(script);
    stage.wait_for_a_tick().await;
    let (status, made) = stage.ask("POST", "/snapshots", &body).await;
    assert_eq!(status, 200, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    stage.wait(if state.starts_with("pending") { 0.5 } else { 1.0 }).await;
    match state {
        "inactive" => drop(
            stage
                .ask("POST", &format!("/snapshots/{id}/deactivate"), &Value::Null)
                .await,
        ),
        "removing" => drop(stage.ask("DELETE", &format!("/snapshots/{id}"), &Value::Null).await),
        _ => {}
    }
    id
}

#[tokio::test(start_paused = true)]
async fn every_operation_in_every_state() {
    let exchanges = exchanges();
    let recorded: Vec<&Value> = of_section(&exchanges, "Delete, activate, deactivate in every state").collect();
    let mut bases: Vec<&str> = Vec::new();
    for exchange in &recorded {
        let base = label(exchange).split(" > ").next().unwrap();
        if !bases.contains(&base) {
            bases.push(base);
        }
    }
    let mut differences = Vec::new();
    let mut replayed = 0;
    for base in bases {
        let stage = Stage::new();
        let part = |suffix: &str| {
            let wanted = format!("{base}{suffix}");
            recorded.iter().find(|exchange| label(exchange) == wanted).copied()
        };
        let (operation, state) = base.split_once(" while ").unwrap();
        let form = ["", " > create", " > get before", " > get after"].into_iter();
        let mut form = form.filter_map(part).map(|exchange| &exchange["response"]["body"]);
        let form = form.find(|form| form["name"].is_string()).cloned().unwrap_or_default();
        let mut before = match part(" > get before") {
            Some(before) => before["response"]["body"].clone(),
            None => form,
        };
        // The size of an image is that of its registry from the beginning.
        let after = part(" > get after").map(|after| &after["response"]["body"]["size"]);
        if let Some(size) = after.filter(|size| size.is_number() && before["imageName"] != "") {
            before["size"] = size.clone();
        }
        let ours = bring_into(&stage, state, &before).await;
        let theirs = recorded.iter().filter(|exchange| label(exchange).starts_with(base));
        let theirs = theirs.filter_map(|exchange| exchange["request"]["path"].as_str()?.split('/').nth(3));
        let mut stage = stage;
        if let Some(theirs) = theirs.map(ToOwned::to_owned).find(|id| id.len() == 36) {
            stage.ids.insert(theirs, ours.clone());
        }
        if let Some(get) = part(" > get before") {
            let actual = stage.replay(get).await;
            differences.extend(stage.differences(get, &actual));
            replayed += 1;
        }
        let was = stage.state(&ours).await;
        match part("") {
            Some(exchange) => {
                let actual = stage.replay(exchange).await;
                differences.extend(stage.differences(exchange, &actual));
                let mut seen = stage.states(&ours, 20).await;
                let states = exchange["states"].as_array().cloned().unwrap_or_default();
                if states.first().is_some_and(|first| first["state"] == was.as_str()) && seen.first() != Some(&was) {
                    seen.insert(0, was);
                }
                let found = compare::states(&states, &seen).into_iter();
                differences.extend(found.map(|difference| format!("{base}: {difference}")));
                replayed += 1;
            }
            None => {
                let (method, path) = match operation {
                    "delete" => ("DELETE", format!("/snapshots/{ours}")),
                    operation => ("POST", format!("/snapshots/{ours}/{operation}")),
                };
                stage.ask(method, &path, &Value::Null).await;
                stage.wait(20.0).await;
            }
        }
        for suffix in [" > get after", " > create of the same name afterwards"] {
            let Some(exchange) = part(suffix) else { continue };
            let actual = stage.replay(exchange).await;
            differences.extend(stage.differences(exchange, &actual));
            replayed += 1;
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let not_alone = recorded
        .iter()
        .filter(|exchange| label(exchange).ends_with(" > create"))
        .count();
    assert_eq!(replayed + not_alone, recorded.len(), "every exchange has its turn");
}

#[tokio::test(start_paused = true)]
async fn gpus_regions_and_classes() {
    let exchanges = exchanges();
    let mut differences = Vec::new();
    let mut stage = Stage::new();
    for exchange in of_section(&exchanges, "GPU, regions, classes") {
        let emulator = &stage.asked.emulator;
        let mut eu = Region::shared("eu").gpu_types(["RTX-PRO-6000"]);
        let mut gpus = 10;
        match label(exchange).rsplit(": ").next().unwrap() {
            "empty list of allowed types" => eu = eu.allowed_gpu_types(Vec::<String>::new()),
            "list of the region, no type" => eu = eu.allowed_gpu_types(["RTX-PRO-6000"]),
            "quota 0" => gpus = 0,
            _ => {}
        }
        emulator.put_region(eu);
        emulator.put_region(Region::shared("us").gpu_types(["H100"]));
        emulator.put_region(Region::custom("own-34e19012-2b33-4aa7-b038-13ec6ca900c8", "dc", OTHER));
        emulator.put_organization(Organization::new("own").id(OWN).gpu_quota(gpus));
        let body = &exchange["response"]["body"];
        if let (Some(name), Some(size)) = (body["name"].as_str(), body["size"].as_f64()) {
            // Its creation was not recorded, or was replayed before.
            let path = exchange["request"]["path"].as_str().unwrap().split('/').nth(3);
            if path.is_some_and(|theirs| !stage.ids.contains_key(theirs)) {
                let seed = SeededSnapshot::from_image(name, body["imageName"].as_str().unwrap());
                let seed = seed.resources(1.0, body["gpu"].as_f64().unwrap_or(0.0), 1.0, 3.0);
                let seed = seed
                    .size(Some(size))
                    .organization(OWN)
                    .gpu_type(body["gpuType"].as_str().unwrap_or_default());
                emulator.add_snapshot(seed.id(path.unwrap()));
            }
        } else if let Some(name) = exchange["request"]["body"]["name"].as_str() {
            let followed = format!("{} > get", label(exchange));
            let get = exchanges.iter().find(|other| label(other) == followed);
            if let Some(size) = get.and_then(|get| get["response"]["body"]["size"].as_f64()) {
                emulator.script(Script::for_name(name).size(size));
            }
        }
        let actual = stage.replay(exchange).await;
        differences.extend(stage.differences(exchange, &actual));
        let made: Value = serde_json::from_slice(actual.body()).unwrap_or_default();
        if let (Some(theirs), Some(ours)) = (body["id"].as_str(), made["id"].as_str()) {
            stage.ids.insert(theirs.to_owned(), ours.to_owned());
        }
        stage.wait(5.0).await;
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The seconds after which the creations of a label were sent.
fn times(label: &str) -> Option<Vec<f64>> {
    let seconds = |text: &str| text.trim_end_matches(" s").trim().parse().ok();
    if let Some((_, rest)) = label.split_once("creates after ") {
        return rest.split(", ").map(seconds).collect();
    }
    let (_, rest) = label.split_once("the second after ")?;
    Some(vec![0.0, seconds(rest)?])
}

#[tokio::test(start_paused = true)]
async fn creations_of_one_definition_one_after_another() {
    let exchanges = exchanges();
    let recorded: Vec<&Value> = of_section(&exchanges, "Several creates of one definition").collect();
    let mut bases: Vec<&str> = recorded
        .iter()
        .filter_map(|exchange| label(exchange).split(" > ").next())
        .collect();
    bases.dedup();
    let (mut differences, mut replayed) = (Vec::new(), 0);
    for base in bases {
        // Which of several at the same moment wins is chance, and a deletion before a creation has tests of its own: states.rs.
        let Some(times) = times(base) else { continue };
        let stage = Stage::new();
        let numbered = |number: usize| {
            let wanted = format!("{base} > number {number}");
            recorded.iter().find(|exchange| label(exchange) == wanted).copied()
        };
        let any = (1..=times.len()).find_map(numbered).unwrap();
        let body = any["request"]["body"].clone();
        let image = body["imageName"].as_str().unwrap_or_default();
        let number = |after: &str| {
            let (_, rest) = image.split_once(after)?;
            rest.split('-').next()?.parse().ok().map(Duration::from_millis)
        };
        // The stand-in took a little longer than it was told to.
        let slack = Duration::from_millis(300);
        let takes = number("delay-").unwrap_or(Duration::from_secs(4)) + slack;
        let mut script = Script::for_name("*").takes(takes);
        if let Some(inspection) = number("inspect-") {
            script = script.inspection_takes(inspection);
        }
        // The periodic task looks in between, and finds a built image there without another build.
        let is_build = image.is_empty();
        stage
            .asked
            .emulator
            .script(if is_build { script.times(1) } else { script });
        stage.wait_for_a_tick().await;
        let mut made = Vec::new();
        let mut at = 0.0;
        for (index, time) in times.iter().enumerate() {
            stage.wait(time - at).await;
            at = *time;
            let mut body = body.clone();
            body["name"] = json!(format!("n{index}"));
            let (status, answer) = stage.ask("POST", "/snapshots", &body).await;
            assert_eq!(status, 200, "{base}: {answer}");
            made.push(answer["id"].as_str().unwrap().to_owned());
        }
        stage.wait(30.0).await;
        for (index, id) in made.iter().enumerate() {
            let Some(exchange) = numbered(index + 1) else { continue };
            replayed += 1;
            let last = exchange["states"].as_array().and_then(|states| states.last());
            let last = last.map(|last| last["state"].clone()).unwrap_or_default();
            let state = stage.state(id).await;
            if last != state.as_str() {
                differences.push(format!("{}: {state} instead of {last}", label(exchange)));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(replayed >= 20, "{replayed}");
}
