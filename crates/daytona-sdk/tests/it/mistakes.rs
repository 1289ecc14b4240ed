//! The commonest mistakes: the compiler's message says what to do. The messages are those of the pinned toolchain.

#[test]
fn mistakes_are_told_readably() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
