//! What is changed in a request of the SDK before it is signed.

use aws_runtime::auth::PayloadSigningOverride;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::digest::Digest;

/// Signs the payload with a hash that is known beforehand.
#[derive(Debug)]
pub(super) struct PayloadHash(pub(super) Digest);

#[dyn_dispatch_hint]
impl Intercept for PayloadHash {
    fn name(&self) -> &'static str {
        "PayloadHash"
    }

    fn read_before_signing(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config
            .interceptor_state()
            .store_put(PayloadSigningOverride::Precomputed(self.0.to_string()));
        Ok(())
    }
}

/// Takes out the headers that the SDK fills from variables of the environment.
#[derive(Debug)]
pub(super) struct NothingAmbient;

const USER_AGENT: &str = concat!("daytona-context/", env!("CARGO_PKG_VERSION"));

#[dyn_dispatch_hint]
impl Intercept for NothingAmbient {
    fn name(&self) -> &'static str {
        "NothingAmbient"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        headers.insert("user-agent", USER_AGENT);
        headers.remove("x-amz-user-agent");
        headers.remove("x-amzn-trace-id");
        Ok(())
    }
}
