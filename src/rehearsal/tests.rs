//! Sentences and their problems; the shipped scenarios are played by tests/scenarios.rs.
