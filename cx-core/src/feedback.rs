//! Feedback: what customers think, and whether somebody acted on it.
