//! The power fails: whatever was acknowledged is there afterwards, nothing is there by half, and
//! everything derived equals a rebuild, whatever the disk had dropped, torn or put into another
//! order of what was not synced.

use cx_tests::chance::Chance;
use cx_tests::promises::{Told, Wrong, look};

use crate::disk::{Fault, Lie};
use crate::life::{FILE, Watched, live, number, operations, points};

/// Lives until the power fails at this operation; gives what is wrong with what is left.
fn lose_power(at: u64, lie: Lie, chance: &mut Chance) -> (Told, Vec<Wrong>) {
    let watched = Watched::new(Fault::PowerLoss, at, lie);
    let (told, _) = live(watched.folder.path(), &watched.disk);
    watched.disk.cut_power();
    let left = tempfile::tempdir().unwrap();
    watched.disk.leave(left.path(), chance);
    let (_, wrong) = look(&left.path().join(FILE), &told);
    (told, wrong)
}

#[test]
fn a_power_loss_at_any_operation_loses_nothing_that_was_acknowledged() {
    let all = operations(Fault::PowerLoss);
    let wanted = number("CX_FAULT_POINTS", 60);
    let seed = number("CX_FAULT_SEED", 1);
    let mut chance = Chance::seeded(seed);
    let (mut tried, mut acknowledged) = (0, 0);
    while tried < wanted {
        for at in points(all, wanted - tried) {
            let (told, wrong) = lose_power(at, Lie::None, &mut chance);
            assert_eq!(wrong, [], "power lost at operation {at} of {all}, seed {seed}: {told:?}");
            tried += 1;
            acknowledged += told.kept.len();
        }
    }
    println!(
        "{tried} power losses at {} of {all} operations: {acknowledged} batches acknowledged, 0 lost, 0 files damaged",
        all.min(wanted)
    );
}

/// The controls: the oracle finds out a disk that lies, and an engine that does not sync.
#[test]
fn what_is_not_synced_is_found_to_be_lost() {
    let all = operations(Fault::PowerLoss);
    let wanted = number("CX_FAULT_POINTS", 60).min(1_000);
    // An encrypted file cannot be told `synchronous = OFF` before it has its key.
    let is_told = !cfg!(feature = "encryption");
    let lies = [Some(Lie::SyncsNothing), is_told.then_some(Lie::SynchronousOff)];
    for lie in lies.into_iter().flatten() {
        let mut chance = Chance::seeded(7);
        let (mut lost, mut damaged, mut tried) = (0, 0, 0);
        for at in points(all, wanted) {
            let (_, wrong) = lose_power(at, lie, &mut chance);
            tried += 1;
            lost += u64::from(wrong.iter().any(Wrong::is_loss));
            damaged += u64::from(wrong.iter().any(|wrong| !wrong.is_loss()));
        }
        println!(
            "control {lie:?}: {tried} power losses: {lost} lost something acknowledged, {damaged} left a damaged file"
        );
        assert!(
            lost > 0 && damaged > 0,
            "{lie:?} was not found out: {lost} lost, {damaged} damaged"
        );
    }
}
