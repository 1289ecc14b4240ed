//! What the code of one module declares, imports and mentions. Test code is left out.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, Expr, ExprLit, Field, FieldValue, ForeignItem, ImplItem, Item, ItemMod, ItemUse, Lit, Local, Macro,
    Meta, PatIdent, Stmt, TraitItem, UseTree, Variant, Visibility,
};

use super::attributes::{is_test, of_item, path_of};
use super::tokens;

/// A module as it is written.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// The names of its items.
    pub(super) items: BTreeSet<String>,
    /// Macros that `#[macro_export]` puts into the root of the crate.
    pub(super) exported_macros: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    pub(super) mentions: Vec<Mention>,
    pub(super) children: Vec<Child>,
}

/// One name, or one `*`, of a `use` declaration.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// The name it has here; `None` for `*`.
    pub(super) name: Option<String>,
    pub(super) line: usize,
    /// It serves this module alone, so that it is no re-export.
    pub(super) is_private: bool,
    /// It stands inside a function, where no other module can see it.
    pub(super) is_local: bool,
}

/// A path somewhere in the code.
#[derive(Debug)]
pub(super) struct Mention {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// A module that this one declares.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: String,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) enum Place {
    /// In a file of its own, which `#[path]` may name.
    File(Option<String>),
    Inline(Code),
}

/// Macros whose tokens are not this crate's code.
const QUOTES: [&str; 5] = [
    "quote",
    "quote_spanned",
    "parse_quote",
    "parse_quote_spanned",
    "stringify",
];

impl Code {
    pub(super) fn of_file(text: &str) -> syn::Result<Self> {
        let file = syn::parse_file(text)?;
        if is_test(&file.attrs) {
            return Ok(Self::default());
        }
        Ok(Self::of(&file.items))
    }

    fn of(items: &[Item]) -> Self {
        let mut reader = Reader::default();
        for item in items.iter().filter(|item| !is_test(of_item(item))) {
            reader.top_level(item);
        }
        let Reader { mut code, bound, .. } = reader;
        // A variable may have the name of a function.
        code.mentions
            .retain(|mention| !matches!(mention.path.as_slice(), [name] if bound.contains(name)));
        code
    }
}

#[derive(Default)]
struct Reader {
    code: Code,
    /// The names of variables.
    bound: BTreeSet<String>,
    is_in_body: bool,
}

