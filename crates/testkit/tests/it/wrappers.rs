//! Connectors around connectors keep the contract of transports, as long as nothing is planned to go wrong.

use bowline_testkit::{Faults, Inspector, Recorder, contract};
use bowline_transport::{Connect, Limits};

fn faults(limits: Limits) -> Box<dyn Connect> {
    Box::new(Faults::seeded(1).wrap(contract::server().connector().with_limits(limits)))
}

bowline_testkit::transport_contract!(faults, faults);

fn inspected(limits: Limits) -> Box<dyn Connect> {
    Box::new(Inspector::builder().build().wrap(contract::server().connector().with_limits(limits)))
}

bowline_testkit::transport_contract!(inspector, inspected);

fn recorded(limits: Limits) -> Box<dyn Connect> {
    let recorder = Recorder::builder().to_writer(std::io::sink()).unwrap();
    Box::new(recorder.wrap(contract::server().connector().with_limits(limits)))
}

bowline_testkit::transport_contract!(recorder, recorded);
