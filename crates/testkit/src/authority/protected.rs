//! The server that tokens are for.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::AuthServer;
use super::answer::{Answer, Endpoint};
use super::core::{Core, lock};
use super::dpop::{Fault, Wanted};
use super::jwt::secret;
use super::layout::{ChallengeWith, ResourceMetadataAt};
use super::ledger::{Grant, Void};
use super::log::{Asked, Log};
use super::settings::overwrite;
use crate::http::{Front, HttpRequest, HttpServer, MockHttp, Reply};
use crate::server::MockServer;

/// What a [`ProtectedServer`] is to do: at first, and by [`ProtectedServer::change`] from then on.
///
/// By default it wants a token for itself with every request, has its metadata at the well-known place with its path
/// inserted, and says so in its challenges.
#[derive(Debug, Clone)]
pub struct ProtectedSettings {
    path: String,
    metadata_at: Vec<ResourceMetadataAt>,
    metadata: Map<String, Value>,
    metadata_answer: Option<Answer>,
    challenge: ChallengeWith,
    challenge_scope: Option<String>,
    scopes: Vec<String>,
    needs: HashMap<String, Vec<String>>,
    open: Vec<String>,
    is_open: bool,
    refuses_all: bool,
    demands_nonce: bool,
    hosts: bool,
}

impl Default for ProtectedSettings {
    fn default() -> Self {
        Self {
            path: "/mcp".to_owned(),
            metadata_at: vec![ResourceMetadataAt::Inserted],
            metadata: Map::new(),
            metadata_answer: None,
            challenge: ChallengeWith::MetadataUrl,
            challenge_scope: None,
            scopes: Vec::new(),
            needs: HashMap::new(),
            open: Vec::new(),
            is_open: false,
            refuses_all: false,
            demands_nonce: false,
            hosts: false,
        }
    }
}

impl ProtectedSettings {
    /// Sets the path of the server. Default `/mcp`.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Sets where its metadata is; nowhere if empty.
    #[must_use]
    pub fn metadata_at(mut self, places: &[ResourceMetadataAt]) -> Self {
        self.metadata_at = places.to_vec();
        self
    }

    /// Writes a member of its metadata over, such as `resource` or `authorization_servers`. `{origin}` stands for its
    /// origin.
    ///
    /// Tokens are then for the resource that is written here, as far as it is a text.
    #[must_use]
    pub fn metadata(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(name.to_owned(), json!([value.into()]));
        self
    }

    /// Leaves a member of its metadata out.
    #[must_use]
    pub fn without_metadata(mut self, name: &str) -> Self {
        self.metadata.insert(name.to_owned(), json!([]));
        self
    }

    /// Answers this in place of its metadata.
    #[must_use]
    pub fn metadata_answer(mut self, answer: Answer) -> Self {
        self.metadata_answer = Some(answer);
        self
    }

    /// Sets what its challenges say of its metadata.
    #[must_use]
    pub fn challenge(mut self, with: ChallengeWith) -> Self {
        self.challenge = with;
        self
    }

    /// Names these scopes in the challenge of a 401, with spaces between them.
    #[must_use]
    pub fn challenge_scope(mut self, scopes: &str) -> Self {
        self.challenge_scope = Some(scopes.to_owned());
        self
    }

    /// Says these scopes in its metadata (`scopes_supported`).
    #[must_use]
    pub fn scopes_supported(self, scopes: &[&str]) -> Self {
        self.metadata("scopes_supported", scopes.to_vec())
    }

    /// Answers 403 to tokens without these scopes, whatever is asked.
    #[must_use]
    pub fn needs(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self
    }

    /// Answers 403 to tokens without these scopes where this JSON-RPC method is asked for.
    #[must_use]
    pub fn needs_for(mut self, method: &str, scopes: &[&str]) -> Self {
        self.needs.insert(method.to_owned(), scopes.iter().map(|scope| (*scope).to_owned()).collect());
        self
    }

    /// Wants no token for this JSON-RPC method.
    #[must_use]
    pub fn open_for(mut self, method: &str) -> Self {
        self.open.push(method.to_owned());
        self
    }

