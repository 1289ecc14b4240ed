//! Any text is a Dockerfile or an error; what it takes from its context is found or refused; what is planned is read again, with
//! build arguments and a target too.
#![no_main]

use daytona_image::dockerfile::Dockerfile;
use daytona_image::{DockerfileSource, Image, PlanOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // An empty folder: everything that is taken from it is missing.
    let folder = std::env::temp_dir().join("daytona-image-fuzz-empty");
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let options = PlanOptions::default().base_dir(&folder).home(&folder);
    let source = DockerfileSource::text(text);
    for source in [source.clone(), source.build_arg("A", "it's \"x\" $y").target("s")] {
        if let Ok(plan) = Image::from_dockerfile(source).plan_with(&options) {
            Dockerfile::parse(plan.dockerfile()).expect("what is planned is a Dockerfile");
        }
    }
});
