//! Schemas: what becomes a type, where it goes, and whether it can be written down.

use std::collections::{BTreeMap, BTreeSet};

use openapiv3::{
    AdditionalProperties, Components, IntegerFormat, ObjectType, OpenAPI, ReferenceOr, Schema, SchemaKind,
    StringFormat, StringType, Tag, Type, VariantOrUnknownOrEmpty,
};
use proc_macro2::Ident;
use serde_json::Value;

use super::model::{
    Field, Module, Result, Structure, Ty, TypeDef, TypeKind, Variant, described, inline, unique, unknown,
};
use super::names;

const LENIENT: &str = "x-lenient";
const SCHEMAS: &str = "x-schemas";
pub(super) const EXAMPLE: &str = "x-example";

/// The schemas that a tag claims for its module.
pub(super) fn of_tag(tag: &Tag) -> Result<Vec<Ident>> {
    known(&tag.name, tag.extensions.keys(), &[SCHEMAS])?;
    let Some(value) = tag.extensions.get(SCHEMAS) else {
        return Ok(Vec::new());
    };
    let list = value.as_array().into_iter().flatten();
    let texts = list.map(Value::as_str).collect::<Option<Vec<_>>>();
    let texts = texts.filter(|texts| !texts.is_empty());
    let texts = texts.ok_or_else(|| unknown(&tag.name, format!("`{SCHEMAS}` is not a list of names")))?;
    texts.into_iter().map(|name| names::schema(&tag.name, name)).collect()
}

/// Gives each schema to the module that is the first to need it.
pub(super) struct Placing<'a> {
    components: Option<&'a Components>,
    placed: BTreeSet<String>,
}

impl<'a> Placing<'a> {
    pub(super) fn new(api: &'a OpenAPI) -> Self {
        Self {
            components: api.components.as_ref(),
            placed: BTreeSet::new(),
        }
    }

    /// The types of these names that have no place yet, each followed by those that it uses.
    pub(super) fn place(&mut self, names: Vec<Ident>) -> Result<Vec<TypeDef>> {
        let mut types = Vec::new();
        let mut next = names;
        next.reverse();
        while let Some(ident) = next.pop() {
            let name = ident.to_string();
            if !self.placed.insert(name.clone()) {
                continue;
            }
            let schema = self.components.and_then(|components| components.schemas.get(&name));
            let schema = inline(schema.ok_or_else(|| unknown(&name, "no such schema"))?, &name)?;
            let kind = read_schema(&name, schema)?;
            if let TypeKind::Struct(structure) = &kind {
                let used = structure.fields.iter().filter_map(|field| field.ty.name());
                next.extend(used.rev().cloned());
            }
            types.push(TypeDef {
                name: ident,
                doc: described(&name, schema.schema_data.description.as_deref())?,
                example: example(&name, schema.schema_data.extensions.get(EXAMPLE))?,
                kind,
            });
        }
        Ok(types)
    }
}

/// Notes which operations have secrets in their bodies.
pub(super) fn note_secrets(modules: &mut [Module]) {
    let secret = with_secrets(modules);
    for operation in modules.iter_mut().flat_map(|module| &mut module.operations) {
        let body = operation.body.as_ref().and_then(Ty::name);
        operation.has_secrets = body.is_some_and(|name| secret.contains(&name.to_string()));
    }
}

/// The types that hold secrets themselves.
fn with_secrets(modules: &[Module]) -> BTreeSet<String> {
    let types = modules.iter().flat_map(|module| &module.types);
    let secret = types.filter(|def| match &def.kind {
        TypeKind::Struct(structure) => structure.fields.iter().any(|field| field.ty == Ty::Secret),
        TypeKind::Enum(_) | TypeKind::Newtype => false,
    });
    secret.map(|def| def.name.to_string()).collect()
}

/// Refuses types that Rust cannot have: one that contains itself, and a secret inside what is compared.
pub(super) fn check(modules: &[Module]) -> Result<()> {
    let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let secret = with_secrets(modules);
    for def in modules.iter().flat_map(|module| &module.types) {
        if let TypeKind::Struct(structure) = &def.kind {
            let fields = &structure.fields;
            let named = fields.iter().filter_map(|field| match &field.ty {
                Ty::Named(name) => Some(name.to_string()),
                _ => None,
            });
            parts.insert(def.name.to_string(), named.collect());
        }
    }
    let holders = modules.iter().flat_map(|module| {
        let types = module.types.iter().filter_map(|def| match &def.kind {
            TypeKind::Struct(structure) => Some((def.name.to_string(), structure.fields.clone())),
            TypeKind::Enum(_) | TypeKind::Newtype => None,
        });
        // What has secrets in its body is not compared.
        let compared = module.operations.iter().filter(|operation| !operation.has_secrets);
        let operations = compared.map(|operation| (operation.id.clone(), operation.fields()));
        let events = module.events.iter().map(|event| {
            let body = Field {
                name: event.variant.clone(),
                wire: event.wire.clone(),
                doc: String::new(),
                ty: Ty::Named(event.body.clone()),
                required: true,
            };
            ("x-webhooks".to_owned(), vec![body])
        });
        types.chain(operations).chain(events)
    });
    for (holder, fields) in holders {
        for field in fields {
            if field.ty.name().is_some_and(|name| secret.contains(&name.to_string())) {
                return Err(unknown(
                    &format!("{holder}.{}", field.wire),
                    "a schema with secrets inside another one, which would be compared",
                ));
            }
        }
    }
    match circle(&parts) {
        Some(name) => Err(unknown(name, "a schema that contains itself, and not in a list")),
        None => Ok(()),
    }
}

