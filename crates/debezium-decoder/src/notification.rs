//! The notification topic: progress of snapshots. Everything but what is told of whole tables is
//! passed over, and so is whatever does not look as it should: a notification is never an error.

use row_model::{Notice, NoticeKind};
use serde::Deserialize;

#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "type")]
    kind: String,
    aggregate_type: String,
    additional_data: Option<Additional>,
    timestamp: i64,
}

#[derive(Deserialize)]
struct Additional {
    connector_name: String,
    scanned_collection: Option<String>,
    total_rows_scanned: Option<String>,
    status: Option<String>,
}

/// What a notification says of a snapshot; `None` if nothing that counts.
pub(crate) fn read(payload: &str, offset: u64) -> Option<Notice> {
    let notification: Notification = serde_json::from_str(payload).ok()?;
    if notification.aggregate_type != "Initial Snapshot" {
        return None;
    }
    let additional = notification.additional_data?;
    let kind = match notification.kind.as_str() {
        "COMPLETED" | "SKIPPED" => NoticeKind::SnapshotEnded,
        "TABLE_SCAN_COMPLETED" => {
            let status = additional.status.as_deref();
            if !matches!(status, Some("SUCCEEDED" | "EMPTY")) {
                return None;
            }
            NoticeKind::ScanCompleted {
                collection: additional.scanned_collection?,
                rows: additional.total_rows_scanned?.parse().ok()?,
            }
        }
        _ => return None,
    };
    Some(Notice {
        offset,
        connector: additional.connector_name,
        at_ms: notification.timestamp,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_tables_and_whole_snapshots_are_told() {
        let notification = |kind: &str, aggregate: &str, more: &str| {
            let json = format!(
                r#"{{"id":"4c","type":"{kind}","aggregate_type":"{aggregate}","additional_data":{{{more}"connector_name":"g"}},"timestamp":1795224656350}}"#
            );
            read(&json, 7).map(|notice| (notice.connector, notice.kind))
        };
        let scanned = |rows, status| {
            format!(
                r#""scanned_collection":"public.items","total_rows_scanned":"{rows}","status":"{status}","data_collections":"public.items","#
            )
        };
        let ended = Some(("g".to_owned(), NoticeKind::SnapshotEnded));
        assert_eq!(notification("COMPLETED", "Initial Snapshot", ""), ended);
        assert_eq!(notification("SKIPPED", "Initial Snapshot", ""), ended);
        assert_eq!(notification("STARTED", "Initial Snapshot", ""), None);
        let table = |more: &str| notification("TABLE_SCAN_COMPLETED", "Initial Snapshot", more);
        let kind = NoticeKind::ScanCompleted {
            collection: "public.items".to_owned(),
            rows: 0,
        };
        let empty = Some(("g".to_owned(), kind));
        assert_eq!(table(&scanned("0", "SUCCEEDED")), empty);
        assert_eq!(table(&scanned("0", "EMPTY")), empty);
        assert_eq!(table(&scanned("0", "SQL_EXCEPTION")), None);
        assert_eq!(table(&scanned("many", "SUCCEEDED")), None);
        let scan = scanned("0", "SUCCEEDED");
        assert_eq!(
            notification("TABLE_SCAN_COMPLETED", "Incremental Snapshot", &scan),
            None
        );
    }
}
