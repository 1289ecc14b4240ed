//! Structs, open enums and newtypes.

use proc_macro2::TokenStream;
use quote::quote;

use super::parts::{constructor, docs, example, member_type, operation_docs};
use crate::codegen::contract::{Field, Operation, Structure, Ty, TypeDef, TypeKind, Variant};

/// A type; with the operation that it is, if it is one.
pub(super) fn type_def(def: &TypeDef, operation: Option<&Operation>) -> TokenStream {
    match &def.kind {
        TypeKind::Struct(fields) => structure(def, fields, operation),
        TypeKind::Enum(values) => open_enum(def, values),
        TypeKind::Newtype => newtype(def),
    }
}

fn structure(def: &TypeDef, structure: &Structure, operation: Option<&Operation>) -> TokenStream {
    let (name, fields) = (&def.name, &structure.fields);
    let (doc, example) = (docs(&def.doc), example(def.example.as_ref()));
    let members = fields.iter().map(|field| {
        let (doc, ident, ty) = (docs(&field.doc), &field.name, member_type(field));
        let serde = serde_attribute(field, structure.lenient);
        quote! { #doc #serde pub #ident: #ty, }
    });
    let constructor = constructor(name, fields);
    // Secrets cannot be compared.
    let comparable = !fields.iter().any(|field| field.ty == Ty::Secret);
    let comparison = comparable.then(|| quote!(, PartialEq));
    let from = structure
        .lenient
        .then(|| quote!(#[serde(from = "serde_json::Map<String, serde_json::Value>")]));
    let lenient = structure.lenient.then(|| lenient(def, fields));
    let operation = operation.map(|operation| {
        let doc = operation_docs(operation);
        quote! {
            #doc
            ///
        }
    });
    quote! {
        #operation
        #doc
        #example
        #[derive(Debug, Clone #comparison, serde::Serialize, serde::Deserialize)]
        #from
        #[non_exhaustive]
        pub struct #name { #(#members)* }
        #constructor
        #lenient
    }
}

/// Reads what it can from an object of any shape.
fn lenient(def: &TypeDef, fields: &[Field]) -> TokenStream {
    let name = &def.name;
    let values = fields.iter().map(|field| {
        let (ident, wire) = (&field.name, &field.wire);
        let read = match field.ty {
            Ty::Count => quote!(any_count),
            _ => quote!(any_text),
        };
        quote!(#ident: object.get(#wire).and_then(crate::lenient::#read),)
    });
    quote! {
        /// Never fails: each field takes what it can from whatever is there.
        impl From<serde_json::Map<String, serde_json::Value>> for #name {
            fn from(object: serde_json::Map<String, serde_json::Value>) -> Self {
                Self { #(#values)* }
            }
        }
    }
}

fn serde_attribute(field: &Field, lenient: bool) -> TokenStream {
    let mut parts = Vec::new();
    let wire = &field.wire;
    if field.name != wire.as_str() {
        parts.push(quote!(rename = #wire));
    }
    if !field.required {
        if !lenient {
            parts.push(quote!(default));
        }
        parts.push(quote!(skip_serializing_if = "Option::is_none"));
    }
    let function = match field.ty {
        Ty::Date => Some("crate::lenient::timestamp"),
        Ty::Count if !lenient => Some("crate::lenient::count"),
        Ty::Texts => Some("crate::lenient::texts"),
        _ => None,
    };
    if let Some(path) = function {
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

fn open_enum(def: &TypeDef, values: &[Variant]) -> TokenStream {
    let name = &def.name;
    let (doc, example) = (docs(&def.doc), example(def.example.as_ref()));
    let variants: Vec<_> = values.iter().map(|value| &value.name).collect();
    let variant_docs = values.iter().map(|value| format!(" `{}`", value.wire));
    let values: Vec<_> = values.iter().map(|value| &value.wire).collect();
    quote! {
        #doc
        ///
        /// The set of values is open: a value that this version does not know becomes `Unknown` and is sent back unchanged.
        #example
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

            /// Returns the value as the API spells it.
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
    let name = &def.name;
    let (doc, example) = (docs(&def.doc), example(def.example.as_ref()));
    quote! {
        #doc
        #example
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct #name(String);

        impl #name {
            /// Returns the text as the server sent it.
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
