//! Outbound mail: what was sent, and what became of it.
