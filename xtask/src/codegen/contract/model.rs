//! What the generator knows of a contract, and how it refuses one.

use std::collections::BTreeSet;

use openapiv3::ReferenceOr;
use proc_macro2::Ident;

/// The schema whose values are the permissions.
pub(super) const PERMISSION: &str = "Permission";

/// What one tag of the contract becomes: a file.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: Ident,
    pub(crate) doc: String,
    pub(crate) types: Vec<TypeDef>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) events: Vec<Event>,
}

#[derive(Debug)]
pub(crate) struct TypeDef {
    pub(crate) name: Ident,
    pub(crate) doc: String,
    pub(crate) example: Option<String>,
    pub(crate) kind: TypeKind,
}

#[derive(Debug)]
pub(crate) enum TypeKind {
    Struct(Structure),
    /// A set of texts that may grow.
    Enum(Vec<Variant>),
    /// A text with a type of its own.
    Newtype,
}

#[derive(Debug)]
pub(crate) struct Structure {
    pub(crate) fields: Vec<Field>,
    /// Whether an object of any shape can be read: each field takes what it can from whatever is there.
    pub(crate) lenient: bool,
}

/// A value of an enum.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) name: Ident,
    pub(crate) wire: String,
}

/// A property of a schema or a parameter of an operation.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) wire: String,
    pub(crate) doc: String,
    pub(crate) ty: Ty,
    pub(crate) required: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ty {
    Text,
    Secret,
    Date,
    Float,
    Small,
    Count,
    Bool,
    /// Texts by names of the user's choice.
    Texts,
    List(Box<Ty>),
    Named(Ident),
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) name: Ident,
    pub(crate) method: Ident,
    pub(crate) path: String,
    /// The path in pieces.
    pub(crate) segments: Vec<Segment>,
    pub(crate) doc: String,
    pub(crate) example: Option<String>,
    pub(crate) deprecated: bool,
    pub(crate) facts: Facts,
    pub(crate) path_parameters: Vec<Field>,
    pub(crate) query_parameters: Vec<Field>,
    pub(crate) body: Option<Ty>,
    /// Whether there are secrets in its body, which cannot be compared.
    pub(crate) has_secrets: bool,
    pub(crate) answer: Answer,
    pub(super) failure: Option<Ident>,
}

/// What a client has to know of an operation before it sends it.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Whether it works without credentials.
    pub(crate) public: bool,
    /// Whether doing it twice is doing it once.
    pub(crate) idempotent: bool,
    /// Seconds for which the server may hold its answer back.
    pub(crate) answers_within: Option<u64>,
    /// Permissions of an API key, one of which is enough: values of the schema `Permission`.
    pub(crate) permissions: Vec<Variant>,
}

/// One segment of a path.
#[derive(Debug)]
pub(crate) enum Segment {
    Literal(String),
    /// A parameter of the path.
    Parameter(Ident),
}

#[derive(Debug)]
pub(crate) enum Answer {
    Json(Ty),
    Text,
    Empty,
}

/// A kind of webhook.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) wire: String,
    pub(crate) variant: Ident,
    pub(crate) doc: String,
    pub(crate) body: Ident,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ContractError {
    #[error(transparent)]
    Yaml(#[from] serde_norway::Error),
    #[error("{place}: {problem}")]
    Unknown { place: String, problem: String },
}

pub(super) type Result<T> = std::result::Result<T, ContractError>;

impl Operation {
    /// Whether the body is all there is to say and bears the operation's name: then the schema is the operation.
    pub(crate) fn is_its_body(&self) -> bool {
        let bare = self.path_parameters.is_empty() && self.query_parameters.is_empty();
        bare && self.body.as_ref().and_then(Ty::name) == Some(&self.name)
    }

    /// What the operation's value type holds.
    pub(crate) fn fields(&self) -> Vec<Field> {
        let body = self.body.clone().map(|ty| Field {
            name: quote::format_ident!("body"),
            wire: "body".to_owned(),
            doc: "The JSON body.".to_owned(),
            ty,
            required: true,
        });
        let parameters = self.path_parameters.iter().chain(&self.query_parameters).cloned();
        parameters.chain(body).collect()
    }

    /// The named types that it uses directly, in the order of their appearance.
    pub(super) fn named_types(&self) -> Vec<Ident> {
        let parameters = self.path_parameters.iter().chain(&self.query_parameters);
        let answer = match &self.answer {
            Answer::Json(ty) => Some(ty),
            Answer::Text | Answer::Empty => None,
        };
        let types = parameters.map(|field| &field.ty).chain(&self.body).chain(answer);
        let mut names: Vec<Ident> = types.filter_map(Ty::name).cloned().collect();
        names.extend(self.failure.clone());
        if !self.facts.permissions.is_empty() {
            names.push(quote::format_ident!("{}", PERMISSION));
        }
        names
    }
}

impl Ty {
    /// The named type that it is, or is a list of.
    pub(crate) fn name(&self) -> Option<&Ident> {
        match self {
            Ty::Named(name) => Some(name),
            Ty::List(item) => item.name(),
            _ => None,
        }
    }
}

/// Refuses a second thing of one name.
pub(super) fn unique(seen: &mut BTreeSet<String>, name: &Ident, place: &str) -> Result<()> {
    if seen.insert(name.to_string()) {
        return Ok(());
    }
    Err(unknown(
        place,
        format!("the name `{name}` in Rust is taken by another one"),
    ))
}

pub(super) fn inline<'a, T>(item: &'a ReferenceOr<T>, place: &str) -> Result<&'a T> {
    item.as_item()
        .ok_or_else(|| unknown(place, "a reference where none is expected"))
}

pub(super) fn described(place: &str, description: Option<&str>) -> Result<String> {
    match description.map(str::trim) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(unknown(place, "no description, and it is the rustdoc")),
    }
}

pub(super) fn unknown(place: &str, problem: impl Into<String>) -> ContractError {
    ContractError::Unknown {
        place: place.to_owned(),
        problem: problem.into(),
    }
}
