//! A callback runs on a task of its own: it owns what it uses (`move`).

async fn build(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
    let mut lines = Vec::new();
    let params = daytona_sdk::CreateSnapshotParams::new("my-app", "python:3.12-slim");
    daytona.snapshots().create(params).on_logs(|line| lines.push(line.to_string())).await?;
    Ok(())
}

fn main() {
    let _ = build;
}
