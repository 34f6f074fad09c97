//! Servers behind TLS, with certificates of an authority that nobody knows.

use std::net::SocketAddr;

use bowline_testkit::tls::Acceptor;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Speaks TLS before a plain server. Gives the URL.
pub(crate) async fn before(plain: SocketAddr, acceptor: Acceptor) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut secure) = acceptor.accept(stream).await {
                    let mut plain = TcpStream::connect(plain).await.unwrap();
                    let _ = copy_bidirectional(&mut secure, &mut plain).await;
                }
            });
        }
    });
    url
}
