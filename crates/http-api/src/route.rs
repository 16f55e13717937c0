//! The routes as metrics name them: the path with its variables unfilled.

use http::{Method, Uri};

/// A route that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Route {
    Tables,
    Table,
    Export,
    Rows,
    Row,
    Query,
    BatchGet,
    Status,
    Quarantine,
    QuarantineReplay,
    Wait,
    Changes,
    Indexes,
    Rebuild,
    Rest,
    Sql,
    Livez,
    Readyz,
    Startupz,
    Metrics,
    /// No route has this path, or the request never came so far.
    Unmatched,
}

impl Route {
    pub fn label(self) -> &'static str {
        match self {
            Self::Tables => "/v1/tables",
            Self::Table => "/v1/tables/{table}",
            Self::Export => "/v1/tables/{table}/export",
            Self::Rows => "/v1/tables/{table}/rows",
            Self::Row => "/v1/tables/{table}/rows/{key}",
            Self::Query => "/v1/query",
            Self::BatchGet => "/v1/batch-get",
            Self::Status => "/v1/status",
            Self::Quarantine => "/v1/quarantine",
            Self::Wait => "/v1/wait",
            Self::Changes => "/v1/changes",
            Self::QuarantineReplay => "/v1/quarantine/replay",
            Self::Indexes => "/v1/tables/{table}/indexes",
            Self::Rebuild => "/v1/tables/{table}/rebuild",
            Self::Rest => "/rest/v1/{table}",
            Self::Sql => "/v1/sql",
            Self::Livez => "/livez",
            Self::Readyz => "/readyz",
            Self::Startupz => "/startupz",
            Self::Metrics => "/metrics",
            Self::Unmatched => "unmatched",
        }
    }
}

/// What stands below `/rest/v1/` in a path, still percent-encoded; `None` for every other path.
pub(crate) fn rest_of(path: &str) -> Option<&str> {
    let below = path.strip_prefix("/rest/v1")?;
    if below.is_empty() {
        return Some("");
    }
    below.strip_prefix('/')
}

/// Whether answers of this path may have a floor: those that rest on rows.
pub(crate) fn keeps_floors(path: &str) -> bool {
    let below_table = || path.strip_prefix("/v1/tables/")?.split_once('/');
    let of_rows = |below: &str| below == "rows" || below.starts_with("rows/");
    matches!(path, "/v1/query" | "/v1/batch-get" | "/v1/sql" | "/v1/wait")
        || rest_of(path).is_some()
        || below_table().is_some_and(|(_, below)| of_rows(below))
}

/// Whether this path sends a whole table, as the newest cut or another one shows it.
pub(crate) fn is_export(path: &str) -> bool {
    let below_table = || path.strip_prefix("/v1/tables/")?.split_once('/');
    below_table().is_some_and(|(_, below)| below == "export")
}

/// The table of a path below `/v1/tables/`, still percent-encoded.
pub(crate) fn table_of(path: &str) -> &str {
    let below = path.strip_prefix("/v1/tables/").unwrap_or_default();
    below.split('/').next().unwrap_or_default()
}

/// Table and key of a lookup's path, still percent-encoded; `None` if it is the path of no lookup.
pub(crate) fn row_of(path: &str) -> Option<(&str, &str)> {
    let (table, below) = path.strip_prefix("/v1/tables/")?.split_once('/')?;
    let key = below.strip_prefix("rows/")?;
    let is_lookup = !table.is_empty() && !key.contains('/');
    is_lookup.then_some((table, key))
}

/// The same of a request that asks for nothing but the row.
pub(crate) fn lookup_of<'a>(method: &Method, uri: &'a Uri) -> Option<(&'a str, &'a str)> {
    let is_bare = method == Method::GET && uri.query().is_none_or(str::is_empty);
    row_of(uri.path()).filter(|_| is_bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_floors_and_lists_of_tables_have_not() {
        for path in [
            "/v1/tables/a/rows",
            "/v1/tables/a/rows/7",
            "/v1/wait",
            "/rest/v1/a",
        ] {
            assert!(keeps_floors(path), "{path}");
        }
        for path in [
            "/v1/tables",
            "/v1/tables/rows",
            "/v1/tables/a/rowsets",
            "/v1/status",
        ] {
            assert!(!keeps_floors(path), "{path}");
        }
    }

    #[test]
    fn a_lookups_path_has_a_table_and_a_key() {
        assert_eq!(row_of("/v1/tables/orders/rows/7"), Some(("orders", "7")));
        assert_eq!(row_of("/v1/tables/orders/rows/"), Some(("orders", "")));
        assert_eq!(
            row_of("/v1/tables/a%2Frows%2F/rows/b%2Fc"),
            Some(("a%2Frows%2F", "b%2Fc"))
        );
        assert_eq!(row_of("/v1/tables/rows/rows/rows"), Some(("rows", "rows")));
        for path in [
            "/v1/tables/orders/rows",
            "/v1/tables//rows/7",
            "/v1/tables/a/b/rows/7",
            "/v1/tables/a/rows/b/c",
        ] {
            assert_eq!(row_of(path), None, "{path}");
        }
        assert_eq!(
            table_of("/v1/tables/shop.public.orders/rows"),
            "shop.public.orders"
        );
        assert_eq!(table_of("/v1/tables/orders"), "orders");
    }
}
