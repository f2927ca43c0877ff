//! An expression meets values.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::{Names, Node, Op, Operand, Step};

pub(super) fn is_true(node: &Node, names: &dyn Names) -> bool {
    match node {
        Node::All(nodes) => nodes.iter().all(|node| is_true(node, names)),
        Node::Any(nodes) => nodes.iter().any(|node| is_true(node, names)),
        Node::Compare(left, op, right) => compare(&left_of(left, names), *op, &value_of(right, names)),
    }
}

pub(super) fn stray_name<'n>(node: &'n Node, allowed: &[&str]) -> Option<&'n str> {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().find_map(|node| stray_name(node, allowed)),
        Node::Compare(left, _, right) => stray_key(left, allowed).or_else(|| stray_key(right, allowed)),
    }
}

/// Shows every key of an expression.
pub(super) fn each_key<'n>(node: &'n Node, show: &mut impl FnMut(&'n [Step])) {
    match node {
        Node::All(nodes) | Node::Any(nodes) => nodes.iter().for_each(|node| each_key(node, show)),
        Node::Compare(left, _, right) => [left, right].into_iter().for_each(|operand| key_of(operand, show)),
    }
}

fn key_of<'n>(operand: &'n Operand, show: &mut impl FnMut(&'n [Step])) {
    match operand {
        Operand::Key(steps) => show(steps),
        Operand::Literal(_) => {}
        Operand::List(items) => items.iter().for_each(|item| key_of(item, show)),
    }
}

fn stray_key<'n>(operand: &'n Operand, allowed: &[&str]) -> Option<&'n str> {
    match operand {
        Operand::Key(steps) => match steps.first() {
            Some(Step::Name(name)) if !allowed.contains(&name.as_str()) => Some(name),
            _ => None,
        },
        Operand::Literal(_) => None,
        Operand::List(items) => items.iter().find_map(|item| stray_key(item, allowed)),
    }
}

/// On the left a text that is an attribute's name stands for the attribute: old samples quote it there.
fn left_of<'v>(operand: &'v Operand, names: &'v dyn Names) -> Cow<'v, Value> {
    if let Operand::Literal(Value::String(name)) = operand
        && let Some(value) = names.value(&[Step::Name(name.clone())])
    {
        return value;
    }
    value_of(operand, names)
}

fn value_of<'v>(operand: &'v Operand, names: &'v dyn Names) -> Cow<'v, Value> {
    match operand {
        Operand::Key(steps) => names.value(steps).unwrap_or(Cow::Owned(Value::Null)),
        Operand::Literal(value) => Cow::Borrowed(value),
        Operand::List(items) => {
            Cow::Owned(Value::Array(items.iter().map(|item| value_of(item, names).into_owned()).collect()))
        }
    }
}

fn compare(left: &Value, op: Op, right: &Value) -> bool {
    let is_scalar = |value: &Value| !matches!(value, Value::Array(_) | Value::Object(_));
    let member = |list: &Value, item: &Value| match list {
        Value::Array(items) if is_scalar(item) => Some(items.iter().any(|other| are_equal(other, item))),
        _ => None,
    };
    match op {
        Op::Has => member(left, right) == Some(true),
        Op::In => member(right, left) == Some(true),
        Op::NotIn => member(right, left) == Some(false),
        Op::Contains => match (left, right) {
            (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
            _ => false,
        },
        // Whole lists compare with nothing but null.
        Op::Equal => are_equal(left, right),
        Op::Unequal if left.is_null() || right.is_null() => !are_equal(left, right),
        Op::Unequal => is_scalar(left) && is_scalar(right) && !are_equal(left, right),
        Op::Less => order(left, right) == Some(Ordering::Less),
        Op::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Op::Greater => order(left, right) == Some(Ordering::Greater),
        Op::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
    }
}

fn are_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => false,
        (Value::Number(_), Value::Number(_)) => order(left, right) == Some(Ordering::Equal),
        _ => left == right,
    }
}

/// Numbers by size, texts by their characters; anything else has no order.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}
