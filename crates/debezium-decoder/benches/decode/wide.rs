//! Orders of seventeen columns, as a snapshot of PostgreSQL brings them: their source blocks repeat to the letter.

/// Key and value of the `id`th.
pub fn snapshot_row(id: u64) -> (Vec<u8>, Vec<u8>) {
    let mixed = id * 7919 % 2_147_483_647;
    let customer = mixed % 100_000;
    let status = ["new", "paid", "shipped", "returned"][mixed as usize % 4];
    let note = if mixed.is_multiple_of(3) {
        r#""please leave it at the door""#
    } else {
        "null"
    };
    let street = ["Long Street", "Station Road", "Mill Lane"][mixed as usize % 3];
    let city = ["Springfield", "Newport", "Ashford", "Kingston"][customer as usize % 4];
    let placed = format!(
        "2026-01-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        1 + mixed % 28,
        mixed % 24,
        mixed % 60,
        id % 60,
        mixed % 1_000_000
    );
    let row = format!(
        r#"{{"id":{id},"customer_id":{customer},"status":"{status}","total":"{}.{:02}","currency":"EUR","lines":{},"is_paid":{},"note":{note},"name":"Anna Schneider","street":"{} {street}","city":"{city}","postal_code":"{}","country":"AT","email":"customer{customer}@mail.example.org","phone":"+49 30 {}","created_at":"{placed}","updated_at":"{placed}"}}"#,
        mixed % 1_000,
        mixed % 100,
        1 + mixed % 9,
        mixed.is_multiple_of(2),
        1 + mixed % 1_000,
        10_000 + customer % 90_000,
        1_000_000 + customer,
    );
    let value = format!(
        r#"{{"before":null,"after":{row},"source":{{"version":"3.6.3.Final","connector":"postgresql","name":"shop","ts_ms":1795223140099,"snapshot":"true","db":"shop","sequence":"[null,\"822357448\"]","ts_us":1795223140099432,"ts_ns":1795223140099432000,"schema":"public","table":"orders","txId":771,"lsn":822357448,"xmin":null,"origin":null,"origin_lsn":null}},"transaction":null,"op":"r","ts_ms":{},"ts_us":{}658,"ts_ns":{}658192}}"#,
        1_795_223_140_421 + id / 100,
        1_795_223_140_421 + id / 100,
        1_795_223_140_421 + id / 100,
    );
    (format!(r#"{{"id":{id}}}"#).into_bytes(), value.into_bytes())
}
