//! Arguments that are mirrored into headers (2026-07-28, basic/transports/streamable-http).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bowline::OutputSchemas;
use bowline::http::HttpConnect;
use bowline::prelude::*;
use bowline::transport::Sent;
use bowline_testkit::Script;
use bowline_testkit::http::{HttpRequest, HttpServer, Reply};
use serde_json::{Value, json};

use crate::support::within;

/// A server of 2026-07-28 over HTTP. `listed` is what `tools/list` gives each time, `called` answers a call.
async fn server(
    listed: impl Fn(usize) -> Value + Send + Sync + 'static,
    called: impl Fn(&HttpRequest) -> Reply + Send + Sync + 'static,
) -> HttpServer {
    let lists = Arc::new(AtomicUsize::new(0));
    let started = HttpServer::start(move |request: HttpRequest| {
        let reply = match request.rpc_method().as_str() {
            "server/discover" => Reply::result(&request, discovered()),
            "tools/list" => {
                let tools = listed(lists.fetch_add(1, Ordering::SeqCst));
                Reply::result(
                    &request,
                    json!({ "resultType": "complete", "tools": tools, "ttlMs": 0, "cacheScope": "private" }),
                )
            }
            _ => called(&request),
        };
        std::future::ready(reply)
    });
    started.await.unwrap()
}

fn discovered() -> Value {
    json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
        "ttlMs": 0, "cacheScope": "private",
    })
}

fn done(request: &HttpRequest) -> Reply {
    Reply::result(request, json!({ "resultType": "complete", "content": [{ "type": "text", "text": "done" }] }))
}

fn mismatch(request: &HttpRequest) -> Reply {
    let error = json!({ "code": -32020, "message": "Header mismatch" });
    Reply::json(json!({ "jsonrpc": "2.0", "id": request.json()["id"], "error": error })).code(400)
}

fn sql(header: &str) -> Value {
    json!({ "name": "sql", "inputSchema": { "type": "object", "properties": {
        "where": { "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": header } } },
        "limit": { "type": "integer", "x-mcp-header": "Limit" },
        "dry": { "type": ["boolean", "null"], "x-mcp-header": "Dry" },
        "query": { "type": "string" },
    } } })
}

fn bad() -> Value {
    json!({ "name": "bad", "inputSchema": { "properties": { "p": { "type": "string", "x-mcp-header": "bad name\r\n" } } } })
}

async fn client(server: &HttpServer) -> Client {
    within(Client::builder().connect(HttpConnect::new(&server.url("/mcp")).unwrap())).await.unwrap()
}

fn calls(server: &HttpServer) -> Vec<HttpRequest> {
    server.requests().into_iter().filter(|request| request.rpc_method() == "tools/call").collect()
}

fn lists(server: &HttpServer) -> usize {
    server.requests().iter().filter(|request| request.rpc_method() == "tools/list").count()
}

#[tokio::test]
async fn case_http_021_h_13_h_14_h_17_over_http_annotated_arguments_go_out_in_headers() {
    let server = server(|_| json!([bad(), sql("Region"), { "name": "plain", "inputSchema": {} }]), done).await;
    let client = client(&server).await;
    let mut pages = client.tools();
    let mut names = Vec::new();
    while let Some(tool) = within(pages.next()).await {
        names.push(tool.unwrap().name);
    }
    assert_eq!(names, ["sql", "plain"], "one bad tool does not hide the others");
    let [problem] = pages.problems() else { panic!("{:?}", pages.problems()) };
    assert_eq!((problem.index, problem.raw.to_value()["name"].as_str()), (0, Some("bad")));
    assert!(problem.error.contains("no header name"), "{problem}");
    let page = within(client.list_page::<Tool>(None)).await.unwrap();
    assert_eq!((page.tools.len(), page.problems.len()), (2, 1));

    let region = json!({ "region": "Hello, \u{4e16}\u{754c}" });
    within(client.call("sql").arg("where", region).arg("limit", -7).arg("dry", true).arg("query", "q")).await.unwrap();
    within(client.call("sql").arg("where", json!({})).arg("dry", json!(null))).await.unwrap();
    within(client.request("tools/call").params(json!({ "name": "sql", "arguments": { "limit": 42 } }))).await.unwrap();
    within(client.call("plain").arg("limit", 1)).await.unwrap();
    let seen: Vec<_> = calls(&server)
        .iter()
        .map(|request| {
            ["mcp-name", "mcp-param-region", "mcp-param-limit", "mcp-param-dry"].map(|n| request.header(n).to_owned())
        })
        .collect();
    assert_eq!(
        seen,
        [
            ["sql", "=?base64?SGVsbG8sIOS4lueVjA==?=", "-7", "true"],
            ["sql", "", "", ""],
            ["sql", "", "42", ""],
            ["plain", "", "", ""],
        ]
    );

    let error = within(client.call("sql").arg("limit", 9_007_199_254_740_992_i64)).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Config, Sent::No));
    assert!(error.to_string().contains("limit"), "{error}");
    assert_eq!(calls(&server).len(), 4);
}

