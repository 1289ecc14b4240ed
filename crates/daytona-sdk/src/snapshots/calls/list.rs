//! Lists snapshots, one page or all of them.

use std::collections::HashSet;
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::task::{Context, Poll};

use daytona_api::{GetAllSnapshots, PaginatedSnapshots, Snapshot, SnapshotId, SnapshotSort, SortOrder};
use futures_core::Stream;
use futures_util::stream;
use futures_util::{StreamExt, TryStreamExt};

use super::call::{Boxed, Call};
use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};
use crate::snapshots::events::options::{Options, option_methods};

/// The most snapshots on a page.
const LARGEST_PAGE: u32 = 200;

/// Smaller pages cannot always be chosen so that they overlap.
const SMALLEST_OVERLAPPING: u32 = 20;

/// A walk ends after this many pages in a row that begin with the same snapshot, although they were requested from
/// different positions.
const MOST_SAME_PAGES: u32 = 3;

/// When awaited, returns one page of snapshots.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// let page = daytona.snapshots().list().name("ci-").limit(50).await?;
/// println!("{} of {:?}", page.items.len(), page.total);
///
/// // All pages, whatever is created and deleted meanwhile.
/// let mut all = daytona.snapshots().list().name("ci-").stream();
/// while let Some(snapshot) = all.next().await {
///     println!("{}", snapshot?.name);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Kind `InvalidRequest`, before any request, for a page below 1 or a limit outside 1 to 200. Otherwise any error of
/// the request.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct ListSnapshots {
    client: ApiClient,
    request: GetAllSnapshots,
    options: Options,
}

impl ListSnapshots {
    pub(crate) fn new(client: ApiClient) -> Self {
        Self {
            client,
            request: GetAllSnapshots::new(),
            options: Options::default(),
        }
    }

    option_methods! {
        /// The time limit for the page. Default: none. It has no effect on a [`stream`](Self::stream), and neither has
        /// [`on_event`](Self::on_event).
    }

    /// Number of the page, counted from 1. Default: 1.
    pub fn page(mut self, page: u32) -> Self {
        self.request.page = Some(page);
        self
    }

    /// The number of snapshots on a page, from 1 to 200. Default: 100.
    pub fn limit(mut self, limit: u32) -> Self {
        self.request.limit = Some(limit);
        self
    }

    /// Only snapshots whose name contains this text. Case does not matter; `%` and `_` are wildcards.
    pub fn name(mut self, part: impl Into<String>) -> Self {
        self.request.name = Some(part.into());
        self
    }

    /// The sort order. Default: the time of last use, which changes while snapshots are used.
    pub fn sort(mut self, sort: SnapshotSort) -> Self {
        self.request.sort = Some(sort);
        self
    }

    /// The direction of the sort. Default: descending.
    pub fn order(mut self, order: SortOrder) -> Self {
        self.request.order = Some(order);
        self
    }

    /// Only snapshots that were captured from this sandbox. Servers before 0.205 ignore it.
    pub fn source_sandbox_id(mut self, id: impl Into<String>) -> Self {
        self.request.source_sandbox_id = Some(id.into());
        self
    }

    /// All snapshots from all pages. Each page is requested when it is needed.
    ///
    /// A snapshot that exists during the whole walk is returned exactly once, whatever is created and deleted
    /// meanwhile: pages overlap, and the walk goes back if the last snapshot of a page has moved. The snapshots are
    /// sorted by creation unless you choose by name. [`limit`](Self::limit) sets the size of a page, at least 20.
    /// Default: 200.
    ///
    /// The stream ends with an error of kind `InvalidRequest` if you have chosen a page, or an order that changes while
    /// snapshots are used (state or last use).
    pub fn stream(self) -> SnapshotStream {
        let checked = self.check().and_then(|()| check_walk(&self.request));
        let request = self.request;
        let walk = Walk::new(self.client, request);
        let stream = match checked {
            Ok(()) => walk.into_stream().boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        };
        SnapshotStream(stream)
    }

    fn check(&self) -> Result<(), Error> {
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidRequest, message));
        match (self.request.page, self.request.limit) {
            (Some(0), _) => invalid("page numbers start at 1".to_owned()),
            (_, Some(limit)) if !(1..=LARGEST_PAGE).contains(&limit) => {
                invalid(format!("a page holds 1 to {LARGEST_PAGE} snapshots, not {limit}"))
            }
            _ => Ok(()),
        }
    }
}

impl IntoFuture for ListSnapshots {
    type Output = Result<PaginatedSnapshots, Error>;
    type IntoFuture = Boxed<PaginatedSnapshots>;

    fn into_future(self) -> Self::IntoFuture {
        let checked = self.check();
        let Self {
            client,
            request,
            options,
        } = self;
        let call = Call::new(client, move |scope| async move {
            checked?;
            scope.request(&request).await
        });
        call.with(options).into_future()
    }
}

fn check_walk(request: &GetAllSnapshots) -> Result<(), Error> {
    let problem = match (&request.page, &request.sort) {
        (Some(_), _) => "a stream walks all pages: leave `page` out",
        (None, None | Some(SnapshotSort::CreatedAt | SnapshotSort::Name)) => return Ok(()),
        (None, Some(_)) => "this order changes while snapshots are used: sort a stream by creation or by name",
    };
    Err(Error::new(ErrorKind::InvalidRequest, problem))
}

