//! Operations: paths, parameters, bodies, answers, and the facts about them.

use std::collections::BTreeSet;

use openapiv3::{
    OpenAPI, Operation as ApiOperation, Parameter, ParameterSchemaOrContent, PathItem, ReferenceOr, Response, Schema,
    SchemaKind, StatusCode, Type,
};
use proc_macro2::Ident;
use serde_json::Value;

use super::model::{
    Answer, Facts, Field, Operation, PERMISSION, Result, Segment, Ty, Variant, described, inline, unique, unknown,
};
use super::names;
use super::schema::{EXAMPLE, example, known, reference_or_type};

const IDEMPOTENT: &str = "x-idempotent";
const ANSWERS_WITHIN: &str = "x-answers-within-seconds";
const PERMISSIONS: &str = "x-permissions";

/// All operations, each with its tag.
pub(super) fn read(api: &OpenAPI) -> Result<Vec<(String, Operation)>> {
    let mut operations = Vec::new();
    let mut names = BTreeSet::new();
    for (path, item) in api.paths.iter() {
        let item = inline(item, path)?;
        for (method, operation) in item.iter() {
            let tag = operation
                .tags
                .first()
                .ok_or_else(|| unknown(path, "an operation without a tag"))?;
            let operation = read_operation(api, path, item, method, operation)?;
            unique(&mut names, &operation.name, &operation.id)?;
            let is_schema = api
                .components
                .as_ref()
                .is_some_and(|components| components.schemas.contains_key(&operation.name.to_string()));
            if is_schema && !operation.is_its_body() {
                return Err(unknown(
                    &operation.id,
                    format!("its type would have the name of the schema `{}`", operation.name),
                ));
            }
            operations.push((tag.clone(), operation));
        }
    }
    Ok(operations)
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
    known(
        &id,
        operation.extensions.keys(),
        &[IDEMPOTENT, ANSWERS_WITHIN, PERMISSIONS, EXAMPLE],
    )?;
    let (path_parameters, query_parameters) = parameters(api, &id, item, operation)?;
    let body = match &operation.request_body {
        None => None,
        Some(body) => {
            let media = inline(body, &id)?.content.get("application/json");
            let schema = media.and_then(|media| media.schema.as_ref());
            let schema = schema.ok_or_else(|| unknown(&id, "a request body that is not JSON"))?;
            Some(reference_or_type(&id, schema)?)
        }
    };
    let mut answers = operation.responses.responses.iter();
    let success = answers.find(|(status, _)| matches!(status, StatusCode::Code(200..=299)));
    let (_, success) = success.ok_or_else(|| unknown(&id, "no successful answer"))?;
    let failure = match operation.responses.default.as_ref() {
        None => None,
        Some(response) => match read_answer(&id, resolve_response(api, &id, response)?)? {
            Answer::Json(ty) => ty.name().cloned(),
            Answer::Text | Answer::Empty => None,
        },
    };
    let summary = described(&id, operation.summary.as_deref())?;
    let doc = [Some(summary), operation.description.clone()];
    let operation = Operation {
        name: names::operation(&id)?,
        segments: segments(&id, path, &path_parameters)?,
        method: quote::format_ident!("{}", method.to_uppercase()),
        path: path.to_owned(),
        doc: doc.into_iter().flatten().collect::<Vec<_>>().join("\n\n"),
        example: example(&id, operation.extensions.get(EXAMPLE))?,
        deprecated: operation.deprecated,
        facts: facts(api, &id, method, operation)?,
        path_parameters,
        query_parameters,
        body,
        // Known once all schemas are.
        has_secrets: false,
        answer: read_answer(&id, resolve_response(api, &id, success)?)?,
        failure,
        id,
    };
    let mut names = BTreeSet::new();
    for field in operation.fields() {
        unique(&mut names, &field.name, &format!("{}.{}", operation.id, field.wire))?;
    }
    Ok(operation)
}

fn facts(api: &OpenAPI, id: &str, method: &str, operation: &ApiOperation) -> Result<Facts> {
    let extension = |name: &str| operation.extensions.get(name);
    let idempotent = match extension(IDEMPOTENT) {
        // RFC 9110, section 9.2.2.
        None => !matches!(method, "post" | "patch"),
        Some(value) => value
            .as_bool()
            .ok_or_else(|| unknown(id, format!("`{IDEMPOTENT}` is not true or false")))?,
    };
    let answers_within = match extension(ANSWERS_WITHIN) {
        None => None,
        Some(value) => Some(
            value
                .as_u64()
                .filter(|seconds| *seconds > 0)
                .ok_or_else(|| unknown(id, format!("`{ANSWERS_WITHIN}` is not a number of seconds")))?,
        ),
    };
    let listed = match extension(PERMISSIONS) {
        None => Vec::new(),
        Some(value) => {
            let list = value.as_array().filter(|list| !list.is_empty());
            let texts = list.and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
            texts.ok_or_else(|| unknown(id, format!("`{PERMISSIONS}` is not a list of texts")))?
        }
    };
    let public = operation.security.as_ref().is_some_and(Vec::is_empty);
    if public && !listed.is_empty() {
        return Err(unknown(id, "an operation without credentials that needs permissions"));
    }
    let values = permission_values(api);
    let mut permissions = Vec::new();
    for permission in listed {
        if !values.contains(&permission) {
            return Err(unknown(
                id,
                format!("`{permission}` is not a value of the schema `{PERMISSION}`"),
            ));
        }
        permissions.push(Variant {
            name: names::variant(id, permission)?,
            wire: permission.to_owned(),
        });
    }
    Ok(Facts {
        public,
        idempotent,
        answers_within,
        permissions,
    })
}

