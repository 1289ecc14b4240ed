//! What goes and what stays, by each rule.

use daytona_api::SnapshotId;

use super::*;

const DAY: Duration = Duration::from_hours(24);

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn snapshot(name: &str, state: &str, days: u64) -> Snapshot {
    let mut snapshot = Snapshot::new(name, name, state);
    snapshot.created_at = now().checked_sub(DAY * u32::try_from(days).unwrap()).ok();
    snapshot
}

fn all() -> Vec<Snapshot> {
    let mut general = snapshot("general", "active", 100);
    general.general = Some(true);
    let mut undated = snapshot("ci-undated", "active", 0);
    undated.created_at = None;
    let mut used = snapshot("ci-used", "active", 90);
    used.last_used_at = Some(now());
    vec![
        snapshot("ci-1", "active", 1),
        snapshot("ci-30", "inactive", 30),
        used,
        snapshot("app", "active", 50),
        snapshot("failed", "build_failed", 0),
        snapshot("ci-error", "error", 60),
        snapshot("making", "building", 80),
        snapshot("unheard", "zzz", 80),
        snapshot("going", "removing", 80),
        general,
        undated,
    ]
}

fn deleted(policy: &PrunePolicy) -> Vec<String> {
    let (deleted, kept) = policy.divide(all(), now(), |_| false, &HashMap::new());
    assert_eq!(deleted.len() + kept.len(), all().len());
    deleted.into_iter().map(|(snapshot, _)| snapshot.name).collect()
}

#[test]
fn rules_agree_and_failed_ones_go() {
    assert_eq!(
        deleted(&PrunePolicy::keep_newest(2)),
        ["failed", "ci-30", "app", "ci-error", "ci-used"]
    );
    assert_eq!(
        deleted(&PrunePolicy::keep_newest(2).failed_like_others()),
        ["ci-1", "ci-30", "app", "ci-error", "ci-used"]
    );
    assert_eq!(
        deleted(&PrunePolicy::keep_newest(2).keep_failed()),
        ["ci-30", "app", "ci-used"]
    );
    assert_eq!(
        deleted(&PrunePolicy::keep_newest(0).older_than(DAY * 40)),
        ["failed", "app", "ci-error", "ci-used"]
    );
    assert_eq!(
        deleted(&PrunePolicy::keep_newest(0).unused_for(DAY * 40)),
        ["failed", "app", "ci-error"]
    );
    assert_eq!(
        deleted(&PrunePolicy::created_before("2026-10-27T00:00:00Z".parse().unwrap()).failed_like_others()),
        ["ci-30", "app", "ci-error", "ci-used"]
    );
    assert_eq!(deleted(&PrunePolicy::failed()), ["failed", "ci-error"]);
    assert_eq!(deleted(&PrunePolicy::in_states(["inactive"])), ["ci-30"]);
    assert_eq!(
        deleted(&PrunePolicy::keep_newest(2).name_prefix("ci-")),
        ["ci-30", "ci-error", "ci-used"]
    );
}

#[test]
fn what_is_excepted_or_ours_stays() {
    let policy = PrunePolicy::keep_newest(0)
        .except(["app", "ci-error"])
        .except([SnapshotId::from("failed")]);
    assert_eq!(deleted(&policy), ["ci-undated", "ci-1", "ci-30", "ci-used"]);
    let (deleted, _) = PrunePolicy::keep_newest(0).divide(all(), now(), |_| true, &HashMap::new());
    let names: Vec<_> = deleted.iter().map(|(snapshot, _)| snapshot.name.as_str()).collect();
    assert_eq!(names, ["failed", "ci-error"], "nobody uses what has failed");
}

#[test]
fn what_must_stay_stays() {
    let everything = PrunePolicy::keep_newest(0);
    let deleted = deleted(&everything);
    for name in ["general", "making", "unheard", "going"] {
        assert!(!deleted.iter().any(|deleted| deleted == name), "{name}");
    }
    // A snapshot without a date is never old.
    assert!(!super::tests::deleted(&everything.older_than(DAY)).contains(&"ci-undated".to_owned()));
}
