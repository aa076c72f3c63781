//! What an actor does later, and what its failures make of that.

use std::time::Duration;

use actix::{Actor, Arbiter, Context, Handler, Message, Supervised};
use tokio::sync::mpsc;

use super::quick;
use crate::actor::supervision::{ActorPath, Alarm, Child, Ledger, Lifeline, Spec, start};

/// Sets an alarm whenever it starts.
struct Sleeper {
    lifeline: Lifeline,
    alarm: Option<Alarm>,
    rang: mpsc::UnboundedSender<&'static str>,
}

impl Actor for Sleeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.set("at its start", ctx);
        self.lifeline.up(ctx);
    }
}

impl Supervised for Sleeper {}

impl Sleeper {
    fn set(&mut self, name: &'static str, ctx: &mut Context<Self>) {
        self.alarm = Some(Alarm::set(ctx, Duration::from_secs(60), move |sleeper, _| {
            let _ = sleeper.rang.send(name);
        }));
    }
}

#[derive(Message)]
#[rtype(result = "()")]
enum Do {
    SetAnother,
    SetAnotherAndFail,
}

impl Handler<Do> for Sleeper {
    type Result = ();

    fn handle(&mut self, what: Do, ctx: &mut Context<Self>) {
        self.set("later", ctx);
        match what {
            Do::SetAnother => {}
            Do::SetAnotherAndFail => panic!("in the turn in which it called an alarm off"),
        }
    }
}

/// Starts a sleeper on the thread of the test, whose clock jumps to the next thing that is waited for.
fn sleeper() -> (Child<Sleeper>, mpsc::UnboundedReceiver<&'static str>) {
    tokio::time::pause();
    let (rang, rings) = mpsc::unbounded_channel();
    let spec = Spec {
        path: ActorPath::Store,
        policy: quick(),
        ledger: Ledger::default(),
        log: crate::log::discard(),
        report: Box::new(|_, _| {}),
    };
    let child = start(&Arbiter::current(), spec, move |_, lifeline| Sleeper { lifeline, alarm: None, rang });
    (child, rings)
}

#[actix::test]
async fn an_alarm_rings_once_and_one_that_is_called_off_never() {
    let (child, mut rings) = sleeper();
    assert_eq!(rings.recv().await, Some("at its start"));
    child.addr.send(Do::SetAnother).await.expect("it answers");
    child.addr.send(Do::SetAnother).await.expect("it answers");
    assert_eq!(rings.recv().await, Some("later"));
    drop(child);
    assert_eq!(rings.recv().await, None);
}

#[actix::test]
async fn an_alarm_that_is_called_off_in_a_turn_that_fails_takes_no_other_with_it() {
    let (child, mut rings) = sleeper();
    child.addr.send(Do::SetAnotherAndFail).await.expect_err("it fails");
    let ring = tokio::time::timeout(Duration::from_secs(3600), rings.recv()).await;
    assert_eq!(ring, Ok(Some("at its start")));
    drop(child);
    assert_eq!(rings.recv().await, None);
}
