//! The tables of `PostgREST`'s own tests, as far as they are needed, and one with every type.

use http_api::{Api, Hosts, Limits};
use query::relation::{Endpoint, Relation, Relations};
use row_model::{ColumnType, Decimal, Moment, Value};

use crate::fixture::Shop;

/// Clients with projects with tasks, tasks with users through a junction, messages between users.
pub fn open() -> Api {
    let mut shop = empty();
    fill(&mut shop);
    serve(shop)
}

/// The same with so many clients, and nothing else.
pub fn with_many_clients(count: i64) -> Api {
    let mut shop = empty();
    for id in 1..=count {
        shop.put("clients", &[Value::Int(id), Value::Text("x")]);
    }
    serve(shop)
}

pub fn with_many_projects_of_a_client(count: i64) -> Api {
    let mut shop = empty();
    shop.put("clients", &[Value::Int(1), Value::Text("x")]);
    for id in 1..=count {
        let client = Value::Int(1);
        shop.put("projects", &[Value::Int(id), Value::Text("x"), client]);
    }
    serve(shop)
}

fn empty() -> Shop {
    use ColumnType::{Bool, Int32, Text};
    let mut shop = Shop::empty();
    let id_name = [("id", Int32), ("name", Text)];
    shop.add("dbz.test.clients", &id_name, Some(&["id"]));
    shop.add(
        "dbz.test.projects",
        &[("id", Int32), ("name", Text), ("client_id", Int32)],
        Some(&["id"]),
    );
    shop.add(
        "dbz.test.tasks",
        &[("id", Int32), ("name", Text), ("project_id", Int32)],
        Some(&["id"]),
    );
    shop.add("dbz.test.users", &id_name, Some(&["id"]));
    shop.add(
        "dbz.test.users_tasks",
        &[("user_id", Int32), ("task_id", Int32)],
        Some(&["user_id", "task_id"]),
    );
    shop.add(
        "dbz.test.staff",
        &[("id", Int32), ("name", Text), ("boss", Int32)],
        Some(&["id"]),
    );
    shop.add(
        "dbz.test.logos",
        &[("id", Int32), ("client_id", Int32)],
        Some(&["id"]),
    );
    shop.add(
        "dbz.test.friends",
        &[("one", Int32), ("other", Int32)],
        Some(&["one", "other"]),
    );
    shop.add(
        "dbz.test.messages",
        &[
            ("id", Int32),
            ("sender", Int32),
            ("recipient", Int32),
            ("read", Bool),
        ],
        Some(&["id"]),
    );
    shop.add(
        "dbz.public.things",
        &[
            ("id", ColumnType::Int64),
            ("price", ColumnType::Decimal),
            ("ratio", ColumnType::Float64),
            ("seen", ColumnType::TimestampTz),
            ("made", ColumnType::Timestamp),
            ("day", ColumnType::Date),
            ("raw", ColumnType::Bytes),
            ("doc", ColumnType::Json),
            ("tags", ColumnType::Array),
            ("ok", Bool),
            ("note", Text),
        ],
        Some(&["id"]),
    );
    shop
}

fn serve(mut shop: Shop) -> Api {
    shop.publish();
    let state = shop.state_with(relations());
    Api::data(state, Hosts::loopback(&[]), Limits::default())
}

fn fill(shop: &mut Shop) {
    for (id, name) in [(1, "Microsoft"), (2, "Apple")] {
        shop.put("clients", &[Value::Int(id), Value::Text(name)]);
    }
    for (id, boss) in [(1, None), (2, Some(1)), (3, Some(1)), (4, Some(2))] {
        let boss = boss.map_or(Value::Null, Value::Int);
        shop.put("staff", &[Value::Int(id), Value::Text("x"), boss]);
    }
    shop.put("friends", &[Value::Int(1), Value::Int(4)]);
    shop.put("logos", &[Value::Int(7), Value::Int(2)]);
    let projects = [
        (1, "Windows 7", Some(1)),
        (2, "Windows 10", Some(1)),
        (3, "IOS", Some(2)),
        (4, "OSX", Some(2)),
        (5, "Orphan", None),
    ];
    for (id, name, client) in projects {
        let client = client.map_or(Value::Null, Value::Int);
        shop.put("projects", &[Value::Int(id), Value::Text(name), client]);
    }
    let tasks = [
        "Design w7",
        "Code w7",
        "Design w10",
        "Code w10",
        "Design IOS",
        "Code IOS",
        "Design OSX",
        "Code OSX",
    ];
    for (at, name) in (1..).zip(tasks) {
        shop.put(
            "tasks",
            &[Value::Int(at), Value::Text(name), Value::Int((at + 1) / 2)],
        );
    }
    for (id, name) in [
        (1, "Angela Martin"),
        (2, "Michael Scott"),
        (3, "Dwight Schrute"),
    ] {
        shop.put("users", &[Value::Int(id), Value::Text(name)]);
    }
    for (user, task) in [
        (1, 1),
        (1, 2),
        (1, 3),
        (1, 4),
        (2, 5),
        (2, 6),
        (2, 7),
        (3, 1),
        (3, 5),
    ] {
        shop.put("users_tasks", &[Value::Int(user), Value::Int(task)]);
    }
    fill_things(shop);
}

fn fill_things(shop: &mut Shop) {
    shop.put(
        "messages",
        &[
            Value::Int(1),
            Value::Int(1),
            Value::Int(2),
            Value::Bool(true),
        ],
    );
    let at = Moment {
        seconds: 1_709_210_096,
        nanos: 789_000_000,
    };
    shop.put(
        "things",
        &[
            Value::Int(1),
            Value::Decimal(Decimal::new(2, &[0x07, 0xc6])),
            Value::Float(0.5),
            Value::Instant(at),
            Value::Timestamp(at),
            Value::Date(19_782),
            Value::Bytes(&[0xde, 0xad]),
            Value::Json(r#"{"a":{"b":[1,null],"n":null},"name":"x, \"y\""}"#),
            Value::Json("[1,2]"),
            Value::Bool(true),
            Value::Text("say \"hi\""),
        ],
    );
    let mut second = [Value::Null; 11];
    (second[0], second[7]) = (Value::Int(2), Value::Unavailable);
    shop.put("things", &second);
}

fn relations() -> Relations {
    let to_one = |name: &str, from: &str, column: &str, to: &str, inverse: &str| Relation {
        name: name.to_owned(),
        from: Endpoint {
            table: from.to_owned(),
            columns: vec![column.to_owned()],
        },
        to: Endpoint {
            table: to.to_owned(),
            columns: vec!["id".to_owned()],
        },
        inverse: Some(inverse.to_owned()),
        constraint: Some(format!("{from}_{column}_fkey")),
        is_unique: false,
    };
    Relations::from(vec![
        to_one("client", "projects", "client_id", "clients", "projects"),
        to_one("project", "tasks", "project_id", "projects", "tasks"),
        to_one("user", "users_tasks", "user_id", "users", "users_tasks"),
        to_one("task", "users_tasks", "task_id", "tasks", "users_tasks"),
        to_one("from_user", "messages", "sender", "users", "sent"),
        to_one("to_user", "messages", "recipient", "users", "received"),
        to_one("boss_of", "staff", "boss", "staff", "reports"),
        to_one("friend", "friends", "one", "staff", "befriended"),
        to_one("friend_of", "friends", "other", "staff", "befriends"),
        Relation {
            is_unique: true,
            ..to_one("owner", "logos", "client_id", "clients", "logo")
        },
    ])
}
