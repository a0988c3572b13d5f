//! Profiles: what is known of a customer, with where each value came from.
