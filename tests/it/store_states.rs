//! The whole store as a state machine against the naive model: whatever happens to it, in any
//! order, its customers are those that the model finds in all facts at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Assertions, Observation, Subject, Verdict};
use cx_core::ids::{CustomerId, ObservationId};
use cx_core::time::Timestamp;
use cx_store::{EraseMode, OpenOptions, Recording, Store, StoreError, StoreOptions, TimelineQuery};
use cx_tests::model;
use cx_tests::opening;
use cx_tests::strategies::{TENANT, assertion, cases, world};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

/// How a store begins.
#[derive(Debug, Clone, Copy)]
enum Start {
    New,
    /// As a file of this schema version, which is brought forward.
    Kept(u32),
}

/// What happens to a store.
#[derive(Debug, Clone)]
enum Step {
    Ingest(Vec<Event>),
    Say(Box<Assertion>),
    /// Two customers are said to be one.
    Merge(Index, Index),
    /// Something that was said is taken back.
    Revoke(Index),
    Erase(Index),
    /// It goes on in its backup.
    Backup,
    Reopen,
    /// It goes on in a store that is made of its facts as lines.
    Move,
    Compact,
    Compress,
    Decompress,
}

/// What may be spoken of: events that ever came.
#[derive(Debug, Clone)]
struct Spoken {
    start: Start,
    events: Vec<Event>,
}

impl ReferenceStateMachine for Spoken {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let starts = [Start::New, Start::Kept(1), Start::Kept(2), Start::Kept(3), Start::Kept(4)];
        let start = prop_oneof![2 => Just(Start::New), 1 => select(starts.to_vec())];
        start.prop_map(|start| Self { start, events: Vec::new() }).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        prop_oneof![
            5 => world(8).prop_map(Step::Ingest),
            3 => assertion(&state.events).prop_map(|said| Step::Say(Box::new(said))),
            2 => (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Step::Merge(a, b)),
            2 => any::<Index>().prop_map(Step::Revoke),
            1 => any::<Index>().prop_map(Step::Erase),
            1 => select(vec![
                Step::Backup,
                Step::Reopen,
                Step::Move,
                Step::Compact,
                Step::Compress,
                Step::Decompress,
            ]),
        ]
        .boxed()
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        if let Step::Ingest(events) = step {
            state.events.extend(events.iter().cloned());
        }
        state
    }
}

/// A store with what it should know.
struct Running {
    folder: tempfile::TempDir,
    store: Store,
    tenant: &'static str,
    /// Of two events with one key and different contents, the one with the lesser hash.
    known: BTreeMap<String, Event>,
    said: BTreeSet<String>,
    issued: BTreeSet<CustomerId>,
    /// Somebody was erased, so that records may be kept out, and ids may mean nobody.
    is_erased: bool,
    n_files: u32,
}

fn now() -> Timestamp {
    "2029-01-01T00:00:00Z".parse().unwrap()
}

/// To say that one is another is to say that the other is the one.
fn word(said: &Assertion) -> String {
    said.id().to_string()
}

impl Running {
    fn next_file(&mut self) -> PathBuf {
        self.n_files += 1;
        self.folder.path().join(format!("{}.cx", self.n_files))
    }

    fn customers(&self) -> Vec<CustomerId> {
        self.store.customers(None, 1_000).unwrap()
    }

