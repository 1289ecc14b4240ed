//! What requests are signed with at the moment, and what their answers teach: new credentials, the store's region, its clock.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::config::{CheckedConfig, CredentialProvider, S3Config};
use super::connector::HttpClient;
use super::failure::{Failure, beginning};
use super::line::Line;
use super::refusals::Refusals;
use super::retry::{Budget, Retry, RetryPolicy};
use super::sdk_client::sdk_client;
use super::skew::{Lesson, Skew, in_words};
use crate::payload::Payload;
use crate::storage::{StorageError, StorageErrorKind};

/// Refreshes without a request that was accepted: credentials that are refused as soon as they are given out would otherwise
/// never end.
const MAX_REFRESHES: usize = 3;

pub(super) type OnRetry = Arc<dyn Fn(&Retry<'_>) + Send + Sync>;

/// A bucket and how it is reached. Clones share what they learn.
#[derive(Clone)]
pub(super) struct Session {
    shared: Arc<Shared>,
    provider: Option<Arc<dyn CredentialProvider>>,
    policy: RetryPolicy,
    on_retry: Option<OnRetry>,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Session")
    }
}

struct Shared {
    line: Line,
    http: Arc<dyn HttpClient>,
    skew: Skew,
    state: Mutex<State>,
    refusals: Refusals,
    /// Held while credentials are fetched, once for all who need them.
    refreshing: tokio::sync::Mutex<()>,
    /// A request that tells whether credentials are good has ended.
    ended: Notify,
}

/// What a request is made with.
#[derive(Clone)]
pub(super) struct State {
    pub(super) client: aws_sdk_s3::Client,
    pub(super) bucket: String,
    pub(super) config: CheckedConfig,
    /// Counts the changes.
    generation: u64,
    is_region_corrected: bool,
    /// Refreshes since a request was accepted.
    refreshes: usize,
    /// Requests that may yet be accepted.
    under_way: usize,
    /// When the last one was.
    last_accepted: Option<Instant>,
}

/// What a request is about.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) key: &'a str,
    /// What it carries.
    pub(super) payload: Option<&'a Payload>,
    /// Whether the push depends on it. Then a store that answers with a failure is asked again, as it always is when the
    /// connection fails.
    pub(super) is_essential: bool,
}

impl<'a> Subject<'a> {
    /// A request without a payload that is worth its budget.
    pub(super) fn essential(key: &'a str) -> Self {
        Self {
            key,
            payload: None,
            is_essential: true,
        }
    }
}

