//! A plan as a file for a local builder.

use std::io::{self, Write};

use daytona_image::ImagePlan;
use flate2::GzBuilder;

use crate::context::Context;
use crate::layout::{blocks, padding};

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ExportFormat {
    /// A plain tar archive.
    #[default]
    Tar,
    /// A tar archive, compressed with gzip.
    TarGz,
}

/// Writes a plan as one archive that includes its Dockerfile. It is exactly what the service would build from, so
/// `docker build - < context.tar.gz` or `podman build - < context.tar.gz` makes the same image on this machine.
///
/// The same plan gives the same bytes. Reads all files, and blocks.
///
/// ```
/// use daytona_context::{ExportFormat, export};
/// use daytona_image::Image;
///
/// let mut archive = Vec::new();
/// export(&Image::base("alpine:3.20").plan()?, &mut archive, ExportFormat::TarGz)?;
/// assert!(archive.starts_with(&[0x1f, 0x8b]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// An I/O error of the writer, or one that wraps a [`ReadError`](crate::ReadError), which names the file that cannot be
/// read or has changed. The bytes that were written so far are not a complete archive.
pub fn export(plan: &ImagePlan, writer: impl Write, format: ExportFormat) -> io::Result<()> {
    match format {
        ExportFormat::Tar => write(plan, writer).map(drop),
        ExportFormat::TarGz => {
            // No name and no time, which would differ from one day to the next.
            let encoder = GzBuilder::new().mtime(0).write(writer, flate2::Compression::default());
            write(plan, encoder)?.finish().map(drop)
        }
    }
}

fn write<W: Write>(plan: &ImagePlan, mut writer: W) -> io::Result<W> {
    let text = plan.dockerfile().as_bytes();
    writer.write_all(&blocks("Dockerfile", text.len() as u64, 0o644))?;
    writer.write_all(text)?;
    writer.write_all(&vec![0; padding(text.len() as u64)])?;
    match Context::from_plan(plan).in_one_archive().archives() {
        [] => writer.write_all(&[0; 1024])?,
        archives => {
            for archive in archives {
                archive.write_to(&mut writer)?;
            }
        }
    }
    writer.flush()?;
    Ok(writer)
}
