//! What each scenario is about.

use anyhow::{Context as _, Result, bail};
use bowline::Client;
use bowline::protocol::Tool;
use serde_json::{Map, Value, json};

/// Does what a scenario is about; for most that is to list the tools and to call them.
pub(crate) async fn play(client: &Client, scenario: &str, context: &Value) -> Result<()> {
    match scenario {
        "initialize" | "request-metadata" | "json-schema-ref-no-deref" => list(client).await.map(drop),
        "tools_call" => {
            list(client).await?;
            client.call("add_numbers").arg("a", 5).arg("b", 3).await?;
            Ok(())
        }
        "http-standard-headers" => everything(client).await,
        "http-custom-headers" => {
            list(client).await?;
            for call in context["toolCalls"].as_array().context("the context names no calls")? {
                let name = call["name"].as_str().context("a call has no name")?;
                client.call(name).args(&call["arguments"]).await?;
            }
            Ok(())
        }
        "json-schema-2020-12-preservation" => {
            let tools = list(client).await?;
            let tool = tools.iter().find(|tool| tool.name == "json_schema_2020_12_tool").context("no such tool")?;
            client.call("json_schema_echo").arg("schema", &tool.input_schema).await?;
            Ok(())
        }
        "sep-2640-client-no-prefetch" => {
            client.skills().all().await?;
            Ok(())
        }
        _ if scenario.starts_with("sep-2640-client-verify-") => {
            for skill in client.skills().all().await? {
                let loaded = client.load_skill(&skill).await?;
                for file in skill.resources.files() {
                    loaded.read(&file.uri).await?;
                }
            }
            Ok(())
        }
        _ => {
            for tool in list(client).await? {
                client.call(&tool.name).args(arguments(&tool)?).await?;
            }
            Ok(())
        }
    }
}

async fn list(client: &Client) -> Result<Vec<Tool>> {
    Ok(client.tools().all().await?)
}

/// Lists and uses all that a server has.
async fn everything(client: &Client) -> Result<()> {
    for tool in list(client).await? {
        client.call(&tool.name).args(arguments(&tool)?).await?;
    }
    for resource in client.resources().all().await? {
        client.read(&resource.uri).await?;
    }
    for prompt in client.prompts().all().await? {
        let mut request = client.prompt(&prompt.name);
        for argument in prompt.arguments.iter().flatten().filter(|argument| argument.required == Some(true)) {
            request = request.arg(&argument.name, "x");
        }
        request.await?;
    }
    Ok(())
}

/// Something for each argument that a tool demands.
fn arguments(tool: &Tool) -> Result<Value> {
    let schema: Value = tool.input_schema.to_value();
    let mut arguments = Map::new();
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        let kind = schema.get("properties").and_then(|all| all.get(name)).and_then(|one| one.get("type"));
        let value = match kind.and_then(Value::as_str) {
            Some("string") | None => json!("x"),
            Some("number" | "integer") => json!(1),
            Some("boolean") => json!(true),
            Some("object") => json!({}),
            Some("array") => json!([]),
            Some("null") => Value::Null,
            Some(other) => bail!("argument {name} is of the unknown type {other}"),
        };
        arguments.insert(name.to_owned(), value);
    }
    Ok(Value::Object(arguments))
}
