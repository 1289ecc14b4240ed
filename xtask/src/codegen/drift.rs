//! `cargo xtask codegen drift`: how our contract differs from an official one.
//!
//! Operations are matched by method and path, and what they take and answer by structure: names of schemas and texts do not
//! count. Two of our conventions are no differences: every number is one kind of number, and of an answer only what we
//! require has to be required upstream too. Headers are the client's affair.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::contract::CONTRACT;
use crate::tools::say;

#[cfg(test)]
mod tests;

/// Differences that were made on purpose, with their reasons.
const ALLOWED: &str = "crates/daytona-api/drift.toml";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// An official OpenAPI document, JSON or YAML. Can be given several times.
    #[arg(long, required = true)]
    pub(super) upstream: Vec<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is not an OpenAPI document: {source}")]
    Document { path: PathBuf, source: serde_norway::Error },
    #[error("{ALLOWED}: {0}")]
    Allowed(#[from] toml::de::Error),
    #[error("{count} differences that {ALLOWED} does not give a reason for:\n{list}")]
    Drift { count: usize, list: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowFile {
    #[serde(default)]
    difference: Vec<Allowed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    what: String,
    reason: String,
}

pub(crate) fn run(arguments: &Arguments, workspace: &Path) -> Result<(), Error> {
    let ours = document(&workspace.join(CONTRACT))?;
    let path = workspace.join(ALLOWED);
    let text = fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
    let allowed: AllowFile = toml::from_str(&text)?;
    let mut used = BTreeSet::new();
    let mut unexplained = Vec::new();
    for path in &arguments.upstream {
        let found = differences(&ours, &document(path)?);
        say(&format!("{}: {} differences", path.display(), found.len()));
        for what in found {
            match allowed.difference.iter().find(|allowed| allowed.what == what) {
                Some(allowed) => {
                    say(&format!("  {what} ({})", allowed.reason));
                    used.insert(what);
                }
                None => unexplained.push(format!("  {what}, in {}", path.display())),
            }
        }
    }
    if !unexplained.is_empty() {
        let (count, list) = (unexplained.len(), unexplained.join("\n"));
        return Err(Error::Drift { count, list });
    }
    // A reason may be for another version than those that were given.
    for allowed in allowed
        .difference
        .iter()
        .filter(|allowed| !used.contains(&allowed.what))
    {
        say(&format!("not among these: {} ({})", allowed.what, allowed.reason));
    }
    Ok(())
}

fn document(path: &Path) -> Result<Value, Error> {
    let at = || path.to_owned();
    let text = fs::read_to_string(path).map_err(|source| Error::File { path: at(), source })?;
    // JSON is YAML too.
    serde_norway::from_str(&text).map_err(|source| Error::Document { path: at(), source })
}

/// All differences, in the order of our contract, then of the other.
fn differences(ours: &Value, theirs: &Value) -> Vec<String> {
    let mut comparison = Comparison {
        ours,
        theirs,
        seen: BTreeSet::new(),
        found: Vec::new(),
    };
    let (mine, other) = (operations(ours), operations(theirs));
    for (name, operation) in &mine {
        match other.get(name) {
            Some(counterpart) => comparison.operation(name, operation, counterpart),
            None => comparison.found.push(format!("operation {name} is not upstream")),
        }
    }
    for name in other.keys().filter(|name| !mine.contains_key(*name)) {
        comparison.found.push(format!("operation {name} is not in ours"));
    }
    comparison.found
}

/// Operations by method and path, without the base and the names of parameters in it.
fn operations(document: &Value) -> BTreeMap<String, Value> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let base = path.strip_prefix("/api").filter(|rest| rest.starts_with('/'));
        let segments = base.unwrap_or(path).split('/');
        let path: Vec<_> = segments
            .map(|segment| if segment.starts_with('{') { "{}" } else { segment })
            .collect();
        for method in ["get", "put", "post", "delete", "patch"] {
            let Some(operation) = item.get(method) else { continue };
            let mut operation = Value::Object(operation.as_object().cloned().unwrap_or_default());
            // Those of the path are the operation's too.
            let lists = [&item["parameters"], &operation["parameters"]];
            let parameters = lists.into_iter().filter_map(Value::as_array).flatten().cloned();
            operation["parameters"] = parameters.collect();
            operations.insert(format!("{} {}", method.to_uppercase(), path.join("/")), operation);
        }
    }
    operations
}

/// Which way something travels: we may send less than is taken, and require less than is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Answer,
}

struct Comparison<'a> {
    ours: &'a Value,
    theirs: &'a Value,
    /// Schemas of ours that were compared.
    seen: BTreeSet<String>,
    found: Vec<String>,
}

