//! What Go's `filepath.Match` takes for a pattern: Docker refuses what is none, whatever it would match.

/// Says what is wrong with a pattern.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => drop(rest.next().ok_or("it ends in a backslash, which escapes nothing")?),
            '[' => {
                if rest.peek() == Some(&'^') {
                    rest.next();
                }
                let mut ranges = 0;
                while ranges == 0 || rest.peek() != Some(&']') {
                    bound(&mut rest, "has nothing before its first `]` or `-`")?;
                    if rest.peek() == Some(&'-') {
                        rest.next();
                        bound(&mut rest, "has a range without an end")?;
                    }
                    ranges += 1;
                }
                rest.next();
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes one end of a range.
fn bound(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, problem: &str) -> Result<(), String> {
    const OPEN: &str = "its `[` is not closed";
    match rest.next().ok_or(OPEN)? {
        '-' | ']' => return Err(format!("its `[…]` {problem}")),
        '\\' => drop(rest.next().ok_or(OPEN)?),
        _ => {}
    }
    if rest.peek().is_none() {
        return Err(OPEN.to_owned());
    }
    Ok(())
}
