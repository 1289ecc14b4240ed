//! From names of the contract to names of Rust.

use proc_macro2::Ident;

use super::model::{Result, unknown};

/// Types that the generated code names without a path, and those that the crate itself defines.
const TAKEN: [&str; 16] = [
    "AsRef",
    "DecodeError",
    "Default",
    "Err",
    "From",
    "Into",
    "None",
    "Ok",
    "Operation",
    "Option",
    "RequestError",
    "Result",
    "Some",
    "String",
    "Vec",
    "Webhook",
];

/// `organizationId` as `organization_id`; a keyword as a raw identifier.
pub(super) fn field(place: &str, wire: &str) -> Result<Ident> {
    let mut text = String::new();
    for character in wire.chars() {
        if character.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(character.to_lowercase());
    }
    identifier(place, wire, &text)
}

/// `build_failed`, `linux-vm`, `lastUsedAt`, `RTX-4090` and `write:snapshots` as names of variants.
pub(super) fn variant(place: &str, value: &str) -> Result<Ident> {
    let name = identifier(place, value, &pascal(value))?;
    if name == "Unknown" {
        return Err(unknown(
            place,
            format!("`{value}` would have the name of the variant for values that are not known"),
        ));
    }
    Ok(name)
}

/// A schema's name.
pub(super) fn schema(place: &str, name: &str) -> Result<Ident> {
    if !name.starts_with(|first: char| first.is_ascii_uppercase()) {
        return Err(unknown(
            place,
            format!("the schema's name `{name}` does not begin with a capital"),
        ));
    }
    type_name(place, name, name)
}

/// The type of an operation.
pub(super) fn operation(id: &str) -> Result<Ident> {
    type_name(id, id, &pascal(id))
}

fn type_name(place: &str, wire: &str, name: &str) -> Result<Ident> {
    if TAKEN.contains(&name) {
        return Err(unknown(
            place,
            format!("the type's name `{name}` means something else in the generated code"),
        ));
    }
    identifier(place, wire, name)
}

/// A tag as the name of a module, which is that of a file too.
pub(super) fn module(tag: &str) -> Result<Ident> {
    let name = identifier(tag, tag, &tag.replace('-', "_"))?;
    let text = name.to_string();
    if text == "mod" || text.contains('#') || text.ends_with('_') || text.contains(char::is_uppercase) {
        return Err(unknown(
            tag,
            "a tag names a file: small letters, digits and dashes, and not a keyword",
        ));
    }
    Ok(name)
}

/// The text as an identifier, raw where it is a keyword.
fn identifier(place: &str, wire: &str, text: &str) -> Result<Ident> {
    let is_word = text
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || character == '_');
    let starts_well = text.starts_with(|first: char| !first.is_ascii_digit());
    if !is_word || !starts_well || text.chars().all(|character| character == '_') {
        return Err(unknown(place, format!("`{wire}` gives no name in Rust: `{text}`")));
    }
    Ok(match text {
        // These cannot be raw.
        "self" | "Self" | "super" | "crate" => quote::format_ident!("{text}_"),
        // A keyword since the edition of 2024.
        "gen" => quote::format_ident!("r#{text}"),
        _ if syn::parse_str::<Ident>(text).is_ok() => quote::format_ident!("{text}"),
        _ => quote::format_ident!("r#{text}"),
    })
}

fn pascal(value: &str) -> String {
    let mut name = String::new();
    for word in value.split(['_', '-', '.', ':']) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_habits_of_rust() {
        for (wire, name) in [
            ("organizationId", "organization_id"),
            ("ref", "r#ref"),
            ("async", "r#async"),
            ("gen", "r#gen"),
            ("self", "self_"),
            ("crate", "crate_"),
        ] {
            assert_eq!(field("x", wire).unwrap().to_string(), name);
        }
        for (wire, name) in [
            ("build_failed", "BuildFailed"),
            ("lastUsedAt", "LastUsedAt"),
            ("RTX-4090", "Rtx4090"),
            ("read:audit_logs", "ReadAuditLogs"),
            ("snapshot.state.updated", "SnapshotStateUpdated"),
            ("self", "Self_"),
        ] {
            assert_eq!(variant("x", wire).unwrap().to_string(), name);
        }
    }

    #[test]
    fn every_keyword_is_a_name() {
        for keyword in [
            "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn",
            "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
            "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct",
            "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while",
            "yield",
        ] {
            let name = field("x", keyword).unwrap().to_string();
            assert_ne!(name, keyword);
            syn::parse_str::<syn::ItemStruct>(&format!("struct X {{ {name}: u8 }}")).unwrap();
        }
    }

    #[test]
    fn what_gives_no_name_is_refused() {
        for wire in [
            "",
            "_",
            "__",
            "4090",
            "a b",
            "a/b",
            "é",
            "r#x",
            "a\n",
            "--",
            "{",
            "a /* b */",
        ] {
            assert!(field("x", wire).is_err(), "{wire}");
            assert!(variant("x", wire).is_err(), "{wire}");
            assert!(operation(wire).is_err(), "{wire}");
            assert!(module(wire).is_err(), "{wire}");
            assert!(schema("x", wire).is_err(), "{wire}");
        }
        assert!(variant("x", "unknown").is_err());
        assert!(module("mod").is_err() && module("../x").is_err() && module("type").is_err());
        assert!(schema("x", "String").is_err() && schema("x", "lower").is_err() && operation("operation").is_err());
    }
}