impl Comparison<'_> {
    fn operation(&mut self, name: &str, ours: &Value, theirs: &Value) {
        let (mine, other) = (parameters(ours), parameters(theirs));
        for (parameter, schema) in &mine {
            match other.get(parameter) {
                Some(counterpart) => {
                    self.schema(
                        &format!("{name}: parameter {parameter}"),
                        schema,
                        counterpart,
                        Way::Request,
                    );
                }
                None => self
                    .found
                    .push(format!("{name}: parameter {parameter} is not upstream")),
            }
        }
        for parameter in other.keys().filter(|parameter| !mine.contains_key(*parameter)) {
            self.found.push(format!("{name}: parameter {parameter} is not in ours"));
        }
        let body = |operation: &Value| json_schema(&operation["requestBody"]);
        self.either(&format!("{name}: body"), body(ours), body(theirs), Way::Request);
        self.either(&format!("{name}: answer"), answer(ours), answer(theirs), Way::Answer);
    }

    fn either(&mut self, place: &str, ours: Option<Value>, theirs: Option<Value>, way: Way) {
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => self.schema(place, &ours, &theirs, way),
            (Some(_), None) => self.found.push(format!("{place} is not upstream")),
            (None, Some(_)) => self.found.push(format!("{place} is not in ours")),
            (None, None) => {}
        }
    }

    fn schema(&mut self, place: &str, ours: &Value, theirs: &Value, way: Way) {
        let (mine, other) = (resolve(self.ours, ours), resolve(self.theirs, theirs));
        for (resolved, side) in [(&mine, "in ours"), (&other, "upstream")] {
            if let Err(Circle(name)) = resolved {
                self.found.push(format!("{name} refers to itself {side}"));
            }
        }
        let (Ok((name, ours)), Ok((_, theirs))) = (mine, other) else {
            return;
        };
        let place = name.clone().unwrap_or_else(|| place.to_owned());
        if name.is_some_and(|name| !self.seen.insert(name)) {
            return;
        }
        let (mine, other) = (kind(&ours), kind(&theirs));
        if mine != other {
            self.found.push(format!("{place} is {mine} in ours, {other} upstream"));
            return;
        }
        match mine {
            "a list" => self.schema(&format!("{place}[]"), &ours["items"], &theirs["items"], way),
            "an object" => self.object(&place, &ours, &theirs, way),
            "one of some texts" => {
                let (mine, other) = (texts(&ours["enum"]), texts(&theirs["enum"]));
                for value in other.difference(&mine) {
                    self.found.push(format!("{place}: value `{value}` is not in ours"));
                }
                for value in mine.difference(&other) {
                    self.found.push(format!("{place}: value `{value}` is not upstream"));
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, place: &str, ours: &Value, theirs: &Value, way: Way) {
        let fields = |schema: &Value| schema["properties"].as_object().cloned().unwrap_or_default();
        let (mine, other) = (fields(ours), fields(theirs));
        for (field, schema) in &mine {
            match other.get(field) {
                Some(counterpart) => self.schema(&format!("{place}.{field}"), schema, counterpart, way),
                None => self.found.push(format!("{place}.{field} is not upstream")),
            }
        }
        for field in other.keys().filter(|field| !mine.contains_key(*field)) {
            self.found.push(format!("{place}.{field} is not in ours"));
        }
        let (mine, other) = (texts(&ours["required"]), texts(&theirs["required"]));
        for field in mine.difference(&other) {
            self.found
                .push(format!("{place}.{field} is required in ours, not upstream"));
        }
        if way == Way::Request {
            for field in other.difference(&mine) {
                self.found
                    .push(format!("{place}.{field} is required upstream, not in ours"));
            }
        }
    }
}

/// Parameters of path and query by name; those of the path all have the same.
fn parameters(operation: &Value) -> BTreeMap<String, Value> {
    let list = operation["parameters"].as_array().into_iter().flatten();
    let parameters = list.filter(|parameter| parameter["in"] != "header").map(|parameter| {
        let name = if parameter["in"] == "path" {
            "{}"
        } else {
            parameter["name"].as_str().unwrap_or_default()
        };
        (name.to_owned(), parameter["schema"].clone())
    });
    parameters.collect()
}

/// The schema of a successful answer.
fn answer(operation: &Value) -> Option<Value> {
    let responses = operation["responses"].as_object()?;
    let success = responses.iter().find(|(status, _)| status.starts_with('2'))?;
    json_schema(success.1)
}

fn json_schema(holder: &Value) -> Option<Value> {
    holder["content"]
        .get("application/json")
        .map(|content| content["schema"].clone())
}

/// A schema that is nothing but a reference to itself.
#[derive(Debug)]
struct Circle(String);

/// The schema behind references, with the name of the last.
fn resolve(document: &Value, schema: &Value) -> Result<(Option<String>, Value), Circle> {
    let mut schema = schema;
    let mut names = Vec::new();
    loop {
        schema = match (schema["$ref"].as_str(), schema["allOf"].as_array().map(Vec::as_slice)) {
            (Some(reference), _) => {
                let target = reference.rsplit('/').next().unwrap_or_default();
                if names.contains(&target) {
                    return Err(Circle(target.to_owned()));
                }
                names.push(target);
                &document["components"]["schemas"][target]
            }
            (None, Some([one])) => one,
            _ => return Ok((names.last().map(|name| (*name).to_owned()), schema.clone())),
        };
    }
}

fn kind(schema: &Value) -> &'static str {
    match schema["type"].as_str() {
        Some("string") if schema["enum"].is_array() => "one of some texts",
        Some("string") => "a text",
        Some("number" | "integer") => "a number",
        Some("boolean") => "yes or no",
        Some("array") => "a list",
        Some("object") => "an object",
        _ => "anything",
    }
}

fn texts(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}
