//! `at_exact`: the one place that decides which cut a request reads. The newest one, or that of an earlier answer.

use query::as_of::AsOf;
use table_store::{CutName, PinnedCut, TableCut};

use crate::problem::ApiError;
use crate::{ApiState, error, fresh};

pub(crate) const AT_EXACT: &str = "rowtide-at-exact";

/// The cut of an earlier answer, if one is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exact(Option<CutName>);

impl Exact {
    pub fn read(as_of: Option<&str>) -> Result<Self, ApiError> {
        let Some(text) = as_of else {
            return Ok(Self(None));
        };
        let as_of = AsOf::decode(text).map_err(|_| error::bad_exact())?;
        let name = as_of.cut.ok_or_else(error::cut_without_name)?;
        Ok(Self(Some(name)))
    }

    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// The cut that the request reads.
    pub fn pin(&self, state: &ApiState) -> Result<PinnedCut, ApiError> {
        let Some(name) = self.0 else {
            return Ok(state.store().pin());
        };
        state.store().pin_again(name).ok_or_else(|| {
            let newest = state.store().published();
            error::snapshot_expired().at(fresh::of_all(state, &newest))
        })
    }

    /// Whether all that an answer rests on is still there: of a table that was not live then, versions were not kept.
    pub fn check<'a>(
        &self,
        tables: impl IntoIterator<Item = &'a TableCut>,
    ) -> Result<(), ApiError> {
        let Some(name) = self.0 else {
            return Ok(());
        };
        let mut tables = tables.into_iter();
        match tables.find(|table| !table.table.keeps(name.cut)) {
            Some(table) => Err(error::never_kept(&table.table.identity().name)),
            None => Ok(()),
        }
    }
}
