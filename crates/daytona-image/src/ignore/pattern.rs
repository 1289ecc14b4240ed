//! One pattern, and how it is matched.

/// A pattern, taken apart.
///
/// Matching runs all possibilities at once, character by character, so that its time is bounded whatever the pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`: any character but a slash.
    AnyCharacter,
    /// `*`: any characters but slashes.
    AnyName,
    /// `**` with more after it: nothing, or anything that ends in a slash.
    AnyDirectories,
    /// `**` at an end: anything.
    Anything,
    Class {
        ranges: Vec<(char, char)>,
        is_negated: bool,
    },
}

impl Pattern {
    /// Reads a pattern that is clean and relative.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let characters: Vec<char> = text.chars().collect();
        // A leading `**` before plain text is matched as an end of the path, of whatever length.
        let is_plain_after_stars = !text.get(2..).unwrap_or_default().contains(['*', '?', '[', ']', '\\']);
        let mut tokens = Vec::new();
        let mut index = 0;
        while let Some(character) = characters.get(index) {
            index += 1;
            match character {
                '*' if characters.get(index) == Some(&'*') => {
                    let is_first = index == 1;
                    index += 1;
                    let has_slash = characters.get(index) == Some(&'/');
                    index += usize::from(has_slash);
                    let is_last = index == characters.len();
                    let is_suffix = is_first && !has_slash && is_plain_after_stars;
                    tokens.push(if is_last || is_suffix {
                        Token::Anything
                    } else {
                        Token::AnyDirectories
                    });
                }
                '*' => tokens.push(Token::AnyName),
                '?' => tokens.push(Token::AnyCharacter),
                '[' => {
                    let (class, length) = read_class(&characters[index..])?;
                    tokens.push(class);
                    index += length;
                }
                '\\' => {
                    let quoted = characters
                        .get(index)
                        .ok_or("it ends in a backslash, which quotes nothing")?;
                    tokens.push(Token::Literal(*quoted));
                    index += 1;
                }
                literal => tokens.push(Token::Literal(*literal)),
            }
        }
        Ok(Self { tokens })
    }

    /// Whether it matches the whole path.
    pub(super) fn matches(&self, path: &str) -> bool {
        // Most paths are told apart by their last character alone.
        if let Some(Token::Literal(last)) = self.tokens.last()
            && !path.ends_with(*last)
        {
            return false;
        }
        self.run(path).before[self.tokens.len()]
    }

    /// Whether it could match some path that begins with this text.
    pub(super) fn may_begin_with(&self, start: &str) -> bool {
        self.run(start).is_alive()
    }

    fn run(&self, text: &str) -> States {
        let mut states = States::start(self.tokens.len());
        states.close(&self.tokens);
        for character in text.chars() {
            states = self.step(&states, character);
            if !states.is_alive() {
                break;
            }
        }
        states
    }

    fn step(&self, states: &States, character: char) -> States {
        let mut next = States::dead(self.tokens.len());
        for (index, token) in self.tokens.iter().enumerate() {
            if states.inside[index] {
                next.inside[index] = true;
                next.before[index + 1] |= character == '/';
            }
            if !states.before[index] {
                continue;
            }
            match token {
                Token::Literal(literal) => next.before[index + 1] |= *literal == character,
                Token::AnyCharacter => next.before[index + 1] |= character != '/',
                Token::AnyName => next.before[index] |= character != '/',
                Token::Anything => next.before[index] = true,
                Token::AnyDirectories => {
                    next.inside[index] = true;
                    next.before[index + 1] |= character == '/';
                }
                Token::Class { ranges, is_negated } => {
                    let is_in = ranges.iter().any(|(low, high)| (*low..=*high).contains(&character));
                    next.before[index + 1] |= is_in != *is_negated;
                }
            }
        }
        next.close(&self.tokens);
        next
    }
}

/// Where in the pattern a text may have led.
struct States {
    /// Before the token of that number; after the last one at the end.
    before: Vec<bool>,
    /// In the middle of `AnyDirectories`, after a character that is no slash.
    inside: Vec<bool>,
}

impl States {
    fn dead(tokens: usize) -> Self {
        Self {
            before: vec![false; tokens + 1],
            inside: vec![false; tokens],
        }
    }

    fn start(tokens: usize) -> Self {
        let mut states = Self::dead(tokens);
        states.before[0] = true;
        states
    }

    /// Tokens that match nothing at all let one pass.
    fn close(&mut self, tokens: &[Token]) {
        for (index, token) in tokens.iter().enumerate() {
            let may_be_empty = matches!(token, Token::AnyName | Token::Anything | Token::AnyDirectories);
            self.before[index + 1] |= self.before[index] && may_be_empty;
        }
    }

    fn is_alive(&self) -> bool {
        self.before.contains(&true) || self.inside.contains(&true)
    }
}

/// A class after its opening bracket, and how many characters it takes.
fn read_class(characters: &[char]) -> Result<(Token, usize), &'static str> {
    const OPEN: &str = "its `[` is not closed";
    let is_negated = characters.first() == Some(&'^');
    let mut index = usize::from(is_negated);
    let mut ranges = Vec::new();
    let quoted = |index: &mut usize| {
        if characters.get(*index) == Some(&'\\') {
            *index += 1;
        }
        let character = characters.get(*index).copied().ok_or(OPEN)?;
        *index += 1;
        Ok::<char, &'static str>(character)
    };
    loop {
        match characters.get(index) {
            None => return Err(OPEN),
            Some(']') if ranges.is_empty() => return Err("its `[]` holds nothing"),
            Some(']') => return Ok((Token::Class { ranges, is_negated }, index + 1)),
            Some('-') => return Err("a range in its `[]` has no beginning"),
            Some(_) => {
                let low = quoted(&mut index)?;
                let mut high = low;
                if characters.get(index) == Some(&'-') {
                    index += 1;
                    if characters.get(index) == Some(&']') {
                        return Err("a range in its `[]` has no end");
                    }
                    high = quoted(&mut index)?;
                }
                ranges.push((low, high));
            }
        }
    }
}
