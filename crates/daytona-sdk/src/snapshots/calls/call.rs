//! A call without options of its own.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use crate::api_client::ApiClient;
use crate::error::Error;
use crate::snapshots::events::options::{Options, option_methods};
use crate::snapshots::watch::deadline::Goal;
use crate::snapshots::watch::scope::{self, Scope};

/// A running call, independent of the value that made it.
pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// A call that does nothing until it is awaited. Its result is a `T`.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// use std::time::Duration;
///
/// let snapshot = daytona.snapshots().get("my-app").timeout(Duration::from_secs(5)).await?;
/// daytona
///     .snapshots()
///     .delete(&snapshot)
///     .wait()
///     .on_event(|event| println!("{event:?}"))
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The errors of the method that returned it, and kind `WaitTimeout` after its [`timeout`](Self::timeout).
#[must_use = "does nothing until it is awaited"]
pub struct Call<T> {
    client: ApiClient,
    goal: Goal,
    options: Options,
    body: Box<dyn FnOnce(Scope) -> Boxed<T> + Send>,
}

impl<T> Call<T> {
    /// A call that takes as long as its requests. Its deadline ends it at any point.
    pub(crate) fn new<F>(client: ApiClient, body: impl FnOnce(Scope) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        Self::keeping_its_deadline(client, move |scope| {
            let deadline = scope.deadline.clone();
            let body = body(scope);
            async move { deadline.enforce(body).await }
        })
    }

    /// A call whose body checks the deadline itself, because it has something to report when the deadline passes.
    pub(crate) fn keeping_its_deadline<F>(client: ApiClient, body: impl FnOnce(Scope) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        Self {
            client,
            goal: Goal::Answer,
            options: Options::default(),
            body: Box::new(move |scope| Box::pin(body(scope))),
        }
    }

    /// A call that waits for something, at most for this long unless the caller sets another limit.
    pub(crate) fn waiting<F>(
        client: ApiClient,
        goal: Goal,
        limit: Duration,
        body: impl FnOnce(Scope) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        Self {
            goal,
            options: Options::within(limit),
            ..Self::new(client, body)
        }
    }

    /// The call with these options.
    pub(crate) fn with(self, options: Options) -> Self {
        Self { options, ..self }
    }

    option_methods! {
        /// The time limit for the whole call. A call that waits for something has a default, which its method names;
        /// other calls have none.
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Call")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl<T: Send + 'static> IntoFuture for Call<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Boxed<T>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            client,
            goal,
            options,
            body,
        } = self;
        Box::pin(async move { scope::run(&client, goal, options, body).await })
    }
}
