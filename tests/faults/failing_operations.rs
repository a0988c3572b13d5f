//! An operation fails and the machine goes on: the store says so with a typed error, keeps what it
//! has acknowledged, doubles nothing, and works again once the disk does.

use cx_store::StoreError;
use cx_tests::chance::Chance;
use cx_tests::promises::look;

use crate::disk::{Fault, Lie};
use crate::life::{FILE, Watched, live, number, operations, points};

/// Whether it is an error that says what the disk did.
fn is_told(fault: Fault, error: &StoreError) -> bool {
    match fault {
        Fault::Full => matches!(error, StoreError::DiskFull { .. }),
        Fault::OpenFails => matches!(error, StoreError::CannotOpen { .. }),
        _ => matches!(error, StoreError::DiskFailed { .. } | StoreError::CannotOpen { .. }),
    }
}

#[test]
fn an_operation_that_fails_is_told_and_harms_nothing() {
    let wanted = number("CX_FAULT_POINTS", 60) / 3;
    let seed = number("CX_FAULT_SEED", 1);
    for fault in Fault::ALL_BUT_POWER {
        let all = operations(fault);
        let mut chance = Chance::seeded(seed);
        let (mut tried, mut told_of) = (0, 0);
        for at in points(all, wanted) {
            let watched = Watched::new(fault, at, Lie::None);
            let (told, failed) = live(watched.folder.path(), &watched.disk);
            for error in &failed {
                assert!(is_told(fault, error), "{fault:?} at {at} of {all}: {error:?}");
            }
            tried += 1;
            told_of += u64::from(!failed.is_empty());
            // What was acknowledged outlives a power loss after it, too.
            watched.disk.cut_power();
            let left = tempfile::tempdir().unwrap();
            watched.disk.leave(left.path(), &mut chance);
            let (_, wrong) = look(&left.path().join(FILE), &told);
            assert_eq!(wrong, [], "{fault:?} at operation {at} of {all}, seed {seed}");
            drop(watched);
        }
        println!(
            "{fault:?}: {tried} of {all} operations failed: {told_of} were told, nothing was lost or doubled"
        );
    }
}
