//! Of many expressions the few that values may make true, found without asking each.
//!
//! For whom `skills HAS 'de' AND level > 2` is true has `de` among its skills: that is looked up. An expression in which
//! nothing of the kind must be true is asked in any case.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Expr, Names, Node, Op, Operand, Step};

/// Expressions, and what each stands for.
#[derive(Debug)]
pub(crate) struct Which<T> {
    by_key: BTreeMap<Vec<Step>, BTreeMap<Scalar, Vec<T>>>,
    always: Vec<T>,
}

/// A value that can be looked up. Numbers are equal when their floats are; two great ones that differ may have one
/// float, and then one expression too many is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scalar {
    Bool(bool),
    Number(u64),
    Text(String),
}

impl Scalar {
    fn of(value: &Value) -> Option<Scalar> {
        match value {
            Value::Bool(is) => Some(Scalar::Bool(*is)),
            // Minus nothing is nothing.
            Value::Number(number) => number.as_f64().map(|number| Scalar::Number((number + 0.0).to_bits())),
            Value::String(text) => Some(Scalar::Text(text.clone())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl<T: Copy> Which<T> {
    pub(crate) fn new<'e>(all: impl IntoIterator<Item = (&'e Expr, T)>) -> Which<T> {
        let mut which = Which { by_key: BTreeMap::new(), always: Vec::new() };
        for (expr, what) in all {
            // The empty one is met by nobody.
            let Some(root) = &expr.root else { continue };
            match demand(root) {
                Some((key, value)) => {
                    which.by_key.entry(key.to_vec()).or_default().entry(value).or_default().push(what);
                }
                None => which.always.push(what),
            }
        }
        which
    }

    /// Those that may be true; no other is. One may be told twice.
    pub(crate) fn may_be_true(&self, names: &dyn Names) -> Vec<T> {
        let mut found = self.always.clone();
        for (key, values) in &self.by_key {
            let value = names.value(key);
            let items = match value.as_deref() {
                Some(Value::Array(items)) => items.as_slice(),
                Some(one) => std::slice::from_ref(one),
                None => &[],
            };
            let asked = items.iter().filter_map(|item| values.get(&Scalar::of(item)?));
            found.extend(asked.flatten());
        }
        found
    }
}

/// What must be so for a part to be true: this key is this value, or has it.
fn demand(node: &Node) -> Option<(&[Step], Scalar)> {
    match node {
        Node::All(nodes) => nodes.iter().find_map(demand),
        Node::Compare(Operand::Key(key), Op::Has | Op::Equal, Operand::Literal(value)) => {
            Some((key, Scalar::of(value)?))
        }
        Node::Any(_) | Node::Compare(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Whatever the expressions and the values: what is true is among those, and most of what is not is not.
    #[test]
    fn what_is_true_is_found_and_little_else() {
        let texts = [
            "skills HAS 'de' AND level > 2",
            "level > 2 AND skills HAS 'fr'",
            "skills HAS 3",
            "skills HAS 0",
            "lang == 'de'",
            "vip == true AND (lang == 'de' OR lang == 'fr')",
            "a.b[0] == 7.0",
            "lang == null",
            "lang IN ['de', 'fr']",
            "lang == 'de' OR level == 2",
            "'de' IN skills",
            "\"lang\" == 'de'",
            "lang != 'de'",
            "skills == 'de'",
            "1 == 1",
            "lang == level",
            "",
        ];
        let exprs = texts.map(|text| Expr::parse(text).unwrap());
        let which = Which::new(exprs.iter().zip(0..));
        let mut asked = 0;
        let values = [
            json!({}),
            json!({"skills": ["de", "de", 3.0, -0.0], "level": 3}),
            json!({"skills": ["fr", {}, [], null], "level": 9, "lang": "de"}),
            json!({"skills": "de", "level": 2, "lang": "fr", "vip": true}),
            json!({"a": {"b": [7]}, "lang": ["de"], "vip": false}),
            json!({"a": [], "lang": 2, "level": 2}),
        ];
        for value in &values {
            let found = which.may_be_true(value);
            asked += found.len();
            for (n, expr) in exprs.iter().enumerate() {
                assert!(!expr.is_true(value) || found.contains(&n), "{} of {value}", texts[n]);
            }
        }
        assert!(asked < values.len() * texts.len() * 2 / 3, "{asked} are asked");
        let eight_in_any_case_and_two = which.may_be_true(&json!({"skills": ["de"]}));
        assert_eq!(eight_in_any_case_and_two.len(), 8 + 2);
    }
}
