//! Docker's ignore rules.

use daytona_image::ignore::IgnoreRules;
use proptest::prelude::*;

fn is_ignored(patterns: &[&str], path: &str) -> bool {
    IgnoreRules::new(patterns).unwrap().decide(path).is_ignored()
}

/// Patterns, and paths that they ignore or not: from Docker's documentation, and from the issues that users have filed.
#[test]
fn paths_are_ignored_as_docker_does() {
    #[rustfmt::skip]
    let table: &[(&[&str], &[&str], &[&str])] = &[
        // Docker's own examples.
        (&["*/temp*"], &["somedir/temporary.txt", "somedir/temp"], &["temp", "a/b/temp", "somedir/xtemp"]),
        (&["*/*/temp*"], &["a/b/temporary.txt"], &["a/temp", "a/b/c/temp"]),
        (&["temp?"], &["tempa", "tempb", "tempa/x"], &["temp", "tempab", "a/tempa"]),
        (&["**/*.go"], &["a.go", "a/b/c.go"], &["a.gox", "a/go"]),
        (&["*.md", "!README.md"], &["a.md"], &["README.md", "a/b.md"]),
        (&["*.md", "!README*.md", "README-secret.md"], &["README-secret.md", "x.md"], &["README.md"]),
        (&["*.md", "README-secret.md", "!README*.md"], &["x.md"], &["README-secret.md"]),
        // Patterns that other tools get wrong.
        (&["**/node_modules/"], &["node_modules", "node_modules/x", "a/node_modules/b/c"], &["node_modules2", "a/xnode_modules"]),
        (&["**/*.pyc"], &["a.pyc", "x/y/.pyc", "x/y.pyc"], &["a.pyc.txt"]),
        (&["/dist"], &["dist", "dist/x"], &["a/dist"]),
        (&["**/env"], &["env", "a/env", "a/env/b"], &["environment", "a/.env"]),
        (&["dist"], &["dist", "dist/a/b"], &["a/dist", "dist2"]),
        (&["*.json"], &["a.json"], &["a/b.json"]),
        (&["*", "!keep"], &["a", "keepx", ".hidden"], &["keep", "keep/a/b"]),
        (&["*", "!src/**"], &["a", "src"], &["src/x", "src/x/y"]),
        (&["**", "!**/*.rs"], &["a", "a/b"], &["a.rs", "a/b/c.rs"]),
        // Exceptions below ignored directories, and ignored again below those.
        (&["a", "!a/b", "a/b/c"], &["a", "a/x", "a/b/c", "a/b/c/d"], &["a/b", "a/b/d"]),
        (&["!a"], &[], &["a", "b"]),
        // An exception does nothing for what is below unless it changed the directory's own fate.
        (&["a/b", "!a"], &["a/b", "a/b/c"], &["a", "a/c"]),
        (&["**/node_modules", "!packages"], &["packages/a/node_modules/x"], &["packages/a/x"]),
        (&["**/.env", "!app"], &["app/.env", "app/sub/.env"], &["app/x"]),
        (&["a", "!a/b"], &["a/x"], &["a/b", "a/b/c"]),
        // `**` in the middle and at an end.
        (&["a/**/z"], &["a/z", "a/b/z", "a/b/c/z", "a/b/z/d"], &["a/bz", "z"]),
        (&["a/**"], &["a/b", "a/b/c"], &["a", "ab"]),
        (&["**/a/**"], &["a/x", "b/a/x"], &["b/x"]),
        (&["**a"], &["a", "xa", "b/xa"], &["ab"]),
        (&["a**"], &["a", "ab", "ab/c", "a/b"], &["ba"]),
        (&["**"], &["a", "a/b"], &[]),
        // Spelling: blanks around, slashes at the end, dots, two slashes.
        (&["  a  ", "b/", "./c", "d//e", "f/../g", "/h/"], &["a", "b/x", "c", "d/e", "g", "h/x"], &["f", "d"]),
        (&[".", "..", "../x", ""], &[], &["a", "x"]),
        // moby cleans twice.
        (&["x", "/!x"], &[], &["x", "a"]),
        (&["x", "!../x"], &["x"], &["a"]),
        (&["! a", "b"], &["b"], &["a"]),
        // Characters that stand for themselves.
        (&["a.b", "c+d", "(e)", "f$", "{g}", "^h", "i|j"], &["a.b", "c+d", "(e)", "f$", "{g}", "^h", "i|j"], &["axb", "ccd", "e"]),
        // Except these, beside a wildcard: moby hands them on to its regular expressions.
        (&["i|*j"], &["i", "ix", "xj"], &["x", "x/i"]),
        (&["a{2}*"], &["aa", "aax"], &["a", "a{2}"]),
        (&["^?"], &["a"], &["^a"]),
        (&["a^?"], &[], &["a^b", "ab"]),
        (&[r"\d*"], &["1", "2x"], &["d", "x"]),
        (&["[[:digit:]]?"], &["1a"], &["a1", ":]a"]),
        (&[r"\*", r"a\?b", r"\!c", r"\[d]"], &["*", "a?b", "!c", "[d]"], &["x", "axb", "c", "d"]),
        (&["[a-c]x", "[^a-c]y"], &["ax", "dy"], &["dx", "ay"]),
        (&["é*", "日?"], &["été", "日本"], &["e", "日本語"]),
        // Case matters, hidden files are no exception.
        (&["A", "*"], &["a", ".git", ".git/x"], &[]),
        (&["A"], &["A"], &["a"]),
    ];
    for (patterns, ignored, kept) in table {
        // There a backslash quotes nothing.
        if cfg!(windows) && patterns.iter().any(|pattern| pattern.contains('\\')) {
            continue;
        }
        for path in *ignored {
            assert!(is_ignored(patterns, path), "{patterns:?} should ignore {path}");
        }
        for path in *kept {
            assert!(!is_ignored(patterns, path), "{patterns:?} should keep {path}");
        }
    }
}

