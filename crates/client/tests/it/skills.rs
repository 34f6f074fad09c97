//! Skills (extension `io.modelcontextprotocol/skills`, SEP-2640).

use bowline_client::{Cache, Client, Error, ErrorKind};
use bowline_protocol::{CacheScope, ResourceContents, Revision, Skill};
use bowline_testkit::{MockServer, MockServerBuilder};
use bowline_transport::Sent;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const ROOT: &str = "skill://acme/tie-knots";
const MAIN: &str = "---\nname: tie-knots\ndescription: Ties knots\n---\n\n# Knots\n";
const LOOP: &str = "The rabbit comes out of its hole.\n";

fn uri(path: &str) -> String {
    format!("{ROOT}/{path}")
}

fn file(path: &str, content: &[u8]) -> Value {
    let digest = format!("sha256:{}", bowline_protocol::hex(&Sha256::digest(content)));
    json!({ "uri": uri(path), "digest": digest, "size": content.len() })
}

fn entry(resources: &Value) -> Skill {
    let frontmatter = json!({ "name": "tie-knots", "description": "Ties knots" });
    serde_json::from_value(json!({ "uri": uri("SKILL.md"), "frontmatter": frontmatter, "resources": resources }))
        .unwrap()
}

/// The entry of what is served where nothing was tampered with.
fn true_entry() -> Skill {
    entry(&json!([
        file("SKILL.md", MAIN.as_bytes()),
        file("loop.md", LOOP.as_bytes()),
        file("rope.png", &[0x89, 0xff])
    ]))
}

fn contents(main: &str, knot: &str) -> Vec<ResourceContents> {
    vec![
        ResourceContents::text(uri("SKILL.md"), main),
        ResourceContents::text(uri("loop.md"), knot),
        ResourceContents::blob(uri("rope.png"), &[0x89, 0xff]),
        // A file that no entry lists.
        ResourceContents::text(uri("new.md"), "new"),
    ]
}

fn modern() -> MockServerBuilder {
    MockServer::builder().revisions(Revision::ALL)
}

async fn connect(server: &MockServer) -> Client {
    Client::builder().revision(Revision::V2026_07_28).connect(server.connector()).await.unwrap()
}

/// A server with one skill, and a client of it.
async fn serving(entry: Skill, main: &str, knot: &str) -> (MockServer, Client) {
    let server = modern().skill(entry, contents(main, knot)).build();
    let client = connect(&server).await;
    (server, client)
}

