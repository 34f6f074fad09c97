//! The upgrade to WebSocket, as a request that credentials are asked for.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bowline::auth::DpopUse;
use bowline::{Target, TargetOptions};
use bowline_testkit::websocket::{MockWebSocket, Upgrade};

use super::*;

/// A refusal with headers, each with its end.
fn refuse(status: &str, headers: &str) -> Upgrade {
    Upgrade::Answer(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n{headers}\r\n").into())
}

#[tokio::test]
async fn what_a_refused_upgrade_says_is_heard_as_over_http() {
    // Its metadata is on another server than the upgrade, so only the challenge tells of it.
    let auth = AuthSettings::default().any_resource().start().await.unwrap();
    let metadata = Arc::new(Mutex::new(String::new()));
    let server = {
        let metadata = Arc::clone(&metadata);
        MockWebSocket::new(mock())
            .upgrade_by(move |request| {
                let metadata = metadata.lock().unwrap().clone();
                let proof = request.header("dpop");
                let claims = URL_SAFE_NO_PAD.decode(proof.split('.').nth(1).unwrap_or_default()).unwrap();
                let has_nonce = String::from_utf8_lossy(&claims).contains("nonce-1");
                match request.connection {
                    1 => refuse(
                        "401 Unauthorized",
                        &format!("WWW-Authenticate: DPoP resource_metadata=\"{metadata}\", scope=\"read\"\r\n"),
                    ),
                    2 => refuse(
                        "401 Unauthorized",
                        "WWW-Authenticate: DPoP error=\"use_dpop_nonce\"\r\nDPoP-Nonce: nonce-1\r\n",
                    ),
                    3 if has_nonce => refuse(
                        "403 Forbidden",
                        "WWW-Authenticate: DPoP error=\"insufficient_scope\", scope=\"write\"\r\n",
                    ),
                    4 if has_nonce => Upgrade::Mcp,
                    _ => refuse("400 Bad Request", ""),
                }
            })
            .start()
            .unwrap()
    };
    let url = server.url("/mcp");
    let settings = ProtectedSettings::default().metadata("resource", url.replacen("ws:", "http:", 1));
    let described = auth.protect(mock(), settings).await.unwrap();
    *metadata.lock().unwrap() = format!("{}/.well-known/oauth-protected-resource/mcp", described.origin());

    let oauth = OAuth::builder(&url).visitor(headless()).dpop(DpopUse::WhenAsked).build().unwrap();
    let options = TargetOptions::default().with_authorize(Arc::new(oauth));
    let target = Target::parse_with(&url, &options).unwrap();
    let client = within(Client::builder().connect(target)).await.unwrap();
    assert_eq!(echo(&client).await.unwrap(), "ahoy");
    let scopes: Vec<_> = auth
        .asked()
        .into_iter()
        .filter(|asked| asked.endpoint == Endpoint::Authorize)
        .map(|asked| asked.param("scope").to_owned())
        .collect();
    assert_eq!(scopes, ["read", "read write"]);
    assert_eq!(server.requests().len(), 4);
    within(client.close()).await.unwrap();
}
