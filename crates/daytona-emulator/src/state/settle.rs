//! How time moves the world, and how builds are worked out.

use std::sync::Arc;

use daytona_api::SnapshotState;
use tokio::sync::mpsc;

use super::core::Core;
use super::world::{BuildJob, Due, Record};
use crate::builder::real::Progress;
use crate::builder::{self, BuildEngine, BuiltImage};

impl Core {
    /// Lets everything happen that is due, so that what is seen next is a function of the time alone.
    pub(crate) async fn settle(self: &Arc<Self>) {
        loop {
            // Nothing is due most of the time, and then nothing changes.
            let due = self.request(|world, now| world.step(now).ok_or(()));
            match due {
                Err(()) => return,
                Ok(Due::Happened) => {}
                Ok(Due::Build(job)) => match self.build_options.engine {
                    None => self.work_out(*job).await,
                    Some(engine) => self.build_for_real(engine, *job),
                },
            }
        }
    }

    async fn work_out(self: &Arc<Self>, job: BuildJob) {
        // On a thread of its own, as archives are read and hashed there; and a caller that gives up must not take the build
        // with it.
        let core = Arc::clone(self);
        let build = tokio::task::spawn_blocking(move || {
            let report = builder::run(&job.for_builder(), &core.storage, &core.build_options);
            core.change(|world, _| world.run_build(&job, report));
        });
        build.await.expect("the builder does not panic, and is not aborted");
    }

    /// Lets a real engine build, and goes on meanwhile.
    fn build_for_real(self: &Arc<Self>, engine: BuildEngine, job: BuildJob) {
        let core = Arc::clone(self);
        tokio::spawn(async move {
            let (sender, mut progress) = mpsc::unbounded_channel();
            let (storage, verify_digests) = (core.storage.clone(), core.build_options.verify_digests);
            let (id, reference) = (job.snapshot.clone(), job.info.snapshot_ref.clone());
            let build = tokio::spawn(builder::real::build(
                engine,
                job.for_builder(),
                storage,
                verify_digests,
                sender,
            ));
            core.keep_for_the_end(build.abort_handle());
            while let Some(step) = progress.recv().await {
                core.change(|world, _| match step {
                    Progress::Opened => world.open_log(&reference),
                    Progress::Line(line) => world.log_line(&reference, &line),
                });
            }
            let outcome = build.await.unwrap_or_else(|error| Err(error.to_string()));
            let (outcome, image) = match outcome {
                Ok(image) => (Ok(()), image.map(Arc::new)),
                Err(reason) => (Err(reason), None),
            };
            core.change(|world, now| world.built(&id, &reference, outcome, image, now));
            drop(core.save().await);
        });
    }

    /// What is known of the image of a snapshot, by its id or name. After a restart it is worked out again.
    pub(crate) fn image(&self, id_or_name: &str) -> Option<Arc<BuiltImage>> {
        let job = {
            let world = self.world();
            let is_it = |record: &&Record| record.id.as_str() == id_or_name || record.name == id_or_name;
            let record = world.snapshots.iter().find(is_it)?;
            if matches!(record.state, SnapshotState::Error | SnapshotState::BuildFailed) {
                // The image of the build that it shares is not its own.
                return None;
            }
            let build = world.build(record)?;
            if let Some(image) = &build.image {
                return Some(Arc::clone(image));
            }
            build.built?;
            BuildJob::of(record)?
        };
        let image = builder::run(&job.for_builder(), &self.storage, &self.build_options).image?;
        self.keep_in_memory(|world| world.keep_image(&job, &image));
        Some(image)
    }
}
