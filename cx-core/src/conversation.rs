//! Conversations: what is being talked of, and who waits on whom.
