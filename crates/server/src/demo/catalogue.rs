//! Names, goods and complaints: what the shop's rows are filled with.

use super::rows::Product;

/// The first of all customers: a regular whom one in three orders comes from, so that there is a row
/// that changes while somebody looks at it.
pub const REGULAR: &str = "Ada Lovelace";

pub const FIRST_NAMES: [&str; 16] = [
    "Alan",
    "Barbara",
    "Claude",
    "Dorothy",
    "Edsger",
    "Frances",
    "Grace",
    "Hedy",
    "Ivan",
    "Jean",
    "Katherine",
    "Leslie",
    "Margaret",
    "Niklaus",
    "Radia",
    "Tim",
];

pub const LAST_NAMES: [&str; 16] = [
    "Abbott",
    "Bauer",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fontana",
    "Garcia",
    "Horvat",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Okafor",
    "Petrov",
];

pub const PRODUCTS: [Product; 12] = [
    product("CUP-01", "Espresso cup", 890),
    product("CUP-02", "Enamel mug", 1250),
    product("GRD-01", "Hand grinder", 8900),
    product("KTL-01", "Gooseneck kettle", 6490),
    product("BNS-01", "Beans, 1 kg", 2480),
    product("BNS-02", "Beans, decaf, 250 g", 790),
    product("FLT-01", "Paper filters, 100", 450),
    product("SCL-01", "Scale", 3995),
    product("TMP-01", "Tamper, 58 mm", 2999),
    product("BRW-01", "Dripper \"No. 2\"", 1590),
    product("CLN-01", "Descaler", 999),
    product("BOX-01", "Gift box", 350),
];

const fn product(sku: &'static str, title: &'static str, cents: i64) -> Product {
    Product { sku, title, cents }
}

pub const NOTES: [&str; 4] = [
    "Gift, no invoice please",
    "Leave with the neighbour",
    "Ring twice",
    "Zürich 2. Stock ☕",
];

pub const SUBJECTS: [&str; 6] = [
    "Where is my parcel?",
    "One cup arrived broken",
    "Wrong grind size",
    "Please change the address",
    "Invoice missing",
    "Can I return the kettle?",
];
