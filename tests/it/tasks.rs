//! Calls that become tasks, over the web.

use bowline::prelude::*;
use bowline::protocol::{ElicitResult, Revision};
use bowline::{Started, Target};
use bowline_testkit::http::{HttpRequest, HttpServer, Reply};
use serde_json::json;

use crate::support::{text, within};

fn answer(request: &HttpRequest) -> Reply {
    let result = match request.rpc_method().as_str() {
        "server/discover" => json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 0,
            "cacheScope": "private",
            "capabilities": {"tools": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}}),
        "tools/call" => {
            json!({"resultType": "task", "taskId": "no. 7 é", "status": "working", "ttlMs": null, "pollIntervalMs": 50})
        }
        "tasks/get" => {
            json!({"resultType": "complete", "taskId": "no. 7 é", "status": "completed", "result": text("done")})
        }
        _ => json!({"resultType": "complete"}),
    };
    Reply::result(request, result)
}

#[tokio::test]
async fn tx_04_over_http_what_is_asked_about_a_task_names_it_in_a_header() {
    let server = HttpServer::start(|request| std::future::ready(answer(&request))).await.unwrap();
    let target = Target::parse(&server.url("/mcp")).unwrap();
    let client = within(Client::builder().revision(Revision::V2026_07_28).connect(target)).await.unwrap();
    let Started::Task(mut task) = within(client.call("slow").as_task().start()).await.unwrap() else {
        panic!("a task")
    };
    within(task.update("k", ElicitResult::decline())).await.unwrap();
    within(task.cancel()).await.unwrap();
    assert_eq!(within(task.result()).await.unwrap().joined_text(), "done");
    let named = |method: &str| -> Vec<String> {
        let requests = server.requests();
        let about = requests.iter().filter(|request| request.rpc_method() == method);
        about.map(|request| request.header("mcp-name").to_owned()).collect()
    };
    assert_eq!(named("tools/call"), ["slow"]);
    // An id that no header can hold as it is stands there in the form that the transport has for such names.
    let id = "=?base64?bm8uIDcgw6k=?=";
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(named(method), [id], "{method}");
    }
    client.close().await.unwrap();
}
