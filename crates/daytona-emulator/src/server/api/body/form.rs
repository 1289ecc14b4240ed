//! Forms, whose names may say where a value belongs: `a[b]=1`, `a[]=1`, `a[0]=1`.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Pairs that a form may have.
const MOST_PAIRS: usize = 1_000;

/// Names in brackets that are followed. What is left of a name then is one name.
const DEEPEST: usize = 32;

/// The fields of a form; `None` if there are too many.
pub(super) fn read(text: &str) -> Option<Map<String, Value>> {
    let pairs: Vec<&str> = text.split('&').collect();
    if pairs.len() > MOST_PAIRS {
        return None;
    }
    let mut top = Branch::default();
    for pair in pairs.into_iter().filter(|pair| !pair.is_empty()) {
        let (name, value) = decode_pair(pair);
        top.put(&path(&name), value);
    }
    Some(top.fields())
}

/// A pair of a form or a query.
pub(in crate::server::api) fn decode_pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    (decode(name), decode(value))
}

/// `a[b][]` is `a`, `b` and nothing. A bracket that is not closed is a part of its name.
fn path(name: &str) -> Vec<&str> {
    let (first, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    let mut path = Vec::new();
    if !first.is_empty() {
        path.push(first);
    }
    while let Some(inner) = rest.strip_prefix('[') {
        let Some((inner, after)) = inner.split_once(']') else {
            break;
        };
        if path.len() > DEEPEST {
            path.push(rest);
            return path;
        }
        path.push(inner);
        // Between brackets nothing counts.
        rest = after.find('[').map_or("", |next| &after[next..]);
    }
    if path.len() <= usize::from(!first.is_empty()) && !rest.is_empty() {
        return vec![name];
    }
    path
}

/// What belongs to a name: values, and what further names lead to, in the order of their coming.
#[derive(Default)]
struct Branch {
    values: Vec<String>,
    below: Vec<(String, Branch)>,
}

impl Branch {
    fn put(&mut self, path: &[&str], value: String) {
        let mut branch = self;
        for name in path {
            let place = branch
                .below
                .iter()
                .position(|(known, _)| known == name && !name.is_empty());
            let place = place.unwrap_or_else(|| {
                branch.below.push(((*name).to_owned(), Self::default()));
                branch.below.len() - 1
            });
            branch = &mut branch.below[place].1;
        }
        branch.values.push(value);
    }

    fn fields(self) -> Map<String, Value> {
        self.below
            .into_iter()
            .map(|(name, branch)| (name, branch.value()))
            .collect()
    }

    /// Values of one name are an array, and so is what only numbers and empty brackets lead to.
    fn value(mut self) -> Value {
        let is_list = self
            .below
            .iter()
            .all(|(name, _)| name.bytes().all(|byte| byte.is_ascii_digit()));
        match (self.values.len(), self.below.is_empty()) {
            (1, true) => Value::String(self.values.remove(0)),
            (_, true) => self.values.into_iter().map(Value::String).collect(),
            _ if is_list => {
                self.below.sort_by_key(|(name, _)| name.parse().unwrap_or(usize::MAX));
                let values = self.values.into_iter().map(Value::String);
                values
                    .chain(self.below.into_iter().map(|(_, branch)| branch.value()))
                    .collect()
            }
            _ => Value::Object(self.fields()),
        }
    }
}
