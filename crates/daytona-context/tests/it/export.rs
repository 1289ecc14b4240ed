//! Exports, read back by others.

use std::io::Read;

use daytona_context::{ExportFormat, export};
use daytona_image::{Image, PlanOptions};

use crate::support::{folder, plan};

fn exported(plan: &daytona_image::ImagePlan, format: ExportFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    export(plan, &mut bytes, format).unwrap();
    bytes
}

/// Name, mode and bytes of each member.
fn members(archive: impl Read) -> Vec<(String, u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let read = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        (name, entry.header().mode().unwrap(), bytes)
    });
    read.collect()
}

#[test]
fn an_export_has_the_dockerfile_and_every_member() {
    let folder = folder(&[("a", b"1"), ("sub/b", &[7; 600])]);
    let plan = plan(folder.path());
    let text = plan.dockerfile().as_bytes().to_vec();
    let wanted = [
        ("Dockerfile".to_owned(), 0o644, text),
        ("d/a".to_owned(), 0o644, b"1".to_vec()),
        ("d/sub/b".to_owned(), 0o644, vec![7; 600]),
    ];
    let plain = exported(&plan, ExportFormat::Tar);
    assert_eq!(members(plain.as_slice()), wanted);
    assert_eq!(plain.len() % 512, 0);
    let packed = exported(&plan, ExportFormat::TarGz);
    assert_eq!(members(flate2::read::GzDecoder::new(packed.as_slice())), wanted);
    // The same plan, the same bytes.
    assert_eq!(packed, exported(&plan, ExportFormat::TarGz));
    #[cfg(unix)]
    assert_eq!(listed_by_tar(&packed), "Dockerfile\nd/a\nd/sub/b\n");
}

/// GNU tar takes it without a word.
#[cfg(unix)]
fn listed_by_tar(packed: &[u8]) -> String {
    use std::io::Write;
    use std::process::{Command, Stdio};

    let mut tar = Command::new("tar")
        .args(["-tzf", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tar.stdin.take().unwrap().write_all(packed).unwrap();
    let listed = tar.wait_with_output().unwrap();
    assert!(listed.stderr.is_empty());
    String::from_utf8(listed.stdout).unwrap()
}

#[test]
fn an_image_without_files_is_a_dockerfile_alone() {
    let plan = Image::base("a:1")
        .plan_with(&PlanOptions::default().base_dir("/"))
        .unwrap();
    let plain = exported(&plan, ExportFormat::Tar);
    assert_eq!(members(plain.as_slice()).len(), 1);
}

#[test]
fn a_file_that_changed_is_named() {
    let folder = folder(&[("a", b"1")]);
    let plan = plan(folder.path());
    std::fs::remove_file(folder.path().join("d/a")).unwrap();
    let error = export(&plan, std::io::sink(), ExportFormat::TarGz).unwrap_err();
    assert!(error.to_string().replace('\\', "/").contains("d/a` changed"), "{error}");
}
