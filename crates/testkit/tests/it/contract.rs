//! The in-memory transport keeps the contract.

use bowline_testkit::contract;
use bowline_transport::{Connect, Limits};

fn connect(limits: Limits) -> Box<dyn Connect> {
    Box::new(contract::server().connector().with_limits(limits))
}

bowline_testkit::transport_contract!(memory, connect);
