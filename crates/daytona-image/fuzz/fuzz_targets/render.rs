//! What is rendered is read back as the same instructions, whatever the values.
#![no_main]

use arbitrary::Arbitrary;
use daytona_image::dockerfile::{Dockerfile, Instruction};
use daytona_image::{Image, PlanOptions};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Values {
    base: String,
    packages: Vec<String>,
    env: Vec<(String, String)>,
    workdir: String,
    command: String,
    exec: Vec<String>,
    entrypoint: Vec<String>,
    label: (String, String),
}

fuzz_target!(|values: Values| {
    let image = Image::base(values.base)
        .pip_install(values.packages.clone())
        .env(values.env.clone())
        .workdir(values.workdir)
        .run_commands([values.command])
        .run_commands([daytona_image::Command::Exec(values.exec.clone())])
        .entrypoint(values.entrypoint.clone())
        .label([values.label]);
    let Ok(plan) = image.plan_with(&PlanOptions::default().base_dir("/")) else { return };
    let read = Dockerfile::parse(plan.dockerfile()).expect("what is rendered is a Dockerfile");
    let keywords: Vec<&str> = read.instructions().iter().map(Instruction::keyword).collect();
    let mut expected = vec!["FROM"];
    expected.extend((!values.packages.is_empty()).then_some("RUN"));
    expected.extend(values.env.iter().map(|_| "ENV"));
    expected.extend(["WORKDIR", "RUN", "RUN", "ENTRYPOINT", "LABEL"]);
    assert_eq!(keywords, expected);
    let json = |from_end: usize| read.instructions()[read.instructions().len() - from_end].json();
    assert_eq!(json(3), Some(values.exec.as_slice()));
    assert_eq!(json(2), Some(values.entrypoint.as_slice()));
});
