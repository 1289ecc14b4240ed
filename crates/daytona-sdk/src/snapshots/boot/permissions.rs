//! Checks in advance whether the key has the permissions for everything that a call will do.

use daytona_api::{GetCurrentApiKey, Operation, Permission};

use crate::api_client::ApiClient;
use crate::auth::Credentials;
use crate::error::{Error, ErrorKind};
use crate::snapshots::watch::scope::Scope;

/// An operation, and the permissions of which it needs any one.
pub(crate) type Needed = (&'static str, &'static [Permission]);

pub(crate) const fn of<O: Operation>() -> Needed {
    (O::ID, O::PERMISSIONS)
}

/// Refuses a key that lacks a permission for one of these operations. The server does not tell the permissions of a
/// user's token; it refuses what the user may not do.
pub(crate) async fn check(scope: &Scope, operations: &[Needed]) -> Result<(), Error> {
    if !is_by_key(&scope.client) {
        return Ok(());
    }
    let key = match scope.request(&GetCurrentApiKey::new()).await {
        Ok(key) => key,
        // A server that does not tell.
        Err(error) if error.status() == Some(404) => return Ok(()),
        Err(error) => return Err(error),
    };
    let Some(own) = key.permissions else { return Ok(()) };
    let lacking: Vec<String> = (operations.iter())
        .filter(|(_, needed)| !needed.iter().any(|permission| own.contains(permission)))
        .map(|(operation, needed)| {
            let names: Vec<String> = needed.iter().map(|permission| format!("`{permission}`")).collect();
            format!("{} (for {operation})", names.join(" or "))
        })
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let message = format!("the API key lacks the permission {}", lacking.join(" and "));
    Err(Error::new(ErrorKind::PermissionDenied, message))
}

fn is_by_key(client: &ApiClient) -> bool {
    matches!(client.settings().credentials, Credentials::ApiKey(_))
}
