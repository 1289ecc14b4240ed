//! The part of Go's regular expressions that ignore patterns can be translated to, as a machine that tries all ways at once.

mod node;
mod reader;

use node::{Characters, Node, Place};
use reader::Reader;

/// More steps than a pattern may have: `{1000}` makes a thousand of one character.
const MOST_STEPS: usize = 10_000;

/// An expression for whole paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    steps: Vec<Step>,
    /// Whether it has to match from the beginning to the end; else a choice in it may match anywhere.
    is_whole: bool,
    /// What every path that matches begins and ends with.
    start: String,
    end: String,
    /// The longest text that every path that matches has in it.
    inner: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Takes one character.
    Take(Characters),
    /// Goes on at both.
    Fork(usize, usize),
    GoTo(usize),
    /// Passes only there.
    Assert(Place),
    Matched,
}

impl Expression {
    /// Reads an expression that is to match from the beginning to the end, as `^…$` does.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let node = Reader::new(&format!("^{text}$")).read()?;
        let mut steps = Vec::new();
        compile(&node, &mut steps)?;
        steps.push(Step::Matched);
        let (start, end) = literals(&node);
        Ok(Self {
            steps,
            is_whole: !matches!(node, Node::Either(_)),
            start,
            end,
            inner: longest_literal(&node),
        })
    }

    /// A text that every path that matches has in it; empty if there is none.
    pub(super) fn literal(&self) -> &str {
        &self.inner
    }

    /// What every path that matches begins with.
    pub(super) fn start(&self) -> &str {
        &self.start
    }

    /// Whether a path that matches may have this character in it.
    pub(super) fn may_take(&self, character: char) -> bool {
        let mut steps = self.steps.iter();
        !self.is_whole || steps.any(|step| matches!(step, Step::Take(characters) if characters.contains(character)))
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        // Most paths are told apart by this alone.
        if !path.starts_with(&self.start) || !path.ends_with(&self.end) {
            return false;
        }
        let mut states = States::new(self.steps.len());
        let mut before = None;
        let mut characters = path.chars();
        loop {
            let next = characters.next();
            self.follow(&mut states, before, Next::Known(next));
            match next {
                _ if states.has_matched => return true,
                None => return false,
                Some(character) => self.take(&mut states, character),
            }
            if self.is_whole && states.waiting.is_empty() {
                return false;
            }
            before = next;
        }
    }

    /// Whether it could match some path that begins with this text.
    pub(super) fn may_begin_with(&self, start: &str) -> bool {
        if !self.is_whole {
            return true;
        }
        if !start.starts_with(&self.start) && !self.start.starts_with(start) {
            return false;
        }
        let mut states = States::new(self.steps.len());
        let mut before = None;
        for character in start.chars() {
            self.follow(&mut states, before, Next::Known(Some(character)));
            self.take(&mut states, character);
            before = Some(character);
        }
        self.follow(&mut states, before, Next::Unknown);
        states.has_matched || !states.list.is_empty()
    }

    /// Goes on wherever no character is taken.
    fn follow(&self, states: &mut States, before: Option<char>, next: Next) {
        if before.is_none() || !self.is_whole {
            states.waiting.push(0);
        }
        while let Some(index) = states.waiting.pop() {
            if std::mem::replace(&mut states.seen[index], states.round) == states.round {
                continue;
            }
            match &self.steps[index] {
                Step::Take(_) => states.list.push(index),
                Step::Fork(one, other) => states.waiting.extend([*one, *other]),
                Step::GoTo(target) => states.waiting.push(*target),
                Step::Assert(place) => {
                    if holds(*place, before, next) {
                        states.waiting.push(index + 1);
                    }
                }
                Step::Matched => states.has_matched = true,
            }
        }
    }

    fn take(&self, states: &mut States, character: char) {
        for index in states.list.drain(..) {
            if let Step::Take(characters) = &self.steps[index]
                && characters.contains(character)
            {
                states.waiting.push(index + 1);
            }
        }
        states.round += 1;
    }
}

/// The character after a place.
#[derive(Clone, Copy)]
enum Next {
    /// This one, or none at the end.
    Known(Option<char>),
    Unknown,
}

