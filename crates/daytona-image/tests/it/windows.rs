//! What only Windows does: other dividers, disks that ignore case, files without an execute bit.

use std::fs;
use std::os::windows::fs::OpenOptionsExt;

use daytona_image::{DockerfileSource, Image, LocalFile, Member, PlanOptions};

use super::support::{error, folder, names, of_text, try_plan, write};

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
        r"\\host\share\data",
        "src/a.txt:x",
    ] {
        let error = error(&folder, &format!("# escape=`\nFROM a\nCOPY {source} /x/"));
        assert!(error.contains("is not in the build context"), "{source}: {error}");
    }
    assert!(error(&folder, "# escape=`\nFROM a\nCOPY src\\sub /x/").contains("divided by `/`"));
    assert!(error(&folder, "# escape=`\nFROM a\nCOPY \\\\host\\share\\x /x/").contains("invalid pattern"));
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

#[test]
fn a_requirements_file_names_others_as_the_builder_finds_them() {
    let folder = folder(&["r/sub/b.txt"]);
    write(folder.path(), "r/sub/b.txt", "numpy\n");
    for (value, part) in [
        (r"'sub\b.txt'", "divided by `/`"),
        (r"'\sub\b.txt'", "lies outside"),
        ("/sub/b.txt", "lies outside"),
        ("C:/windows/win.ini", "lies outside"),
        ("C:sub/b.txt", "lies outside"),
        (r"'\\host\share\b.txt'", "lies outside"),
        // Without quotes pip drops back slashes, on every system.
        (r"sub\b.txt", "`subb.txt` does not exist"),
        ("SUB/b.txt", "exists as `sub`"),
    ] {
        write(folder.path(), "r/all.txt", &format!("-r {value}\n"));
        let image = Image::base("a:1").pip_install_from_requirements("r/all.txt");
        let error = try_plan(folder.path(), &image).unwrap_err().to_string();
        assert!(error.contains(part), "{value}: {error}");
    }
    write(folder.path(), "r/all.txt", "-r sub/b.txt\n");
    let image = Image::base("a:1").pip_install_from_requirements("r/all.txt");
    assert_eq!(try_plan(folder.path(), &image).unwrap().members().len(), 2);
}

#[test]
fn a_file_that_another_program_has_open_is_named_and_why() {
    let folder = folder(&["Dockerfile", "requirements.txt", ".dockerignore", "a"]);
    let requirements = Image::base("a:1").pip_install_from_requirements("requirements.txt");
    for (file, image) in [
        ("Dockerfile", Image::from_dockerfile("Dockerfile")),
        ("requirements.txt", requirements),
        (".dockerignore", of_text("FROM a:1\nCOPY . /x")),
    ] {
        let path = folder.path().join(file);
        let held = fs::File::options().read(true).share_mode(0).open(path).unwrap();
        let error = try_plan(folder.path(), &image).unwrap_err().to_string();
        let said = format!("{file}` cannot be read, as another program has it open");
        assert!(error.contains(&said), "{error}");
        drop(held);
    }
}

#[test]
fn devices_are_no_files_of_the_context() {
    let folder = folder(&["app/main.py"]);
    for source in ["nul", "NUL", "app/con", "aux.txt", "COM1", "app/lpt1.log"] {
        let error = error(&folder, &format!("FROM a\nCOPY {source} /x/"));
        assert!(error.contains("is not in the build context"), "{source}: {error}");
    }
    let image = Image::base("a:1").add_local_file("NUL", "/x");
    assert!(try_plan(folder.path(), &image).is_err());
}

#[test]
fn files_below_a_long_path_are_planned() {
    let folder = folder(&["src/a"]);
    let mut deep = folder.path().join("src").canonicalize().unwrap();
    for _ in 0..10 {
        deep.push("a".repeat(40));
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "x").unwrap();
    let found = names(&folder, "FROM a\nCOPY src /x");
    assert_eq!(found.len(), 2);
    assert!(found[1].ends_with("a/file") && found[1].len() > 260, "{found:?}");
}

#[test]
fn no_path_of_this_machine_reaches_the_image() {
    let folder = folder(&["home/key", "src/a.txt", "other/sub/b.txt"]);
    let full = folder.path().join("src").join("a.txt");
    let literal = folder.path().join("other").canonicalize().unwrap();
    assert!(literal.to_string_lossy().starts_with(r"\\?\"), "{literal:?}");
    let image = Image::base("a:1")
        .add_local_file(&full, "/x/")
        .add_local_dir(&literal, "/y/")
        .add_local_file(r"~\key", "/z/")
        .add_local_file(r"src\a.txt", "/w/");
    let options = PlanOptions::default()
        .base_dir(folder.path())
        .home(folder.path().join("home"));
    let plan = image.plan_with(&options).unwrap();
    let names: Vec<_> = plan.members().iter().map(Member::name).collect();
    assert_eq!(
        names,
        [".ctx/2/a.txt", ".ctx/3/other/sub/b.txt", ".ctx/4/key", "src/a.txt"]
    );
    assert!(!plan.dockerfile().contains('\\'), "{}", plan.dockerfile());
}

#[test]
fn messages_show_paths_as_they_are_usually_written() {
    let folder = folder(&["src/a.txt"]);
    let root = folder.path().canonicalize().unwrap();
    let image = Image::base("a:1").add_local_file(root.join("none.txt"), "/x/");
    let error = try_plan(folder.path(), &image).unwrap_err().to_string();
    assert!(
        error.contains("none.txt` does not exist") && !error.contains(r"\\?\"),
        "{error}"
    );
}
