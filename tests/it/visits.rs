//! Visits at a source: which programs are started, in what order, and how each of them waits for the throttle.

use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use retcon::config::model::Throttle;
use retcon::domain::json::Json;
use retcon::domain::key::InternalKey;
use retcon::domain::plan::WriteResult;
use retcon::domain::record::{OperationId, OperationKind, Reading};
use retcon::source::boot_time::BootTime;
use retcon::source::gate::Gate;
use retcon::source::process::cancel::Cancel;
use retcon::source::tenure::Tenure;
use retcon::source::visit::{Reach, Searched, Taken, Visitor, WriteOrder, Written};
use rstest::rstest;
use slog::{Discard, Logger, o};

use crate::support::bench::Bench;
use crate::support::wait::until;

/// A source that writes its runs down, and knows one item.
const SOURCE: &str = r#"
echo "$RETCON_OPERATION" >> runs
[ -e "hang-$RETCON_OPERATION" ] && exec sleep 600
case $RETCON_OPERATION in
read) echo '{"name": "Ann"}' ;;
create | find | list) echo 1 ;;
esac
"#;

/// Nobody passes in the time of a test.
const SHUT: f64 = 0.001;
const NO_LIMIT: Throttle = Throttle { rate: 0.0, burst: 1, in_flight: 8 };

