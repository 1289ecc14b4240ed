//! What only Windows does: other dividers, disks that ignore case, files without an execute bit.

use std::fs;

use daytona_image::{DockerfileSource, Image, LocalFile, Member};

use super::support::{error, folder, names, try_plan, write};

#[test]
fn what_an_ignore_file_leaves_out_with_backslashes_is_not_sent() {
    let folder = folder(&["secrets/prod.env", "secrets/README", "app.py"]);
    for rule in [r"secrets\prod.env", r".\secrets\*.env", r"\secrets\prod.env\"] {
        write(folder.path(), ".dockerignore", rule);
        assert_eq!(
            names(&folder, "FROM a\nCOPY . /x"),
            ["app.py", "secrets/README"],
            "{rule}"
        );
    }
    fs::remove_file(folder.path().join(".dockerignore")).unwrap();
    let source = DockerfileSource::text("FROM a:1\nCOPY . /x").ignore([r"secrets\prod.env"]);
    let plan = try_plan(folder.path(), &Image::from_dockerfile(source)).unwrap();
    assert!(plan.members().iter().all(|member| member.name() != "secrets/prod.env"));
}

#[test]
fn a_name_in_another_case_does_not_evade_the_rules() {
    let folder = folder(&["app/key.pem", "app/main.py"]);
    write(folder.path(), ".dockerignore", "app/key.pem");
    for source in ["App", "App/key.pem", "app/KEY.pem", "App/*", "APP/main.py"] {
        let error = error(&folder, &format!("FROM a\nCOPY {source} /x/"));
        assert!(error.contains("exists as `"), "{source}: {error}");
    }
    // Neither is a dot at the end of a name, which the system cuts off.
    assert!(error(&folder, "FROM a\nCOPY app./key.pem /x/").contains("is not in the build context"));
    assert_eq!(names(&folder, "FROM a\nCOPY app /x"), ["app/main.py"]);
}

#[test]
fn sources_are_names_of_the_context_and_no_paths_of_this_machine() {
    let folder = folder(&["src/a.txt", "src/sub/b.txt"]);
    let here = folder.path().join("src/a.txt").to_string_lossy().replace('\\', "/");
    for source in [
        here.as_str(),
        "C:/windows/win.ini",
        "C:src",
        r"src\sub",
        r"\\host\share\x",
        "src/a.txt:x",
    ] {
        let error = error(&folder, &format!("# escape=`\nFROM a\nCOPY {source} /x/"));
        assert!(error.contains("is not in the build context"), "{source}: {error}");
    }
    assert!(error(&folder, "# escape=`\nFROM a\nCOPY src\\sub /x/").contains("divided by `/`"));
}

#[test]
fn every_file_can_be_run_unless_it_has_a_mode_of_its_own() {
    let folder = folder(&["run.sh", "key.pem", "data/x"]);
    let image = Image::base("a:1")
        .add_local_file("run.sh", "/app/")
        .add_local_file(LocalFile::new("key.pem").chmod(0o600), "/app/")
        .add_local_dir("data", "/data");
    let plan = try_plan(folder.path(), &image).unwrap();
    let modes: Vec<_> = plan
        .members()
        .iter()
        .map(|member: &Member| (member.name(), member.mode()))
        .collect();
    assert_eq!(modes, [("data/x", 0o755), ("key.pem", 0o644), ("run.sh", 0o755)]);
}

#[test]
fn a_file_that_was_replaced_by_one_of_its_size_and_time_is_another() {
    let folder = folder(&["a"]);
    let path = folder.path().join("a");
    let look = || daytona_image::Fingerprint::of(&fs::File::open(&path).unwrap()).unwrap();
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let before = look();
    // The old one stays, so that its number is not used again.
    fs::rename(&path, folder.path().join("old")).unwrap();
    fs::write(&path, "b").unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(time)
        .unwrap();
    let after = look();
    assert_eq!((before.size(), before.modified()), (after.size(), after.modified()));
    assert_ne!(before, after);
}
