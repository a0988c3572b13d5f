//! What crosses crates, in one test binary.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a binary of tests: a panic is a failing test"
)]

mod answer_laws;
mod architecture;
mod compression_laws;
mod context_answers;
mod feed_laws;
mod fold_laws;
mod fuzz_corpus;
mod erasure_laws;
mod explanation_laws;
mod export_laws;
mod identifier_laws;
mod identity_laws;
mod identity_trap_table;
mod identity_traps;
mod journey_laws;
mod linkage_laws;
mod load_laws;
mod log_damage;
mod measure_laws;
mod memory_laws;
mod moving_laws;
mod past_laws;
mod payload_laws;
mod profile_laws;
mod proposal_laws;
mod retention_laws;
mod spelling_laws;
mod store_crash;
mod store_damage;
mod store_files;
mod store_laws;
mod store_log;
mod store_machine;
mod store_migrations;
mod store_repair;
mod store_restore;
mod store_room;
mod store_states;
mod store_texts;
mod tenant_laws;
mod waiting_laws;
