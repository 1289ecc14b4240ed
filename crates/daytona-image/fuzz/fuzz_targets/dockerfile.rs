//! Any text is a Dockerfile or an error, and what it takes from its context is found or refused.
#![no_main]

use daytona_image::dockerfile::Dockerfile;
use daytona_image::{DockerfileSource, Image, PlanOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if Dockerfile::parse(text).is_ok() {
        // An empty folder: everything that is taken from it is missing.
        let folder = std::env::temp_dir().join("daytona-image-fuzz-empty");
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let options = PlanOptions::default().base_dir(&folder).home(&folder);
        let _ = Image::from_dockerfile(DockerfileSource::text(text)).plan_with(&options);
    }
});