impl Session {
    pub(super) fn new(config: &S3Config, http: Arc<dyn HttpClient>) -> Result<Self, StorageError> {
        let skew = Skew::default();
        let config = CheckedConfig::new(config)?;
        let state = State {
            client: sdk_client(&config, &http, &skew),
            bucket: config.bucket.clone(),
            config,
            generation: 0,
            is_region_corrected: false,
            refreshes: 0,
            under_way: 0,
            last_accepted: None,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                line: Line::new(),
                http,
                skew,
                state: Mutex::new(state),
                refusals: Refusals::default(),
                refreshing: tokio::sync::Mutex::new(()),
                ended: Notify::new(),
            }),
            provider: None,
            policy: RetryPolicy::default(),
            on_retry: None,
        })
    }

    pub(super) fn set_provider(&mut self, provider: Arc<dyn CredentialProvider>) {
        self.provider = Some(provider);
    }

    pub(super) fn set_policy(&mut self, policy: RetryPolicy) {
        self.policy = policy;
    }

    pub(super) fn set_on_retry(&mut self, on_retry: OnRetry) {
        self.on_retry = Some(on_retry);
    }

    pub(super) fn bucket(&self) -> String {
        self.shared.state().bucket.clone()
    }

    /// How long nothing of a request may move.
    pub(super) fn stall(&self) -> Duration {
        self.policy.stall
    }

    /// What its requests share.
    pub(super) fn line(&self) -> &Line {
        &self.shared.line
    }

    pub(super) fn state(&self) -> State {
        self.shared.state().clone()
    }

    /// Another number when requests are made with something else.
    pub(super) fn generation(&self) -> u64 {
        self.shared.state().generation
    }

    /// Whether there are other credentials than these.
    pub(super) fn has_provider(&self) -> bool {
        self.provider.is_some()
    }

    /// Why the store refuses requests that do not tell it.
    pub(super) fn refusals(&self) -> &Refusals {
        &self.shared.refusals
    }

    /// Sends a request until it succeeds, as often as it makes sense.
    pub(super) async fn call<T, F>(&self, subject: Subject<'_>, request: impl Fn(State) -> F) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        if subject.key.split('/').any(|segment| matches!(segment, "." | "..")) {
            let message = format!(
                "the key {:?} would be that of another object in an address",
                subject.key
            );
            return Err(StorageError::new(StorageErrorKind::Refused).with_code(None, Some(message)));
        }
        let shared = &self.shared;
        let mut budget = Budget::new(self.policy);
        loop {
            let state = self.state();
            let (generation, ahead) = (state.generation, shared.skew.ahead());
            let config = state.config.clone();
            let under_way = subject.is_essential.then(|| shared.under_way());
            let outcome = request(state).await;
            if let (Ok(_), Some(_)) = (&outcome, &under_way) {
                let mut state = shared.state();
                state.refreshes = 0;
                state.last_accepted = Some(Instant::now());
            }
            drop(under_way);
            let mut failure = match outcome {
                Ok(done) => return Ok(done),
                Err(failure) => failure,
            };
            if failure.error.kind() == StorageErrorKind::Payload {
                return Err(failure.error);
            }
            match self.learn(&failure, generation, ahead, subject).await {
                // It is sent as it should have been, which costs no attempt.
                Ok(true) => continue,
                Ok(false) => {}
                // Whoever gives out credentials may be better in a moment.
                Err(error) => failure = error.into(),
            }
            let last_accepted = shared.state().last_accepted;
            let is_retried = subject.is_essential || failure.error.status().is_none();
            let wait = budget.next(&failure, last_accepted).filter(|_| is_retried);
            let error = redacted(failure.error, &config);
            let Some(wait) = wait else {
                return Err(error.with_attempts(budget.tries()));
            };
            tracing::debug!(%error, ?wait, "a request to object storage is sent again");
            self.tell(subject, &error, wait);
            if let Some(payload) = subject.payload {
                payload.attempt_failed();
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Learns what an answer teaches: the store's region, its clock, or that credentials have expired. Whether there is
    /// anything new to try.
    async fn learn(
        &self,
        failure: &Failure,
        generation: u64,
        ahead: i64,
        subject: Subject<'_>,
    ) -> Result<bool, StorageError> {
        if let Some(region) = &failure.region
            && self.shared.correct_region(region, generation)
        {
            return Ok(true);
        }
        if (failure.is_skewed() || failure.gives_no_reason()) && self.correct_clock(failure, ahead, subject) {
            return Ok(true);
        }
        if failure.is_expired() {
            return self.renew(generation).await;
        }
        Ok(false)
    }

    fn tell(&self, subject: Subject<'_>, error: &StorageError, wait: Duration) {
        if let Some(on_retry) = &self.on_retry {
            let key = subject.key;
            on_retry(&Retry { key, error, wait });
        }
    }

    /// Fetches credentials, once for all whose are the same. Whether there is anything new to try.
    async fn renew(&self, generation: u64) -> Result<bool, StorageError> {
        let Some(provider) = &self.provider else {
            return Ok(false);
        };
        let shared = &self.shared;
        let _alone = shared.refreshing.lock().await;
        loop {
            let ended = shared.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            {
                let state = shared.state();
                if state.generation != generation {
                    return Ok(true);
                }
                if state.refreshes < MAX_REFRESHES {
                    break;
                }
                if state.under_way == 0 {
                    return Ok(false);
                }
            }
            // One that is under way may have been the last for which the credentials were good.
            ended.await;
        }
        tracing::debug!("the credentials of object storage have expired");
        let mut config = CheckedConfig::new(&provider.credentials().await?)?;
        let mut state = shared.state();
        // What the store has corrected is the region of its bucket.
        let is_same = config.endpoint == state.config.endpoint && config.bucket == state.config.bucket;
        state.is_region_corrected &= is_same;
        if state.is_region_corrected {
            config.region.clone_from(&state.config.region);
        }
        state.refreshes += 1;
        shared.install(&mut state, config);
        Ok(true)
    }

    /// Signs by the store's clock from now on, and tells it once. Whether there is anything new to try.
    fn correct_clock(&self, failure: &Failure, ahead: i64, subject: Subject<'_>) -> bool {
        let Some(date) = failure.date else { return false };
        let ahead = match self.shared.skew.learn(date, ahead, failure.is_skewed()) {
            Lesson::Nothing => return false,
            Lesson::Known => return true,
            Lesson::Ahead(ahead) => ahead,
        };
        let message = format!(
            "this machine's clock is {} the object storage's: requests are signed with the difference",
            in_words(ahead)
        );
        tracing::warn!("{message}");
        let error = StorageError::new(StorageErrorKind::AccessDenied).with_code(None, Some(message));
        self.tell(subject, &error, Duration::ZERO);
        true
    }
}

/// What a store says, without what it was sent: it may repeat that.
pub(super) fn redacted(error: StorageError, config: &CheckedConfig) -> StorageError {
    // Without a code they are not S3's, and may be a whole page.
    let is_foreign = error.code().is_none();
    error.map_words(|text| {
        let text = config.redacted(text);
        if is_foreign { beginning(&text) } else { text }
    })
}

/// A request whose end tells whether credentials are good.
struct UnderWay<'a>(&'a Shared);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
        self.0.ended.notify_waiters();
    }
}

impl Shared {
    fn under_way(&self) -> UnderWay<'_> {
        self.state().under_way += 1;
        UnderWay(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs for the region that the store names, once. Whether there is anything new to try.
    fn correct_region(&self, region: &str, generation: u64) -> bool {
        let mut state = self.state();
        if state.generation != generation {
            return true;
        }
        if state.is_region_corrected || state.config.region == region {
            return false;
        }
        tracing::debug!(region, "the store wants another region");
        let mut config = state.config.clone();
        region.clone_into(&mut config.region);
        self.install(&mut state, config);
        state.is_region_corrected = true;
        true
    }

    fn install(&self, state: &mut State, config: CheckedConfig) {
        state.client = sdk_client(&config, &self.http, &self.skew);
        state.bucket.clone_from(&config.bucket);
        state.config = config;
        state.generation += 1;
    }
}
