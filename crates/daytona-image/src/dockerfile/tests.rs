//! BuildKit's answers to words, and the bounds of what a word can do.

use std::io::Read;

use serde_json::{Value, json};

use super::budget::{Budget, MAX_EXPANSION, MAX_STEPS, WordError};
use super::followed::{Followed, Placed};
use super::stages::{MAX_TRIGGERED, follow};
use super::word::{Lexer, MAX_NESTING, Variable};
use super::{Dockerfile, MAX_LINE};

fn vectors(compressed: &[u8]) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(compressed)
        .read_to_string(&mut text)
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_word_is_expanded_and_split_as_buildkit_does() {
    let cases = vectors(include_bytes!("../../tests/fixtures/buildkit/expand.json.gz"));
    let mut failures = Vec::new();
    for case in &cases {
        let env = case["env"].as_object().unwrap();
        let look = |name: &str| {
            let value = env.get(name).and_then(Value::as_str);
            value.map_or(Variable::Unset, Variable::Set)
        };
        let budget = Budget::default();
        let escape = case["escape"].as_str().unwrap().chars().next().unwrap();
        let lexer = Lexer::new(escape, &look, &budget);
        let text = case["word"].as_str().unwrap();
        let (word, split) = (lexer.word(text), lexer.split(text));
        let is_same = |ours: Option<Value>, theirs: &Value| match ours {
            Some(ours) => ours == *theirs,
            None => theirs.is_object(),
        };
        let is_word_same = is_same(word.clone().ok().map(|word| json!(word)), &case["result"]);
        if !is_word_same || !is_same(split.clone().ok().map(|words| json!(words)), &case["split"]) {
            failures.push(format!("{case}: {word:?} {split:?}"));
        }
    }
    assert!(cases.len() > 2_600);
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn problem(word: &str, variables: &dyn Fn(&str) -> Option<String>) -> String {
    let values: Vec<(String, String)> = ["A", "B"]
        .iter()
        .filter_map(|name| variables(name).map(|value| ((*name).to_owned(), value)))
        .collect();
    let look = |name: &str| {
        let found = values.iter().find(|(other, _)| other == name);
        found.map_or(Variable::Unset, |(_, value)| Variable::Set(value))
    };
    let budget = Budget::default();
    match Lexer::new('\\', &look, &budget).word(word) {
        Err(WordError::Invalid(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}x{}", "${A:-".repeat(depth), "}".repeat(depth));
    let budget = Budget::default();
    let lexer = Lexer::new('\\', &|_| Variable::Unset, &budget);
    assert_eq!(lexer.word(&nested(MAX_NESTING)).as_deref(), Ok("x"));
    for depth in [MAX_NESTING + 1, 10_000] {
        let problem = problem(&nested(depth), &|_| None);
        assert!(
            problem.contains(&format!("nested more than {MAX_NESTING} times")),
            "{problem}"
        );
    }
}

#[test]
fn patterns_take_a_bounded_time() {
    // One that a matcher with second thoughts never ends.
    let value = "a".repeat(60);
    let budget = Budget::default();
    let look = |_: &str| Variable::Set(&value);
    let lexer = Lexer::new('\\', &look, &budget);
    assert_eq!(lexer.word("${A%*a*a*a*a*a*a*a*a*ab}").as_deref(), Ok(value.as_str()));
    let problem = problem(&format!("${{A//{}b/}}", "a*".repeat(500)), &|_| {
        Some("a".repeat(20_000))
    });
    assert!(problem.contains(&format!("more than {MAX_STEPS} steps")), "{problem}");
}

#[test]
fn expansions_are_bounded_all_together() {
    let doubling = format!(
        "FROM scratch\nENV A=xxxxxxxx\n{}COPY $A /x\n",
        format!("ENV A={}\n", "$A".repeat(10)).repeat(12)
    );
    let followed = followed(&doubling);
    let expected = format!("expand to more than {MAX_EXPANSION} bytes");
    assert!(
        followed.problems.iter().any(|note| note.text.contains(&expected)),
        "{:?}",
        followed.problems
    );
}

#[test]
fn lines_are_as_long_as_buildkit_takes_them() {
    let line = |length: usize| format!("FROM scratch\nRUN {}\n", "x".repeat(length - 4));
    assert!(Dockerfile::parse(&line(MAX_LINE)).is_ok());
    let error = Dockerfile::parse(&line(MAX_LINE + 1)).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("line 2: the line has more than {MAX_LINE} bytes, which BuildKit refuses")
    );
}

#[test]
fn instructions_that_are_put_off_nest_to_a_bound() {
    let error = Dockerfile::parse(&format!("FROM scratch\n{}RUN x\n", "ONBUILD ".repeat(8_000))).unwrap_err();
    assert!(error.to_string().contains("cannot contain another ONBUILD"), "{error}");
}

/// Each stage has only what it sets itself, and finds the rest in those that it starts from.
#[test]
fn many_stages_share_what_their_base_has() {
    let variables: Vec<String> = (0..2_000).map(|index| format!("ENV V{index}=x\n")).collect();
    let text = format!(
        "FROM scratch AS a\n{}{}FROM a\nCOPY ${{V0}}${{V1999}} /x\n",
        variables.concat(),
        "FROM a AS a\n".repeat(2_000)
    );
    let followed = followed(&text);
    assert!(followed.problems.is_empty(), "{:?}", followed.problems);
    assert_eq!(followed.takings.len(), 1);
    assert_eq!(followed.takings[0].sources[0].path(), "xx");
    assert_eq!(followed.assignments.len(), 2_000);
}

/// Each command looks for a variable that very many stages set, of which none is its own.
#[test]
fn commands_look_for_their_variables_within_a_bound() {
    const MANY: usize = 4_200;
    let each = |line: &dyn Fn(usize) -> String| (0..MANY).map(line).collect::<String>();
    let text = format!(
        "FROM scratch AS base\n{}FROM base\n{}{}",
        each(&|index| format!("FROM base AS s{index}\nENV V=1\n")),
        each(&|index| format!("COPY --from=s{index} /a /b\n")),
        "RUN $V\n".repeat(MANY)
    );
    let followed = followed(&text);
    let expected = format!("take more than {MAX_STEPS} steps");
    assert!(followed.problems.iter().any(|note| note.text.contains(&expected)));
}

#[test]
fn what_is_put_off_is_taken_up_to_a_bound() {
    let each = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    for (count, is_allowed) in [(MAX_TRIGGERED / 500, true), (MAX_TRIGGERED / 500 + 1, false)] {
        let text = format!(
            "FROM scratch AS base\n{}{}FROM scratch\n{}",
            "ONBUILD ENV A=b\n".repeat(count),
            each(500, &|index| format!("FROM base AS s{index}\n")),
            each(500, &|index| format!("COPY --from=s{index} /a /b\n")),
        );
        let problems = followed(&text).problems;
        let expected = format!("more than {MAX_TRIGGERED} instructions");
        assert_eq!(problems.is_empty(), is_allowed, "{problems:?}");
        assert!(
            problems.iter().all(|note| note.text.contains(&expected)),
            "{problems:?}"
        );
    }
}

fn followed(text: &str) -> Followed {
    let (read, errors) = Dockerfile::read(text);
    assert!(errors.is_empty(), "{errors:?}");
    let placed = read.instructions().iter();
    let placed: Vec<Placed<'_>> = placed.map(|instruction| Placed { part: 0, instruction }).collect();
    follow('\\', &placed)
}
