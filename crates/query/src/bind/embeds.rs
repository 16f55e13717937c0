//! Binds the relation of an embed.

use super::binder::Binder;
use super::scope::Scope;
use super::{BindError, BoundEmbed, BoundQuery, BoundThrough};
use crate::relation::Link;
use crate::tree::Embed;

/// Of the rows of a level; `query` is what is shown of the related rows.
pub(super) fn bind(
    parent: &mut Binder<'_>,
    level: usize,
    embed: &Embed,
    link: &Link,
    query: BoundQuery,
) -> Result<BoundEmbed, BindError> {
    let bound = parent.link(level, link, &embed.at)?;
    let through = match &link.junction {
        None => None,
        Some(junction) => {
            let scope = Scope::of_table(&junction.table);
            let mut middle = Binder::new(scope, parent.world, parent.depth);
            Some(BoundThrough {
                from: junction.from.clone(),
                link: middle.through(link, &embed.at)?,
            })
        }
    };
    Ok(BoundEmbed {
        link: bound,
        through,
        is_many: link.is_many,
        query,
    })
}
