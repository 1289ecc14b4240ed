//! Turns the caller's parameters into a request, as far as that needs no files.

use daytona_api::{CreateSnapshot, SandboxClass};
use daytona_image::{Image, ImagePlan, RegistryImage};

use super::params::{CreateSnapshotParams, Name, Source};
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};

/// Where the context of a build comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// There is no build: the image is pulled.
    Registry,
    /// The image must still be planned.
    Image(Image),
    /// The image is planned already.
    Plan(ImagePlan),
}

/// The request without the parts that need the plan, and the image to plan.
///
/// # Errors
///
/// Kind `InvalidRequest` for what the service would refuse after the upload.
pub(crate) fn request_of(
    client: &ApiClient,
    params: CreateSnapshotParams,
) -> Result<(CreateSnapshot, Name, Origin), Error> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidRequest, message);
    if params.name().trim().is_empty() {
        return Err(invalid("a snapshot needs a name".to_owned()));
    }
    let mut request = CreateSnapshot::new(params.name());
    let origin = match params.source {
        Source::Registry(image) => {
            let image = RegistryImage::parse(&image).map_err(|error| invalid(error.to_string()).with_source(error))?;
            request.image_name = Some(image.into());
            request.entrypoint = params.entrypoint.filter(|words| !words.is_empty());
            Origin::Registry
        }
        Source::Image(image) => Origin::Image(match params.entrypoint {
            Some(words) => image.entrypoint(words),
            None => image,
        }),
        Source::Plan(_) if params.entrypoint.is_some() => {
            let message = "a plan is sent as it was shown: give its image the entrypoint before it is planned";
            return Err(invalid(message.to_owned()));
        }
        Source::Plan(plan) => Origin::Plan(plan),
    };
    if let (Origin::Image(_) | Origin::Plan(_), Some(class @ (SandboxClass::LinuxVm | SandboxClass::Windows))) =
        (&origin, &params.sandbox_class)
    {
        return Err(invalid(format!(
            "snapshots of the sandbox class `{class}` are not built from a Dockerfile: leave the class out, or capture one from a \
             sandbox"
        )));
    }
    let resources = params.resources;
    request.cpu = resources.cpu;
    request.memory = resources.memory;
    request.disk = resources.disk;
    request.gpu = resources.gpu;
    request.gpu_type = Some(resources.gpu_types).filter(|kinds| !kinds.is_empty());
    request.region_id = params.region.or_else(|| client.settings().target.clone());
    request.sandbox_class = params.sandbox_class;
    Ok((request, params.name, origin))
}
