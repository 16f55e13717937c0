"""DuckDB's side: the same rows and indexes in memory, one question a line on standard input.

Loads the tables from the CSV files of a directory, says "ready", and then answers `QUESTION TURN TIMES`
with the seconds that asking so many times took and the rows of the last answer.
"""

import random
import sys
import time

import duckdb

directory = sys.argv[1]
connection = duckdb.connect(":memory:")
connection.execute("SET threads = 2")
connection.execute(
    f"""
    CREATE TABLE orders (
        id BIGINT PRIMARY KEY, customer_id BIGINT, status VARCHAR, total DECIMAL(12, 2), currency VARCHAR,
        lines BIGINT, note VARCHAR, address VARCHAR, email VARCHAR, paid BOOLEAN, created_at BIGINT, updated_at BIGINT
    );
    CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR, country VARCHAR);
    CREATE TABLE items (id BIGINT PRIMARY KEY, order_id BIGINT, article VARCHAR, quantity BIGINT);
    COPY orders FROM '{directory}/orders.csv' (HEADER false);
    COPY customers FROM '{directory}/customers.csv' (HEADER false);
    COPY items FROM '{directory}/items.csv' (HEADER false);
    CREATE INDEX orders_customer_id ON orders (customer_id);
    CREATE INDEX orders_created_at ON orders (created_at);
    CREATE INDEX items_order_id ON items (order_id);
    """
)
ORDERS, CUSTOMERS, WITH_ITEMS, FIRST_SECOND, SECONDS = (int(value) for value in sys.argv[2:7])


def fifty_orders():
    return ",".join(str(random.randrange(WITH_ITEMS)) for _ in range(50))


# What a question is asked with is picked before the clock is looked at.
QUESTIONS = {
    "lookup": lambda: ("SELECT * FROM orders WHERE id = ?", [random.randrange(ORDERS)]),
    "equality": lambda: ("SELECT * FROM orders WHERE customer_id = ?", [random.randrange(CUSTOMERS)]),
    "ordered_range": lambda: (
        "SELECT * FROM orders WHERE created_at >= ? ORDER BY created_at LIMIT 50",
        [FIRST_SECOND + random.randrange(SECONDS // 2)],
    ),
    "two_terms": lambda: ("SELECT count(*) FROM orders WHERE status = 'paid' AND total >= 900", []),
    "embed": lambda: (
        f"SELECT * FROM orders JOIN items ON items.order_id = orders.id WHERE orders.id IN ({fifty_orders()})",
        [],
    ),
    "join": lambda: (
        "SELECT country, count(*), sum(total) FROM orders JOIN customers ON customers.id = customer_id GROUP BY country",
        [],
    ),
    "group": lambda: ("SELECT status, count(*) FROM orders GROUP BY status", []),
}
print("ready", flush=True)
for line in sys.stdin:
    question, turn, times = line.split()
    random.seed(int(turn))
    asked = [QUESTIONS[question]() for _ in range(int(times))]
    started = time.perf_counter()
    for sql, parameters in asked:
        rows = connection.execute(sql, parameters).fetchall()
    took = time.perf_counter() - started
    count = rows[0][0] if question == "two_terms" else len(rows)
    print(took, count, flush=True)
