//! Answers about the installation, its regions, organizations and keys.

use serde::Serialize;
use serde_json::json;

use super::{Answer, Handled, VERSION, auth, time};
use crate::account::UserToken;
use crate::engine::Engine;
use crate::world::REGION;

/// A region, in the server's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
pub(super) struct Region {
    id: &'static str,
    name: &'static str,
    organization_id: Option<String>,
    region_type: &'static str,
    created_at: String,
    updated_at: String,
    proxy_url: Option<String>,
    ssh_gateway_url: Option<String>,
    snapshot_manager_url: Option<String>,
}

pub(super) fn region(engine: &Engine) -> Region {
    let created = time(engine.world().created_at);
    Region {
        id: REGION,
        name: REGION,
        organization_id: None,
        region_type: "shared",
        created_at: created.clone(),
        updated_at: created,
        proxy_url: None,
        ssh_gateway_url: None,
        snapshot_manager_url: None,
    }
}

/// What the installation says of itself.
pub(super) fn config(base_url: &str) -> Answer {
    Answer::json(&json!({
        "version": VERSION,
        "defaultSnapshot": "daytonaio/sandbox:0.5.0-slim",
        "proxyToolboxUrl": format!("{base_url}/toolbox"),
        "rateLimit": {},
    }))
}

/// The organizations of a user.
pub(super) fn organizations(engine: &Engine, user: &UserToken) -> Answer {
    let world = engine.world();
    let known = world.accounts.organizations().iter();
    let own = known.filter(|organization| user.organizations.contains(&organization.id));
    let shown = own.map(|organization| {
        let suspension = organization.suspension.as_ref();
        json!({
            "id": organization.id,
            "name": organization.name,
            "suspended": suspension.is_some(),
            "suspensionReason": suspension.map(|suspension| &suspension.reason),
            "suspendedUntil": suspension.and_then(|suspension| suspension.until).map(time),
            "defaultRegionId": organization.has_default_region.then_some(REGION),
        })
    });
    Answer::json(&shown.collect::<Vec<_>>())
}

pub(super) fn usage(engine: &Engine, user: &UserToken, id: &str) -> Handled {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(clippy::struct_field_names, reason = "the names of the wire")]
    struct Usage {
        region_usage: [(); 0],
        total_snapshot_quota: usize,
        total_volume_quota: usize,
        current_snapshot_usage: usize,
        current_volume_usage: usize,
    }
    if !user.organizations.iter().any(|organization| organization == id) {
        return Err(auth::no_context());
    }
    let world = engine.world();
    let organization = world.accounts.organization(id).ok_or_else(auth::no_context)?;
    Ok(Answer::json(&Usage {
        region_usage: [],
        total_snapshot_quota: organization.snapshot_quota,
        total_volume_quota: 10,
        current_snapshot_usage: world
            .snapshots
            .iter()
            .filter(|record| record.organization == id)
            .count(),
        current_volume_usage: 0,
    }))
}
