//! Small made-up crates.

use std::fs;

use super::*;

/// The circles of a crate of these files.
fn circles(files: &[(&str, &str)]) -> Circles {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let target = Target {
        name: "made-up".to_owned(),
        root: folder.path().join("lib.rs"),
    };
    Circles::of(&target, folder.path()).unwrap()
}

/// The names of the modules of each circle.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let circles = circles(files);
    let names = circles.components.iter().map(|component| circles.names(component));
    names
        .map(|names| names.into_iter().collect::<Vec<_>>().join(" "))
        .collect()
}

/// `a` and `b` with these texts, below a root that only declares them.
fn pair(a: &str, b: &str) -> Vec<String> {
    found(&[("lib.rs", "mod a; mod b;"), ("a.rs", a), ("b.rs", b)])
}

const STRUCTS: &str = "pub struct A; pub fn function() {} pub enum Kind { One }";

#[test]
fn a_use_and_an_inline_path_make_a_circle() {
    let b = "pub struct B; fn f(a: crate::a::A) {}";
    for a in [
        "use crate::b::B; pub struct A(B);",
        "use super::b::B; pub struct A(B);",
        "use crate::b; pub struct A(b::B);",
        "use crate::{b::{self, B}}; pub struct A(B);",
        "use crate::b as other; pub struct A(other::B);",
        "use crate::b::*; pub struct A(B);",
        "use super::*; pub struct A(b::B);",
        "pub struct A; impl A { fn f() { crate::b::B; } }",
        "pub struct A; impl A { fn f() { use super::b; b::B; } }",
        "pub struct A(Vec<Option<super::b::B>>);",
        "pub struct A; fn f() { println!(\"{}\", crate::b::B); }",
        "pub struct A; macro_rules! m { () => { $crate::b::B } }",
        "pub struct A { #[serde(with = \"crate::b\")] x: u8 } fn f<T: Into<super::b::B>>() {}",
        "pub struct A { #[serde(default = \"crate::b::b\")] x: u8 }",
        "pub struct A; #[derive(crate::b::B)] struct C;",
        "pub struct A; impl From<A> for crate::b::B {}",
        "pub struct A; mod inner { fn f(b: super::super::b::B) {} }",
        "pub struct A; fn f(a: u8) -> u8 { match a { crate::b::C => 1, _ => 2 } }",
    ] {
        assert_eq!(pair(a, b), ["a b"], "{a}");
    }
}

#[test]
fn other_words_make_none() {
    let b = "pub struct B; fn f(a: crate::a::A) {}";
    for a in [
        "pub struct A; /// See [`crate::b::B`].\npub struct C;",
        "pub struct A; pub(in crate::b) struct C;",
        "use ::b::B; pub struct A(B);",
        "use std::fmt; pub struct A; impl fmt::Debug for A {}",
        "use other::{a, b::B}; pub struct A(B);",
        "pub struct A; fn f(x: A) { x.b.b(); let b = 1; format!(\"{b} {}\", x.b); }",
        "pub struct A; fn f() -> ::b::B { vec![::b::B] }",
        "pub struct A; fn f() { quote! { crate::b::B }; stringify!(crate::b::B); }",
    ] {
        assert!(pair(a, b).is_empty(), "{a}");
    }
}

#[test]
fn test_code_is_left_out() {
    let b = "use crate::a::A; pub struct B(A); pub fn b() {}";
    for a in [
        "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }",
        "pub struct A; #[cfg(test)] mod tests;",
        "pub struct A; #[cfg(all(test, unix))] use crate::b::B;",
        "pub struct A; #[test] fn f() { crate::b::b(); }",
        "pub struct A; #[tokio::test] async fn f() { crate::b::b(); }",
        "pub struct A { #[cfg(test)] b: crate::b::B }",
        "pub struct A; impl A { #[cfg(test)] fn f() { crate::b::b() } }",
        "pub struct A; fn f() { #[cfg(test)] let b = crate::b::B; #[cfg(test)] crate::b::b(); }",
        "#![cfg(test)] use crate::b::B; pub struct A;",
    ] {
        assert!(pair(a, b).is_empty(), "{a}");
    }
    for a in [
        "pub struct A; #[cfg(any(test, feature = \"x\"))] use crate::b::B;",
        "pub struct A; #[cfg(not(test))] use crate::b::B;",
    ] {
        assert_eq!(pair(a, b), ["a b"], "{a}");
    }
}

#[test]
fn a_facade_is_in_no_circle() {
    // The child takes a sibling from its parent's re-export, and the root re-exports once more.
    let parent = "mod a; mod b; pub use a::*; pub use b::B; pub(crate) use b::C as D;";
    let a = "use super::B; use crate::D; pub struct A(B, D);";
    let files = [
        (
            "lib.rs",
            "mod facade; pub use facade::{A, B}; pub(crate) use facade::D;",
        ),
        ("facade.rs", parent),
        ("facade/a.rs", a),
        ("facade/b.rs", "pub struct B; pub struct C;"),
    ];
    assert!(found(&files).is_empty());
    // The same way through the root to each other.
    let mut circle = files;
    circle[3].1 = "pub struct B(crate::A); pub struct C;";
    assert_eq!(found(&circle), ["facade::a facade::b"]);
}

