//! Reads the contract into the few things that the generator knows.

use std::collections::BTreeSet;

use openapiv3::{
    IntegerFormat, OpenAPI, Operation as ApiOperation, Parameter, ParameterSchemaOrContent, PathItem, ReferenceOr,
    Response, Schema, SchemaData, SchemaKind, StatusCode, StringFormat, Type, VariantOrUnknownOrEmpty,
};

use super::render::pascal;

/// What one tag of the contract becomes: a file.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) types: Vec<TypeDef>,
    pub(crate) operations: Vec<Operation>,
}

#[derive(Debug)]
pub(crate) struct TypeDef {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) kind: TypeKind,
}

#[derive(Debug)]
pub(crate) enum TypeKind {
    Struct(Vec<Field>),
    /// A set of texts that may grow.
    Enum(Vec<String>),
    /// A text with a type of its own.
    Newtype,
}

/// A property of a schema or a parameter of an operation.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) wire: String,
    pub(crate) doc: String,
    pub(crate) ty: Ty,
    pub(crate) required: bool,
    /// Function of the `lenient` module that decodes it.
    pub(crate) decode: Option<String>,
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
    List(Box<Ty>),
    Named(String),
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) doc: String,
    pub(crate) deprecated: bool,
    pub(crate) public: bool,
    pub(crate) path_parameters: Vec<Field>,
    pub(crate) query_parameters: Vec<Field>,
    pub(crate) body: Option<Ty>,
    pub(crate) answer: Answer,
    failure: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Answer {
    Json(Ty),
    Text,
    Empty,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ContractError {
    #[error(transparent)]
    Yaml(#[from] serde_norway::Error),
    #[error("{place}: {problem}")]
    Unknown { place: String, problem: String },
}

type Result<T> = std::result::Result<T, ContractError>;

/// Reads the contract; every construct that the generator has no rule for is an error that names its place.
pub(crate) fn read(text: &str) -> Result<Vec<Module>> {
    let api: OpenAPI = serde_norway::from_str(text)?;
    let mut operations = Vec::new();
    for (path, item) in api.paths.iter() {
        let item = inline(item, path)?;
        for (method, operation) in item.iter() {
            let tag = operation
                .tags
                .first()
                .ok_or_else(|| unknown(path, "an operation without a tag"))?;
            operations.push((tag.clone(), read_operation(&api, path, item, method, operation)?));
        }
    }
    let schemas = api.components.as_ref().map(|components| &components.schemas);
    for (_, operation) in &operations {
        let name = operation.type_name();
        if schemas.is_some_and(|schemas| schemas.contains_key(&name)) && !operation.is_its_body() {
            return Err(unknown(
                &operation.id,
                format!("its type would have the name of the schema `{name}`"),
            ));
        }
    }
    let mut placed = BTreeSet::new();
    let mut modules = Vec::new();
    for tag in &api.tags {
        let mut own: Vec<Operation> = Vec::new();
        for (_, operation) in operations.extract_if(.., |(name, _)| *name == tag.name) {
            own.push(operation);
        }
        let mut types = Vec::new();
        for operation in &own {
            for name in operation.named_types() {
                place(&api, &name, &mut placed, &mut types)?;
            }
        }
        modules.push(Module {
            name: tag.name.replace('-', "_"),
            doc: tag.description.clone().unwrap_or_default(),
            types,
            operations: own,
        });
    }
    match operations.first() {
        Some((tag, operation)) => Err(unknown(
            &operation.id,
            format!("its tag `{tag}` is not in the list of tags"),
        )),
        None => Ok(modules),
    }
}

impl Operation {
    pub(crate) fn type_name(&self) -> String {
        pascal(&self.id)
    }

    /// Whether the body is all there is to say and bears the operation's name: then the schema is the operation.
    pub(crate) fn is_its_body(&self) -> bool {
        let bare = self.path_parameters.is_empty() && self.query_parameters.is_empty();
        bare && self.body.as_ref().and_then(Ty::name) == Some(self.type_name())
    }

    /// What the operation's value type holds.
    pub(crate) fn fields(&self) -> Vec<Field> {
        let body = self.body.clone().map(|ty| Field {
            wire: "body".to_owned(),
            doc: "What is sent as JSON.".to_owned(),
            ty,
            required: true,
            decode: None,
        });
        let parameters = self.path_parameters.iter().chain(&self.query_parameters).cloned();
        parameters.chain(body).collect()
    }

    /// The named types that it uses directly, in the order of their appearance.
    fn named_types(&self) -> Vec<String> {
        let parameters = self
            .path_parameters
            .iter()
            .chain(&self.query_parameters)
            .map(|field| &field.ty);
        let answer = match &self.answer {
            Answer::Json(ty) => Some(ty),
            Answer::Text | Answer::Empty => None,
        };
        let mut names: Vec<String> = parameters
            .chain(&self.body)
            .chain(answer)
            .filter_map(Ty::name)
            .collect();
        names.extend(self.failure.clone());
        names
    }
}

impl Ty {
    fn name(&self) -> Option<String> {
        match self {
            Ty::Named(name) => Some(name.clone()),
            Ty::List(item) => item.name(),
            _ => None,
        }
    }
}

/// Adds a schema, and those it uses, to the module that is the first to need it.
fn place(api: &OpenAPI, name: &str, placed: &mut BTreeSet<String>, types: &mut Vec<TypeDef>) -> Result<()> {
    if !placed.insert(name.to_owned()) {
        return Ok(());
    }
    let schemas = api.components.as_ref().map(|components| &components.schemas);
    let schema = schemas
        .and_then(|schemas| schemas.get(name))
        .ok_or_else(|| unknown(name, "no such schema"))?;
    let schema = inline(schema, name)?;
    let kind = read_schema(name, schema)?;
    let used: Vec<String> = match &kind {
        TypeKind::Struct(fields) => fields.iter().filter_map(|field| field.ty.name()).collect(),
        TypeKind::Enum(_) | TypeKind::Newtype => Vec::new(),
    };
    types.push(TypeDef {
        name: name.to_owned(),
        doc: described(name, schema.schema_data.description.as_deref())?,
        kind,
    });
    used.iter().try_for_each(|name| place(api, name, placed, types))
}

fn read_schema(name: &str, schema: &Schema) -> Result<TypeKind> {
    match &schema.schema_kind {
        SchemaKind::Type(Type::Object(object)) => {
            let mut fields = Vec::new();
            for (wire, property) in &object.properties {
                let place = format!("{name}.{wire}");
                let (ty, data) = match property {
                    ReferenceOr::Item(schema) => (read_type(&place, schema)?, &schema.schema_data),
                    ReferenceOr::Reference { .. } => {
                        return Err(unknown(&place, "wrap the reference in `allOf`, with a description"));
                    }
                };
                fields.push(Field {
                    wire: wire.clone(),
                    doc: described(&place, data.description.as_deref())?,
                    required: object.required.contains(wire) && ty != Ty::Date,
                    decode: decode(data),
                    ty,
                });
            }
            Ok(TypeKind::Struct(fields))
        }
        SchemaKind::Type(Type::String(string)) if string.enumeration.is_empty() => Ok(TypeKind::Newtype),
        SchemaKind::Type(Type::String(string)) => {
            Ok(TypeKind::Enum(string.enumeration.iter().flatten().cloned().collect()))
        }
        _ => Err(unknown(name, "a schema that is neither an object nor a string")),
    }
}

fn read_type(place: &str, schema: &Schema) -> Result<Ty> {
    Ok(match &schema.schema_kind {
        SchemaKind::Type(Type::String(string)) if string.enumeration.is_empty() => match string.format {
            VariantOrUnknownOrEmpty::Empty => Ty::Text,
            VariantOrUnknownOrEmpty::Item(StringFormat::DateTime) => Ty::Date,
            VariantOrUnknownOrEmpty::Item(StringFormat::Password) => Ty::Secret,
            _ => return Err(unknown(place, "a string of an unknown format")),
        },
        SchemaKind::Type(Type::Number(_)) => Ty::Float,
        SchemaKind::Type(Type::Integer(integer)) => match &integer.format {
            VariantOrUnknownOrEmpty::Unknown(format) if format == "uint32" => Ty::Small,
            VariantOrUnknownOrEmpty::Unknown(format) if format == "uint64" => Ty::Count,
            VariantOrUnknownOrEmpty::Item(IntegerFormat::Int32 | IntegerFormat::Int64) => {
                return Err(unknown(place, "a signed integer"));
            }
            _ => return Err(unknown(place, "an integer that is neither uint32 nor uint64")),
        },
        SchemaKind::Type(Type::Boolean(_)) => Ty::Bool,
        SchemaKind::Type(Type::Array(array)) => match &array.items {
            Some(ReferenceOr::Item(item)) => Ty::List(Box::new(read_type(place, item)?)),
            Some(ReferenceOr::Reference { reference }) => Ty::List(Box::new(named(place, reference)?)),
            None => return Err(unknown(place, "a list of unknown items")),
        },
        SchemaKind::AllOf { all_of } => match all_of.as_slice() {
            [ReferenceOr::Reference { reference }] => named(place, reference)?,
            _ => return Err(unknown(place, "`allOf` of anything but one reference")),
        },
        _ => return Err(unknown(place, "a schema that the generator has no rule for")),
    })
}

fn read_operation(
    api: &OpenAPI,
    path: &str,
    item: &PathItem,
    method: &str,
    operation: &ApiOperation,
) -> Result<Operation> {
    let id = operation
        .operation_id
        .clone()
        .ok_or_else(|| unknown(path, "an operation without an id"))?;
    let (mut path_parameters, mut query_parameters) = (Vec::new(), Vec::new());
    for parameter in item.parameters.iter().chain(&operation.parameters) {
        let parameter = inline(parameter, &id)?;
        let data = parameter.parameter_data_ref();
        let place = format!("{id}.{}", data.name);
        let ParameterSchemaOrContent::Schema(schema) = &data.format else {
            return Err(unknown(&place, "a parameter without a schema"));
        };
        let field = Field {
            wire: data.name.clone(),
            doc: described(&place, data.description.as_deref())?,
            ty: reference_or_type(&place, schema)?,
            required: data.required,
            decode: None,
        };
        match parameter {
            Parameter::Path { .. } => path_parameters.push(field),
            Parameter::Query { .. } => query_parameters.push(field),
            _ => {
                return Err(unknown(
                    &place,
                    "a parameter that is neither in the path nor in the query",
                ));
            }
        }
    }
    let body = match &operation.request_body {
        None => None,
        Some(body) => {
            let media = inline(body, &id)?.content.get("application/json");
            let schema = media.and_then(|media| media.schema.as_ref());
            Some(reference_or_type(
                &id,
                schema.ok_or_else(|| unknown(&id, "a request body that is not JSON"))?,
            )?)
        }
    };
    let success = operation
        .responses
        .responses
        .iter()
        .find(|(status, _)| matches!(status, StatusCode::Code(200..=299)));
    let (_, success) = success.ok_or_else(|| unknown(&id, "no successful answer"))?;
    let failure = match operation.responses.default.as_ref() {
        None => None,
        Some(response) => match read_answer(&id, resolve_response(api, &id, response)?)? {
            Answer::Json(ty) => ty.name(),
            Answer::Text | Answer::Empty => None,
        },
    };
    let summary = described(&id, operation.summary.as_deref())?;
    let doc = [Some(summary), operation.description.clone()];
    Ok(Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        doc: doc.into_iter().flatten().collect::<Vec<_>>().join("\n\n"),
        deprecated: operation.deprecated,
        public: operation.security.as_ref().is_some_and(Vec::is_empty),
        path_parameters,
        query_parameters,
        body,
        answer: read_answer(&id, resolve_response(api, &id, success)?)?,
        failure,
        id,
    })
}

fn read_answer(id: &str, response: &Response) -> Result<Answer> {
    match response.content.first() {
        None => Ok(Answer::Empty),
        Some((media, content)) if media == "application/json" => {
            let schema = content
                .schema
                .as_ref()
                .ok_or_else(|| unknown(id, "a JSON answer without a schema"))?;
            reference_or_type(id, schema).map(Answer::Json)
        }
        Some((media, _)) if media == "application/octet-stream" => Ok(Answer::Text),
        Some((media, _)) => Err(unknown(id, format!("an answer of type {media}"))),
    }
}

fn resolve_response<'a>(api: &'a OpenAPI, id: &str, response: &'a ReferenceOr<Response>) -> Result<&'a Response> {
    let ReferenceOr::Reference { reference } = response else {
        return inline(response, id);
    };
    let responses = api.components.as_ref().map(|components| &components.responses);
    let name = reference.strip_prefix("#/components/responses/");
    let found = name.zip(responses).and_then(|(name, responses)| responses.get(name));
    inline(
        found.ok_or_else(|| unknown(id, format!("no such response: {reference}")))?,
        id,
    )
}

fn reference_or_type(place: &str, schema: &ReferenceOr<Schema>) -> Result<Ty> {
    match schema {
        ReferenceOr::Reference { reference } => named(place, reference),
        ReferenceOr::Item(schema) => read_type(place, schema),
    }
}

fn named(place: &str, reference: &str) -> Result<Ty> {
    match reference.strip_prefix("#/components/schemas/") {
        Some(name) => Ok(Ty::Named(name.to_owned())),
        None => Err(unknown(place, format!("a reference to {reference}"))),
    }
}

fn inline<'a, T>(item: &'a ReferenceOr<T>, place: &str) -> Result<&'a T> {
    item.as_item()
        .ok_or_else(|| unknown(place, "a reference where none is expected"))
}

fn decode(data: &SchemaData) -> Option<String> {
    Some(data.extensions.get("x-decode")?.as_str()?.to_owned())
}

fn described(place: &str, description: Option<&str>) -> Result<String> {
    match description.map(str::trim) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(unknown(place, "no description, and it is the rustdoc")),
    }
}

fn unknown(place: &str, problem: impl Into<String>) -> ContractError {
    ContractError::Unknown {
        place: place.to_owned(),
        problem: problem.into(),
    }
}
