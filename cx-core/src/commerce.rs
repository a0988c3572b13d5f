//! Commerce: carts and orders as folds over events.
