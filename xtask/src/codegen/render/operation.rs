//! An operation: its value type, and the implementation of the trait.

use proc_macro2::TokenStream;
use quote::quote;

use super::parts::{constructor, docs, example, member_type, operation_docs, permissions, rust_type, seconds};
use crate::codegen::contract::{Answer, Facts, Field, Operation, Segment, Ty};

pub(super) fn operation(operation: &Operation) -> TokenStream {
    let name = &operation.name;
    let structure = (!operation.is_its_body()).then(|| structure(operation));
    let (id, template, method) = (&operation.id, &operation.path, &operation.method);
    let facts = facts(&operation.facts);
    let path = path(operation);
    let query = query(&operation.query_parameters);
    let body = operation.body.as_ref().map(|_| {
        let value = if operation.is_its_body() {
            quote!(self)
        } else {
            quote!(&self.body)
        };
        quote! {
            fn body(&self) -> Result<Option<bytes::Bytes>, serde_json::Error> {
                serde_json::to_vec(#value).map(|body| Some(body.into()))
            }
        }
    });
    let argument = if matches!(operation.answer, Answer::Empty) {
        quote!(_)
    } else {
        quote!(body)
    };
    let (output, decode) = match &operation.answer {
        Answer::Json(ty) => (rust_type(ty), quote!(crate::decode::json(body))),
        Answer::Text => (quote!(String), quote!(Ok(crate::decode::text(body)))),
        Answer::Empty => (quote!(()), quote!(Ok(()))),
    };
    quote! {
        #structure

        impl crate::Operation for #name {
            type Output = #output;
            const ID: &'static str = #id;
            const METHOD: http::Method = http::Method::#method;
            const TEMPLATE: &'static str = #template;
            #facts
            #path
            #query
            #body
            fn decode(#argument: &[u8]) -> Result<Self::Output, crate::DecodeError> {
                #decode
            }
        }
    }
}

/// The constants that differ from the trait's defaults, and the one that has none.
fn facts(facts: &Facts) -> TokenStream {
    let idempotent = facts.idempotent;
    let public = facts.public.then(|| {
        quote!(
            const PUBLIC: bool = true;
        )
    });
    let within = facts.answers_within.map(|count| {
        let duration = seconds(count);
        quote!(const ANSWERS_WITHIN: Option<std::time::Duration> = Some(#duration);)
    });
    let permissions = (!facts.permissions.is_empty()).then(|| {
        let list = permissions(&facts.permissions);
        quote!(const PERMISSIONS: &'static [crate::Permission] = #list;)
    });
    quote! {
        #public
        const IDEMPOTENT: bool = #idempotent;
        #within
        #permissions
    }
}

/// The value type of an operation: its parameters, and its body if it has one.
fn structure(operation: &Operation) -> TokenStream {
    let name = &operation.name;
    let (doc, example) = (operation_docs(operation), example(operation.example.as_ref()));
    let fields = operation.fields();
    let members = fields.iter().map(|field| {
        let (doc, ident, ty) = (docs(&field.doc), &field.name, member_type(field));
        quote! { #doc pub #ident: #ty, }
    });
    let constructor = constructor(name, &fields);
    let comparison = (!operation.has_secrets).then(|| quote!(, PartialEq));
    quote! {
        #doc
        #example
        #[derive(Debug, Clone #comparison)]
        #[non_exhaustive]
        pub struct #name { #(#members)* }
        #constructor
    }
}

/// `/snapshots/{id}/activate` as a concatenation, each parameter encoded.
fn path(operation: &Operation) -> TokenStream {
    let template = &operation.path;
    if operation.path_parameters.is_empty() {
        return quote!(fn path(&self) -> String { #template.to_owned() });
    }
    let mut pieces = Vec::new();
    let mut literal = String::new();
    for segment in &operation.segments {
        literal.push('/');
        match segment {
            Segment::Literal(text) => literal.push_str(text),
            Segment::Parameter(ident) => {
                let before = std::mem::take(&mut literal);
                pieces.push(quote!(path.push_str(#before);));
                pieces.push(quote!(path.push_str(&crate::operation::encode(&self.#ident));));
            }
        }
    }
    if !literal.is_empty() {
        pieces.push(quote!(path.push_str(#literal);));
    }
    quote! {
        fn path(&self) -> String {
            let mut path = String::new();
            #(#pieces)*
            path
        }
    }
}

fn query(parameters: &[Field]) -> Option<TokenStream> {
    if parameters.is_empty() {
        return None;
    }
    let set = parameters.iter().map(|field| {
        let (wire, ident) = (&field.wire, &field.name);
        if matches!(field.ty, Ty::List(_)) {
            let items = if field.required {
                quote!(&self.#ident)
            } else {
                quote!(self.#ident.iter().flatten())
            };
            quote!(for value in #items { query.set(#wire, Some(value)); })
        } else if field.required {
            quote!(query.set(#wire, Some(&self.#ident));)
        } else {
            quote!(query.set(#wire, self.#ident.as_ref());)
        }
    });
    Some(quote! {
        fn query(&self) -> Option<String> {
            let mut query = crate::operation::Query::default();
            #(#set)*
            query.finish()
        }
    })
}