    /// Wants no token at all, and has its metadata nonetheless.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// Answers 401 to every token, whether it is good or not.
    #[must_use]
    pub fn refuse_all(mut self, refuses: bool) -> Self {
        self.refuses_all = refuses;
        self
    }

    /// Wants proofs of possession with a nonce that it gives.
    #[must_use]
    pub fn demand_nonce(mut self) -> Self {
        self.demands_nonce = true;
        self
    }

    /// Answers for the authorization server too, at its own origin, as servers of 2025-03-26 do.
    #[must_use]
    pub fn host_authorization(mut self) -> Self {
        self.hosts = true;
        self
    }
}

/// An MCP server that wants tokens of an [`AuthServer`], on a free port of this machine; made by
/// [`AuthServer::protect`].
///
/// It counts what it was asked and never shows a token. Dropping it closes everything at once.
#[derive(Debug)]
pub struct ProtectedServer {
    http: HttpServer,
    gate: Arc<Gate>,
}

pub(super) struct Gate {
    settings: Mutex<ProtectedSettings>,
    /// Those whose tokens are taken; the first is named in the metadata.
    trusted: Mutex<Vec<(String, Arc<Core>)>>,
    front: Arc<Front>,
    nonce: Mutex<String>,
    origin: String,
    log: Log,
}

impl ProtectedServer {
    pub(super) fn on(
        listener: TcpListener,
        server: MockServer,
        authority: &AuthServer,
        settings: ProtectedSettings,
    ) -> io::Result<Self> {
        let gate = Arc::new(Gate {
            settings: Mutex::new(settings),
            trusted: Mutex::new(vec![(authority.issuer(), Arc::clone(&authority.core))]),
            front: MockHttp::new(server).into_front(),
            nonce: Mutex::new(secret("nonce")),
            origin: format!("http://{}", listener.local_addr()?),
            log: Log::new(),
        });
        gate.register();
        let http = {
            let gate = Arc::clone(&gate);
            HttpServer::forgetful(listener, move |request| {
                let gate = Arc::clone(&gate);
                async move { gate.handle(request).await }
            })?
        };
        Ok(Self { http, gate })
    }

    /// The URL that clients connect to.
    pub fn url(&self) -> String {
        self.http.url(&lock(&self.gate.settings).path)
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        self.gate.origin.clone()
    }

    /// The resource that tokens are to be for.
    pub fn resource(&self) -> String {
        let settings = lock(&self.gate.settings).clone();
        self.gate.resource(&settings)
    }

    /// Changes what it does, from the next request on.
    pub fn change(&self, change: impl FnOnce(ProtectedSettings) -> ProtectedSettings) {
        let mut settings = lock(&self.gate.settings);
        *settings = change(settings.clone());
        drop(settings);
        self.gate.register();
    }

    /// Names another authorization server in its metadata, and takes no tokens of the one before.
    pub fn move_to(&self, authority: &AuthServer) {
        *lock(&self.gate.trusted) = vec![(authority.issuer(), Arc::clone(&authority.core))];
        self.gate.register();
    }

    /// Names one more authorization server in its metadata, after the others, and takes its tokens too.
    pub fn trust(&self, authority: &AuthServer) {
        lock(&self.gate.trusted).push((authority.issuer(), Arc::clone(&authority.core)));
        self.gate.register();
    }

    /// Gives another nonce from now on, and takes no proof with the one before.
    pub fn change_nonce(&self) {
        *lock(&self.gate.nonce) = secret("nonce");
    }

    /// What it was asked so far, in this order. What [`host_authorization`](ProtectedSettings::host_authorization)
    /// answers is in the log of the [`AuthServer`].
    pub fn asked(&self) -> Vec<Asked> {
        self.gate.log.all()
    }

    /// Waits for a request that `wanted` accepts, whenever it came.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_for(&self, wanted: impl Fn(&Asked) -> bool) -> Asked {
        self.gate.log.wait_for(wanted).await
    }
}

/// Why a request does not get to the server.
struct Stopped {
    status: u16,
    error: &'static str,
    scope: Option<String>,
    is_proof: bool,
}