#[tokio::test]
async fn case_http_021_h_20_a_tool_that_was_never_listed_is_listed_once_it_is_refused() {
    let wants_region = |request: &HttpRequest| {
        if request.header("mcp-param-region") == "eu" { done(request) } else { mismatch(request) }
    };
    let server = server(|_| json!([sql("Region")]), wants_region).await;
    let client = client(&server).await;
    for times in 1..=2 {
        within(client.call("sql").arg("where", json!({ "region": "eu" }))).await.unwrap();
        assert_eq!((calls(&server).len(), lists(&server)), (times + 1, 1), "known from then on");
    }
}

#[tokio::test]
async fn h_20_a_changed_annotation_is_read_again() {
    let wants_zone = |request: &HttpRequest| {
        if request.header("mcp-param-zone") == "eu" { done(request) } else { mismatch(request) }
    };
    let server = server(|lists| json!([sql(if lists == 0 { "Region" } else { "Zone" })]), wants_zone).await;
    let client = client(&server).await;
    within(client.tools().all()).await.unwrap();
    within(client.call("sql").arg("where", json!({ "region": "eu" }))).await.unwrap();
    let sent: Vec<_> = calls(&server).iter().map(|request| request.header("mcp-param-zone").to_owned()).collect();
    assert_eq!((sent, lists(&server)), (vec![String::new(), String::from("eu")], 2));
    assert_eq!(calls(&server)[1].header("mcp-param-region"), "");
}

#[tokio::test]
async fn what_is_listed_for_the_sake_of_headers_tells_of_outputs_too_and_forgets_no_other_tool() {
    let promising = |mut tool: Value, name: &str| {
        tool["name"] = name.into();
        tool["outputSchema"] = json!({ "type": "object", "required": ["rows"] });
        tool
    };
    let listed = move |lists: usize| match lists {
        0 => json!([promising(sql("Region"), "other")]),
        _ => json!([promising(sql("Region"), "sql")]),
    };
    let wants_region = |request: &HttpRequest| {
        if request.header("mcp-param-region") == "eu" { done(request) } else { mismatch(request) }
    };
    let server = server(listed, wants_region).await;
    let builder = Client::builder().output_schemas(OutputSchemas::Reject);
    let client = within(builder.connect(HttpConnect::new(&server.url("/mcp")).unwrap())).await.unwrap();
    within(client.tools().all()).await.unwrap();
    for tool in ["sql", "other"] {
        let error = within(client.call(tool).arg("where", json!({ "region": "eu" }))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Output, "{tool}: {error}");
    }
    assert_eq!((calls(&server).len(), lists(&server)), (3, 2), "the first call alone was refused");
}

#[tokio::test]
async fn h_20_a_server_that_is_never_content_ends_no_loop() {
    for (listed, sent) in [
        // Each list has another name: one more try.
        (Box::new(|lists| json!([sql(&format!("H{lists}"))])) as Box<dyn Fn(usize) -> Value + Send + Sync>, 2),
        // Nothing changed, so there is nothing to try.
        (Box::new(|_| json!([sql("Region")])), 1),
        // The tool is gone, or must not be used any more, or nobody can tell.
        (Box::new(|lists| if lists == 0 { json!([sql("Region")]) } else { json!([bad()]) }), 1),
        (Box::new(|lists| json!([sql(if lists == 0 { "Region" } else { "Re gion" })])), 1),
        (Box::new(|lists| if lists == 0 { json!([sql("Region")]) } else { json!("no list") }), 1),
    ] {
        let server = server(listed, mismatch).await;
        let client = client(&server).await;
        within(client.tools().all()).await.unwrap();
        let error = within(client.call("sql").arg("limit", 1)).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.0), Some(-32020), "{error}");
        assert_eq!((calls(&server).len(), lists(&server)), (sent, 2));
    }
}

#[tokio::test]
async fn case_http_021_over_other_transports_annotations_have_no_effect() {
    let complete = |mut result: Value| {
        result["resultType"] = json!("complete");
        result
    };
    let script = Script::new()
        .expect("server/discover")
        .reply(discovered())
        .expect("tools/list")
        .reply(complete(json!({ "tools": [bad(), sql("Region")] })))
        .expect("tools/call")
        .reply(complete(json!({ "content": [] })));
    let (connector, _) = script.connector();
    let client = within(Client::builder().connect(connector)).await.unwrap();
    let tools = within(client.tools().all()).await.unwrap();
    assert_eq!(tools.len(), 2);
    within(client.call("bad").arg("p", json!([1]))).await.unwrap();
}