#[test]
fn a_file_has_comments_blank_lines_and_a_byte_order_mark() {
    let text = "\u{feff}# a comment\r\n\r\n  b  \r\n #c\n!b/keep\n";
    let rules = IgnoreRules::parse(text, "x/.dockerignore").unwrap();
    let texts: Vec<&str> = rules.rules().iter().map(daytona_image::ignore::Rule::text).collect();
    assert_eq!(texts, ["b", "#c", "!b/keep"]);
    let decision = rules.decide("b/keep");
    assert_eq!(decision.rule().unwrap().to_string(), "!b/keep (x/.dockerignore:5)");
    assert_eq!(rules.decide("b/other").rule().unwrap().line(), Some(3));
    assert_eq!(rules.decide("z").rule(), None);
}

#[test]
fn what_is_no_pattern_is_named() {
    for (pattern, part) in [
        ("!", "followed"),
        ("a[", "not closed"),
        ("a[]", "nothing"),
        ("[a-]", "without an end"),
        ("a\\", "backslash"),
        ("[-a]", "nothing before"),
        ("[z-a]", "ends before it begins"),
        ("[Local-Only]/", "`l-O`"),
        ("[^]", "nothing before"),
        (r"\y", "does not know"),
        ("[*", "not closed"),
        ("!/", "followed"),
        ("a*{2}", "follows another"),
        ("a{1001}*", "1000 times"),
        ("?{900}{9}", "follows another"),
        (
            "(?{900}|?{900}|?{900}|?{900}|?{900}|?{900}|?{900}|?{900}|?{900}|?{900}|?{900}|?{900})",
            "too large",
        ),
    ] {
        // There a backslash quotes nothing.
        if cfg!(windows) && pattern.contains('\\') {
            continue;
        }
        let error = IgnoreRules::parse(&format!("ok\n{pattern}\n"), ".dockerignore").unwrap_err();
        assert!(error.to_string().starts_with(".dockerignore:2: "), "{error}");
        assert!(error.to_string().contains(part), "{pattern}: {error}");
    }
}

#[test]
fn a_pattern_of_many_stars_takes_no_time() {
    let pattern = "**/a*a*a*a*a*a*a*a*a*b/**/c";
    let path = format!("{}/c", "a".repeat(2_000));
    assert!(!is_ignored(&[pattern], &path));
}

fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec("[abc][abc.]{0,2}", 1..4).prop_map(|names| names.join("/"))
}

fn pattern() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            "[abc]{1,2}",
            Just("*".to_owned()),
            Just("**".to_owned()),
            Just("?".to_owned()),
            Just("a*".to_owned())
        ],
        1..4,
    )
    .prop_map(|names| names.join("/"))
}

/// The same by trying every way, as slow as that is.
fn slow(pattern: &[char], path: &[char]) -> bool {
    match pattern {
        [] => path.is_empty(),
        ['*', '*', '/', rest @ ..] if !rest.is_empty() => {
            slow(rest, path) || (0..path.len()).any(|index| path[index] == '/' && slow(rest, &path[index + 1..]))
        }
        ['*', '*'] | ['*', '*', '/'] => true,
        ['*', rest @ ..] => (0..=path.len())
            .take_while(|length| path[..*length].iter().all(|character| *character != '/'))
            .any(|length| slow(rest, &path[length..])),
        ['?', rest @ ..] => path.first().is_some_and(|first| *first != '/') && slow(rest, &path[1..]),
        [first, rest @ ..] => path.first() == Some(first) && slow(rest, &path[1..]),
    }
}

proptest! {
    #[test]
    fn matching_is_what_trying_every_way_gives(pattern in pattern(), path in path()) {
        let characters: Vec<char> = pattern.chars().collect();
        let ends = path.match_indices('/').map(|(index, _)| index).chain([path.len()]);
        let expected = ends.into_iter().any(|end| slow(&characters, &path[..end].chars().collect::<Vec<_>>()));
        prop_assert_eq!(is_ignored(&[&pattern], &path), expected, "{} {}", pattern, path);
    }

    #[test]
    fn any_text_is_rules_or_an_error(text in ".{0,200}", path in ".{1,40}") {
        if let Ok(rules) = IgnoreRules::parse(&text, "x") {
            let _ = rules.decide(&path);
        }
    }

    #[test]
    fn an_exception_takes_back_and_no_more(patterns in proptest::collection::vec(pattern(), 1..4), path in path()) {
        let mut all: Vec<String> = patterns.clone();
        all.push(format!("!{path}"));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        prop_assert!(!is_ignored(&all, &path));
        // What is below follows, if the path itself was ignored before.
        let before: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let below = format!("{path}/below");
        if is_ignored(&before, &path) {
            prop_assert!(!is_ignored(&all, &below));
        } else {
            prop_assert_eq!(is_ignored(&all, &below), is_ignored(&before, &below));
        }
    }
}
