//! What the official Python SDK makes of the same calls: the same text and files, or a better result that is named here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use daytona_image::{ImagePlan, PlanError, PlanOptions};
use serde_json::Value;

use crate::support::base64;
use calls::image;

mod calls;

/// What we make of a vector where it is not what the official SDK makes of it. `PARITY.md` has the reasons.
enum Ours {
    /// This text; the files are compared all the same if the official result has any that arrive.
    Text(&'static str),
    /// An error with this in its message.
    Error(&'static str),
    /// The same text, other names in the archive.
    Names(&'static [&'static str]),
    /// Cannot be written in Rust.
    NotExpressible,
}

use Ours::{Error, Names, NotExpressible, Text};

const DIFFERENCES: &[(&str, Ours)] = &[
    // Values that would become instructions, or that no build takes.
    ("base_empty", Error("the image is empty")),
    ("base_newline_injection", Error("line feed")),
    ("debian_slim_micro_newline", Error("is not a Python version")),
    ("env_newline", Error("line feed")),
    ("env_key_empty", Error("not a name for an environment variable")),
    ("run_list_empty", Error("the command is empty")),
    // A fixed default instead of the interpreter's version.
    (
        "debian_slim_default",
        Text(
            "FROM python:3.13.3-slim-bookworm\nRUN apt-get update\nRUN apt-get install -y gcc gfortran build-essential\nRUN pip install --upgrade pip\nRUN echo 'debconf debconf/frontend select Noninteractive' | debconf-set-selections\n",
        ),
    ),
    // Better text.
    (
        "pip_extra_options_blank",
        Text("FROM python:3.12-slim\nRUN python -m pip install a\n"),
    ),
    (
        "req_space_in_path",
        Text(
            "FROM python:3.12-slim\nCOPY [\"my reqs.txt\", \"/.requirements.txt\"]\nRUN python -m pip install -r /.requirements.txt\n",
        ),
    ),
    (
        "file_dollar",
        Text("FROM python:3.12-slim\nCOPY [\"a\\\\$b.txt\", \"/x\"]\n"),
    ),
    (
        "file_quote_in_name",
        Text("FROM python:3.12-slim\nCOPY [\"a\\\\\\\"b.txt\", \"/x\"]\n"),
    ),
    (
        "run_list_simple",
        Text("FROM python:3.12-slim\nRUN [\"echo\", \"hi\"]\n"),
    ),
    (
        "run_list_dollar",
        Text("FROM python:3.12-slim\nRUN [\"echo\", \"$HOME\", \"`id`\"]\n"),
    ),
    (
        "run_list_backslash",
        Text("FROM python:3.12-slim\nRUN [\"printf\", \"a\\\\nb\", \"x\\\\\\\\y\"]\n"),
    ),
    (
        "run_list_trailing_backslash",
        Text("FROM python:3.12-slim\nRUN [\"echo\", \"a\\\\\"]\n"),
    ),
    (
        "entrypoint_newline",
        Text("FROM python:3.12-slim\nENTRYPOINT [\"sh\", \"-c\", \"a\\nb\"]\n"),
    ),
    ("cmd_quote", Text("FROM python:3.12-slim\nCMD [\"a\\\"b\"]\n")),
    ("fd_no_trailing_newline", Text("FROM alpine:3.20\nCMD sh\nRUN echo x\n")),
    ("fd_bom", Text("FROM alpine:3.20\n")),
    ("fd_empty", Error("needs an instruction")),
    // Paths of this machine, and paths that leave the folder.
    (
        "req_absolute",
        Text(
            "FROM python:3.12-slim\nCOPY .ctx/2/requirements.txt /.requirements.txt\nRUN python -m pip install -r /.requirements.txt\n",
        ),
    ),
    (
        "req_tilde",
        Text(
            "FROM python:3.12-slim\nCOPY .ctx/2/requirements.txt /.requirements.txt\nRUN python -m pip install -r /.requirements.txt\n",
        ),
    ),
    (
        "file_tilde_trailing_slash",
        Text("FROM python:3.12-slim\nCOPY [\".ctx/2/cfg.ini\", \"/etc/cfg.ini\"]\n"),
    ),
    (
        "dir_tilde",
        Text("FROM python:3.12-slim\nCOPY [\".ctx/2/proj\", \"/app\"]\n"),
    ),
    (
        "file_parent",
        Text("FROM python:3.12-slim\nCOPY [\".ctx/2/app.py\", \"/x\"]\n"),
    ),
    ("dir_empty", Error("contains no file")),
    // Lines that no build takes.
    ("dc_copy_quoted", Error("is split at spaces")),
    ("dc_copy_json_one_element", Error("needs a source and a target")),
    ("dc_copy_single_arg", Error("needs a source and a target")),
    ("dc_copy_unbalanced_quote", Error("is split at spaces")),
    // Nothing would be installed, without a word.
    ("pyproject_optional_no_section", Error("no group `dev`")),
    // Sources of the caller's own lines: confined to the context, found before anything is sent.
    ("dc_context_dir_prefix_clash", Names(&["src/app.py"])),
    ("dc_copy_dot", Names(&["a.txt"])),
    ("dc_copy_variable", Names(&["app.py"])),
    ("dc_copy_from_anywhere", Names(&["app.py"])),
    ("dc_copy_heredoc_body", Names(&[])),
    ("dc_copy_absolute", Error("is not in the build context")),
    ("dc_copy_absolute_with_ctx", Error("is not in the build context")),
    ("dc_run_mount", Names(&["app.py"])),
    ("dc_strict_no_dir", NotExpressible),
    ("dc_strict_absolute", Error("is not in the build context")),
    ("dc_strict_symlink_out", Error("leads out of the named directory")),
    ("dc_strict_symlink_nested", Names(&["a.txt"])),
    ("fd_prefix_clash", Names(&["docker/a.txt"])),
    ("fd_escape_directive", Names(&["a.txt"])),
    (
        "fd_windows_style_source",
        Error("`suba.txt` is not in the build context"),
    ),
    // What the types rule out.
    ("pip_non_string", NotExpressible),
    ("pip_nested_list", NotExpressible),
    ("run_tuple", NotExpressible),
    ("env_non_string", NotExpressible),
    ("entrypoint_string", NotExpressible),
];

#[test]
fn the_official_results_are_met_or_bettered() {
    let file: Value = serde_json::from_str(include_str!("../fixtures/image.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    let (mut same, mut different, mut failures) = (0, Vec::new(), Vec::new());
    for vector in vectors {
        let name = vector["name"].as_str().unwrap();
        let difference = DIFFERENCES
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, ours)| ours);
        match check(vector, difference) {
            Ok(()) if difference.is_some() => different.push(name),
            Ok(()) => same += 1,
            Err(problem) => failures.push(format!("{name}: {problem}")),
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        vectors.len(),
        failures.join("\n")
    );
    let marked: Vec<&str> = vectors
        .iter()
        .filter(|vector| vector.get("official_bug").is_some())
        .filter_map(|vector| vector["name"].as_str())
        .collect();
    let unmended: Vec<_> = marked
        .iter()
        .filter(|name| !different.contains(name) && !MENDED_ALIKE.contains(name))
        .collect();
    assert!(
        unmended.is_empty(),
        "marked as a bug, and the same with us: {unmended:?}"
    );
    assert_eq!(same + different.len(), vectors.len());
    let parity = include_str!("../../PARITY.md");
    for (name, _) in DIFFERENCES {
        assert!(
            !different.contains(name) || parity.contains(&format!("`{name}`")),
            "{name} is not in PARITY.md"
        );
    }
}

/// Marked as bugs for what arrives, not for the text: links are sent as their content.
const MENDED_ALIKE: &[&str] = &["file_symlink", "dir_symlink"];

fn check(vector: &Value, difference: Option<&Ours>) -> Result<(), String> {
    if matches!(difference, Some(NotExpressible)) {
        return Ok(());
    }
    // What Windows cannot have on its disk, or not without privileges.
    let mut names = vector["files"].as_object().unwrap().keys();
    let has_links = !vector["symlinks"].as_object().unwrap().is_empty();
    if cfg!(windows) && (has_links || names.any(|name| name.contains(['*', '?', '"', '\\']))) {
        return Ok(());
    }
    let parent = tempfile::tempdir().unwrap();
    let (folder, home) = (parent.path().join("w"), parent.path().join("home"));
    fs::create_dir(&folder).unwrap();
    fs::create_dir(&home).unwrap();
    lay_out(vector, &folder, &home);
    let fill = |text: &str| {
        let (cwd, home) = (folder.to_str().unwrap(), home.to_str().unwrap());
        let text = text
            .replace("{CWD_NOSLASH}", &cwd[1..])
            .replace("{HOME_NOSLASH}", &home[1..]);
        text.replace("{CWD}", cwd).replace("{HOME}", home)
    };
    let options = PlanOptions::default().base_dir(&folder).home(&home);
    let outcome = image(vector, &fill).plan_with(&options);
    match (difference, vector["error"].is_null()) {
        (Some(Error(part)), _) => expect_error(&outcome, part),
        (None, false) => {
            let name = vector["name"].as_str().unwrap();
            outcome.err().map(|_| ()).ok_or_else(|| format!("{name} should fail"))
        }
        (difference, _) => {
            let plan = outcome.map_err(|error| error.to_string())?;
            let text = match difference {
                Some(Text(text)) => (*text).to_owned(),
                _ => fill(vector["dockerfile"].as_str().unwrap()),
            };
            if plan.dockerfile() != text {
                return Err(format!("\n  ours   {:?}\n  theirs {text:?}", plan.dockerfile()));
            }
            files(vector, difference, &plan, &fill, &folder)
        }
    }
}

fn expect_error(outcome: &Result<ImagePlan, PlanError>, part: &str) -> Result<(), String> {
    match outcome {
        Ok(plan) => Err(format!("should fail, gave {:?}", plan.dockerfile())),
        Err(error) if error.to_string().contains(part) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The files that are sent: each under its name, with the content of the file that the official SDK would send.
fn files(
    vector: &Value,
    difference: Option<&Ours>,
    plan: &ImagePlan,
    fill: &dyn Fn(&str) -> String,
    folder: &Path,
) -> Result<(), String> {
    let ours: BTreeMap<&str, PathBuf> = plan
        .members()
        .iter()
        .map(|member| (member.name(), member.source().to_owned()))
        .collect();
    if let Some(Names(names)) = difference {
        let found: Vec<&str> = ours.keys().copied().collect();
        return if found == *names {
            Ok(())
        } else {
            Err(format!("files {found:?}, not {names:?}"))
        };
    }
    let contexts = vector["contexts"].as_array().unwrap();
    for context in contexts {
        let source = folder.join(fill(context["source_path"].as_str().unwrap()));
        let name = context["archive_path"]
            .as_str()
            .unwrap()
            .trim_start_matches("./")
            .trim_start_matches('/');
        let source = fs::canonicalize(source).map_err(|error| error.to_string())?;
        let is_sent = ours.iter().any(|(ours, path)| {
            let is_neutral = ours.starts_with(".ctx/");
            path.starts_with(&source) && (is_neutral || *ours == name || ours.starts_with(&format!("{name}/")))
        });
        if !is_sent {
            return Err(format!("{name} is not sent: {ours:?}"));
        }
    }
    if contexts.is_empty() && !ours.is_empty() {
        return Err(format!("nothing should be sent: {ours:?}"));
    }
    Ok(())
}

fn lay_out(vector: &Value, folder: &Path, home: &Path) {
    let at = |name: &str| match name.strip_prefix("{HOME}/") {
        Some(rest) => home.join(rest),
        None => folder.join(name),
    };
    for (name, content) in vector["files"].as_object().unwrap() {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(
            at(name),
            content.as_str().map_or_else(
                || base64(content["base64"].as_str().unwrap()),
                |text| text.as_bytes().to_vec(),
            ),
        )
        .unwrap();
    }
    for name in vector["dirs"].as_array().unwrap() {
        fs::create_dir_all(at(name.as_str().unwrap())).unwrap();
    }
    #[cfg(unix)]
    for (name, target) in vector["symlinks"].as_object().unwrap() {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target.as_str().unwrap(), at(name)).unwrap();
    }
}
