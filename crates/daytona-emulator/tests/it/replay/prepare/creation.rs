//! What was so before a creation.

use std::time::Duration;

use daytona_emulator::{Script, SeededSnapshot};
use http::Request;
use serde_json::{Value, json};

use super::Stage;
use super::recorded::id_of;
use crate::replay::send;

impl Stage {
    pub(super) async fn prepare_creation(&mut self, exchange: &Value, message: &str) {
        let body = &exchange["request"]["body"];
        let label = exchange["label"].as_str().unwrap_or_default();
        let name = body["name"].as_str().unwrap_or_default();
        let status = &exchange["response"]["status"];
        if status == 409 {
            let taken = SeededSnapshot::from_image(name, "a:1");
            self.seed(if label.contains("general") {
                taken.general()
            } else {
                taken
            });
        }
        self.script(body);
        let image = body["imageName"].as_str().unwrap_or_default();
        if message.is_empty() && label.contains("gain") {
            // The same definition was built to its end before.
            self.create_under_another_name(body).await;
            tokio::time::sleep(Duration::from_mins(1)).await;
        } else if label.contains("while the first is building")
            || (label.contains("two creates") && label.ends_with("> second") && image.is_empty())
        {
            self.first = self.create_under_another_name(body).await;
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    }

    /// Translates what steered the stand-in runner.
    fn script(&mut self, body: &Value) {
        let image = body["imageName"].as_str().unwrap_or_default();
        let dockerfile = body["buildInfo"]["dockerfileContent"].as_str().unwrap_or_default();
        let repository = image.split(['/', ':']).next().unwrap_or_default();
        match repository {
            "slow" => self
                .emulator
                .script(Script::for_image(image).takes(Duration::from_secs(8))),
            "huge" => self.emulator.script(Script::for_image(image).size(999.0)),
            "nonexistent" => self.emulator.script(Script::for_image(image).not_in_registry()),
            "pullfail" => {
                let reason = format!("stub: pull failed for {image}");
                self.emulator.script(Script::for_image(image).fails(reason));
            }
            _ => {}
        }
        for line in dockerfile.lines() {
            let Some(steps) = line.strip_prefix("# stub: ") else {
                continue;
            };
            if let Some(seconds) = steps.strip_prefix("delay ").and_then(|seconds| seconds.parse().ok()) {
                self.emulator
                    .script(Script::for_dockerfile(line).takes(Duration::from_secs(seconds)));
            }
        }
    }

    async fn create_under_another_name(&mut self, body: &Value) -> String {
        let mut body = body.clone();
        body["name"] = json!(format!("before-{}", self.created));
        self.created += 1;
        let request = Request::post(format!("{}/snapshots", self.emulator.api_url()))
            .header("authorization", "Bearer dtn_EXAMPLE_ADMIN_KEY")
            .header("content-type", "application/json");
        let response = send(self.emulator.service(), request.body(body.to_string()).unwrap()).await;
        id_of(response.body()).unwrap_or_default()
    }
}
