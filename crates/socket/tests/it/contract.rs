//! Both kinds of sockets keep the contract.

use bowline_socket::TcpConnect;
#[cfg(unix)]
use bowline_socket::UnixConnect;
use bowline_testkit::contract;
use bowline_testkit::socket::MockSocket;
use bowline_transport::{Connect, Limits};

fn over_tcp(limits: Limits) -> Box<dyn Connect> {
    let target = MockSocket::new(contract::server()).tcp().unwrap().leave_running();
    Box::new(TcpConnect::parse(&target).unwrap().limits(limits))
}

bowline_testkit::transport_contract!(tcp, over_tcp);

#[cfg(unix)]
fn over_unix(limits: Limits) -> Box<dyn Connect> {
    let target = MockSocket::new(contract::server()).unix().unwrap().leave_running();
    Box::new(UnixConnect::parse(&target).unwrap().limits(limits))
}

#[cfg(unix)]
bowline_testkit::transport_contract!(unix, over_unix);

#[cfg(target_os = "linux")]
fn over_an_abstract_name(limits: Limits) -> Box<dyn Connect> {
    let target = MockSocket::new(contract::server()).unix_abstract().unwrap().leave_running();
    Box::new(UnixConnect::parse(&target).unwrap().limits(limits))
}

#[cfg(target_os = "linux")]
bowline_testkit::transport_contract!(unix_abstract, over_an_abstract_name);
