//! The text of every method, as a snapshot.

use std::fs;

use daytona_image::{
    AptInstall, Command, DockerfileCommands, DockerfileSource, Image, Links, LocalDir, PipInstall, PlanOptions,
    Pyproject, PythonVersion, Requirements, UvPipInstall,
};

/// Makes a folder with what the methods need, and shows what is planned.
fn planned(image: &Image) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("app/main.py", "print()"),
        ("app/cache/x", ""),
        ("conf.ini", ""),
        ("requirements.txt", "a"),
        (
            "pyproject.toml",
            "[project]\ndependencies = [\"b>=1\", \"a\"]\n[project.optional-dependencies]\ndev = [\"c\"]\n",
        ),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let plan = image
        .plan_with(&PlanOptions::default().base_dir(folder.path()).home(folder.path()))
        .unwrap();
    let members: Vec<String> = plan
        .members()
        .iter()
        // Where files do not tell, all may be executed.
        .map(|member| {
            format!(
                "{:o} {}",
                if cfg!(windows) { 0o644 } else { member.mode() },
                member.name()
            )
        })
        .collect();
    let warnings: Vec<&str> = plan.warnings().iter().map(|warning| warning.message.as_str()).collect();
    format!(
        "{}---\nmembers {members:#?}\nentrypoint {:?}\nwarnings {warnings:#?}",
        plan.dockerfile(),
        plan.entrypoint()
    )
}

/// A snapshot of each method: what it writes, what it sends, what it warns of.
#[test]
fn each_method() {
    let base = || Image::base("alpine:3.20");
    let all_options = PipInstall::new(["b", "a"])
        .find_links("https://f")
        .index_url("https://i")
        .extra_index_url("https://e")
        .pre()
        .extra_options("-q");
    for (name, image) in [
        ("base", base()),
        ("debian_slim", Image::debian_slim(PythonVersion::default())),
        ("apt_install", base().apt_install(["git", "curl"])),
        (
            "apt_install_recommends",
            base().apt_install(AptInstall::new(["ffmpeg"]).recommends()),
        ),
        ("pip_install", base().pip_install("one")),
        ("pip_install_options", base().pip_install(all_options)),
        (
            "uv_pip_install",
            base().uv_pip_install(UvPipInstall::new(["b>=2", "a"]).index_url("https://i").pre()),
        ),
        (
            "pip_install_from_requirements",
            base().pip_install_from_requirements(Requirements::new("requirements.txt").index_url("https://i")),
        ),
        (
            "pip_install_from_pyproject",
            base().pip_install_from_pyproject(Pyproject::new("pyproject.toml").optional(["dev"]).pre()),
        ),
        ("add_local_file", base().add_local_file("conf.ini", "/etc/")),
        (
            "add_local_dir",
            base().add_local_dir(LocalDir::new("app").ignore(["cache"]).links(Links::Skip), "/app"),
        ),
        (
            "run_commands_shell",
            base().run_commands(["make && \\\n  make install"]),
        ),
        (
            "run_commands_exec",
            base().run_commands([Command::exec(["echo", "a b"])]),
        ),
        ("env", base().env([("A", "1"), ("B", "two words")])),
        ("arg", base().arg("VERSION", "1.0")),
        ("label", base().label([("org.example.name", "a b")])),
        ("user", base().user("app")),
        ("expose", base().expose(8080)),
        ("shell", base().shell(["/bin/bash", "-c"])),
        ("copy_from", base().copy_from("alpine:3.20", "/etc/os-release", "/x")),
        (
            "dockerfile_commands",
            base().dockerfile_commands(["# as it is", "VOLUME /data"]),
        ),
        (
            "dockerfile_commands_context",
            base().dockerfile_commands(DockerfileCommands::new(["COPY conf.ini /y"]).context_dir(".")),
        ),
        (
            "from_dockerfile",
            Image::from_dockerfile(DockerfileSource::text("FROM alpine:3.20\nCOPY conf.ini /z\n").context_dir(".")),
        ),
        ("workdir", base().workdir("/app")),
        ("entrypoint", base().entrypoint(["python", "main.py"])),
        ("cmd", base().cmd(["--serve"])),
    ] {
        insta::assert_snapshot!(name, planned(&image));
    }
}

#[test]
fn the_rest_of_the_builder_renders_as_documented() {
    let image = Image::base("x:1")
        .apt_install(["git", "curl"])
        .uv_pip_install(["b", "a"])
        .arg("V", "1 2")
        .user("app:app")
        .label([("org.example.a", "b c")])
        .expose(8080)
        .expose("53/udp")
        .shell(["/bin/bash", "-c"])
        .copy_from("alpine:3.20", "/etc/x y", "/z");
    assert_eq!(
        image.plan().unwrap().dockerfile(),
        "FROM x:1\n\
         RUN apt-get update && apt-get install -y --no-install-recommends curl git && rm -rf /var/lib/apt/lists/*\n\
         RUN python -m pip install uv && python -m uv pip install --system a b\n\
         ARG V='1 2'\nUSER app:app\nLABEL org.example.a='b c'\nEXPOSE 8080\nEXPOSE 53/udp\n\
         SHELL [\"/bin/bash\", \"-c\"]\nCOPY --from=alpine:3.20 [\"/etc/x y\", \"/z\"]\n"
    );
    for broken in [
        Image::base("x:1").expose("http"),
        Image::base("x:1").expose(0),
        Image::base("x:1").shell(Vec::<String>::new()),
        Image::base("x:1").user(""),
        Image::base("x:1").arg("A B", "1"),
        Image::base("x\\"),
        Image::base("x:1").run_commands(["a \\"]),
        Image::base("x:1").run_commands(["<<EOF\nopen"]),
    ] {
        assert_eq!(broken.plan().unwrap_err().problems().len(), 1, "{broken:?}");
    }
    let heredoc = Image::base("x:1").run_commands(["<<EOF\nCOPY a b\nEOF"]);
    assert_eq!(
        heredoc.plan().unwrap().dockerfile(),
        "FROM x:1\nRUN <<EOF\nCOPY a b\nEOF\n"
    );
}
