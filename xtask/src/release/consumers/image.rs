//! The image alone: a Dockerfile and what it needs, without network and runtime.

use daytona_image::Image;

fn main() -> Result<(), daytona_image::PlanError> {
    let plan = Image::base("alpine:3.20").add_local_dir("src", "/src").plan()?;
    println!("{}", plan.dockerfile());
    assert_eq!(plan.members().len(), 1);
    Ok(())
}
