-- What the database starts with: the connector's login, the shop's tables, and two tables that are there for the pipeline alone.

-- What Debezium logs in as: it reads the tables once, and the binlog from then on.
CREATE USER shop_connector IDENTIFIED BY 'shop_connector';
GRANT SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO shop_connector;

CREATE DATABASE IF NOT EXISTS shop;
USE shop;

CREATE TABLE customers (
    id bigint unsigned AUTO_INCREMENT PRIMARY KEY,
    name varchar(200) NOT NULL,
    tier varchar(20) NOT NULL DEFAULT 'bronze',
    profile json
);
CREATE TABLE orders (
    id bigint unsigned AUTO_INCREMENT PRIMARY KEY,
    customer_id bigint unsigned NOT NULL,
    status varchar(20) NOT NULL DEFAULT 'pending',
    total decimal(12, 2) NOT NULL,
    -- Milliseconds and better: a `timestamp` without digits is told in whole seconds.
    placed_at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    FOREIGN KEY (customer_id) REFERENCES customers (id)
);

-- The connector writes a row here every two seconds: it tells Rowtide how far the source has come.
CREATE TABLE rowtide_heartbeat (id integer PRIMARY KEY, at timestamp(6) NOT NULL);
GRANT INSERT, UPDATE ON shop.rowtide_heartbeat TO shop_connector;

-- A row in here asks the connector for something, a snapshot of a table beside the stream for instance.
CREATE TABLE debezium_signal (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));
GRANT INSERT, DELETE ON shop.debezium_signal TO shop_connector;

INSERT INTO customers (name, tier) VALUES ('Ada Lovelace', 'gold'), ('Alan Turing', 'bronze');
INSERT INTO orders (customer_id, total) VALUES (1, 19.90), (1, 240.00), (2, 8.50);