impl Reader {
    fn top_level(&mut self, item: &Item) {
        let name = match item {
            Item::Mod(module) => return self.child(module),
            Item::Use(import) => return self.import(import, false),
            Item::ExternCrate(named) => {
                if named.ident == "self"
                    && let Some((_, alias)) = &named.rename
                {
                    self.code.imports.push(Import {
                        path: vec!["crate".to_owned()],
                        name: Some(alias.unraw().to_string()),
                        line: line(alias.span()),
                        is_private: false,
                        is_local: false,
                    });
                }
                return;
            }
            Item::ForeignMod(block) => {
                for item in &block.items {
                    let name = match item {
                        ForeignItem::Fn(item) => &item.sig.ident,
                        ForeignItem::Static(item) => &item.ident,
                        ForeignItem::Type(item) => &item.ident,
                        _ => continue,
                    };
                    self.code.items.insert(name.unraw().to_string());
                }
                None
            }
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Macro(item) => {
                if let Some(name) = &item.ident
                    && item
                        .attrs
                        .iter()
                        .any(|attribute| attribute.path().is_ident("macro_export"))
                {
                    self.code.exported_macros.insert(name.unraw().to_string());
                }
                item.ident.as_ref()
            }
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::TraitAlias(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        self.code.items.extend(name.map(|name| name.unraw().to_string()));
        self.is_in_body = true;
        self.visit_item(item);
        self.is_in_body = false;
    }

    fn child(&mut self, module: &ItemMod) {
        let place = match &module.content {
            Some((_, items)) => Place::Inline(Code::of(items)),
            None => Place::File(module.attrs.iter().find_map(path_of)),
        };
        self.code.children.push(Child {
            name: module.ident.unraw().to_string(),
            place,
        });
    }

    fn import(&mut self, import: &ItemUse, is_local: bool) {
        // `::name` is another crate.
        if import.leading_colon.is_some() {
            return;
        }
        let is_private = match &import.vis {
            Visibility::Inherited => true,
            Visibility::Restricted(restricted) => restricted.path.is_ident("self"),
            Visibility::Public(_) => false,
        };
        let mut found = Vec::new();
        flatten(&import.tree, &[], &mut found);
        self.code
            .imports
            .extend(found.into_iter().map(|(path, name, line)| Import {
                path,
                name,
                line,
                is_private,
                is_local,
            }));
    }

    fn mention(&mut self, path: Vec<String>, span: Span) {
        if !path.is_empty() {
            self.code.mentions.push(Mention { path, line: line(span) });
        }
    }

    fn mention_all(&mut self, paths: Vec<(Vec<String>, Span)>) {
        for (path, span) in paths {
            self.mention(path, span);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(of_item(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, _: &'ast ItemMod) {
        // One inside a function has no name that others could use.
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        self.import(import, self.is_in_body);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !is_test(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Const(item) => &item.attrs,
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !is_test(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !is_test(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_field_value(&mut self, field: &'ast FieldValue) {
        if !is_test(&field.attrs) {
            visit::visit_field_value(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast Variant) {
        if !is_test(&variant.attrs) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if !is_test(&arm.attrs) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !is_test(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let attributes: &[Attribute] = match statement {
            Stmt::Macro(statement) => &statement.attrs,
            Stmt::Expr(Expr::Block(expression), _) => &expression.attrs,
            Stmt::Expr(Expr::Call(expression), _) => &expression.attrs,
            Stmt::Expr(Expr::MethodCall(expression), _) => &expression.attrs,
            Stmt::Expr(Expr::If(expression), _) => &expression.attrs,
            Stmt::Expr(Expr::Match(expression), _) => &expression.attrs,
            Stmt::Expr(Expr::Assign(expression), _) => &expression.attrs,
            Stmt::Expr(Expr::Return(expression), _) => &expression.attrs,
            _ => &[],
        };
        if !is_test(attributes) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {
        // Who may see it says nothing of what it uses.
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") || attribute.path().is_ident("cfg") {
            return;
        }
        match &attribute.meta {
            Meta::List(list) => self.mention_all(tokens::paths(list.tokens.clone(), true)),
            Meta::NameValue(pair) => {
                if let Expr::Lit(ExprLit {
                    lit: Lit::Str(text), ..
                }) = &pair.value
                {
                    self.mention(tokens::path_in(&text.value()), text.span());
                }
            }
            Meta::Path(_) => {}
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        let last = call.path.segments.last();
        if last.is_some_and(|last| QUOTES.iter().any(|quote| last.ident == quote)) {
            return;
        }
        self.mention_all(tokens::paths(call.tokens.clone(), false));
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = pattern.ident.unraw().to_string();
        if name.starts_with(|first: char| first.is_lowercase() || first == '_') {
            self.bound.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            self.mention(tokens::segments(path), first.ident.span());
        }
        visit::visit_path(self, path);
    }
}

fn flatten(tree: &UseTree, before: &[String], found: &mut Vec<(Vec<String>, Option<String>, usize)>) {
    let with = |ident: &Ident| {
        let mut path = before.to_vec();
        // `a::{self}` is `a`.
        if path.is_empty() || *ident != "self" {
            path.push(ident.unraw().to_string());
        }
        path
    };
    match tree {
        UseTree::Path(tree) => flatten(&tree.tree, &with(&tree.ident), found),
        UseTree::Name(tree) => {
            let path = with(&tree.ident);
            let name = path.last().cloned();
            found.push((path, name, line(tree.ident.span())));
        }
        UseTree::Rename(tree) => {
            let name = tree.rename.unraw().to_string();
            found.push((with(&tree.ident), Some(name), line(tree.ident.span())));
        }
        UseTree::Glob(tree) => found.push((before.to_vec(), None, line(tree.star_token.spans[0]))),
        UseTree::Group(tree) => tree.items.iter().for_each(|tree| flatten(tree, before, found)),
    }
}

fn line(span: Span) -> usize {
    span.start().line
}
