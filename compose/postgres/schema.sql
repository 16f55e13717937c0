-- What the database starts with: two roles, the shop's tables, and two tables that are there for the pipeline alone.

-- Owns the tables, as an application's role does.
CREATE ROLE shop_owner LOGIN PASSWORD 'shop_owner';
-- What Debezium logs in as. As a member of the owner it may read the tables and publish them, and nothing else here.
CREATE ROLE shop_connector LOGIN REPLICATION PASSWORD 'shop_connector' IN ROLE shop_owner;

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    tier text NOT NULL DEFAULT 'bronze',
    profile jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    status text NOT NULL DEFAULT 'pending',
    total numeric(12, 2) NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT now()
);

-- A value of more than about 2 KB lies apart, and an update that leaves it alone does not write it to the log. With FULL
-- the log has whole rows; without it, Rowtide fills in what it holds, which is enough unless the topic was compacted away.
ALTER TABLE customers REPLICA IDENTITY FULL;

-- A truncate is a record without a key, and a compacted topic takes none: the connector would stop at it for good.
CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is followed through a compacted topic: use DELETE', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON customers EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON orders EXECUTE FUNCTION refuse_truncate();

-- The connector writes a row here every two seconds. It moves the replication slot on while the shop is quiet and the rest
-- of the server is not, and it tells Rowtide how far the source has come.
CREATE TABLE rowtide_heartbeat (id integer PRIMARY KEY, at timestamptz NOT NULL);

-- A row in here asks the connector for something, a snapshot of a table beside the stream for instance.
CREATE TABLE debezium_signal (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));

ALTER TABLE customers OWNER TO shop_owner;
ALTER TABLE orders OWNER TO shop_owner;
ALTER TABLE rowtide_heartbeat OWNER TO shop_owner;
ALTER TABLE debezium_signal OWNER TO shop_owner;
-- A publication is made in a database, and that needs this.
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO shop_connector', current_database()); END $$;

INSERT INTO customers (name, tier) VALUES ('Ada Lovelace', 'gold'), ('Alan Turing', 'bronze');
INSERT INTO orders (customer_id, total) VALUES (1, 19.90), (1, 240.00), (2, 8.50);
