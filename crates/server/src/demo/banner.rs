//! What the demo tells: lines to try, each with what to look for.

use std::fmt::Write;

use config::{Listen, ListenAddress};

use crate::remote::Endpoint;

/// The text that is printed when the API answers.
///
/// `broker` is where the in-process broker listens, `program` how this one was started.
pub fn text(listen: &Listen, rate: u32, broker: &str, program: &str) -> String {
    let [data, admin] = [&listen.data, &listen.admin].map(endpoint);
    let times = if rate == 1 {
        "once".to_owned()
    } else {
        format!("{rate} times")
    };
    let mut out = format!(
        "The shop is open. Its database changes {times} a second, and an in-process Kafka broker at {broker}\ncarries the changes. Ask from another terminal, and ask again: the answers differ.\n"
    );
    for (what, path) in [
        ("The tables, and how many rows they have", "/v1/tables"),
        (
            "A regular customer, whose points grow as orders are paid",
            "/v1/tables/customers/rows/1",
        ),
        (
            "The oldest tickets, which are answered, closed and deleted",
            "/v1/tables/tickets/rows?limit=3",
        ),
        (
            "The newest order when the shop opened, on its way to the customer",
            "/v1/tables/orders/rows/600",
        ),
        (
            "One of its items, by a key of two columns",
            "/v1/tables/order_items/rows/600,1",
        ),
        (
            "What the best customers bought last, with the customer and the items",
            "/v1/tables/orders/rows?customer.tier=eq.gold&select=id,total,customer(name),items(sku,quantity)&order=id.desc&limit=3",
        ),
        (
            "How many orders there are of each kind, and what they are worth",
            "/v1/tables/orders/rows?group_by=status&aggregate=n:count(),worth:sum(total)&order=n.desc",
        ),
        (
            "A question that cannot be answered, and what is said about it",
            "/v1/tables/ordes/rows/1",
        ),
        ("How far everything has been read", "/v1/status"),
    ] {
        let _ = write!(out, "\n  {what}:\n    {}\n", data.curl(path));
    }
    let _ = write!(
        out,
        "\n  Metrics, for Prometheus:\n    {}\n",
        admin.curl("/metrics")
    );
    let url = if data == Endpoint::default() {
        String::new()
    } else {
        format!(" --url {data}")
    };
    let _ = write!(
        out,
        "\n  The same for people:\n    {program} get customers 1{url}\n    {program} status{url}\n\nCtrl-C closes the shop.\n"
    );
    out
}

fn endpoint(address: &ListenAddress) -> Endpoint {
    match address {
        ListenAddress::Tcp(address) => Endpoint::Tcp(address.to_string()),
        ListenAddress::Unix(path) => Endpoint::Unix(path.clone()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn lines_fit_where_the_demo_listens() {
        let listen = |data| Listen {
            data: ListenAddress::parse(data).unwrap(),
            admin: ListenAddress::parse("127.0.0.1:9090").unwrap(),
        };
        expect![[r#"
            The shop is open. Its database changes 4 times a second, and an in-process Kafka broker at 127.0.0.1:4000
            carries the changes. Ask from another terminal, and ask again: the answers differ.

              The tables, and how many rows they have:
                curl -sS 'http://127.0.0.1:8080/v1/tables'

              A regular customer, whose points grow as orders are paid:
                curl -sS 'http://127.0.0.1:8080/v1/tables/customers/rows/1'

              The oldest tickets, which are answered, closed and deleted:
                curl -sS 'http://127.0.0.1:8080/v1/tables/tickets/rows?limit=3'

              The newest order when the shop opened, on its way to the customer:
                curl -sS 'http://127.0.0.1:8080/v1/tables/orders/rows/600'

              One of its items, by a key of two columns:
                curl -sS 'http://127.0.0.1:8080/v1/tables/order_items/rows/600,1'

              What the best customers bought last, with the customer and the items:
                curl -sS 'http://127.0.0.1:8080/v1/tables/orders/rows?customer.tier=eq.gold&select=id,total,customer(name),items(sku,quantity)&order=id.desc&limit=3'

              How many orders there are of each kind, and what they are worth:
                curl -sS 'http://127.0.0.1:8080/v1/tables/orders/rows?group_by=status&aggregate=n:count(),worth:sum(total)&order=n.desc'

              A question that cannot be answered, and what is said about it:
                curl -sS 'http://127.0.0.1:8080/v1/tables/ordes/rows/1'

              How far everything has been read:
                curl -sS 'http://127.0.0.1:8080/v1/status'

              Metrics, for Prometheus:
                curl -sS 'http://127.0.0.1:9090/metrics'

              The same for people:
                rowtide get customers 1
                rowtide status

            Ctrl-C closes the shop.
        "#]]
        .assert_eq(&text(&listen("127.0.0.1:8080"), 4, "127.0.0.1:4000", "rowtide"));
        let unix = text(&listen("unix:/tmp/r.sock"), 1, "b", "rowtide");
        assert!(unix.contains("changes once a second"), "{unix}");
        assert!(
            unix.contains("curl -sS --unix-socket '/tmp/r.sock' 'http://localhost/v1/status'"),
            "{unix}"
        );
        assert!(
            unix.contains("rowtide status --url unix:/tmp/r.sock\n"),
            "{unix}"
        );
    }
}
