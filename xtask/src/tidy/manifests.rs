//! Rules for the manifests: what each crate may depend on, and what a published crate says of itself.

use std::collections::BTreeSet;
use std::path::Path;

use toml::Value;

use super::{Error, Findings, parse, read};

/// What each crate may depend on of the others, and what its tests may.
const ARROWS: [(&str, &[&str], &[&str]); 7] = [
    ("daytona-api", &[], &[]),
    ("daytona-image", &[], &[]),
    ("daytona-context", &["daytona-image"], &["daytona-emulator"]),
    ("daytona-emulator", &["daytona-api"], &[]),
    (
        "daytona-sdk",
        &["daytona-api", "daytona-context", "daytona-image"],
        &["daytona-emulator"],
    ),
    ("daytona-examples", &["daytona-emulator", "daytona-sdk"], &[]),
    ("xtask", &[], &[]),
];

/// What a published crate says of itself.
const PUBLISHED: [&str; 7] = [
    "description",
    "readme",
    "license",
    "repository",
    "keywords",
    "categories",
    "rust-version",
];

/// This file.
const HERE: &str = "xtask/src/tidy/manifests.rs";

impl Findings {
    /// Looks at all manifests among the files.
    pub(super) fn manifests(&mut self, workspace: &Path, files: &[String]) -> Result<(), Error> {
        let mut known = BTreeSet::new();
        let manifests = files.iter().filter(|name| name.ends_with("Cargo.toml"));
        for name in
            manifests.filter(|name| *name != "Cargo.toml" && !name.contains("/fuzz/") && !name.contains("/projects/"))
        {
            let manifest: Value = parse(&workspace.join(name))?;
            let package = &manifest["package"];
            let crate_name = package["name"].as_str().unwrap_or_default().to_owned();
            match ARROWS.iter().find(|(known, ..)| *known == crate_name) {
                Some((_, normal, tests)) => {
                    self.arrows(name, &manifest, "dependencies", normal);
                    self.arrows(name, &manifest, "build-dependencies", &[]);
                    let tests: Vec<&str> = normal.iter().chain(*tests).copied().collect();
                    self.arrows(name, &manifest, "dev-dependencies", &tests);
                }
                None => self.tell(name, 0, &format!("is a crate whose arrows {HERE} does not know")),
            }
            if manifest.get("lints").is_none() {
                self.tell(name, 0, "does not take on the lints of the workspace");
            }
            if package.get("publish").and_then(Value::as_bool) != Some(false) {
                for field in PUBLISHED {
                    if package.get(field).is_none() {
                        self.tell(name, 0, &format!("is published without `{field}`"));
                    }
                }
                let root = name.replace("Cargo.toml", "src/lib.rs");
                if !read(&workspace.join(&root))?.starts_with("#![doc = include_str!(\"../README.md\")]") {
                    self.tell(&root, 1, "the README is the crate's documentation");
                }
            }
            known.insert(crate_name);
        }
        for (name, ..) in ARROWS.iter().filter(|(name, ..)| !known.contains(*name)) {
            self.tell(HERE, 0, &format!("knows `{name}`, which is not there"));
        }
        Ok(())
    }

    fn arrows(&mut self, file: &str, manifest: &Value, table: &str, allowed: &[&str]) {
        let dependencies = manifest.get(table).and_then(Value::as_table).into_iter().flatten();
        for (name, _) in dependencies.filter(|(name, _)| name.starts_with("daytona-")) {
            if !allowed.contains(&name.as_str()) {
                self.tell(file, 0, &format!("`{name}` in [{table}] is an arrow the wrong way"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_the_wrong_way_is_found() {
        let manifest: Value = toml::from_str("[dependencies]\ndaytona-sdk = \"1\"\ndaytona-api = \"1\"\n").unwrap();
        let mut findings = Findings::default();
        findings.arrows("Cargo.toml", &manifest, "dependencies", &["daytona-api"]);
        assert_eq!(findings.0.len(), 1);
        assert!(findings.0[0].contains("daytona-sdk"));
    }
}