impl Stopped {
    const fn unauthorized(error: &'static str) -> Self {
        Self { status: 401, error, scope: None, is_proof: false }
    }
}

impl Gate {
    /// Makes the resource known where its tokens come from.
    fn register(&self) {
        let settings = lock(&self.settings).clone();
        let resource = self.resource(&settings);
        for (_, core) in lock(&self.trusted).iter() {
            lock(&core.ledger).resources.insert(resource.clone());
        }
    }

    fn resource(&self, settings: &ProtectedSettings) -> String {
        let written = settings.metadata.get("resource").and_then(|value| value.get(0)).and_then(Value::as_str);
        written.map_or_else(|| format!("{}{}", self.origin, settings.path), |text| self.fill(text))
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{origin}", &self.origin)
    }

    async fn handle(&self, request: HttpRequest) -> Reply {
        let settings = lock(&self.settings).clone();
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        let is_server = path == settings.path || path == "/sse" || path == "/messages";
        if settings.hosts && !is_server && !path.contains("/oauth-protected-resource") {
            let core = lock(&self.trusted).first().map(|(_, core)| Arc::clone(core));
            return match core {
                Some(core) => core.handle(request).await,
                None => Reply::status(404),
            };
        }
        let is_metadata = settings.metadata_at.iter().any(|at| at.path(&settings.path) == path);
        let endpoint = match (is_server, is_metadata) {
            (true, _) => Endpoint::Server,
            (_, true) => Endpoint::ResourceMetadata,
            _ => Endpoint::Elsewhere,
        };
        let mut asked = Asked::new(endpoint, &request);
        let reply = match endpoint {
            Endpoint::Server => {
                asked.rpc_method = request.rpc_method();
                match self.check(&settings, &request, &asked.rpc_method) {
                    Ok(()) => {
                        // Logged when it is let in, for an answer may be long in coming.
                        asked.status = 200;
                        self.log.push(asked);
                        let reply = self.pass(&settings, request).await;
                        return if settings.demands_nonce {
                            reply.with("dpop-nonce", &*lock(&self.nonce))
                        } else {
                            reply
                        };
                    }
                    Err(stopped) => {
                        stopped.error.clone_into(&mut asked.error);
                        self.stop(&settings, &stopped)
                    }
                }
            }
            Endpoint::ResourceMetadata if request.method == Method::GET => self.metadata(&settings).await,
            _ => Reply::status(404),
        };
        asked.status = reply.status_code();
        self.log.push(asked);
        reply
    }

    /// Hands a request on to the server behind.
    async fn pass(&self, settings: &ProtectedSettings, mut request: HttpRequest) -> Reply {
        if let Some(rest) = request.path.strip_prefix(&settings.path) {
            request.path = format!("/mcp{rest}");
        }
        Arc::clone(&self.front).handle(request).await
    }

    async fn metadata(&self, settings: &ProtectedSettings) -> Reply {
        if let Some(answer) = settings.metadata_answer.clone() {
            if let Answer::Slow(time) = &answer {
                tokio::time::sleep(*time).await;
            }
            if let Some(reply) = answer.reply(|text| self.fill(text)) {
                return reply;
            }
        }
        let issuers: Vec<_> = if settings.hosts {
            vec![self.origin.clone()]
        } else {
            lock(&self.trusted).iter().map(|(issuer, _)| issuer.clone()).collect()
        };
        let mut members = json!({
            "resource": self.resource(settings),
            "authorization_servers": issuers,
            "bearer_methods_supported": ["header"],
        });
        if let Value::Object(members) = &mut members {
            overwrite(members, &settings.metadata, &|text| self.fill(text));
        }
        Reply::json(members)
    }

