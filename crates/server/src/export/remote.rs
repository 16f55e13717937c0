//! Exports from a running server.

use api_types::TableInfo;

use super::{ExportArgs, ExportFormat, Output, Told};
use crate::failure::Failure;
use crate::remote::{encoded, freshness, refused};

pub fn write(args: &ExportArgs, output: &mut Output) -> Result<Told, Failure> {
    let path = format!("/v1/tables/{}", encoded(&args.table));
    let answer = args.url.get(&path)?;
    if !answer.is_success() {
        return Err(refused(&answer));
    }
    let info: TableInfo = serde_json::from_str(&answer.body).map_err(anyhow::Error::from)?;
    if info.fresh.state == api_types::State::Loading {
        return Err(Failure::NotReady(format!(
            "table '{}' does not have all its rows yet: {}",
            info.name,
            freshness(&info.fresh)
        )));
    }
    let format = match args.format {
        ExportFormat::Ndjson => "ndjson",
        ExportFormat::Csv => "csv",
    };
    let mut as_of = String::new();
    let head = |headers: &http::HeaderMap| {
        let told = headers.get("rowtide-freshness");
        let told = told.and_then(|value| value.to_str().ok());
        as_of = format!("as of {}", told.unwrap_or("the last cut"));
        Ok(())
    };
    let path = format!("{path}/export?format={format}");
    if let Some(answer) = args.url.stream(&path, head, |bytes| output.write(bytes))? {
        return Err(refused(&answer));
    }
    let mut doubts = Vec::new();
    if !info.fresh.complete {
        doubts.push(
            "incomplete: rows may be missing that the source has; rowtide status says why"
                .to_owned(),
        );
    }
    if info.fresh.quarantined > 0 {
        doubts.push(format!(
            "{} records are in the quarantine and not in these rows; rowtide quarantine list shows them",
            info.fresh.quarantined
        ));
    }
    Ok(Told {
        table: info.name,
        as_of,
        doubts,
    })
}
