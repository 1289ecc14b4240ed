//! Why a store refuses to let one look.
//!
//! The answer to HEAD has no body that would tell: the credentials may have expired, or the object is missing and one may not
//! ask for what is missing. The answer to GET has one, and takes the same permission. So the store is asked with a GET, once
//! for all whom it refuses meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

/// How long an answer counts for those who are refused later. To ask for each object would cost a round trip each; but the
/// credentials may expire at any time, and the refusals would look the same.
const COUNTS_FOR: Duration = Duration::from_secs(10);

/// The question of a session, and its answer.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Arc<OnceCell<Explained>>>);

#[derive(Debug)]
struct Explained {
    /// Whether the store answered. What it said was learnt by then.
    is_answered: bool,
    /// What requests were made with when it did.
    generation: u64,
    when: Instant,
}

impl Refusals {
    /// Waits until the store has said why it refuses requests. `ask` asks it, if nobody does, and tells whether there was an
    /// answer.
    pub(super) async fn explain(&self, generation: impl Fn() -> u64, ask: impl Future<Output = bool>) {
        let question = self.question(generation());
        let explained = async {
            Explained {
                is_answered: ask.await,
                generation: generation(),
                when: Instant::now(),
            }
        };
        question.get_or_init(|| explained).await;
    }

    /// The question that is asked, or whose answer counts for those who are refused now.
    fn question(&self, generation: u64) -> Arc<OnceCell<Explained>> {
        let mut question = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = question.get().is_some_and(|explained| {
            !explained.is_answered || explained.generation != generation || explained.when.elapsed() >= COUNTS_FOR
        });
        if is_over {
            *question = Arc::default();
        }
        Arc::clone(&question)
    }
}