static ANN: LazyLock<Json> = LazyLock::new(|| Json::parse(br#"{"name": "Ann"}"#).expect("it is JSON"));
static ANNE: LazyLock<Json> = LazyLock::new(|| Json::parse(br#"{"name": "Anne"}"#).expect("it is JSON"));

/// A gate that lets so many pass, and then nobody.
fn gate_for(passages: u32) -> Arc<Gate> {
    let began = Instant::now();
    let gate = Gate::new(&Throttle { rate: 1e6, burst: passages.max(1), in_flight: 8 });
    while passages > 0 && began.elapsed() < Duration::from_millis(1) {
        thread::yield_now();
    }
    if passages == 0 {
        gate.set(&NO_LIMIT);
    }
    gate.set(&Throttle { rate: SHUT, burst: passages.max(1), in_flight: 8 });
    Arc::new(gate)
}

fn visitor(bench: &Bench, gate: &Arc<Gate>, cancel: &Cancel) -> Visitor {
    Visitor::new(
        bench.program(),
        Arc::clone(gate),
        Arc::new(Tenure::unlimited(cancel.clone())),
        Logger::root(Discard, o!()),
    )
}

fn runs(bench: &Bench) -> Vec<String> {
    let text = std::fs::read_to_string(bench.path().join("runs")).unwrap_or_default();
    text.lines().map(String::from).collect()
}

fn wait_for_waiting(gate: &Gate) {
    until(|| (gate.state().waiting == 1).then_some(()), || format!("nobody waits: {:?}", gate.state()));
}

/// What is to be done, with nothing in it of the time at which it is.
#[derive(Debug, Clone, Copy)]
enum Task {
    Read,
    Create,
    Update,
    Delete,
    Search,
}

#[derive(Debug)]
enum Made {
    Read(Taken),
    Write(WriteResult),
    Search(Searched),
}

/// Makes a visit; every basis is too old, and what was written is read again.
fn make(task: Task, visitor: &Visitor) -> (Made, Reach) {
    let key = "1".parse().expect("it is a key");
    let write = |kind| {
        let (Written { result, .. }, reach) = visitor.write(&order(kind), &|| Ok(()));
        (Made::Write(result), reach)
    };
    match task {
        Task::Read => {
            let (taken, reach) = visitor.read(&key, None);
            (Made::Read(taken), reach)
        }
        Task::Create => write(OperationKind::Create),
        Task::Update => write(OperationKind::Update),
        Task::Delete => write(OperationKind::Delete),
        Task::Search => {
            let (searched, reach) = visitor.search(InternalKey(1), OperationId(uuid::Uuid::nil()), &ANN);
            (Made::Search(searched), reach)
        }
    }
}

fn order(kind: OperationKind) -> WriteOrder {
    let is_new = kind == OperationKind::Create;
    let read = || Taken { reading: Reading::Present(ANN.clone()), sha256: None, at: BootTime::now() };
    WriteOrder {
        record: InternalKey(1),
        operation: OperationId(uuid::Uuid::nil()),
        kind,
        key: (!is_new).then(|| "1".parse().expect("it is a key")),
        document: (kind != OperationKind::Delete).then(|| ANNE.clone()),
        basis: (!is_new).then(read),
        recheck: Duration::ZERO,
        read_back: true,
    }
}

/// Begins a visit that comes to wait at the gate after so many runs.
fn begin(task: Task, bench: &Bench, gate: &Arc<Gate>, cancel: &Cancel) -> JoinHandle<(Made, Reach)> {
    let visitor = visitor(bench, gate, cancel);
    let visit = thread::spawn(move || make(task, &visitor));
    wait_for_waiting(gate);
    visit
}

#[rstest]
#[case::read(Task::Read, &["read"])]
#[case::create(Task::Create, &["create", "read"])]
#[case::update(Task::Update, &["read", "update", "read"])]
#[case::delete(Task::Delete, &["read", "delete"])]
#[case::find(Task::Search, &["find"])]
#[case::list(Task::Search, &["list"])]
fn every_run_of_a_visit_waits_for_the_throttle(#[case] task: Task, #[case] expected: &[&str]) {
    for passages in 0..expected.len() {
        let bench = Bench::shell(SOURCE).with(|source| {
            if expected == ["list"] {
                source.commands.find = None;
            }
        });
        let gate = gate_for(passages as u32);
        let visit = begin(task, &bench, &gate, &Cancel::never());
        assert_eq!(runs(&bench), expected[..passages], "after {passages} passages");
        gate.set(&NO_LIMIT);
        let (result, reach) = visit.join().expect("it does not panic");
        assert_eq!(runs(&bench), expected, "{result:?}");
        assert_eq!(reach, Reach::Reached);
    }
}

#[rstest]
#[case::read(Task::Read, 0)]
#[case::search(Task::Search, 0)]
#[case::create(Task::Create, 0)]
#[case::update(Task::Update, 0)]
#[case::update_after_its_recheck(Task::Update, 1)]
#[case::delete(Task::Delete, 0)]
#[case::delete_after_its_recheck(Task::Delete, 1)]
fn a_visit_that_is_cancelled_at_the_throttle_starts_nothing_and_misses_nothing(
    #[case] task: Task,
    #[case] passages: u32,
) {
    let bench = Bench::shell(SOURCE);
    let (gate, cancel) = (gate_for(passages), Cancel::new().expect("a descriptor"));
    let visit = begin(task, &bench, &gate, &cancel);
    cancel.trigger();
    let (result, reach) = visit.join().expect("it does not panic");
    assert_eq!(runs(&bench), vec!["read"; passages as usize]);
    assert_eq!(reach, Reach::Unknown);
    let is_not_made = match &result {
        Made::Read(taken) => matches!(taken.reading, Reading::Unreachable(_)),
        Made::Write(result) => matches!(result, WriteResult::NotStarted(_)),
        Made::Search(searched) => matches!(searched, Searched::Failed(Reading::Unreachable(_))),
    };
    assert!(is_not_made, "{result:?}");
    assert_eq!(gate.state().waiting, 0);
}

#[test]
fn a_write_whose_reading_again_is_cancelled_is_done() {
    let bench = Bench::shell(SOURCE);
    let (gate, cancel) = (gate_for(2), Cancel::new().expect("a descriptor"));
    let visit = begin(Task::Update, &bench, &gate, &cancel);
    cancel.trigger();
    let (result, _) = visit.join().expect("it does not panic");
    assert_eq!(runs(&bench), ["read", "update"]);
    assert!(matches!(result, Made::Write(WriteResult::Done { key: None, stored: None })), "{result:?}");
}

#[test]
fn a_basis_that_grows_too_old_at_the_throttle_is_read_again() {
    let bench = Bench::shell(SOURCE);
    let gate = gate_for(0);
    let mut order = order(OperationKind::Update);
    (order.recheck, order.read_back) = (Duration::from_millis(200), false);
    let read = order.basis.as_ref().map(|basis| basis.at).expect("an update has a basis");
    let of_thread = visitor(&bench, &gate, &Cancel::never());
    let visit = thread::spawn(move || of_thread.write(&order, &|| Ok(())));
    wait_for_waiting(&gate);
    until(|| (BootTime::now() - read > Duration::from_millis(200)).then_some(()), || "time stands still");
    gate.set(&NO_LIMIT);
    visit.join().expect("it does not panic");
    assert_eq!(runs(&bench), ["read", "update"]);
}

#[rstest]
#[case::read(Task::Read, "read")]
#[case::create(Task::Create, "create")]
#[case::what_was_created(Task::Create, "read")]
#[case::update(Task::Update, "update")]
#[case::delete(Task::Delete, "delete")]
#[case::find(Task::Search, "find")]
fn a_source_that_does_not_answer_in_time_is_out_of_reach(#[case] task: Task, #[case] hanging: &str) {
    let bench = Bench::shell(SOURCE).with(|source| source.timeout = Duration::from_secs(1));
    std::fs::write(bench.path().join(format!("hang-{hanging}")), "").expect("a file");
    let (result, reach) = make(task, &visitor(&bench, &Arc::new(Gate::new(&NO_LIMIT)), &Cancel::never()));
    assert!(matches!(&reach, Reach::Unreachable(why) if why.contains("time-out")), "{reach:?} of {result:?}");
}
