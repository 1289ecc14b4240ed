//! `--chmod`: octal digits, or `u+x,go=rX`.

/// What becomes of modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chmod {
    Octal(u32),
    Symbolic(Vec<Change>),
}

/// One change of a symbolic mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The bits that it may change.
    who: u32,
    operator: char,
    permissions: Vec<char>,
}

const USER: u32 = 0o4700;
const GROUP: u32 = 0o2070;
const OTHER: u32 = 0o0007;
/// Belongs to nobody: only `t` sets it, and no `=` takes it away.
const STICKY: u32 = 0o1000;

impl Chmod {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let invalid = || {
            format!(
                "invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777, or a standard string \
                 notation such as 'u+rw'"
            )
        };
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
            return mode.map(Self::Octal).ok_or_else(invalid);
        }
        let mut changes = Vec::new();
        for clause in text.split(',') {
            let start = clause.find(['+', '-', '=']).ok_or_else(invalid)?;
            let (who, mut rest) = clause.split_at(start);
            let mut bits = 0;
            for one in who.chars() {
                bits |= match one {
                    'u' => USER,
                    'g' => GROUP,
                    'o' => OTHER,
                    'a' => USER | GROUP | OTHER,
                    _ => return Err(invalid()),
                };
            }
            let who = if bits == 0 { USER | GROUP | OTHER } else { bits };
            while let Some(operator) = rest.chars().next() {
                rest = &rest[1..];
                let end = rest.find(['+', '-', '=']).unwrap_or(rest.len());
                let (permissions, after) = rest.split_at(end);
                if !permissions.chars().all(|one| "rwxXstugo".contains(one)) {
                    return Err(invalid());
                }
                changes.push(Change {
                    who,
                    operator,
                    permissions: permissions.chars().collect(),
                });
                rest = after;
            }
        }
        Ok(Self::Symbolic(changes))
    }

    /// The mode that comes of one.
    pub(super) fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let changes = match self {
            Self::Octal(mode) => return *mode,
            Self::Symbolic(changes) => changes,
        };
        let mut mode = mode;
        for change in changes {
            let mut bits = 0;
            for permission in &change.permissions {
                bits |= match permission {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' => 0o111,
                    'X' if is_directory || mode & 0o111 != 0 => 0o111,
                    's' => 0o6000,
                    't' => 0o1000,
                    'u' => (mode >> 6 & 7) * 0o111,
                    'g' => (mode >> 3 & 7) * 0o111,
                    'o' => (mode & 7) * 0o111,
                    _ => 0,
                };
            }
            let bits = bits & (change.who | STICKY);
            mode = match change.operator {
                '+' => mode | bits,
                '-' => mode & !bits,
                _ => mode & !change.who | bits,
            };
        }
        mode
    }
}
