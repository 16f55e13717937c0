// A small shop as a connector for PostgreSQL would have recorded it: rows of a snapshot, with their schemas.

import { writeFileSync } from "node:fs";

const TYPES = {
  int: { type: "int32" },
  text: { type: "string" },
  bool: { type: "boolean" },
  numeric: {
    type: "bytes",
    name: "org.apache.kafka.connect.data.Decimal",
    version: 1,
    parameters: { scale: "2", "connect.decimal.precision": "10" },
  },
  timestamptz: { type: "string", name: "io.debezium.time.ZonedTimestamp", version: 1 },
  date: { type: "int32", name: "io.debezium.time.Date", version: 1 },
  jsonb: { type: "string", name: "io.debezium.data.Json", version: 1 },
  "text[]": { type: "array", items: { type: "string", optional: true } },
};

// Of each table its key, its columns and its rows.
const TABLES = {
  customers: {
    key: ["id"],
    columns: { id: "int", name: "text", tier: "text", meta: "jsonb", active: "bool" },
    rows: [
      [1, "Ada", "gold", { plan: "pro", seats: 5 }, true],
      [2, "Bert", "silver", { plan: "free", seats: 1 }, true],
      [3, "Cleo", null, null, false],
    ],
  },
  orders: {
    key: ["id"],
    columns: {
      id: "int",
      customer_id: "int",
      referrer_id: "int",
      status: "text",
      total: "numeric",
      created_at: "timestamptz",
      due: "date",
      labels: "text[]",
    },
    rows: [
      [1, 1, 2, "paid", 1990, "2024-02-29T12:34:56.789Z", 19782, ["new", "gift"]],
      [2, 1, null, "shipped", 24000, "2024-03-01T00:00:00Z", 19783, ["gift"]],
      [3, 2, 1, "paid", 50, "2024-03-02T08:00:00Z", null, []],
      [4, null, null, "open", -125, "2024-03-03T23:59:59.5Z", 19790, null],
    ],
  },
  items: {
    key: ["id"],
    columns: { id: "int", order_id: "int", sku: "text", qty: "int" },
    rows: [
      [1, 1, "A1", 3],
      [2, 1, "B2", 1],
      [3, 2, "A1", 10],
      [4, 3, "C3, large", 2],
    ],
  },
  badges: {
    key: ["id"],
    columns: { id: "int", name: "text" },
    rows: [
      [1, "early"],
      [2, "loyal"],
    ],
  },
  customers_badges: {
    key: ["customer_id", "badge_id"],
    columns: { customer_id: "int", badge_id: "int" },
    rows: [
      [1, 1],
      [1, 2],
      [2, 2],
    ],
  },
};

export const RELATIONS = `
[[relations]]
name = "customer"
from = "orders.customer_id"
to = "customers.id"
inverse = "orders"
constraint = "orders_customer_id_fkey"
[[relations]]
name = "referrer"
from = "orders.referrer_id"
to = "customers.id"
inverse = "referred"
constraint = "orders_referrer_id_fkey"
[[relations]]
name = "order"
from = "items.order_id"
to = "orders.id"
inverse = "items"
[[relations]]
name = "customer"
from = "customers_badges.customer_id"
to = "customers.id"
inverse = "customers_badges"
[[relations]]
name = "badge"
from = "customers_badges.badge_id"
to = "badges.id"
inverse = "customers_badges"
`;

export function writeShop(path) {
  const lines = Object.entries(TABLES).flatMap(([table, { key, columns, rows }]) =>
    rows.map((cells, offset) => JSON.stringify(record(table, key, columns, cells, offset))),
  );
  writeFileSync(path, lines.join("\n") + "\n");
}

function record(table, key, columns, cells, offset) {
  const names = Object.keys(columns);
  const row = Object.fromEntries(names.map((name, at) => [name, encoded(columns[name], cells[at])]));
  const rowSchema = struct(names.map((name) => field(name, columns[name], !key.includes(name))));
  const source = {
    version: "3.0.0.Final",
    connector: "postgresql",
    name: "shop",
    ts_ms: 1709300000000,
    snapshot: "true",
    db: "shop",
    schema: "public",
    table,
    txId: 700,
    lsn: 1000 + offset,
  };
  return {
    topic: `shop.public.${table}`,
    partition: 0,
    offset,
    timestamp: 1709300000000,
    key: JSON.stringify({
      schema: struct(key.map((name) => field(name, columns[name], false))),
      payload: Object.fromEntries(key.map((name) => [name, row[name]])),
    }),
    value: JSON.stringify({
      schema: struct([
        { ...rowSchema, optional: true, field: "before" },
        { ...rowSchema, optional: true, field: "after" },
        { ...sourceSchema(source), field: "source" },
        { type: "string", optional: false, field: "op" },
        { type: "int64", optional: true, field: "ts_ms" },
      ]),
      payload: { before: null, after: row, source, op: "r", ts_ms: 1709300000001 },
    }),
  };
}

function struct(fields) {
  return { type: "struct", fields, optional: false };
}

function field(name, type, optional) {
  return { ...TYPES[type], optional, field: name };
}

function sourceSchema(source) {
  const number = (name) => ["ts_ms", "txId", "lsn"].includes(name);
  const fields = Object.keys(source).map((name) => ({
    type: number(name) ? "int64" : "string",
    optional: true,
    field: name,
  }));
  return { ...struct(fields), name: "io.debezium.connector.postgresql.Source" };
}

// As Kafka Connect has it in JSON: decimals are the bytes of a whole number, documents are text.
function encoded(type, cell) {
  if (cell === null) return null;
  if (type === "jsonb") return JSON.stringify(cell);
  if (type !== "numeric") return cell;
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(cell);
  return bytes.toString("base64");
}
