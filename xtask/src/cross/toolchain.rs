//! Debian's rustc, which builds the standard library of a target from its source.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{self, say};

/// A package of Debian, and a file by which one knows that it is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Package {
    pub(super) name: &'static str,
    pub(super) file: &'static str,
}

/// What a check needs.
pub(super) const PACKAGES: [Package; 3] = [
    Package {
        name: "rustc-web",
        file: "/usr/bin/rustc",
    },
    Package {
        name: "cargo-web",
        file: "/usr/bin/cargo",
    },
    Package {
        name: "rust-web-src",
        file: "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
    },
];

/// Installs what is not there, where apt may. Returns what is missing still.
pub(super) fn install<'a>(packages: impl Iterator<Item = &'a Package>) -> Vec<&'static str> {
    let mut missing: Vec<&Package> = packages.filter(|package| !Path::new(package.file).exists()).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    say(&format!("installing {}", names.join(", ")));
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        tools::quiet(&mut apt)
    };
    let installed = apt(&["update", "-qq"]).and_then(|_| {
        let all = [
            &["install", "--yes", "-qq", "--no-install-recommends"],
            names.as_slice(),
        ]
        .concat();
        apt(&all)
    });
    if let Err(error) = installed {
        say(&format!("apt cannot install them: {error}"));
    }
    missing.retain(|package| !Path::new(package.file).exists());
    missing.iter().map(|package| package.name).collect()
}

/// The compiler, and the stand-ins for those of C.
pub(super) struct Toolchain {
    pub(super) workspace: PathBuf,
    target_dir: PathBuf,
    compiler: PathBuf,
    archiver: PathBuf,
}

/// Nothing is linked in a check, so what is compiled from C has to be there, and nothing more.
const COMPILER: &str = r#"#!/bin/sh
is_output=
for argument do
    if [ -n "$is_output" ]; then : > "$argument"; is_output=; fi
    case "$argument" in
        -o) is_output=yes ;;
        -Fo* | /Fo*) : > "${argument#?Fo}" ;;
    esac
done
"#;

const ARCHIVER: &str = r#"#!/bin/sh
for argument do
    case "$argument" in
        -out:* | /out:* | -OUT:* | /OUT:*) : > "${argument#?????}" ;;
        *.a) : > "$argument" ;;
    esac
done
"#;

impl Toolchain {
    pub(super) fn new(workspace: &Path, folder: &Path) -> io::Result<Self> {
        let scripts = folder.join("stand-ins");
        fs::create_dir_all(&scripts)?;
        Ok(Self {
            workspace: workspace.to_owned(),
            target_dir: folder.to_owned(),
            compiler: script(&scripts.join("cc"), COMPILER)?,
            archiver: script(&scripts.join("ar"), ARCHIVER)?,
        })
    }

    /// Checks all targets of all packages; a warning of ours is an error.
    pub(super) fn check(&self, target: &str) -> io::Result<String> {
        let variable = target.replace('-', "_");
        let mut check = self.cargo("check", target);
        check
            .args(["--workspace", "--all-targets"])
            .env(format!("CC_{variable}"), &self.compiler)
            .env(format!("CXX_{variable}"), &self.compiler)
            .env(format!("AR_{variable}"), &self.archiver)
            // What looks for the SDK of Apple finds a folder, and for an assembler what the crate brings along.
            .env("SDKROOT", &self.target_dir)
            .env("AWS_LC_SYS_PREBUILT_NASM", "1");
        let output = check.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        // Of dependencies and of the standard library cargo shows none.
        let is_warning = |line: &str| line.starts_with("warning:") || line.starts_with("warning[");
        if !output.status.success() || said.lines().any(is_warning) {
            return Err(io::Error::other(said.into_owned()));
        }
        Ok("no warning".to_owned())
    }

    /// A call of Debian's cargo. It does not read `rust-toolchain.toml`.
    pub(super) fn cargo(&self, task: &str, target: &str) -> Command {
        let mut cargo = Command::new("/usr/bin/cargo");
        cargo
            .args([task, "-Zbuild-std", "--quiet"])
            .args(["--target", target])
            .current_dir(&self.workspace)
            .env("RUSTC", "/usr/bin/rustc")
            .env("RUSTDOC", "/usr/bin/rustdoc")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TARGET_DIR", &self.target_dir)
            .env_remove("RUSTFLAGS");
        tools::without_account(&mut cargo);
        cargo
    }
}

fn script(path: &Path, text: &str) -> io::Result<PathBuf> {
    fs::write(path, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(path.to_owned())
}