    /// Whether a request may go on to the server.
    fn check(&self, settings: &ProtectedSettings, request: &HttpRequest, method: &str) -> Result<(), Stopped> {
        if settings.is_open || settings.open.iter().any(|open| open == method) {
            return Ok(());
        }
        let authorization = request.header("authorization");
        let Some((scheme, token)) = authorization.split_once(' ').filter(|_| !settings.refuses_all) else {
            return Err(Stopped::unauthorized(if authorization.is_empty() { "" } else { "invalid_token" }));
        };
        let grant = self.grant(token, Instant::now()).ok_or(Stopped::unauthorized("invalid_token"))?;
        if grant.resource.as_deref().is_some_and(|resource| resource != self.resource(settings)) {
            return Err(Stopped::unauthorized("invalid_token"));
        }
        match (&grant.key, scheme) {
            (None, scheme) if scheme.eq_ignore_ascii_case("Bearer") => {}
            (Some(key), scheme) if scheme.eq_ignore_ascii_case("DPoP") => {
                self.check_proof(settings, request, token, key)?;
            }
            _ => return Err(Stopped::unauthorized("invalid_token")),
        }
        let needed = settings.scopes.iter().chain(settings.needs.get(method).into_iter().flatten());
        let missing: Vec<_> = needed.filter(|scope| !grant.scopes.contains(scope)).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let scope = Some(missing.join(" "));
        Err(Stopped { status: 403, error: "insufficient_scope", scope, is_proof: false })
    }

    fn grant(&self, token: &str, now: Instant) -> Option<Grant> {
        let trusted: Vec<_> = lock(&self.trusted).iter().map(|(_, core)| Arc::clone(core)).collect();
        trusted.iter().find_map(|core| match lock(&core.ledger).access(token, now) {
            Ok(grant) => Some(grant.clone()),
            Err(Void::Unknown | Void::Expired | Void::Revoked) => None,
        })
    }

    fn check_proof(
        &self,
        settings: &ProtectedSettings,
        request: &HttpRequest,
        token: &str,
        key: &str,
    ) -> Result<(), Stopped> {
        let nonce = lock(&self.nonce).clone();
        let path = request.path.split('?').next().unwrap_or_default();
        let url = format!("http://{}{path}", request.header("host"));
        let Some(core) = lock(&self.trusted).first().map(|(_, core)| Arc::clone(core)) else { return Ok(()) };
        let wanted = Wanted {
            method: request.method.as_str(),
            url: &url,
            token: Some(token),
            nonce: settings.demands_nonce.then_some(nonce.as_str()),
            now: core.now(),
        };
        let stopped = |error| Err(Stopped { is_proof: true, ..Stopped::unauthorized(error) });
        match wanted.check(request.header("dpop"), &mut lock(&core.ledger)) {
            Ok(shown) if shown == key => Ok(()),
            Err(Fault::Nonce) => stopped("use_dpop_nonce"),
            Ok(_) | Err(Fault::Proof(_)) => stopped("invalid_dpop_proof"),
        }
    }

    /// The challenge.
    fn stop(&self, settings: &ProtectedSettings, stopped: &Stopped) -> Reply {
        let reply = Reply::status(stopped.status).body("this server wants another token");
        let at = settings.metadata_at.first().map(|at| at.path(&settings.path));
        let place = match &settings.challenge {
            ChallengeWith::Header(header) => return reply.with("www-authenticate", self.fill(header)),
            ChallengeWith::Nothing => return reply,
            ChallengeWith::NoMetadata => None,
            ChallengeWith::MetadataUrl => at.map(|path| format!("{}{path}", self.origin)),
            ChallengeWith::MetadataPath => at,
        };
        let scheme = if stopped.is_proof { "DPoP" } else { "Bearer" };
        let scope = stopped.scope.as_ref().or(settings.challenge_scope.as_ref());
        let error = Some(stopped.error).filter(|error| !error.is_empty()).map(str::to_owned);
        let members = [("error", error), ("scope", scope.cloned()), ("resource_metadata", place)];
        let members = members.into_iter().filter_map(|(name, value)| Some(format!("{name}=\"{}\"", value?)));
        let members = members.collect::<Vec<_>>().join(", ");
        let reply = reply.with("www-authenticate", format!("{scheme} {members}").trim_end());
        if stopped.error == "use_dpop_nonce" { reply.with("dpop-nonce", &*lock(&self.nonce)) } else { reply }
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("origin", &self.origin).finish_non_exhaustive()
    }
}