/// A type that contains itself, directly or through others. Types whose parts are all done are done themselves; what is
/// left when no more can be done goes round in a circle.
fn circle(parts: &BTreeMap<String, Vec<String>>) -> Option<&str> {
    let mut holders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, used) in parts {
        let used: Vec<&str> = (used.iter().map(String::as_str))
            .filter(|used| parts.contains_key(*used))
            .collect();
        open.insert(name, used.len());
        for part in used {
            holders.entry(part).or_default().push(name);
        }
    }
    let mut done: Vec<&str> = (open.iter())
        .filter(|(_, count)| **count == 0)
        .map(|(name, _)| *name)
        .collect();
    while let Some(name) = done.pop() {
        open.remove(name);
        for holder in holders.get(name).into_iter().flatten() {
            if let Some(count) = open.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    done.push(holder);
                }
            }
        }
    }
    open.into_keys().next()
}

fn read_schema(name: &str, schema: &Schema) -> Result<TypeKind> {
    known(name, schema.schema_data.extensions.keys(), &[LENIENT, EXAMPLE])?;
    match &schema.schema_kind {
        SchemaKind::Type(Type::Object(object)) => {
            let lenient = match schema.schema_data.extensions.get(LENIENT) {
                None => false,
                Some(value) => value
                    .as_bool()
                    .ok_or_else(|| unknown(name, format!("`{LENIENT}` is not true or false")))?,
            };
            read_object(name, object, lenient).map(TypeKind::Struct)
        }
        SchemaKind::Type(Type::String(string)) if string.enumeration.is_empty() => Ok(TypeKind::Newtype),
        SchemaKind::Type(Type::String(string)) => {
            let mut variants = Vec::new();
            let mut names = BTreeSet::new();
            for value in &string.enumeration {
                let wire = value
                    .clone()
                    .ok_or_else(|| unknown(name, "an enum that has null as a value"))?;
                let variant = names::variant(name, &wire)?;
                unique(&mut names, &variant, &format!("{name}, value `{wire}`"))?;
                variants.push(Variant { name: variant, wire });
            }
            Ok(TypeKind::Enum(variants))
        }
        _ => Err(unknown(name, "a schema that is neither an object nor a string")),
    }
}

fn read_object(name: &str, object: &ObjectType, lenient: bool) -> Result<Structure> {
    let mut fields = Vec::new();
    let mut names = BTreeSet::new();
    for (wire, property) in &object.properties {
        let place = format!("{name}.{wire}");
        let (ty, data) = match property {
            ReferenceOr::Item(schema) => (read_type(&place, schema)?, &schema.schema_data),
            ReferenceOr::Reference { .. } => {
                return Err(unknown(&place, "wrap the reference in `allOf`, with a description"));
            }
        };
        known(&place, data.extensions.keys(), &[])?;
        let field = Field {
            name: names::field(&place, wire)?,
            wire: wire.clone(),
            doc: described(&place, data.description.as_deref())?,
            required: object.required.contains(wire) && ty != Ty::Date,
            ty,
        };
        unique(&mut names, &field.name, &place)?;
        match (&field.ty, field.required) {
            (Ty::Count, true) => return Err(unknown(&place, "a count that is required")),
            (Ty::Texts, true) => return Err(unknown(&place, "texts by names that are required")),
            (Ty::Secret, false) => return Err(unknown(&place, "a secret that is not required")),
            (Ty::List(item), _) if matches!(**item, Ty::Secret) => {
                return Err(unknown(&place, "a list of secrets"));
            }
            (Ty::Text | Ty::Count, false) => {}
            _ if lenient => {
                return Err(unknown(
                    &place,
                    format!("`{LENIENT}` is for texts and counts that are not required"),
                ));
            }
            _ => {}
        }
        fields.push(field);
    }
    match object
        .required
        .iter()
        .find(|wire| !object.properties.contains_key(*wire))
    {
        Some(wire) => Err(unknown(name, format!("`{wire}` is required and not a property"))),
        None => Ok(Structure { fields, lenient }),
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
        SchemaKind::Type(Type::Object(object)) if is_map_of_texts(object) => Ty::Texts,
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

/// Whether an object has any names, and a text for each.
fn is_map_of_texts(object: &ObjectType) -> bool {
    let Some(AdditionalProperties::Schema(values)) = &object.additional_properties else {
        return false;
    };
    let kind = values.as_item().map(|schema| &schema.schema_kind);
    let is_text = matches!(kind, Some(SchemaKind::Type(Type::String(text))) if *text == StringType::default());
    is_text && object.properties.is_empty() && object.required.is_empty()
}

pub(super) fn reference_or_type(place: &str, schema: &ReferenceOr<Schema>) -> Result<Ty> {
    match schema {
        ReferenceOr::Reference { reference } => named(place, reference),
        ReferenceOr::Item(schema) => read_type(place, schema),
    }
}

fn named(place: &str, reference: &str) -> Result<Ty> {
    match reference.strip_prefix("#/components/schemas/") {
        Some(name) => names::schema(place, name).map(Ty::Named),
        None => Err(unknown(place, format!("a reference to {reference}"))),
    }
}

/// Code that the docs show, and that is tested with them.
pub(super) fn example(place: &str, code: Option<&Value>) -> Result<Option<String>> {
    match code {
        None => Ok(None),
        Some(Value::String(code)) if !code.contains("```") => Ok(Some(code.trim_end().to_owned())),
        Some(_) => Err(unknown(place, format!("`{EXAMPLE}` is not a text of code"))),
    }
}

/// An extension that nothing reads is a fact that gets lost.
pub(super) fn known<'a>(place: &str, mut extensions: impl Iterator<Item = &'a String>, names: &[&str]) -> Result<()> {
    match extensions.find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(unknown(
            place,
            format!("an extension that the generator does not know: `{name}`"),
        )),
        None => Ok(()),
    }
}
