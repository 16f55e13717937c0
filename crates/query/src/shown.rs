//! What a query shows, put together from the ways in which it may be said: columns that are selected, relations
//! that are included, and groups with what is made of them.

use crate::tree::{Query, Selected, SelectedWhat};

/// Relations shown by one query, at all depths.
pub const EMBEDS_MAX: usize = 16;

/// What was said about what is shown.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub select: Option<Vec<Selected>>,
    /// Shown beside the columns, or beside all of them.
    pub include: Vec<Selected>,
    /// Rows are grouped by these, and they are shown.
    pub group_by: Option<Vec<Selected>>,
    /// Shown after what rows are grouped by.
    pub aggregate: Vec<Selected>,
    pub has_having: bool,
}

/// Things were said that do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash {
    /// Columns are selected that rows are not grouped by, or the other way round.
    SelectAndGroups,
    /// A related row belongs to a row, not to a group.
    IncludeAndGroups,
    /// There are no groups that could have it.
    HavingWithoutGroups,
    TooManyEmbeds,
}

impl std::fmt::Display for Clash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SelectAndGroups => f.write_str(
                "select and group_by name different columns: a group shows what it is grouped by, and aggregates",
            ),
            Self::IncludeAndGroups => f.write_str("include does not go with group_by or aggregate"),
            Self::HavingWithoutGroups => f.write_str("having goes with group_by or aggregate only"),
            Self::TooManyEmbeds => write!(f, "there are more than {EMBEDS_MAX} relations to show"),
        }
    }
}

impl Shown {
    /// Says it in the query's own terms.
    pub fn put_into(self, query: &mut Query) -> Result<(), Clash> {
        let Self {
            select,
            include,
            group_by,
            aggregate,
            has_having,
        } = self;
        let is_grouping = group_by.is_some() || !aggregate.is_empty();
        if is_grouping && !include.is_empty() {
            return Err(Clash::IncludeAndGroups);
        }
        query.grouped = group_by.is_some();
        query.select = match (select, group_by) {
            (Some(select), Some(group_by)) if !are_the_same(&select, &group_by) => {
                return Err(Clash::SelectAndGroups);
            }
            (Some(columns), _) | (None, Some(columns)) => Some([columns, aggregate].concat()),
            (None, None) if !aggregate.is_empty() => Some(aggregate),
            (None, None) => None,
        };
        if !include.is_empty() {
            let star = Selected {
                what: SelectedWhat::Star,
                alias: None,
            };
            query
                .select
                .get_or_insert_with(|| vec![star])
                .extend(include);
        }
        if has_having && !query.is_grouped() {
            return Err(Clash::HavingWithoutGroups);
        }
        if embeds(query) > EMBEDS_MAX {
            return Err(Clash::TooManyEmbeds);
        }
        Ok(())
    }
}

/// Whether the columns that are selected, whatever they are called, are those that rows are grouped by.
fn are_the_same(select: &[Selected], group_by: &[Selected]) -> bool {
    let is_column = |item: &&Selected| !matches!(item.what, SelectedWhat::Aggregate(_));
    let has =
        |items: &[Selected], wanted: &Selected| items.iter().any(|item| item.what == wanted.what);
    select
        .iter()
        .filter(is_column)
        .all(|item| has(group_by, item))
        && group_by.iter().all(|item| has(select, item))
}

fn embeds(query: &Query) -> usize {
    let items = query.select.iter().flatten();
    let of_item = |item: &Selected| match &item.what {
        SelectedWhat::Embed(embed) => 1 + embeds(&embed.query),
        _ => 0,
    };
    items.map(of_item).sum()
}
