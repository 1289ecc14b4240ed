//! Answers about the installation, its regions, organizations and keys.

use serde::Serialize;
use serde_json::json;

use super::answer::{Answer, Handled, VERSION};
use super::auth;
use crate::base::clock::time;
use crate::state::account::{Caller, UserToken};
use crate::state::core::Core;
use crate::state::region::{self, Region};
use crate::state::world::World;

/// A region, in the server's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: &'a str,
    name: &'a str,
    organization_id: Option<&'a str>,
    region_type: &'static str,
    created_at: String,
    updated_at: String,
    proxy_url: Option<String>,
    ssh_gateway_url: Option<String>,
    snapshot_manager_url: Option<String>,
}

fn shown<'a>(world: &World, region: &'a Region) -> Shown<'a> {
    let created = time(world.created_at);
    Shown {
        id: &region.id,
        name: region.name(),
        organization_id: region.organization_id.as_deref(),
        region_type: if region.organization_id.is_some() {
            "custom"
        } else {
            "shared"
        },
        created_at: created.clone(),
        updated_at: created,
        proxy_url: None,
        ssh_gateway_url: None,
        snapshot_manager_url: None,
    }
}

pub(super) fn shared_regions(core: &Core) -> Answer {
    let world = core.world();
    let regions: Vec<_> = world.shared_regions().map(|region| shown(&world, region)).collect();
    Answer::json(&regions)
}

pub(super) fn regions(core: &Core, caller: &Caller) -> Answer {
    let world = core.world();
    let regions = world.regions_of(&caller.organization);
    let regions: Vec<_> = regions.map(|region| shown(&world, region)).collect();
    Answer::json(&regions)
}

/// One region, of the organization's own: a shared one is not found here.
pub(super) fn region(core: &Core, caller: &Caller, id: &str) -> Handled {
    let world = core.world();
    let region = world.region(id).filter(|region| {
        let owner = region.organization_id.as_deref();
        owner == Some(caller.organization.as_str())
    });
    let region = region.ok_or_else(|| Answer::refused(404, "Region not found"))?;
    Ok(Answer::json(&shown(&world, region)))
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
pub(super) fn organizations(core: &Core, user: &UserToken) -> Answer {
    let world = core.world();
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
            "defaultRegionId": organization.has_default_region.then_some(region::DEFAULT),
        })
    });
    Answer::json(&shown.collect::<Vec<_>>())
}

pub(super) fn usage(core: &Core, user: &UserToken, id: &str) -> Handled {
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
    let world = core.world();
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
