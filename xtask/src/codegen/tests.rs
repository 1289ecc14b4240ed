//! What the generator makes of contracts, good and bad.

use std::fs;

use super::*;
#[test]
fn a_changed_file_is_reported_as_a_diff() {
    let present = vec![("a.rs".to_owned(), "one\ntwo\n".to_owned())];
    let wanted = vec![("a.rs".to_owned(), "one\nthree\n".to_owned())];
    let diff = difference(&present, &wanted);
    assert!(diff.contains("-two") && diff.contains("+three"), "{diff}");
    assert_eq!(difference(&wanted, &wanted), "");
}

#[test]
fn a_file_that_should_not_be_there_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let stale = vec![("old.rs".to_owned(), "x".to_owned())];
    let wanted = vec![("new.rs".to_owned(), "y".to_owned())];
    write_folder(folder.path(), &[], &stale).unwrap();
    write_folder(folder.path(), &stale, &wanted).unwrap();
    assert_eq!(read_folder(folder.path()).unwrap(), wanted);
}

#[test]
fn the_contract_gives_the_same_bytes_each_time() {
    let text = fs::read_to_string(crate::workspace().join(CONTRACT)).unwrap();
    assert_eq!(generate(&text).unwrap(), generate(&text).unwrap());
}

#[test]
fn a_construct_that_the_generator_does_not_know_is_named() {
    let text = "openapi: 3.0.3\ninfo: {title: t, version: '1'}\ntags: [{name: a}]\npaths:\n  /x:\n    get:\n      \
                operationId: getX\n      tags: [a]\n      responses:\n        '200':\n          description: d\n          \
                content:\n            application/json:\n              schema: {oneOf: [{type: string}]}\n";
    let error = generate(text).unwrap_err().to_string();
    assert!(error.contains("getX"), "{error}");
}
