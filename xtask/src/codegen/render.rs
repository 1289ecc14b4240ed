//! From the contract's model to tokens. The model is checked, so nothing here can fail.

use proc_macro2::TokenStream;
use quote::quote;

use super::contract::Module;

mod operation;
mod parts;
mod types;
mod webhook;

/// `mod.rs`: the modules, and all that is in them.
pub(crate) fn root(modules: &[Module]) -> TokenStream {
    let names: Vec<_> = modules.iter().map(|module| &module.name).collect();
    quote! {
        #(mod #names;)*
        #(pub use #names::*;)*
    }
}

pub(crate) fn module(module: &Module) -> TokenStream {
    let webhooks = (!module.events.is_empty()).then(|| webhook::webhooks(&module.events));
    let operations = module.operations.iter().map(operation::operation);
    let types = module.types.iter().map(|def| {
        let mut operations = module.operations.iter();
        let is_it = operations.find(|operation| operation.is_its_body() && operation.name == def.name);
        types::type_def(def, is_it)
    });
    quote! {
        #webhooks
        #(#operations)*
        #(#types)*
    }
}
