//! A row as it comes from a database: value by value from the driver, or one of many in a single text.
//!
//! What the driver hands over takes longer than what is in it, a value of its own for every column of every row; so the
//! database writes a page as one JSON text ([`crate::sql::as_one`]), and it is read here.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use sqlx::any::AnyRow;
use sqlx::{Error, Row};

/// What a row says of its columns, which are TEXT and BIGINT only.
pub(crate) trait Columns {
    fn text(&self, column: &str) -> Result<Option<&str>, Error>;
    fn number(&self, column: &str) -> Result<Option<i64>, Error>;
}

impl Columns for AnyRow {
    fn text(&self, column: &str) -> Result<Option<&str>, Error> {
        self.try_get(column)
    }

    fn number(&self, column: &str) -> Result<Option<i64>, Error> {
        self.try_get(column)
    }
}

/// The rows of a page, each made of its columns, in whose order the text has their values.
pub(crate) fn rows_of<T>(
    text: &str,
    columns: &str,
    read: impl Fn(&dyn Columns) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let names: Vec<&str> = columns.split(", ").collect();
    let rows: Vec<Vec<Cell<'_>>> =
        serde_json::from_str(text).map_err(|error| Error::Decode(Box::new(error)))?;
    let read = |cells| read(&PageRow { names: &names, cells, next: std::cell::Cell::new(0) });
    rows.into_iter().map(read).collect()
}

struct PageRow<'a> {
    names: &'a [&'a str],
    cells: Vec<Cell<'a>>,
    /// Where the column is likely to be that is asked for: mostly they are read one after the other.
    next: std::cell::Cell<usize>,
}

impl PageRow<'_> {
    fn cell(&self, column: &str) -> Result<&Cell<'_>, Error> {
        let next = self.next.get();
        let place = match self.names.get(next) {
            Some(name) if *name == column => Some(next),
            _ => self.names.iter().position(|name| *name == column),
        };
        let cell = place.and_then(|place| {
            self.next.set(place + 1);
            self.cells.get(place)
        });
        cell.ok_or_else(|| Error::ColumnNotFound(column.to_owned()))
    }
}

impl Columns for PageRow<'_> {
    fn text(&self, column: &str) -> Result<Option<&str>, Error> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            Cell::Number(_) => Err(wrong(column, "a number where a text should be")),
        }
    }

    fn number(&self, column: &str) -> Result<Option<i64>, Error> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Number(number) => Ok(Some(*number)),
            Cell::Text(_) => Err(wrong(column, "a text where a number should be")),
        }
    }
}

/// One value.
enum Cell<'a> {
    Null,
    Number(i64),
    Text(Cow<'a, str>),
}

impl<'de> Deserialize<'de> for Cell<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Cell<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("nothing, a whole number or a text")
            }

            fn visit_unit<E>(self) -> Result<Cell<'de>, E> {
                Ok(Cell::Null)
            }

            fn visit_i64<E>(self, number: i64) -> Result<Cell<'de>, E> {
                Ok(Cell::Number(number))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Cell<'de>, E> {
                i64::try_from(number).map(Cell::Number).map_err(E::custom)
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cell<'de>, E> {
                Ok(Cell::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Cell<'de>, E> {
                Ok(Cell::Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_any(Any).map_err(D::Error::custom)
    }
}

/// A column that holds what no version of the box has written.
pub(crate) fn wrong(column: &str, what: &str) -> Error {
    Error::ColumnDecode { index: column.to_owned(), source: format!("{column} holds {what}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_by_the_names_of_its_columns() {
        let read = |row: &dyn Columns| {
            Ok((row.number("n")?, row.text("b")?.map(str::to_owned), row.text("a")?.map(str::to_owned)))
        };
        let text = r#"[["x",null,-5],["\"y\"\u001fü\n","z",9223372036854775807]]"#;
        let rows = rows_of(text, "a, b, n", read).unwrap();
        let owned = |text: &str| Some(text.to_owned());
        assert_eq!(rows[0], (Some(-5), None, owned("x")));
        assert_eq!(rows[1], (Some(i64::MAX), owned("z"), owned("\"y\"\u{1f}ü\n")));
        assert_eq!(rows_of("[]", "a, b, n", read).unwrap(), []);
        for (text, columns) in [
            (r#"[["x","y",1]]"#, "a, c, n"),
            (r#"[["x"]]"#, "a, b, n"),
            (r#"[["x","y","1"]]"#, "a, b, n"),
            (r#"[[1,"y",1]]"#, "a, b, n"),
            (r#"[["x","y",1.5]]"#, "a, b, n"),
            (r#"[["x","y",18446744073709551615]]"#, "a, b, n"),
            ("", "a, b, n"),
        ] {
            assert!(rows_of(text, columns, read).is_err(), "{text}");
        }
    }
}
