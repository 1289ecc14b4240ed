//! The list.

use std::future::IntoFuture;

use daytona_api::{GetAllSnapshots, PaginatedSnapshots, SnapshotSort, SortOrder};

use super::Boxed;
use crate::client::Daytona;
use crate::error::{Error, ErrorKind};

/// Snapshots on a page, at the most.
const LARGEST_PAGE: u32 = 200;

/// A page of snapshots, once it is awaited.
///
/// # Errors
///
/// Kind `InvalidRequest` for a page below 1 or a limit outside of 1 to 200, before any request; else the server's.
#[derive(Debug)]
#[must_use = "does nothing until it is awaited"]
pub struct ListSnapshots {
    client: Daytona,
    request: GetAllSnapshots,
}

impl ListSnapshots {
    pub(crate) fn new(client: Daytona) -> Self {
        Self {
            client,
            request: GetAllSnapshots::new(),
        }
    }

    /// Number of the page, counted from 1. Default: 1.
    pub fn page(mut self, page: u32) -> Self {
        self.request.page = Some(page);
        self
    }

    /// Snapshots on a page, from 1 to 200. Default: 100.
    pub fn limit(mut self, limit: u32) -> Self {
        self.request.limit = Some(limit);
        self
    }

    /// Only snapshots whose name contains this text, in any case; `%` and `_` are wildcards.
    pub fn name(mut self, part: impl Into<String>) -> Self {
        self.request.name = Some(part.into());
        self
    }

    /// What to sort by. Default: the time of last use, which moves while snapshots are used.
    pub fn sort(mut self, sort: SnapshotSort) -> Self {
        self.request.sort = Some(sort);
        self
    }

    /// The direction of the sort. Default: descending.
    pub fn order(mut self, order: SortOrder) -> Self {
        self.request.order = Some(order);
        self
    }

    /// Only snapshots that were made from this sandbox. Servers before 0.205 ignore it.
    pub fn source_sandbox_id(mut self, id: impl Into<String>) -> Self {
        self.request.source_sandbox_id = Some(id.into());
        self
    }

    fn check(&self) -> Result<(), Error> {
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidRequest, message));
        match (self.request.page, self.request.limit) {
            (Some(0), _) => invalid("pages are counted from 1".to_owned()),
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
        Box::pin(async move {
            self.check()?;
            self.client.call(&self.request).await
        })
    }
}
