//! Both kinds of sockets keep the contract.

use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

use bowline_socket::TcpConnect;
#[cfg(unix)]
use bowline_socket::UnixConnect;
use bowline_testkit::contract;
use bowline_transport::{Connect, Limits};

#[cfg(unix)]
use crate::support::SocketFile;

/// Binds at once, and serves each connection for as long as the runtime lives.
fn over_tcp(limits: Limits) -> Box<dyn Connect> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let server = contract::server();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let (reader, writer) = stream.into_split();
                server.serve(reader, writer).await
            });
        }
    });
    Box::new(TcpConnect::new(address).limits(limits))
}

bowline_testkit::transport_contract!(tcp, over_tcp);

#[cfg(unix)]
fn serve(listener: UnixListener, file: Option<SocketFile>) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::UnixListener::from_std(listener).unwrap();
    let server = contract::server();
    tokio::spawn(async move {
        let _file = file;
        while let Ok((stream, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let (reader, writer) = stream.into_split();
                server.serve(reader, writer).await
            });
        }
    });
}

#[cfg(unix)]
fn over_unix(limits: Limits) -> Box<dyn Connect> {
    let file = SocketFile::new();
    let connect = UnixConnect::new(&file.0).limits(limits);
    serve(UnixListener::bind(&file.0).unwrap(), Some(file));
    Box::new(connect)
}

#[cfg(unix)]
bowline_testkit::transport_contract!(unix, over_unix);

#[cfg(target_os = "linux")]
fn over_an_abstract_name(limits: Limits) -> Box<dyn Connect> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = crate::support::unique("abstract");
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    serve(UnixListener::bind_addr(&address).unwrap(), None);
    Box::new(UnixConnect::parse(&format!("unix:@{name}")).unwrap().limits(limits))
}

#[cfg(target_os = "linux")]
bowline_testkit::transport_contract!(unix_abstract, over_an_abstract_name);
