//! From the contract's model to tokens.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::contract::{Answer, Field, Module, Operation, Ty, TypeDef, TypeKind};

/// `mod.rs`: the modules, and all that is in them.
pub(crate) fn root(modules: &[Module]) -> TokenStream {
    let names: Vec<_> = modules.iter().map(|module| format_ident!("{}", module.name)).collect();
    quote! {
        #![doc = " The contract as Rust, one module a tag."]
        #(mod #names;)*
        #(pub use #names::*;)*
    }
}

pub(crate) fn module(module: &Module) -> TokenStream {
    let doc = format!(" {}", module.doc);
    let types = module.types.iter().map(type_def);
    let operations = module.operations.iter().map(operation);
    quote! {
        #![doc = #doc]
        #(#operations)*
        #(#types)*
    }
}

fn type_def(def: &TypeDef) -> TokenStream {
    match &def.kind {
        TypeKind::Struct(fields) => structure(def, fields),
        TypeKind::Enum(values) => open_enum(def, values),
        TypeKind::Newtype => newtype(def),
    }
}

fn structure(def: &TypeDef, fields: &[Field]) -> TokenStream {
    let name = format_ident!("{}", def.name);
    let doc = docs(&def.doc);
    let members = fields.iter().map(|field| {
        let (doc, ident, ty) = (docs(&field.doc), snake(&field.wire), member_type(field));
        let serde = serde_attribute(field);
        quote! { #doc #serde pub #ident: #ty, }
    });
    let constructor = constructor(&name, fields);
    // Secrets cannot be compared.
    let comparable = !fields.iter().any(|field| field.ty == Ty::Secret);
    let comparison = comparable.then(|| quote!(, PartialEq));
    quote! {
        #doc
        #[derive(Debug, Clone #comparison, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub struct #name { #(#members)* }
        #constructor
    }
}

/// `new` with what is required; `Default` as well where nothing is.
fn constructor(name: &proc_macro2::Ident, fields: &[Field]) -> TokenStream {
    let required: Vec<_> = fields.iter().filter(|field| field.required).collect();
    let arguments = required.iter().map(|field| {
        let (ident, ty) = (snake(&field.wire), rust_type(&field.ty));
        match field.ty {
            Ty::Text | Ty::Secret | Ty::Named(_) => quote!(#ident: impl Into<#ty>),
            _ => quote!(#ident: #ty),
        }
    });
    let values = fields.iter().map(|field| {
        let ident = snake(&field.wire);
        match (&field.ty, field.required) {
            (_, false) => quote!(#ident: None),
            (Ty::Text | Ty::Secret | Ty::Named(_), true) => quote!(#ident: #ident.into()),
            (_, true) => quote!(#ident),
        }
    });
    let summary = if required.is_empty() {
        " One with nothing set."
    } else {
        " One with only what is required; the rest is not set."
    };
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

fn serde_attribute(field: &Field) -> TokenStream {
    let mut parts = Vec::new();
    let wire = &field.wire;
    if snake(wire) != wire.as_str() {
        parts.push(quote!(rename = #wire));
    }
    if !field.required {
        parts.push(quote!(default));
        parts.push(quote!(skip_serializing_if = "Option::is_none"));
    }
    let lenient = match (&field.decode, &field.ty) {
        (Some(function), _) => Some(function.as_str()),
        (None, Ty::Date) => Some("timestamp"),
        (None, Ty::Count) => Some("count"),
        (None, _) => None,
    };
    if let Some(function) = lenient {
        let path = format!("crate::lenient::{function}");
        parts.push(quote!(deserialize_with = #path));
    }
    if field.ty == Ty::Secret {
        parts.push(quote!(serialize_with = "crate::secret::expose"));
    }
    if parts.is_empty() {
        TokenStream::new()
    } else {
        quote!(#[serde(#(#parts),*)])
    }
}

fn open_enum(def: &TypeDef, values: &[String]) -> TokenStream {
    let name = format_ident!("{}", def.name);
    let doc = docs(&def.doc);
    let variants: Vec<_> = values.iter().map(|value| format_ident!("{}", pascal(value))).collect();
    let variant_docs = values.iter().map(|value| format!(" `{value}`"));
    quote! {
        #doc
        ///
        /// The set is open: a value that this version does not know is kept as `Unknown` and goes back unchanged.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum #name {
            #(#[doc = #variant_docs] #variants,)*
            /// A value that this version does not know.
            Unknown(String),
        }

        impl #name {
            /// Every value that this version knows.
            pub const KNOWN: &'static [Self] = &[#(Self::#variants),*];

            /// The value as it is on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    #(Self::#variants => #values,)*
                    Self::Unknown(value) => value,
                }
            }
        }

        impl From<&str> for #name {
            fn from(value: &str) -> Self {
                match value {
                    #(#values => Self::#variants,)*
                    _ => Self::Unknown(value.to_owned()),
                }
            }
        }

        impl From<String> for #name {
            fn from(value: String) -> Self {
                Self::from(value.as_str())
            }
        }

        impl std::fmt::Display for #name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl serde::Serialize for #name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for #name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::from)
            }
        }
    }
}

fn newtype(def: &TypeDef) -> TokenStream {
    let name = format_ident!("{}", def.name);
    let doc = docs(&def.doc);
    quote! {
        #doc
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct #name(String);

        impl #name {
            /// The text as the server gave it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for #name {
            fn from(value: &str) -> Self {
                Self(value.to_owned())
            }
        }

        impl From<String> for #name {
            fn from(value: String) -> Self {
                Self(value)
            }
        }

        impl From<#name> for String {
            fn from(value: #name) -> Self {
                value.0
            }
        }

        impl AsRef<str> for #name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for #name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    }
}

fn operation(operation: &Operation) -> TokenStream {
    let name = format_ident!("{}", operation.type_name());
    let structure = (!operation.is_its_body()).then(|| operation_structure(operation));
    let (id, template) = (&operation.id, &operation.path);
    let method = format_ident!("{}", operation.method);
    let path = path(&operation.path);
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
    let public = operation.public.then(|| {
        quote!(
            const PUBLIC: bool = true;
        )
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
            #public
            #path
            #query
            #body
            fn decode(#argument: &[u8]) -> Result<Self::Output, crate::DecodeError> {
                #decode
            }
        }
    }
}

/// The value type of an operation: its parameters, and its body if it has one.
fn operation_structure(operation: &Operation) -> TokenStream {
    let name = format_ident!("{}", operation.type_name());
    let address = format!(" `{} {}`", operation.method, operation.path);
    let doc = docs(&operation.doc);
    let deprecated = operation.deprecated.then(|| {
        quote! {
            ///
            /// Deprecated by the service.
        }
    });
    let fields = operation.fields();
    let members = fields.iter().map(|field| {
        let (doc, ident, ty) = (docs(&field.doc), snake(&field.wire), member_type(field));
        quote! { #doc pub #ident: #ty, }
    });
    let constructor = constructor(&name, &fields);
    quote! {
        #doc
        ///
        #[doc = #address]
        #deprecated
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct #name { #(#members)* }
        #constructor
    }
}

/// `/snapshots/{id}/activate` as a concatenation, each parameter encoded.
fn path(template: &str) -> TokenStream {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (parameter, tail) = after.split_once('}').expect("the template's braces are balanced");
        let ident = snake(parameter);
        pieces.push(quote!(path.push_str(#before);));
        pieces.push(quote!(path.push_str(&crate::operation::encode(&self.#ident));));
        rest = tail;
    }
    if pieces.is_empty() {
        return quote!(fn path(&self) -> String { #template.to_owned() });
    }
    if !rest.is_empty() {
        pieces.push(quote!(path.push_str(#rest);));
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
        let (wire, ident) = (&field.wire, snake(&field.wire));
        if field.required {
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

fn member_type(field: &Field) -> TokenStream {
    let ty = rust_type(&field.ty);
    if field.required { ty } else { quote!(Option<#ty>) }
}

fn rust_type(ty: &Ty) -> TokenStream {
    match ty {
        Ty::Text => quote!(String),
        Ty::Secret => quote!(secrecy::SecretString),
        Ty::Date => quote!(jiff::Timestamp),
        Ty::Float => quote!(f64),
        Ty::Small => quote!(u32),
        Ty::Count => quote!(u64),
        Ty::Bool => quote!(bool),
        Ty::List(item) => {
            let item = rust_type(item);
            quote!(Vec<#item>)
        }
        Ty::Named(name) => {
            let name = format_ident!("{name}");
            quote!(crate::#name)
        }
    }
}

/// Doc attributes, wrapped for reading.
fn docs(text: &str) -> TokenStream {
    let lines = text.split('\n').flat_map(|paragraph| wrap(paragraph, 110));
    let lines = lines.map(|line| if line.is_empty() { line } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}

fn wrap(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in paragraph.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// `organizationId` as `organization_id`; a keyword as a raw identifier.
fn snake(name: &str) -> proc_macro2::Ident {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(character.to_lowercase());
    }
    match text.as_str() {
        "ref" | "type" | "match" | "move" => format_ident!("r#{text}"),
        _ => format_ident!("{text}"),
    }
}

/// `build_failed`, `linux-vm`, `lastUsedAt` and `RTX-4090` as names of variants.
pub(crate) fn pascal(value: &str) -> String {
    let mut name = String::new();
    for word in value.split(['_', '-']) {
        let shout = word.len() > 1 && word.chars().all(|character| !character.is_lowercase());
        let mut characters = word.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        if shout {
            name.push_str(&characters.as_str().to_lowercase());
        } else {
            name.push_str(characters.as_str());
        }
    }
    name
}
