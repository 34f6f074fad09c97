//! Skills.

use bowline_testkit::MockServerBuilder;

pub(crate) fn add(builder: MockServerBuilder) -> MockServerBuilder {
    builder
}
