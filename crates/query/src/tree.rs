//! What is asked of a table, before its columns are known: the one tree that every spelling of a query is read into.
//!
//! Refuses to know types: a literal is still text here. Where a part was written is kept for errors
//! only, and is no part of what the query means.

/// What is asked of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Rows must meet all of these.
    pub filter: Vec<Condition>,
    /// What is shown of a row; `None` for all columns.
    pub select: Option<Vec<Selected>>,
    pub order: Vec<Ordered>,
}

/// A condition that is true, false or unknown of a row, as in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// True without parts.
    All(Vec<Condition>),
    /// False without parts.
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Test),
}

/// A condition on one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    pub column: ColumnPath,
    pub operator: Operator,
    pub operand: Operand,
    /// Where the operand was written.
    pub at: Place,
}

/// What a value is compared with, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    One(String),
    /// Of [`Operator::In`] any number, of [`Operator::Between`] two.
    List(Vec<String>),
    Is(IsWhat),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsWhat {
    Null,
    NotNull,
    True,
    False,
}

/// A column, or a part of the JSON in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPath {
    pub column: String,
    pub steps: Vec<Step>,
    /// The part is taken as text (`->>`) rather than as what it is (`->`). Without steps `false`.
    pub as_text: bool,
    pub at: Place,
}

/// One step into JSON: a key of an object, or a place in an array if it reads as a whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    pub what: SelectedWhat,
    /// What it is called in answers, if not by its own name.
    pub alias: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectedWhat {
    /// All columns of the newest shape.
    Star,
    Path(ColumnPath),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    pub by: ColumnPath,
    pub descending: bool,
    /// As in `PostgreSQL` nulls are the greatest unless this says otherwise.
    pub nulls_first: bool,
}

/// Where a part of a query was written. Two queries that differ in it only are equal.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The parameter, as it was named.
    pub parameter: String,
    /// Characters before it in the parameter's decoded value; `None` if it stands in the name.
    pub offset: Option<usize>,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.offset {
            Some(offset) => write!(
                f,
                "in the value of '{}' at character {}",
                self.parameter,
                offset + 1
            ),
            None => write!(f, "in the parameter name '{}'", self.parameter),
        }
    }
}

macro_rules! operators {
    ($($(#[$doc:meta])* $name:ident = $spelling:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operator {
            $($(#[$doc])* $name,)*
        }

        impl Operator {
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// How all of them are spelled.
            pub const SPELLINGS: &[&str] = &[$($spelling),*];

            #[must_use]
            pub fn spelling(self) -> &'static str {
                match self { $(Self::$name => $spelling,)* }
            }

            #[must_use]
            pub fn from_spelling(spelling: &str) -> Option<Self> {
                match spelling { $($spelling => Some(Self::$name),)* _ => None }
            }
        }
    };
}

operators! {
    Eq = "eq";
    Neq = "neq";
    Gt = "gt";
    Gte = "gte";
    Lt = "lt";
    Lte = "lte";
    In = "in";
    /// `%` or `*` stands for any run of characters, `_` for any one; a backslash takes the next as it is.
    Like = "like";
    /// The same whatever the case.
    Ilike = "ilike";
    /// Text that begins so, to the letter.
    Starts = "starts";
    Is = "is";
    /// Text that has this part; JSON that has these parts.
    Contains = "contains";
    /// Both bounds included.
    Between = "between";
}

impl Condition {
    /// Tests and groups in it.
    #[must_use]
    pub fn nodes(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => 1 + parts.iter().map(Self::nodes).sum::<usize>(),
            Self::Not(part) => 1 + part.nodes(),
            Self::Test(_) => 1,
        }
    }
}
