//! A path is no image: `Image::from_dockerfile(path)`.

fn main() {
    let _params = daytona_sdk::CreateSnapshotParams::new("my-app", std::path::Path::new("Dockerfile"));
}
