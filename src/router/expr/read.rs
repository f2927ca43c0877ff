//! Words become an expression.

use serde_json::Value;

use super::lex::{Kind, Token, tokens};
use super::{DEPTH_MAX, EXPR_CHARS_MAX, Node, Op, Operand, Step};

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: expected {expected}")]
pub struct ExprError {
    /// The first character that does not fit, from 1; one past the end when more should come.
    pub at: usize,
    /// What would have been right there.
    pub expected: String,
}

impl ExprError {
    pub(super) fn new(at: usize, expected: impl Into<String>) -> ExprError {
        ExprError { at, expected: expected.into() }
    }
}

/// Reads a whole expression; `None` for an empty one.
pub(super) fn read(text: &str) -> Result<Option<Node>, ExprError> {
    if text.chars().count() > EXPR_CHARS_MAX {
        return Err(ExprError::new(
            EXPR_CHARS_MAX + 1,
            format!("the end: {EXPR_CHARS_MAX} characters are the most"),
        ));
    }
    let mut reader = Reader { tokens: tokens(text)?, next: 0, depth: 0 };
    if reader.peek().kind == Kind::End {
        return Ok(None);
    }
    let root = reader.any()?;
    match reader.peek().kind {
        Kind::End => Ok(Some(root)),
        _ => Err(reader.expected("AND, OR or the end")),
    }
}

struct Reader {
    tokens: Vec<Token>,
    next: usize,
    depth: u32,
}

impl Reader {
    fn peek(&self) -> &Token {
        // The end is never passed.
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn expected(&self, what: &str) -> ExprError {
        ExprError::new(self.peek().at, what)
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(&self.peek().kind, Kind::Sign(found) if *found == sign);
        self.next += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(&self.peek().kind, Kind::Name(name) if name.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ExprError>) -> Result<T, ExprError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            // Where the one too many stands.
            let at = self.tokens[self.next - 1].at;
            return Err(ExprError::new(at, "fewer parentheses inside each other"));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn any(&mut self) -> Result<Node, ExprError> {
        let mut nodes = vec![self.all()?];
        while self.take_word("OR") {
            nodes.push(self.all()?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    fn all(&mut self) -> Result<Node, ExprError> {
        let mut nodes = vec![self.unit()?];
        while self.take_word("AND") {
            nodes.push(self.unit()?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) })
    }

    fn unit(&mut self) -> Result<Node, ExprError> {
        if self.take_sign("(") {
            let inner = self.deeper(Reader::any)?;
            return if self.take_sign(")") { Ok(inner) } else { Err(self.expected("AND, OR or )")) };
        }
        let left = self.operand()?;
        let op = self.op()?;
        Ok(Node::Compare(left, op, self.operand()?))
    }

    fn op(&mut self) -> Result<Op, ExprError> {
        const SIGNS: [(&str, Op); 9] = [
            ("==", Op::Equal),
            ("=", Op::Equal),
            ("!=", Op::Unequal),
            ("<", Op::Less),
            ("<=", Op::LessOrEqual),
            (">", Op::Greater),
            (">=", Op::GreaterOrEqual),
            (">-", Op::Has),
            ("<-", Op::In),
        ];
        if let Some((_, op)) = SIGNS.iter().find(|(sign, _)| self.take_sign(sign)) {
            return Ok(*op);
        }
        for (word, op) in [("CONTAINS", Op::Contains), ("HAS", Op::Has), ("IN", Op::In)] {
            if self.take_word(word) {
                return Ok(op);
            }
        }
        if self.take_word("NOT") {
            return if self.take_word("IN") { Ok(Op::NotIn) } else { Err(self.expected("IN")) };
        }
        Err(self.expected("an operator"))
    }

    fn operand(&mut self) -> Result<Operand, ExprError> {
        let Token { kind, .. } = self.peek().clone();
        match kind {
            Kind::Text(text) => {
                self.next += 1;
                Ok(Operand::Literal(Value::String(text)))
            }
            Kind::Number(number) => {
                self.next += 1;
                Ok(Operand::Literal(Value::Number(number)))
            }
            Kind::Sign("[") => {
                self.next += 1;
                self.deeper(Reader::list)
            }
            Kind::Name(name) => self.named(name),
            Kind::Sign(_) | Kind::End => Err(self.expected("a value")),
        }
    }

    fn list(&mut self) -> Result<Operand, ExprError> {
        let mut items = Vec::new();
        if self.take_sign("]") {
            return Ok(Operand::List(items));
        }
        loop {
            items.push(self.operand()?);
            if self.take_sign("]") {
                return Ok(Operand::List(items));
            }
            if !self.take_sign(",") {
                return Err(self.expected(", or ]"));
            }
        }
    }

    fn named(&mut self, name: String) -> Result<Operand, ExprError> {
        for (word, value) in
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
        {
            if name.eq_ignore_ascii_case(word) {
                self.next += 1;
                return Ok(Operand::Literal(value));
            }
        }
        if ["AND", "OR", "NOT", "IN", "HAS", "CONTAINS"].iter().any(|word| name.eq_ignore_ascii_case(word)) {
            return Err(self.expected("a value"));
        }
        self.next += 1;
        let mut steps = vec![Step::Name(name)];
        loop {
            if self.take_sign(".") {
                let Kind::Name(name) = self.peek().kind.clone() else { return Err(self.expected("a name")) };
                self.next += 1;
                steps.push(Step::Name(name));
            } else if self.take_sign("[") {
                let index = match &self.peek().kind {
                    Kind::Number(number) => number.as_u64().and_then(|index| usize::try_from(index).ok()),
                    _ => None,
                };
                let Some(index) = index else { return Err(self.expected("a whole number from 0")) };
                self.next += 1;
                steps.push(Step::Index(index));
                if !self.take_sign("]") {
                    return Err(self.expected("]"));
                }
            } else {
                return Ok(Operand::Key(steps));
            }
        }
    }
}
