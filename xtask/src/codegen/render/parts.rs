//! What operations and types are both made of: fields, constructors, docs.

use proc_macro2::TokenStream;
use quote::quote;

use crate::codegen::contract::{Field, Operation, Ty, Variant};

/// `new` with what is required; `Default` as well where nothing is.
pub(super) fn constructor(name: &proc_macro2::Ident, fields: &[Field]) -> TokenStream {
    let required: Vec<_> = fields.iter().filter(|field| field.required).collect();
    let arguments = required.iter().map(|field| {
        let (ident, ty) = (&field.name, rust_type(&field.ty));
        match field.ty {
            Ty::Text | Ty::Secret | Ty::Named(_) => quote!(#ident: impl Into<#ty>),
            _ => quote!(#ident: #ty),
        }
    });
    let values = fields.iter().map(|field| {
        let ident = &field.name;
        match (&field.ty, field.required) {
            (_, false) => quote!(#ident: None),
            (Ty::Text | Ty::Secret | Ty::Named(_), true) => quote!(#ident: #ident.into()),
            (_, true) => quote!(#ident),
        }
    });
    let text = name.to_string();
    let article = if text.starts_with(['A', 'E', 'I', 'O']) || text.starts_with("Up") {
        "an"
    } else {
        "a"
    };
    let rest = match (fields.len(), required.len()) {
        (all, needed) if all == needed => "",
        (_, 0) => " with every field unset",
        _ => " from its required fields; the others are unset",
    };
    let summary = format!(" Creates {article} `{name}`{rest}.");
    let default = required.is_empty().then(|| {
        quote! {
            impl Default for #name {
                fn default() -> Self {
                    Self::new()
                }
            }
        }
    });
    quote! {
        impl #name {
            #[doc = #summary]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#values,)* }
            }
        }
        #default
    }
}

pub(super) fn member_type(field: &Field) -> TokenStream {
    let ty = rust_type(&field.ty);
    if field.required { ty } else { quote!(Option<#ty>) }
}

pub(super) fn rust_type(ty: &Ty) -> TokenStream {
    match ty {
        Ty::Text => quote!(String),
        Ty::Secret => quote!(secrecy::SecretString),
        Ty::Date => quote!(jiff::Timestamp),
        Ty::Float => quote!(f64),
        Ty::Small => quote!(u32),
        Ty::Count => quote!(u64),
        Ty::Bool => quote!(bool),
        Ty::Texts => quote!(std::collections::BTreeMap<String, String>),
        Ty::List(item) => {
            let item = rust_type(item);
            quote!(Vec<#item>)
        }
        Ty::Named(name) => quote!(crate::#name),
    }
}

/// Doc attributes, wrapped for reading.
pub(super) fn docs(text: &str) -> TokenStream {
    let lines = text.split('\n').flat_map(|paragraph| wrap(paragraph, 110));
    let lines = lines.map(|line| if line.is_empty() { line } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}

/// What the docs say of an operation.
pub(super) fn operation_docs(operation: &Operation) -> TokenStream {
    let doc = docs(&operation.doc);
    let address = format!(" `{} {}`", operation.method, operation.path);
    let permissions: Vec<_> = (operation.facts.permissions.iter())
        .map(|Variant { name, wire }| format!("[`{wire}`](crate::Permission::{name})"))
        .collect();
    let permissions = (!permissions.is_empty()).then(|| {
        let text = format!("An API key needs the permission {}.", permissions.join(" or "));
        let text = docs(&text);
        quote! {
            ///
            #text
        }
    });
    let deprecated = operation.deprecated.then(|| {
        quote! {
            ///
            /// The service has deprecated this operation.
        }
    });
    quote! {
        #doc
        #permissions
        #deprecated
        ///
        #[doc = #address]
    }
}

/// A section with code, as it is.
pub(super) fn example(code: Option<&String>) -> Option<TokenStream> {
    let code = code?;
    let head = ["", " # Examples", "", " ```"].map(ToOwned::to_owned);
    let body = code.lines().map(|line| format!(" {line}"));
    let lines = head.into_iter().chain(body).chain([" ```".to_owned()]);
    Some(quote!(#(#[doc = #lines])*))
}

fn wrap(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in paragraph.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// A number of seconds as a duration of the standard library.
pub(super) fn seconds(count: u64) -> TokenStream {
    quote!(std::time::Duration::from_secs(#count))
}

/// A constant list of permissions.
pub(super) fn permissions(permissions: &[Variant]) -> TokenStream {
    let names = permissions.iter().map(|permission| &permission.name);
    quote!(&[#(crate::Permission::#names),*])
}
