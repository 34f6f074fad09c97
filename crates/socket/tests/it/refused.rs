//! Addresses where nobody answers.

use std::time::Duration;

use bowline_socket::TcpConnect;
use bowline_transport::{Connect, Sent, TransportError, TransportErrorKind};
use tokio::net::TcpSocket;

use crate::support::within;

async fn refusal(connect: &dyn Connect) -> TransportError {
    let error = within(connect.connect()).await.err().expect("nobody is there");
    assert_eq!(error.sent(), Sent::No);
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_named() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = refusal(&TcpConnect::new(format!("127.0.0.1:{port}"))).await;
    assert_eq!(error.kind(), TransportErrorKind::Connect);
    assert_eq!(
        error.to_string(),
        format!("nothing listens at `127.0.0.1:{port}`; start the server, or correct the port")
    );
}

#[tokio::test]
async fn a_host_without_an_address_is_not_found() {
    let error = refusal(&TcpConnect::new("no-such-host.invalid:80")).await;
    assert_eq!(error.kind(), TransportErrorKind::NotFound);
    assert!(error.to_string().contains("no-such-host.invalid:80"), "{error}");
}

#[tokio::test]
async fn what_is_no_address_is_a_configuration_error() {
    let error = refusal(&TcpConnect::new("localhost")).await;
    assert_eq!(error.kind(), TransportErrorKind::Config);
}

#[tokio::test]
async fn a_listener_that_takes_no_more_connections_is_a_timeout() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connect = TcpConnect::new(address).connect_timeout(Duration::from_millis(300));
    // Nobody accepts: once the queue is full, the system leaves new ones waiting.
    let mut queued = Vec::new();
    let error = loop {
        match within(connect.connect()).await {
            Ok(transport) => queued.push(transport),
            Err(error) => break error,
        }
        assert!(queued.len() < 64, "the queue never filled");
    };
    assert_eq!(error.kind(), TransportErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains("within 300ms"), "{error}");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::UnixListener;

    use bowline_socket::UnixConnect;
    use bowline_transport::TransportErrorKind;

    use super::refusal;
    use crate::support::SocketFile;

    #[tokio::test]
    async fn a_path_without_a_socket_is_not_found() {
        let file = SocketFile::new();
        let error = refusal(&UnixConnect::new(&file.0)).await;
        assert_eq!(error.kind(), TransportErrorKind::NotFound);
        assert!(error.to_string().contains(file.0.to_str().unwrap()), "{error}");
    }

    #[tokio::test]
    async fn a_socket_that_its_server_left_behind_is_refused() {
        let file = SocketFile::new();
        drop(UnixListener::bind(&file.0).unwrap());
        let error = refusal(&UnixConnect::new(&file.0)).await;
        assert_eq!(error.kind(), TransportErrorKind::Connect);
        assert!(error.to_string().contains("nothing listens"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_refused() {
        let file = SocketFile::new();
        std::fs::write(&file.0, "no socket").unwrap();
        let error = refusal(&UnixConnect::new(&file.0)).await;
        assert_eq!(error.kind(), TransportErrorKind::Connect);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_abstract_name_that_nobody_took_is_refused() {
        let connect = UnixConnect::new(format!("@{}", crate::support::unique("nobody")));
        let error = refusal(&connect).await;
        assert_eq!(error.kind(), TransportErrorKind::Connect);
        assert!(error.to_string().contains("unix:@bowline-nobody"), "{error}");
    }
}