#[test]
fn a_child_that_uses_its_parents_logic_is_in_a_circle_if_the_parent_uses_it() {
    let child = ("parent/child.rs", "pub struct Child; fn f() { super::logic(); }");
    let uses = "mod child; pub use child::Child; pub fn logic() {} fn f() -> Child { Child }";
    let only_exports = "mod child; pub use child::Child; pub fn logic() {}";
    let by_glob = "mod child; pub use child::*; pub fn logic() {} fn f() -> Child { Child }";
    let by_method_alone = "mod child; pub use child::Child; pub fn logic(x: u8) { x.child(); }";
    for (parent, circle) in [
        (uses, true),
        (only_exports, false),
        (by_glob, true),
        (by_method_alone, false),
    ] {
        let found = found(&[("lib.rs", "mod parent;"), ("parent.rs", parent), child]);
        assert_eq!(found.len(), usize::from(circle), "{parent}: {found:?}");
    }
}

#[test]
fn files_are_found_where_the_compiler_finds_them() {
    let uses = "pub struct It; fn f() { crate::user(); }";
    let root = "pub fn user() { outer::inner::deep::It; }";
    for (files, name) in [
        (
            &[
                ("lib.rs", "mod outer { pub mod inner { pub mod deep; } }"),
                ("outer/inner/deep.rs", uses),
            ][..],
            "outer::inner::deep",
        ),
        (
            &[
                ("lib.rs", "mod outer;"),
                ("outer/mod.rs", "pub mod inner;"),
                ("outer/inner.rs", "pub mod deep;"),
                ("outer/inner/deep/mod.rs", uses),
            ][..],
            "outer::inner::deep",
        ),
        (
            &[
                ("lib.rs", "mod outer;"),
                ("outer.rs", "#[path = \"elsewhere/x.rs\"] pub mod inner;"),
                ("elsewhere/x.rs", "pub mod deep;"),
                ("elsewhere/deep.rs", uses),
            ][..],
            "outer::inner::deep",
        ),
    ] {
        let mut files = files.to_vec();
        let text = format!("{} {root}", files[0].1);
        files[0].1 = &text;
        assert_eq!(found(&files), [format!("crate {name}")]);
    }
}

#[test]
fn imports_that_lead_round_end() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use a::*; pub use b::*;"),
        (
            "a.rs",
            "pub use crate::b::*; pub use crate::b::nobody; fn f() { nobody(); somebody(); }",
        ),
        (
            "b.rs",
            "pub use crate::a::*; pub use crate::a::nobody; pub fn g() { nobody(); }",
        ),
    ];
    assert!(found(&files).is_empty());
}

#[test]
fn variants_macros_and_names_for_two_things() {
    let enum_glob = "use crate::b::Kind::*; pub struct A; fn f() { One; }";
    assert_eq!(
        pair(enum_glob, &format!("{STRUCTS} use crate::a::A as Other;")),
        ["a b"]
    );
    // A macro that is exported lies at the root and belongs to its file.
    let macros = [
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "#[macro_export] macro_rules! m { () => {} } fn f() { crate::b::g(); }",
        ),
        ("b.rs", "pub fn g() { crate::m!(); }"),
    ];
    assert_eq!(found(&macros), ["a b"]);
    // A module and a function of one name; what a macro makes belongs to the module that calls it.
    let both = [
        ("lib.rs", "mod a; mod b; pub use a::a;"),
        ("a.rs", "pub fn a() {} make!(made); fn f() { crate::b::g(); }"),
        ("b.rs", "pub fn g() { crate::a(); }"),
    ];
    assert_eq!(found(&both), ["a b"]);
    let mut made = both;
    made[2].1 = "pub fn g() { crate::a::made(); }";
    assert_eq!(found(&made), ["a b"]);
}

#[test]
fn what_is_told_names_each_line() {
    let circles = circles(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;"),
        ("a.rs", "\nuse crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "use crate::c::C;\npub struct B(C, crate::c::C);\n"),
        ("c.rs", "pub struct C;\n\nfn f(a: super::a::A) {}\n"),
    ]);
    assert_eq!(
        circles.findings(&Allowed::new()),
        ["circle of 3 modules in made-up: a, b, c\n    \
         a → b → c → a\n      \
         a.rs:2: `crate::b::B` is of b\n      \
         b.rs:1: `crate::c::C` is of c (1 more)\n      \
         c.rs:3: `super::a::A` is of a"]
    );
    assert!(circles.report().contains("b.rs:2: `crate::c::C`"));
}

#[test]
fn the_list_of_allowed_circles_only_gets_shorter() {
    let circles = circles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub struct A(crate::b::B);"),
        ("b.rs", "pub struct B(crate::a::A);"),
    ]);
    let allowed = |list: &[&[&str]]| -> Allowed {
        let sets = list
            .iter()
            .map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Allowed::from([("made-up".to_owned(), sets.collect())])
    };
    assert!(circles.findings(&allowed(&[&["b", "a"]])).is_empty());
    // One more is an error, and so is one that is gone or has become smaller.
    assert_eq!(circles.findings(&allowed(&[])).len(), 1);
    let gone = circles.findings(&allowed(&[&["a", "b"], &["c", "d"]]));
    assert!(
        matches!(&gone[..], [one] if one.contains("no circle of exactly c, d")),
        "{gone:?}"
    );
    assert_eq!(circles.findings(&allowed(&[&["a", "b", "c"]])).len(), 2);
}

#[test]
fn what_is_no_rust_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lib.rs"), "fn f() {}\nfn {\n").unwrap();
    let target = |name: &str| Target {
        name: "made-up".to_owned(),
        root: folder.path().join(name),
    };
    let error = Circles::of(&target("lib.rs"), folder.path()).unwrap_err().to_string();
    assert!(error.contains("lib.rs:2: "), "{error}");
    let error = Circles::of(&target("main.rs"), folder.path()).unwrap_err().to_string();
    assert!(error.contains("main.rs: "), "{error}");
}
