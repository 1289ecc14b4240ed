//! The list: its parameters, filter and order.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::Serialize;

use super::answer::{Answer, Handled};
use super::body::decode_pair;
use super::snapshots;
use crate::state::account::Caller;
use crate::state::core::Core;
use crate::state::world::Record;

const SORTS: [&str; 4] = ["name", "state", "lastUsedAt", "createdAt"];
pub(super) const ORDERS: [&str; 2] = ["asc", "desc"];
const LARGEST_PAGE: f64 = 200.0;

pub(super) fn list(core: &Core, caller: &Caller, query: &str) -> Handled {
    if query.split('&').any(|pair| decode_pair(pair).1.contains('\0')) {
        return Err(Answer::unexpected());
    }
    let parameters = Parameters::of(query).map_err(|messages| Answer::refused(400, messages.join(", ")))?;
    let world = core.world();
    let mut found: Vec<Cow<'_, Record>> = world
        .reads(core.clock.now())
        .filter(|record| record.general || record.organization == caller.organization)
        .filter(|record| parameters.matches(&record.name))
        .collect();
    found.sort_by(|one, other| {
        one.general
            .cmp(&other.general)
            .then_with(|| parameters.compare(one, other))
    });
    let total = found.len();
    let items: Vec<_> = found
        .iter()
        .skip((parameters.page - 1).saturating_mul(parameters.limit))
        .take(parameters.limit)
        .map(|record| snapshots::shown(&world, record))
        .collect();
    Ok(Answer::json(&Page {
        items,
        total,
        page: parameters.page,
        total_pages: total.div_ceil(parameters.limit),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct Page<'a> {
    items: Vec<snapshots::Shown<'a>>,
    total: usize,
    page: usize,
    total_pages: usize,
}

#[derive(Debug)]
struct Parameters {
    page: usize,
    limit: usize,
    name: Option<String>,
    sort: String,
    order: String,
}

impl Parameters {
    /// The parameters, or everything that is wrong with them.
    fn of(query: &str) -> Result<Self, Vec<String>> {
        let pairs: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(decode_pair)
            .collect();
        let all = |name: &str| {
            pairs
                .iter()
                .filter_map(move |(other, value)| match other.strip_prefix(name) {
                    Some("") => Some(value.as_str()),
                    // A list, which is no value.
                    Some(rest) if rest.starts_with('[') => Some(LIST),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        let mut messages = Vec::new();
        let page = number("page", &all("page"), 1.0, None, &mut messages);
        let limit = number("limit", &all("limit"), 100.0, Some(LARGEST_PAGE), &mut messages);
        if pairs.iter().any(|(name, _)| name.starts_with("name[")) || all("name").len() > 1 {
            messages.push("name must be a string".to_owned());
        }
        let sort = choice("sort", &all("sort"), &SORTS, "lastUsedAt", &mut messages);
        let order = choice("order", &all("order"), &ORDERS, "desc", &mut messages);
        if !messages.is_empty() {
            return Err(messages);
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be whole and at least 1"
        )]
        Ok(Self {
            page: page as usize,
            limit: limit as usize,
            name: all("name")
                .first()
                .filter(|name| !name.is_empty())
                .map(|name| (*name).to_owned()),
            sort,
            order,
        })
    }

    fn matches(&self, name: &str) -> bool {
        let Some(wanted) = &self.name else { return true };
        let pattern: Vec<char> = format!("%{}%", wanted.to_lowercase()).chars().collect();
        let name: Vec<char> = name.to_lowercase().chars().collect();
        is_like(&pattern, &name)
    }

    /// Nulls last in both directions, ties by the newest.
    fn compare(&self, one: &Record, other: &Record) -> Ordering {
        let directed = |ordering: Ordering| {
            if self.order == "asc" {
                ordering
            } else {
                ordering.reverse()
            }
        };
        let first = match self.sort.as_str() {
            "name" => directed(one.name.cmp(&other.name)),
            "state" => directed(one.state.as_str().cmp(other.state.as_str())),
            "createdAt" => directed(one.created.cmp(&other.created)),
            _ => match (one.used, other.used) {
                (Some(one), Some(other)) => directed(one.cmp(&other)),
                (one, other) => one.is_none().cmp(&other.is_none()),
            },
        };
        first.then_with(|| other.created.cmp(&one.created))
    }
}

/// A number as the server's validation reads it: a text that is none, or several of them, fail every rule.
pub(super) fn number(
    name: &str,
    values: &[&str],
    default: f64,
    largest: Option<f64>,
    messages: &mut Vec<String>,
) -> f64 {
    let value = match values {
        [] => return default,
        [""] => 0.0,
        [value] => script_number(value),
        _ => f64::NAN,
    };
    if value.is_nan() || value.fract() != 0.0 {
        messages.push(format!("{name} must be an integer number"));
    }
    if value.is_nan() || value < 1.0 {
        messages.push(format!("{name} must not be less than 1"));
    }
    if let Some(largest) = largest.filter(|largest| value.is_nan() || value > *largest) {
        messages.push(format!("{name} must not be greater than {largest}"));
    }
    value
}

/// What stands for a list in place of a value: a text that is no number and no name of an order.
const LIST: &str = "[]";

/// A text as the server's language turns it into a number.
fn script_number(text: &str) -> f64 {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    for (start, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(start) {
            let number = u64::from_str_radix(digits, radix)
                .ok()
                .filter(|_| !digits.starts_with('+'));
            #[expect(clippy::cast_precision_loss, reason = "as the server has it")]
            return number.map_or(f64::NAN, |number| number as f64);
        }
    }
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if is_plain {
        text.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

pub(super) fn choice(
    name: &str,
    values: &[&str],
    allowed: &[&str],
    default: &str,
    messages: &mut Vec<String>,
) -> String {
    match values {
        [] => default.to_owned(),
        [value] if allowed.contains(value) => (*value).to_owned(),
        _ => {
            messages.push(format!(
                "{name} must be one of the following values: {}",
                allowed.join(", ")
            ));
            default.to_owned()
        }
    }
}

/// SQL's `LIKE`: `%` is any text, `_` any character. One pass with all that can have been matched so far, so that many
/// signs cost no more than their number times the length of the text.
pub(super) fn is_like(pattern: &[char], text: &[char]) -> bool {
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for sign in pattern {
        if *sign == '%' {
            let from = reached.iter().position(|is_reached| *is_reached);
            reached[from.unwrap_or(text.len() + 1)..].fill(true);
            continue;
        }
        for (index, character) in text.iter().enumerate().rev() {
            reached[index + 1] = reached[index] && (*sign == '_' || sign == character);
        }
        reached[0] = false;
    }
    reached[text.len()]
}
