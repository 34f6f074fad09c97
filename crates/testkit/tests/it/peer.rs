//! A client that speaks in lines, to see exactly what a server writes.

use std::time::Duration;

use bowline_testkit::MockServer;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};

/// Far more than any answer takes; a test that hangs ends.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Peer {
    pub(crate) reader: BufReader<ReadHalf<DuplexStream>>,
    pub(crate) writer: WriteHalf<DuplexStream>,
}

impl Peer {
    pub(crate) fn new(pipe: DuplexStream) -> Self {
        let (reader, writer) = tokio::io::split(pipe);
        Self { reader: BufReader::new(reader), writer }
    }

    /// Connects to a server.
    pub(crate) fn connect(server: &MockServer) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let server = server.clone();
        tokio::spawn(async move {
            let (reader, writer) = tokio::io::split(theirs);
            let _ = server.serve(reader, writer).await;
        });
        Self::new(ours)
    }

    /// Connects and shakes hands.
    pub(crate) async fn ready(server: &MockServer, revision: &str, capabilities: Value) -> Self {
        let mut peer = Self::connect(server);
        peer.handshake(revision, capabilities).await;
        peer
    }

    pub(crate) async fn handshake(&mut self, revision: &str, capabilities: Value) -> Value {
        let info = json!({ "name": "it", "version": "1" });
        let params = json!({ "protocolVersion": revision, "capabilities": capabilities, "clientInfo": info });
        let result = self.ask(0, "initialize", params).await;
        self.send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        result["result"].clone()
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.write(format!("{message}\n").as_bytes()).await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn request(&mut self, id: impl Into<Value>, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })).await;
    }

    pub(crate) async fn call(&mut self, id: impl Into<Value>, tool: &str, arguments: Value) {
        self.request(id, "tools/call", json!({ "name": tool, "arguments": arguments })).await;
    }

    /// Sends a request and takes the next line, which has to be its answer.
    pub(crate) async fn ask(&mut self, id: i64, method: &str, params: Value) -> Value {
        self.request(id, method, params).await;
        let answer = self.next().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// The next line as text, with its end; empty at the end of the stream.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = Vec::new();
        tokio::time::timeout(DEADLINE, self.reader.read_until(b'\n', &mut line)).await.unwrap().unwrap();
        String::from_utf8_lossy(&line).into_owned()
    }

    /// The next line as JSON.
    pub(crate) async fn next(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// All that comes until the server closes the stream.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        tokio::time::timeout(DEADLINE, self.reader.read_to_end(&mut rest)).await.unwrap().unwrap();
        String::from_utf8_lossy(&rest).into_owned()
    }
}
