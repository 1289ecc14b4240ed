//! What several tasks need.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Installs Python packages, as they are newest, into an environment of their own. Returns the folder with its programs.
pub(crate) fn python_environment(folder: &Path, packages: &[&str]) -> io::Result<PathBuf> {
    let bin = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
    done(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    done(
        Command::new(bin.join("python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--upgrade",
            ])
            .args(packages),
    )?;
    Ok(bin)
}

/// The crates that are published, each after those that it needs, in tests too.
pub(crate) const PUBLISHED: [&str; 5] = [
    "daytona-api",
    "daytona-image",
    "daytona-emulator",
    "daytona-context",
    "daytona-sdk",
];

/// Takes the caller's own account out of a program's environment.
pub(crate) fn without_account(command: &mut Command) -> &mut Command {
    for name in [
        "API_KEY",
        "JWT_TOKEN",
        "ORGANIZATION_ID",
        "API_URL",
        "SERVER_URL",
        "TARGET",
    ] {
        command.env_remove(format!("DAYTONA_{name}"));
    }
    command
}

/// A server in a process of its own, on a port of the loopback address. Ends with the value.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts it, and waits until it answers. It has to be told its port: somebody else could take that in between, and then
    /// the server says so.
    pub(crate) fn start(command: impl FnOnce(SocketAddr) -> Command) -> io::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let process = command(address).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let server = Self { process, address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(io::Error::other(format!("nothing answers at {address}")));
            }
            std::thread::yield_now();
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The files that git knows, relative to the workspace.
pub(crate) fn tracked_files(workspace: &Path) -> io::Result<Vec<String>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(workspace)
        .args(["ls-files", "-z"])
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let there = names
        .split_terminator('\0')
        .filter(|name| workspace.join(name).is_file());
    Ok(there.map(ToOwned::to_owned).collect())
}

/// Runs a program to its end; what it says is shown.
pub(crate) fn done(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    let program = command.get_program().display().to_string();
    Err(io::Error::other(format!("{program} ended with {status}")))
}

/// Runs a program to its end; what it says is shown only where it fails. Returns what it printed.
pub(crate) fn quiet(command: &mut Command) -> io::Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let program = command.get_program().display().to_string();
    let arguments: Vec<_> = command
        .get_args()
        .map(|argument| argument.display().to_string())
        .collect();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let message = format!(
        "`{program} {}` ended with {}\n{printed}{said}",
        arguments.join(" "),
        output.status
    );
    Err(io::Error::other(message))
}

/// The crates in the tree of a package, itself among them, each as `name version`. `edges` are those of `cargo tree`.
pub(crate) fn crates_of(workspace: &Path, package: &str, edges: &str, more: &[&str]) -> io::Result<BTreeSet<String>> {
    let mut tree = Command::new("cargo");
    tree.args(["tree", "--quiet", "--locked", "--prefix", "none", "--edges", edges])
        .args(["--package", package])
        .args(more)
        .current_dir(workspace);
    let printed = quiet(&mut tree)?;
    // Behind these two stands a folder, or the mark of a repetition.
    let crates = printed.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some(format!("{} {}", words.next()?, words.next()?))
    });
    Ok(crates.collect())
}

/// A cargo that builds with this workspace's toolchain. Without that, a program that is called directly, not by `cargo xtask`,
/// would build other packages with what their own toolchain files say.
pub(crate) fn cargo(workspace: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    let file = fs::read_to_string(workspace.join("rust-toolchain.toml")).unwrap_or_default();
    let channel = file
        .parse::<toml::Table>()
        .ok()
        .and_then(|file| Some(file.get("toolchain")?.get("channel")?.as_str()?.to_owned()));
    if let Some(channel) = channel {
        cargo.env("RUSTUP_TOOLCHAIN", channel);
    }
    cargo
}

/// The packages of the workspace, as cargo tells of them.
pub(crate) fn packages(workspace: &Path) -> io::Result<Vec<serde_json::Value>> {
    let mut metadata = Command::new("cargo");
    metadata
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(workspace);
    let metadata: serde_json::Value = serde_json::from_str(&quiet(&mut metadata)?)?;
    Ok(metadata["packages"].as_array().cloned().unwrap_or_default())
}

/// Removes a folder if it is there.
pub(crate) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A tool of cargo's in exactly this version: the machine's, or one that is installed for this workspace alone.
pub(crate) fn cargo_tool(workspace: &Path, name: &str, version: &str) -> io::Result<PathBuf> {
    let present = Command::new(name).arg("--version").stdin(Stdio::null()).output();
    let is_present = present.is_ok_and(|output| {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.split_whitespace().any(|word| word == version)
    });
    if is_present {
        return Ok(PathBuf::from(name));
    }
    let root = workspace.join("target/tools").join(format!("{name}-{version}"));
    let program = root
        .join("bin")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    if !program.exists() {
        say(&format!("installing {name} {version}"));
        let mut install = Command::new("cargo");
        install
            .args([
                "install",
                name,
                "--locked",
                "--debug",
                "--quiet",
                "--version",
                version,
                "--root",
            ])
            .arg(&root);
        // Not with the toolchain and the settings of this workspace.
        quiet(install.current_dir(std::env::temp_dir()))?;
    }
    Ok(program)
}

/// Prints a line. Who reads no further, as `head` does, ends nothing.
pub(crate) fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}
