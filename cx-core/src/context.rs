//! The context: the whole answer about one customer.