    fn say(&mut self, said: &Assertion) {
        match self.store.assert(said, now()) {
            Ok(_) => drop(self.said.insert(word(said))),
            Err(StoreError::UnknownObservation { .. } | StoreError::UnknownAssertion { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn ingest(&mut self, events: &[Event]) {
        let report = self.store.ingest(&Recording::new(now(), "test"), events.to_vec()).unwrap();
        assert!(report.suppressed == 0 || self.is_erased, "nobody was erased");
        let mut missing = 0;
        for event in events {
            let Some(shown) = self.store.event(&event.key).unwrap() else {
                missing += 1;
                continue;
            };
            // It would be shown, had it not been kept out.
            if event.content_hash() < shown.content_hash() {
                missing += 1;
                continue;
            }
            let known = self.known.entry(event.key.to_string()).or_insert_with(|| event.clone());
            if event.content_hash() < known.content_hash() {
                *known = event.clone();
            }
        }
        for event in events {
            let shown = self.store.event(&event.key).unwrap();
            let known = self.known.get(event.key.as_str());
            assert_eq!(shown.as_ref(), known, "of two contents the same one is shown in any order");
        }
        assert!(missing <= report.suppressed, "what is not left out is there");
    }

    fn erase(&mut self, of: Index) {
        let customers = self.customers();
        let Some(customer) = customers.get(of.index(customers.len().max(1))).copied() else {
            return;
        };
        let who = Who::Customer(customer);
        let erased = self.store.erase(&who, EraseMode::Delete, now()).unwrap();
        let left: BTreeSet<String> =
            self.store.events().map(|event| event.unwrap().key.to_string()).collect();
        let before = self.known.len();
        self.known.retain(|key, _| left.contains(key));
        assert_eq!(before - self.known.len(), usize::try_from(erased.events).unwrap());
        assert!(self.store.find(&who).unwrap().is_erased);
        self.said = self.store.assertions().unwrap().iter().map(word).collect();
        self.is_erased = true;
    }

    /// Who is with whom, by the store.
    fn together(&self) -> BTreeSet<Vec<ObservationId>> {
        let of = |event: &Event| Observation::of(self.tenant, event).id;
        let query = TimelineQuery::new().limit(10_000);
        let set = |customer| {
            let page = self.store.timeline(&Who::Customer(customer), &query, None).unwrap();
            let mut set: Vec<ObservationId> = page.events.iter().map(of).collect();
            set.sort_unstable();
            set
        };
        self.customers().into_iter().map(set).collect()
    }
}

impl StateMachineTest for Running {
    type SystemUnderTest = Self;
    type Reference = Spoken;

    fn init_test(spoken: &Spoken) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.cx");
        let (tenant, open) = match spoken.start {
            Start::New => (TENANT, opening::as_built()),
            Start::Kept(version) => {
                let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
                std::fs::copy(files.join(format!("schema-{version}.cx")), &path).unwrap();
                ("", OpenOptions::new())
            }
        };
        let options = StoreOptions { tenant: tenant.to_owned(), ..StoreOptions::default() };
        let store = open.settings(options).open(&path).unwrap();
        let events = store.events().map(|event| event.unwrap());
        let known = events.map(|event| (event.key.to_string(), event)).collect();
        let said = store.assertions().unwrap().iter().map(word).collect();
        let issued = BTreeSet::new();
        Self { folder, store, tenant, known, said, issued, is_erased: false, n_files: 0 }
    }

    fn apply(mut running: Self, _: &Spoken, step: Step) -> Self {
        match step {
            Step::Ingest(events) => running.ingest(&events),
            Step::Say(said) => running.say(&said),
            Step::Merge(a, b) => {
                let customers = running.customers();
                let of = |index: Index| customers.get(index.index(customers.len().max(1))).copied();
                if let (Some(a), Some(b)) = (of(a), of(b)) {
                    let anchor = |id| running.store.anchor(&Who::Customer(id)).unwrap().unwrap();
                    let verdict = Verdict::Same(
                        Subject::Observation(anchor(a)),
                        Subject::Observation(anchor(b)),
                    );
                    let (by, reason) = ("agent:7".to_owned(), None);
                    running.say(&Assertion { verdict, by, reason, at: now() });
                }
            }
            Step::Revoke(which) => {
                let said = running.store.assertions().unwrap();
                if let Some(said) = said.get(which.index(said.len().max(1))) {
                    let verdict = Verdict::Revoke(said.id());
                    running.say(&Assertion { verdict, ..said.clone() });
                }
            }
            Step::Erase(of) => running.erase(of),
            Step::Backup => {
                let path = running.next_file();
                running.store.backup(&path).unwrap();
                running.store = opening::like(&running.store).open(&path).unwrap();
            }
            Step::Reopen => {
                let (path, open) = (running.store.path().to_owned(), opening::like(&running.store));
                running.store = Store::open_in_memory().unwrap();
                running.store = open.open_existing(path).unwrap();
            }
            Step::Move => {
                let mut lines = Vec::new();
                running.store.export_facts(&mut lines).unwrap();
                let (store, report) =
                    opening::import_facts(lines.as_slice(), running.next_file()).unwrap();
                assert_eq!(report.rejected, 0, "{:?}", report.problems);
                running.store = store;
            }
            Step::Compact => drop(running.store.compact(now()).unwrap()),
            Step::Compress => drop(running.store.compress().unwrap()),
            Step::Decompress => drop(running.store.decompress().unwrap()),
        }
        running.issued.extend(running.customers());
        running
    }

    fn check_invariants(running: &Self, _: &Spoken) {
        let store = &running.store;
        let check = store.check().unwrap();
        assert!(check.is_clean(), "{:#?}", check.problems);
        let keys: BTreeSet<String> =
            store.events().map(|event| event.unwrap().key.to_string()).collect();
        assert_eq!(keys, running.known.keys().cloned().collect(), "nothing is lost or made up");
        let said = store.assertions().unwrap();
        assert_eq!(said.iter().map(word).collect::<BTreeSet<_>>(), running.said);
        let observations: Vec<Observation> =
            running.known.values().map(|event| Observation::of(running.tenant, event)).collect();
        let expected =
            model::partition(&observations, &Assertions::new(said), &store.policy().unwrap());
        let together = running.together();
        assert!(together.is_subset(&expected), "{together:?} are not among {expected:?}");
        let attributed: usize = together.iter().map(Vec::len).sum();
        let unattributed = u64::try_from(observations.len() - attributed).unwrap();
        assert_eq!(unattributed, check.unattributed, "who is nobody's is counted");
        for id in running.issued.iter().copied().chain(running.customers()) {
            let found = store.find(&Who::Customer(id)).unwrap();
            let means = found.customers.len();
            assert!(
                means == 1 || found.is_erased || running.is_erased || check.unattributed > 0,
                "{id} means {means}"
            );
        }
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 400, ..cases(24) })]

    #[test]
    fn whatever_happens_the_customers_are_those_of_the_naive_model(sequential 1..30 => Running);
}