/// The URIs that were read.
fn reads(server: &MockServer) -> Vec<String> {
    let lines = server.received();
    let messages = lines.iter().filter_map(|line| serde_json::from_slice::<Value>(&line.frame).ok());
    let reads = messages.filter(|message| message["method"] == "resources/read");
    reads.map(|message| message["params"]["uri"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn refused(error: &Error, parts: &[&str]) {
    assert_eq!(error.kind(), ErrorKind::Verification, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part} in {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn listing_and_getting_read_no_file() {
    let other = json!({ "uri": "skill://b/SKILL.md", "frontmatter": { "name": "b", "description": "d" }, "resources": "dynamic" });
    let other: Skill = serde_json::from_value(other).unwrap();
    let server = modern().skill(true_entry(), contents(MAIN, LOOP)).skill(other, []).page_size(1).build();
    let client = connect(&server).await;
    let skills = client.skills().all().await.unwrap();
    assert_eq!(skills.iter().map(Skill::name).collect::<Vec<_>>(), ["tie-knots", "b"]);
    assert_eq!(client.skill(uri("SKILL.md")).await.unwrap(), skills[0]);
    let error = client.skill("skill://c/SKILL.md").await.unwrap_err();
    assert_eq!(error.code().map(|code| code.0), Some(-32602), "{error}");
    assert_eq!(reads(&server), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_skill_is_read_file_by_file_when_they_are_asked_for() {
    let (server, client) = serving(true_entry(), MAIN, LOOP).await;
    let skill = client.load_skill(&true_entry()).await.unwrap();
    assert_eq!((skill.text(), skill.instructions()), (MAIN, "\n# Knots\n"));
    assert_eq!(reads(&server), [uri("SKILL.md")]);
    assert_eq!(skill.read("./loop.md").await.unwrap().text(), Some(LOOP));
    let rope = skill.read(&uri("rope.png")).await.unwrap();
    assert_eq!((rope.bytes.as_slice(), rope.text()), ([0x89, 0xff].as_slice(), None));
    assert_eq!(reads(&server), [uri("SKILL.md"), uri("loop.md"), uri("rope.png")]);
}

#[tokio::test(start_paused = true)]
async fn a_skill_file_that_is_not_what_the_entry_says_is_refused() {
    let longer = format!("{MAIN}more\n");
    let evil = MAIN.replace("Knots", "Knits");
    let renamed = MAIN.replace("Ties knots", "Steals keys");
    let follows = entry(&json!([file("SKILL.md", renamed.as_bytes())]));
    let plain = entry(&json!([file("SKILL.md", b"# no front matter")]));
    for (entry, main, parts) in [
        (true_entry(), longer.as_str(), ["its size is 62", "in the entry 57"]),
        (true_entry(), evil.as_str(), ["its digest is sha256:", "in the entry sha256:"]),
        (follows, renamed.as_str(), ["\"description\"", "is \"Steals keys\", and in the entry \"Ties knots\""]),
        (plain, "# no front matter", ["no front matter", "Client::skill"]),
    ] {
        let (server, client) = serving(entry.clone(), main, LOOP).await;
        let error = client.load_skill(&entry).await.unwrap_err();
        refused(&error, &parts);
        assert_eq!((error.method(), error.sent()), (Some("resources/read"), Sent::Yes));
        assert_eq!(reads(&server), [uri("SKILL.md")], "nothing else is read");
    }
}

#[tokio::test(start_paused = true)]
async fn after_one_bad_file_no_other_is_read() {
    let (server, client) = serving(true_entry(), MAIN, "The fox comes out of its hole.\n").await;
    let skill = client.load_skill(&true_entry()).await.unwrap();
    refused(&skill.read("loop.md").await.unwrap_err(), &["loop.md", "its size is"]);
    refused(&skill.read("rope.png").await.unwrap_err(), &["given up", "loop.md", "its size is"]);
    assert_eq!(reads(&server), [uri("SKILL.md"), uri("loop.md")]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_the_entry_does_not_list_is_not_read() {
    let (server, client) = serving(true_entry(), MAIN, LOOP).await;
    let skill = client.load_skill(&true_entry()).await.unwrap();
    for path in ["new.md", "../other/SKILL.md", "file:///etc/passwd", ""] {
        let error = skill.read(path).await.unwrap_err();
        refused(&error, &["no file that the entry"]);
        assert_eq!(error.sent(), Sent::No);
    }
    assert_eq!(reads(&server), [uri("SKILL.md")]);
    assert!(skill.read("loop.md").await.is_ok(), "a wrong path is no sign of tampering");
}

#[tokio::test(start_paused = true)]
async fn an_entry_beyond_the_limits_or_wrong_in_itself_reads_nothing() {
    let (server, client) = serving(true_entry(), MAIN, LOOP).await;
    refused(&client.load_skill(&true_entry()).max_files(2).await.unwrap_err(), &["3 files", "limit is 2"]);
    refused(&client.load_skill(&true_entry()).max_bytes(10).await.unwrap_err(), &["bytes", "limit is 10"]);
    let lacks = entry(&json!([file("loop.md", LOOP.as_bytes())]));
    refused(&client.load_skill(&lacks).await.unwrap_err(), &["its files lack"]);
    refused(&client.load_skill(&entry(&json!("dynamic"))).await.unwrap_err(), &["allow_dynamic(true)"]);
    assert_eq!(reads(&server), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_skill_is_held_to_its_front_matter_and_to_the_limit() {
    let dynamic = entry(&json!("dynamic"));
    let (_server, client) = serving(dynamic.clone(), MAIN, LOOP).await;
    let load = || client.load_skill(&dynamic).allow_dynamic(true);
    let skill = load().await.unwrap();
    assert_eq!(skill.read("new.md").await.unwrap().text(), Some("new"));
    let skill = load().max_bytes(MAIN.len() as u64 + 3).await.unwrap();
    refused(&skill.read("loop.md").await.unwrap_err(), &["more than 60 bytes"]);

    let (_server, client) = serving(dynamic.clone(), &MAIN.replace("Ties", "Cuts"), LOOP).await;
    let error = client.load_skill(&dynamic).allow_dynamic(true).await.unwrap_err();
    refused(&error, &["Cuts knots", "Ties knots"]);
}

#[tokio::test(start_paused = true)]
async fn a_kept_file_that_is_older_than_the_entry_is_read_anew() {
    let old = MAIN.replace("Knots", "Loops");
    let server = modern().cache(60_000, CacheScope::Private).skill(true_entry(), contents(&old, LOOP)).build();
    let builder = Client::builder().revision(Revision::V2026_07_28).cache(Cache::default());
    let client = builder.connect(server.connector()).await.unwrap();
    client.read(uri("SKILL.md")).await.unwrap();
    let resource = bowline_protocol::Resource::new(uri("SKILL.md"), "tie-knots");
    server.add_resource(resource, ResourceContents::text(uri("SKILL.md"), MAIN)).await;
    let skill = client.load_skill(&true_entry()).await.unwrap();
    assert_eq!(skill.text(), MAIN);
    assert_eq!(reads(&server).len(), 2);
    client.load_skill(&true_entry()).await.unwrap();
    assert_eq!(reads(&server).len(), 2, "what is kept and fits is not read again");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_to_a_server_that_does_not_declare_skills() {
    let server =
        modern().resource(bowline_protocol::Resource::new("x://1", "x"), ResourceContents::text("x://1", "")).build();
    let client = connect(&server).await;
    let error = client.skills().all().await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (ErrorKind::Unsupported, Sent::No), "{error}");
    assert!(error.to_string().contains("io.modelcontextprotocol/skills"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_entry_of_another_skill_is_no_answer() {
    let other = serde_json::to_value(true_entry()).unwrap();
    let server = modern()
        .skill(true_entry(), contents(MAIN, LOOP))
        .method("skills/get", move |_| {
            let other = other.clone();
            async move { Ok(json!({ "resultType": "complete", "skill": other }).into()) }
        })
        .build();
    let client = connect(&server).await;
    let error = client.skill("skill://b/SKILL.md").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
}
