-- What the compose stack starts with.
CREATE TABLE customers (
    id serial PRIMARY KEY,
    name text NOT NULL,
    tier text NOT NULL DEFAULT 'bronze'
);
CREATE TABLE orders (
    id serial PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    status text NOT NULL DEFAULT 'pending',
    total numeric(12, 2) NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO customers (name, tier) VALUES ('Ada Lovelace', 'gold'), ('Alan Turing', 'bronze');
INSERT INTO orders (customer_id, total) VALUES (1, 19.90), (1, 240.00), (2, 8.50);
