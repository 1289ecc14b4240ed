//! Reads the contract into the few things that the generator knows.
//!
//! What [`read`] returns is checked: names are Rust identifiers, paths are taken apart, types can be written down. So the
//! renderer has nothing left to refuse, and a bad contract is a [`ContractError`] that names the place.

use std::collections::BTreeSet;

use openapiv3::OpenAPI;
use proc_macro2::Ident;

mod model;
mod names;
mod operation;
mod schema;
mod webhook;

pub(crate) use model::{
    Answer, ContractError, Event, Facts, Field, Module, Operation, Segment, Structure, Ty, TypeDef, TypeKind, Variant,
};
use model::{Result, described, unique, unknown};

/// The contract, from the root of the workspace.
pub(crate) const CONTRACT: &str = "crates/daytona-api/openapi.yaml";

/// Reads the contract. Every construct that the generator has no rule for is an error that names its place.
pub(crate) fn read(text: &str) -> Result<Vec<Module>> {
    let api: OpenAPI = serde_norway::from_str(text)?;
    let mut operations = operation::read(&api)?;
    let mut events = webhook::read(&api)?;
    let mut schemas = schema::Placing::new(&api);
    let mut names = BTreeSet::new();
    let mut modules = Vec::new();
    for tag in &api.tags {
        let name = names::module(&tag.name)?;
        unique(&mut names, &name, &tag.name)?;
        let own: Vec<Operation> = take(&mut operations, &tag.name);
        let events: Vec<Event> = take(&mut events, &tag.name);
        let used = schema::of_tag(tag)?
            .into_iter()
            .chain(own.iter().flat_map(Operation::named_types));
        let used: Vec<Ident> = used.chain(events.iter().map(|event| event.body.clone())).collect();
        modules.push(Module {
            name,
            doc: described(&tag.name, tag.description.as_deref())?,
            types: schemas.place(used)?,
            operations: own,
            events,
        });
    }
    let left = operations.iter().map(|(tag, operation)| (tag, &operation.id));
    if let Some((tag, place)) = left.chain(events.iter().map(|(tag, event)| (tag, &event.wire))).next() {
        return Err(unknown(place, format!("its tag `{tag}` is not in the list of tags")));
    }
    schema::note_secrets(&mut modules);
    schema::check(&modules)?;
    Ok(modules)
}

/// What belongs to a tag.
fn take<T>(tagged: &mut Vec<(String, T)>, tag: &str) -> Vec<T> {
    let own = tagged.extract_if(.., |(other, _)| other == tag);
    own.map(|(_, item)| item).collect()
}
