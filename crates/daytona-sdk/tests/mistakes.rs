//! The commonest mistakes: the compiler's message says what to do. The messages are those of the pinned toolchain.
//!
//! Not among the tests of `cargo test`, because the compiler builds all dependencies once more for it: `cargo xtask ci` runs it,
//! as does `cargo test -p daytona-sdk --test mistakes`.

#[test]
fn mistakes_are_told_readably() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