fn holds(place: Place, before: Option<char>, next: Next) -> bool {
    let is_word = |character: Option<char>| {
        character.is_some_and(|character| character == '_' || character.is_ascii_alphanumeric())
    };
    match (place, next) {
        (Place::Beginning, _) => before.is_none(),
        // It may.
        (Place::End | Place::WordBoundary(_), Next::Unknown) => true,
        (Place::End, Next::Known(next)) => next.is_none(),
        (Place::WordBoundary(wanted), Next::Known(next)) => (is_word(before) != is_word(next)) == wanted,
    }
}

/// Where in the expression one may be.
struct States {
    /// Steps that take a character.
    list: Vec<usize>,
    /// For each step the last round in which it was reached. Each character begins a round.
    seen: Vec<usize>,
    round: usize,
    /// Reached by the last character, and not gone on from yet.
    waiting: Vec<usize>,
    has_matched: bool,
}

impl States {
    fn new(steps: usize) -> Self {
        Self {
            list: Vec::new(),
            seen: vec![0; steps],
            round: 1,
            waiting: Vec::new(),
            has_matched: false,
        }
    }
}

fn compile(node: &Node, steps: &mut Vec<Step>) -> Result<(), String> {
    if steps.len() > MOST_STEPS {
        return Err(format!("it is too large: more than {MOST_STEPS} steps"));
    }
    match node {
        Node::Take(characters) => steps.push(Step::Take(characters.clone())),
        Node::Assert(place) => steps.push(Step::Assert(*place)),
        Node::Sequence(nodes) => {
            for node in nodes {
                compile(node, steps)?;
            }
        }
        Node::Either(nodes) => {
            let mut exits = Vec::new();
            for (index, node) in nodes.iter().enumerate() {
                let fork = steps.len();
                if index + 1 < nodes.len() {
                    steps.push(Step::Fork(fork + 1, 0));
                }
                compile(node, steps)?;
                if index + 1 < nodes.len() {
                    exits.push(steps.len());
                    steps.push(Step::GoTo(0));
                    steps[fork] = Step::Fork(fork + 1, steps.len());
                }
            }
            let end = steps.len();
            for exit in exits {
                steps[exit] = Step::GoTo(end);
            }
        }
        Node::Repeat { node, least, most } => {
            for _ in 0..*least {
                compile(node, steps)?;
            }
            match most {
                None => {
                    let fork = steps.len();
                    steps.push(Step::Fork(0, 0));
                    compile(node, steps)?;
                    steps.push(Step::GoTo(fork));
                    steps[fork] = Step::Fork(fork + 1, steps.len());
                }
                Some(most) => {
                    let mut forks = Vec::new();
                    for _ in *least..*most {
                        forks.push(steps.len());
                        steps.push(Step::Fork(0, 0));
                        compile(node, steps)?;
                    }
                    let end = steps.len();
                    for fork in forks {
                        steps[fork] = Step::Fork(fork + 1, end);
                    }
                }
            }
        }
    }
    Ok(())
}

/// The plain text that all that matches begins and ends with.
fn literals(node: &Node) -> (String, String) {
    let Node::Sequence(nodes) = node else {
        return (String::new(), String::new());
    };
    let plain = |node: &&Node| !matches!(node, Node::Assert(Place::Beginning | Place::End));
    let literal = |node: &Node| match node {
        Node::Take(characters) => characters.only(),
        _ => None,
    };
    let start = nodes.iter().filter(plain).map_while(literal).collect();
    let end: Vec<char> = nodes.iter().rev().filter(plain).map_while(literal).collect();
    (start, end.into_iter().rev().collect())
}

/// The longest plain text that all that matches has in it.
fn longest_literal(node: &Node) -> String {
    let Node::Sequence(nodes) = node else {
        return String::new();
    };
    let (mut longest, mut run) = (String::new(), String::new());
    for node in nodes {
        match node {
            Node::Take(characters) if let Some(character) = characters.only() => run.push(character),
            _ => run.clear(),
        }
        if run.len() > longest.len() {
            longest.clone_from(&run);
        }
    }
    longest
}
