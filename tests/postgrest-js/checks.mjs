// What is asked, and what must come: a name, the question, the answer.

const ok = (data, more = {}) => ({ status: 200, data, ...more });
const failed = (status, code, message, details = null, hint = null) => ({
  status,
  error: { code, message, details, hint },
});
const ids = (...all) => ok(all.map((id) => ({ id })));

const orders = (db) => db.from("orders");
const someOrders = (db) => db.from("orders").select("id").order("id");
const customers = (db) => db.from("customers");

export const CHECKS = [
  [
    "all columns, as to_json spells them",
    (db) => orders(db).select().eq("id", 1),
    ok([
      {
        id: 1,
        customer_id: 1,
        referrer_id: 2,
        status: "paid",
        total: 19.9,
        created_at: "2024-02-29T12:34:56.789+00:00",
        due: "2024-02-29",
        labels: ["new", "gift"],
      },
    ]),
  ],
  ["eq", (db) => someOrders(db).eq("status", "paid"), ids(1, 3)],
  ["neq", (db) => someOrders(db).neq("status", "paid"), ids(2, 4)],
  ["gt and lte", (db) => someOrders(db).gt("total", 0.5).lte("total", 240), ids(1, 2)],
  ["gte and lt on times", (db) => someOrders(db).gte("created_at", "2024-03-01").lt("created_at", "2024-03-03T00:00:00Z"), ids(2, 3)],
  ["like", (db) => customers(db).select("id").like("name", "%e%").order("id"), ids(2, 3)],
  ["ilike", (db) => customers(db).select("id").ilike("name", "a%"), ids(1)],
  ["likeAnyOf", (db) => customers(db).select("id").likeAnyOf("name", ["A%", "C%"]).order("id"), ids(1, 3)],
  ["is null", (db) => someOrders(db).is("customer_id", null), ids(4)],
  ["is true", (db) => customers(db).select("id").is("active", true).order("id"), ids(1, 2)],
  ["in", (db) => someOrders(db).in("status", ["open", "shipped"]), ids(2, 4)],
  ["in with reserved characters", (db) => db.from("items").select("id").in("sku", ["C3, large"]), ids(4)],
  ["contains, of an array", (db) => someOrders(db).contains("labels", ["gift"]), ids(1, 2)],
  ["containedBy", (db) => someOrders(db).containedBy("labels", ["gift", "old"]), ids(2, 3)],
  ["overlaps", (db) => someOrders(db).overlaps("labels", ["new", "x"]), ids(1)],
  ["contains, of JSON", (db) => customers(db).select("id").contains("meta", { plan: "pro" }), ids(1)],
  ["not", (db) => someOrders(db).not("status", "in", "(paid,open)"), ids(2)],
  ["or", (db) => someOrders(db).or("status.eq.open,and(status.eq.paid,total.lt.1)"), ids(3, 4)],
  ["match of several columns", (db) => someOrders(db).match({ status: "paid", customer_id: 2 }), ids(3)],
  ["filter by a part of JSON", (db) => customers(db).select("id").eq("meta->>plan", "free"), ids(2)],
  ["parts of JSON", (db) => customers(db).select("name,meta->>plan,seats:meta->seats").eq("id", 1), ok([{ name: "Ada", plan: "pro", seats: 5 }])],
  ["order and nulls", (db) => customers(db).select("id").order("tier", { ascending: false, nullsFirst: false }), ids(2, 1, 3)],
  ["limit", (db) => someOrders(db).limit(2), ids(1, 2)],
  ["range", (db) => someOrders(db).range(1, 2), ids(2, 3)],
  ["count with rows", (db) => db.from("orders").select("id", { count: "exact" }).order("id").limit(1), { status: 206, data: [{ id: 1 }], count: 4 }],
  ["count without rows", (db) => db.from("orders").select("*", { count: "exact", head: true }), { status: 200, count: 4 }],
  ["count estimated", (db) => db.from("orders").select("*", { count: "estimated", head: true }).eq("status", "paid"), { status: 200, count: 2 }],
  ["single", (db) => customers(db).select("name").eq("id", 2).single(), ok({ name: "Bert" })],
  [
    "single of none",
    (db) => customers(db).select("name").eq("id", 9).single(),
    failed(406, "PGRST116", "Cannot coerce the result to a single JSON object", "The result contains 0 rows"),
  ],
  ["maybeSingle of none", (db) => customers(db).select("name").eq("id", 9).maybeSingle(), { status: 200 }],
  ["csv", (db) => db.from("items").select("id,sku").order("id").csv(), ok('id,sku\n1,A1\n2,B2\n3,A1\n4,"C3, large"')],
  ["nulls stripped", (db) => customers(db).select("id,tier,active").eq("id", 3).setHeader("Accept", "application/vnd.pgrst.array+json;nulls=stripped"), ok([{ id: 3, active: false }])],
  ["to-one embed", (db) => orders(db).select("id,customer(name)").order("id"), ok([
    { id: 1, customer: { name: "Ada" } },
    { id: 2, customer: { name: "Ada" } },
    { id: 3, customer: { name: "Bert" } },
    { id: 4, customer: null },
  ])],
  ["to-many embed", (db) => orders(db).select("id,items(sku,qty)").eq("id", 1).order("qty", { referencedTable: "items" }), ok([
    { id: 1, items: [{ sku: "B2", qty: 1 }, { sku: "A1", qty: 3 }] },
  ])],
  ["limit of an embed", (db) => orders(db).select("id,items(sku)").eq("id", 1).order("id", { referencedTable: "items" }).limit(1, { referencedTable: "items" }), ok([
    { id: 1, items: [{ sku: "A1" }] },
  ])],
  ["many-to-many", (db) => customers(db).select("name,badges(name)").order("id").order("id", { referencedTable: "badges" }), ok([
    { name: "Ada", badges: [{ name: "early" }, { name: "loyal" }] },
    { name: "Bert", badges: [{ name: "loyal" }] },
    { name: "Cleo", badges: [] },
  ])],
  ["inner, filtered", (db) => someOrders(db).select("id,customer!inner(name)").eq("customer.tier", "gold"), ok([
    { id: 1, customer: { name: "Ada" } },
    { id: 2, customer: { name: "Ada" } },
  ])],
  ["filter of an embed", (db) => orders(db).select("id,items(qty)").in("id", [1, 2]).order("id").gt("items.qty", 2), ok([
    { id: 1, items: [{ qty: 3 }] },
    { id: 2, items: [{ qty: 10 }] },
  ])],
  ["or of an embed", (db) => orders(db).select("id,items(id)").eq("id", 1).or("qty.eq.1,sku.eq.Z", { referencedTable: "items" }), ok([{ id: 1, items: [{ id: 2 }] }])],
  ["no related rows", (db) => someOrders(db).select("id,items()").is("items", null), ids(4)],
  ["spread", (db) => orders(db).select("id,...customer(who:name)").order("id").limit(2), ok([
    { id: 1, who: "Ada" },
    { id: 2, who: "Ada" },
  ])],
  ["order by a related column", (db) => orders(db).select("id,customer(name)").not("customer_id", "is", null).order("customer(name)", { ascending: false }).order("id"), ok([
    { id: 3, customer: { name: "Bert" } },
    { id: 1, customer: { name: "Ada" } },
    { id: 2, customer: { name: "Ada" } },
  ])],
  ["one of two relations, by constraint", (db) => orders(db).select("id,by:customers!orders_referrer_id_fkey(name)").eq("id", 1), ok([{ id: 1, by: { name: "Bert" } }])],
  [
    "one of two relations, unsaid",
    async (db) => {
      const { status, error } = await orders(db).select("id,customers(name)");
      return { status, data: [error.code, [error.details].flat().map((way) => way.cardinality), error.hint] };
    },
    {
      status: 300,
      data: [
        "PGRST201",
        ["many-to-one", "many-to-one"],
        "Try changing 'customers' to one of the following: 'customers!orders_customer_id_fkey', 'customers!orders_referrer_id_fkey'. Find the desired relationship in the 'details' key.",
      ],
    },
  ],
  ["aggregates", (db) => orders(db).select("status,total.sum(),count()").order("status"), ok([
    { status: "open", sum: -1.25, count: 1 },
    { status: "paid", sum: 20.4, count: 2 },
    { status: "shipped", sum: 240, count: 1 },
  ])],
  ["casts", (db) => orders(db).select("id::text,total::int,due::text").eq("id", 1), ok([{ id: "1", total: 20, due: "2024-02-29" }])],
  ["a schema", (db) => db.schema("public").from("badges").select("name").order("id"), ok([{ name: "early" }, { name: "loyal" }])],
  [
    "an unknown schema",
    (db) => db.schema("secret").from("badges").select(),
    failed(406, "PGRST106", "Invalid schema: secret", null, "Only the following schemas are exposed: public"),
  ],
  [
    "an unknown table",
    (db) => db.from("order").select(),
    failed(404, "PGRST205", "Could not find the table 'public.order' in the schema cache", null, "Perhaps you meant the table 'public.orders'"),
  ],
  ["an unknown column", (db) => db.from("badges").select("nam"), failed(400, "42703", "column badges.nam does not exist", null, 'Perhaps you meant to reference the column "badges.name".')],
  ["a bad literal", (db) => someOrders(db).eq("id", "x"), failed(400, "22P02", 'invalid input syntax for type integer: "x"')],
  [
    "a bad operator",
    (db) => someOrders(db).filter("id", "noop", 1),
    failed(400, "PGRST100", '"failed to parse filter (noop.1)" (line 1, column 1)', 'unexpected "o" expecting "not" or operator (eq, gt, ...)'),
  ],
  ["full-text search", (db) => customers(db).select().textSearch("name", "ada"), failed(400, "PGRST127", "Feature not implemented", "Rowtide has no full-text search")],
  [
    "a write",
    (db) => db.from("badges").insert({ id: 3 }),
    failed(405, "PGRST117", "Unsupported HTTP method: POST", null, "Rowtide is read-only: write to the source database."),
  ],
  ["rows past the end, counted", (db) => db.from("badges").select("*", { count: "exact" }).range(9, 10), failed(416, "PGRST103", "Requested range not satisfiable", "An offset of 9 was requested, but there are only 2 rows.")],
];
