//! Reports stay short, whatever is wrong with a Dockerfile.

use daytona_image::dockerfile::{Dockerfile, MAX_ERRORS};

use crate::support::{error, folder, of_text, try_plan, warnings};

/// However long a text is, the report of its problems is not.
#[test]
fn very_many_and_very_long_problems_are_cut() {
    const MANY: usize = 2_000;
    let folder = folder(&[]);
    let source = format!("COPY {} /x\n", "$NO ".repeat(10_000));
    for line in ["FOO\n", "COPY $NO /x\n", "COPY no /x\n", "COPY <<A <<B /x\n", &source] {
        let text = format!("FROM x:1\n{}", line.repeat(MANY.min(2_000_000 / line.len())));
        let error = try_plan(folder.path(), &of_text(&text)).unwrap_err();
        assert!(error.problems().len() <= 200, "{}", error.problems().len());
        assert!(error.to_string().len() < 100_000, "{}", error.to_string().len());
        if matches!(line, "FOO\n" | "COPY $NO /x\n") {
            assert!(error.to_string().contains("and 1900 more"), "{line} {error}");
        }
    }
    let errors = Dockerfile::parse(&"FOO\n".repeat(MANY)).unwrap_err();
    assert_eq!(errors.errors().len(), MAX_ERRORS + 1);
    assert!(
        errors.to_string().ends_with("line 100: and 1900 more problems"),
        "{errors}"
    );
    let long = "x".repeat(60_000);
    for line in [
        long.clone(),
        format!("COPY {long} /y"),
        format!("COPY --{long} a /y"),
        format!("RUN <<{long}"),
    ] {
        let message = error(&folder, &format!("FROM x:1\n{line}\n"));
        assert!(
            message.len() < 5_000 && message.contains("bytes more"),
            "{}",
            message.len()
        );
    }
}

#[test]
fn very_many_warnings_are_cut() {
    let folder = folder(&[]);
    let text = format!("FROM x:1\n{}", "COPY *.no /x\nENV API_TOKEN=1\n".repeat(1_000));
    let warnings = warnings(&folder, &of_text(&text));
    assert!(warnings.len() <= 200, "{}", warnings.len());
    assert!(
        warnings.last().unwrap().contains("more warnings"),
        "{:?}",
        warnings.last()
    );
}

/// The report begins with the first lines, and counts nothing twice.
#[test]
fn a_cut_report_has_the_first_lines_and_counts_each_problem_once() {
    let folder = folder(&[]);
    let text = format!(
        "FROM x:1\nCOPY $FIRST /x\n{}{}",
        "COPY --from=9 /a /b\n".repeat(110),
        "COPY $NO $NO /x\n".repeat(50)
    );
    let message = error(&folder, &text);
    assert!(message.contains("line 2: the source `$FIRST`"), "{message}");
    assert!(message.contains("line 101: and 61 more problems"), "{message}");
}
