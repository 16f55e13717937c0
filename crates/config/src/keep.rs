//! How much of an append-only table is kept, as it is written: `24h`, or `100000 rows`.

use std::time::Duration;

use ingest::Keep;

use super::units::{Unusable, parse_duration};

/// Less, and a reader that is a moment late finds nothing.
const AGE_MIN: Duration = Duration::from_secs(1);
const AGE_MAX: Duration = Duration::from_hours(24 * 366 * 100);

const HELP: &str = "write an age such as \"24h\", or a number such as \"100000 rows\"";

pub fn parse_keep(text: &str) -> Result<Keep, Unusable> {
    let Some(rows) = text.trim().strip_suffix("rows") else {
        let is_number = text.trim().parse::<u64>().is_ok();
        let age = parse_duration(text, AGE_MIN, AGE_MAX);
        return age.map(Keep::Age).map_err(|error| {
            let what = format!("{text:?} has no unit");
            Unusable::new(if is_number { what } else { error.what }, HELP)
        });
    };
    match rows.trim().parse::<u64>() {
        Ok(rows) if rows > 0 => Ok(Keep::Rows(rows)),
        _ => Err(Unusable::new(
            format!("{text:?} is no number of rows"),
            HELP,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_or_a_number_of_rows() {
        let kept = |text| parse_keep(text).map_err(|error| error.what);
        assert_eq!(kept("24h"), Ok(Keep::Age(Duration::from_hours(24))));
        assert_eq!(kept(" 100000 rows "), Ok(Keep::Rows(100_000)));
        assert_eq!(kept("1000"), Err("\"1000\" has no unit".to_owned()));
        for wrong in ["0 rows", "-1 rows", "many rows"] {
            assert_eq!(kept(wrong), Err(format!("{wrong:?} is no number of rows")));
        }
        assert_eq!(kept("soon"), Err("\"soon\" is no duration".to_owned()));
        assert_eq!(kept("1ms"), Err("\"1ms\" is out of bounds".to_owned()));
    }
}
