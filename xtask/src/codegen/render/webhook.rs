//! The one type of all webhooks.

use proc_macro2::TokenStream;
use quote::quote;

use crate::codegen::contract::Event;

pub(super) fn webhooks(events: &[Event]) -> TokenStream {
    let variants: Vec<_> = events.iter().map(|event| &event.variant).collect();
    let names: Vec<_> = events.iter().map(|event| &event.wire).collect();
    let bodies: Vec<_> = events.iter().map(|event| &event.body).collect();
    let docs = events.iter().map(|event| super::parts::docs(&event.doc));
    quote! {
        /// The body of a webhook. Its `event` decides the variant.
        ///
        /// The set of events is open: the body of an event that this version does not know is kept whole.
        ///
        /// Check the signature of a webhook before you trust its body, and check it on the bytes as they arrived. An event is a
        /// hint that something has changed; [`GetSnapshot`](crate::GetSnapshot) returns what is true now.
        ///
        /// # Examples
        ///
        /// ```
        /// use daytona_api::{SnapshotState, Webhook};
        ///
        /// let body = br#"{
        ///     "event": "snapshot.state.updated", "timestamp": "2026-11-26T00:21:28.564Z",
        ///     "id": "ab206fff-ec3f-461a-8e57-ab8bbfc200e6", "name": "built:1",
        ///     "organizationId": "09e9eadb",
        ///     "oldState": "building", "newState": "active", "updatedAt": "2026-11-26T00:21:28.530Z"
        /// }"#;
        /// match Webhook::decode(body)? {
        ///     Webhook::SnapshotStateUpdated(one) if one.new_state == SnapshotState::Active => {
        ///         println!("{} is ready", one.name);
        ///     }
        ///     other => println!("nothing to do for {}", other.event()),
        /// }
        /// # Ok::<(), daytona_api::DecodeError>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(tag = "event")]
        #[non_exhaustive]
        pub enum Webhook {
            #(
                #docs
                #[serde(rename = #names)]
                #variants(crate::#bodies),
            )*
            /// An event that this version does not know, with all that it says.
            #[serde(untagged)]
            Unknown(serde_json::Map<String, serde_json::Value>),
        }

        impl Webhook {
            /// The name of every event that this version knows.
            pub const KNOWN: &'static [&'static str] = &[#(#names),*];

            /// Reads the body of a webhook.
            ///
            /// # Errors
            ///
            /// Returns a [`DecodeError`](crate::DecodeError) if the body is not a JSON object with an `event`, or if a known
            /// event lacks a required field. The error names the field.
            pub fn decode(body: &[u8]) -> Result<Self, crate::DecodeError> {
                match crate::webhook::event(body)?.as_str() {
                    #(#names => crate::decode::json(body).map(Self::#variants),)*
                    _ => crate::decode::json(body).map(Self::Unknown),
                }
            }

            /// Returns the name of the event, such as `snapshot.created`.
            pub fn event(&self) -> &str {
                match self {
                    #(Self::#variants(_) => #names,)*
                    Self::Unknown(body) => crate::webhook::name(body),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for Webhook {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let body = crate::webhook::Body::deserialize(deserializer)?;
                match body.event() {
                    #(#names => body.read().map(Self::#variants),)*
                    _ => body.read().map(Self::Unknown),
                }
            }
        }
    }
}
