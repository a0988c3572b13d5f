//! Journeys: where a customer is on the way to a goal.