/// All snapshots that match a request.
pub(crate) async fn all(client: &ApiClient, request: GetAllSnapshots) -> Result<Vec<Snapshot>, Error> {
    Walk::new(client.clone(), request).into_stream().try_collect().await
}

/// Snapshots from all pages of a list.
///
/// ```no_run
/// # async fn example(daytona: daytona_sdk::Daytona) -> Result<(), daytona_sdk::Error> {
/// let mut snapshots = daytona.snapshots().list().name("my-app").stream();
/// while let Some(snapshot) = snapshots.next().await {
///     println!("{}", snapshot?.name);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "does nothing until it is polled"]
pub struct SnapshotStream(Pin<Box<dyn Stream<Item = Result<Snapshot, Error>> + Send>>);

impl SnapshotStream {
    /// The next snapshot, or none at the end.
    pub async fn next(&mut self) -> Option<Result<Snapshot, Error>> {
        self.0.next().await
    }
}

impl fmt::Debug for SnapshotStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SnapshotStream").finish_non_exhaustive()
    }
}

impl Stream for SnapshotStream {
    type Item = Result<Snapshot, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

/// A walk over all pages.
///
/// A deletion moves the snapshots behind it to the front, so the next page by number can begin too late. So each page
/// is chosen to begin before the end of the last one. If it contains a snapshot that was seen, nothing between the two
/// pages was missed, because everything before that snapshot was seen too. If it contains none, the walk goes back.
struct Walk {
    client: ApiClient,
    request: GetAllSnapshots,
    seen: HashSet<SnapshotId>,
    /// The position of the end of the last page in the list.
    position: u64,
    /// The first snapshot of the last page, and how many pages in a row began with it, wherever they were requested
    /// from.
    beginning: (Option<SnapshotId>, u32),
    is_over: bool,
}

impl Walk {
    fn new(client: ApiClient, mut request: GetAllSnapshots) -> Self {
        if request.sort.is_none() {
            request.sort = Some(SnapshotSort::CreatedAt);
            request.order = request.order.or(Some(SortOrder::Asc));
        }
        Self {
            client,
            request,
            seen: HashSet::new(),
            position: 0,
            beginning: (None, 0),
            is_over: false,
        }
    }

    fn into_stream(self) -> impl Stream<Item = Result<Snapshot, Error>> + Send {
        stream::try_unfold(self, |mut walk| async move {
            let page = walk.next_page().await?;
            Ok::<_, Error>(page.map(|page| (stream::iter(page.into_iter().map(Ok)), walk)))
        })
        .try_flatten()
    }

    /// The new snapshots on the next page that overlaps with the last one.
    async fn next_page(&mut self) -> Result<Option<Vec<Snapshot>>, Error> {
        let largest = self.request.limit.unwrap_or(LARGEST_PAGE).max(SMALLEST_OVERLAPPING);
        while !self.is_over {
            let (page, limit) = overlapping(self.position, largest);
            let mut request = self.request.clone();
            request.page = Some(page);
            request.limit = Some(limit);
            let PaginatedSnapshots { items, total, .. } = self.client.call(&request).await?;
            let begin = u64::from(page - 1) * u64::from(limit);
            let first = items.first().map(|item| item.id.clone());
            let alike = if first == self.beginning.0 {
                self.beginning.1 + 1
            } else {
                0
            };
            self.beginning = (first, alike);
            let follows = begin == 0 || items.iter().any(|item| self.seen.contains(&item.id));
            if !follows {
                // Goes back half the way, and at last to the beginning.
                self.position = begin / 2;
                continue;
            }
            self.position = begin + items.len() as u64;
            self.is_over = items.len() < limit as usize || total.is_some_and(|total| self.position >= total);
            let new: Vec<_> = items
                .into_iter()
                .filter(|item| self.seen.insert(item.id.clone()))
                .collect();
            if !new.is_empty() {
                return Ok(Some(new));
            }
            // A server that does not know pages always returns the first one.
            self.is_over |= self.beginning.1 == MOST_SAME_PAGES;
        }
        Ok(None)
    }
}

/// The number and size of the page that begins before this position and reaches furthest beyond it.
fn overlapping(position: u64, largest: u32) -> (u32, u32) {
    let Some(last) = position.checked_sub(1) else {
        return (1, largest);
    };
    let sizes = (1..=largest).rev().map(|size| (last / u64::from(size), size));
    let (before, size) = sizes
        .max_by_key(|(before, size)| (before + 1) * u64::from(*size))
        .unwrap_or((0, largest));
    (u32::try_from(before + 1).unwrap_or(u32::MAX), size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_overlap_and_get_on() {
        for largest in [SMALLEST_OVERLAPPING, 50, 200] {
            let mut position = u64::from(largest);
            let mut pages = 1;
            while position < 5_000 {
                let (page, size) = overlapping(position, largest);
                let begin = u64::from(page - 1) * u64::from(size);
                assert!(begin < position, "{largest}: {position}");
                let end = begin + u64::from(size);
                assert!(end > position, "{largest}: {position} does not get on");
                position = end;
                pages += 1;
            }
            if largest == 200 {
                assert!(pages < 40, "{pages} pages for 5,000 snapshots, 25 without overlap");
            }
        }
    }
}
