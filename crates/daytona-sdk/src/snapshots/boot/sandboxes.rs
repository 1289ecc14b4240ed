//! Lists all sandboxes, from pages that a cursor connects.

use std::collections::HashSet;

use daytona_api::{ListSandboxes, Sandbox, SandboxSort, SortOrder};

use crate::api_client::ApiClient;
use crate::error::{Error, ErrorKind};

/// The most sandboxes on a page.
const LARGEST_PAGE: u32 = 200;

/// All sandboxes that match a request, in the order of their creation. In that order no sandbox moves between two
/// pages.
pub(crate) async fn all(client: &ApiClient, mut request: ListSandboxes) -> Result<Vec<Sandbox>, Error> {
    request.limit = Some(LARGEST_PAGE);
    request.sort = Some(SandboxSort::CreatedAt);
    request.order = Some(SortOrder::Asc);
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    loop {
        let page = client.call(&request).await?;
        let before = all.len();
        all.extend(page.items.into_iter().filter(|sandbox| seen.insert(sandbox.id.clone())));
        let Some(next) = page.next_cursor.filter(|cursor| !cursor.is_empty()) else {
            return Ok(all);
        };
        // A server that does not know cursors answers with the first page forever.
        if all.len() == before {
            let message = "a page of the list of sandboxes has nothing new, but says that another page follows";
            return Err(Error::new(ErrorKind::Decode, message));
        }
        request.cursor = Some(next);
    }
}
