//! Several connections or replicas of one server as one member.
