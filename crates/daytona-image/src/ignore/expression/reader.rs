//! Reads an expression, in the syntax of Go's package `regexp`.

use super::node::{Characters, Node, Place};

/// As often may something be repeated, as in Go.
const MOST_TIMES: usize = 1_000;

/// A place in the text of an expression.
pub(super) struct Reader {
    text: Vec<char>,
    at: usize,
}

type Read<T> = Result<T, String>;

impl Reader {
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.chars().collect(),
            at: 0,
        }
    }

    /// The whole expression. The only group that a translation has is `(.*/)?`.
    pub(super) fn read(mut self) -> Read<Node> {
        let mut choices = Vec::new();
        let mut sequence = Vec::new();
        let mut was_repeated = false;
        while let Some(character) = self.next() {
            let mut is_repeated = false;
            match character {
                '|' => choices.push(Node::Sequence(std::mem::take(&mut sequence))),
                '^' => sequence.push(Node::Assert(Place::Beginning)),
                '$' => sequence.push(Node::Assert(Place::End)),
                '.' => sequence.push(Node::Take(any())),
                '[' => sequence.push(Node::Take(self.class()?)),
                '(' => {
                    self.at += ".*/)?".len();
                    let any = repeat(Node::Take(any()), 0, None);
                    let directories = Node::Sequence(vec![any, Node::Take(Characters::one('/'))]);
                    sequence.push(repeat(directories, 0, Some(1)));
                    is_repeated = true;
                }
                '*' => {
                    check_repetition(was_repeated)?;
                    let node = sequence.pop().ok_or("a repetition in it has nothing to repeat")?;
                    sequence.push(repeat(node, 0, None));
                    is_repeated = true;
                }
                '{' => match self.times()? {
                    None => sequence.push(Node::Take(Characters::one('{'))),
                    Some((least, most)) => {
                        check_repetition(was_repeated)?;
                        let node = sequence.pop().ok_or("a repetition in it has nothing to repeat")?;
                        sequence.push(repeat(node, least, most));
                        is_repeated = true;
                    }
                },
                '\\' => self.escaped(&mut sequence)?,
                literal => sequence.push(Node::Take(Characters::one(literal))),
            }
            was_repeated = is_repeated;
        }
        choices.push(Node::Sequence(sequence));
        Ok(if choices.len() == 1 {
            choices.remove(0)
        } else {
            Node::Either(choices)
        })
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    /// `{2}`, `{2,}` or `{2,3}` after its brace; anything else is text.
    fn times(&mut self) -> Read<Option<(usize, Option<usize>)>> {
        let begin = self.at;
        let read = |reader: &mut Self| {
            let least = reader.number()?;
            let most = if reader.take(',') {
                if reader.peek() == Some('}') {
                    None
                } else {
                    Some(reader.number()?)
                }
            } else {
                Some(least)
            };
            reader.take('}').then_some((least, most))
        };
        let Some((least, most)) = read(self) else {
            self.at = begin;
            return Ok(None);
        };
        if least > MOST_TIMES || most.is_some_and(|most| most > MOST_TIMES || most < least) {
            return Err(format!(
                "`{{…}}` in it repeats more than {MOST_TIMES} times, or less than nothing"
            ));
        }
        Ok(Some((least, most)))
    }

    /// A number without a leading zero. One that is too large stays too large.
    fn number(&mut self) -> Option<usize> {
        let begin = self.at;
        while self.peek().is_some_and(|digit| digit.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String = self.text[begin..self.at].iter().collect();
        if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
            return None;
        }
        Some(digits.parse().unwrap_or(usize::MAX))
    }

    /// What follows a backslash outside a class.
    fn escaped(&mut self, sequence: &mut Vec<Node>) -> Read<()> {
        let node = match self.peek() {
            Some('A') => Node::Assert(Place::Beginning),
            Some('z') => Node::Assert(Place::End),
            Some('b') => Node::Assert(Place::WordBoundary(true)),
            Some('B') => Node::Assert(Place::WordBoundary(false)),
            Some('Q') => {
                self.at += 1;
                while let Some(character) = self.next() {
                    if character == '\\' && self.take('E') {
                        break;
                    }
                    sequence.push(Node::Take(Characters::one(character)));
                }
                return Ok(());
            }
            _ => {
                let characters = match self.known_class()? {
                    Some(characters) => characters,
                    None => Characters::one(self.escape()?),
                };
                sequence.push(Node::Take(characters));
                return Ok(());
            }
        };
        self.at += 1;
        sequence.push(node);
        Ok(())
    }

    /// `\d` and its like, after their backslash.
    fn known_class(&mut self) -> Read<Option<Characters>> {
        let ranges: &[(char, char)] = match self.peek().map(|name| name.to_ascii_lowercase()) {
            Some('d') => &[('0', '9')],
            Some('s') => &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')],
            Some('w') => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            Some('p') => {
                return Err(
                    "`\\p` in it names a class of Unicode, which is not supported: write the characters".to_owned(),
                );
            }
            _ => return Ok(None),
        };
        let is_negated = self.next().is_some_and(|name| name.is_ascii_uppercase());
        Ok(Some(Characters {
            ranges: ranges.to_vec(),
            is_negated,
        }))
    }

    /// The character that an escape stands for, after its backslash.
    fn escape(&mut self) -> Read<char> {
        let invalid = |name: char| format!("`\\{name}` in it is an escape that Docker does not know");
        let name = self.next().ok_or("it ends in a backslash, which quotes nothing")?;
        match name {
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            't' => Ok('\t'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            'v' => Ok('\u{b}'),
            'x' => self.hexadecimal().ok_or_else(|| invalid(name)),
            '1'..='7' if !self.peek().is_some_and(|next| next.is_digit(8)) => Err(invalid(name)),
            '0'..='7' => {
                let mut value = name.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|next| next.to_digit(8)) else {
                        break;
                    };
                    value = value * 8 + digit;
                    self.at += 1;
                }
                char::from_u32(value).ok_or_else(|| invalid(name))
            }
            sign if sign.is_ascii() && !sign.is_ascii_alphanumeric() => Ok(sign),
            other => Err(invalid(other)),
        }
    }

    /// `41` or `{1f600}`, after `\x`.
    fn hexadecimal(&mut self) -> Option<char> {
        let is_braced = self.take('{');
        let (mut value, mut digits) = (0_u32, 0);
        while let Some(digit) = self.peek().and_then(|next| next.to_digit(16)) {
            if !is_braced && digits == 2 {
                break;
            }
            value = value.checked_mul(16)?.checked_add(digit)?;
            digits += 1;
            self.at += 1;
        }
        let is_whole = if is_braced {
            digits > 0 && self.take('}')
        } else {
            digits == 2
        };
        is_whole.then_some(value).and_then(char::from_u32)
    }

    /// A class after its opening bracket.
    fn class(&mut self) -> Read<Characters> {
        const OPEN: &str = "its `[` is not closed";
        let is_negated = self.take('^');
        let mut ranges: Vec<(char, char)> = Vec::new();
        let mut is_first = true;
        while is_first || self.peek() != Some(']') {
            is_first = false;
            if self.peek() == Some('[') && self.text.get(self.at + 1) == Some(&':') && self.named_class(&mut ranges)? {
                continue;
            }
            if self.take('\\') {
                if let Some(class) = self.known_class()? {
                    ranges.extend(if class.is_negated {
                        complement(&class.ranges)
                    } else {
                        class.ranges
                    });
                    continue;
                }
                self.at -= 1;
            }
            let low = self.class_character()?;
            let mut high = low;
            if self.peek() == Some('-') && self.text.get(self.at + 1).is_some_and(|next| *next != ']') {
                self.at += 1;
                high = self.class_character()?;
                if high < low {
                    return Err(format!("the range `{low}-{high}` in its `[…]` ends before it begins"));
                }
            }
            ranges.push((low, high));
            if self.peek().is_none() {
                return Err(OPEN.to_owned());
            }
        }
        self.at += 1;
        Ok(Characters { ranges, is_negated })
    }

    fn class_character(&mut self) -> Read<char> {
        match self.next().ok_or("its `[` is not closed")? {
            '\\' => self.escape(),
            character => Ok(character),
        }
    }

    /// `[:alpha:]` and its like inside a class. `false` if it is text.
    fn named_class(&mut self, ranges: &mut Vec<(char, char)>) -> Read<bool> {
        let rest: String = self.text[self.at + 2..].iter().collect();
        let Some((name, _)) = rest.split_once(":]") else {
            return Ok(false);
        };
        let (name, is_negated) = match name.strip_prefix('^') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let named: &[(char, char)] = match name {
            "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
            "alpha" => &[('A', 'Z'), ('a', 'z')],
            "ascii" => &[('\0', '\u{7f}')],
            "blank" => &[('\t', '\t'), (' ', ' ')],
            "cntrl" => &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')],
            "digit" => &[('0', '9')],
            "graph" => &[('!', '~')],
            "lower" => &[('a', 'z')],
            "print" => &[(' ', '~')],
            "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
            "space" => &[('\t', '\r'), (' ', ' ')],
            "upper" => &[('A', 'Z')],
            "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
            "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
            _ => return Err(format!("`[:{name}:]` in it is a class that Docker does not know")),
        };
        self.at += 2 + name.chars().count() + usize::from(is_negated) + 2;
        ranges.extend(if is_negated { complement(named) } else { named.to_vec() });
        Ok(true)
    }
}

/// Any character but a line feed.
fn any() -> Characters {
    Characters {
        ranges: vec![('\n', '\n')],
        is_negated: true,
    }
}

fn repeat(node: Node, least: usize, most: Option<usize>) -> Node {
    Node::Repeat {
        node: Box::new(node),
        least,
        most,
    }
}

fn check_repetition(was_repeated: bool) -> Read<()> {
    if was_repeated {
        Err("a repetition in it follows another".to_owned())
    } else {
        Ok(())
    }
}

/// All characters but these, whose ranges are in order.
fn complement(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let before = |character: char| (char::from_u32(u32::from(character).wrapping_sub(1))).unwrap_or('\u{d7ff}');
    let after = |character: char| (char::from_u32(u32::from(character) + 1)).unwrap_or('\u{e000}');
    let mut rest = Vec::new();
    let mut low = '\0';
    for (first, last) in ranges {
        if *first > low {
            rest.push((low, before(*first)));
        }
        low = after(*last);
    }
    rest.push((low, char::MAX));
    rest
}
