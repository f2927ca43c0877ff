//! The language in which queues choose workers and workflows choose tasks (reference: taskrouter §10).
//!
//! ```text
//! expr    := and { OR and }
//! and     := unit { AND unit }
//! unit    := '(' expr ')' | operand op operand
//! op      := == = != < <= > >= CONTAINS HAS >- IN <- NOT IN
//! operand := key | string | number | true | false | null | list
//! ```
//! Keywords take either case. An expression is read once and asked often: reading says what is wrong and where, asking
//! cannot fail. What makes no sense for the values at hand (a number compared with a text) is false.

mod eval;
mod lex;
mod read;
mod which;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use read::ExprError;
pub(crate) use which::Which;

/// Characters of an expression; a longer one is refused.
pub const EXPR_CHARS_MAX: usize = 4_096;

/// Parentheses and lists inside each other.
const DEPTH_MAX: u32 = 32;

/// An expression that has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expr {
    source: String,
    /// `None`: the empty expression, which nobody meets.
    root: Option<Node>,
}

/// Gives names their values.
pub trait Names {
    /// The value of a key; `None` when there is none, which is the same as null.
    fn value(&self, key: &[Step]) -> Option<Cow<'_, Value>>;
}

/// One step of a key: `addr.zip` and `tags[0].n` have two and three.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// A name.
    Name(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// Part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Compare(Operand, Op, Operand),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    Key(Vec<Step>),
    Literal(Value),
    List(Vec<Operand>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// A text contains a text.
    Contains,
    /// A list contains a scalar.
    Has,
    /// A scalar is in a list.
    In,
    NotIn,
}

impl Expr {
    /// Reads an expression; an empty one is met by nobody.
    pub fn parse(text: &str) -> Result<Expr, ExprError> {
        Ok(Expr { source: text.to_owned(), root: read::read(text)? })
    }

    /// Whether it is true where names have these values.
    pub fn is_true(&self, names: &dyn Names) -> bool {
        self.root.as_ref().is_some_and(|root| eval::is_true(root, names))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Every key in it whose first name this is, without that name.
    pub(crate) fn keys_of(&self, prefix: &str) -> Vec<&[Step]> {
        let mut keys = Vec::new();
        if let Some(root) = &self.root {
            eval::each_key(root, &mut |key| match key {
                [Step::Name(name), rest @ ..] if name == prefix => keys.push(rest),
                _ => {}
            });
        }
        keys
    }

    /// The first name of every key in it that is neither of `allowed`: for contexts where keys have prefixes.
    pub fn stray_name(&self, allowed: &[&str]) -> Option<&str> {
        self.root.as_ref().and_then(|root| eval::stray_name(root, allowed))
    }
}

impl TryFrom<String> for Expr {
    type Error = ExprError;

    fn try_from(text: String) -> Result<Expr, ExprError> {
        Expr::parse(&text)
    }
}

impl From<Expr> for String {
    fn from(expr: Expr) -> String {
        expr.source
    }
}

impl Names for Value {
    /// Attributes: the keys are those of the object itself.
    fn value(&self, key: &[Step]) -> Option<Cow<'_, Value>> {
        let found = key.iter().try_fold(self, |value, step| match step {
            Step::Name(name) => value.get(name),
            Step::Index(index) => value.get(index),
        })?;
        Some(Cow::Borrowed(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes() -> Value {
        serde_json::json!({"skills": ["a", "b"], "level": 3, "lang": "de", "addr": {"zip": "10115"},
            "tags": [{"n": "x"}], "rate": 2.5, "vip": true, "gone": null, "it's": "a \"b\" \\c"})
    }

    /// The golden cases of the reference and what lies beside them.
    #[test]
    fn what_is_true() {
        for (text, expected) in [
            ("skills HAS \"a\"", true),
            ("\"c\" IN skills", false),
            ("\"a\" IN skills", true),
            ("level >= 3 AND lang IN [\"de\",\"fr\"]", true),
            ("level > 3 OR (lang == 'de' AND addr.zip == \"10115\")", true),
            ("lang CONTAINS \"d\"", true),
            ("skills CONTAINS \"a\"", false),
            ("skills == \"a\"", false),
            ("missing == null", true),
            ("lang NOT IN [\"de\"]", false),
            ("tags[0].n == \"x\"", true),
            ("1==1", true),
            ("lang HAS \"de\"", false),
            // Spellings of operators, in either case.
            ("skills >- 'a'", true),
            ("'a' <- skills", true),
            ("skills has 'b' and level = 3", true),
            ("lang not in ['fr', 'it']", true),
            ("lang != 'fr'", true),
            ("level<4", true),
            ("level < 3", false),
            ("level<=2", false),
            ("level <= 3", true),
            ("level > 2", true),
            ("level > 3", false),
            ("level >= 4", false),
            ("rate > 2 AND rate < 2.75", true),
            ("level == 3.0", true),
            ("-1 < level", true),
            ("vip == true", true),
            ("vip != false", true),
            // AND binds before OR.
            ("1==1 OR 1==2 AND 1==3", true),
            ("(1==1 OR 1==2) AND 1==3", false),
            // Nothing.
            ("gone == null", true),
            ("lang != null", true),
            ("missing < 1", false),
            ("missing >= null", false),
            ("missing IN [null]", true),
            ("missing HAS 'a'", false),
            // What does not fit together is false, and so is its opposite where it orders.
            ("level == '3'", false),
            ("level < 'x'", false),
            ("level > 'x'", false),
            ("'b' > 'a'", true),
            ("vip > false", false),
            ("level CONTAINS 3", false),
            ("skills < 5", false),
            ("skills != 'a'", false),
            ("'a' IN 'abc'", false),
            ("'a' NOT IN 'abc'", false),
            // Places that are not there.
            ("tags[1].n == null", true),
            ("tags[0].m == null", true),
            ("lang[0] == null", true),
            ("addr == null", false),
            // The attribute quoted on the left, as old samples have it.
            ("\"lang\" == 'de'", true),
            ("\"nothing\" == 'nothing'", true),
            // Escapes.
            (r#"'it\'s' == "it's""#, false),
            (r#""a \"b\" \\c" == 'a "b" \\c'"#, true),
            ("[1, 2] HAS 2", true),
            // The reference's own, of workflows and of callbacks.
            ("tier == 'gold' AND language IN ['de','fr']", false),
            ("'x' CONTAINS 'x' AND lang CONTAINS 'de'", true),
            ("language=='english'", false),
            ("lang=='de'", true),
            ("\"language\" == \"spanish\"", false),
            ("level == 3 AND (skills HAS 'a' OR skills HAS 'z')", true),
            ("lang IN [lang]", true),
            ("", false),
            ("  ", false),
        ] {
            let expr = Expr::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(expr.is_true(&attributes()), expected, "{text}");
            let again: Expr = serde_json::from_str(&serde_json::to_string(&expr).unwrap()).unwrap();
            assert_eq!(again, expr);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let deep = "(".repeat(40) + "1==1" + &")".repeat(40);
        for (text, at, expected) in [
            ("skills", 7, "an operator"),
            ("skills HAS", 11, "a value"),
            ("skills HAS 'a", 12, "a closing '"),
            ("== 1", 1, "a value"),
            ("1 == 1 1", 8, "AND, OR or the end"),
            ("(1 == 1", 8, "AND, OR or )"),
            ("1 == 1)", 7, "AND, OR or the end"),
            ("a == b AND", 11, "a value"),
            ("a == b AND OR c == d", 12, "a value"),
            ("a NOT 'x'", 7, "IN"),
            ("NOT a == 1", 1, "a value"),
            ("a = = 1", 5, "a value"),
            ("a === 1", 5, "a value"),
            ("a & b", 3, "an operator"),
            ("skill-level == 1", 6, "an operator"),
            ("a[x] == 1", 3, "a whole number from 0"),
            ("a[0 == 1", 5, "]"),
            ("a. == 1", 4, "a name"),
            ("a == [1, 2", 11, ", or ]"),
            ("a == [1,]", 9, "a value"),
            ("a == 1.2.3", 6, "a number"),
            ("ü == 'x' AND §", 14, "a value"),
            // Where more should come.
            ("skills HAS (", 12, "a value"),
            ("(", 2, "a value"),
            ("()", 2, "a value"),
            ("((1==1)", 8, "AND, OR or )"),
            ("1==1 OR", 8, "a value"),
            ("a NOT", 6, "IN"),
            ("a NOT IN", 9, "a value"),
            ("a == b.", 8, "a name"),
            ("a == [", 7, "a value"),
            ("tags[", 6, "a whole number from 0"),
            // Where something else should stand.
            ("a == AND", 6, "a value"),
            ("HAS skills 'a'", 1, "a value"),
            ("skills HAS HAS 'a'", 12, "a value"),
            ("skills LIKE 'a'", 8, "an operator"),
            ("a == 1 && b == 2", 8, "AND, OR or the end"),
            ("a == 1 || b == 2", 8, "AND, OR or the end"),
            ("!(a == 1)", 1, "a value"),
            ("a => 1", 4, "a value"),
            ("a <> 1", 4, "a value"),
            ("a == 'x' 'y'", 10, "AND, OR or the end"),
            ("a == 1, b == 2", 7, "AND, OR or the end"),
            ("a b == 1", 3, "an operator"),
            ("tags[-1].n == 'x'", 6, "a whole number from 0"),
            ("tags[1.5] == 'x'", 6, "a whole number from 0"),
            ("tags['n'] == 'x'", 6, "a whole number from 0"),
            (".a == 1", 1, "a value"),
            ("a.1 == 1", 3, "a name"),
            ("a == 1x", 6, "a number"),
            ("a == 01", 6, "a number"),
            ("a == \u{201c}de\u{201d}", 6, "a value"),
            ("a == \"de", 6, "a closing \""),
            (r"a == 'de\'", 6, "a closing '"),
            ("a == b == c", 8, "AND, OR or the end"),
            (deep.as_str(), 33, "fewer parentheses inside each other"),
        ] {
            let error = Expr::parse(text).expect_err(text);
            assert_eq!((error.at, error.expected.as_str()), (at, expected), "{text}");
        }
        let long = format!("a == '{}'", "x".repeat(EXPR_CHARS_MAX));
        assert_eq!(Expr::parse(&long).unwrap_err().at, EXPR_CHARS_MAX + 1);
    }

    #[test]
    fn keys_without_their_prefix_are_found() {
        let expr = Expr::parse("task.tier == 'gold' AND (worker.level > 1 OR level == 2)").unwrap();
        assert_eq!(expr.stray_name(&["task", "worker"]), Some("level"));
        assert_eq!(expr.stray_name(&["task", "worker", "level"]), None);
        assert_eq!(Expr::parse("1==1 AND x IN [y]").unwrap().stray_name(&["x"]), Some("y"));
    }
}
