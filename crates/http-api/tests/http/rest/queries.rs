//! Queries, by the examples of `PostgREST`'s specifications.

use expect_test::expect;

use super::check_bodies;

#[tokio::test]
async fn embedded_relations() {
    check_bodies(
        &[
            "projects?id=eq.1&select=id, name, clients(*), tasks(id, name)",
            "projects?select=name,client:clients(clientId:id,name)&order=id",
            "projects?id=in.(5)&select=id,tasks(id)",
            "clients?id=eq.1&select=id,projects(id,tasks(id))",
            "tasks?id=eq.8&select=projects(clients(projects(tasks(projects(clients(projects(id)))))))",
            "tasks?id=eq.8&select=projects(clients(projects(tasks(projects(clients(projects(clients(projects(id)))))))))",
            "tasks?select=id,users(id)&order=id&users.order=id",
            "users?select=id,tasks(id)&order=id",
            "projects?select=id,...clients(client_name:name)&order=id",
            "users?select=id,...tasks(names:name)&id=eq.3",
            "users?select=*,tasks:users_tasks(*,...tasks(*))&limit=1&order=id",
        ],
        expect![[r#"
            projects?id=eq.1&select=id, name, clients(*), tasks(id, name)
                200 [{"id":1,"name":"Windows 7","clients":{"id":1,"name":"Microsoft"},"tasks":[{"id":1,"name":"Design w7"},{"id":2,"name":"Code w7"}]}]
            projects?select=name,client:clients(clientId:id,name)&order=id
                200 [{"name":"Windows 7","client":{"clientId":1,"name":"Microsoft"}},{"name":"Windows 10","client":{"clientId":1,"name":"Microsoft"}},{"name":"IOS","client":{"clientId":2,"name":"Apple"}},{"name":"OSX","client":{"clientId":2,"name":"Apple"}},{"name":"Orphan","client":null}]
            projects?id=in.(5)&select=id,tasks(id)
                200 [{"id":5,"tasks":[]}]
            clients?id=eq.1&select=id,projects(id,tasks(id))
                200 [{"id":1,"projects":[{"id":1,"tasks":[{"id":1},{"id":2}]},{"id":2,"tasks":[{"id":3},{"id":4}]}]}]
            tasks?id=eq.8&select=projects(clients(projects(tasks(projects(clients(projects(id)))))))
                200 [{"projects":{"clients":{"projects":[{"tasks":[{"projects":{"clients":{"projects":[{"id":3},{"id":4}]}}},{"projects":{"clients":{"projects":[{"id":3},{"id":4}]}}}]},{"tasks":[{"projects":{"clients":{"projects":[{"id":3},{"id":4}]}}},{"projects":{"clients":{"projects":[{"id":3},{"id":4}]}}}]}]}}}]
            tasks?id=eq.8&select=projects(clients(projects(tasks(projects(clients(projects(clients(projects(id)))))))))
                400 {"code":"PGRST100","details":"unexpected \"(\" expecting letter, digit, \"-\" or \"!\" relations are nested too deeply","hint":null,"message":"\"failed to parse select parameter (projects(clients(projects(tasks(projects(clients(projects(clients(projects(id))))))))))\" (line 1, column 75)"}
            tasks?select=id,users(id)&order=id&users.order=id
                200 [{"id":1,"users":[{"id":1},{"id":3}]},{"id":2,"users":[{"id":1}]},{"id":3,"users":[{"id":1}]},{"id":4,"users":[{"id":1}]},{"id":5,"users":[{"id":2},{"id":3}]},{"id":6,"users":[{"id":2}]},{"id":7,"users":[{"id":2}]},{"id":8,"users":[]}]
            users?select=id,tasks(id)&order=id
                200 [{"id":1,"tasks":[{"id":1},{"id":2},{"id":3},{"id":4}]},{"id":2,"tasks":[{"id":5},{"id":6},{"id":7}]},{"id":3,"tasks":[{"id":1},{"id":5}]}]
            projects?select=id,...clients(client_name:name)&order=id
                200 [{"id":1,"client_name":"Microsoft"},{"id":2,"client_name":"Microsoft"},{"id":3,"client_name":"Apple"},{"id":4,"client_name":"Apple"},{"id":5,"client_name":null}]
            users?select=id,...tasks(names:name)&id=eq.3
                200 [{"id":3,"names":["Design w7","Design IOS"]}]
            users?select=*,tasks:users_tasks(*,...tasks(*))&limit=1&order=id
                200 [{"id":1,"name":"Angela Martin","tasks":[{"user_id":1,"task_id":1,"id":1,"name":"Design w7","project_id":1},{"user_id":1,"task_id":2,"id":2,"name":"Code w7","project_id":1},{"user_id":1,"task_id":3,"id":3,"name":"Design w10","project_id":2},{"user_id":1,"task_id":4,"id":4,"name":"Code w10","project_id":2}]}]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn filters_orders_and_limits_of_embeds() {
    check_bodies(
        &[
            "projects?select=id,clients!inner(name)&clients.name=eq.Apple&order=id",
            "clients?select=id,projects(id,tasks(id,name))&projects.tasks.name=like.Design*&order=id",
            "clients?select=id,projects(id,tasks(id))&order=id.asc&limit=1&projects.order=id.asc&projects.limit=2&projects.tasks.order=id.asc&projects.tasks.limit=1",
            "projects?id=eq.1&select=id, name, the_tasks:tasks(id, name)&tasks.order=name.asc",
            "projects?select=id,clients(name)&order=clients(name).nullsfirst,id",
        ],
        expect![[r#"
            projects?select=id,clients!inner(name)&clients.name=eq.Apple&order=id
                200 [{"id":3,"clients":{"name":"Apple"}},{"id":4,"clients":{"name":"Apple"}}]
            clients?select=id,projects(id,tasks(id,name))&projects.tasks.name=like.Design*&order=id
                200 [{"id":1,"projects":[{"id":1,"tasks":[{"id":1,"name":"Design w7"}]},{"id":2,"tasks":[{"id":3,"name":"Design w10"}]}]},{"id":2,"projects":[{"id":3,"tasks":[{"id":5,"name":"Design IOS"}]},{"id":4,"tasks":[{"id":7,"name":"Design OSX"}]}]}]
            clients?select=id,projects(id,tasks(id))&order=id.asc&limit=1&projects.order=id.asc&projects.limit=2&projects.tasks.order=id.asc&projects.tasks.limit=1
                200 [{"id":1,"projects":[{"id":1,"tasks":[{"id":1}]},{"id":2,"tasks":[{"id":3}]}]}]
            projects?id=eq.1&select=id, name, the_tasks:tasks(id, name)&tasks.order=name.asc
                200 [{"id":1,"name":"Windows 7","the_tasks":[{"id":2,"name":"Code w7"},{"id":1,"name":"Design w7"}]}]
            projects?select=id,clients(name)&order=clients(name).nullsfirst,id
                200 [{"id":5,"clients":null},{"id":3,"clients":{"name":"Apple"}},{"id":4,"clients":{"name":"Apple"}},{"id":1,"clients":{"name":"Microsoft"}},{"id":2,"clients":{"name":"Microsoft"}}]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn conditions_on_relations() {
    check_bodies(
        &[
            "projects?select=name,clients()&clients=not.is.null&order=id",
            "projects?select=name,clients()&clients=is.null",
            "users?select=name,tasks()&tasks.id=eq.1&tasks=not.is.null&order=id",
            "users?select=id,designTasks:tasks(id,name),codeTasks:tasks(id,name)&designTasks.name=like.*Design*&codeTasks.name=like.*Code*&order=id",
            "messages?select=id,sender(name),recipient(name)",
            "messages?select=id,users!messages_sender_fkey(name)",
            "messages?select=id,from:from_user(name)&from=not.is.null",
        ],
        expect![[r#"
            projects?select=name,clients()&clients=not.is.null&order=id
                200 [{"name":"Windows 7"},{"name":"Windows 10"},{"name":"IOS"},{"name":"OSX"}]
            projects?select=name,clients()&clients=is.null
                200 [{"name":"Orphan"}]
            users?select=name,tasks()&tasks.id=eq.1&tasks=not.is.null&order=id
                200 [{"name":"Angela Martin"},{"name":"Dwight Schrute"}]
            users?select=id,designTasks:tasks(id,name),codeTasks:tasks(id,name)&designTasks.name=like.*Design*&codeTasks.name=like.*Code*&order=id
                200 [{"id":1,"designTasks":[{"id":1,"name":"Design w7"},{"id":3,"name":"Design w10"}],"codeTasks":[{"id":2,"name":"Code w7"},{"id":4,"name":"Code w10"}]},{"id":2,"designTasks":[{"id":5,"name":"Design IOS"},{"id":7,"name":"Design OSX"}],"codeTasks":[{"id":6,"name":"Code IOS"}]},{"id":3,"designTasks":[{"id":1,"name":"Design w7"},{"id":5,"name":"Design IOS"}],"codeTasks":[]}]
            messages?select=id,sender(name),recipient(name)
                200 [{"id":1,"sender":{"name":"Angela Martin"},"recipient":{"name":"Michael Scott"}}]
            messages?select=id,users!messages_sender_fkey(name)
                200 [{"id":1,"users":{"name":"Angela Martin"}}]
            messages?select=id,from:from_user(name)&from=not.is.null
                200 [{"id":1,"from":{"name":"Angela Martin"}}]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn relations_that_are_not_there() {
    check_bodies(
        &[
            "clients?select=*,projects(*)&order=projects(id)",
            "clients?select=*,pros:projects(*)&order=pros(id)",
            "projects?select=id,clients(name)&order=clientsx(name)",
            "clients?select=*,project(*)",
            "clients?select=*,nothing!x(*)",
            "messages?select=*,users(*)",
            "projects?select=*,clients(*)&clients=eq.1",
            "clients?select=*&non_existent_projects.name=like.*x*",
            "projects?select=*,clients(nope)",
        ],
        expect![[r#"
            clients?select=*,projects(*)&order=projects(id)
                400 {"code":"PGRST118","details":"'clients' and 'projects' do not form a many-to-one or one-to-one relationship","hint":null,"message":"A related order on 'projects' is not possible"}
            clients?select=*,pros:projects(*)&order=pros(id)
                400 {"code":"PGRST118","details":"'clients' and 'pros' do not form a many-to-one or one-to-one relationship","hint":null,"message":"A related order on 'pros' is not possible"}
            projects?select=id,clients(name)&order=clientsx(name)
                400 {"code":"PGRST108","details":null,"hint":"Verify that 'clientsx' is included in the 'select' query parameter.","message":"'clientsx' is not an embedded resource in this request"}
            clients?select=*,project(*)
                400 {"code":"PGRST200","details":"Searched for a foreign key relationship between 'clients' and 'project' in the schema 'test', but no matches were found.","hint":"Perhaps you meant 'projects' instead of 'project'.","message":"Could not find a relationship between 'clients' and 'project' in the schema cache"}
            clients?select=*,nothing!x(*)
                400 {"code":"PGRST200","details":"Searched for a foreign key relationship between 'clients' and 'nothing' using the hint 'x' in the schema 'test', but no matches were found.","hint":null,"message":"Could not find a relationship between 'clients' and 'nothing' in the schema cache"}
            messages?select=*,users(*)
                300 {"code":"PGRST201","details":[{"cardinality":"many-to-one","embedding":"messages with users","relationship":"messages_recipient_fkey using messages(recipient) and users(id)"},{"cardinality":"many-to-one","embedding":"messages with users","relationship":"messages_sender_fkey using messages(sender) and users(id)"}],"hint":"Try changing 'users' to one of the following: 'users!messages_recipient_fkey', 'users!messages_sender_fkey'. Find the desired relationship in the 'details' key.","message":"Could not embed because more than one relationship was found for 'messages' and 'users'"}
            projects?select=*,clients(*)&clients=eq.1
                400 {"code":"PGRST120","details":"Only is null or not is null filters are allowed on embedded resources","hint":null,"message":"Bad operator on the 'clients' embedded resource"}
            clients?select=*&non_existent_projects.name=like.*x*
                400 {"code":"PGRST108","details":null,"hint":"Verify that 'non_existent_projects' is included in the 'select' query parameter.","message":"'non_existent_projects' is not an embedded resource in this request"}
            projects?select=*,clients(nope)
                400 {"code":"42703","details":null,"hint":null,"message":"column clients.nope does not exist"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn filters() {
    check_bodies(
        &[
            "projects?select=id&id=not.eq.5&order=id.desc",
            "projects?select=id&name=like(any).{Win*,O*}&order=id",
            "projects?select=id&client_id=isdistinct.1&order=id",
            "projects?select=id&or=(id.eq.1,and(id.gt.3,name.not.like.*phan))&order=id",
            "projects?select=id&id=not.in.()&order=id",
            "projects?select=id&id=in.( 1, 2 )&order=id",
            "projects?select=id&client_id=is.null",
            "projects?select=id&name=match.^W.*7$",
            "projects?select=id&name=imatch.^os",
        ],
        expect![[r#"
            projects?select=id&id=not.eq.5&order=id.desc
                200 [{"id":4},{"id":3},{"id":2},{"id":1}]
            projects?select=id&name=like(any).{Win*,O*}&order=id
                200 [{"id":1},{"id":2},{"id":4},{"id":5}]
            projects?select=id&client_id=isdistinct.1&order=id
                200 [{"id":3},{"id":4},{"id":5}]
            projects?select=id&or=(id.eq.1,and(id.gt.3,name.not.like.*phan))&order=id
                200 [{"id":1},{"id":4}]
            projects?select=id&id=not.in.()&order=id
                200 [{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]
            projects?select=id&id=in.( 1, 2 )&order=id
                200 [{"id":1},{"id":2}]
            projects?select=id&client_id=is.null
                200 [{"id":5}]
            projects?select=id&name=match.^W.*7$
                200 [{"id":1}]
            projects?select=id&name=imatch.^os
                200 [{"id":4}]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn words_and_zones_in_literals_of_times() {
    check_bodies(
        &[
            "things?select=id&day=gt.today",
            "things?select=id&day=lte.tomorrow",
            "things?select=id&or=(and(seen.gte.today,seen.lte.now),and(seen.gt.epoch,seen.lt.infinity))",
            "things?select=id&made=in.(yesterday,\"2024-02-29 12:34:56.789\")",
            "things?select=id&seen=eq.2024-02-29 21:34:56.789 Asia/Tokyo",
            "things?select=id&seen=eq.2024-02-29 21:34:56.789 Asia/Nowhere",
            "things?select=id&seen=gt.now and then",
        ],
        expect![[r#"
            things?select=id&day=gt.today
                200 [{"id":1}]
            things?select=id&day=lte.tomorrow
                200 []
            things?select=id&or=(and(seen.gte.today,seen.lte.now),and(seen.gt.epoch,seen.lt.infinity))
                200 [{"id":1}]
            things?select=id&made=in.(yesterday,"2024-02-29 12:34:56.789")
                200 [{"id":1}]
            things?select=id&seen=eq.2024-02-29 21:34:56.789 Asia/Tokyo
                200 [{"id":1}]
            things?select=id&seen=eq.2024-02-29 21:34:56.789 Asia/Nowhere
                400 {"code":"22007","details":null,"hint":null,"message":"invalid input syntax for type timestamp with time zone: \"2024-02-29 21:34:56.789 Asia/Nowhere\""}
            things?select=id&seen=gt.now and then
                400 {"code":"22007","details":null,"hint":null,"message":"invalid input syntax for type timestamp with time zone: \"now and then\""}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn literals_and_arrays() {
    check_bodies(
        &[
            "things?select=id&tags=cs.{1}",
            "things?select=id&tags=cd.{1,2,4}",
            "things?select=id&tags=ov.{2,9}",
            "things?select=id&doc=cs.{\"a\":{\"b\":[1]}}",
            "things?select=id&tags=eq.{1,2}",
            "things?select=id,doc->a->b,n:doc->a->b->0,doc->>name&id=eq.1",
            "things?select=id&ok=eq.t",
            "things?select=id&seen=eq.2024-02-29 12:34:56.789%2B00",
            "things?select=id&seen=gt.2024-02-29&made=lt.2024-03-01",
            "things?select=id&raw=eq.\\xdead",
            "things?select=id&price=eq. 19.9",
            "messages?read=is.true&select=id",
        ],
        expect![[r#"
            things?select=id&tags=cs.{1}
                200 [{"id":1}]
            things?select=id&tags=cd.{1,2,4}
                200 [{"id":1}]
            things?select=id&tags=ov.{2,9}
                200 [{"id":1}]
            things?select=id&doc=cs.{"a":{"b":[1]}}
                200 [{"id":1}]
            things?select=id&tags=eq.{1,2}
                200 [{"id":1}]
            things?select=id,doc->a->b,n:doc->a->b->0,doc->>name&id=eq.1
                200 [{"id":1,"b":[1,null],"n":1,"name":"x, \"y\""}]
            things?select=id&ok=eq.t
                200 [{"id":1}]
            things?select=id&seen=eq.2024-02-29 12:34:56.789%2B00
                200 [{"id":1}]
            things?select=id&seen=gt.2024-02-29&made=lt.2024-03-01
                200 [{"id":1}]
            things?select=id&raw=eq.\xdead
                200 [{"id":1}]
            things?select=id&price=eq. 19.9
                200 [{"id":1}]
            messages?read=is.true&select=id
                200 [{"id":1}]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn conditions_that_cannot_be() {
    check_bodies(
        &[
            "projects?select=id&name=fts.x",
            "projects?select=id&id=eq.abc",
            "projects?select=id&id=gt.1.5",
            "projects?select=id&id=in.(1,2.0)",
            "projects?select=id&id=in.(1,b)",
            "projects?select=id&or=(id.in.(1,2),id.in.(3,c))",
            "projects?select=id&id=eq(any).{1,2,x}",
            "things?select=id&day=eq.someday",
            "projects?select=id&id=like.1*",
            "projects?select=id&name=match.(",
            "projects?select=id&nam=eq.1",
            "projects?select=nope",
            "projects?order=nope",
            "projects?select=name->x",
            "things?order=doc",
            "projects?select=id::fakecolumntype",
            "projects?select=name&name=cs.x",
            "projects?select=*,id&id=eq.1",
            "projects?select=*,name:id&id=eq.1",
        ],
        expect![[r#"
            projects?select=id&name=fts.x
                400 {"code":"PGRST127","details":"Rowtide has no full-text search","hint":null,"message":"Feature not implemented"}
            projects?select=id&id=eq.abc
                400 {"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"abc\""}
            projects?select=id&id=gt.1.5
                400 {"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"1.5\""}
            projects?select=id&id=in.(1,2.0)
                400 {"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"2.0\""}
            projects?select=id&id=in.(1,b)
                400 {"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"b\""}
            projects?select=id&or=(id.in.(1,2),id.in.(3,c))
                400 {"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"c\""}
            projects?select=id&id=eq(any).{1,2,x}
                400 {"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"x\""}
            things?select=id&day=eq.someday
                400 {"code":"22007","details":null,"hint":null,"message":"invalid input syntax for type date: \"someday\""}
            projects?select=id&id=like.1*
                404 {"code":"42883","details":null,"hint":"No operator matches the given name and argument types. You might need to add explicit type casts.","message":"operator does not exist: integer ~~ unknown"}
            projects?select=id&name=match.(
                400 {"code":"2201B","details":null,"hint":null,"message":"invalid regular expression: expected a regular expression of moderate size, without back-references"}
            projects?select=id&nam=eq.1
                400 {"code":"42703","details":null,"hint":"Perhaps you meant to reference the column \"projects.name\".","message":"column projects.nam does not exist"}
            projects?select=nope
                400 {"code":"42703","details":null,"hint":null,"message":"column projects.nope does not exist"}
            projects?order=nope
                400 {"code":"42703","details":null,"hint":null,"message":"column projects.nope does not exist"}
            projects?select=name->x
                404 {"code":"42883","details":null,"hint":"No operator matches the given name and argument types. You might need to add explicit type casts.","message":"operator does not exist: text -> unknown"}
            things?order=doc
                404 {"code":"42883","details":null,"hint":"Use an explicit ordering operator or modify the query.","message":"could not identify an ordering operator for type json"}
            projects?select=id::fakecolumntype
                400 {"code":"42704","details":null,"hint":null,"message":"type \"fakecolumntype\" does not exist"}
            projects?select=name&name=cs.x
                404 {"code":"42883","details":null,"hint":"No operator matches the given name and argument types. You might need to add explicit type casts.","message":"operator does not exist: text @> unknown"}
            projects?select=*,id&id=eq.1
                200 [{"id":1,"name":"Windows 7","client_id":1}]
            projects?select=*,name:id&id=eq.1
                200 [{"id":1,"client_id":1,"name":1}]
        "#]],
    )
    .await;
}

#[tokio::test]
async fn casts_and_aggregates() {
    check_bodies(
        &[
            "projects?select=id::text&id=eq.1",
            "things?select=price::int,seen::date,ok::text,doc->>name::text&id=eq.1",
            "projects?select=name::int",
            "projects?select=count()",
            "projects?select=client_id,count(),id.max()&order=client_id",
            "things?select=price.sum(),ratio.avg()",
            "clients?select=name,projects(count())&order=id",
            "projects?select=name.sum()",
        ],
        expect![[r#"
            projects?select=id::text&id=eq.1
                200 [{"id":"1"}]
            things?select=price::int,seen::date,ok::text,doc->>name::text&id=eq.1
                200 [{"price":20,"seen":"2024-02-29","ok":"true","name":"x, \"y\""}]
            projects?select=name::int
                400 {"code":"22P02","details":null,"hint":null,"message":"invalid input syntax for type integer: \"Windows 7\""}
            projects?select=count()
                200 [{"count":5}]
            projects?select=client_id,count(),id.max()&order=client_id
                200 [{"client_id":1,"count":2,"max":2},{"client_id":2,"count":2,"max":4},{"client_id":null,"count":1,"max":5}]
            things?select=price.sum(),ratio.avg()
                200 [{"sum":19.90,"avg":0.5}]
            clients?select=name,projects(count())&order=id
                200 [{"name":"Microsoft","projects":[{"count":2}]},{"name":"Apple","projects":[{"count":2}]}]
            projects?select=name.sum()
                404 {"code":"42883","details":null,"hint":"No function matches the given name and argument types. You might need to add explicit type casts.","message":"function sum(text) does not exist"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn counts_and_orders_of_what_is_spread() {
    check_bodies(
        &[
            "projects?select=count",
            "projects?select=n:count::text",
            "clients?select=name,projects(count)&order=id",
            "projects?select=...clients(n:count())",
            "projects?select=n:count(),...clients(name)&order=clients(name).desc",
            "projects?select=n:count(),...clients(client:name)&order=clients(client)",
            "tasks?select=n:count(),...projects(id,...clients(name))&order=projects(id).desc&limit=1",
            "projects?select=n:count(),clients(name)&order=clients(name)",
        ],
        expect![[r#"
            projects?select=count
                200 [{"count":5}]
            projects?select=n:count::text
                200 [{"n":"5"}]
            clients?select=name,projects(count)&order=id
                200 [{"name":"Microsoft","projects":[{"count":2}]},{"name":"Apple","projects":[{"count":2}]}]
            projects?select=...clients(n:count())
                200 [{"n":4}]
            projects?select=n:count(),...clients(name)&order=clients(name).desc
                200 [{"n":1,"name":null},{"n":2,"name":"Microsoft"},{"n":2,"name":"Apple"}]
            projects?select=n:count(),...clients(client:name)&order=clients(client)
                200 [{"n":2,"client":"Apple"},{"n":2,"client":"Microsoft"},{"n":1,"client":null}]
            tasks?select=n:count(),...projects(id,...clients(name))&order=projects(id).desc&limit=1
                200 [{"n":2,"id":4,"name":"Apple"}]
            projects?select=n:count(),clients(name)&order=clients(name)
                400 {"code":"42803","details":null,"hint":null,"message":"relation 'clients' is asked of groups of rows, in the value of 'order' at character 9"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn labels() {
    check_bodies(
        &[
            "projects?select=*,client_id(*)&id=eq.1",
            "projects?select=client_id,client_id(name)&id=eq.1",
            "projects?select=*,...clients(name)&id=eq.1",
            "projects?select=id,id:name&id=eq.1",
            "things?select=tags->0,doc->a->b->>-2,doc->a->b",
            "things?select=doc->>name->0",
            "things?select=doc->>name->>x",
        ],
        expect![[r#"
            projects?select=*,client_id(*)&id=eq.1
                200 [{"id":1,"name":"Windows 7","client_id":{"id":1,"name":"Microsoft"}}]
            projects?select=client_id,client_id(name)&id=eq.1
                200 [{"client_id":{"name":"Microsoft"}}]
            projects?select=*,...clients(name)&id=eq.1
                200 [{"id":1,"client_id":1,"name":"Microsoft"}]
            projects?select=id,id:name&id=eq.1
                200 [{"id":"Windows 7"}]
            things?select=tags->0,doc->a->b->>-2,doc->a->b
                200 [{"tags":1,"b":[1,null]},{"tags":null,"b":null}]
            things?select=doc->>name->0
                404 {"code":"42883","details":null,"hint":"No operator matches the given name and argument types. You might need to add explicit type casts.","message":"operator does not exist: text -> integer"}
            things?select=doc->>name->>x
                404 {"code":"42883","details":null,"hint":"No operator matches the given name and argument types. You might need to add explicit type casts.","message":"operator does not exist: text ->> unknown"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_table_that_names_itself() {
    check_bodies(
        &[
            "staff?select=id,staff(id)&id=eq.1",
            "staff?select=id,boss(id,reports:staff!boss(id,staff(id)))&id=eq.2",
            "staff?select=id,staff!staff_boss_fkey(id)&id=eq.1",
            "staff?select=id,boss_of(id),reports(id)&id=eq.2",
            "staff?select=id,staff!friends(id)",
            "projects?select=id,clients!id(name)&id=eq.1",
            "clients?select=id,projects!id(name)&id=eq.1",
            "users?select=id,messages(id)",
        ],
        expect![[r#"
            staff?select=id,staff(id)&id=eq.1
                200 [{"id":1,"staff":[{"id":2},{"id":3}]}]
            staff?select=id,boss(id,reports:staff!boss(id,staff(id)))&id=eq.2
                200 [{"id":2,"boss":{"id":1,"reports":[{"id":2,"staff":[{"id":4}]},{"id":3,"staff":[]}]}}]
            staff?select=id,staff!staff_boss_fkey(id)&id=eq.1
                200 [{"id":1,"staff":[{"id":2},{"id":3}]}]
            staff?select=id,boss_of(id),reports(id)&id=eq.2
                200 [{"id":2,"boss_of":{"id":1},"reports":[{"id":4}]}]
            staff?select=id,staff!friends(id)
                400 {"code":"PGRST200","details":"Searched for a foreign key relationship between 'staff' and 'staff' using the hint 'friends' in the schema 'test', but no matches were found.","hint":null,"message":"Could not find a relationship between 'staff' and 'staff' in the schema cache"}
            projects?select=id,clients!id(name)&id=eq.1
                200 [{"id":1,"clients":{"name":"Microsoft"}}]
            clients?select=id,projects!id(name)&id=eq.1
                200 [{"id":1,"projects":[{"name":"Windows 7"},{"name":"Windows 10"}]}]
            users?select=id,messages(id)
                300 {"code":"PGRST201","details":[{"cardinality":"one-to-many","embedding":"users with messages","relationship":"messages_recipient_fkey using users(id) and messages(recipient)"},{"cardinality":"one-to-many","embedding":"users with messages","relationship":"messages_sender_fkey using users(id) and messages(sender)"}],"hint":"Try changing 'messages' to one of the following: 'messages!messages_recipient_fkey', 'messages!messages_sender_fkey'. Find the desired relationship in the 'details' key.","message":"Could not embed because more than one relationship was found for 'users' and 'messages'"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn one_to_one() {
    check_bodies(
        &[
            "clients?select=name,logos(id)&order=id",
            "clients?select=name,...logos(logo:id)&order=logos(id).desc",
            "clients?select=name,logo!inner(id)&logo.id=eq.7",
            "logos?select=id,clients(name)",
        ],
        expect![[r#"
            clients?select=name,logos(id)&order=id
                200 [{"name":"Microsoft","logos":null},{"name":"Apple","logos":{"id":7}}]
            clients?select=name,...logos(logo:id)&order=logos(id).desc
                200 [{"name":"Microsoft","logo":null},{"name":"Apple","logo":7}]
            clients?select=name,logo!inner(id)&logo.id=eq.7
                200 [{"name":"Apple","logo":{"id":7}}]
            logos?select=id,clients(name)
                200 [{"id":7,"clients":{"name":"Apple"}}]
        "#]],
    )
    .await;
}
