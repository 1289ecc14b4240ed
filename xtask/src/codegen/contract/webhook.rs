//! Webhooks: `x-webhooks`, the form in which contracts of OpenAPI 3.0 describe what 3.1 calls `webhooks`.

use std::collections::{BTreeMap, BTreeSet};

use openapiv3::{OpenAPI, PathItem};
use serde::Deserialize;

use super::model::{Event, Result, Ty, described, inline, unique, unknown};
use super::names;
use super::schema::reference_or_type;

const WEBHOOKS: &str = "x-webhooks";

/// All events, each with its tag.
pub(super) fn read(api: &OpenAPI) -> Result<Vec<(String, Event)>> {
    let Some(value) = api.extensions.get(WEBHOOKS) else {
        return Ok(Vec::new());
    };
    let items: BTreeMap<String, PathItem> =
        Deserialize::deserialize(value).map_err(|error| unknown(WEBHOOKS, error.to_string()))?;
    let mut events = Vec::new();
    let mut variants = BTreeSet::new();
    let mut tags = BTreeSet::new();
    for (wire, item) in items {
        let operation = item
            .post
            .as_ref()
            .ok_or_else(|| unknown(&wire, "a webhook that is not posted"))?;
        let tag = operation
            .tags
            .first()
            .ok_or_else(|| unknown(&wire, "a webhook without a tag"))?;
        tags.insert(tag.clone());
        if tags.len() > 1 {
            return Err(unknown(&wire, "webhooks of more than one tag: they are one type"));
        }
        let body = operation
            .request_body
            .as_ref()
            .ok_or_else(|| unknown(&wire, "a webhook without a body"))?;
        let media = inline(body, &wire)?.content.get("application/json");
        let schema = media.and_then(|media| media.schema.as_ref());
        let schema = schema.ok_or_else(|| unknown(&wire, "a body that is not JSON"))?;
        let Ty::Named(body) = reference_or_type(&wire, schema)? else {
            return Err(unknown(&wire, "a body that is not a schema with a name"));
        };
        let variant = names::variant(&wire, &wire)?;
        unique(&mut variants, &variant, &wire)?;
        let doc = described(&wire, operation.summary.as_deref())?;
        events.push((
            tag.clone(),
            Event {
                wire,
                variant,
                doc,
                body,
            },
        ));
    }
    Ok(events)
}
