//! Paths among the tokens of macros and attributes, which have no grammar.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::Lit;
use syn::ext::IdentExt as _;

/// The paths, with the place of each. In attributes texts may be paths: `with = "crate::seconds"`.
pub(super) fn paths(stream: TokenStream, texts_too: bool) -> Vec<(Vec<String>, Span)> {
    let mut found = Vec::new();
    collect(stream, texts_too, &mut found);
    found
}

fn collect(stream: TokenStream, texts_too: bool, found: &mut Vec<(Vec<String>, Span)>) {
    let mut path: Vec<String> = Vec::new();
    let mut begin = Span::call_site();
    let mut before = String::new();
    for token in stream {
        match token {
            TokenTree::Ident(ident) => {
                let name = ident.unraw().to_string();
                let continues = before == "::" && !path.is_empty();
                // A field, a method, a lifetime, a variable of a macro, another crate.
                let is_other = matches!(before.as_str(), "." | "'" | "::") || before == "$" && name != "crate";
                if !continues {
                    found.push((std::mem::take(&mut path), begin));
                    begin = ident.span();
                }
                if continues || !is_other {
                    path.push(name);
                }
                before.clear();
                continue;
            }
            TokenTree::Punct(punct) => {
                before.push(punct.as_char());
                if before == ":" || before == "::" {
                    continue;
                }
                // Of `x: ::y` the second part counts, of `..x` none.
                if punct.as_char() != ':' && before != ".." {
                    before = punct.as_char().to_string();
                }
            }
            TokenTree::Group(group) => {
                before.clear();
                collect(group.stream(), texts_too, found);
            }
            TokenTree::Literal(literal) => {
                before.clear();
                if texts_too && let Lit::Str(text) = Lit::new(literal) {
                    found.push((path_in(&text.value()), text.span()));
                }
            }
        }
        found.push((std::mem::take(&mut path), begin));
    }
    found.push((path, begin));
}

/// The path in a text; empty if the text is not a path of several names.
pub(super) fn path_in(text: &str) -> Vec<String> {
    let path = syn::parse_str::<syn::Path>(text).ok();
    let path = path.filter(|path| path.segments.len() > 1 && path.leading_colon.is_none());
    path.map(|path| segments(&path)).unwrap_or_default()
}

pub(super) fn segments(path: &syn::Path) -> Vec<String> {
    path.segments
        .iter()
        .map(|segment| segment.ident.unraw().to_string())
        .collect()
}
