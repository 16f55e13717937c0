//! Keys that later versions will have. A key that did nothing would be a wrong answer later, so each
//! is refused, and told apart from a typing error.

/// What is missing, for a key written without its list indexes (`sources.transaction_topic`).
pub fn missing_feature(key: &str) -> Option<&'static str> {
    let feature = match key {
        "tables.indexes" => "there are no indexes yet",
        "policies" | "auth" => "there is no authentication and no access policy yet",
        "webhooks" => "changes are not sent to anybody yet",
        "tools" | "mcp" => "there is no MCP endpoint yet",
        "pgwire" | "sql" => "there is no SQL yet",
        "ready" => "readiness cannot depend on lag yet",
        _ => return None,
    };
    Some(feature)
}
