//! What holds for any Dockerfile and for any values.

use daytona_image::Image;
use daytona_image::dockerfile::{Arguments, Dockerfile, Instruction};
use proptest::prelude::*;

use crate::support::{of_text, try_plan};

proptest! {
    #[test]
    fn any_text_is_a_dockerfile_or_an_error(text in "(?s).{0,300}") {
        let _ = Dockerfile::parse(&text);
    }

    #[test]
    fn any_instructions_are_read_or_refused(lines in proptest::collection::vec("(FROM|RUN|COPY|ENV|ONBUILD COPY|ADD) [a-z $\\{\\}<'\"\\\\=-]{0,20}", 0..6)) {
        let text = lines.join("\n");
        if Dockerfile::parse(&text).is_ok() {
            let folder = tempfile::tempdir().unwrap();
            let _ = try_plan(folder.path(), &of_text(&text));
        }
    }

    /// Rendered and read back: the same instructions with the same values.
    #[test]
    fn what_is_rendered_is_read_back(
        words in proptest::collection::vec("[^\0]{0,12}", 1..4),
        value in "[^\0\r\n]{0,20}",
        path in "[^\0\r\n]{1,20}",
    ) {
        prop_assume!(!path.trim().is_empty());
        let image = Image::base("x:1").entrypoint(words.clone()).env([("K", value.clone())]).workdir(path.clone());
        let plan = image.plan().unwrap();
        let read = Dockerfile::parse(plan.dockerfile()).unwrap();
        let keywords: Vec<&str> = read.instructions().iter().map(Instruction::keyword).collect();
        prop_assert_eq!(keywords, ["FROM", "ENTRYPOINT", "ENV", "WORKDIR"]);
        prop_assert_eq!(read.instructions()[1].json(), Some(words.as_slice()));
        let Arguments::Pairs(pairs) = read.instructions()[2].arguments() else {
            panic!("{:?}", read.instructions()[2])
        };
        prop_assert_eq!(unquote(&pairs[0].value), value);
        prop_assert_eq!(unquote(&read.instructions()[3].words()[0]), path);
    }
}

/// What a POSIX shell makes of a word of ours.
fn unquote(word: &str) -> String {
    let (mut text, mut quote) = (String::new(), None);
    for character in word.chars() {
        match quote {
            None if matches!(character, '"' | '\'') => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ => text.push(character),
        }
    }
    text
}
