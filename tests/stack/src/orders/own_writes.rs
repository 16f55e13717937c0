//! Whoever has written asks for what it wrote, and must see it, or a later state of it.

use black_box::exact::Exact;

use super::transactions::Written;

impl Written {
    /// The path and query that shows it.
    pub fn question(&self) -> String {
        match self {
            Self::Order {
                warehouse,
                district,
                id,
                ..
            } => {
                format!(
                    "/v1/tables/orders/rows/{warehouse},{district},{id}?include=of_lines(count())"
                )
            }
            Self::Payment {
                warehouse,
                district,
                customer,
                ..
            } => {
                format!(
                    "/v1/tables/customers/rows/{warehouse},{district},{customer}?select=payments"
                )
            }
            Self::Delivery {
                warehouse,
                district,
                id,
                ..
            } => {
                format!("/v1/tables/orders/rows/{warehouse},{district},{id}?select=carrier")
            }
            Self::Restock {
                warehouse, item, ..
            } => {
                format!("/v1/tables/stock/rows/{warehouse},{item}?select=restocked")
            }
        }
    }

    /// Whether a row that was answered shows it.
    pub fn is_shown_by(&self, row: &Exact) -> bool {
        let number = Exact::as_integer;
        match self {
            // Nothing takes a line away or adds one.
            Self::Order { lines, .. } => {
                let counted = row.get("of_lines");
                let counted = counted.as_list().and_then(<[_]>::first).unwrap_or(counted);
                number(row.get("lines")) == Some(i64::from(*lines))
                    && number(counted.get("count")) == Some(i64::from(*lines))
            }
            Self::Payment { payments, .. } => {
                number(row.get("payments")) >= Some(i64::from(*payments))
            }
            Self::Delivery { carrier, .. } => {
                number(row.get("carrier")) == Some(i64::from(*carrier))
            }
            Self::Restock { restocked, .. } => {
                number(row.get("restocked")) >= Some(i64::from(*restocked))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(written: &Written, row: &str) -> bool {
        written.is_shown_by(&Exact::parse(row).unwrap())
    }

    #[test]
    fn an_earlier_state_or_half_of_a_write_does_not_show_it() {
        let order = Written::Order {
            warehouse: 1,
            district: 2,
            id: 3,
            lines: 4,
        };
        assert!(shown(&order, r#"{"lines":4,"of_lines":[{"count":4}]}"#));
        assert!(!shown(&order, r#"{"lines":4,"of_lines":[{"count":3}]}"#));
        assert!(!shown(&order, r#"{"lines":4,"of_lines":[]}"#));
        let payment = Written::Payment {
            warehouse: 1,
            district: 2,
            customer: 3,
            payments: 7,
        };
        assert!(shown(&payment, r#"{"payments":7}"#) && shown(&payment, r#"{"payments":8}"#));
        assert!(!shown(&payment, r#"{"payments":6}"#) && !shown(&payment, "null"));
        let delivery = Written::Delivery {
            warehouse: 1,
            district: 2,
            id: 3,
            carrier: 5,
        };
        assert!(shown(&delivery, r#"{"carrier":5}"#) && !shown(&delivery, r#"{"carrier":null}"#));
        let restock = Written::Restock {
            warehouse: 1,
            item: 2,
            restocked: 40,
        };
        assert!(shown(&restock, r#"{"restocked":41}"#) && !shown(&restock, r#"{"restocked":39}"#));
    }
}
