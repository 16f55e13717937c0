//! What is asked of a table, before its columns are known: the one tree that every spelling of a query is read into.
//!
//! Refuses to know types: a literal is still text here. Where a part was written is kept for errors
//! only, and is no part of what the query means.

/// What is asked of one table, or of the rows related to one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Rows must meet all of these.
    pub filter: Vec<Condition>,
    /// What is shown of a row; `None` for all columns. With an aggregate in it rows are grouped by
    /// everything else that is in it.
    pub select: Option<Vec<Selected>>,
    /// Rows are grouped by what is selected even if nothing of them is aggregated.
    pub grouped: bool,
    /// Groups must meet all of these. Their columns are those of the answer, by label.
    pub having: Vec<Condition>,
    /// Of groups by labels of the answer, or by what they are grouped by.
    pub order: Vec<Ordered>,
    /// At most so many rows; `None` for as many as there may be.
    pub limit: Option<usize>,
    /// So many rows are passed over first.
    pub offset: usize,
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
    Related(Related),
}

/// Some related row meets all of the conditions: never unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    pub relation: RelationRef,
    pub filter: Vec<Condition>,
    pub at: Place,
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
    /// The value of another column of the same row. Of comparisons only.
    Column(Box<ColumnPath>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsWhat {
    Null,
    NotNull,
    True,
    False,
}

/// A relation as a query names it: by its own name, by the table it leads to, by its column or constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationRef {
    pub name: String,
    /// Which of several is meant: the name of a relation, constraint, column or junction.
    pub hint: Option<String>,
}

/// A column, or a part of the JSON in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnPath {
    /// To-one relations that lead to the row that has the column; empty for the row itself.
    pub via: Vec<RelationRef>,
    pub column: String,
    pub steps: Vec<Step>,
    /// The part is taken as text (`->>`) rather than as what it is (`->`). Without steps `false`.
    pub as_text: bool,
    /// The type it is turned into, as it was written (`::text`).
    pub cast: Option<String>,
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
    Aggregate(Aggregate),
    Embed(Embed),
}

/// One value made of many rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    pub function: AggregateFunction,
    /// `None` counts rows.
    pub of: Option<ColumnPath>,
    /// The type the result is turned into, as it was written.
    pub cast: Option<String>,
    pub at: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// Rows, or values that are not null.
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

impl AggregateFunction {
    pub const ALL: [Self; 5] = [Self::Count, Self::Sum, Self::Avg, Self::Min, Self::Max];

    #[must_use]
    pub fn spelling(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    #[must_use]
    pub fn from_spelling(spelling: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|function| function.spelling() == spelling)
    }
}

/// The rows related to a row, shown within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embed {
    pub relation: RelationRef,
    pub query: Query,
    /// Rows without related ones are not shown at all.
    pub required: bool,
    pub lift: Lift,
    pub at: Place,
}

/// Where related rows stand in the row that they are shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lift {
    /// As an object, or an array of objects.
    Nested,
    /// Their columns stand among the row's, under their own names; of several rows as arrays of values.
    Spread,
    /// The same, named `relation_column`. Of to-one relations only.
    Prefixed,
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
    /// The parameter, as it was named; of a body the JSON pointer, `/` for all of it.
    pub parameter: String,
    /// Characters before it in the decoded value; `None` if it stands in the name, or is the whole of what is pointed to.
    pub offset: Option<usize>,
}

impl Place {
    /// What a JSON pointer points to.
    #[must_use]
    pub fn in_body(pointer: &str) -> Self {
        let whole = pointer.is_empty();
        Self {
            parameter: if whole { "/" } else { pointer }.to_owned(),
            offset: None,
        }
    }

    /// It is a place in a body. No parameter begins with a slash, unless it is in quotes.
    #[must_use]
    pub fn is_in_body(&self) -> bool {
        self.parameter.starts_with('/')
    }
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
            None if self.parameter == "/" => f.write_str("in the body"),
            None if self.is_in_body() => write!(f, "at {}", self.parameter),
            Some(offset) if self.is_in_body() => {
                write!(f, "at {}, character {}", self.parameter, offset + 1)
            }
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
    /// Text in which a regular expression finds something.
    Match = "match";
    /// The same whatever the case.
    Imatch = "imatch";
    /// An array or JSON all of which is in the operand.
    ContainedIn = "cd";
    /// An array that shares an element with the operand.
    Overlaps = "ov";
}

impl Operator {
    /// Whether two values can be compared so, wherever they come from.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Eq | Self::Neq | Self::Gt | Self::Gte | Self::Lt | Self::Lte
        )
    }
}

impl Condition {
    /// Tests and groups in it.
    #[must_use]
    pub fn nodes(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => 1 + parts.iter().map(Self::nodes).sum::<usize>(),
            Self::Not(part) => 1 + part.nodes(),
            Self::Test(_) => 1,
            Self::Related(related) => 1 + related.filter.iter().map(Self::nodes).sum::<usize>(),
        }
    }
}

impl Query {
    /// Rows are put into groups, and what is shown is one row of each.
    #[must_use]
    pub fn is_grouped(&self) -> bool {
        let has_aggregate = |item: &Selected| match &item.what {
            SelectedWhat::Aggregate(_) => true,
            SelectedWhat::Embed(embed) => embed.lift != Lift::Nested && embed.query.is_grouped(),
            _ => false,
        };
        self.grouped || self.select.iter().flatten().any(has_aggregate)
    }
}

impl RelationRef {
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            hint: None,
        }
    }
}

/// Conditions on one relation that stand side by side are about one and the same related row: puts them into one
/// [`Related`]. Every spelling that has dotted columns calls this on each list of conditions that are all to be met.
#[must_use]
pub fn gather(conditions: Vec<Condition>) -> Vec<Condition> {
    let mut gathered: Vec<Condition> = Vec::with_capacity(conditions.len());
    for condition in conditions {
        let Condition::Related(related) = condition else {
            gathered.push(condition);
            continue;
        };
        let beside = gathered.iter_mut().find_map(|other| match other {
            Condition::Related(other) if other.relation == related.relation => Some(other),
            _ => None,
        });
        match beside {
            Some(other) => other.filter.extend(related.filter),
            None => gathered.push(Condition::Related(related)),
        }
    }
    for condition in &mut gathered {
        if let Condition::Related(related) = condition {
            related.filter = gather(std::mem::take(&mut related.filter));
        }
    }
    gathered
}
