//! The tests as Windows programs, under wine.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use super::results::counted;
use super::toolchain::{Package, Toolchain};
use crate::tools;

pub(super) const TARGET: &str = "x86_64-pc-windows-gnu";

/// What is needed on top of a check.
pub(super) const PACKAGES: [Package; 2] = [
    Package {
        name: "gcc-mingw-w64-x86-64-posix",
        file: LINKER,
    },
    Package {
        name: "wine64",
        file: WINE,
    },
];

const LINKER: &str = "/usr/bin/x86_64-w64-mingw32-gcc-posix";
const WINE: &str = "/usr/lib/wine/wine64";

/// Tests that wine cannot do, by the beginnings of their names, with what it lacks.
const LIMITS: [(&str, &str); 1] = [("tls::", "chains of certificates are not verified as Windows does")];

/// Wine 8 lacks this library, from which the standard library takes random bytes.
const RANDOM: &str = r"#include <stddef.h>
unsigned char __stdcall SystemFunction036(void *buffer, unsigned long length);
__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *buffer, size_t length) {
    return SystemFunction036(buffer, (unsigned long)length);
}
";

/// Runs the tests of all crates but this one, whose tasks are of Linux.
pub(super) fn test(toolchain: &Toolchain, folder: &Path) -> io::Result<String> {
    let prefix = prepare(folder)?;
    // This makes programs of the examples, too, which tests start. A choice of targets would not.
    let mut build = cargo(toolchain, &prefix);
    tools::quiet(build.arg("--no-run"))?;
    let mut test = cargo(toolchain, &prefix);
    test.args(["--lib", "--bins", "--test", "it", "--no-fail-fast", "--"]);
    for (name, _) in LIMITS {
        test.args(["--skip", name]);
    }
    counted(&tools::quiet(&mut test)?)
}

/// A call that links tests as Windows wants them, and runs them under wine.
fn cargo(toolchain: &Toolchain, prefix: &Path) -> Command {
    let variable = TARGET.replace('-', "_");
    // Wine shows the root of this machine as drive Z.
    let workspace = toolchain.workspace.display().to_string().replace('/', r"\");
    let mut cargo = toolchain.cargo("test", TARGET);
    cargo
        .args(["--workspace", "--exclude", "xtask"])
        .env(format!("CC_{variable}"), LINKER)
        .env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), LINKER)
        .env(format!("CARGO_TARGET_{}_RUNNER", variable.to_uppercase()), WINE)
        .env("INSTA_WORKSPACE_ROOT", format!("Z:{workspace}"))
        .env("INSTA_UPDATE", "no")
        // What random schedules find does not depend on the platform.
        .env("DAYTONA_SCHEDULES", "100")
        .env("RUST_BACKTRACE", "0")
        .env("WINEPREFIX", prefix)
        .env("WINEDEBUG", "-all");
    cargo
}

/// A Windows 10 of our own, with the library that wine lacks.
fn prepare(folder: &Path) -> io::Result<std::path::PathBuf> {
    let prefix = folder.join("wine");
    let system = prefix.join("drive_c/windows/system32");
    if system.join("bcryptprimitives.dll").exists() {
        return Ok(prefix);
    }
    let wine = |arguments: &[&str]| {
        let mut wine = Command::new(WINE);
        wine.args(arguments).env("WINEPREFIX", &prefix).env("WINEDEBUG", "-all");
        tools::quiet(&mut wine)
    };
    wine(&["wineboot", "--init"])?;
    wine(&["winecfg", "-v", "win10"])?;
    let source = folder.join("random.c");
    fs::write(&source, RANDOM)?;
    let library = folder.join("bcryptprimitives.dll");
    let mut compile = Command::new(LINKER);
    compile
        .arg("-shared")
        .arg("-o")
        .args([&library, &source])
        .arg("-ladvapi32");
    tools::quiet(&mut compile)?;
    fs::copy(&library, system.join("bcryptprimitives.dll"))?;
    Ok(prefix)
}
