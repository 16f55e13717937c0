//! Questions about the shop, each as PostgreSQL is asked and as Rowtide is: joins, aggregates, nulls, existence,
//! orders and limits, over every surface that Rowtide has.

/// How Rowtide is asked.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// Path and query behind `/v1/tables/`.
    List(&'static str),
    /// The body of `POST /v1/query`.
    Query(&'static str),
    /// The very statement that PostgreSQL gets, to `POST /v1/sql`.
    Sql,
    /// Path and query behind `/rest/v1/`, which spells values as PostgreSQL does.
    Rest(&'static str),
}

/// A question in two languages.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub name: &'static str,
    pub sql: &'static str,
    pub asked: Asked,
}

const fn question(name: &'static str, asked: Asked, sql: &'static str) -> Question {
    Question { name, sql, asked }
}

/// All of them. Each says an order in which no two rows are equal, so that the order is part of the answer.
pub const QUESTIONS: &[Question] = &[
    question(
        "orders with their buyer, embedded",
        Asked::List("orders/rows?select=warehouse,district,id,entered_at,buyer(name,phone)&order=id.desc,warehouse,district&limit=40"),
        "SELECT o.warehouse, o.district, o.id, o.entered_at, json_build_object('name', c.name, 'phone', c.phone) AS buyer
         FROM orders o JOIN customers c ON (c.warehouse, c.district, c.id) = (o.warehouse, o.district, o.customer)
         ORDER BY o.id DESC, o.warehouse, o.district LIMIT 40",
    ),
    question(
        "districts with the customers who owe most",
        Asked::List("districts/rows?select=warehouse,id,customers(id,balance)&customers.order=balance.desc,id&customers.limit=3&order=warehouse,id"),
        "SELECT warehouse, id, (SELECT json_agg(t) FROM (SELECT c.id, c.balance FROM customers c
           WHERE c.warehouse = d.warehouse AND c.district = d.id ORDER BY c.balance DESC, c.id LIMIT 3) t) AS customers
         FROM districts d ORDER BY warehouse, id",
    ),
    question(
        "customers without a telephone",
        Asked::List("customers/rows?phone=is.null&balance=lt.0&select=warehouse,district,id,name,balance&order=balance,warehouse,district,id&limit=25"),
        "SELECT warehouse, district, id, name, balance FROM customers WHERE phone IS NULL AND balance < 0
         ORDER BY balance, warehouse, district, id LIMIT 25",
    ),
    question(
        "open orders of customers with bad credit",
        Asked::List("orders/rows?carrier=is.null&buyer.credit=eq.bad&select=warehouse,district,id,lines&order=warehouse,district,id&limit=200"),
        "SELECT warehouse, district, id, lines FROM orders o WHERE carrier IS NULL AND EXISTS (SELECT 1 FROM customers c
           WHERE (c.warehouse, c.district, c.id) = (o.warehouse, o.district, o.customer) AND c.credit = 'bad')
         ORDER BY warehouse, district, id LIMIT 200",
    ),
    question(
        "orders with one line that is both red and large",
        Asked::List("orders/rows?of_lines.quantity=gte.9&of_lines.of_item.colour=eq.red&select=warehouse,district,id&order=warehouse,district,id.desc&limit=100"),
        "SELECT warehouse, district, id FROM orders o WHERE EXISTS (SELECT 1 FROM order_lines l JOIN items i ON i.id = l.item
           WHERE (l.warehouse, l.district, l.order_id) = (o.warehouse, o.district, o.id) AND l.quantity >= 9 AND i.colour = 'red')
         ORDER BY warehouse, district, id DESC LIMIT 100",
    ),
    question(
        "orders by carrier, those without one included",
        Asked::List("orders/rows?group_by=carrier&aggregate=n:count(),all_lines:sum(lines),latest:max(entered_at)&order=carrier.asc.nullsfirst"),
        "SELECT carrier, count(*) AS n, sum(lines) AS all_lines, max(entered_at) AS latest FROM orders GROUP BY carrier ORDER BY carrier NULLS FIRST",
    ),
    question(
        "items that have no colour or a capital letter in it",
        Asked::List("items/rows?or=(colour.is.null,and(colour.like.B*,price.gt.20))&select=id,name,colour,price,made_on&order=price.desc,id&limit=100"),
        "SELECT id, name, colour, price, made_on FROM items WHERE colour IS NULL OR (colour LIKE 'B%' AND price > 20) ORDER BY price DESC, id LIMIT 100",
    ),
    question(
        "what comparisons with null leave out",
        Asked::List("customers/rows?not.or=(phone.eq.%2B46 40 100001,discount.gt.0.1)&select=warehouse,district,id&order=id,warehouse,district&limit=1000"),
        "SELECT warehouse, district, id FROM customers WHERE NOT (phone = '+46 40 100001' OR discount > 0.1)
         ORDER BY id, warehouse, district",
    ),
    question(
        "lines of orders by colour of their item",
        Asked::Query(r#"{"from":"order_lines","group_by":["of_item.colour"],"aggregate":[{"fn":"count","as":"n"},{"fn":"sum","column":"amount","as":"revenue"},
            {"fn":"min","column":"quantity","as":"least"},{"fn":"max","column":"amount","as":"most"}],"order":["-revenue"]}"#),
        r#"SELECT i.colour, count(*) AS n, sum(l.amount) AS revenue, min(l.quantity) AS least, max(l.amount) AS most
           FROM order_lines l JOIN items i ON i.id = l.item GROUP BY i.colour ORDER BY revenue DESC"#,
    ),
    question(
        "customers who bought more than a little, with sums",
        Asked::Query(r#"{"from":"orders","group_by":["warehouse","district","customer"],"aggregate":[{"fn":"count","as":"n"},{"fn":"sum","column":"lines","as":"all_lines"}],
            "having":[{"column":"n","op":"gte","value":3}],"order":["-n","-all_lines","warehouse","district","customer"],"limit":50}"#),
        "SELECT warehouse, district, customer, count(*) AS n, sum(lines) AS all_lines FROM orders GROUP BY warehouse, district, customer
         HAVING count(*) >= 3 ORDER BY n DESC, all_lines DESC, warehouse, district, customer LIMIT 50",
    ),
    question(
        "orders that an inner join leaves, three tables deep",
        Asked::Query(r#"{"from":"orders","select":["warehouse","district","id"],"include":[{"rel":"of_lines","select":["number","amount"],"required":true,
            "where":[{"column":"amount","op":"gt","value":"250"}],"order":["number"],"include":[{"rel":"of_item","select":["name","price"]}]}],
            "order":["warehouse","district","id"],"limit":60}"#),
        "SELECT o.warehouse, o.district, o.id, json_agg(json_build_object('number', l.number, 'amount', l.amount,
           'of_item', json_build_object('name', i.name, 'price', i.price)) ORDER BY l.number) AS of_lines
         FROM orders o JOIN order_lines l ON (l.warehouse, l.district, l.order_id) = (o.warehouse, o.district, o.id) AND l.amount > 250
         JOIN items i ON i.id = l.item GROUP BY o.warehouse, o.district, o.id ORDER BY o.warehouse, o.district, o.id LIMIT 60",
    ),
    question(
        "customers to whom one carrier brought none of the first orders",
        Asked::Query(r#"{"from":"customers","select":["warehouse","district","id","deliveries"],
            "where":[{"not":{"rel":"bought","where":[{"column":"carrier","op":"eq","value":3},{"column":"id","op":"lte","value":9}]}}],"order":["id","warehouse","district"],"limit":1000}"#),
        "SELECT warehouse, district, id, deliveries FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o
           WHERE (o.warehouse, o.district, o.customer) = (c.warehouse, c.district, c.id) AND o.carrier = 3 AND o.id <= 9)
         ORDER BY id, warehouse, district",
    ),
    question(
        "a buyer's columns beside the order's",
        Asked::Query(r#"{"from":"orders","select":["id","lines"],"include":[{"rel":"buyer","select":["name","since"],"flatten":true}],
            "where":[{"column":"warehouse","op":"eq","value":1},{"column":"lines","op":"between","value":[4,5]}],"order":["id","district"],"limit":30}"#),
        "SELECT o.id, o.lines, c.name AS buyer_name, c.since AS buyer_since FROM orders o
         JOIN customers c ON (c.warehouse, c.district, c.id) = (o.warehouse, o.district, o.customer)
         WHERE o.warehouse = 1 AND o.lines BETWEEN 4 AND 5 ORDER BY o.id, o.district LIMIT 30",
    ),
    question(
        "one row of all payments",
        Asked::Query(r#"{"from":"payments","aggregate":[{"fn":"count","as":"n"},{"fn":"count","column":"memo","as":"memos"},{"fn":"sum","column":"amount","as":"total"},
            {"fn":"min","column":"amount","as":"least"},{"fn":"max","column":"paid_at","as":"latest"}]}"#),
        "SELECT count(*) AS n, count(memo) AS memos, sum(amount) AS total, min(amount) AS least, max(paid_at) AS latest FROM payments",
    ),
    question(
        "lines that were sent from elsewhere",
        Asked::Query(r#"{"from":"order_lines","where":[{"column":"supplier","op":"neq","value":{"column":"warehouse"}}],
            "group_by":["warehouse","supplier"],"aggregate":[{"fn":"count","as":"n"},{"fn":"sum","column":"quantity","as":"pieces"}],"order":["warehouse","supplier"]}"#),
        "SELECT warehouse, supplier, count(*) AS n, sum(quantity) AS pieces FROM order_lines WHERE supplier <> warehouse
         GROUP BY warehouse, supplier ORDER BY warehouse, supplier",
    ),
    question(
        "revenue by warehouse, joined",
        Asked::Sql,
        "SELECT w.name, count(*) AS n, sum(d.received) AS received, max(d.next_order) AS most FROM districts d
         JOIN warehouses w ON d.warehouse = w.id GROUP BY w.name ORDER BY w.name",
    ),
    question(
        "best-selling items",
        Asked::Sql,
        "SELECT i.name, i.price, sum(l.quantity) AS pieces, sum(l.amount) AS revenue FROM order_lines l JOIN items i ON l.item = i.id
         GROUP BY i.name, i.price HAVING sum(l.quantity) > 10 ORDER BY sum(l.amount) DESC, i.name LIMIT 10",
    ),
    question(
        "orders of whoever has bad credit, by existence",
        Asked::Sql,
        "SELECT o.warehouse, o.district, o.id, o.carrier FROM orders o WHERE NOT EXISTS (SELECT 1 FROM order_lines l WHERE l.warehouse = o.warehouse
           AND l.district = o.district AND l.order_id = o.id AND l.quantity < 3) ORDER BY o.warehouse DESC, o.district, o.id LIMIT 80",
    ),
    question(
        "distinct colours",
        Asked::Sql,
        "SELECT DISTINCT colour FROM items ORDER BY colour NULLS FIRST",
    ),
    question(
        "orders with a carrier or none, side by side",
        Asked::Sql,
        "SELECT o.id, o.district, o.carrier, c.name FROM orders o LEFT JOIN customers c
         ON o.warehouse = c.warehouse AND o.district = c.district AND o.customer = c.id
         WHERE o.warehouse = 2 AND (o.carrier IS DISTINCT FROM 3) ORDER BY o.id DESC, o.district LIMIT 50",
    ),
    question(
        "scarce stock",
        Asked::Sql,
        "SELECT s.warehouse, i.name, s.quantity FROM stock s JOIN items i ON s.item = i.id WHERE s.sold > 0 AND i.name ILIKE 'item b%'
         ORDER BY s.quantity, i.name, s.warehouse LIMIT 12",
    ),
    question(
        "as PostgREST: payments, newest first",
        Asked::Rest("payments?select=amount,paid_at,memo,payer:customers(name,balance)&order=paid_at.desc,amount&limit=30"),
        "SELECT p.amount, p.paid_at, p.memo, json_build_object('name', c.name, 'balance', c.balance) AS payer FROM payments p
         JOIN customers c ON (c.warehouse, c.district, c.id) = (p.customer_warehouse, p.customer_district, p.customer)
         ORDER BY p.paid_at DESC, p.amount LIMIT 30",
    ),
    question(
        "as PostgREST: averages and sums by credit",
        Asked::Rest("customers?select=credit,n:id.count(),owed:balance.sum(),least:discount.min(),latest:since.max()&order=credit"),
        "SELECT credit, count(id) AS n, sum(balance) AS owed, min(discount) AS least, max(since) AS latest FROM customers GROUP BY credit ORDER BY credit",
    ),
    question(
        "as PostgREST: notes that are not logged with every update",
        Asked::Rest("customers?select=warehouse,district,id,note,payments&note=not.is.null&order=warehouse,district,id&limit=40&offset=5"),
        "SELECT warehouse, district, id, note, payments FROM customers WHERE note IS NOT NULL ORDER BY warehouse, district, id LIMIT 40 OFFSET 5",
    ),
    question(
        "as PostgREST: what new orders wait for",
        Asked::Rest("new_orders?select=warehouse,district,order_id,orders!inner(lines,all_local)&orders.all_local=is.false&order=warehouse,district,order_id"),
        "SELECT n.warehouse, n.district, n.order_id, json_build_object('lines', o.lines, 'all_local', o.all_local) AS orders FROM new_orders n
         JOIN orders o ON (o.warehouse, o.district, o.id) = (n.warehouse, n.district, n.order_id) WHERE o.all_local IS FALSE
         ORDER BY n.warehouse, n.district, n.order_id",
    ),
];