/// The permissions that there are.
fn permission_values(api: &OpenAPI) -> Vec<&str> {
    let schemas = api.components.as_ref().map(|components| &components.schemas);
    let schema = schemas
        .and_then(|schemas| schemas.get(PERMISSION))
        .and_then(ReferenceOr::as_item);
    match schema.map(|schema: &Schema| &schema.schema_kind) {
        Some(SchemaKind::Type(Type::String(text))) => text.enumeration.iter().flatten().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Parameters of the path, and of the query. One of the operation replaces that of the same name of the path item.
fn parameters(api: &OpenAPI, id: &str, item: &PathItem, operation: &ApiOperation) -> Result<(Vec<Field>, Vec<Field>)> {
    let own: Vec<&Parameter> = (operation.parameters.iter())
        .map(|parameter| inline(parameter, id))
        .collect::<Result<_>>()?;
    let mut all = Vec::new();
    for shared in &item.parameters {
        let shared = inline(shared, id)?;
        if !own.iter().any(|parameter| address(parameter) == address(shared)) {
            all.push(shared);
        }
    }
    all.extend(own);
    let (mut in_path, mut in_query) = (Vec::new(), Vec::new());
    for parameter in all {
        let data = parameter.parameter_data_ref();
        let place = format!("{id}.{}", data.name);
        let ParameterSchemaOrContent::Schema(schema) = &data.format else {
            return Err(unknown(&place, "a parameter without a schema"));
        };
        let field = Field {
            name: names::field(&place, &data.name)?,
            wire: data.name.clone(),
            doc: described(&place, data.description.as_deref())?,
            ty: reference_or_type(&place, schema)?,
            required: data.required,
        };
        match parameter {
            Parameter::Path { .. } if field.ty == Ty::Text && field.required => in_path.push(field),
            Parameter::Path { .. } => {
                return Err(unknown(&place, "a parameter of the path that is not a required text"));
            }
            Parameter::Query { .. } if can_be_queried(api, &field.ty) => in_query.push(field),
            Parameter::Query { .. } => {
                return Err(unknown(
                    &place,
                    "a parameter of the query that is neither a plain value nor a list of them",
                ));
            }
            _ => {
                return Err(unknown(
                    &place,
                    "a parameter that is neither in the path nor in the query",
                ));
            }
        }
    }
    Ok((in_path, in_query))
}

/// What tells a parameter from others: where it is, and its name.
fn address(parameter: &Parameter) -> (bool, &str) {
    let in_path = matches!(parameter, Parameter::Path { .. });
    (in_path, parameter.parameter_data_ref().name.as_str())
}

/// Whether a value of the type is one text, or a list of such values, each of which is a parameter of its own.
fn can_be_queried(api: &OpenAPI, ty: &Ty) -> bool {
    match ty {
        Ty::List(item) => !matches!(**item, Ty::List(_)) && can_be_queried(api, item),
        Ty::Secret | Ty::Texts => false,
        Ty::Text | Ty::Date | Ty::Float | Ty::Small | Ty::Count | Ty::Bool => true,
        Ty::Named(name) => {
            let schemas = api.components.as_ref().map(|components| &components.schemas);
            let schema = schemas
                .and_then(|schemas| schemas.get(&name.to_string()))
                .and_then(ReferenceOr::as_item);
            schema.is_some_and(|schema| matches!(schema.schema_kind, SchemaKind::Type(Type::String(_))))
        }
    }
}

/// `/snapshots/{id}/activate` in pieces: each segment is a plain word or a parameter, and each parameter is used once.
fn segments(id: &str, path: &str, parameters: &[Field]) -> Result<Vec<Segment>> {
    let bad = |problem: String| unknown(id, format!("the path `{path}` {problem}"));
    let rest = path
        .strip_prefix('/')
        .ok_or_else(|| bad("does not begin with a slash".to_owned()))?;
    let mut unused: Vec<(&str, &Ident)> = (parameters.iter())
        .map(|field| (field.wire.as_str(), &field.name))
        .collect();
    let mut segments = Vec::new();
    for segment in rest.split('/') {
        let parameter = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        if let Some(parameter) = parameter {
            let at = unused.iter().position(|(wire, _)| *wire == parameter).ok_or_else(|| {
                bad(format!(
                    "has `{{{parameter}}}`, which is not described, or has it twice"
                ))
            })?;
            segments.push(Segment::Parameter(unused.swap_remove(at).1.clone()));
        } else {
            let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.~".contains(character);
            if segment.trim_matches('.').is_empty() || !segment.chars().all(is_plain) {
                return Err(bad(format!(
                    "has the segment `{segment}`, which is neither a plain word nor one parameter in braces"
                )));
            }
            segments.push(Segment::Literal(segment.to_owned()));
        }
    }
    match unused.first() {
        Some((parameter, _)) => Err(bad(format!("lacks the parameter `{parameter}`"))),
        None => Ok(segments),
    }
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
