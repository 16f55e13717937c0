//! What could have been meant by a name that nothing has.

use crate::limits::CANDIDATES_MAX;

/// The known names that `written` was most likely meant to be, the likeliest first; if none is like it, all there are.
pub(crate) fn of<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let written = written.to_lowercase();
    let mut ranked: Vec<(usize, &str)> = known
        .into_iter()
        .map(|name| (distance(&written, &name.to_lowercase()), name))
        .collect();
    ranked.sort_unstable();
    // One slip in three characters is a slip; more is another word.
    let slips_max = written.chars().count().div_ceil(3);
    let like = ranked
        .iter()
        .filter(|(slips, _)| *slips <= slips_max)
        .count();
    ranked.truncate(if like == 0 {
        CANDIDATES_MAX
    } else {
        like.min(CANDIDATES_MAX)
    });
    ranked
        .into_iter()
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Slips between two names. A name that is a part of the other is one slip away.
fn distance(written: &str, name: &str) -> usize {
    let contains =
        written.len() > 2 && name.contains(written) || name.len() > 2 && written.contains(name);
    let slips = strsim::damerau_levenshtein(written, name);
    if contains { slips.min(1) } else { slips }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_come_first_and_others_only_if_there_is_none() {
        let known = ["customers", "order_items", "orders", "tickets"];
        assert_eq!(of("order", known), ["order_items", "orders"]);
        assert_eq!(of("Ordres", known), ["orders"]);
        assert_eq!(of("public.orders", known), ["orders"]);
        assert_eq!(
            of("x", known),
            ["orders", "tickets", "customers", "order_items"]
        );
        assert_eq!(of("x", []), [""; 0]);
    }
}
